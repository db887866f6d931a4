package broker

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ottla/ottla/protocol"
)

// send writes the answers of a batch. Memory leaves in one vectored write; a range of a segment file is sent by the kernel
// where it can do that (sendFile), and through a small buffer where it is short or the platform cannot.
func (c *conn) send(batch []*exchange) error {
	var pending net.Buffers
	for _, ex := range batch {
		for _, p := range ex.parts {
			if p.File == nil {
				pending = append(pending, p.Bytes)
				continue
			}
			if err := c.writeBuffers(&pending); err != nil {
				return err
			}
			if err := c.sendRange(p); err != nil {
				return err
			}
		}
		c.front.metrics.sent(ex.size)
	}
	return c.writeBuffers(&pending)
}

// writeBuffers writes what is pending, and empties it.
func (c *conn) writeBuffers(pending *net.Buffers) error {
	var size int64
	for _, b := range *pending {
		size += int64(len(b))
	}
	rest := *pending // WriteTo consumes it
	*pending = (*pending)[:0]
	return c.keepWriting(size, func(int64) (int64, error) {
		if len(rest) == 1 {
			n, err := c.nc.Write(rest[0])
			rest[0] = rest[0][n:]
			return int64(n), err
		}
		return rest.WriteTo(c.nc)
	})
}

// sendRange writes a range of a file.
func (c *conn) sendRange(p protocol.Part) error {
	off := p.Off
	return c.keepWriting(p.Len, func(left int64) (int64, error) {
		n, err := c.sendFile(p.File, off, left)
		off += n
		return n, err
	})
}

// keepWriting calls write until it has sent size bytes, as long as the client takes them fast enough. A write ends with
// the deadline, having sent a part.
func (c *conn) keepWriting(size int64, write func(left int64) (int64, error)) error {
	p := c.newPace()
	for size > 0 {
		if err := c.nc.SetWriteDeadline(time.Now().Add(glance)); err != nil {
			return err
		}
		n, err := write(size)
		size -= n
		p.moved(int(n))
		if err != nil && (!errors.Is(err, os.ErrDeadlineExceeded) || p.tooSlow()) {
			return err
		}
	}
	return nil
}

// copyRange reads a part of a range through a pooled buffer, and sends it.
func (c *conn) copyRange(f protocol.FileRange, off, n int64) (int64, error) {
	buf := copies.Get().(*[]byte)
	defer copies.Put(buf)
	n = min(n, int64(len(*buf)))
	if read, err := f.ReadAt((*buf)[:n], off); int64(read) < n {
		return 0, err
	}
	sent, err := c.nc.Write((*buf)[:n])
	return int64(sent), err
}

var copies = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}
