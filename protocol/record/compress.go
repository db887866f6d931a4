package record

import (
	"bytes"
	"io"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoder compresses one payload at a time. It keeps what the codecs allocate, per codec for the level last used.
type encoder struct {
	gzip      *gzip.Writer
	gzipLevel int
	zstd      *zstd.Encoder
	zstdLevel int
	snappy    snappyWriter
	lz4       lz4Writer
}

// encoders bound memory as decoders do. To be taken after a decoder where both are needed.
var encoders = func() chan *encoder {
	n := max(2, runtime.GOMAXPROCS(0))
	c := make(chan *encoder, n)
	for range n {
		c <- nil // made when first needed
	}
	return c
}()

func takeEncoder() *encoder {
	e := <-encoders
	if e == nil {
		e = new(encoder)
	}
	return e
}

func (e *encoder) giveBack() {
	e.snappy.w, e.lz4.w = nil, nil
	if e.gzip != nil {
		e.gzip.Reset(nil)
	}
	if e.zstd != nil {
		e.zstd.Reset(nil)
	}
	encoders <- e
}

// open gives a writer that compresses into w until it is closed.
func (e *encoder) open(codec Codec, level int, w io.Writer) (io.WriteCloser, error) {
	switch codec {
	case Gzip:
		return e.openGzip(level, w)
	case Snappy:
		return &e.snappy, e.snappy.reset(w)
	case LZ4:
		return &e.lz4, e.lz4.reset(w, level)
	case Zstd:
		return e.openZstd(level, w)
	case None:
		return stored{w}, nil
	}
	panic("record: compress with " + codec.String())
}

func (e *encoder) openGzip(level int, w io.Writer) (io.WriteCloser, error) {
	if level == DefaultLevel {
		level = gzip.DefaultCompression
	}
	if e.gzip == nil || e.gzipLevel != level {
		z, err := gzip.NewWriterLevel(w, level)
		if err != nil {
			return nil, err
		}
		e.gzip, e.gzipLevel = z, level
		return z, nil
	}
	e.gzip.Reset(w)
	return e.gzip, nil
}

func (e *encoder) openZstd(level int, w io.Writer) (io.WriteCloser, error) {
	if level == DefaultLevel {
		level = 3
	}
	if e.zstd == nil || e.zstdLevel != level {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true),
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)))
		if err != nil {
			return nil, err
		}
		e.zstd, e.zstdLevel = z, level
		return z, nil
	}
	e.zstd.Reset(w)
	return e.zstd, nil
}

// stored is no compression.
type stored struct{ io.Writer }

func (stored) Close() error { return nil }

// Compress appends payload to dst, compressed. The level is Kafka's for the codec, or DefaultLevel; it panics on one
// that the codec does not have, which the configuration has refused.
func Compress(dst []byte, codec Codec, level int, payload []byte) []byte {
	e := takeEncoder()
	defer e.giveBack()
	out := bytes.NewBuffer(dst)
	w, err := e.open(codec, level, out)
	if err == nil {
		_, err = w.Write(payload)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("record: compress: " + err.Error()) // a bytes.Buffer takes every write
	}
	return out.Bytes()
}
