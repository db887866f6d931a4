package logstore

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"syscall"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Origin says who appends, and so what is checked.
type Origin int8

const (
	// Client: sequence numbers, producer epochs and duplicates are checked.
	Client Origin = iota
	// Coordinator: producer and coordinator epochs are checked; markers come from here.
	Coordinator
	// Replication: the leader has checked; the batch keeps its offsets and its leader epoch.
	Replication
)

// AppendOptions go with an append.
type AppendOptions struct {
	LeaderEpoch int32 // stamped on the batch unless Origin is Replication
	Origin      Origin
	// TransactionVersion, of a marker from the coordinator, is how the transaction was done: since 2 (KIP-890) its end
	// raises the producer's epoch, so that a marker of the epoch that is known is a late one.
	TransactionVersion int16
}

// Appended says where a batch went.
type Appended struct {
	FirstOffset, LastOffset int64
	LogAppendTimeMs         int64 // -1 under CreateTime; of a duplicate, the original's timestamp
	LogStart                int64
	// Duplicate: the batch is one of the producer's last five, which stands at these offsets; nothing was appended.
	// The answer waits until the original is below the high watermark.
	Duplicate bool
}

// Append writes a batch that record.Validate has passed. It patches base offset and leader epoch in place, checks the
// producer's state (producer_state.go) as Origin asks, and returns with the bytes in the file and the log queued
// for the flusher: OnFlushed tells when they are on disk. The batch may be reused when Append returns.
//
// Errors: OutOfOrderSequenceNumber, InvalidProducerEpoch, InvalidTxnState, TransactionCoordinatorFenced,
// KafkaStorageError (nothing was appended; of a Client also while the disk is full; once offline, for good), and for
// Replication OffsetOutOfRange when the batch begins below End.
func (l *Log) Append(batch record.Batch, o AppendOptions) (Appended, error) {
	var full error
	if o.Origin == Client {
		full = l.store.space.take(int64(len(batch)))
	}
	l.appendMu.Lock()
	a, sync, err := l.append(batch, o, full)
	l.appendMu.Unlock()
	switch {
	case err != nil || a.Duplicate:
	case sync == syncNow:
		l.store.flusher.enqueue(l)
	default:
		if sync == syncSoon {
			l.store.flusher.enqueueSoon(l)
		}
		l.store.flusher.lazyAppended(len(batch))
	}
	return a, err
}

// append is Append under appendMu. full is why nothing may be written; what was written before is still a duplicate.
func (l *Log) append(batch record.Batch, o AppendOptions, full error) (a Appended, sync syncWhen, err error) {
	if err := l.Err(); err != nil {
		return a, 0, err
	}
	end := l.end.Load()
	if o.Origin != Replication {
		batch.SetBaseOffset(end)
		batch.SetLeaderEpoch(o.LeaderEpoch)
	} else if batch.BaseOffset() < end {
		return a, 0, protocol.Errorf(protocol.OffsetOutOfRange, "%s: a batch at offset %d cannot follow the log's end at %d", l.tp, batch.BaseOffset(), end)
	}
	var m marker
	if batch.IsControl() && batch.HasProducerID() {
		if m, err = parseMarker(batch); err != nil {
			return a, 0, protocol.Errorf(protocol.CorruptMessage, "%s: %v", l.tp, err)
		}
	}
	if batch.HasProducerID() {
		original, isDuplicate, err := l.producers.check(batch, m, o, end)
		if err != nil {
			return a, 0, err
		}
		if isDuplicate {
			return Appended{original.firstOffset(), original.lastOffset, original.timestamp, l.logStart.Load(), true}, 0, nil
		}
	}
	if full != nil {
		return a, 0, l.storageError(full)
	}
	if sync, err = l.write(batch, m); err != nil {
		return a, 0, err
	}
	a = Appended{batch.BaseOffset(), batch.LastOffset(), record.NoTimestamp, l.logStart.Load(), false}
	if batch.IsLogAppendTime() {
		a.LogAppendTimeMs = batch.MaxTimestamp()
	}
	return a, sync, nil
}

// write puts the batch at the end of the active segment and makes it part of the log.
func (l *Log) write(batch record.Batch, m marker) (syncWhen, error) {
	s, err := l.segmentFor(batch)
	if err != nil {
		return 0, err
	}
	file, err := s.handle.acquire()
	if isShortage(err) {
		return 0, l.storageError(err)
	}
	if err != nil {
		return 0, l.fail("opening "+s.handle.path, err)
	}
	l.changed = true
	ended, isEnd := l.producers.ends(batch, m, l.txns)
	aborted := isEnd && ended.aborted
	if what, err := l.writeBatch(s, file, batch, aborted, ended.AbortedTxn); err != nil {
		defer s.handle.release()
		if isShortage(err) && l.unwrite(s, file, aborted) == nil {
			return 0, l.storageError(fmt.Errorf("%s: %w", what, err)) // nothing was promised and nothing is left: space may come back
		}
		return 0, l.fail(what, err)
	}
	l.producers.apply(batch, m, l.txns)
	sync, indexFull := l.publish(s, batch, aborted, ended.AbortedTxn)
	if indexFull {
		l.writeIndexes(s)
	}
	return sync, nil
}

