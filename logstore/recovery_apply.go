package logstore

import (
	"errors"
	"io"
	"math"
	"slices"
)

// apply does what was decided and brings the log into memory. Every step may be done again after a crash.
func (l *Log) apply(f facts, p plan) error {
	fs := l.store.fs
	for _, name := range slices.Concat(f.temporary, f.orphans) {
		if err := removeFile(fs, join(f.dir, name)); err != nil {
			return err
		}
	}
	l.topicID, l.epochs = f.topicID, f.epochs
	l.newborn = !f.clean && f.point <= 0 // perhaps nothing of it was ever synced
	l.logStart.Store(p.start)
	l.end.Store(p.end)
	if p.restart {
		if err := l.applyRestart(f, p); err != nil {
			return err
		}
	} else if err := l.applyKeep(f, p); err != nil {
		return err
	}
	if err := l.applySnapshots(f, p); err != nil {
		return err
	}
	if err := l.applyEpochs(f, p); err != nil {
		return err
	}
	durable := max(f.point, p.start)
	if f.clean {
		durable = p.end
	}
	l.flushed.Store(p.end)
	if err := l.loadProducers(p.end, durable); err != nil {
		return err
	}
	l.highWatermark.Store(min(max(f.highWatermark, p.start), p.end))
	l.txns.replicatedTo(l.highWatermark.Load())
	return l.makeDurable(durable)
}

// applyRestart gives up all segments and makes an empty one.
func (l *Log) applyRestart(f facts, p plan) error {
	for _, sf := range f.segments {
		if err := l.removeSegment(sf.base); err != nil {
			return err
		}
	}
	s := l.newSegment(p.start)
	l.segments = []*segment{s}
	l.dirDirty = true
	return l.createSegmentFile(s)
}

// applyKeep cuts what is to be cut, durably, and lists the segments.
func (l *Log) applyKeep(f facts, p plan) error {
	for i := len(f.segments) - 1; i >= p.keep; i-- {
		if err := l.removeSegment(f.segments[i].base); err != nil {
			return err
		}
	}
	for i, sf := range f.segments[:p.keep] {
		s := sf.seg
		if s == nil {
			s = l.newSegment(sf.base)
			s.size = sf.bytes
		}
		s.txns = int(sf.txnBytes / abortedTxnBytes)
		l.segments = append(l.segments, s)
		switch {
		case i == p.keep-1:
			if err := cutIndexes(l.store.fs, s, sf.prefix); err != nil {
				return err
			}
		case sf.indexesDiffer:
			if err := errors.Join(removeFile(l.store.fs, s.offsets.path), removeFile(l.store.fs, s.times.path)); err != nil {
				return err
			}
			l.indexRebuilt(s.offsets.path, "a crash left it behind its segment")
			fallthrough
		case sf.seg == nil:
			s.offsets.onFile, s.times.onFile, s.newestKnown = unknownEntries, unknownEntries, sf.seg != nil
		}
	}
	s := l.active()
	l.changed = !f.clean || len(s.offsets.tail)+len(s.times.tail) > 0
	if p.cut == 0 && len(f.segments) == p.keep {
		return nil
	}
	err := errors.Join(
		cutFile(l.store.fs, s.path(logExt), p.keepBytes, true),
		syncIfThere(l.store.fs, s.offsets.path), syncIfThere(l.store.fs, s.times.path),
		l.store.fs.SyncDir(l.dir))
	if f := l.store.events.Truncated; err == nil && f != nil {
		f(l.tp, p.end, p.cut, p.why)
	}
	return err
}

func (l *Log) removeSegment(base int64) error {
	for _, ext := range []string{logExt, indexExt, timeIndexExt, txnIndexExt} {
		if err := removeFile(l.store.fs, join(l.dir, segmentName(base, ext))); err != nil {
			return err
		}
	}
	return nil
}

// applySnapshots removes producer snapshots that lie beyond the log, and those between segments but for the newest.
func (l *Log) applySnapshots(f facts, p plan) error {
	l.snapshotAt = -1
	for _, offset := range slices.Backward(f.snapshots) {
		i := l.segmentAt(offset)
		atBase := i >= 0 && l.segments[i].base == offset
		if offset <= p.end && (atBase || l.snapshotAt < 0) {
			l.snapshotAt = max(l.snapshotAt, offset)
			continue
		}
		if err := removeFile(l.store.fs, join(l.dir, segmentName(offset, snapshotExt))); err != nil {
			return err
		}
	}
	return nil
}

