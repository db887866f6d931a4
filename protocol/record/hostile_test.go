package record

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/protocol"
)

// slowDecode reads a batch the plain way, with the standard library and franz-go's decompressors: the dumb twin of
// Validate and Records. It returns the records as text.
func slowDecode(b []byte) (string, error) {
	header := bytes.NewReader(b)
	var h struct {
		BaseOffset  int64
		Length      int32
		LeaderEpoch int32
		Magic       int8
		CRC         uint32
		Attributes  int16
		LastDelta   int32
		BaseTime    int64
		MaxTime     int64
		ProducerID  int64
		Epoch       int16
		Sequence    int32
		Count       int32
	}
	if err := binary.Read(header, binary.BigEndian, &h); err != nil {
		return "", err
	}
	if int(h.Length) != len(b)-12 || h.Magic != 2 || h.BaseOffset != 0 || h.Count < 1 || h.LastDelta != h.Count-1 || h.Attributes&0x20 != 0 {
		return "", fmt.Errorf("header %+v", h)
	}
	if err := Batch(b).CheckCRC(); err != nil {
		return "", err
	}
	payload := b[61:]
	var err error
	switch codec := h.Attributes & 7; codec {
	case 0:
	case 1:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(payload)); err == nil {
			payload, err = io.ReadAll(z)
		}
	default:
		payload, err = kgo.DefaultDecompressor().Decompress(payload, kgo.CompressionCodecType(codec))
	}
	if err != nil {
		return "", err
	}
	var out strings.Builder
	in := bytes.NewReader(payload)
	for i := range int64(h.Count) {
		s := slowReader{in: in}
		body := slowReader{in: bytes.NewReader(s.take(s.varint()))}
		body.take(1)
		at := h.BaseTime + body.varint()
		delta := body.varint()
		key := body.bytes()
		value := body.bytes()
		fmt.Fprintf(&out, "%d %q %t %q %t", at, key, key == nil, value, value == nil)
		n := body.varint()
		if n < 0 || n > 1000 {
			return "", fmt.Errorf("%d headers", n)
		}
		for range n {
			name := body.bytes()
			if name == nil {
				body.failed = true
			}
			fmt.Fprintf(&out, " %q=%q", name, body.bytes())
		}
		if s.failed || body.failed || body.in.Len() > 0 || delta != i {
			return "", fmt.Errorf("record %d, delta %d", i, delta)
		}
		out.WriteString("\n")
	}
	if in.Len() > 0 {
		return "", fmt.Errorf("%d bytes left", in.Len())
	}
	return out.String(), nil
}

type slowReader struct {
	in     *bytes.Reader
	failed bool
}

func (s *slowReader) varint() int64 {
	v, err := binary.ReadVarint(s.in)
	s.failed = s.failed || err != nil
	return v
}

func (s *slowReader) take(n int64) []byte {
	if n < 0 || n > int64(s.in.Len()) {
		s.failed = true
		return nil
	}
	b := make([]byte, n)
	s.in.Read(b)
	return b
}

func (s *slowReader) bytes() []byte {
	n := s.varint()
	if n < 0 {
		return nil
	}
	return s.take(n)
}

// fastDecode is the same text by Records and Headers.
func fastDecode(b Batch) (string, error) {
	var out strings.Builder
	for r, err := range b.Records(1 << 20) {
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%d %q %t %q %t", r.Timestamp, r.Key, r.Key == nil, r.Value, r.Value == nil)
		headers, err := r.Headers()
		if err != nil {
			return "", err
		}
		for _, h := range headers {
			fmt.Fprintf(&out, " %q=%q", h.Key, h.Value)
		}
		out.WriteString("\n")
	}
	return out.String(), nil
}

// checkAccepted is what must hold for every batch that Validate lets through: its twin reads it, both read the same
// records, and it is valid as it will be stored.
func checkAccepted(t *testing.T, v Validated, rules Rules) {
	t.Helper()
	slow, err := slowDecode(v.Batch)
	if err != nil {
		t.Fatalf("accepted, but %v\n%x", err, v.Batch)
	}
	fast, err := fastDecode(v.Batch)
	if err != nil || fast != slow {
		t.Fatalf("read as\n%s(%v)\nbut as\n%s\n%x", fast, err, slow, v.Batch)
	}
	again, err := Validate(bytes.Clone(v.Batch), rules)
	if err != nil || again.Rewritten || !bytes.Equal(again.Batch, v.Batch) || again.MaxTimestamp != v.MaxTimestamp {
		t.Fatalf("not stable: %v\n%x\n%x", err, v.Batch, again.Batch)
	}
}

