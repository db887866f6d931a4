package record

import (
	"encoding/binary"
	"math"
	"slices"
)

// The encoding of values, big-endian. A length or count is an int16 (strings) or int32, -1 for null; or in flexible
// versions a uvarint one larger, 0 for null.

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendInt8(dst []byte, v int8) []byte     { return append(dst, byte(v)) }
func appendInt16(dst []byte, v int16) []byte   { return binary.BigEndian.AppendUint16(dst, uint16(v)) }
func appendUint16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }
func appendInt32(dst []byte, v int32) []byte   { return binary.BigEndian.AppendUint32(dst, uint32(v)) }
func appendInt64(dst []byte, v int64) []byte   { return binary.BigEndian.AppendUint64(dst, uint64(v)) }

func appendFloat64(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
}

// appendCount appends the count of an array, or the length of bytes.
func appendCount(dst []byte, flexible bool, n int, null bool) []byte {
	if null {
		n = -1
	}
	if flexible {
		return binary.AppendUvarint(dst, uint64(n+1))
	}
	return appendInt32(dst, int32(n))
}

func appendBytes(dst []byte, flexible bool, v []byte) []byte {
	return append(appendCount(dst, flexible, len(v), false), v...)
}

func appendNullableBytes(dst []byte, flexible bool, v []byte) []byte {
	return append(appendCount(dst, flexible, len(v), v == nil), v...)
}

func appendString(dst []byte, flexible bool, v string) []byte {
	if flexible {
		dst = binary.AppendUvarint(dst, uint64(len(v)+1))
	} else {
		if len(v) > math.MaxInt16 {
			panic("record: a string is longer than 32767 bytes")
		}
		dst = appendInt16(dst, int16(len(v)))
	}
	return append(dst, v...)
}

func appendNullableString(dst []byte, flexible bool, v *string) []byte {
	switch {
	case v != nil:
		return appendString(dst, flexible, *v)
	case flexible:
		return append(dst, 0)
	}
	return appendInt16(dst, -1)
}

// appendPresent appends the mark that stands before a struct that may be null.
func appendPresent(dst []byte, present bool) []byte {
	if present {
		return append(dst, 1)
	}
	return append(dst, 0xff)
}

// appendPresentTag is appendPresent in a tagged field.
func appendPresentTag(dst []byte, present bool) []byte { return appendBool(dst, present) }

// tagged collects the tagged fields of a struct: uvarint count · count × {uvarint tag · uvarint size · size bytes}, by
// tag.
type tagged struct {
	bytes []byte
	count int
	start int // of the field that is being written
}

func (t *tagged) begin(tag uint64) {
	t.count++
	t.bytes = binary.AppendUvarint(t.bytes, tag)
	t.start = len(t.bytes)
}

func (t *tagged) end() {
	size := binary.AppendUvarint(nil, uint64(len(t.bytes)-t.start))
	t.bytes = slices.Insert(t.bytes, t.start, size...)
}

func (t *tagged) append(dst []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(t.count)), t.bytes...)
}

func pointer[T any](v T) *T { return &v }
