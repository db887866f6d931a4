package protocol

import (
	"encoding/binary"
	"io"
	"math"
)

// FrameLimits bounds what the frames of a connection may cost.
type FrameLimits struct {
	// FrameBytesMax is the largest frame. Source: socket.request.max.bytes; 512 KiB until a SASL client has authenticated.
	FrameBytesMax int
	// ConnectionBytesMax is what the frames in flight and the unsent responses of one connection may hold together.
	ConnectionBytesMax int64
	// Budget is what all connections share.
	Budget *Budget
}

// FrameReader reads frames off a connection: int32 length, then as many bytes. It takes memory as bytes arrive, not as
// they are announced. One goroutine uses it. After an error that is a timeout, the same call may be made again.
type FrameReader struct {
	src     io.Reader
	account *Account
	max     int
	// onWait is called before Read waits for room.
	onWait func()

	// buf holds what was read and is not yet part of a frame: buf[r:w].
	buf  []byte
	r, w int

	// announced: Next has returned, and Read has not; size is the length announced.
	announced bool
	size      int
	frame     *Frame // what Read has of it so far
}

// readBytes is what every connection holds while it is idle, and what one read of small requests may bring.
const readBytes = 4 << 10

// firstBytes is the buffer that a frame's announcement alone is worth.
const firstBytes = 4 << 10

// NewFrameReader reads frames from src, which returns what it has as soon as it has something, as a net.Conn does.
func NewFrameReader(src io.Reader, l FrameLimits) *FrameReader {
	return &FrameReader{src: src, max: l.FrameBytesMax, account: l.Budget.Open(l.ConnectionBytesMax), buf: make([]byte, readBytes)}
}

// Account is where the connection's frames are counted, and its unsent responses should be.
func (fr *FrameReader) Account() *Account { return fr.account }

// SetFrameBytesMax changes the limit from the next frame on.
func (fr *FrameReader) SetFrameBytesMax(n int) { fr.max = n }

// OnWait sets a function that is called before Read waits for room in the budget: the caller lets go there of what it
// holds back, which the room may depend on.
func (fr *FrameReader) OnWait(f func()) { fr.onWait = f }

// Next waits for the next frame's length prefix and returns the length. io.EOF: the client closed between two frames.
func (fr *FrameReader) Next() (size int, err error) {
	for fr.w-fr.r < 4 {
		if err := fr.fill(); err != nil {
			return 0, err
		}
	}
	prefix := fr.buf[fr.r : fr.r+4]
	size = int(int32(binary.BigEndian.Uint32(prefix)))
	if size < headerBytesMin || size > fr.max {
		return 0, Errorf(InvalidRequest, "a frame of %d bytes, where %d to %d are taken%s", size, headerBytesMin, fr.max, guess(prefix))
	}
	fr.r += 4
	fr.size, fr.announced = size, true
	return size, nil
}

// Read waits for the frame that Next announced, and for room in the budget. It ends with ErrClosing when done is closed
// while it waits for room.
func (fr *FrameReader) Read(done <-chan struct{}) (*Frame, error) {
	for fr.frame == nil || len(fr.frame.buf) < fr.size {
		if fr.r == fr.w && fr.full() { // no memory before there is a byte to put in it
			if err := fr.fill(); err != nil {
				return nil, err
			}
		}
		if fr.full() {
			if err := fr.grow(done); err != nil {
				return nil, err
			}
		}
		if err := fr.take(); err != nil {
			return nil, err
		}
	}
	f := fr.frame
	fr.frame, fr.announced = nil, false
	return f, nil
}

// Received is how many bytes of the announced frame have arrived: what a deadline can judge progress by.
func (fr *FrameReader) Received() int {
	n := 0
	if fr.frame != nil {
		n = len(fr.frame.buf)
	}
	if fr.announced {
		n += min(fr.w-fr.r, fr.size-n)
	}
	return n
}

