package hostile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// peer is a client that says what it likes.
type peer struct {
	net.Conn
	in   *bufio.Reader
	sent int32 // requests sent: the last one's correlation id
}

func (b *target) dial(t testing.TB) *peer {
	t.Helper()
	p, err := b.dialed()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func (b *target) dialed() (*peer, error) {
	c, err := net.DialTimeout("tcp", b.Bootstrap, patience)
	if err != nil {
		return nil, err
	}
	return &peer{Conn: c, in: bufio.NewReader(c)}, nil
}

var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("hostile"))

// send sends a request at the version that it bears.
func (p *peer) send(req kmsg.Request) error {
	p.sent++
	return p.write(formatter.AppendRequest(nil, req, p.sent))
}

func (p *peer) write(b []byte) error {
	p.SetWriteDeadline(time.Now().Add(patience))
	_, err := p.Write(b)
	return err
}

// answerBytesMax is more than any answer to these tests holds.
const answerBytesMax = 256 << 20

// receive reads one answer: its correlation id and what follows that.
func (p *peer) receive() (id int32, rest []byte, err error) {
	p.SetReadDeadline(time.Now().Add(patience))
	var head [8]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return 0, nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:]))) - 4
	if size < 0 || size > answerBytesMax {
		return 0, nil, fmt.Errorf("an answer of %d bytes", size)
	}
	rest = make([]byte, size)
	_, err = io.ReadFull(p.in, rest)
	return int32(binary.BigEndian.Uint32(head[4:])), rest, err
}

// decode reads an answer's body, after the correlation id, as that to a request.
func decode(req kmsg.Request, body []byte) (kmsg.Response, error) {
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if resp.IsFlexible() && resp.Key() != 18 { // header v1 has tags, of which we send none
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("an answer's header has tags")
		}
		body = body[1:]
	}
	return resp, resp.ReadFrom(body)
}

// ask sends a request and reads its answer, the only one that is due.
func (p *peer) ask(req kmsg.Request) (kmsg.Response, error) {
	if err := p.send(req); err != nil {
		return nil, err
	}
	id, body, err := p.receive()
	if err != nil {
		return nil, err
	}
	if id != p.sent {
		return nil, fmt.Errorf("an answer to %d, where that to %d is due", id, p.sent)
	}
	return decode(req, body)
}

// mustAsk is ask for what cannot go wrong.
func mustAsk[R kmsg.Response](t testing.TB, p *peer, req kmsg.Request) R {
	t.Helper()
	resp, err := p.ask(req)
	if err != nil {
		t.Fatalf("key %d version %d: %v", req.Key(), req.GetVersion(), err)
	}
	return resp.(R)
}

// ended reports whether the broker has closed the connection, with nothing more to read.
func (p *peer) ended() error {
	p.SetReadDeadline(time.Now().Add(patience))
	n, err := io.Copy(io.Discard, p.in)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("still open after %v", patience)
	case err != nil && !isReset(err):
		return err
	case n > 0:
		return fmt.Errorf("%d bytes came before the end", n)
	}
	return nil
}

// isReset: the broker closed while bytes of ours were still unread.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// open reports whether the broker keeps the connection: nothing is to be read from it and it has not ended.
func (p *peer) open() bool {
	p.SetReadDeadline(time.Unix(1, 0))
	_, err := p.in.ReadByte()
	return errors.Is(err, os.ErrDeadlineExceeded)
}
