package record

import (
	"fmt"
	"iter"
)

// Record is one record of a batch. Its slices point into the batch, or into the memory that the batch was decompressed
// to; they may be kept as long as that may.
type Record struct {
	Offset     int64
	Timestamp  int64  // ms; NoTimestamp if there is none
	Attributes int8   // none is defined
	Key        []byte // nil: no key
	Value      []byte // nil: no value, a tombstone on a compacted topic

	headers []byte // count and headers, encoded
}

// Header is a key and a value that travel with a record.
type Header struct {
	Key   string
	Value []byte
}

// Headers decodes the headers. They are the one part of a record that iterating does not look at.
func (r Record) Headers() ([]Header, error) {
	b := r.headers
	count, n := varint32(b)
	// A header is two lengths at least: a count that lies is found before memory is taken for it.
	if n == 0 || count < 0 || int(count) > (len(b)-n)/2 {
		return nil, fmt.Errorf("%w: %d headers in %d bytes at offset %d", ErrCorrupt, count, len(b), r.Offset)
	}
	if count == 0 && n == len(b) {
		return nil, nil
	}
	b = b[n:]
	headers := make([]Header, count)
	for i := range headers {
		key, rest, ok := cutBytes(b)
		if !ok || key == nil {
			return nil, fmt.Errorf("%w: key of header %d at offset %d", ErrCorrupt, i, r.Offset)
		}
		headers[i].Key = string(key)
		if headers[i].Value, b, ok = cutBytes(rest); !ok {
			return nil, fmt.Errorf("%w: value of header %d at offset %d", ErrCorrupt, i, r.Offset)
		}
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after the headers at offset %d", ErrCorrupt, len(b), r.Offset)
	}
	return headers, nil
}

// Records iterates over the records of a batch that is known to be intact; it does not check the checksum. Nothing is
// allocated for a batch that is not compressed. A compressed one is decompressed whole, to maxBytes at most; 0 stands
// for DefaultMaxUncompressedBytes. An error ends the iteration and comes with an empty record.
func (b Batch) Records(maxBytes int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) { b.each(maxBytes, yield) }
}

func (b Batch) each(maxBytes int, yield func(Record, error) bool) {
	payload, err := b.uncompressed(maxBytes)
	if err != nil {
		yield(Record{}, err)
		return
	}
	for i := range b.Count() {
		r, rest, ok := cutRecord(payload)
		if !ok {
			yield(Record{}, corruptRecord(b, i))
			return
		}
		payload = rest
		r.Offset += b.BaseOffset()
		r.Timestamp += b.BaseTimestamp()
		if b.IsLogAppendTime() {
			r.Timestamp = b.MaxTimestamp()
		}
		if !yield(r, nil) {
			return
		}
	}
	if len(payload) != 0 {
		yield(Record{}, trailingBytes(b, len(payload)))
	}
}

func corruptRecord(b Batch, i int32) error {
	return fmt.Errorf("%w: record %d of %d at offset %d", ErrCorrupt, i, b.Count(), b.BaseOffset())
}

func trailingBytes(b Batch, n int) error {
	return fmt.Errorf("%w: %d bytes after the last record at offset %d", ErrCorrupt, n, b.BaseOffset())
}

// uncompressed is the batch's records without compression, the batch's own bytes where there is none.
func (b Batch) uncompressed(maxBytes int) ([]byte, error) {
	payload := b[HeaderBytes:]
	if b.Codec() == None || b.Count() == 0 {
		return payload, nil
	}
	return Decompress(nil, b.Codec(), payload, maxBytes)
}

// cutRecord reads the record at the start of b. Offset and Timestamp are the deltas.
func cutRecord(b []byte) (r Record, rest []byte, ok bool) {
	length, n := varint32(b)
	if n == 0 || length < 0 || int(length) > len(b)-n {
		return r, b, false
	}
	body, rest := b[n:n+int(length)], b[n+int(length):]
	if len(body) == 0 {
		return r, b, false
	}
	r.Attributes, body = int8(body[0]), body[1:]
	if r.Timestamp, n = varint64(body); n == 0 {
		return r, b, false
	}
	body = body[n:]
	delta, n := varint32(body)
	if n == 0 {
		return r, b, false
	}
	r.Offset, body = int64(delta), body[n:]
	if r.Key, body, ok = cutBytes(body); !ok {
		return r, b, false
	}
	if r.Value, body, ok = cutBytes(body); !ok {
		return r, b, false
	}
	r.headers = body
	return r, rest, true
}

// cutBytes reads a length and as many bytes; any negative length is null.
func cutBytes(b []byte) (v, rest []byte, ok bool) {
	length, n := varint32(b)
	if n == 0 || int(length) > len(b)-n {
		return nil, b, false
	}
	b = b[n:]
	if length < 0 {
		return nil, b, true
	}
	return b[:length:length], b[length:], true
}
