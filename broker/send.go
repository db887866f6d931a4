package broker

import (
	"net"
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

// stallTime is how long a client may take nothing of what is written to it.
const stallTime = 30 * time.Second

// writeChunk bounds a single write, so that stallTime speaks of progress and not of the size of an answer.
const writeChunk = 1 << 20

func (c *conn) writeBuffers(pending *net.Buffers) error {
	if len(*pending) == 0 {
		return nil
	}
	defer func() { *pending = (*pending)[:0] }()
	total := 0
	for _, b := range *pending {
		total += len(b)
	}
	if total > writeChunk {
		return c.writeSlowly(*pending)
	}
	if err := c.nc.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
		return err
	}
	if len(*pending) == 1 {
		_, err := c.nc.Write((*pending)[0])
		return err
	}
	rest := *pending // WriteTo consumes it
	_, err := rest.WriteTo(c.nc)
	return err
}

// writeSlowly writes large answers piece by piece, each with its own deadline.
func (c *conn) writeSlowly(pending net.Buffers) error {
	for _, b := range pending {
		for len(b) > 0 {
			n := min(len(b), writeChunk)
			if err := c.nc.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
				return err
			}
			if _, err := c.nc.Write(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
	}
	return nil
}

// sendRange writes a range of a file.
func (c *conn) sendRange(p protocol.Part) error {
	for off, left := p.Off, p.Len; left > 0; {
		n := min(left, writeChunk)
		if err := c.nc.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
			return err
		}
		sent, err := c.sendFile(p.File, off, n)
		if err != nil {
			return err
		}
		off, left = off+sent, left-sent
	}
	return nil
}

// copyRange reads a range through a pooled buffer. It sends all of n or fails.
func (c *conn) copyRange(f protocol.FileRange, off, n int64) (int64, error) {
	buf := copies.Get().(*[]byte)
	defer copies.Put(buf)
	n = min(n, int64(len(*buf)))
	if read, err := f.ReadAt((*buf)[:n], off); int64(read) < n {
		return 0, err
	}
	_, err := c.nc.Write((*buf)[:n])
	return n, err
}

var copies = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}