// Waits is how often the announced frame has waited for room: time that its sender is not to blame for.
func (fr *FrameReader) Waits() int {
	if fr.frame == nil {
		return 0
	}
	return fr.frame.hold.waits
}

// AtBoundary reports that nothing of a further frame has arrived.
func (fr *FrameReader) AtBoundary() bool { return !fr.announced && fr.r == fr.w }

// Buffered reports whether the next frame is already here, whole.
func (fr *FrameReader) Buffered() bool {
	if fr.announced || fr.w-fr.r < 4 {
		return false
	}
	size := binary.BigEndian.Uint32(fr.buf[fr.r:])
	return size <= math.MaxInt32 && int(size) <= fr.w-fr.r-4
}

// Close releases what a frame that will not be finished holds.
func (fr *FrameReader) Close() {
	if fr.frame != nil {
		fr.frame.Release()
		fr.frame = nil
	}
}

// fill reads more into buf. There is room: a prefix is shorter than buf, and Read takes what is there first.
func (fr *FrameReader) fill() error {
	if fr.r > 0 {
		fr.w = copy(fr.buf, fr.buf[fr.r:fr.w])
		fr.r = 0
	}
	n, err := fr.src.Read(fr.buf[fr.w:])
	fr.w += n
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return fr.midFrame(err)
}

// full reports whether the frame has no room for another byte.
func (fr *FrameReader) full() bool {
	return fr.frame == nil || len(fr.frame.buf) == cap(fr.frame.buf)
}

// grow gives the frame a buffer for four times what has arrived, at most the announced size.
func (fr *FrameReader) grow(done <-chan struct{}) error {
	have := 0
	if fr.frame != nil {
		have = cap(fr.frame.buf)
	}
	size := bufferSize(min(fr.size, max(firstBytes, 4*have)))
	if fr.frame == nil {
		f := newFrame(size)
		f.hold = hold{account: fr.account}
		if err := fr.acquire(&f.hold, int64(size), done); err != nil {
			f.recycle()
			return err
		}
		fr.frame = f
		return nil
	}
	f := fr.frame
	if err := fr.acquire(&f.hold, int64(size-have), done); err != nil {
		return err
	}
	larger := newFrame(size)
	larger.buf = append(larger.buf[:0], f.buf...)
	larger.buf, f.buf = f.buf, larger.buf
	larger.recycle()
	return nil
}

// acquire takes n more bytes for the frame, and waits for room if need be.
func (fr *FrameReader) acquire(h *hold, n int64, done <-chan struct{}) error {
	if h.try(n) {
		return nil
	}
	if fr.onWait != nil {
		fr.onWait()
	}
	return h.acquire(n, done)
}

// take moves bytes into the frame: those in buf first, then from the connection directly.
func (fr *FrameReader) take() error {
	f := fr.frame
	have := len(f.buf)
	into := f.buf[have:min(cap(f.buf), fr.size)]
	if fr.r < fr.w {
		n := copy(into, fr.buf[fr.r:fr.w])
		fr.r += n
		f.buf = f.buf[:have+n]
		return nil
	}
	n, err := fr.src.Read(into)
	f.buf = f.buf[:have+n]
	if n > 0 {
		return nil
	}
	return fr.midFrame(err)
}

// midFrame is the error of a read that brought nothing.
func (fr *FrameReader) midFrame(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	if err == io.EOF && !fr.AtBoundary() {
		return io.ErrUnexpectedEOF
	}
	return err
}

// guess says what a client speaks that took the port for another one's.
func guess(prefix []byte) string {
	switch string(prefix) {
	case "GET ", "POST", "PUT ", "HEAD", "PRI ", "OPTI", "DELE":
		return "; this looks like HTTP"
	case "SSH-":
		return "; this looks like SSH"
	case "PROX", "\r\n\r\n":
		return "; this looks like the PROXY protocol"
	}
	if prefix[0] == 0x16 && prefix[1] == 3 {
		return "; this looks like TLS, which this listener does not speak"
	}
	return ""
}
