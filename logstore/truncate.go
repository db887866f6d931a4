package logstore

import (
	"errors"
	"math"
	"slices"
)

// TruncateTo cuts off everything at or above offset, durably; the batch that contains it goes whole, and offsets that are
// left out before it go along. Above End it does nothing.
//
// The steps are ordered so that a crash between any two leaves a log that recovery understands: the recovery point goes
// first, since it promises what is about to go; nothing new is appended before the cut itself is on disk, since stale
// bytes could come back under it.
func (l *Log) TruncateTo(offset int64) error {
	defer l.pauseCompaction()()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	if offset >= l.end.Load() {
		return nil
	}
	if offset <= max(l.segments[0].base, l.logStart.Load()) {
		return l.restartAt(offset) // nothing of what may be read is left
	}
	i, position, end, err := l.placeOfCut(offset)
	if err != nil {
		return err
	}
	if start := l.logStart.Load(); end <= start {
		return l.restartAt(start) // the batch that goes begins below what may be read
	}
	return l.cutAt(i, position, end, "the leader has other records from there on")
}

// placeOfCut is the segment and the position of the first batch that contains offset or lies above it, and where the
// log will end: behind the last batch that stays. That is where a start finds its end; offsets that are left out before
// the cut go with it, or the recovery point would promise what nobody can find.
func (l *Log) placeOfCut(offset int64) (i int, position, end int64, err error) {
	l.mu.Lock()
	i = l.segmentAt(offset)
	v := l.spanAt(i, offset)
	l.mu.Unlock()
	position, end = v.size, v.seg.base
	// The index may not be made again here, under appendMu: the segment is walked through, which is rare enough.
	err = l.walk(v.seg, 0, v.size, func(h header) error {
		if h.last < offset {
			end = h.last + 1
			return nil
		}
		position = h.position
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return 0, 0, 0, l.storageError(err)
	}
	return i, position, end, nil
}

var errStop = errors.New("found")

// cutAt cuts segment i at position and drops those after it. The caller holds appendMu.
func (l *Log) cutAt(i int, position, end int64, why string) error {
	l.changed = true
	if err := l.store.checkpoints.lower(l, end); err != nil {
		return l.storageError(err) // nothing has changed
	}
	if err := l.bear(); err != nil {
		return l.fail("cutting off the log", err)
	}
	s, before := l.segments[i], l.Size()
	l.writeIndexes(s)
	prefix, err := l.prefixOfCut(s, position, end)
	if err == nil {
		err = l.dropSnapshots(end + 1)
	}
	if err == nil {
		err = l.cutFiles(s, position, prefix, end)
	}
	if err != nil {
		return l.fail("cutting off the log", err)
	}
	l.mu.Lock()
	dropped := slices.Clone(l.segments[i+1:])
	l.segments = l.segments[:i+1]
	l.cutShort(end)
	l.cutting = math.MaxInt64
	interval := l.config.IndexIntervalBytes
	s.resume(prefix)
	s.verified.cut(position, end)
	l.mu.Unlock()
	err = l.deleteFiles(dropped, 0)
	if err == nil {
		err = l.walk(s, prefix.position, position, func(h header) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			s.appendedAgain(h, prefix, interval)
			return nil
		})
	}
	if err = errors.Join(err, l.loadProducers(end, math.MaxInt64), l.writeEpochsIfRoom(), l.store.fs.SyncDir(l.dir)); err != nil {
		return l.fail("cutting off the log", err)
	}
	l.txns.replicatedTo(l.highWatermark.Load())
	if f := l.store.events.Truncated; f != nil {
		f(l.tp, end, before-l.Size(), why)
	}
	return nil
}

// prefixOfCut is what stays of the segment's indexes.
func (l *Log) prefixOfCut(s *segment, position, end int64) (indexPrefix, error) {
	prefix, err := readIndexPrefix(l.store.fs, s, trust{offset: end, position: position})
	if err != nil {
		return prefix, err
	}
	file, err := s.handle.acquire()
	if err != nil {
		return prefix, err
	}
	defer s.handle.release()
	if !prefix.true(file, position) {
		prefix = s.noPrefix()
	}
	return prefix, nil
}

