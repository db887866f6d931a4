package logstore

import (
	"sync"
	"time"
)

// removals are files that nobody looks for any more and that are removed later: a reader may still have to open one
// (file.delete.delay.ms). When space is short none waits.
type removals struct {
	store *Store

	mu      sync.Mutex // the last lock taken
	pending map[*removal]struct{}
}

type removal struct{ do func() }

// after removes in a while, or now where space is short.
func (r *removals) after(delay time.Duration, do func()) {
	if r.store.space.short() {
		delay = 0
	}
	waiting := &removal{do}
	r.mu.Lock()
	if r.pending == nil {
		r.pending = map[*removal]struct{}{}
	}
	r.pending[waiting] = struct{}{}
	r.mu.Unlock()
	r.store.timers.after(delay, func() { r.run(waiting) })
}

// run removes what has not been removed yet.
func (r *removals) run(waiting *removal) {
	r.mu.Lock()
	_, due := r.pending[waiting]
	delete(r.pending, waiting)
	r.mu.Unlock()
	if due {
		waiting.do()
	}
}

// hurry removes all that waits.
func (r *removals) hurry() {
	r.mu.Lock()
	all := make([]*removal, 0, len(r.pending))
	for waiting := range r.pending {
		all = append(all, waiting)
	}
	r.mu.Unlock()
	for _, waiting := range all {
		r.run(waiting)
	}
}
