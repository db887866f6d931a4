package record

import (
	"errors"
	"io"
)

// walk goes over the records of a batch without taking memory for them: a compressed batch passes through a window of
// fixed size. It checks that every length fits into what holds it, to the last header.
type walk struct {
	buf  []byte    // buf[at:] has been read and not yet walked over
	at   int       // in buf
	base int       // where buf begins in the records
	src  io.Reader // gives what comes after buf; nil where buf is all there is
	err  error     // how src ended, io.EOF included
}

// entry is what a walk sees of a record.
type entry struct {
	timestampDelta int64
	offsetDelta    int32
	hasKey         bool
}

// entryPrefix is the most that the fields of a record take up to the key's length, the record's own length included.
const entryPrefix = maxVarint32 + 1 + maxVarint64 + maxVarint32 + maxVarint32

// What a record can be refused for, to be read after "record 5: ".
var (
	errRecordShort  = errors.New("the batch ends before it does")
	errRecordHeader = errors.New("its first fields are invalid")
	errRecordField  = errors.New("a key, value or header is longer than it")
	errRecordTail   = errors.New("it is longer than its fields")
)

// next walks over one record.
func (w *walk) next() (e entry, err error) {
	end, err := w.begin(&e)
	if err != nil {
		return e, err
	}
	// Key, value and headers are lengths and bytes, where a negative length is null and takes no bytes.
	keyLength, err := w.field(end)
	if err != nil {
		return e, err
	}
	e.hasKey = keyLength >= 0
	if _, err := w.field(end); err != nil {
		return e, err
	}
	headers, err := w.varint()
	if err != nil {
		return e, err
	}
	// A header takes two bytes at least, so that a count that lies ends here.
	if headers < 0 || int(headers) > (end-w.position())/2 {
		return e, errRecordField
	}
	for range headers {
		name, err := w.field(end)
		if err != nil {
			return e, err
		}
		if name < 0 {
			return e, errRecordField
		}
		if _, err := w.field(end); err != nil {
			return e, err
		}
	}
	if w.position() != end {
		return e, errRecordTail
	}
	return e, nil
}

// begin reads a record up to its key, and returns where it ends.
func (w *walk) begin(e *entry) (end int, err error) {
	b := w.peek(entryPrefix)
	length, n := varint32(b)
	if n == 0 || length < 0 {
		return 0, w.cut(errRecordHeader)
	}
	end = w.position() + n + int(length)
	if w.src == nil && end > len(w.buf) {
		return 0, errRecordShort
	}
	at := n + 1 // attributes, of which none is defined
	if at > len(b) {
		return 0, w.cut(errRecordHeader)
	}
	if e.timestampDelta, n = varint64(b[at:]); n == 0 {
		return 0, w.cut(errRecordHeader)
	}
	at += n
	if e.offsetDelta, n = varint32(b[at:]); n == 0 {
		return 0, w.cut(errRecordHeader)
	}
	w.at += at + n
	return end, nil
}

// field reads a length and walks over as many bytes, which must lie before end.
func (w *walk) field(end int) (length int32, err error) {
	if length, err = w.varint(); err != nil || length <= 0 {
		return length, err
	}
	if int(length) > end-w.position() {
		return 0, errRecordField
	}
	return length, w.skip(int(length))
}

func (w *walk) varint() (int32, error) {
	if w.at < len(w.buf) && w.buf[w.at] < 0x80 {
		v := unzigzag32(uint32(w.buf[w.at]))
		w.at++
		return v, nil
	}
	v, n := varint32(w.peek(maxVarint32))
	if n == 0 {
		return 0, w.cut(errRecordField)
	}
	w.at += n
	return v, nil
}

// position is how far the walk has come in the records.
func (w *walk) position() int { return w.base + w.at }

// peek is what comes next: n bytes, or as many as are left.
func (w *walk) peek(n int) []byte {
	if len(w.buf)-w.at < n && w.src != nil {
		w.fill(n)
	}
	return w.buf[w.at:]
}

// fill makes the window hold n bytes that were not walked over, if there are as many.
func (w *walk) fill(n int) {
	w.base += w.at
	w.buf = w.buf[:copy(w.buf[:cap(w.buf)], w.buf[w.at:])]
	w.at = 0
	for len(w.buf) < n && w.err == nil {
		var read int
		read, w.err = w.src.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+read]
	}
}

// skip walks over n bytes.
func (w *walk) skip(n int) error {
	for n > len(w.buf)-w.at {
		n -= len(w.buf) - w.at
		w.at = len(w.buf)
		if len(w.peek(1)) == 0 {
			return w.cut(errRecordShort)
		}
	}
	w.at += n
	return nil
}

// finish checks that nothing is left.
func (w *walk) finish() error {
	if len(w.peek(1)) > 0 {
		return errors.New("bytes are left after the last record")
	}
	if w.err != nil && w.err != io.EOF {
		return w.err
	}
	return nil
}

// cut is why the walk cannot go on: the decompressor's error if it failed, else reason, unless the records just end.
func (w *walk) cut(reason error) error {
	switch {
	case w.err != nil && w.err != io.EOF:
		return w.err
	case w.at >= len(w.buf):
		return errRecordShort
	}
	return reason
}
