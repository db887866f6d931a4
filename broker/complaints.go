package broker

import (
	"sync"
	"time"
)

// complaints limits the log lines that clients can cause: a flood of connections that speak nonsense must not flood the
// log, nor hide what else stands in it. The zero value is ready.
type complaints struct {
	mu struct { // guards the fields below
		sync.Mutex
		until   time.Time // when all lines that were written are paid for
		leftOut int
	}
}

const (
	complaintsAtOnce = 20
	complaintEvery   = 5 * time.Second
)

// take reports whether another line may be written now, and how many were left out before it.
func (c *complaints) take(now time.Time) (leftOut int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.until.Before(now) {
		c.mu.until = now
	}
	if c.mu.until.Sub(now) > (complaintsAtOnce-1)*complaintEvery {
		c.mu.leftOut++
		return 0, false
	}
	c.mu.until = c.mu.until.Add(complaintEvery)
	leftOut, c.mu.leftOut = c.mu.leftOut, 0
	return leftOut, true
}
