package logstore

import (
	"sync"
	"time"
)

// throttle spaces out work of so many bytes a second, of all who share it.
type throttle struct {
	mu   sync.Mutex
	rate float64 // 0 and less: without bound
	free time.Time
}

func (t *throttle) set(bytesPerSecond float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rate = bytesPerSecond
}

// throttleNap is how long a wait may go without asking whether it is still wanted.
const throttleNap = 50 * time.Millisecond

// wait returns when bytes of work, which was just done, are paid for. It ends early with errCompactionAborted once
// aborted says so.
func (t *throttle) wait(bytes int64, aborted func() bool) error {
	t.mu.Lock()
	if t.rate <= 0 || t.rate > maxThrottledRate {
		t.mu.Unlock()
		return nil
	}
	now := time.Now()
	if t.free.Before(now) {
		t.free = now
	}
	t.free = t.free.Add(time.Duration(float64(bytes) / t.rate * float64(time.Second)))
	left := t.free.Sub(now)
	t.mu.Unlock()
	for ; left > 0; left -= throttleNap {
		if aborted() {
			return errCompactionAborted
		}
		time.Sleep(min(left, throttleNap))
	}
	return nil
}

// maxThrottledRate: no disk is faster.
const maxThrottledRate = 1 << 50
