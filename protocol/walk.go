package protocol

import (
	"encoding/binary"
	"math"
)

// What a body may ask for beyond the bytes that it brings. kmsg takes memory for what is announced, so the walk comes
// first: it reads the body by the field tables, takes no memory, and refuses what would cost too much.
const (
	// elementsMax is how many elements one array may have. Source: Kafka 4.4, which refuses more.
	elementsMax = 1_000_000
	// stringBytesMax is how long a string may be in any version. Source: Kafka, which refuses longer ones although newer
	// versions have room for them: a string may go into an older version's answer, or a record.
	stringBytesMax = math.MaxInt16
	// A body of n bytes may decode to decodedFactor × n + decodedSlack bytes. What real clients send stays below three
	// times its size, except lists of very short names in old versions, which the slack lets through by the ten thousand.
	decodedFactor = 4
	decodedSlack  = 256 << 10
)

// op is a step of the walk over one version of a request. A request is a list of them, in the order of the wire; an op
// whose body is not empty is followed by the ops of its elements.
type op struct {
	kind kind
	null bool // null may stand for the value
	// n is for fixed the number of bytes, for arrays the bytes of the smallest element, for tags how many known tags
	// follow, for a tag its number.
	n uint16
	// mem is the memory of an array's element or a struct, once decoded, or what a string takes beyond its bytes.
	mem uint16
	// body is how many of the next ops are the element's, the struct's, or the tag's; 0 for an array whose elements all
	// have n bytes.
	body uint16
}

type kind uint8

const (
	fixed        kind = iota // n bytes
	str                      // int16 length · bytes
	compactStr               // uvarint length+1 · bytes
	blob                     // int32 length · bytes: bytes and records, which are not looked into
	compactBlob              // uvarint length+1 · bytes
	array                    // int32 count · elements
	compactArray             // uvarint count+1 · elements
	optional                 // int8 -1, or any other and a struct
	tags                     // uvarint count · count × {uvarint tag · uvarint size · size bytes}
	tag                      // one known tag of the tags op before it; null: one of another version, which is refused
)

// Walk checks that body is a request of that key and version, whole, and that decoding it costs memory in proportion.
// It takes no memory and looks at no record. Its verdict holds for kmsg, which decodes what Walk lets through.
//
// As Kafka 4.3.1 does, it skips unknown tags, takes tags in any order and more than once, and ignores bytes after the
// last field. Otherwise than Kafka it goes by a tag's size, and refuses one that is too small for the tag's field.
func Walk(key Key, version int16, body []byte) error {
	_, err := walk(key, version, body)
	return err
}

// walk is Walk. It also returns about how much memory the decoded request takes beyond the body.
func walk(key Key, version int16, body []byte) (decoded int64, err error) {
	if !key.known() || version < MinVersion(key) || version > MaxVersion(key) {
		return 0, Errorf(UnsupportedVersion, "%s version %d", key, version)
	}
	limit := decodedFactor*int64(len(body)) + decodedSlack
	w := walker{rest: body, memory: limit}
	if w.run(requestOps(key, version)) {
		return limit - w.memory, nil
	}
	return 0, Errorf(InvalidRequest, "%s version %d: %s", key, version, w.refused.why(w.count))
}

// requestOps are the ops of a request in a version that is known.
func requestOps(key Key, version int16) []op {
	s := walkSpans[key][version-kafkaVersions[key].min]
	return walkOps[s[0]:s[1]]
}

// walker is the state of a walk.
type walker struct {
	rest []byte
	// memory is what may still be decoded.
	memory int64
	// refused and count are why the walk ended.
	refused refusal
	count   int64
}

// run walks ops once. It returns false where the body is refused.
func (w *walker) run(ops []op) bool {
	for i := 0; i < len(ops); {
		o := &ops[i]
		i++
		body := ops[i : i+int(o.body)]
		i += int(o.body)
		ok := false
		switch o.kind {
		case fixed:
			ok = w.skip(int64(o.n))
		case str, compactStr:
			ok = w.str(o)
		case blob, compactBlob:
			ok = w.blob(o)
		case array, compactArray:
			ok = w.array(o, body)
		case optional:
			ok = w.optional(o, body)
		case tags:
			known := 0
			for range o.n { // the ops of the known tags follow the tags op, which has no body of its own
				known += 1 + int(ops[i+known].body)
			}
			ok = w.tags(ops[i : i+known])
			i += known
		}
		if !ok {
			return false
		}
	}
	return true
}

// skip goes over n bytes.
func (w *walker) skip(n int64) bool {
	if n > int64(len(w.rest)) {
		return w.refuse(tooShort, n)
	}
	w.rest = w.rest[n:]
	return true
}

