package logstore

import (
	"errors"
	"io"
	"math"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// span is a segment as it was at a moment under Log.mu: what lies below size stays as it is, until a truncation.
type span struct {
	seg  *segment
	size int64
	next int64 // the next segment's base, or the log's end
	last bool  // it was the active segment
	// from is the position of a batch at or before the one looked for, if known.
	from      int64
	fromKnown bool
	// anchor is the offset that comes at from, -1 if that is not known.
	anchor  int64
	cuts    int // Log.cuts at that moment
	offsets indexView
	// locked: the caller holds appendMu, so that a damaged index cannot be made again now; it is done without.
	locked bool
}

// errMoved: the segment was deleted between the look under mu and the use of its file. The caller looks again.
var errMoved = errors.New("segment moved")

// spanAt is the segment that offset belongs to, with what memory knows about offset's position. mu is held.
func (l *Log) spanAt(i int, offset int64) span {
	s := l.segments[i]
	v := span{seg: s, size: s.size, next: l.end.Load(), last: i == len(l.segments)-1, offsets: s.offsets.view(), cuts: l.cuts}
	if !v.last {
		v.next = l.segments[i+1].base
	}
	if position, ok := l.hints.find(s, offset); ok {
		v.from, v.fromKnown, v.anchor = position, true, offset
	} else {
		v.startFromMemory(offset)
	}
	return v
}

// startFromMemory is where to look for offset, if memory knows. mu is held.
func (v *span) startFromMemory(offset int64) {
	v.from, v.fromKnown, v.anchor = 0, v.seg.offsets.onFile == 0, v.seg.base
	if entry, ok := v.seg.offsets.inTail(offsetBelow(offset - v.seg.base)); ok {
		v.from, v.fromKnown, v.anchor = int64(parseOffsetEntry(entry).position), true, -1
	}
}

// offsetBelow accepts index entries for offsets below relative: a walk that looks for it comes past a batch that it has to
// follow.
func offsetBelow(relative int64) func(entry []byte) bool {
	return func(entry []byte) bool { return int64(parseOffsetEntry(entry).relative) < relative }
}

// find is the first batch in v that contains offset or lies above it, and a scanner that stands after it, with the chain
// that comes to it; io.EOF if there is none. The caller gives the scanner back.
func (l *Log) find(v span, file vfs.File, offset int64) (h header, scan *scanner, err error) {
	stopped := int64(-1)
	if !v.fromKnown {
		var b [offsetEntryBytes]byte
		count, err := l.lookup(v.seg, v.offsets, v.locked, offsetBelow(offset-v.seg.base), b[:])
		if err != nil {
			return h, nil, err
		}
		if count > 0 {
			entry := parseOffsetEntry(b[:])
			v.from, v.anchor = int64(entry.position), -1
			if h, scan, err = walkTo(v, file, offset, v.seg.base+int64(entry.relative)); !isDamage(err) {
				return l.found(v, h, scan, err, -1)
			}
			// No batch stands where the index says, or none after it: the segment itself is asked.
			stopped = scan.next
			scan.done()
			if d := l.knownDamage(v.seg, stopped); d != nil {
				return h, nil, l.storageError(d)
			}
		}
		v.from, v.anchor = 0, v.seg.base
	}
	h, scan, err = walkTo(v, file, offset, fromBatch)
	if stopped >= 0 && !v.locked && (err == nil || errors.Is(err, io.EOF)) {
		l.repairIndexes(v.seg, "an entry points to where no batch is")
	}
	return l.found(v, h, scan, err, stopped)
}

// found reports what walkTo came upon.
func (l *Log) found(v span, h header, scan *scanner, err error, stopped int64) (header, *scanner, error) {
	if err == nil {
		return h, scan, nil
	}
	if isDamage(err) {
		d := &Damage{v.seg.path(logExt), scan.next, scan.chain.next, err, v.seg, scan.next}
		if stopped >= 0 {
			d.seenAt = stopped
		}
		err = d
	}
	if !errors.Is(err, io.EOF) {
		err = l.storageError(err)
	}
	scan.done()
	return h, nil, err
}

// fromBatch says that a walk begins where a batch is known to.
const fromBatch = math.MinInt64

// walkTo walks from v.from to the first batch that contains offset or lies above it, by headers. Where an index gave
// v.from, indexed is the last offset that the entry names, and the batch there is looked at closely; otherwise it is
// fromBatch. Damage is where the scanner stands.
func walkTo(v span, file vfs.File, offset, indexed int64) (h header, scan *scanner, err error) {
	if v.from < 0 || v.from > v.size || indexed != fromBatch && indexed < v.seg.base {
		return h, newScanner(file, 0, 0), record.ErrCorrupt
	}
	scan = newScanner(file, v.from, v.size)
	c := &scan.chain
	*c = newChain(v.seg.base, v.next, nil)
	c.next, c.unanchored = v.anchor, v.anchor < 0
	before := int64(-1) // the batch before the one that is looked at
	if indexed != fromBatch {
		before = v.from
		if h, err = scan.verify(); err == nil && h.last > indexed {
			err = record.ErrCorrupt
		}
		if err != nil {
			return h, scan, err
		}
		c.take(&h)
	}
	for {
		if h, err = scan.peek(); err == nil {
			err = c.disorder(&h)
		}
		if err != nil || h.last >= offset {
			break
		}
		before, scan.next = h.position, h.end()
		c.take(&h)
	}
	if (err != nil || h.base > offset) && before >= 0 {
		// Only the header of the batch before says that offset is not in that one.
		scan.next = before
		if _, bad := scan.verify(); bad != nil {
			return h, scan, bad
		}
		if err == nil {
			h, err = scan.peek()
		}
	}
	if err == nil {
		scan.next = h.end()
	}
	return h, scan, err
}

// lookup is indexView.floor, for an index that may have to be counted or made again first.
func (l *Log) lookup(s *segment, v indexView, locked bool, le func(entry []byte) bool, entry []byte) (count int, err error) {
	for try := 0; ; try++ {
		if v.onFile == unknownEntries {
			v, err = l.countIndexes(s, v)
		}
		if err == nil {
			count, err = v.floor(l.store.fs, le, entry)
		}
		switch {
		case l.isReplaced(s):
			return 0, nil // the files may be those of another segment
		case err == nil:
			return count, nil
		case !errors.Is(err, errIndexDamaged):
			return 0, l.storageError(err)
		case try > 0 || locked || !l.repairIndexes(s, "it is missing or cut off"):
			return 0, nil // the segment is read from its beginning
		}
		l.mu.Lock()
		if v.width == offsetEntryBytes {
			v = s.offsets.view()
		} else {
			v = s.times.view()
		}
		l.mu.Unlock()
		err = nil
	}
}

// countIndexes finds out how many entries a sealed segment's index files have, for the one in v.
func (l *Log) countIndexes(s *segment, v indexView) (indexView, error) {
	offsets, err := countEntries(l.store.fs, s.path(indexExt), offsetEntryBytes, s.size)
	if err != nil {
		return v, err
	}
	times, err := countEntries(l.store.fs, s.path(timeIndexExt), timeEntryBytes, s.size)
	if err != nil {
		return v, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.offsets.onFile == unknownEntries {
		s.offsets.onFile = offsets
	}
	if s.times.onFile == unknownEntries {
		s.times.onFile = times
	}
	if v.width == offsetEntryBytes {
		return s.offsets.view(), nil
	}
	return s.times.view(), nil
}

// countEntries counts, and looks at the ends: an index whose last entry is below its first was never finished, and one
// without entries belongs to a segment without batches or, for timestamps, without newer ones.
func countEntries(fs vfs.FS, name string, width int, segmentBytes int64) (int, error) {
	f, err := fs.Open(name)
	if err != nil {
		return 0, damagedIfMissing(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	n := int(info.Size()) / width
	if n == 0 || int64(n) > segmentBytes {
		if n == 0 && width == offsetEntryBytes {
			return 0, nil
		}
		return 0, errIndexDamaged
	}
	var first, last [timeEntryBytes]byte
	if _, err := f.ReadAt(first[:width], 0); err != nil {
		return 0, damagedIfMissing(err)
	}
	if _, err := f.ReadAt(last[:width], int64(n-1)*int64(width)); err != nil {
		return 0, damagedIfMissing(err)
	}
	if n > 1 && !ascending(first[:width], last[:width]) {
		return 0, errIndexDamaged
	}
	return n, nil
}

// ascending tells whether entry b may follow a in an index of their width: both fields grow.
func ascending(a, b []byte) bool {
	if len(a) == offsetEntryBytes {
		x, y := parseOffsetEntry(a), parseOffsetEntry(b)
		return x.relative < y.relative && x.position < y.position
	}
	x, y := parseTimeEntry(a), parseTimeEntry(b)
	return x.timestamp < y.timestamp && x.relative < y.relative
}

// readHints remember where the last reads ended: a consumer that reads on finds its place without an index.
type readHints struct {
	entries [4]readHint
	turn    int
}

type readHint struct {
	seg      *segment
	offset   int64
	position int64
}

func (r *readHints) find(s *segment, offset int64) (position int64, ok bool) {
	for i := range r.entries {
		if e := &r.entries[i]; e.seg == s && e.offset == offset {
			return e.position, true
		}
	}
	return 0, false
}

// note replaces the hint that the reader came with, or the oldest.
func (r *readHints) note(cameWith int64, h readHint) {
	for i := range r.entries {
		if e := &r.entries[i]; e.seg == h.seg && (e.offset == cameWith || e.offset == h.offset) {
			*e = h
			return
		}
	}
	r.entries[r.turn] = h
	r.turn = (r.turn + 1) % len(r.entries)
}

func (l *Log) outOfRange(offset int64) error {
	return protocol.Errorf(protocol.OffsetOutOfRange, "%s: offset %d is not within %d and %d", l.tp, offset, l.logStart.Load(), l.end.Load())
}
