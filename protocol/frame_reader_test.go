package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func testLimits() FrameLimits {
	return FrameLimits{FrameBytesMax: 100 << 20, ConnectionBytesMax: 1 << 30, Budget: NewBudget(1 << 30)}
}

// framed is a stream of one frame for each payload.
func framed(payloads ...[]byte) []byte {
	var b []byte
	for _, p := range payloads {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// payload is a frame of n bytes for key that no other frame equals.
func payload(key Key, n int, mark byte) []byte {
	b := bytes.Repeat([]byte{mark}, n)
	binary.BigEndian.PutUint16(b, uint16(key))
	return b
}

func readFrame(t *testing.T, fr *FrameReader) *Frame {
	t.Helper()
	if _, err := fr.Next(); err != nil {
		t.Fatal(err)
	}
	f, err := fr.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFrameReaderReturnsWhatWasSent(t *testing.T) {
	var payloads [][]byte
	for i, n := range []int{10, 11, 511, 512, 513, 4000, 4096, 4097, 20_000, 1 << 20, 5<<20 + 3, 12} {
		payloads = append(payloads, payload([]Key{ProduceKey, JoinGroupKey}[i%2], n, byte(i)))
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "data with EOF": iotest.DataErrReader,
	} {
		l := testLimits()
		fr := NewFrameReader(wrap(bytes.NewReader(framed(payloads...))), l)
		var held []*Frame
		for i, want := range payloads {
			f := readFrame(t, fr)
			held = append(held, f)
			if !bytes.Equal(f.Bytes(), want) {
				t.Fatalf("%s: frame %d of %d bytes differs", name, i, len(want))
			}
			if counted := l.Budget.Used(); counted < int64(len(want)) {
				t.Fatalf("%s: %d bytes are counted for a frame of %d", name, counted, len(want))
			}
		}
		for i, f := range held { // none was overwritten by a later one
			if !bytes.Equal(f.Bytes(), payloads[i]) {
				t.Fatalf("%s: frame %d changed", name, i)
			}
			f.Release()
		}
		if _, err := fr.Next(); err != io.EOF {
			t.Fatalf("%s: %v at the end, want EOF", name, err)
		}
		if l.Budget.Used() != 0 {
			t.Fatalf("%s: %d bytes leaked", name, l.Budget.Used())
		}
	}
}

func TestFrameReaderRefusesLengths(t *testing.T) {
	for _, c := range []struct {
		prefix []byte
		says   string
	}{
		{[]byte{0xff, 0xff, 0xff, 0xff}, "-1 bytes"},
		{[]byte{0x80, 0, 0, 0}, "-2147483648 bytes"},
		{[]byte{0, 0, 0, 0}, "0 bytes"},
		{[]byte{0, 0, 0, 9}, "9 bytes"},
		{[]byte{0x7f, 0xff, 0xff, 0xff}, "2147483647 bytes"},
		{binary.BigEndian.AppendUint32(nil, 100<<20+1), "104857601 bytes"},
		{[]byte("GET / HTTP/1.1"), "HTTP"},
		{[]byte("SSH-2.0-x"), "SSH"},
		{[]byte{0x16, 3, 1, 2}, "TLS"},
	} {
		fr := NewFrameReader(bytes.NewReader(c.prefix), testLimits())
		_, err := fr.Next()
		if !errors.Is(err, InvalidRequest) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%x: %v, want %q", c.prefix, err, c.says)
		}
	}
	fr := NewFrameReader(bytes.NewReader(framed(payload(0, 100, 1), payload(0, 100, 1))), testLimits())
	readFrame(t, fr)
	fr.SetFrameBytesMax(99)
	if _, err := fr.Next(); !errors.Is(err, InvalidRequest) {
		t.Errorf("a lowered limit does not hold: %v", err)
	}
}

// trickle brings n bytes a read, and after the last one a timeout for ever.
type trickle struct {
	stream []byte
	n      int
}

func (r *trickle) Read(p []byte) (int, error) {
	if len(r.stream) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, r.stream[:min(r.n, len(r.stream))])
	r.stream = r.stream[n:]
	return n, nil
}

func TestFrameReaderTakesMemoryAsBytesArrive(t *testing.T) {
	for _, arrived := range []int{0, 1, 100, 4096, 4097, 70_000, 3 << 20, 20 << 20} {
		l := testLimits()
		fr := NewFrameReader(&trickle{framed(make([]byte, 100<<20))[:4+arrived], 1 << 16}, l)
		size, err := fr.Next()
		if err != nil || size != 100<<20 {
			t.Fatal(size, err)
		}
		for range 2 { // a timeout may be tried again
			if _, err := fr.Read(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if fr.Received() != arrived {
			t.Errorf("%d bytes received, want %d", fr.Received(), arrived)
		}
		if used := l.Budget.Used(); used > int64(max(4*arrived, firstBytes)) || (arrived == 0 && used != 0) {
			t.Errorf("%d bytes held for %d that arrived", used, arrived)
		}
		if fr.AtBoundary() {
			t.Error("an announced frame is not a boundary")
		}
		fr.Close()
		if l.Budget.Used() != 0 {
			t.Error("an unfinished frame leaked")
		}
	}
}

func TestFrameReaderResumes(t *testing.T) {
	want := payload(ProduceKey, 10_000, 7)
	stream := framed(want, want)
	for cut := range 5000 {
		src := &trickle{stream[:cut], 1000}
		fr := NewFrameReader(src, testLimits())
		_, nextErr := fr.Next()
		if nextErr == nil {
			if _, err := fr.Read(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if fr.AtBoundary() != (cut == 0) {
			t.Fatalf("boundary after %d bytes", cut)
		}
		src.stream = stream[cut:]
		if nextErr != nil {
			if _, err := fr.Next(); err != nil {
				t.Fatal(err)
			}
		}
		f, err := fr.Read(nil)
		if err != nil || !bytes.Equal(f.Bytes(), want) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		f.Release()
		readFrame(t, fr).Release()
	}
}

func TestFrameReaderEndsMidFrame(t *testing.T) {
	stream := framed(payload(0, 100, 1))
	for cut := 1; cut < len(stream); cut++ {
		fr := NewFrameReader(bytes.NewReader(stream[:cut]), testLimits())
		_, err := fr.Next()
		if err == nil {
			_, err = fr.Read(nil)
		}
		if err != io.ErrUnexpectedEOF {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestFrameReaderBuffered(t *testing.T) {
	stream := framed(payload(0, 100, 1), payload(0, 200, 2), payload(0, 300, 3))
	fr := NewFrameReader(bytes.NewReader(stream[:len(stream)-1]), testLimits())
	for i, want := range []bool{true, false} {
		readFrame(t, fr)
		if fr.Buffered() != want {
			t.Errorf("after frame %d: buffered %v", i, !want)
		}
	}
	fr = NewFrameReader(bytes.NewReader(append(framed(payload(0, 10, 1)), 0xff, 0xff, 0xff, 0xff, 0)), testLimits())
	readFrame(t, fr)
	if fr.Buffered() {
		t.Error("a negative length is no frame")
	}
}

// A frame that is used again must not be aliased by anything a handler may keep.
func TestRecycledFramesAreNotKept(t *testing.T) {
	var byteFields func(reflect.Type) []string
	byteFields = func(t reflect.Type) (names []string) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice:
			return byteFields(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				if f := t.Field(i); f.Type == reflect.TypeFor[[]byte]() {
					names = append(names, f.Name)
				} else if f.Type != reflect.TypeFor[kmsg.Tags]() {
					names = append(names, byteFields(f.Type)...)
				}
			}
		}
		return names
	}
	for key := range KeyLimit {
		if !key.known() || !recycled(payload(key, 20, 0)) {
			continue
		}
		names := byteFields(reflect.TypeOf(kmsg.RequestForKey(int16(key))))
		if len(names) > 0 && !(key == ProduceKey && reflect.DeepEqual(names, []string{"Records"})) {
			t.Errorf("%s: %v alias a frame that is used again", key, names)
		}
	}
}

func TestBufferSize(t *testing.T) {
	for _, c := range [][2]int{{1, 512}, {10, 512}, {512, 512}, {513, 1024}, {4096, 4096}, {4097, 8192}, {4 << 20, 4 << 20}, {4<<20 + 1, 4<<20 + 1}, {math.MaxInt32, math.MaxInt32}} {
		if got := bufferSize(c[0]); got != c[1] {
			t.Errorf("bufferSize(%d) = %d, want %d", c[0], got, c[1])
		}
	}
	if poolOf(pooledBytesMax) != len(framePools)-1 {
		t.Errorf("%d pools, the last size is in %d", len(framePools), poolOf(pooledBytesMax))
	}
}

func FuzzFrameReader(f *testing.F) {
	f.Add(framed(payload(0, 10, 1), payload(1, 600, 2)), 3)
	f.Add([]byte{0, 0, 0xff, 0xff, 1, 2, 3}, 1)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		l := testLimits()
		fr := NewFrameReader(&trickle{stream, max(1, step)}, l)
		rest := stream
		for {
			size, err := fr.Next()
			if err != nil {
				break
			}
			frame, err := fr.Read(nil)
			if used := l.Budget.Used(); used > int64(4*len(stream)+firstBytes) {
				t.Fatalf("%d bytes held for a stream of %d", used, len(stream))
			}
			if err != nil {
				break
			}
			if !bytes.Equal(frame.Bytes(), rest[4:4+size]) {
				t.Fatal("frame differs from what was sent")
			}
			rest = rest[4+size:]
			frame.Release()
		}
		fr.Close()
		if l.Budget.Used() != 0 {
			t.Fatal("bytes leaked")
		}
	})
}

// loop repeats one frame for ever.
type loop struct {
	stream []byte
	at     int
}

func (r *loop) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], r.stream[r.at:])
		n += c
		r.at = (r.at + c) % len(r.stream)
	}
	return n, nil
}

func BenchmarkFrameReader(b *testing.B) {
	for _, n := range []int{100, 1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dB", n), func(b *testing.B) {
			fr := NewFrameReader(&loop{stream: framed(payload(ProduceKey, n, 1))}, testLimits())
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				fr.Next()
				f, _ := fr.Read(nil)
				f.Release()
			}
		})
	}
}
