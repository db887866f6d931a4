package logstore

import (
	"errors"
	"io"

	"github.com/ottla/ottla/protocol"
)

// Slice is whole batches by reference. The files stay open, and their bytes in place, until Release.
type Slice struct {
	Parts       []protocol.Part // ranges of segment files; at most one today
	Bytes       int
	FirstOffset int64 // base offset of the first batch; it may lie below the offset asked for
	NextOffset  int64 // one past the last offset: where to read on

	handle *handle
}

// Release lets go of the files. It is called exactly once, by whoever has the slice last; an empty slice needs none.
func (s *Slice) Release() {
	if s.handle != nil {
		s.handle.release()
		s.handle = nil
	}
}

// Read returns the batches from the one that contains offset, whole, up to maxBytes, with all their records below upTo
// and below Flushed. With minOne the first is returned even if it is larger than maxBytes. At upTo, and where no batch
// fits, the slice is empty; without minOne also while too many files are in use. One call reads from one segment: there may be more right after NextOffset.
//
// Batches that nobody has looked at since the start are verified first. The slice ends before one that is damaged; where
// it would begin with one, that is the error.
//
// Errors: OffsetOutOfRange outside [LogStart, End]; CorruptMessage for damage; KafkaStorageError offline, or where the disk
// does not answer.
func (l *Log) Read(offset int64, maxBytes int, upTo int64, minOne bool) (Slice, error) {
	for {
		if err := l.Err(); err != nil { // asked each time: a deleted log's segments are gone for good
			return Slice{}, err
		}
		slice, err := l.read(offset, maxBytes, min(upTo, l.flushed.Load()), minOne)
		if !errors.Is(err, errMoved) {
			l.report(err)
			return slice, err
		}
	}
}

// read is Read, but for a segment that is deleted meanwhile: errMoved.
func (l *Log) read(offset int64, maxBytes int, upTo int64, minOne bool) (Slice, error) {
	empty := Slice{FirstOffset: offset, NextOffset: offset}
	l.mu.Lock()
	if offset < l.logStart.Load() || offset > l.end.Load() {
		l.mu.Unlock()
		return Slice{}, l.outOfRange(offset)
	}
	i := l.segmentAt(offset)
	if offset >= upTo || i < 0 {
		l.mu.Unlock()
		return empty, nil
	}
	v := l.spanAt(i, offset)
	l.mu.Unlock()

	slice, err := l.readSpan(v, offset, maxBytes, upTo, minOne)
	for errors.Is(err, io.EOF) && !v.last && v.next < upTo {
		// Nothing at or above offset is left in this segment: compaction has removed it.
		l.mu.Lock()
		i := l.segmentAt(v.next)
		if i < 0 || l.segments[i].base != v.next {
			l.mu.Unlock()
			return empty, errMoved
		}
		v = l.spanAt(i, v.next)
		l.mu.Unlock()
		slice, err = l.readSpan(v, offset, maxBytes, upTo, minOne)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err != nil {
		l.mu.Lock()
		if l.cuts != v.cuts {
			err = errMoved // what was read was being cut
		}
		l.mu.Unlock()
		return empty, err
	}
	if slice.handle == nil {
		return empty, nil
	}
	return slice, nil
}

// readSpan reads from one segment. io.EOF: it has nothing from offset on.
func (l *Log) readSpan(v span, offset int64, maxBytes int, upTo int64, minOne bool) (Slice, error) {
	acquire := v.seg.handle.acquire
	if !minOne {
		acquire = v.seg.handle.acquireNow // the caller has others' batches, and their files: it may not wait for itself
	}
	file, err := acquire()
	if err != nil {
		switch {
		case errors.Is(err, errGone):
			return Slice{}, errMoved
		case errors.Is(err, errCrowded):
			return Slice{}, nil
		}
		return Slice{}, l.storageError(err)
	}
	h, scan, err := l.find(v, file, offset)
	if err != nil {
		v.seg.handle.release()
		return Slice{}, err
	}
	defer scan.done()
	if h.size > int64(maxBytes) && !minOne {
		v.seg.handle.release()
		return Slice{}, nil
	}
	start, first := h.position, h.base
	whole := h.last < upTo
	end, next := h.end(), h.last+1
	if whole {
		end, next = l.extent(v, scan, h, start+max(int64(maxBytes), h.size), upTo)
	}
	// A batch that is not whole below upTo, which is where one begins, is damaged or lies behind what compaction removed.
	end, next, err = l.verify(v, scan, start, end, next)
	if err != nil || !whole {
		v.seg.handle.release()
		return Slice{}, err
	}
	l.mu.Lock()
	l.hints.note(offset, readHint{v.seg, next, end})
	l.mu.Unlock()
	return Slice{
		Parts:       []protocol.Part{{File: file, Off: start, Len: end - start}},
		Bytes:       int(end - start),
		FirstOffset: first,
		NextOffset:  next,
		handle:      &v.seg.handle,
	}, nil
}

// scanRatherThanIndex: over so few bytes a scan costs less than opening the index.
const scanRatherThanIndex = 64 << 10

// extent is how far whole batches go from h, which is one of them, up to position limit and offset upTo: the end of the
// last one, and the offset after it.
func (l *Log) extent(v span, scan *scanner, h header, limit, upTo int64) (end, next int64) {
	if limit >= v.size && upTo >= v.next {
		return v.size, v.next
	}
	end, next = h.end(), h.last+1
	if limit-end > scanRatherThanIndex {
		if e := l.entryBefore(v, limit, upTo); int64(e.position) > end {
			// The batch there is the first of those that may still fit; all before it do.
			scan.next = int64(e.position)
			h, err := scan.header()
			if err == nil && h.base >= next && h.base < upTo && h.last == v.seg.base+int64(e.relative) {
				end, next = h.position, h.base
			}
			scan.next = end
		}
	}
	for {
		h, err := scan.header()
		if err != nil || h.end() > limit || h.last >= upTo {
			return end, next
		}
		end, next = h.end(), h.last+1
	}
}

// entryBefore is the last index entry whose position is not above limit, of a batch below upTo; zero if none is.
func (l *Log) entryBefore(v span, limit, upTo int64) offsetEntry {
	relative := upTo - v.seg.base
	fits := func(entry []byte) bool {
		e := parseOffsetEntry(entry)
		return int64(e.position) <= limit && int64(e.relative) < relative
	}
	l.mu.Lock()
	entry, ok := v.seg.offsets.inTail(fits)
	if ok {
		defer l.mu.Unlock()
		return parseOffsetEntry(entry)
	}
	view := v.seg.offsets.view()
	l.mu.Unlock()
	var found [offsetEntryBytes]byte
	if count, err := l.lookup(v.seg, view, false, fits, found[:]); err != nil || count == 0 {
		return offsetEntry{}
	}
	return parseOffsetEntry(found[:])
}