// charge counts n bytes of memory.
func (w *walker) charge(n int64) bool {
	if w.memory -= n; w.memory < 0 {
		return w.refuse(tooLarge, n)
	}
	return true
}

func (w *walker) str(o *op) bool {
	n := int64(-1)
	ok := true
	if o.kind == compactStr {
		n, ok = w.compactLength()
	} else if len(w.rest) < 2 {
		ok = w.refuse(tooShort, 2)
	} else {
		n = int64(int16(binary.BigEndian.Uint16(w.rest)))
		w.rest = w.rest[2:]
	}
	if !ok || n < 0 {
		return ok && w.null(o)
	}
	if n > stringBytesMax {
		return w.refuse(tooLong, n)
	}
	memory := (n+15)&^15 + n/8 // as the allocator rounds
	return w.skip(n) && w.charge(memory+int64(o.mem))
}

func (w *walker) blob(o *op) bool {
	n, ok := w.length(o.kind == compactBlob)
	if !ok || n < 0 {
		return ok && w.null(o)
	}
	return w.skip(n)
}

func (w *walker) array(o *op, element []op) bool {
	n, ok := w.length(o.kind == compactArray)
	if !ok || n < 0 {
		return ok && w.null(o)
	}
	if n > elementsMax || n*int64(o.n) > int64(len(w.rest)) {
		return w.refuse(tooMany, n)
	}
	memory := n * int64(o.mem)
	if !w.charge(memory + min(memory/8, 8<<10)) { // as the allocator rounds
		return false
	}
	if len(element) == 0 {
		return w.skip(n * int64(o.n))
	}
	for range n {
		if !w.run(element) {
			return false
		}
	}
	return true
}

func (w *walker) optional(o *op, body []op) bool {
	if len(w.rest) < 1 {
		return w.refuse(tooShort, 1)
	}
	present := int8(w.rest[0])
	w.rest = w.rest[1:]
	if present == -1 {
		return true
	}
	return w.charge(int64(o.mem)) && w.run(body)
}

// What an unknown tag costs: kmsg keeps each in a map of the struct's, and doubles the map as it fills.
const (
	firstTagBytes = 384
	nextTagBytes  = 180
)

func (w *walker) tags(known []op) bool {
	count, ok := w.uvarint()
	if !ok {
		return false
	}
	if count > tagsMax || int64(count)*2 > int64(len(w.rest)) {
		return w.refuse(tooManyTags, int64(count))
	}
	cost := int64(firstTagBytes)
	for range count {
		number, ok := w.uvarint()
		if !ok {
			return false
		}
		size, ok := w.uvarint()
		if !ok {
			return false
		}
		if int64(size) > int64(len(w.rest)) {
			return w.refuse(tooShort, int64(size))
		}
		after := w.rest[size:]
		if o, body := findTag(known, number); o == nil {
			if !w.charge(cost) {
				return false
			}
			cost = nextTagBytes
		} else if o.null {
			return w.refuse(wrongTag, int64(number))
		} else if w.rest = w.rest[:size]; !w.run(body) {
			return false
		}
		w.rest = after
	}
	return true
}

// findTag finds the op of a known tag, and the ops of its field.
func findTag(known []op, number uint32) (o *op, body []op) {
	for len(known) > 0 {
		end := 1 + int(known[0].body)
		if uint32(known[0].n) == number {
			return &known[0], known[1:end]
		}
		known = known[end:]
	}
	return nil, nil
}

// length reads the length of a blob or array; negative is null.
func (w *walker) length(compact bool) (n int64, ok bool) {
	if compact {
		return w.compactLength()
	}
	if len(w.rest) < 4 {
		return 0, w.refuse(tooShort, 4)
	}
	n = int64(int32(binary.BigEndian.Uint32(w.rest)))
	w.rest = w.rest[4:]
	return n, true
}

// compactLength reads length+1; 0 is null.
func (w *walker) compactLength() (n int64, ok bool) {
	v, ok := w.uvarint()
	return int64(v) - 1, ok
}

func (w *walker) uvarint() (v uint32, ok bool) {
	if len(w.rest) > 0 && w.rest[0] < 0x80 {
		v = uint32(w.rest[0])
		w.rest = w.rest[1:]
		return v, true
	}
	v, rest, ok := uvarint(w.rest)
	if !ok {
		return 0, w.refuse(badVarint, 0)
	}
	w.rest = rest
	return v, true
}

func (w *walker) null(o *op) bool { return o.null || w.refuse(notNull, 0) }
