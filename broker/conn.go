package broker

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/protocol"
)

// conn serves one client: it reads frames, hands each request to its handler, and sends the answers in the order of the
// requests.
//
// One goroutine reads (serve). It also writes the answers that are there when a handler returns, so that a request whose
// answer is known at once costs no hop. An answer that comes later, from the flusher or from a timer, starts drain on a
// goroutine of its own, which ends when nothing is ready: an idle connection holds one goroutine and one small buffer.
type conn struct {
	front *front
	nc    net.Conn
	info  *api.Conn
	done  chan struct{}
	in    *protocol.FrameReader

	mu struct { // guards the fields below
		sync.Mutex
		// queue holds the requests whose answers have not been sent, oldest first.
		queue []*exchange
		// dispatching is the request whose handler serve is in: serve itself sends that one's answer.
		dispatching *exchange
		// writing: serve or drain is sending. Only that one takes exchanges from the head of the queue.
		writing bool
		// unsent counts the bytes of the answers in queue.
		unsent int
		// ended: no more answers are sent.
		ended bool
	}
	// room is signalled when the queue shrinks, and at the end.
	room *sync.Cond

	// muteUntil: nothing is read before it. Quotas set it (KIP-219).
	muteUntil time.Time
	endOnce   sync.Once
	drains    sync.WaitGroup
}

func newConn(f *front, nc net.Conn, listener string) *conn {
	done := make(chan struct{})
	c := &conn{front: f, nc: nc, done: done, info: &api.Conn{
		Listener: listener, Local: nc.LocalAddr(), Remote: nc.RemoteAddr(), Principal: f.principal, Done: done,
	}}
	c.info.RemoteHost = c.info.Host()
	c.in = protocol.NewFrameReader(nc, f.frames)
	c.in.OnWait(c.sendReady) // what afterDispatch has kept back may be what there is no room for
	c.room = sync.NewCond(&c.mu)
	return c
}

// serve reads until the client or the broker ends the connection.
func (c *conn) serve() {
	err := c.readRequests()
	if c.front.draining.Load() {
		c.awaitAnswers()
		c.linger()
	}
	c.end(err)
	c.drains.Wait()
	c.dropQueue()
	c.in.Close()
}

func (c *conn) readRequests() error {
	for {
		if err := c.awaitRoom(); err != nil {
			return err
		}
		frame, err := c.readFrame()
		if err != nil {
			return err
		}
		ex := &exchange{conn: c, frame: frame, began: c.front.now()}
		c.push(ex)
		c.front.dispatch(ex)
		c.afterDispatch(ex)
		if ex.closes() {
			return c.awaitEnd()
		}
	}
}

// readFrame waits for the next frame: long for its first byte, and then only as long as its sender keeps up.
func (c *conn) readFrame() (*protocol.Frame, error) {
	for {
		if err := c.nc.SetReadDeadline(c.idleDeadline()); err != nil {
			return nil, err
		}
		_, err := c.in.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) && c.in.AtBoundary() && c.busy() && !c.front.draining.Load() {
			continue // a parked request is not idleness
		}
		if err != nil {
			return nil, err
		}
		return c.readRest()
	}
}

// readRest waits for what follows the length.
func (c *conn) readRest() (*protocol.Frame, error) {
	p := c.newPace()
	received, waits := 0, 0
	for {
		if err := c.nc.SetReadDeadline(c.front.now().Add(glance)); err != nil {
			return nil, err
		}
		frame, err := c.in.Read(c.done)
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.front.draining.Load() {
			return frame, err
		}
		if c.in.Waits() != waits { // for room, and nobody read: that says nothing of the sender
			p, received, waits = c.newPace(), c.in.Received(), c.in.Waits()
			continue
		}
		p.moved(c.in.Received() - received)
		received = c.in.Received()
		if p.tooSlow() {
			return nil, err
		}
	}
}

func (c *conn) idleDeadline() time.Time {
	if c.front.draining.Load() {
		return time.Unix(1, 0)
	}
	return c.front.now().Add(c.front.limits.IdleTimeout)
}

// busy reports whether requests are unanswered or answers unsent.
func (c *conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.queue) > 0 || c.mu.writing
}

// awaitRoom is one half of the back-pressure: nothing is read while the client leaves too many requests with us. The other
// half is the frame reader's account, which counts the bytes of frames and of unsent answers.
func (c *conn) awaitRoom() error {
	if wait := c.muteUntil.Sub(c.front.now()); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.done:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.mu.ended && len(c.mu.queue) >= c.front.limits.InFlight {
		c.room.Wait()
	}
	if c.mu.ended {
		return net.ErrClosed
	}
	return nil
}

// awaitAnswers waits until everything taken in is answered and sent, or the connection has ended.
func (c *conn) awaitAnswers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.mu.ended && (len(c.mu.queue) > 0 || c.mu.writing) {
		c.room.Wait()
	}
}