// mutator makes batches that lie, in every codec: about the header, inside records that are then compressed, and in
// what the compressors wrote.
type mutator struct {
	*rand.Rand
	payloads [][]byte // of 1 to 8 records
}

func newMutator(seed uint64) *mutator {
	m := &mutator{Rand: rand.New(rand.NewPCG(seed, 0))}
	for n := 1; n <= 8; n++ {
		b := NewBuilder(NewOptions())
		for i := range n {
			b.Add(now+int64(i), [][]byte{nil, []byte("key"), {}}[i%3], text(i*i*4), make([]Header, i%3)...)
		}
		m.payloads = append(m.payloads, b.Batch()[HeaderBytes:])
	}
	return m
}

func (m *mutator) batch() Batch {
	n := m.IntN(len(m.payloads))
	payload := bytes.Clone(m.payloads[n])
	codec := Codec(m.IntN(5))
	where := m.IntN(4)
	if where == 0 {
		payload = m.damage(payload)
	}
	if codec != None {
		payload = Compress(nil, codec, DefaultLevel, payload)
		if codec == Snappy && m.IntN(2) == 0 {
			plain, _ := Decompress(nil, Snappy, payload, 0)
			payload = s2.EncodeSnappy(nil, plain)
		}
	}
	if where == 1 {
		payload = m.damage(payload)
	}
	b := sealed(codec, int32(n+1), payload)
	if where == 2 {
		m.lie(b)
	}
	if m.IntN(16) > 0 && len(b) > atAttributes {
		b.updateCRC()
	}
	if where == 3 {
		b = m.damage(b)
	}
	return b
}

// damage changes, cuts, repeats or adds bytes.
func (m *mutator) damage(b []byte) []byte {
	for range 1 + m.IntN(3) {
		at := m.IntN(len(b) + 1)
		switch m.IntN(5) {
		case 0:
			b = b[:at:at]
		case 1:
			b = append(b[:at:at], append([]byte{byte(m.Uint32())}, b[at:]...)...)
		case 2:
			b = append(b, b[at:]...)
		default:
			if at < len(b) {
				b[at] = []byte{b[at] ^ 1<<m.IntN(8), 0, 0xff, 0x7f, 0x80, b[at] + 1, byte(m.Uint32())}[m.IntN(7)]
			}
		}
	}
	return b
}

// lie sets a header field to what nobody expects.
func (m *mutator) lie(b Batch) {
	extreme := []int64{0, 1, -1, 2, 127, -128, 1<<15 - 1, -1 << 15, 1<<31 - 1, -1 << 31, 1<<63 - 1, -1 << 63, m.Int64()}[m.IntN(13)]
	switch m.IntN(10) {
	case 0:
		b.put64(atBaseOffset, extreme)
	case 1:
		b.put32(atLength, int32(extreme))
	case 2:
		b[atMagic] = byte(extreme)
	case 3:
		b.put16(atAttributes, int16(extreme))
	case 4:
		b.put16(atAttributes, b.Attributes()^1<<m.IntN(16))
	case 5:
		b.put32(atLastOffsetDelta, int32(extreme))
		b.put32(atCount, int32(extreme)+1)
	case 6:
		b.put64(atBaseTimestamp, extreme)
	case 7:
		b.put64(atProducerID, extreme)
		b.put32(atBaseSequence, int32(extreme))
	case 8:
		b.put32(atCount, int32(extreme))
	case 9:
		b.put64(atMaxTimestamp, extreme)
	}
}

// 100,000 batches that lie: none panics, and what is accepted is valid.
func TestMutatedBatches(t *testing.T) {
	m := newMutator(1)
	accepted, refused := 0, map[protocol.Code]int{}
	for range 100_000 {
		b := m.batch()
		rules := testRules()
		rules.MaxUncompressedBytes = 1 << 20
		if m.IntN(4) == 0 {
			rules.Recompress, rules.Codec = true, Codec(m.IntN(5))
		}
		rules.Compacted, rules.LogAppendTime = m.IntN(8) == 0, m.IntN(8) == 0
		v, err := Validate(b, rules)
		if err != nil {
			refused[protocol.CodeOf(err)]++
			continue
		}
		accepted++
		if !rules.LogAppendTime { // the bit makes what is stored unacceptable from a client
			checkAccepted(t, v, rules)
		}
	}
	t.Logf("%d accepted, refused: %v", accepted, refused)
	for _, code := range []protocol.Code{protocol.InvalidRecord, protocol.CorruptMessage, protocol.InvalidTimestamp, protocol.UnsupportedCompressionType} {
		if refused[code] == 0 {
			t.Errorf("none was refused with %s", code)
		}
	}
	if refused[protocol.UnknownServerError] > 0 || accepted < 1000 {
		t.Error("the mutations do not test much")
	}
}

