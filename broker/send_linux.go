package broker

import (
	"io"
	"net"

	"golang.org/x/sys/unix"

	"github.com/ottla/ottla/protocol"
)

// sendfileBytes is the range from which sendfile is cheaper than a read and a write. Below it a copy of a few pages costs
// less than the second system call.
const sendfileBytes = 32 << 10

// sendFile sends up to n bytes at off of a file and returns how many it sent, more than none. It uses sendfile with an
// offset of its own: the file is shared, and its position with it.
func (c *conn) sendFile(f protocol.FileRange, off, n int64) (int64, error) {
	fd, ok := f.Fd()
	tcp, isTCP := c.nc.(*net.TCPConn)
	if !ok || !isTCP || n < sendfileBytes {
		return c.copyRange(f, off, n)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var sent int
	var sendErr error
	err = raw.Write(func(sock uintptr) bool {
		sent, sendErr = unix.Sendfile(int(sock), int(fd), &off, int(n))
		for sendErr == unix.EINTR {
			sent, sendErr = unix.Sendfile(int(sock), int(fd), &off, int(n))
		}
		return sendErr != unix.EAGAIN
	})
	switch {
	case err != nil:
		return 0, err
	case sendErr != nil:
		return 0, sendErr
	case sent == 0:
		return 0, io.ErrUnexpectedEOF // the file ends before the range does: it was cut under us
	}
	return int64(sent), nil
}