// awaitEnd waits until the answers before a closing one are sent and the closing one has ended the connection.
func (c *conn) awaitEnd() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.mu.ended {
		c.room.Wait()
	}
	return net.ErrClosed
}

func (c *conn) push(ex *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.queue = append(c.mu.queue, ex)
	c.mu.dispatching = ex
}

// afterDispatch sends what is ready, unless another whole request waits in the buffer: then its answer can leave in the
// same write.
func (c *conn) afterDispatch(ex *exchange) {
	c.mu.Lock()
	c.mu.dispatching = nil
	wait := c.mu.unsent < coalesceBytes && !ex.closing && c.in.Buffered() && len(c.mu.queue) < c.front.limits.InFlight
	c.mu.Unlock()
	if !wait {
		c.sendReady()
	}
}

// sendReady sends what is ready, unless somebody does. The goroutine that reads calls it.
func (c *conn) sendReady() {
	c.mu.Lock()
	ready := !c.mu.writing && len(c.mu.queue) > 0 && c.mu.queue[0].answered
	c.mu.writing = c.mu.writing || ready
	c.mu.Unlock()
	if ready {
		c.drain()
	}
}

// coalesceBytes is how much may gather before answers are sent although more requests are buffered.
const coalesceBytes = 64 << 10

// answered is called by the exchange when its answer is known.
func (c *conn) answered(ex *exchange) {
	c.mu.Lock()
	if c.mu.ended {
		ex.held = 0
		c.mu.Unlock()
		ex.drop()
		return
	}
	ex.answered = true
	c.mu.unsent += ex.size
	c.in.Account().Charge(ex.held)
	start := !c.mu.writing && c.mu.queue[0] == ex && c.mu.dispatching != ex
	if start {
		c.mu.writing = true
		c.drains.Add(1)
	}
	c.mu.Unlock()
	if start {
		go func() {
			defer c.drains.Done()
			c.drain()
		}()
	}
}

// drain sends ready answers, oldest first, until none is ready. Its caller has set mu.writing.
func (c *conn) drain() {
	var batch []*exchange
	for {
		batch = c.takeReady(batch[:0])
		if len(batch) == 0 {
			return
		}
		err := c.send(batch)
		for _, ex := range batch {
			ex.drop()
			if err == nil && ex.closing {
				err = ex.why
			}
		}
		if err != nil {
			c.end(err)
		}
	}
}

// takeReady removes the answered requests from the head of the queue, at most about coalesceBytes of them. With none
// there it clears mu.writing.
func (c *conn) takeReady(batch []*exchange) []*exchange {
	c.mu.Lock()
	defer c.mu.Unlock()
	bytes, n := 0, 0
	for n < len(c.mu.queue) && c.mu.queue[n].answered && bytes < coalesceBytes && !c.mu.ended {
		batch = append(batch, c.mu.queue[n])
		bytes += c.mu.queue[n].size
		n++
		if batch[n-1].closing {
			break
		}
	}
	if n == 0 {
		c.mu.writing = false
		c.room.Broadcast()
		return batch
	}
	rest := copy(c.mu.queue, c.mu.queue[n:])
	clear(c.mu.queue[rest:])
	c.mu.queue = c.mu.queue[:rest]
	c.mu.unsent -= bytes
	c.room.Broadcast()
	return batch
}

// end stops the connection: no more is read, nothing that is not yet sent will be. It may be called by any goroutine.
func (c *conn) end(why error) {
	c.endOnce.Do(func() {
		c.mu.Lock()
		c.mu.ended = true
		c.room.Broadcast()
		c.mu.Unlock()
		close(c.done)
		c.nc.Close()
		c.front.dropParked(c.info)
		c.front.ended(c, why)
	})
}

// lingerTime is how long a client may take to read the last answers of a broker that stops.
const lingerTime = 500 * time.Millisecond

// linger says that no more answers will come, and waits until the client has closed. To close a socket that holds unread
// requests, of which a client may have sent several, would have the kernel take back answers that the client has not read
// (RFC 1122, 4.2.2.13): it would send again, after the restart, what is in the log.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.nc.SetReadDeadline(c.front.now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, c.nc)
}

// dropQueue releases what answered requests still hold; the others are dropped when their answer comes.
func (c *conn) dropQueue() {
	c.mu.Lock()
	queue := c.mu.queue
	c.mu.queue = nil
	c.mu.Unlock()
	for _, ex := range queue {
		if ex.answered {
			ex.drop()
		}
	}
}

// closeReason is the word for metrics and logs why a connection ended.
func closeReason(err error) (reason string, level slog.Level) {
	var timeout net.Error
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return "client", slog.LevelDebug
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout", slog.LevelDebug
	case errors.Is(err, errRefused):
		return "refused", slog.LevelDebug
	}
	var bad *protocol.Error
	if errors.As(err, &bad) {
		return "protocol", slog.LevelInfo
	}
	return "error", slog.LevelDebug
}
