package logstore

import (
	"errors"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/protocol"
)

// AdvanceLogStart gives up everything below to (DeleteRecords), durably. It never moves back: a smaller to does nothing.
// Above the high watermark it is OffsetOutOfRange. Segments wholly below go with the next retention run.
func (l *Log) AdvanceLogStart(to int64) error {
	if err := l.Err(); err != nil {
		return err
	}
	if hw := l.highWatermark.Load(); to > hw {
		return protocol.Errorf(protocol.OffsetOutOfRange, "%s: records up to offset %d cannot be deleted: the high watermark is %d", l.tp, to, hw)
	}
	if err := l.flushBelow(to); err != nil {
		return err
	}
	l.appendMu.Lock()
	err := l.Err() // again: it may have moved
	if err == nil {
		l.advanceLogStart(to)
	}
	l.appendMu.Unlock()
	if err != nil {
		return err
	}
	// Also where it has not moved: who moved it may have failed to write it, or be about to.
	if err := l.store.checkpoints.writeLogStarts(l, false); err != nil {
		return l.storageError(err)
	}
	return nil
}

// advanceLogStart moves the start in memory. The leader epochs below go when it is durable: a crash may take it back. The
// caller holds appendMu.
func (l *Log) advanceLogStart(to int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logStart.Store(max(to, l.logStart.Load()))
}

// ApplyRetention deletes the oldest segments: those wholly below the log start, and those that retention.ms or
// retention.bytes give up. Nothing at or above the high watermark goes. It forgets expired producers.
//
// The new log start, and what is known of producers there, is durable before the first file goes: a crash may leave any
// of them, and they are known to be given up.
func (l *Log) ApplyRetention(nowMs int64) error {
	if l.Err() != nil {
		return nil // it is known
	}
	config := l.configuration()
	n, start, why, err := l.deletable(config, nowMs)
	if err != nil {
		return l.storageError(err)
	}
	if n > 0 {
		if err := l.flushBelow(start); err != nil {
			return err
		}
	}
	l.appendMu.Lock()
	if l.Err() == nil {
		l.producers.expire(nowMs, l.store.producerExpirationMs.Load())
	}
	l.appendMu.Unlock()
	return l.giveUpOldest(n, start, why, config)
}

// giveUpOldest moves the log start behind the first n segments and deletes them. Without any it only ends what a run
// before it could not.
func (l *Log) giveUpOldest(n int, start int64, why string, config LogConfig) error {
	l.appendMu.Lock()
	old, err := l.giveUp(n, start, config)
	l.appendMu.Unlock()
	if err != nil || len(old) == 0 {
		return errors.Join(err, l.releaseStart())
	}
	if !mutant.Is(mutant.DeleteBeforeLogStart) {
		if err := errors.Join(l.store.checkpoints.writeLogStarts(l, false), l.keepProducers(old)); err != nil {
			return l.storageError(err)
		}
	}
	l.deleteGivenUp(old, start, why, config)
	return l.releaseStart()
}

// giveUp moves the log start behind the first n segments. If they are all, a new one is made first.
func (l *Log) giveUp(n int, start int64, config LogConfig) (old []*segment, err error) {
	if l.Err() != nil || n > len(l.segments) || start > l.highWatermark.Load() && !mutant.Is(mutant.RetentionIgnoresHighWatermark) {
		return nil, nil // a truncation came in between
	}
	if n > 0 && n < len(l.segments) && l.segments[n].base > start {
		return nil, nil // other segments than were weighed: a compaction came in between
	}
	if n > 0 && n == len(l.segments) {
		if l.end.Load() != start {
			return nil, nil // appended to meanwhile: next time
		}
		if _, err := l.roll(start, config); err != nil {
			return nil, err
		}
	}
	if n > 0 {
		l.advanceLogStart(start)
	}
	return slices.Clone(l.segments[:n]), nil
}

// keepProducers makes durable what the segments to be deleted are still needed for: the producers' state after them. It
// stands in the snapshot that was taken when the last of them was sealed. If a crash has taken that, it is made again from
// the segments; if they cannot tell, one of the state now does it, with a recovery point as new.
func (l *Log) keepProducers(old []*segment) error {
	l.mu.Lock()
	i := l.segmentAt(old[len(old)-1].base)
	base, dir := l.segments[min(i+1, len(l.segments)-1)].base, l.dir
	l.mu.Unlock()
	name := join(dir, segmentName(base, snapshotExt))
	data, err := readFile(l.store.fs, name)
	if err == nil {
		_, _, err = parseSnapshot(data, base)
	}
	if err != nil {
		err = l.retakeSnapshot(name, base)
	}
	if err == nil {
		return errors.Join(syncFile(l.store.fs, name), l.store.fs.SyncDir(dir))
	}
	l.appendMu.Lock()
	end := l.end.Load()
	l.takeSnapshot(end)
	l.appendMu.Unlock()
	return errors.Join(
		syncFile(l.store.fs, join(dir, segmentName(end, snapshotExt))),
		l.store.fs.SyncDir(dir),
		l.Flush(),
		l.store.checkpoints.write([]*Log{l}),
		l.store.syncRoot())
}

// retakeSnapshot writes a snapshot of the producers' state before an earlier segment.
func (l *Log) retakeSnapshot(name string, base int64) error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	state, err := l.producersAt(base)
	if err != nil {
		return err
	}
	if err := writeFile(l.store.fs, name+tmpExt, state.encodeSnapshot(), false); err != nil {
		return err
	}
	return l.store.fs.Rename(name+tmpExt, name)
}

