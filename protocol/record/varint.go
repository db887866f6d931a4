package record

import "math/bits"

// Zigzag varints, as protobuf's sint32 and sint64: at most 5 and 10 bytes.
const (
	maxVarint32 = 5
	maxVarint64 = 10
)

// varint32 reads an int32 at the start of b. n is 0 when b ends before it does or it does not fit.
// Most varints of a record take one byte or two.
func varint32(b []byte) (v int32, n int) {
	if len(b) >= 2 {
		if b[0] < 0x80 {
			return unzigzag32(uint32(b[0])), 1
		}
		if b[1] < 0x80 {
			return unzigzag32(uint32(b[0]&0x7f) | uint32(b[1])<<7), 2
		}
	}
	u, n := uvarint(b, maxVarint32)
	if u > 1<<32-1 {
		return 0, 0
	}
	return unzigzag32(uint32(u)), n
}

// varint64 reads an int64 at the start of b, as varint32 does.
func varint64(b []byte) (v int64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return int64(b[0]>>1) ^ -int64(b[0]&1), 1
	}
	u, n := uvarint(b, maxVarint64)
	return int64(u>>1) ^ -int64(u&1), n
}

func uvarint(b []byte, maxBytes int) (u uint64, n int) {
	for i := 0; i < len(b) && i < maxBytes; i++ {
		c := b[i]
		if i == 9 && c > 1 { // the tenth byte holds the 64th bit alone
			return 0, 0
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return u, i + 1
		}
	}
	return 0, 0
}

func appendVarint(b []byte, v int64) []byte {
	u := uint64(v)<<1 ^ uint64(v>>63)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

func sizeVarint(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}

func unzigzag32(u uint32) int32 { return int32(u>>1) ^ -int32(u&1) }
