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
// fits, the slice is empty. One call reads from one segment: there may be more right after NextOffset.
//
// Errors: OffsetOutOfRange outside [LogStart, End]; KafkaStorageError offline or for bytes that cannot be a batch.
func (l *Log) Read(offset int64, maxBytes int, upTo int64, minOne bool) (Slice, error) {
	for {
		if err := l.Err(); err != nil { // asked each time: a deleted log's segments are gone for good
			return Slice{}, err
		}
		slice, err := l.read(offset, maxBytes, min(upTo, l.flushed.Load()), minOne)
		if !errors.Is(err, errMoved) {
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
	cuts := l.cuts
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
		if l.cuts != cuts {
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
	file, err := v.seg.handle.acquire()
	if err != nil {
		if errors.Is(err, errGone) {
			return Slice{}, errMoved
		}
		return Slice{}, l.storageError(err)
	}
	h, scan, err := l.find(v, file, offset)
	if err != nil {
		v.seg.handle.release()
		return Slice{}, err
	}
	defer scan.done()
	if h.last >= upTo || h.size > int64(maxBytes) && !minOne {
		v.seg.handle.release()
		return Slice{}, nil
	}
	start, first := h.position, h.base
	end, next := l.extent(v, scan, h, start+max(int64(maxBytes), h.size), upTo)
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
		if position := l.positionBefore(v, limit, upTo); position > end {
			// The batch there is the first of those that may still fit; all before it do.
			scan.next = position
			h, err := scan.header()
			if sound(h, err, v.seg, next) && h.base < upTo {
				end, next = position, h.base
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

// positionBefore is the last position known to the index that is not above limit, of a batch below upTo; 0 if none is.
func (l *Log) positionBefore(v span, limit, upTo int64) int64 {
	relative := upTo - v.seg.base
	fits := func(entry []byte) bool {
		e := parseOffsetEntry(entry)
		return int64(e.position) <= limit && int64(e.relative) < relative
	}
	l.mu.Lock()
	entry, ok := v.seg.offsets.inTail(fits)
	if ok {
		defer l.mu.Unlock()
		return int64(parseOffsetEntry(entry).position)
	}
	view := v.seg.offsets.view()
	l.mu.Unlock()
	var found [offsetEntryBytes]byte
	if count, err := l.lookup(v.seg, view, false, fits, found[:]); err != nil || count == 0 {
		return 0
	}
	return int64(parseOffsetEntry(found[:]).position)
}
