package logstore

import (
	"sync"
	"time"
)

// timers runs things once, later, each in a goroutine of its own, until stop. There is no goroutine while nothing is
// due.
type timers struct {
	mu      sync.Mutex
	stopped bool
	pending map[*time.Timer]struct{}
	running sync.WaitGroup
}

// after runs f once d has passed. It is not run if stop comes first.
func (t *timers) after(d time.Duration, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	if t.pending == nil {
		t.pending = map[*time.Timer]struct{}{}
	}
	var timer *time.Timer
	timer = time.AfterFunc(max(d, 1), func() { // one that is due already runs within AfterFunc where the clock is a test's
		t.mu.Lock()
		_, due := t.pending[timer]
		delete(t.pending, timer)
		if due {
			t.running.Add(1)
		}
		t.mu.Unlock()
		if due {
			defer t.running.Done()
			f()
		}
	})
	t.pending[timer] = struct{}{}
}

// stop drops what is not due yet and waits for what runs.
func (t *timers) stop() {
	t.mu.Lock()
	t.stopped = true
	for timer := range t.pending {
		timer.Stop()
	}
	clear(t.pending)
	t.mu.Unlock()
	t.running.Wait()
}
