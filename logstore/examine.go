package logstore

import (
	"errors"
	"fmt"
	"io"

	"github.com/ottla/ottla/protocol/record"
)

// examiner walks over one segment, in as many steps as its caller likes, tells of everything in it and in its indexes
// that is wrong, and goes on behind. The scrub and doctor use it.
type examiner struct {
	position, size int64
	chain          chain
	// offsets and times are what of the index files is still to be compared; nil to leave them out.
	offsets, times entries
	// markers are the abort markers that were met, by offset; nil to leave them out.
	markers map[int64]int64
	// tell hears of an offset that should be at a position of the file with that extension, -1 where it is not known.
	tell func(ext string, position, offset int64, err error)

	damaged bool
}

// entries is what follows of an index file.
type entries struct {
	left  []byte
	at    int64 // position in the file
	width int
}

// some goes on for about so many bytes. done: the segment's end was reached, or nothing behind can be made out. An error
// is the disk's.
func (e *examiner) some(file io.ReaderAt, bytes int64) (read int64, done bool, err error) {
	v := newSegmentVerifier(file, e.position, e.size, e.chain)
	defer v.done()
	began := e.position
	for v.scan.next-began < bytes {
		h, err := v.batch()
		switch {
		case errors.Is(err, io.EOF):
			e.position = e.size
			e.finish()
			return v.scan.next - began, true, nil
		case isDamage(err):
			e.damaged = true
			e.tell(logExt, v.scan.next, v.chain.next, err)
			if !e.resume(&v) {
				return v.scan.next - began, true, nil
			}
			continue
		case err != nil:
			return v.scan.next - began, false, err
		}
		if err := e.compare(&h); err != nil {
			return v.scan.next - began, false, err
		}
		if err := e.noteMarker(file, &h); err != nil {
			return v.scan.next - began, false, err
		}
	}
	e.position, e.chain = v.scan.next, v.chain
	return v.scan.next - began, false, nil
}

// resume finds a batch behind one that is damaged: where that one says that it ends, or where the index knows one.
func (e *examiner) resume(v *verifier) bool {
	from := v.scan.next
	stands := func() bool {
		h, err := v.scan.peek()
		return err == nil && h.base >= v.chain.next && h.last < v.chain.below
	}
	found := false
	if h, err := v.scan.peek(); err == nil {
		v.scan.next = h.end()
		found = v.scan.next == v.scan.limit || stands()
	}
	for !found && len(e.offsets.left) >= offsetEntryBytes {
		entry := parseOffsetEntry(e.offsets.left)
		v.scan.next = int64(entry.position)
		if found = v.scan.next > from && stands(); !found {
			e.offsets.skip()
		}
	}
	if !found {
		v.scan.next = from
		return false
	}
	v.chain.unanchored = true
	e.position = v.scan.next
	return true
}

// compare holds the batch against the indexes: their entries for it must be true, and none may name a place inside it.
func (e *examiner) compare(h *header) error {
	for len(e.offsets.left) >= offsetEntryBytes {
		entry := parseOffsetEntry(e.offsets.left)
		position, last := int64(entry.position), e.chain.base+int64(entry.relative)
		if position >= h.end() {
			break
		}
		if position == h.position && last < h.last || position > h.position {
			e.wrong(indexExt, &e.offsets, h.base, "an entry says that a batch up to offset %d stands at byte %d", last, position)
			break
		}
		e.offsets.skip()
	}
	for len(e.times.left) >= timeEntryBytes {
		entry := parseTimeEntry(e.times.left)
		offset := e.chain.base + int64(entry.relative)
		if offset > h.last {
			break
		}
		if offset >= h.base && entry.timestamp != h.maxTimestamp {
			e.wrong(timeIndexExt, &e.times, h.base, "an entry says that the batch with offset %d is of time %d", offset, entry.timestamp)
			break
		}
		e.times.skip()
	}
	return nil
}

// wrong tells of an entry, and looks at no more of its index.
func (e *examiner) wrong(ext string, x *entries, offset int64, format string, args ...any) {
	e.tell(ext, x.at, offset, fmt.Errorf(format+", and there is none", args...))
	x.left = nil
}

// finish looks at what is left of the indexes: they know nothing behind the segment's end.
func (e *examiner) finish() {
	for ext, x := range map[string]*entries{indexExt: &e.offsets, timeIndexExt: &e.times} {
		if len(x.left) > 0 {
			e.tell(ext, x.at, -1, errors.New("an entry names a place beyond the segment's end"))
			x.left = nil
		}
	}
}

func (x *entries) skip() {
	x.left, x.at = x.left[x.width:], x.at+int64(x.width)
}

// load takes an index file's content. Zeros behind the entries are of a file that was preallocated.
func (e *examiner) load(ext string, data []byte) {
	x, width := &e.offsets, offsetEntryBytes
	if ext == timeIndexExt {
		x, width = &e.times, timeEntryBytes
	}
	n := prefixEntries(data, width, func(b []byte) bool {
		if width == offsetEntryBytes {
			entry := parseOffsetEntry(b)
			return entry.relative >= 0 && entry.position >= 0
		}
		entry := parseTimeEntry(b)
		return entry.relative >= 0 && entry.timestamp >= 0
	})
	for _, b := range data[n*width:] {
		if b != 0 {
			e.tell(ext, int64(n*width), -1, errors.New("the entries do not ascend"))
			break
		}
	}
	*x = entries{left: data[:n*width], width: width}
}

// noteMarker notes an abort marker.
func (e *examiner) noteMarker(file io.ReaderAt, h *header) error {
	if e.markers == nil || h.v2 == nil || !h.v2.IsControl() || !h.v2.HasProducerID() {
		return nil
	}
	id := h.v2.ProducerID()
	b, err := readBatch(file, *h, nil)
	if err != nil {
		return err
	}
	if m, err := parseMarker(b); err != nil && !errors.Is(err, record.ErrCorrupt) {
		return err
	} else if err == nil && m.kind == markerAbort {
		e.markers[h.base] = id
	}
	return nil
}

// compareTxns holds the transaction index against the abort markers.
func (e *examiner) compareTxns(data []byte) {
	for at := 0; at < len(data); at += abortedTxnBytes {
		if len(data)-at < abortedTxnBytes {
			e.tell(txnIndexExt, int64(at), -1, errors.New("the last entry is cut off"))
			return
		}
		t, err := parseAbortedTxn(data[at:])
		if err != nil {
			e.tell(txnIndexExt, int64(at), -1, err)
			return
		}
		if id, ok := e.markers[t.LastOffset]; !e.damaged && (!ok || id != t.ProducerID) {
			e.tell(txnIndexExt, int64(at), t.LastOffset, fmt.Errorf("no marker at offset %d aborts a transaction of producer %d", t.LastOffset, t.ProducerID))
		}
	}
}
