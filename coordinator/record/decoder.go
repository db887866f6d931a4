package record

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decoder reads values off rest. After the first error all it reads is zero, and no count is more than zero.
type decoder struct {
	rest []byte
	why  string // what was wrong first, "" while nothing is
}

func (d *decoder) fail(why string) {
	if d.why == "" {
		d.why = why
	}
	d.rest = nil
}

// end is the error of the decoding, if any. Bytes after the last field are one: a record is written whole.
func (d *decoder) end(name string) error {
	if d.why == "" && len(d.rest) > 0 {
		d.why = fmt.Sprintf("%d bytes follow the last field", len(d.rest))
	}
	if d.why == "" {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", name, d.why, ErrCorrupt)
}

// take takes n bytes, nil where there are fewer.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail("it ends within a field")
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) bool() bool { return d.int8() != 0 }

func (d *decoder) int8() int8 {
	if b := d.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (d *decoder) int16() int16 { return int16(d.uint16()) }

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) float64() float64 { return math.Float64frombits(uint64(d.int64())) }

func (d *decoder) uuid() (id [16]byte) {
	copy(id[:], d.take(16))
	return id
}

func (d *decoder) uvarint() uint32 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || n > 5 || v > math.MaxUint32 {
		d.fail("a varint does not end")
		return 0
	}
	d.rest = d.rest[n:]
	return uint32(v)
}

// length reads the length of bytes, or the count of an array; -1 is null.
func (d *decoder) length(flexible bool) int {
	if flexible {
		return int(d.uvarint()) - 1
	}
	return max(-1, int(d.int32()))
}

// count reads the count of an array whose elements take at least least bytes each.
func (d *decoder) count(flexible bool, least int) (n int, ok bool) {
	n, ok = d.countNullable(flexible, least)
	if !ok {
		d.fail("an array is null that must not be")
	}
	return n, ok
}

// countNullable is count where null is allowed: ok is false then.
func (d *decoder) countNullable(flexible bool, least int) (n int, ok bool) {
	n = d.length(flexible)
	if n < 0 {
		return 0, false
	}
	if n > len(d.rest)/least {
		d.fail(fmt.Sprintf("%d elements in %d bytes", n, len(d.rest)))
		return 0, false
	}
	return n, true
}

func (d *decoder) bytes(flexible bool) []byte {
	b := d.bytesNullable(flexible)
	if b == nil {
		d.fail("bytes are null that must not be")
	}
	return b
}

func (d *decoder) bytesNullable(flexible bool) []byte {
	n := d.length(flexible)
	if n < 0 {
		return nil
	}
	return append([]byte{}, d.take(n)...)
}

func (d *decoder) string(flexible bool) string {
	s := d.stringNullable(flexible)
	if s == nil {
		d.fail("a string is null that must not be")
		return ""
	}
	return *s
}

func (d *decoder) stringNullable(flexible bool) *string {
	n := 0
	if flexible {
		n = int(d.uvarint()) - 1
	} else {
		n = int(d.int16())
	}
	if n < 0 {
		return nil
	}
	s := string(d.take(n))
	return &s
}

// present reads the mark that stands before a struct that may be null.
func (d *decoder) present() bool { return d.int8() >= 0 && d.why == "" }

// presentTag is present in a tagged field.
func (d *decoder) presentTag() bool { return d.uvarint() > 0 }

// tagCount reads how many tagged fields follow.
func (d *decoder) tagCount() int {
	n := int(d.uvarint())
	if n > len(d.rest)/2 {
		d.fail(fmt.Sprintf("%d tagged fields in %d bytes", n, len(d.rest)))
		return 0
	}
	return n
}

// tag reads the number of a tagged field, and returns a decoder of its bytes.
func (d *decoder) tag() (number uint32, field decoder) {
	number = d.uvarint()
	return number, decoder{rest: d.take(int(d.uvarint()))}
}

// endTag ends the reading of a tagged field. What was not read of it is skipped.
func (d *decoder) endTag(field *decoder) {
	if field.why != "" {
		d.fail(field.why)
	}
}

func (d *decoder) skipTags() {
	for n := d.tagCount(); n > 0; n-- {
		d.uvarint()
		d.take(int(d.uvarint()))
	}
}
