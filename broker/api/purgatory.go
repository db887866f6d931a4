package api

import (
	"container/heap"
	"sync"
	"time"
)

// Purgatory keeps the requests that wait for something on partitions: produces for the high watermark, fetches for
// records. It ends a wait when its time is up or its connection is gone. All share one timer, which is not set while
// nothing waits; a wait costs no goroutine.
//
// How many can wait is bounded by the connections: each holds a bounded number of requests, and what waits for one that
// has ended is dropped at once, whatever time it asked for.
type Purgatory struct {
	now func() time.Time

	mu struct { // guards the fields below; nothing is called with it held
		sync.Mutex
		deadlines deadlines
		byConn    map[*Conn]*Wait
		timer     *time.Timer
		// armed is when timer fires, zero while it is not set.
		armed time.Time
	}
}

// Waiter is a request in purgatory.
type Waiter interface {
	// Over is called when the wait's time is up, or its connection gone, in place of what it waits for. Both may happen
	// at once: the waiter decides which came first.
	Over(gone bool)
}

// Wait is a request's place in purgatory. It lies in its owner: to wait allocates nothing.
type Wait struct {
	owner      Waiter
	conn       *Conn
	deadline   time.Time
	index      int // in deadlines, -1 when not there
	prev, next *Wait
}

// NewPurgatory is an empty purgatory.
func NewPurgatory(now func() time.Time) *Purgatory {
	p := &Purgatory{now: now}
	p.mu.byConn = make(map[*Conn]*Wait)
	return p
}

// Enter lets w wait until deadline. On a connection that has ended it returns false, and Over will not be called.
func (p *Purgatory) Enter(w *Wait, owner Waiter, c *Conn, deadline time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-c.Done: // closed before Drop is called: what enters later than this would never be dropped
		w.index = -1
		return false
	default:
	}
	w.owner, w.conn, w.deadline = owner, c, deadline
	w.prev, w.next = nil, p.mu.byConn[c]
	if w.next != nil {
		w.next.prev = w
	}
	p.mu.byConn[c] = w
	heap.Push(&p.mu.deadlines, w)
	p.arm()
	return true
}

// Leave ends a wait that has come to its end, or that never began.
func (p *Purgatory) Leave(w *Wait) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(w)
}

// Drop ends everything that waits for a connection. The connection calls it once, after Done is closed.
func (p *Purgatory) Drop(c *Conn) {
	p.mu.Lock()
	first := p.mu.byConn[c]
	delete(p.mu.byConn, c)
	for w := first; w != nil; w = w.next {
		heap.Remove(&p.mu.deadlines, w.index)
		w.conn = nil
	}
	p.mu.Unlock()
	tellOver(first, true)
}

// Waiting is how many requests wait.
func (p *Purgatory) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.deadlines)
}

func (p *Purgatory) remove(w *Wait) {
	if w.conn == nil || w.index < 0 {
		return
	}
	heap.Remove(&p.mu.deadlines, w.index)
	switch {
	case w.prev != nil:
		w.prev.next = w.next
	case w.next != nil:
		p.mu.byConn[w.conn] = w.next
	default:
		delete(p.mu.byConn, w.conn)
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	w.conn, w.prev, w.next = nil, nil, nil
}

// arm sets the timer for the earliest deadline, unless it fires before that anyhow. mu is held.
func (p *Purgatory) arm() {
	first := p.mu.deadlines[0].deadline
	if !p.mu.armed.IsZero() && !first.Before(p.mu.armed) {
		return
	}
	p.mu.armed = first
	wait := first.Sub(p.now())
	if p.mu.timer == nil {
		p.mu.timer = time.AfterFunc(wait, p.expire)
		return
	}
	p.mu.timer.Reset(wait)
}

// expire runs when the timer fires.
func (p *Purgatory) expire() {
	now := p.now()
	var first, last *Wait
	p.mu.Lock()
	for len(p.mu.deadlines) > 0 && !p.mu.deadlines[0].deadline.After(now) {
		w := p.mu.deadlines[0]
		p.remove(w)
		if last == nil {
			first = w
		} else {
			last.next = w
		}
		last = w
	}
	p.mu.armed = time.Time{}
	if len(p.mu.deadlines) > 0 {
		p.arm()
	}
	p.mu.Unlock()
	tellOver(first, false)
}

func tellOver(first *Wait, gone bool) {
	for w := first; w != nil; {
		next := w.next
		w.next = nil
		w.owner.Over(gone)
		w = next
	}
}

// deadlines is a heap, the earliest first.
type deadlines []*Wait

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline.Before(d[j].deadline) }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}
func (d *deadlines) Push(w any) {
	w.(*Wait).index = len(*d)
	*d = append(*d, w.(*Wait))
}
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	w := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	w.index = -1
	return w
}
