package logstore

import (
	"time"

	"github.com/ottla/ottla/logstore/mutant"
)

// syncChoice decides whether logs that wait are synced together, by one sync of the whole file system, or each by
// itself. Together is cheaper by far when they are many (docs/adr/group-commit.md), but takes along what strangers
// have written: so it is left alone while there is much of that, and while it is found to take longer.
type syncChoice struct {
	min int // fewer logs are synced each by itself; 0: all are

	whole time.Duration // what a log's share of a sync of all was of late; 0 before the first
	alone time.Duration // ... of as many syncs of one log as there may be beside each other
	rest  time.Time     // not together before

	pending int64     // what the last look said of bytes that wait to be written
	looked  time.Time // when
}

const (
	minTogether = 16
	// maxSwept bounds what a sync of the file system may find waiting, to be written along. What strangers go on writing
	// adds little to each of many syncs, but the first takes all that has gathered: for about a second at most.
	maxSwept = 1 << 30
	// sweptLook is how long a look at that is good for.
	sweptLook = 100 * time.Millisecond
	// firstAlone stands for a measurement until there is one.
	firstAlone = 100 * time.Microsecond
	// restTimes is how many times as long as a sync took that was not worth it, none is tried again: a tenth of the time
	// may be lost.
	restTimes = 10
)

// together decides for so many logs. pending is asked now and then.
func (c *syncChoice) together(logs int, now time.Time, pending func() int64) bool {
	if c.min == 0 || logs < c.min || now.Before(c.rest) {
		return false
	}
	if now.Sub(c.looked) >= sweptLook {
		c.looked, c.pending = now, pending()
	}
	return c.pending <= maxSwept
}

// tookTogether learns from a sync of the file system for so many logs.
func (c *syncChoice) tookTogether(logs int, took time.Duration, err error, now time.Time) {
	if err != nil && !mutant.Is(mutant.ForgetVolumeError) {
		c.min = 0 // see volume
		return
	}
	learn(&c.whole, took/time.Duration(logs), 2)
	if c.whole > max(c.alone, firstAlone) {
		c.rest = now.Add(restTimes * took)
	}
}

// tookAlone learns from the sync of one log while as many others were synced beside it as may be.
func (c *syncChoice) tookAlone(took time.Duration, beside int) {
	learn(&c.alone, took/time.Duration(beside), 8)
}

// learn moves an average towards what was measured, by one nth.
func learn(average *time.Duration, measured time.Duration, nth int64) {
	if *average == 0 {
		*average = measured
	}
	*average += (measured - *average) / time.Duration(nth)
}
