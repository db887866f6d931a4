package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// ErrTooLarge is the error for a batch that decompresses to more than the caller takes.
var ErrTooLarge = errors.New("decompressed records too large")

// maxPooledWindow is the largest zstd window that a pooled decoder allocates; it is what the format asks every decoder
// to support. A frame of a larger one (levels 20 to 22) is decompressed whole, by a decoder of its own, if it is not
// larger than maxWholeBytes. keptWindow is what a decoder may hold on to when it is idle: that of level 3; keptBlock is
// the same for a block of snappy or lz4.
const (
	maxPooledWindow = 8 << 20
	maxWholeBytes   = 16 << 20
	keptWindow      = 2 << 20
	keptBlock       = 1 << 20
)

// decoder decompresses one payload at a time. It keeps what the codecs allocate from one payload to the next.
type decoder struct {
	in     bytes.Reader
	gzip   *gzip.Reader
	zstd   *zstd.Decoder
	large  bool // the last zstd window is not worth keeping
	snappy snappyReader
	lz4    lz4Reader
	limit  limitReader
	window [32 << 10]byte // for the walk over the records
}

// decoders are all there are: decompressing is nothing but work for a processor, and so many at a time bound the
// memory that hostile batches can take, however many clients send them.
var decoders = func() chan *decoder {
	n := max(2, runtime.GOMAXPROCS(0))
	c := make(chan *decoder, n)
	for range n {
		c <- nil // made when first needed
	}
	return c
}()

func takeDecoder() *decoder {
	d := <-decoders
	if d == nil {
		d = new(decoder)
	}
	return d
}

func (d *decoder) giveBack() {
	d.forget()
	decoders <- d
}

// forget lets go of what belongs to a payload, and of memory that few payloads need.
func (d *decoder) forget() {
	d.in.Reset(nil)
	d.snappy.in, d.snappy.out = nil, nil
	d.lz4.in, d.lz4.out = nil, nil
	if cap(d.snappy.block) > keptBlock {
		d.snappy.block = nil
	}
	if cap(d.lz4.block) > keptBlock {
		d.lz4.block = nil
	}
	if d.large {
		d.zstd, d.large = nil, false
	}
}

// open gives a reader of what payload decompresses to. It fails with ErrTooLarge after maxBytes.
func (d *decoder) open(codec Codec, payload []byte, maxBytes int) (io.Reader, error) {
	var r io.Reader
	var err error
	switch codec {
	case Gzip:
		r, err = d.openGzip(payload)
	case Snappy:
		r, err = &d.snappy, d.snappy.reset(payload, maxBytes)
	case LZ4:
		r, err = &d.lz4, d.lz4.reset(payload)
	case Zstd:
		r, err = d.openZstd(payload, maxBytes)
	default:
		err = fmt.Errorf("%s does not exist", codec)
	}
	if err != nil {
		return nil, err
	}
	d.limit = limitReader{r: r, left: maxBytes}
	return &d.limit, nil
}

func (d *decoder) openGzip(payload []byte) (io.Reader, error) {
	d.in.Reset(payload)
	if d.gzip == nil {
		d.gzip = new(gzip.Reader)
	}
	return d.gzip, d.gzip.Reset(&d.in)
}

func (d *decoder) openZstd(payload []byte, maxBytes int) (io.Reader, error) {
	var header zstd.Header
	if err := header.Decode(payload); err != nil {
		return nil, err
	}
	window := header.WindowSize
	if header.SingleSegment {
		window = header.FrameContentSize
	}
	if window > maxPooledWindow {
		maxBytes = min(maxBytes, maxWholeBytes)
	}
	if header.HasFCS && header.FrameContentSize > uint64(maxBytes) {
		return nil, ErrTooLarge
	}
	if window > maxPooledWindow {
		return openWholeZstd(payload, maxBytes)
	}
	if d.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxPooledWindow), zstd.WithDecodeBuffersBelow(0))
		if err != nil {
			return nil, err
		}
		d.zstd = z
	}
	d.large = window > keptWindow
	d.in.Reset(payload)
	return d.zstd, d.zstd.Reset(&d.in)
}

func openWholeZstd(payload []byte, maxBytes int) (io.Reader, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	// What a frame says of its size is not believed: room is made for what comes out.
	for room := min(1<<20, maxBytes); ; room = min(8*room, maxBytes) {
		out, err := z.DecodeAll(payload, make([]byte, 0, room))
		if !errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return bytes.NewReader(out), err
		}
		if room == maxBytes {
			return nil, ErrTooLarge
		}
	}
}

// limitReader is an io.LimitReader that says so when it cuts.
type limitReader struct {
	r    io.Reader
	left int
}

func (l *limitReader) Read(p []byte) (int, error) {
	if len(p) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// Decompress appends to dst what payload decompresses to: maxBytes at most, ErrTooLarge beyond. 0 stands for
// DefaultMaxUncompressedBytes. Any other error wraps ErrCorrupt.
func Decompress(dst []byte, codec Codec, payload []byte, maxBytes int) ([]byte, error) {
	if maxBytes == 0 {
		maxBytes = DefaultMaxUncompressedBytes
	}
	d := takeDecoder()
	defer d.giveBack()
	r, err := d.open(codec, payload, maxBytes)
	most := len(dst) + maxBytes + 1 // one more, to see that the bound is passed
	for err == nil {
		if len(dst) == cap(dst) {
			grown := make([]byte, len(dst), min(most, 2*len(dst)+max(1024, 4*len(payload))))
			copy(grown, dst)
			dst = grown
		}
		var n int
		n, err = r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
	}
	if err != io.EOF {
		return dst, codecError(codec, err)
	}
	return dst, nil
}

func codecError(codec Codec, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, codec, err)
}
