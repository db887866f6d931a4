package logstore

import (
	"errors"
	"io"
	"math"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// maxInflated bounds what a batch may become when its records are looked at. Produce checks a lower bound.
const maxInflated = 1 << 30

// OffsetForTimestamp finds the first record in [LogStart, upTo) with a timestamp of at least ts. Only what is flushed
// is looked at.
func (l *Log) OffsetForTimestamp(ts, upTo int64) (offset, timestamp int64, leaderEpoch int32, ok bool, err error) {
	var found stamped
	err = l.eachSpan(upTo, func(v span, file vfs.File, from, upTo int64) (more bool, err error) {
		newest, err := l.newestOf(v.seg)
		if err != nil || newest.timestamp < ts {
			return true, err
		}
		found, ok, err = l.firstSince(v, file, ts, from, upTo)
		return !ok, err
	})
	return found.offset, found.timestamp, found.leaderEpoch, ok, err
}

// MaxTimestamp finds the first record in [LogStart, upTo) with the largest timestamp. Only what is flushed is looked at.
func (l *Log) MaxTimestamp(upTo int64) (offset, timestamp int64, leaderEpoch int32, ok bool, err error) {
	var found stamped
	err = l.eachSpan(upTo, func(v span, file vfs.File, from, upTo int64) (more bool, err error) {
		newest, err := l.newestOf(v.seg)
		if err != nil || newest.timestamp < 0 || ok && newest.timestamp <= found.timestamp {
			return true, err
		}
		first, exists, err := l.firstSince(v, file, newest.timestamp, from, upTo)
		if err == nil && !exists {
			// The segment's newest record is out of range. Of those that are in range, then.
			var within int64
			if within, err = l.newestWithin(v, file, from, upTo); err == nil && within >= 0 {
				first, exists, err = l.firstSince(v, file, within, from, upTo)
			}
		}
		if err == nil && exists && (!ok || first.timestamp > found.timestamp) {
			found, ok = first, true
		}
		return true, err
	})
	return found.offset, found.timestamp, found.leaderEpoch, ok, err
}

// stamped is a record with its time.
type stamped struct {
	offset, timestamp int64
	leaderEpoch       int32
}

// eachSpan visits the segments that have records in [LogStart, min(upTo, Flushed)), with the part of that range which
// is in them.
func (l *Log) eachSpan(upTo int64, visit func(v span, file vfs.File, from, upTo int64) (more bool, err error)) error {
	for next, more := l.logStart.Load(), true; more; {
		if err := l.Err(); err != nil { // asked each time: a deleted log's segments are gone for good
			return err
		}
		l.mu.Lock()
		limit := min(upTo, l.flushed.Load())
		next = max(next, l.logStart.Load())
		i := max(l.segmentAt(next), 0)
		if next >= limit {
			l.mu.Unlock()
			return nil
		}
		v := l.spanAt(i, next)
		l.mu.Unlock()
		file, err := v.seg.handle.acquire()
		if errors.Is(err, errGone) {
			continue // deleted meanwhile: the log starts later now
		}
		if err != nil {
			return l.storageError(err)
		}
		more, err = visit(v, file, next, min(limit, v.next))
		v.seg.handle.release()
		if err != nil {
			l.report(err)
			return err
		}
		if v.last {
			return nil
		}
		next = v.next
	}
	return nil
}

// newestOf is the largest timestamp in a segment. For one that was sealed before the start its time index is asked, and
// the batch that it names.
func (l *Log) newestOf(s *segment) (newest, error) {
	for try := 0; ; try++ {
		l.mu.Lock()
		n, known, view := s.newest, s.newestKnown, s.times.view()
		l.mu.Unlock()
		if known {
			return n, nil
		}
		var entry [timeEntryBytes]byte
		count, err := l.lookup(s, view, false, func([]byte) bool { return true }, entry[:])
		if err != nil {
			return n, err
		}
		if e := parseTimeEntry(entry[:]); count > 0 {
			n = newest{e.timestamp, s.base + int64(e.relative)}
			good, err := l.isNewest(s, n)
			if err != nil {
				return n, err
			}
			if !good && try == 0 && l.repairIndexes(s, "the last entry of the time index names a batch of another time") {
				continue
			}
		}
		l.mu.Lock()
		s.newest, s.newestKnown = n, true
		l.mu.Unlock()
		return n, nil
	}
}

// isNewest tells whether the batch that an entry names is as new as it says, and none after it newer: an index that
// lost its last entries looks whole. As timestamps mostly ascend, few batches stand there.
func (l *Log) isNewest(s *segment, n newest) (bool, error) {
	file, err := s.handle.acquire()
	if errors.Is(err, errGone) {
		return true, nil // nobody will read it
	}
	if err != nil {
		return false, l.storageError(err)
	}
	defer s.handle.release()
	h, scan, err := l.findAt(span{seg: s, size: s.size, next: math.MaxInt64}, file, n.offset)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer scan.done()
	if h.base > n.offset || h.maxTimestamp != n.timestamp {
		return false, nil
	}
	for ; err == nil; h, err = scan.header() {
		if h.maxTimestamp > n.timestamp {
			return false, nil
		}
	}
	return true, nil // damage further on is its reader's
}

// firstSince is the first record of v in [from, upTo) that is at least as new as ts.
func (l *Log) firstSince(v span, file vfs.File, ts, from, upTo int64) (found stamped, ok bool, err error) {
	h, scan, err := l.findTime(v, file, ts, from)
	if errors.Is(err, io.EOF) {
		return found, false, nil
	}
	if err != nil {
		return found, false, err
	}
	defer scan.done()
	var buf []byte
	for {
		if h.base >= upTo {
			return found, false, nil
		}
		if h.maxTimestamp >= ts {
			found, buf, ok, err = l.firstRecordSince(file, v, h, ts, from, buf)
			if err != nil || ok {
				return found, ok && found.offset < upTo, err
			}
		}
		if h, err = scan.header(); err != nil {
			if errors.Is(err, io.EOF) {
				return found, false, nil
			}
			return found, false, l.storageError(l.damage(v.seg, scan.next, err))
		}
	}
}

// findTime is the first batch at or above from that may hold a record as new as ts. No batch before the one that the
// time index names is as new as the entry.
func (l *Log) findTime(v span, file vfs.File, ts, from int64) (header, *scanner, error) {
	atMost := func(entry []byte) bool { return parseTimeEntry(entry).timestamp <= ts }
	l.mu.Lock()
	entry, ok := v.seg.times.inTail(atMost)
	var e timeEntry
	if ok {
		e = parseTimeEntry(entry)
	}
	view := v.seg.times.view()
	l.mu.Unlock()
	if !ok {
		var onFile [timeEntryBytes]byte
		count, err := l.lookup(v.seg, view, false, atMost, onFile[:])
		if err != nil {
			return header{}, nil, err
		}
		if count > 0 {
			e, ok = parseTimeEntry(onFile[:]), true
		}
	}
	named := v.seg.base + int64(e.relative)
	if !ok || named <= from {
		return l.findAt(v, file, from)
	}
	h, scan, err := l.findAt(v, file, named)
	if err == nil && h.base <= named && h.maxTimestamp == e.timestamp {
		return h, scan, nil
	}
	if err == nil {
		scan.done()
	} else if !errors.Is(err, io.EOF) {
		return h, nil, err
	}
	l.repairIndexes(v.seg, "an entry of the time index names a batch of another time")
	return l.findAt(v, file, from)
}

// findAt is find for another offset than v was made for.
func (l *Log) findAt(v span, file vfs.File, offset int64) (header, *scanner, error) {
	l.mu.Lock()
	v.startFromMemory(offset)
	v.offsets = v.seg.offsets.view()
	l.mu.Unlock()
	return l.find(v, file, offset)
}

// firstRecordSince looks into the batch h for a record at or above from that is at least as new as ts.
func (l *Log) firstRecordSince(file vfs.File, v span, h header, ts, from int64, buf []byte) (found stamped, grown []byte, ok bool, err error) {
	if h.v2 == nil { // formats v0 and v1 go by the message's own time
		return stamped{h.base, h.maxTimestamp, h.leaderEpoch}, buf, h.base >= from, nil
	}
	batch, err := readBatch(file, h, buf)
	if err != nil {
		return found, buf, false, l.storageError(l.damage(v.seg, h.position, err))
	}
	for r, err := range batch.Records(maxInflated) {
		if err != nil {
			return found, batch, false, l.storageError(l.damage(v.seg, h.position, err))
		}
		if r.Timestamp >= ts && r.Offset >= from {
			return stamped{r.Offset, r.Timestamp, h.leaderEpoch}, batch, true, nil
		}
	}
	return found, batch, false, nil
}

// newestWithin is the largest timestamp of the records of v in [from, upTo), by looking at all batches.
func (l *Log) newestWithin(v span, file vfs.File, from, upTo int64) (int64, error) {
	newest := record.NoTimestamp
	h, scan, err := l.findAt(v, file, from)
	for ; err == nil && h.base < upTo; h, err = scan.header() {
		if h.v2 != nil && h.v2.Count() == 0 {
			continue // compaction has left a timestamp that no record has
		}
		if h.base >= from && h.last < upTo || h.maxTimestamp <= newest || h.v2 == nil {
			newest = max(newest, h.maxTimestamp)
			continue
		}
		batch, err := readBatch(file, h, nil) // some of its records are out of range
		if err != nil {
			scan.done()
			return newest, l.storageError(l.damage(v.seg, h.position, err))
		}
		for r, err := range batch.Records(maxInflated) {
			if err == nil && r.Offset >= from && r.Offset < upTo {
				newest = max(newest, r.Timestamp)
			}
		}
	}
	if scan != nil {
		scan.done()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return newest, l.storageError(err)
	}
	return newest, nil
}
