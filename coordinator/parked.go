package coordinator

import (
	"sync"
	"time"

	"github.com/ottla/ottla/protocol"
)

// parked are answers that wait for the high watermark. Their order is that of the log.
type parked struct {
	mu        sync.Mutex
	committed int64 // the high watermark
	queue     []waiting
	held      bool // somebody appends under the shard's lock, and will send what becomes ready
}

// waiting are the answers of one step: they go out when [0, upTo) is committed, or fail at the deadline.
type waiting struct {
	upTo     int64
	deadline time.Time
	answers  []Answer
}

// park keeps answers until [0, upTo) is committed. False: it is already; the caller sends them.
func (p *parked) park(w waiting) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.upTo <= p.committed {
		return false
	}
	p.queue = append(p.queue, w)
	return true
}

// raise tells of a new high watermark and sends what waited for it. The log may call it from within an append.
func (p *parked) raise(highWatermark int64) {
	p.mu.Lock()
	p.committed = max(p.committed, highWatermark)
	var ready []waiting
	if !p.held {
		ready = p.ready()
	}
	p.mu.Unlock()
	send(ready)
}

// hold keeps raise from sending while the shard's lock is held. release takes what became ready meanwhile.
func (p *parked) hold() {
	p.mu.Lock()
	p.held = true
	p.mu.Unlock()
}

func (p *parked) release() []waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
	return p.ready()
}

// ready takes what is committed. Called with mu held.
func (p *parked) ready() []waiting {
	return p.take(func(w waiting) bool { return w.upTo <= p.committed })
}

// expire fails what has waited too long, and reports when the next would. The outcome is not known: the records may yet
// be committed.
func (p *parked) expire(now time.Time) (next time.Time) {
	p.mu.Lock()
	late := p.take(func(w waiting) bool { return !w.deadline.After(now) })
	if len(p.queue) > 0 {
		next = p.queue[0].deadline
	}
	p.mu.Unlock()
	fail(late, codeFor(protocol.RequestTimedOut))
	return next
}

// failAll fails all that waits.
func (p *parked) failAll(code protocol.Code) {
	p.mu.Lock()
	all := p.take(func(waiting) bool { return true })
	p.mu.Unlock()
	fail(all, code)
}

// take cuts off the head of the queue. Called with mu held.
func (p *parked) take(head func(waiting) bool) []waiting {
	n := 0
	for n < len(p.queue) && head(p.queue[n]) {
		n++
	}
	taken := p.queue[:n:n]
	p.queue = p.queue[n:]
	if len(p.queue) == 0 {
		p.queue = nil
	}
	return taken
}

func send(list []waiting) {
	for _, w := range list {
		for _, a := range w.answers {
			a.Send()
		}
	}
}

func fail(list []waiting, code protocol.Code) {
	for _, w := range list {
		for _, a := range w.answers {
			a.Fail(code)
		}
	}
}
