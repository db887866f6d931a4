package record

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

func TestVarints(t *testing.T) {
	for _, v := range []int64{0, -1, 1, 63, -64, 64, 8191, -8192, 8192, 1 << 20, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxInt64, math.MinInt64} {
		b := appendVarint(nil, v)
		if want := binary.AppendVarint(nil, v); string(b) != string(want) || sizeVarint(v) != len(b) {
			t.Errorf("%d is %x of %d bytes, want %x", v, b, sizeVarint(v), want)
		}
		if got, n := varint64(append(b, 0xff)); got != v || n != len(b) {
			t.Errorf("%d read as %d of %d bytes", v, got, n)
		}
		got, n := varint32(append(b, 0xff))
		if fits := v == int64(int32(v)); fits != (n > 0) || fits && (int64(got) != v || n != len(b)) {
			t.Errorf("%d read as int32 %d of %d bytes", v, got, n)
		}
		for cut := range b {
			if _, n := varint64(b[:cut]); n != 0 {
				t.Errorf("%x read from %d of its bytes", b, cut)
			}
		}
	}
	tests := []struct {
		bytes  []byte
		n32    int
		n64    int
		reason string
	}{
		{[]byte{0x80, 0}, 2, 2, "longer than need be"},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, 5, 5, "32 bits"},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x1f}, 0, 5, "33 bits"},
		{[]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, 0, 6, "six bytes for nothing"},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 0, 10, "64 bits"},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, 0, 0, "65 bits"},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 0, 0, "eleven bytes"},
	}
	for _, test := range tests {
		_, n32 := varint32(test.bytes)
		_, n64 := varint64(test.bytes)
		if got, want := fmt.Sprint(n32, n64), fmt.Sprint(test.n32, test.n64); got != want {
			t.Errorf("%s: %s bytes, want %s", test.reason, got, want)
		}
	}
}