// cutFiles cuts the segment's files, durably.
func (l *Log) cutFiles(s *segment, position int64, prefix indexPrefix, end int64) error {
	fs := l.store.fs
	txns := 0
	count := func() error {
		txns = 0
		return eachAbortedTxn(fs, s.path(txnIndexExt), s.txns, func(t AbortedTxn) bool {
			if t.LastOffset < end {
				txns++
			}
			return t.LastOffset < end
		})
	}
	err := count()
	if errors.Is(err, errTxnIndex) {
		err = errors.Join(l.rebuildTxnIndex(s), count())
	}
	if err != nil {
		return err
	}
	s.txns = txns
	return errors.Join(
		cutFile(fs, s.path(logExt), position, true),
		cutFile(fs, s.path(indexExt), int64(prefix.offsets)*offsetEntryBytes, true),
		cutFile(fs, s.path(timeIndexExt), int64(prefix.times)*timeEntryBytes, true),
		cutFile(fs, s.path(txnIndexExt), int64(txns)*abortedTxnBytes, true))
}

// cutShort takes offsets from end on out of what memory knows. mu is held.
func (l *Log) cutShort(end int64) {
	l.cuts++
	l.hints = readHints{}
	l.end.Store(end)
	l.synced = min(l.synced, end)
	l.flushed.Store(min(l.flushed.Load(), end))
	l.highWatermark.Store(min(l.highWatermark.Load(), end))
	l.epochs.truncateFromEnd(end)
	for i := range l.waiters {
		l.waiters[i].offset = min(l.waiters[i].offset, end)
	}
	kept := l.unsynced[:0]
	for _, s := range l.unsynced {
		if s.base <= end {
			kept = append(kept, s)
		} else {
			s.dirty = false
			defer s.handle.release()
		}
	}
	l.unsynced = kept
}

// dropSnapshots removes producer snapshots from offset on.
func (l *Log) dropSnapshots(offset int64) error {
	names, err := l.store.fs.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range names {
		if base, ext, ok := parseSegmentName(e.Name()); ok && ext == snapshotExt && base >= offset {
			if err := removeFile(l.store.fs, join(l.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if l.snapshotAt >= offset {
		l.snapshotAt = -1
	}
	return l.store.fs.SyncDir(l.dir)
}

// TruncateFullyAndStartAt gives up all records and begins again, empty, at offset, durably.
func (l *Log) TruncateFullyAndStartAt(offset int64) error {
	defer l.pauseCompaction()()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
	return l.restartAt(offset)
}

// restartAt is TruncateFullyAndStartAt under appendMu. Going up, the log start is written first: from then on the old
// segments are known to be given up. Going down, a crash may leave some of them, or none; with recovery point 0 either
// is a log like any other.
func (l *Log) restartAt(offset int64) error {
	if err := l.store.checkpoints.lower(l, 0); err != nil {
		return l.storageError(err)
	}
	l.changed = true
	if err := l.bear(); err != nil {
		return l.fail("starting again", err)
	}
	old := slices.Clone(l.segments)
	bytes := l.Size()
	l.mu.Lock()
	l.cutShort(old[0].base)
	l.logStart.Store(offset)
	l.mu.Unlock()
	err := l.dropSnapshots(0)
	if offset > old[0].base {
		err = errors.Join(err, l.store.checkpoints.writeLogStarts(l, true))
	}
	if err == nil {
		err = l.deleteFiles(old, 0)
	}
	if err != nil {
		return l.fail("starting again", err)
	}
	s := l.newSegment(offset)
	if err := l.createSegmentFile(s); err != nil {
		return l.fail("starting again", err)
	}
	l.mu.Lock()
	l.segments = []*segment{s}
	l.epochs.entries, l.epochs.dirty = nil, true
	l.end.Store(offset)
	l.flushed.Store(offset)
	l.synced = offset
	l.highWatermark.Store(offset)
	l.cuts++
	l.cutting = math.MaxInt64
	l.mu.Unlock()
	l.producers, l.snapshotAt = newProducerState(offset), -1
	l.txns.replace(newTransactions())
	if err := errors.Join(l.writeEpochsIfRoom(), l.store.fs.SyncDir(l.dir)); err != nil {
		return l.fail("starting again", err)
	}
	// Only now does the new segment's name say where the log starts.
	if err := l.store.checkpoints.writeLogStarts(l, true); err != nil {
		return l.fail("starting again", err)
	}
	l.store.checkpoints.note(l, 0)
	if f := l.store.events.Truncated; f != nil {
		f(l.tp, offset, bytes, "the log starts again")
	}
	return nil
}
