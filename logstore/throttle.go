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

// wait returns when bytes of work, which was just done, are paid for, or with errCompactionAborted once stop is closed.
func (t *throttle) wait(bytes int64, stop <-chan struct{}) error {
	left := t.owe(bytes)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-stop:
		return errCompactionAborted
	}
}

// owe says how long to wait for bytes.
func (t *throttle) owe(bytes int64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rate <= 0 || t.rate > maxThrottledRate {
		return 0
	}
	now := time.Now()
	if t.free.Before(now) {
		t.free = now
	}
	t.free = t.free.Add(time.Duration(float64(bytes) / t.rate * float64(time.Second)))
	return t.free.Sub(now)
}

// maxThrottledRate: no disk is faster.
const maxThrottledRate = 1 << 50
