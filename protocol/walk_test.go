package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func newRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func newRequest(key Key, version int16) kmsg.Request {
	r := kmsg.RequestForKey(int16(key))
	r.SetVersion(version)
	return r
}

// The tables and kmsg agree about every field of every version: what is written by the tables passes the walk, and kmsg
// reads it and writes the same.
func TestTablesAgreeWithKmsg(t *testing.T) {
	rng := newRand(t)
	eachRequest(func(key Key, version int16) {
		name := fmt.Sprintf("%s version %d", key, version)
		for i := range 60 {
			w := bodyWriter{rng: rng, elements: 3, known: i%3 == 1, unknown: i%3 == 2}
			w.write(requestOps(key, version))
			r, err := Decode(RequestHeader{Key: key, Version: version}, w.body)
			if err != nil {
				t.Fatalf("%s: %v\n%x", name, err, w.body)
			}
			again := r.AppendTo(nil)
			if !w.known && !bytes.Equal(again, w.body) {
				t.Fatalf("%s: kmsg wrote\n%x where the tables wrote\n%x", name, again, w.body)
			}
			r2 := newRequest(key, version) // a tagged field with its default value is not written
			if err := r2.ReadFrom(again); err != nil || !reflect.DeepEqual(r, r2) {
				t.Fatalf("%s: kmsg reads %x otherwise than it wrote it: %v", name, again, err)
			}
			if err := Walk(key, version, append(w.body, "trailing"...)); err != nil {
				t.Fatalf("%s: trailing bytes are ignored by Kafka: %v", name, err)
			}
			for cut := range w.body { // every shorter body is refused: no field is optional at the end
				if Walk(key, version, w.body[:cut]) == nil {
					t.Fatalf("%s: %d of %d bytes passed\n%x", name, cut, len(w.body), w.body)
				}
			}
		}
	})
}

// Row 32 of the hostile frames: every length and count of every request says it is huge.
func TestWalkRefusesHugeLengths(t *testing.T) {
	rng := newRand(t)
	lies := 0
	eachRequest(func(key Key, version int16) {
		for range 8 {
			w := bodyWriter{rng: rng, elements: 3, known: true, unknown: true}
			w.write(requestOps(key, version))
			for _, l := range w.lengths {
				for _, n := range hugeLengths(l.kind) {
					body := slices.Concat(w.body[:l.at], n, w.body[l.at+l.size:])
					if err := Walk(key, version, body); !errors.Is(err, InvalidRequest) {
						t.Fatalf("%s version %d: length %x at %d passed: %v\n%x", key, version, n, l.at, err, body)
					}
					lies++
				}
			}
		}
	})
	t.Logf("%d lies", lies)
}

// As in Kafka, null stands only where the definition allows it.
func TestWalkRefusesNulls(t *testing.T) {
	rng := newRand(t)
	ones := bytes.Repeat([]byte{1}, 10_000)
	eachRequest(func(key Key, version int16) {
		for range 8 {
			w := bodyWriter{rng: rng, elements: 3, known: true}
			w.write(requestOps(key, version))
			for _, l := range w.lengths {
				if l.kind == tags || l.kind == tag {
					continue
				}
				body := append(w.body[:l.at:l.at], appendLength(nil, l.kind, -1)...)
				body = append(body, ones...) // no length in what follows is null
				walk := walker{rest: body, memory: 1 << 30}
				walk.run(requestOps(key, version))
				if (walk.refused == notNull) == l.null {
					t.Fatalf("%s version %d: null at %d: %d, may be null: %v\n%x", key, version, l.at, walk.refused, l.null, w.body)
				}
			}
		}
	})
}

