package compact

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// OffsetMap knows the newest offset of every key that was put into it, in memory that is taken once. It keeps 16 bytes
// of a key's SHA-256 in place of the key: two keys that nobody has ever found would have to agree in them before a
// record is taken for another's.
type OffsetMap struct {
	entries []entry // open addressing, linear probing
	used    int
	limit   int
	covered int64
}

// entry is a key's hash and one more than its offset: zero is an empty place.
type entry struct {
	hash [2]uint64
	next int64
}

// EntryBytes is what a key takes.
const EntryBytes = 24

// NewOffsetMap makes a map of at most so many bytes, of which loadFactor is used (0.9: nine tenths). One that will never
// hold more than keys is made no larger than they need. It holds one key at least.
func NewOffsetMap(bytes int64, loadFactor float64, keys int64) *OffsetMap {
	loadFactor = min(max(loadFactor, 0.01), 0.99)
	slots := max(bytes/EntryBytes, 2)
	if float64(slots)*loadFactor > float64(keys) {
		slots = min(slots, int64(float64(keys)/loadFactor)+2)
	}
	limit := max(int(float64(slots)*loadFactor), 1)
	return &OffsetMap{entries: make([]entry, slots), limit: limit, covered: -1}
}

// Put notes that key stands at offset, which is above all that were put before. It says no when the map is full: the
// round ends before this record.
func (m *OffsetMap) Put(key []byte, offset int64) bool {
	hash := hashOf(key)
	e := m.find(hash)
	if e.next == 0 {
		if m.used == m.limit {
			return false
		}
		e.hash = hash
		m.used++
	}
	e.next = offset + 1
	m.covered = offset
	return true
}

// Newest is the newest offset of key, -1 if it was not put.
func (m *OffsetMap) Newest(key []byte) int64 { return m.find(hashOf(key)).next - 1 }

// find is the place of a key: its own, or the empty one where it would go. Some place is always empty.
func (m *OffsetMap) find(hash [2]uint64) *entry {
	at, _ := bits.Mul64(hash[0], uint64(len(m.entries)))
	for {
		e := &m.entries[at]
		if e.next == 0 || e.hash == hash {
			return e
		}
		if at++; at == uint64(len(m.entries)) {
			at = 0
		}
	}
}

func hashOf(key []byte) [2]uint64 {
	sum := sha256.Sum256(key)
	return [2]uint64{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
}

// Cover says that there is no other key up to offset.
func (m *OffsetMap) Cover(offset int64) { m.covered = max(m.covered, offset) }

// Covered is the last offset whose key, if it has one, was put; -1 if none was.
func (m *OffsetMap) Covered() int64 { return m.covered }

// Len is the number of keys.
func (m *OffsetMap) Len() int { return m.used }
