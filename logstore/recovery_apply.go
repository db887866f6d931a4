package logstore

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/ottla/ottla/logstore/vfs"
)

// apply does what was decided and brings the log into memory. Every step may be done again after a crash.
func (l *Log) apply(f facts, p plan) error {
	if err := l.applyFiles(p); err != nil {
		return err
	}
	l.topicID, l.epochs = f.topicID, f.epochs
	l.nameless.Store(p.file(partitionName).row.do == doWithout)
	l.newborn = !f.clean && f.point <= 0 // perhaps nothing of it was ever synced
	l.logStart.Store(p.start)
	l.logStartWritten = p.start // by a checkpoint, or by the first segment's name
	l.end.Store(p.end)
	if p.row.do == doRestart {
		if err := l.applyRestart(f, p); err != nil {
			return err
		}
	} else if err := l.applyKeep(f, p); err != nil {
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
	if err := l.applyProducers(f, p, durable); err != nil {
		return err
	}
	l.highWatermark.Store(min(max(f.highWatermark, p.start), p.end))
	l.txns.replicatedTo(l.highWatermark.Load())
	if f.syncFailed.there() {
		return l.rewriteTail(max(durable, f.syncFailed.synced))
	}
	return l.makeDurable(durable)
}

// applyFiles removes what is to be removed beside the segments, and tells of what is not the ordinary course of things.
func (l *Log) applyFiles(p plan) error {
	l.snapshotAt = -1
	log := filePlan{row: p.row}
	if p.why != "" {
		log.err = errors.New(p.why)
	}
	l.store.decided(l.tp, l.dir, log)
	for _, file := range p.files {
		name := join(l.dir, file.name)
		l.store.decided(l.tp, name, file)
		switch {
		case file.row.label == "snapshot" || file.row.label == "snapshot-newest":
			at, _, _ := parseSegmentName(file.name)
			l.snapshotAt = max(l.snapshotAt, at)
		case file.row.label == "snapshot-damaged":
			l.indexRebuilt(name, "a crash left it unfinished, or it was damaged")
		case file.row.label == "foreign-in-log":
			l.store.foreign(name)
		}
		if file.row.do == doRemove && file.row.label != "txnindex-orphan" { // that one goes with its segment
			if err := removeFile(l.store.fs, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyProducers takes over the producers' state that inspect came to, and writes the transaction indexes that go with
// it: entries at or above durable may not have reached the disk.
func (l *Log) applyProducers(f facts, p plan, durable int64) error {
	if p.row.do == doRestart {
		return l.restartProducers(p.start)
	}
	if f.producers == nil || f.producers.end > p.end {
		return errors.Join(l.loadProducers(p.end, durable), l.rebuildTxnIndexes(f, p))
	}
	if err := l.cutTxnIndexes(durable); err != nil {
		return err
	}
	for i, sf := range f.segments[:p.keep] {
		if len(sf.aborted) > 0 {
			if err := l.writeTxnIndex(l.segments[i], sf.aborted); err != nil {
				return err
			}
		}
	}
	f.producers.end = p.end
	l.producers = f.producers
	l.txns.replace(f.txns)
	return l.rebuildTxnIndexes(f, p)
}

// rebuildTxnIndexes makes those again that are damaged, as a whole: what cannot be read may have stood below the
// recovery point.
func (l *Log) rebuildTxnIndexes(f facts, p plan) error {
	for i, sf := range f.segments[:p.keep] {
		if sf.txnIs.is != isDamaged && sf.txnIs.is != isEmpty {
			continue
		}
		if err := l.rebuildTxnIndex(l.segments[i]); err != nil {
			return err
		}
		l.indexRebuilt(l.segments[i].path(txnIndexExt), sf.txnIs.err.Error())
	}
	return nil
}

// restartProducers is for a log whose records are all gone: what an older snapshot says of a producer is not its newest
// batch, which its next one will follow.
func (l *Log) restartProducers(at int64) error {
	state, txns, err := l.loadSnapshot(at, at)
	if err != nil {
		return err
	}
	if state.end != at {
		state, txns = newProducerState(at), newTransactions()
	}
	l.producers = state
	l.txns.replace(txns)
	return nil
}

func (l *Log) writeTxnIndex(s *segment, txns []AbortedTxn) error {
	if err := writeAbortedTxns(l.store.fs, s.path(txnIndexExt), s.txns, txns); err != nil {
		return err
	}
	s.txns += len(txns)
	s.txnsDirty = true
	return nil
}

// applyRestart gives up all segments and makes an empty one.
func (l *Log) applyRestart(f facts, p plan) error {
	if p.row.label == "set-aside" {
		if err := l.setAside(f.segments); err != nil {
			return err
		}
	}
	if err := l.removeSegments(f.segments); err != nil {
		return err
	}
	s := l.newSegment(p.start)
	l.segments = []*segment{s}
	l.dirDirty = true
	return l.createSegmentFile(s)
}

// setAside gives segments that hold something another name, under which they are left alone.
func (l *Log) setAside(segments []segmentFacts) error {
	for _, sf := range segments {
		name := join(l.dir, segmentName(sf.base, logExt))
		if _, err := l.store.fs.Stat(name + setAsideExt); err == nil {
			return fmt.Errorf("%s is there already", name+setAsideExt)
		}
		if sf.bytes > 0 {
			if err := l.store.fs.Rename(name, name+setAsideExt); err != nil {
				return err
			}
		}
	}
	return l.store.fs.SyncDir(l.dir)
}

// applyKeep cuts what is to be cut, durably, and lists the segments.
func (l *Log) applyKeep(f facts, p plan) error {
	if err := l.removeSegments(f.segments[p.keep:]); err != nil {
		return err
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
		case i == p.keep-1 && sf.indexes == 0:
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
	var err error
	if !f.syncFailed.there() { // else it is written anew, up to there
		err = cutFile(l.store.fs, s.path(logExt), p.keepBytes, true)
	}
	err = errors.Join(err,
		syncIfThere(l.store.fs, s.offsets.path), syncIfThere(l.store.fs, s.times.path),
		l.store.fs.SyncDir(l.dir))
	if f := l.store.events.Truncated; err == nil && f != nil {
		f(l.tp, p.end, p.cut, p.why)
	}
	return err
}

// removeSegments removes files, the last ones first.
func (l *Log) removeSegments(segments []segmentFacts) error {
	l.startHeld = len(segments) > 0
	for _, sf := range slices.Backward(segments) {
		for _, ext := range []string{logExt, indexExt, timeIndexExt, txnIndexExt} {
			if err := removeFile(l.store.fs, join(l.dir, segmentName(sf.base, ext))); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyEpochs brings the leader epochs in line with the log: those of batches above the recovery point may not have
// reached the file. If the file is lost they are all found in the batches.
func (l *Log) applyEpochs(f facts, p plan) error {
	if file := p.file(epochsName); file.row.do == doRebuild {
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
		l.indexRebuilt(join(l.dir, epochsName), file.row.label)
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
	state, txns, err := l.loadSnapshot(l.segments[0].base, min(end, durable))
	if err != nil {
		return err
	}
	if err := l.cutTxnIndexes(durable); err != nil {
		return err
	}
	from := state.end
	for i := max(l.segmentAt(from), 0); i < len(l.segments) && from < end; i++ {
		s := l.segments[i]
		var aborted []AbortedTxn
		err := l.walk(s, 0, s.size, func(h header) error {
			if h.v2 == nil || h.last < from {
				return nil
			}
			file := s.handle.file // held by walk
			ended, isEnd, err := replayBatch(file, h, state, txns)
			if isEnd && ended.aborted && ended.LastOffset >= durable {
				aborted = append(aborted, ended.AbortedTxn)
			}
			return err
		})
		if err != nil && i+1 < len(l.segments) && l.segments[i+1].base <= l.logStart.Load() {
			err = nil // nobody may read the segment any more
		}
		if err == nil && len(aborted) > 0 {
			err = l.writeTxnIndex(s, aborted)
		}
		if err != nil {
			return err
		}
	}
	state.end = end
	l.producers = state
	l.txns.replace(txns)
	return nil
}

// producersAt is the producers' state before a segment's base: the newest good snapshot that is not above it, and every
// batch between. The caller holds appendMu.
func (l *Log) producersAt(base int64) (*producerState, error) {
	state, txns, err := l.loadSnapshot(l.segments[0].base, base)
	if err != nil {
		return nil, err
	}
	from := state.end
	for i := max(l.segmentAt(from), 0); i < len(l.segments) && l.segments[i].base < base; i++ {
		s := l.segments[i]
		err := l.walk(s, 0, s.size, func(h header) error {
			if h.v2 == nil || h.last < from {
				return nil
			}
			_, _, err := replayBatch(s.handle.file, h, state, txns) // held by walk
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	state.end = base
	return state, nil
}

// replayBatch applies a batch that stands in a segment.
func replayBatch(file io.ReaderAt, h header, state *producerState, txns *transactions) (ended endedTxn, isEnd bool, err error) {
	var m marker
	if h.v2.IsControl() && h.v2.HasProducerID() {
		batch, err := readBatch(file, h, nil) // under a hundred bytes
		if err == nil {
			m, err = parseMarker(batch)
		}
		if err != nil {
			return ended, false, err
		}
	}
	ended, isEnd = state.apply(h.v2, m, txns)
	return ended, isEnd, nil
}

// loadSnapshot is the state of the newest good snapshot up to an offset; without one, nothing at the log's first offset.
func (l *Log) loadSnapshot(first, upTo int64) (state *producerState, txns *transactions, err error) {
	entries, err := l.store.fs.ReadDir(l.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range slices.Backward(entries) {
		offset, ext, ok := parseSegmentName(e.Name())
		if !ok || ext != snapshotExt || offset > upTo {
			continue
		}
		data, err := readFile(l.store.fs, join(l.dir, e.Name()))
		if err != nil {
			return nil, nil, err
		}
		if state, txns, err = parseSnapshot(data, offset); err == nil {
			return state, txns, nil
		}
	}
	return newProducerState(first), newTransactions(), nil
}

// cutTxnIndexes takes entries at or above durable out of the transaction indexes; the replay writes them again.
func (l *Log) cutTxnIndexes(durable int64) error {
	for i, s := range l.segments {
		if s.txns == 0 || i+1 < len(l.segments) && l.segments[i+1].base <= durable || durable == math.MaxInt64 {
			continue
		}
		kept, last := 0, s.base-1
		err := eachAbortedTxn(l.store.fs, s.path(txnIndexExt), s.txns, func(t AbortedTxn) bool {
			// What a crash left of entries that were not synced is told by its marker, which does not follow the last.
			ok := t.FirstOffset < t.LastOffset && last < t.LastOffset && t.LastOffset < durable
			if ok {
				kept, last = kept+1, t.LastOffset
			}
			return ok
		})
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errTxnIndex) {
			return err
		}
		if err := cutFile(l.store.fs, s.path(txnIndexExt), int64(kept)*abortedTxnBytes, false); err != nil {
			return err
		}
		s.txns = kept
	}
	return nil
}

// makeDurable syncs what a crash left above durable: only then does it count. In page-cache mode the flusher does it
// in its time. If the names are to be made durable, too, they are.
func (l *Log) makeDurable(durable int64) error {
	l.synced = min(durable, l.end.Load())
	if l.synced == l.end.Load() {
		return nil
	}
	newNames := l.newborn || l.startHeld
	for _, s := range l.segments[max(l.segmentAt(durable), 0):] {
		newNames = newNames || s.base >= durable
		file, err := s.handle.acquire()
		if err != nil {
			return err
		}
		if !l.config.durable() {
			s.dirty = true
			l.unsynced = append(l.unsynced, s)
			continue
		}
		err = file.Sync()
		if err != nil {
			vfs.DropCache(file)
			l.markSyncFailed(l.dir)
		}
		s.handle.release()
		if err != nil {
			return err
		}
	}
	l.dirDirty = newNames
	if !l.config.durable() {
		return nil
	}
	if newNames {
		if err := l.syncNames(); err != nil {
			return err
		}
	}
	l.synced = l.end.Load()
	return nil
}

// syncNames makes the names in the log's directory durable, and the directory itself if nobody has.
func (l *Log) syncNames() error {
	if !l.newborn {
		err := l.store.fs.SyncDir(l.dir)
		l.dirDirty = err != nil
		return err
	}
	if !l.nameless.Load() {
		// The file that is there may be one that a sync failed on, which shows no more.
		if err := replaceFile(l.store.fs, join(l.dir, partitionName), encodePartitionMetadata(l.topicID)); err != nil {
			return err
		}
	}
	err := l.syncNewborn(l.dir)
	l.dirDirty, l.newborn = err != nil, err != nil
	return err
}