// deleteGivenUp deletes segments that nobody may read any more.
func (l *Log) deleteGivenUp(old []*segment, start int64, why string, config LogConfig) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	n, bytes := len(old), int64(0)
	if l.Err() != nil || n >= len(l.segments) || !slices.Equal(old, l.segments[:n]) || slices.ContainsFunc(old, l.isReplaced) {
		return // truncated, deleted, moved or compacted meanwhile: the next run sees to what is left
	}
	l.mu.Lock()
	l.segments = slices.Clone(l.segments[n:])
	l.startHeld = true
	for _, s := range old {
		bytes += s.size
	}
	l.mu.Unlock()
	if err := l.deleteFiles(old, config.fileDeleteDelay()); err != nil {
		l.store.failed("deleting segments of "+l.tp.String(), err)
	}
	if f := l.store.events.Deleted; f != nil {
		f(l.tp, n, bytes, start, why)
	}
}

// releaseStart makes the deletion of segments durable: from then on the first one's name says where the log starts.
func (l *Log) releaseStart() error {
	l.mu.Lock()
	held, dir := l.startHeld, l.dir
	l.mu.Unlock()
	if !held {
		return nil
	}
	if err := l.store.fs.SyncDir(dir); err != nil {
		return l.storageError(err)
	}
	l.mu.Lock()
	l.startHeld = false
	l.mu.Unlock()
	return nil
}

func (l *Log) configuration() LogConfig {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config
}

// oldSegment is what retention weighs of a segment.
type oldSegment struct {
	seg     *segment
	bytes   int64
	next    int64 // base of the next segment, or the log's end
	active  bool
	newest  newest
	hasTime bool
}

// deletable counts the segments to delete, from the oldest, and says where the log will start and why.
func (l *Log) deletable(c LogConfig, nowMs int64) (n int, start int64, why string, err error) {
	segments := l.oldSegments()
	total := int64(0)
	for _, s := range segments {
		total += s.bytes
	}
	hw, logStart := l.highWatermark.Load(), l.logStart.Load()
	if mutant.Is(mutant.RetentionIgnoresHighWatermark) {
		hw = l.end.Load()
	}
	for _, s := range segments {
		if s.next > hw || s.active && s.bytes == 0 {
			break
		}
		reason := ""
		switch {
		case s.next <= logStart && !s.active:
			reason = "below the log start"
		case !c.Delete:
		case c.RetentionBytes >= 0 && total-s.bytes >= c.RetentionBytes:
			reason = "retention.bytes"
		case c.RetentionMs >= 0:
			expired, err := l.expired(s, nowMs-c.RetentionMs)
			if err != nil {
				return 0, 0, "", err
			}
			if expired {
				reason = "retention.ms"
			}
		}
		if reason == "" {
			break
		}
		n, start, why = n+1, max(logStart, s.next), reason
		total -= s.bytes
	}
	return n, start, why, nil
}

func (l *Log) oldSegments() []oldSegment {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]oldSegment, len(l.segments))
	for i, s := range l.segments {
		out[i] = oldSegment{s, s.size, l.end.Load(), true, s.newest, s.newestKnown}
		if i+1 < len(l.segments) {
			out[i].next, out[i].active = l.segments[i+1].base, false
		}
	}
	return out
}

// expired tells whether all records of the segment are older than a time.
func (l *Log) expired(s oldSegment, beforeMs int64) (bool, error) {
	at, err := l.newestTime(s)
	return err == nil && at < beforeMs, err
}

// newestTime is the largest timestamp of the segment's records. Where they bear none, it is the file's.
func (l *Log) newestTime(s oldSegment) (ms int64, err error) {
	if !s.hasTime {
		if s.newest, err = l.newestOf(s.seg); err != nil {
			return 0, err
		}
	}
	if s.newest.timestamp >= 0 {
		return s.newest.timestamp, nil
	}
	info, err := l.store.fs.Stat(s.seg.path(logExt))
	if errors.Is(err, fs.ErrNotExist) {
		return math.MaxInt64, nil // it is deleted already
	}
	if err != nil {
		return 0, err
	}
	return info.ModTime().UnixMilli(), nil
}

// deleteFiles renames the files of segments that the log has let go of, and removes them after the delay. Slices that
// were handed out stay readable.
func (l *Log) deleteFiles(segments []*segment, delay time.Duration) error {
	var marked []string
	var errs []error
	for _, s := range segments {
		s.handle.drop() // who comes now looks again, and finds the log without it
		for _, ext := range []string{logExt, indexExt, timeIndexExt, txnIndexExt, snapshotExt} {
			name := s.path(ext)
			err := l.store.fs.Rename(name, name+deletedExt)
			switch {
			case err == nil:
				marked = append(marked, name+deletedExt)
			case !errors.Is(err, fs.ErrNotExist):
				errs = append(errs, err)
			}
		}
	}
	l.mu.Lock()
	l.dirDirty = true
	l.mu.Unlock()
	l.removeLater(marked, delay)
	return errors.Join(errs...)
}

// removeLater removes files that were renamed for it.
func (l *Log) removeLater(names []string, delay time.Duration) {
	remove := func() {
		for _, name := range names {
			if err := removeFile(l.store.fs, name); err != nil {
				l.store.failed("removing "+name, err)
			}
		}
	}
	if delay == 0 {
		remove()
	} else if len(names) > 0 {
		l.store.removals.after(delay, remove)
	}
}

// namedStart is where the log starts by the names of its files: the base of the first segment. It is -1 while that does
// not hold, and for a log that was offline from the start.
func (l *Log) namedStart() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 || l.startHeld {
		return -1
	}
	return l.segments[0].base
}