// The limits, each from both sides, and that it is the limit that refuses.
func TestWalkLimits(t *testing.T) {
	partitions := func(announced uint32, there int) []byte { // DescribeLogDirs 1: one topic and its partitions
		b := []byte{0, 0, 0, 1, 0, 1, 't'}
		b = binary.BigEndian.AppendUint32(b, announced)
		return append(b, make([]byte, 4*there)...)
	}
	tagged := func(announced uint64, there, size int) []byte { // ListPartitionReassignments 0, no topics
		b := binary.AppendUvarint([]byte{0, 0, 0, 0, 0}, announced)
		for i := range there {
			b = binary.AppendUvarint(b, uint64(i))
			b = binary.AppendUvarint(b, uint64(size))
			b = append(b, make([]byte, size)...)
		}
		return b
	}
	named := func(n int) []byte { // DescribeGroups 5: one group
		b := binary.AppendUvarint([]byte{2}, uint64(n+1))
		return append(append(b, make([]byte, n)...), 0, 0)
	}
	for _, c := range []struct {
		name string
		key  Key
		v    int16
		body []byte
		want refusal
	}{
		{"a string at the limit", DescribeGroupsKey, 5, named(stringBytesMax), 0},
		{"a string beyond the limit", DescribeGroupsKey, 5, named(stringBytesMax + 1), tooLong},
		{"elements at the limit", DescribeLogDirsKey, 1, partitions(elementsMax, elementsMax), 0},
		{"elements beyond the limit", DescribeLogDirsKey, 1, partitions(elementsMax+1, elementsMax+1), tooMany},
		{"elements that just fit", DescribeLogDirsKey, 1, partitions(10, 10), 0},
		{"one element too many", DescribeLogDirsKey, 1, partitions(11, 10), tooMany},
		{"tags at the limit", ListPartitionReassignmentsKey, 0, tagged(tagsMax, tagsMax, 100), 0},
		{"tags beyond the limit", ListPartitionReassignmentsKey, 0, tagged(tagsMax+1, tagsMax+1, 100), tooManyTags},
		{"tags that just fit", ListPartitionReassignmentsKey, 0, tagged(10, 10, 0), 0},
		{"one tag too many", ListPartitionReassignmentsKey, 0, tagged(11, 10, 0), tooManyTags},
		{"a tag cut short", ListPartitionReassignmentsKey, 0, append(tagged(1, 0, 0), 1, 5, 'x'), tooShort},
		{"tags that cost too much", ListPartitionReassignmentsKey, 0, tagged(5000, 5000, 0), tooLarge},
	} {
		w := walker{rest: c.body, memory: decodedFactor*int64(len(c.body)) + decodedSlack}
		if w.run(requestOps(c.key, c.v)); w.refused != c.want {
			t.Errorf("%s: refusal %d, want %d", c.name, w.refused, c.want)
		}
		if err := Walk(c.key, c.v, c.body); (err == nil) != (c.want == 0) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func hugeLengths(k kind) [][]byte {
	switch k {
	case str:
		return [][]byte{{0x7f, 0xff}}
	case blob, array:
		return [][]byte{{0x7f, 0xff, 0xff, 0xff}, {0, 0xff, 0xff, 0xff}}
	}
	return [][]byte{{0xff, 0xff, 0xff, 0xff, 0x0f}, {0xff, 0xff, 0xff, 0xff, 0x07}, {0xff, 0xff, 0xff, 0x7f}, {0xff, 0xff, 0xff, 0xff, 0xff}}
}

// raceDetector: its builds allocate otherwise, so that what is allocated says nothing there.
var raceDetector bool

// allocated is what f takes from the heap, in bytes.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// checkCost decodes a body and fails if that takes more than the limit, or more than the walk said.
func checkCost(t *testing.T, key Key, version int16, body []byte) (passed bool) {
	t.Helper()
	var r kmsg.Request
	var decoded int64
	var err error
	took := allocated(func() { r, decoded, err = decode(RequestHeader{Key: key, Version: version}, body) })
	if raceDetector {
		took = 0
	}
	const rootBytes = 4 << 10 // the request's own struct, an error, what other goroutines do
	if limit := decodedFactor*int64(len(body)) + decodedSlack + rootBytes; took > limit {
		t.Fatalf("%s version %d: %d bytes were allocated for a body of %d", key, version, took, len(body))
	}
	if err == nil && took > decoded+rootBytes {
		t.Fatalf("%s version %d: %d bytes were allocated, the walk counted %d (body %d)", key, version, took, decoded, len(body))
	}
	if err != nil && Walk(key, version, body) == nil {
		t.Fatalf("%s version %d: the walk passed what kmsg refuses: %v", key, version, err)
	}
	runtime.KeepAlive(r)
	return err == nil
}

// The walk takes no memory for what it passes, and an error's for what it refuses, be the frame 40 MB of tags (row 33).
func TestWalkTakesNoMemory(t *testing.T) {
	body := produceRequest(9, 10, 10).AppendTo(nil)
	if n := testing.AllocsPerRun(100, func() { _ = Walk(ProduceKey, 9, body) }); n != 0 {
		t.Errorf("%v allocations for a request that passes", n)
	}
	flood := append([]byte{0, 0, 0, 0, 0}, binary.AppendUvarint(nil, 20_000_000)...)
	flood = append(flood, make([]byte, 40_000_000)...)
	var err error
	took := allocated(func() { _, err = Decode(RequestHeader{Key: ListPartitionReassignmentsKey}, flood) })
	if err == nil || took > 4<<10 {
		t.Errorf("%d bytes for a flood of tags: %v", took, err)
	}
}

// Every array of every request, full of the smallest elements that a frame can hold: what passes costs what the walk said.
func TestDecodedMemoryIsBounded(t *testing.T) {
	const frame = 100_000
	passed, refused := 0, 0
	eachRequest(func(key Key, version int16) {
		ops := requestOps(key, version)
		for i, o := range ops {
			if o.kind != array && o.kind != compactArray && o.kind != tags && o.kind != str && o.kind != compactStr {
				continue
			}
			for n, size := range []int{frame / 100, frame, frame} {
				body := stuffed(ops, i, size, n == 2)
				if checkCost(t, key, version, body) {
					passed++
				} else {
					refused++
				}
			}
		}
	})
	t.Logf("%d passed, %d refused", passed, refused)
	if passed < 500 || refused < 500 {
		t.Error("too few of either: the bodies are not what the test means")
	}
}

// stuffed is a body in which the array, tags section or string that is ops[at] holds as much as size bytes allow, and
// everything else is as small as can be. With unknown, every struct has one unknown tag.
func stuffed(ops []op, at, size int, unknown bool) []byte {
	s := stuffing{target: &ops[at], size: size, unknown: unknown}
	s.write(ops)
	return s.body
}

type stuffing struct {
	target  *op
	size    int
	unknown bool
	body    []byte
}

func (s *stuffing) write(ops []op) {
	for i := 0; i < len(ops); {
		o := &ops[i]
		i++
		body := ops[i : i+int(o.body)]
		i += int(o.body)
		holds := s.holds(body)
		switch o.kind {
		case fixed:
			s.body = append(s.body, make([]byte, o.n)...)
		case str, compactStr, blob, compactBlob:
			n := 0
			if o == s.target {
				n = min(s.size, 0x7fff)
			}
			s.body = appendLength(s.body, o.kind, n)
			s.body = append(s.body, make([]byte, n)...)
		case array, compactArray:
			s.array(o, body, holds)
		case optional:
			if holds {
				s.body = append(s.body, 1)
				s.write(body)
			} else {
				s.body = append(s.body, 0xff)
			}
		case tags:
			i += s.tags(o, knownTags(ops[i:], int(o.n)))
		}
	}
}

// holds reports whether the target is among ops.
func (s *stuffing) holds(ops []op) bool {
	for i := range ops {
		if &ops[i] == s.target {
			return true
		}
	}
	return false
}

func (s *stuffing) array(o *op, element []op, holds bool) {
	n := 0
	if o == s.target {
		least := int(o.n)
		if s.unknown && len(element) > 0 {
			least += 20 // more than there are structs in an element, two bytes each
		}
		n = min(s.size/least, elementsMax)
	} else if holds {
		n = 1
	}
	s.body = appendLength(s.body, o.kind, n)
	for range n {
		if len(element) == 0 {
			s.body = append(s.body, make([]byte, o.n)...)
		} else {
			s.write(element)
		}
	}
}

// tags writes a tags section and returns how many ops its known tags take.
func (s *stuffing) tags(o *op, known []testTag) (ops int) {
	if o == s.target {
		n := min(s.size/4, tagsMax)
		s.body = appendLength(s.body, tags, n)
		for i := range n {
			s.body = binary.AppendUvarint(s.body, uint64(1000+i))
			s.body = append(s.body, 0)
		}
	}
	var holder *testTag
	for i, k := range known {
		ops += 1 + len(k.body)
		if s.holds(k.body) {
			holder = &known[i]
		}
	}
	switch {
	case holder != nil:
		inner := stuffing{target: s.target, size: s.size, unknown: s.unknown}
		inner.write(holder.body)
		s.body = append(s.body, 1)
		s.body = binary.AppendUvarint(s.body, uint64(holder.number))
		s.body = binary.AppendUvarint(s.body, uint64(len(inner.body)))
		s.body = append(s.body, inner.body...)
	case o != s.target && s.unknown:
		s.body = append(s.body, 1, 99, 0)
	case o != s.target:
		s.body = append(s.body, 0)
	}
	return ops
}

// kmsg may know tags that the tables do not. What it makes of them must not cost more than the walk counted.
func TestTagsOnlyKmsgKnows(t *testing.T) {
	contents := [][]byte{nil, {0}, {0xff, 0xff, 0xff, 0xff, 0x0f}, bytes.Repeat([]byte{0xff}, 100), make([]byte, 500), bytes.Repeat([]byte{2}, 500)}
	eachRequest(func(key Key, version int16) {
		if version < FlexibleFrom(key) {
			return
		}
		w := bodyWriter{rng: rand.New(rand.NewPCG(1, 2)), elements: 1}
		w.write(requestOps(key, version))
		for _, l := range w.lengths {
			if l.kind != tags {
				continue
			}
			for number := range 16 {
				for _, content := range contents {
					section := binary.AppendUvarint([]byte{1, byte(number)}, uint64(len(content)))
					body := slices.Concat(w.body[:l.at], section, content, w.body[l.at+1:])
					if Walk(key, version, body) == nil {
						checkCost(t, key, version, body)
					}
				}
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	eachRequest(func(key Key, version int16) {
		w := bodyWriter{rng: rng, elements: 2, known: true, unknown: true}
		w.write(requestOps(key, version))
		f.Add(int16(key), version, w.body)
	})
	f.Fuzz(func(t *testing.T, k, version int16, body []byte) {
		key := Key(k)
		if key.known() && version >= MinVersion(key) && version <= MaxVersion(key) {
			checkCost(t, key, version, body)
		}
	})
}
