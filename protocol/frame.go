package protocol

import (
	"encoding/binary"
	"math/bits"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Frame is one request as it came: the header and the body, without the length prefix. Its bytes are counted in the
// connection's account until Release.
type Frame struct {
	hold hold
	buf  []byte // len: what has arrived; cap: what is counted
}

// Bytes is the frame. It is valid until Release, except that byte slices which Decode took from it may be kept: see
// recycled.
func (f *Frame) Bytes() []byte { return f.buf }

// Decode is Decode for the frame's own header and body. It counts the memory of the request until Release too, without
// waiting: a small frame may decode to many times its size.
func (f *Frame) Decode(h RequestHeader, body []byte) (kmsg.Request, error) {
	const uncounted = 4 << 10 // what a usual request decodes to
	r, decoded, err := decode(h, body)
	if err == nil && decoded > uncounted {
		f.hold.charge(decoded)
	}
	return r, err
}

// Release gives back the frame's bytes. It is called once.
func (f *Frame) Release() {
	f.hold.release()
	if !recycled(f.buf) {
		f.buf = nil // what the request's handler kept keeps it alive
	}
	f.recycle()
}

// recycled reports whether a frame's memory is used again as soon as it is released. Decode copies strings and lets byte
// slices alias the frame, and a group keeps its members' metadata: so that is done only for the two APIs that carry the
// traffic. A Fetch request has no byte slices, and the records of a Produce request are in the log when it is answered.
func recycled(frame []byte) bool {
	if len(frame) < headerBytesMin {
		return true
	}
	key := Key(binary.BigEndian.Uint16(frame))
	return key == ProduceKey || key == FetchKey
}

// Frames of up to pooledBytesMax live in buffers whose sizes are powers of two. Larger ones are exact and not kept.
const (
	pooledBytesMin = 512
	pooledBytesMax = 4 << 20
)

// framePools hold released frames by the size of their buffer: pooledBytesMin << i.
var framePools [14]sync.Pool

// poolOf is the pool for buffers of n bytes, n at most pooledBytesMax.
func poolOf(n int) int {
	return max(0, bits.Len(uint(n-1))-bits.Len(pooledBytesMin-1))
}

// bufferSize is the size of the buffer that a frame of n bytes gets.
func bufferSize(n int) int {
	if n > pooledBytesMax {
		return n
	}
	return pooledBytesMin << poolOf(n)
}

// newFrame is an empty frame with a buffer of size bytes, a result of bufferSize.
func newFrame(size int) *Frame {
	if size <= pooledBytesMax {
		if f, ok := framePools[poolOf(size)].Get().(*Frame); ok {
			return f
		}
	}
	return &Frame{buf: make([]byte, 0, size)}
}

// recycle keeps the frame for a later one, if its buffer is of a size that is kept.
func (f *Frame) recycle() {
	size := cap(f.buf)
	if size < pooledBytesMin || size > pooledBytesMax {
		return
	}
	f.buf = f.buf[:0]
	f.hold = hold{}
	framePools[poolOf(size)].Put(f)
}
