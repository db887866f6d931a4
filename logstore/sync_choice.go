package logstore

import "time"

// syncChoice decides whether logs that wait are synced together, by one sync of the whole file system, or each by
// itself. Together is cheaper by far when they are many (docs/adr/0003-group-commit.md), but takes what strangers have
// written along: so it is left alone while there is much of that, and for a while after it took longer than it should.
type syncChoice struct {
	min int // fewer logs are synced each by itself; 0: all are

	alone time.Duration // what a log by itself took of late, its share of those that are synced beside it
	rest  time.Time     // not together before

	pending int64     // what the last look said of bytes that wait to be written
	looked  time.Time // when
}

const (
	minTogether = 16
	// maxSwept bounds what a sync of the file system may find waiting, to be written along.
	maxSwept = 64 << 20
	// sweptLook is how long a look at that is good for.
	sweptLook = 100 * time.Millisecond
	// firstAlone stands for a measurement until there is one.
	firstAlone = 50 * time.Microsecond
	// restTimes is how many times as long as a sync took that was not worth it, none is tried again: a tenth of the time
	// may be lost.
	restTimes = 10
	// errorRest follows a sync of the file system that failed, after which each log was synced by itself as well.
	errorRest = time.Second
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
	switch {
	case err != nil:
		c.rest = now.Add(errorRest)
	case took > time.Duration(logs)*max(c.alone, firstAlone):
		c.rest = now.Add(restTimes * took)
	}
}

// tookAlone learns from the sync of one log, beside others.
func (c *syncChoice) tookAlone(took time.Duration, beside int) {
	share := took / time.Duration(beside)
	if c.alone == 0 {
		c.alone = firstAlone
	}
	c.alone += (share - c.alone) / 8
}
