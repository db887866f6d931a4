package api

import (
	"errors"
	"sync"
	"time"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/protocol"
)

// waitAll waits until each of several partitions has come to a certain mark, or will not, or time is up: produces for their
// high watermarks, deletions for their low ones.
type waitAll struct {
	server *Server
	r      *Request
	owner  waitAllOwner
	places []place

	wait Wait
	mu   struct { // guards the fields below and what settled writes
		sync.Mutex
		// waiting counts the places that wait, and start itself while it arms them.
		waiting int
		done    bool
	}
}

// waitAllOwner is the request that waits.
type waitAllOwner interface {
	// settled hears, one call at a time, how the wait for a place ended: nil, the partition's error, or RequestTimedOut.
	settled(index int, err error)
	// reply is called after the last, once, unless the connection has ended before.
	reply()
}

// place is a partition to wait for.
type place struct {
	partition *partition.Partition
	mark      partition.Mark
	at        int64
	epoch     int32
	index     int // the owner's
	waits     bool
	watch     partition.Watch
}

// start waits for the places, for at most so long, and has the owner reply.
func (a *waitAll) start(timeoutMs int32) {
	a.mu.waiting = 1 + len(a.places)
	for i := range a.places {
		a.places[i].waits = true
	}
	for i := range a.places {
		w := &a.places[i]
		w.watch.Owner, w.watch.Index = a, i
		if !w.partition.Watch(&w.watch, w.mark, w.at, w.epoch) {
			a.settle(w, w.watch.Err)
		}
	}
	a.enter(time.Duration(max(0, timeoutMs)) * time.Millisecond)
	a.settle(nil, nil)
}

// Notice hears that a partition has come to its mark, or never will.
func (a *waitAll) Notice(w *partition.Watch) { a.settle(&a.places[w.Index], w.Err) }

// enter begins the wait, if there still is anything to wait for.
func (a *waitAll) enter(timeout time.Duration) {
	a.mu.Lock()
	left := a.mu.waiting > 1
	a.mu.Unlock()
	if left && !a.server.Purgatory.Enter(&a.wait, a, a.r.Conn, a.server.Now().Add(timeout)) {
		a.Over(true)
	}
}

// settle ends the wait for one place, or with nil start's own part, and replies after the last.
func (a *waitAll) settle(w *place, err error) {
	a.mu.Lock()
	if w != nil && !a.mu.done {
		w.waits = false
		a.owner.settled(w.index, err)
	}
	a.mu.waiting--
	last := a.mu.waiting == 0 && !a.mu.done
	a.mu.done = a.mu.done || last
	a.mu.Unlock()
	if last {
		a.server.Purgatory.Leave(&a.wait)
		a.owner.reply()
	}
}

// Over ends the wait: what has not come by now is REQUEST_TIMED_OUT. What was done stays done.
func (a *waitAll) Over(gone bool) {
	a.mu.Lock()
	if a.mu.done {
		a.mu.Unlock()
		return
	}
	a.mu.done = true
	for i := range a.places {
		if w := &a.places[i]; w.waits {
			w.partition.Unwatch(&w.watch)
			a.owner.settled(w.index, protocol.RequestTimedOut)
		}
	}
	a.mu.Unlock()
	if gone {
		a.r.Close(errConnGone)
		return
	}
	a.owner.reply()
}

// errConnGone ends a request that nobody waits for any more.
var errConnGone = errors.New("the connection ended before the request was answered")