// writeBatch writes the batch and, if it is the marker of an aborted transaction, the entry that must be there before
// the marker can be seen, and with it the last stable offset beyond it.
func (l *Log) writeBatch(s *segment, file vfs.File, batch record.Batch, aborted bool, txn AbortedTxn) (what string, err error) {
	if _, err := file.WriteAt(batch, s.size); err != nil && !mutant.Is(mutant.AckBeforeWrite) {
		return "writing to " + s.handle.path, err
	}
	if aborted {
		name := s.path(txnIndexExt)
		return "writing to " + name, writeAbortedTxns(l.store.fs, name, s.txns, []AbortedTxn{txn})
	}
	return "", nil
}

// unwrite cuts off what a write that failed has left.
func (l *Log) unwrite(s *segment, file vfs.File, aborted bool) error {
	if mutant.Is(mutant.LeaveHalfABatch) {
		return nil
	}
	err := file.Truncate(s.size)
	if aborted {
		err = errors.Join(err, cutFile(l.store.fs, s.path(txnIndexExt), int64(s.txns)*abortedTxnBytes, false))
	}
	return err
}

// publish shows the batch, which is in the file, to readers and to the flusher.
func (l *Log) publish(s *segment, batch record.Batch, aborted bool, txn AbortedTxn) (sync syncWhen, indexFull bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := batch.NextOffset()
	s.appended(batch.LastOffset(), batch.MaxTimestamp(), int64(len(batch)), l.config.IndexIntervalBytes)
	if aborted {
		s.txnSum.add(s.txns, txn)
		s.txns++
		s.txnsDirty = true
		l.dirDirty = true
	}
	l.epochs.assign(batch.LeaderEpoch(), batch.BaseOffset())
	l.end.Store(next)
	if s.dirty {
		s.handle.release() // one is enough
	} else {
		s.dirty = true
		l.unsynced = append(l.unsynced, s)
	}
	l.unsyncedBytes += int64(len(batch))
	l.unsyncedCount += int64(batch.Count())
	return l.afterAppend(next), s.offsets.full()
}

// segmentFor is the segment that the batch goes to: the active one, or a new one.
func (l *Log) segmentFor(batch record.Batch) (*segment, error) {
	s, nowMs := l.active(), l.store.now().UnixMilli()
	if s.firstTimestamp == unknownTimestamp && s.size > 0 {
		if err := l.loadFirstTimestamp(s); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	config := l.config
	l.mu.Unlock()
	if !s.shouldRoll(config, int64(len(batch)), batch.LastOffset(), batch.MaxTimestamp(), nowMs) {
		return s, nil
	}
	// A segment begins where the last one ends, also where a batch leaves offsets out: recovery takes a hole between
	// segments for a lost tail.
	base := l.end.Load()
	if batch.LastOffset()-base > math.MaxInt32 {
		base = batch.BaseOffset()
	}
	return l.roll(base, config)
}

// roll seals the active segment and makes a new one. An empty one is replaced: two segments cannot hold one offset.
func (l *Log) roll(base int64, config LogConfig) (*segment, error) {
	old, s := l.active(), l.newSegment(base)
	if old.size == 0 && old.base == base {
		return nil, l.storageError(errors.New("a batch spans more offsets than a segment can"))
	}
	if config.SegmentJitterMs > 0 {
		s.jitterMs = rand.Int64N(config.SegmentJitterMs)
	}
	if err := l.createSegmentFile(s); err != nil {
		if isShortage(err) {
			return nil, l.storageError(err)
		}
		return nil, l.fail("making a segment", err)
	}
	l.mu.Lock()
	old.indexTime()
	l.mu.Unlock()
	l.writeIndexes(old)
	l.takeSnapshot(base)
	l.mu.Lock()
	if old.size == 0 {
		l.segments[len(l.segments)-1] = s
	} else {
		l.segments = append(l.segments, s)
	}
	l.dirDirty = true
	l.mu.Unlock()
	if old.size == 0 {
		if err := l.deleteFiles([]*segment{old}, 0); err != nil {
			return nil, l.fail("replacing an empty segment", err)
		}
	}
	if config.Compact {
		l.store.cleaner.note(l)
	}
	if f := l.store.events.Rolled; f != nil {
		f(l.tp, base)
	}
	return s, nil
}

// createSegmentFile makes the empty .log file. Indexes appear with their first entries.
func (l *Log) createSegmentFile(s *segment) error {
	f, err := l.store.fs.OpenFile(s.path(logExt), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return errors.Join(err, removeFile(l.store.fs, s.path(logExt))) // or it could not be made again
	}
	return nil
}

// loadFirstTimestamp reads what segment.ms counts from, in a segment that was there at the start.
func (l *Log) loadFirstTimestamp(s *segment) error {
	file, err := s.handle.acquire()
	if err != nil {
		return l.fail("opening "+s.handle.path, err)
	}
	defer s.handle.release()
	scan := newScanner(file, 0, s.size)
	defer scan.done()
	h, err := scan.header()
	if isDamage(err) {
		h.maxTimestamp, err = record.NoTimestamp, nil // its readers hear of it; the clock does for this
	}
	if err != nil {
		return l.storageError(err)
	}
	l.mu.Lock()
	s.firstTimestamp = h.maxTimestamp
	l.mu.Unlock()
	return nil
}

// isShortage tells of a disk that is full and of descriptors that are used up: what others hold may come back.
func isShortage(err error) bool {
	for _, errno := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