// applyEpochs brings the leader epochs in line with the log: those of batches above the recovery point may not have
// reached the file. If the file cannot be read they are all found in the batches.
func (l *Log) applyEpochs(f facts, p plan) error {
	if f.epochsErr != nil {
		l.epochs = leaderEpochs{dirty: true}
		for _, s := range l.segments {
			if err := l.walk(s, 0, s.size, func(h header) error {
				if h.leaderEpoch > l.epochs.latest() {
					l.epochs.assign(h.leaderEpoch, h.base)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		l.indexRebuilt(join(l.dir, epochsName), f.epochsErr.Error())
	}
	l.epochs.truncateFromEnd(f.verifiedFrom()) // from there on the batches have the say
	for _, sf := range f.segments[:min(p.keep, len(f.segments))] {
		for _, e := range sf.epochs {
			if e.epoch >= l.epochs.latest() {
				l.epochs.assign(e.epoch, e.start)
			}
		}
	}
	l.epochs.truncateFromEnd(p.end)
	l.epochs.truncateFromStart(p.start)
	return nil
}

// loadProducers brings the producers' state up to end: the newest good snapshot that is not above durable, and every
// batch after it. Transactions aborted at or above durable are written to the transaction indexes again. The caller
// holds appendMu, or is the only one who knows the log.
func (l *Log) loadProducers(end, durable int64) error {
	state, txns, err := l.loadSnapshot(min(end, durable))
	if err != nil {
		return err
	}
	if err := l.cutTxnIndexes(durable); err != nil {
		return err
	}
	var buf []byte
	from := state.end
	for i := max(l.segmentAt(from), 0); i < len(l.segments) && from < end; i++ {
		s := l.segments[i]
		l.mu.Lock()
		v := l.spanAt(i, max(from, s.base))
		l.mu.Unlock()
		v.locked = true
		if from <= s.base {
			v.from, v.fromKnown = 0, true
		}
		if buf, err = l.replayProducers(v, from, durable, state, txns, buf); err != nil {
			return err
		}
	}
	state.end = end
	l.producers = state
	l.txns.replace(txns)
	return nil
}

// loadSnapshot is the state of the newest good snapshot up to an offset; without one, nothing at the log's first.
func (l *Log) loadSnapshot(upTo int64) (*producerState, *transactions, error) {
	entries, err := l.store.fs.ReadDir(l.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range slices.Backward(entries) {
		offset, ext, ok := parseSegmentName(e.Name())
		if !ok || ext != snapshotExt || offset > upTo {
			continue
		}
		name := join(l.dir, e.Name())
		data, err := readFile(l.store.fs, name)
		if err != nil {
			return nil, nil, err
		}
		state, txns, err := parseSnapshot(data, offset)
		if err == nil {
			return state, txns, nil
		}
		l.indexRebuilt(name, err.Error())
		if err := removeFile(l.store.fs, name); err != nil {
			return nil, nil, err
		}
		if l.snapshotAt == offset {
			l.snapshotAt = -1
		}
	}
	return newProducerState(l.segments[0].base), newTransactions(), nil
}

// cutTxnIndexes takes entries at or above durable out of the transaction indexes; the replay writes them again.
func (l *Log) cutTxnIndexes(durable int64) error {
	for _, s := range l.segments {
		if s.txns == 0 || durable == math.MaxInt64 {
			continue
		}
		kept := 0
		err := eachAbortedTxn(l.store.fs, s.path(txnIndexExt), s.txns, func(t AbortedTxn) bool {
			if t.LastOffset < durable {
				kept++
			}
			return t.LastOffset < durable
		})
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err := cutFile(l.store.fs, s.path(txnIndexExt), int64(kept)*abortedTxnBytes, false); err != nil {
			return err
		}
		s.txns = kept
	}
	return nil
}

// replayProducers applies the batches of a segment from an offset on.
func (l *Log) replayProducers(v span, from, durable int64, state *producerState, txns *transactions, buf []byte) ([]byte, error) {
	file, err := v.seg.handle.acquire()
	if err != nil {
		return buf, err
	}
	defer v.seg.handle.release()
	h, scan, err := l.find(v, file, from)
	if errors.Is(err, io.EOF) {
		return buf, nil
	}
	if err != nil {
		return buf, err
	}
	defer scan.done()
	for ; err == nil; h, err = scan.header() {
		if h.v2 == nil {
			continue
		}
		var m marker
		if h.v2.IsControl() && h.v2.HasProducerID() {
			batch, err := readBatch(file, h, buf)
			if err == nil {
				m, err = parseMarker(batch)
			}
			if err != nil {
				return buf, l.damage(v.seg, h.position, err)
			}
			buf = batch
		}
		ended, isEnd := state.apply(h.v2, m, txns)
		if isEnd && ended.aborted && ended.LastOffset >= durable {
			if err := writeAbortedTxns(l.store.fs, v.seg.path(txnIndexExt), v.seg.txns, []AbortedTxn{ended.AbortedTxn}); err != nil {
				return buf, err
			}
			v.seg.txns++
			v.seg.txnsDirty = true
		}
	}
	if !errors.Is(err, io.EOF) {
		return buf, l.damage(v.seg, scan.next, err)
	}
	return buf, nil
}

// makeDurable syncs what a crash left above durable: only then does it count. In page-cache mode the flusher does it
// in its time.
func (l *Log) makeDurable(durable int64) error {
	l.synced = l.end.Load()
	if durable >= l.synced {
		return nil
	}
	for _, s := range l.segments {
		if i := l.segmentAt(durable); s.base < l.segments[max(i, 0)].base {
			continue
		}
		if s != l.active() {
			l.unsealed = append(l.unsealed, s)
		}
		if l.config.durable() {
			if err := syncFile(l.store.fs, s.path(logExt)); err != nil {
				return err
			}
			continue
		}
		if _, err := s.handle.acquire(); err != nil {
			return err
		}
		s.dirty = true
		l.unsynced = append(l.unsynced, s)
	}
	if !l.config.durable() {
		l.dirDirty, l.synced = true, durable
		return nil
	}
	l.dirDirty = false
	if l.newborn {
		l.newborn = false
		return l.syncNewborn(l.dir)
	}
	return l.store.fs.SyncDir(l.dir)
}
