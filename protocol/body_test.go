package protocol

import (
	"encoding/binary"
	"math/rand/v2"
)

// bodyWriter writes request bodies by the walk's tables: random ones that are valid, and where their lengths stand.
type bodyWriter struct {
	rng *rand.Rand
	// elements is how many elements an array gets at most.
	elements int
	// known writes the known tags, unknown writes others.
	known, unknown bool

	body    []byte
	lengths []length
}

// length is a place in a body where a length or count stands.
type length struct {
	at, size int
	kind     kind
	null     bool // may be null
}

func (w *bodyWriter) write(ops []op) {
	for i := 0; i < len(ops); {
		o := ops[i]
		i++
		body := ops[i : i+int(o.body)]
		i += int(o.body)
		switch o.kind {
		case fixed:
			w.fixed(int(o.n))
		case str, compactStr, blob, compactBlob:
			w.bytes(o)
		case array, compactArray:
			w.array(o, body)
		case optional:
			if w.rng.IntN(2) == 0 {
				w.body = append(w.body, 0xff)
			} else {
				w.body = append(w.body, 1)
				w.write(body)
			}
		case tags:
			known := knownTags(ops[i:], int(o.n))
			w.tags(known)
			for _, k := range known {
				i += len(k.body) + 1
			}
		}
	}
}

type testTag struct {
	number uint32
	body   []op
	wrong  bool // of another version
}

// knownTags are the tags that ops begins with.
func knownTags(ops []op, n int) (known []testTag) {
	for range n {
		end := 1 + int(ops[0].body)
		known = append(known, testTag{uint32(ops[0].n), ops[1:end], ops[0].null})
		ops = ops[end:]
	}
	return known
}

// fixed writes zeros and ones: as bytes they are valid booleans too, and kmsg writes them as it read them.
func (w *bodyWriter) fixed(n int) {
	for range n {
		w.body = append(w.body, byte(w.rng.IntN(2)))
	}
}

func (w *bodyWriter) bytes(o op) {
	if o.null && w.rng.IntN(3) == 0 {
		w.length(o.kind, -1, true)
		return
	}
	n := w.rng.IntN(20)
	w.length(o.kind, n, o.null)
	for range n {
		w.body = append(w.body, byte('a'+w.rng.IntN(26)))
	}
}

func (w *bodyWriter) array(o op, element []op) {
	if o.null && w.rng.IntN(3) == 0 {
		w.length(o.kind, -1, true)
		return
	}
	n := w.rng.IntN(w.elements + 1)
	w.length(o.kind, n, o.null)
	for range n {
		if len(element) == 0 {
			w.fixed(int(o.n))
		} else {
			w.write(element)
		}
	}
}

func (w *bodyWriter) tags(known []testTag) {
	var sections []struct {
		number uint32
		bytes  []byte
	}
	add := func(number uint32, bytes []byte) {
		sections = append(sections, struct {
			number uint32
			bytes  []byte
		}{number, bytes})
	}
	if w.known {
		for _, k := range known {
			if k.wrong {
				continue
			}
			inner := &bodyWriter{rng: w.rng, elements: w.elements, known: w.known, unknown: w.unknown}
			inner.write(k.body)
			add(k.number, inner.body)
		}
	}
	if w.unknown && w.rng.IntN(2) == 0 {
		for i := range w.rng.IntN(3) + 1 {
			add(uint32(100+i), make([]byte, w.rng.IntN(5)))
		}
	}
	w.length(tags, len(sections), true)
	for _, s := range sections {
		w.body = binary.AppendUvarint(w.body, uint64(s.number))
		w.length(tag, len(s.bytes), true)
		w.body = append(w.body, s.bytes...)
	}
}

// length writes a length as the kind has it, and remembers where.
func (w *bodyWriter) length(k kind, n int, null bool) {
	at := len(w.body)
	w.body = appendLength(w.body, k, n)
	w.lengths = append(w.lengths, length{at, len(w.body) - at, k, null})
}

func appendLength(b []byte, k kind, n int) []byte {
	switch k {
	case str:
		return binary.BigEndian.AppendUint16(b, uint16(n))
	case blob, array:
		return binary.BigEndian.AppendUint32(b, uint32(n))
	case tags, tag:
		return binary.AppendUvarint(b, uint64(n))
	}
	return binary.AppendUvarint(b, uint64(n+1))
}

// eachRequest calls f for every key and version.
func eachRequest(f func(key Key, version int16)) {
	for key := range KeyLimit {
		for v := MinVersion(key); v <= MaxVersion(key); v++ {
			f(key, v)
		}
	}
}