// bomb is n zeros, in what the codec makes least of them.
func bomb(t *testing.T, codec Codec, n int) []byte {
	t.Helper()
	switch codec {
	case Zstd:
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		return z.EncodeAll(make([]byte, n), nil)
	default:
		return Compress(nil, codec, DefaultLevel, make([]byte, n))
	}
}

// Batches that decompress to far more than they are: refused, or let through in little memory where they hold what they
// say. Each is checked with the memory that was in use at most while it was validated.
func TestBombs(t *testing.T) {
	const large = DefaultMaxUncompressedBytes + 1<<20
	oneRecord := func(codec Codec, n int) []byte { // valid but for its size
		record := appendVarint([]byte{0, 0, 0, 1}, int64(n))
		record = append(record, make([]byte, n)...)
		record = append(record, 0)
		return Compress(nil, codec, DefaultLevel, append(appendVarint(nil, int64(len(record))), record...))
	}
	wide := func(payload []byte) []byte { // a zstd frame, of a window of its own, that claims one of 128 MiB
		payload = bytes.Clone(payload)
		if payload[4] != 0 {
			t.Fatalf("frame header %x", payload[:8])
		}
		payload[5] = 17 << 3
		return payload
	}
	stored := func(content []byte) []byte { // a zstd frame of one block, as it is
		header := uint32(len(content))<<3 | 1
		return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0, byte(header), byte(header >> 8), byte(header >> 16)}, content...)
	}
	claim := func(size uint64) []byte { // a zstd frame that claims its size, in a single segment, and holds nothing
		return append(binary.LittleEndian.AppendUint64([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}, size), 1, 0, 0)
	}
	largeZstd := oneRecord(Zstd, large)
	type test struct {
		name    string
		codec   Codec
		payload []byte
		want    protocol.Code
		rules   func(*Rules)
	}
	tests := []test{
		{"gzip zeros", Gzip, bomb(t, Gzip, large), protocol.InvalidRecord, nil},
		{"lz4 zeros", LZ4, bomb(t, LZ4, large), protocol.InvalidRecord, nil},
		{"snappy zeros", Snappy, bomb(t, Snappy, large), protocol.InvalidRecord, nil},
		{"zstd zeros", Zstd, bomb(t, Zstd, large), protocol.MessageTooLarge, nil},
		{"gzip, one record", Gzip, oneRecord(Gzip, large), protocol.MessageTooLarge, nil},
		{"lz4, one record", LZ4, oneRecord(LZ4, large), protocol.MessageTooLarge, nil},
		{"snappy, one record", Snappy, oneRecord(Snappy, large), protocol.MessageTooLarge, nil},
		{"zstd, one record", Zstd, largeZstd, protocol.MessageTooLarge, nil},
		{"zstd, one record, window of 128 MiB", Zstd, wide(largeZstd), protocol.MessageTooLarge, nil},
		{"zstd, window of 128 MiB for little", Zstd, wide(stored(smallBatch(None, 1)[HeaderBytes:])), protocol.None, nil},
		{"zstd claims 2⁶³ bytes", Zstd, claim(1 << 63), protocol.MessageTooLarge, nil},
		{"zstd claims 60 MiB", Zstd, claim(60 << 20), protocol.MessageTooLarge, nil},
		{"zstd claims 16 MiB", Zstd, claim(16 << 20), protocol.InvalidRecord, nil},
		{"zstd claims 7 MiB", Zstd, claim(7 << 20), protocol.InvalidRecord, nil},
		{"bare snappy claims 4 GiB", Snappy, append(binary.AppendUvarint(nil, 1<<32-1), 0, 0), protocol.InvalidRecord, nil},
		{"bare snappy of 65 MiB", Snappy, s2.EncodeSnappy(nil, make([]byte, large)), protocol.MessageTooLarge, nil},
		{"20 MiB in one record", Zstd, oneRecord(Zstd, 20<<20), protocol.None, nil},
		{"20 MiB in one record, twice compressed", Gzip, Compress(nil, Gzip, DefaultLevel, oneRecord(Gzip, 20<<20)), protocol.InvalidRecord, nil},
	}
	record20 := oneRecord(Gzip, 20<<20)
	for to := None; to <= Zstd; to++ {
		want := protocol.None
		if to == None {
			want = protocol.MessageTooLarge // as it would be stored
		}
		tests = append(tests, test{"20 MiB in one record, to " + to.String(), Gzip, record20, want, func(r *Rules) {
			r.Recompress, r.Codec = true, to
		}})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rules := testRules()
			rules.MaxBytes = 16 << 20 // let them in
			if test.rules != nil {
				test.rules(&rules)
			}
			batch := sealed(test.codec, 1, test.payload)
			var err error
			peak := peakMemory(func() { _, err = Validate(batch, rules) })
			if protocol.CodeOf(err) != test.want {
				t.Errorf("%v, want %v", err, test.want)
			}
			t.Logf("%d bytes, peak %d KiB: %v", len(batch), peak>>10, err)
			if peak > 64<<20 {
				t.Errorf("took %d MiB", peak>>20)
			}
			if test.want != protocol.MessageTooLarge {
				return
			}
			peak = peakMemory(func() { _, err = Decompress(nil, test.codec, test.payload, 16<<20) })
			if !errors.Is(err, ErrTooLarge) || peak > 64<<20 { // the room doubles as it grows
				t.Errorf("decompressed with a bound of 16 MiB: %v, took %d MiB", err, peak>>20)
			}
		})
	}
}

