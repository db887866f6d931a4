package broker

import (
	"errors"
	"sync"
	"time"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// exchange is one request and its answer: the place that the answer holds in the connection's order.
// It is the api.Answerer of its request.
type exchange struct {
	conn  *conn
	frame *protocol.Frame
	began time.Time
	row   *row
	// correlationID comes from the header; zero until that is parsed.
	correlationID int32

	once sync.Once

	// The answer. Written once before conn.answered, read only after it.
	parts   []protocol.Part
	size    int
	held    int64 // bytes of the answer in memory, counted in the connection's account: a range of a file takes none
	buffer  *[]byte
	release func()
	closing bool
	why     error

	answered bool // guarded by conn.mu
}

var _ api.Answerer = (*exchange)(nil)

// errRefused ends a connection whose request a handler refuses to answer.
var errRefused = errors.New("request refused")

// Reply encodes the message where it is made and gives it to the connection.
func (ex *exchange) Reply(resp kmsg.Response) {
	ex.answer(func() {
		ex.buffer = responses.Get().(*[]byte)
		*ex.buffer = protocol.AppendResponse((*ex.buffer)[:0], ex.correlationID, resp)
		ex.parts = []protocol.Part{{Bytes: *ex.buffer}}
		ex.size = len(*ex.buffer)
		ex.held = int64(ex.size)
	})
}

// ReplyParts gives an encoded answer to the connection.
func (ex *exchange) ReplyParts(parts []protocol.Part, size int, release func()) {
	ex.answer(func() {
		ex.parts, ex.size, ex.release = parts, size, release
		for _, p := range parts {
			ex.held += int64(len(p.Bytes))
		}
	})
}

// NoReply gives up the place in the order.
func (ex *exchange) NoReply() { ex.answer(func() {}) }

// Close ends the connection once the answers before this one are sent.
func (ex *exchange) Close(why error) {
	ex.answer(func() {
		ex.closing = true
		ex.why = why
		if why == nil {
			ex.why = errRefused
		}
	})
}

// answer takes the first answer. A second one would go to the wrong request of the client: that is a broken invariant.
func (ex *exchange) answer(set func()) {
	first := false
	ex.once.Do(func() { first = true; set() })
	if !first {
		select {
		case <-ex.conn.done: // whose handler panicked: abandon has answered for it
			return
		default:
			panic("broker: a request was answered twice")
		}
	}
	if ex.row != nil {
		ex.conn.front.metrics.answered(ex.row, ex.conn.front.now().Sub(ex.began), ex.size)
	}
	ex.conn.answered(ex)
}

// abandon gives up a request whose handler panicked, answered or not. The connection has ended.
func (ex *exchange) abandon() {
	ex.once.Do(func() { ex.conn.answered(ex) })
}

// closes reports whether the answer, if there is one already, ends the connection.
func (ex *exchange) closes() bool {
	ex.conn.mu.Lock()
	defer ex.conn.mu.Unlock()
	return ex.answered && ex.closing
}

// drop gives back what the request and its answer held.
func (ex *exchange) drop() {
	if ex.release != nil {
		ex.release()
		ex.release = nil
	}
	if ex.buffer != nil {
		if cap(*ex.buffer) <= keepBytes {
			responses.Put(ex.buffer)
		}
		ex.buffer, ex.parts = nil, nil
	}
	if ex.held > 0 {
		ex.conn.in.Account().Release(ex.held)
		ex.held = 0
	}
	if ex.frame != nil {
		ex.frame.Release()
		ex.frame = nil
	}
}

// responses keeps encode buffers of usual size. Larger ones go back to the heap: a rare response must not stay resident.
var responses = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

const keepBytes = 64 << 10
