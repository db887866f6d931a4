package compact

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestOffsetMapIsAMap: it knows the newest offset of every key until it is full, and then says so and goes on knowing.
func TestOffsetMapIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		bytes, load, keys := int64(r.IntN(5000)), 0.3+r.Float64()*0.7, 1+r.IntN(300)
		m, want := NewOffsetMap(bytes, load, int64(r.IntN(1000))), map[string]int64{}
		for offset := int64(0); offset < 600; offset++ {
			key := fmt.Sprintf("%d", r.IntN(keys))
			_, known := want[key]
			if m.Put([]byte(key), offset) {
				want[key] = offset
			} else if known || len(want) == 0 {
				t.Fatalf("key %q is refused by a map of %d bytes that holds %d", key, bytes, len(want))
			} else if m.Covered() != offset-1 {
				t.Fatalf("full before offset %d, but covered up to %d", offset, m.Covered())
			} else {
				break
			}
		}
		if int64(m.Len()) != int64(len(want)) || int64(len(m.entries))*EntryBytes > max(bytes, 2*EntryBytes) {
			t.Fatalf("%d keys of %d, %d places in %d bytes", m.Len(), len(want), len(m.entries), bytes)
		}
		for i := range keys {
			key := fmt.Sprintf("%d", i)
			offset, known := want[key]
			if !known {
				offset = -1
			}
			if got := m.Newest([]byte(key)); got != offset {
				t.Fatalf("newest of %q is %d, want %d", key, got, offset)
			}
		}
	}
}

// TestOffsetMapIsNoLargerThanItsKeys: a small log does not take the memory of a large one.
func TestOffsetMapIsNoLargerThanItsKeys(t *testing.T) {
	if m := NewOffsetMap(128<<20, 0.9, 900); len(m.entries) > 1010 {
		t.Errorf("%d places for 900 keys", len(m.entries))
	}
	m := NewOffsetMap(128<<20, 0.9, 900)
	for i := range 900 {
		if !m.Put(fmt.Appendf(nil, "%d", i), int64(i)) {
			t.Fatalf("full after %d of 900 keys", i)
		}
	}
}