// peakMemory is by how much the heap grows at most while f runs, as well as sampling tells.
func peakMemory(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-done
	return peak.Load() - min(peak.Load(), before.HeapAlloc)
}

// Decompress keeps to its bound to the byte.
func TestDecompressBound(t *testing.T) {
	plain := text(100_000)
	for codec := Gzip; codec <= Zstd; codec++ {
		payload := Compress(nil, codec, DefaultLevel, plain)
		if out, err := Decompress([]byte("x"), codec, payload, len(plain)); err != nil || !bytes.Equal(out[1:], plain) {
			t.Errorf("%s: %v", codec, err)
		}
		if _, err := Decompress(nil, codec, payload, len(plain)-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", codec, err)
		}
	}
}

func FuzzValidate(f *testing.F) {
	for codec := None; codec <= Zstd; codec++ {
		f.Add([]byte(smallBatch(codec, 3)), uint8(codec))
		f.Add([]byte(benchBatch(codec, 20, 100)), 0x80|uint8(codec))
	}
	f.Fuzz(func(t *testing.T, b []byte, target uint8) {
		rules := testRules()
		rules.MaxUncompressedBytes = 1 << 20
		rules.Recompress, rules.Codec = target&0x80 != 0, Codec(target%5)
		if len(b) >= HeaderBytes { // a fuzzer does not find checksums
			Batch(b).updateCRC()
		}
		if v, err := Validate(b, rules); err == nil {
			checkAccepted(t, v, rules)
		}
	})
}

func FuzzNext(f *testing.F) {
	f.Add([]byte(append(smallBatch(None, 3), smallBatch(Gzip, 2)...)))
	f.Add(bytes.Repeat([]byte{0}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, cut := b, 0
		for {
			batch, rest, err := Next(b)
			if err != nil && err != ErrLegacyFormat {
				if batch != nil {
					t.Fatalf("a batch with %v", err)
				}
				return
			}
			if len(batch)+len(rest) != len(b) || len(batch) != int(batch.Length())+LogOverheadBytes {
				t.Fatalf("%d + %d of %d", len(batch), len(rest), len(b))
			}
			cut += len(batch)
			if !bytes.Equal(whole[cut:], rest) {
				t.Fatal("the rest is not what follows")
			}
			if err == nil {
				for r, err := range batch.Records(1 << 20) {
					if err == nil {
						r.Headers()
					}
				}
				batch.Control()
			}
			b = rest
		}
	})
}

// Every codec's reader takes any bytes, and what it accepts decompresses to the same by another library.
func FuzzDecompress(f *testing.F) {
	for codec := Gzip; codec <= Zstd; codec++ {
		f.Add(Compress(nil, codec, DefaultLevel, text(1000)), uint8(codec))
		f.Add(Compress(nil, codec, DefaultLevel, make([]byte, 100_000)), uint8(codec))
	}
	f.Add(s2.EncodeSnappy(nil, text(1000)), uint8(Snappy))
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		codec := Gzip + Codec(n%4)
		out, err := Decompress(nil, codec, payload, 1<<20)
		if err != nil || len(out) == 0 { // a frame without blocks is nothing to one, and an error to another
			return
		}
		again, err := kgo.DefaultDecompressor().Decompress(payload, kgo.CompressionCodecType(codec))
		if err != nil {
			t.Fatalf("%s: franz-go refuses what is accepted: %v", codec, err)
		}
		if !bytes.Equal(out, again) {
			t.Fatalf("%s: franz-go reads something else", codec)
		}
	})
}
