package broker

import "time"

// clockChanged turns a wall clock that jumped, or is right again, into a log line.
func (b *Broker) clockChanged(ahead time.Duration) {
	if ahead > 0 {
		b.log.Warn("the clock is ahead of the time that can have passed: retention does not follow it yet, so that a clock set wrong deletes nothing",
			"ahead", ahead.Round(time.Second).String(), "clock", b.now().UTC().Format(time.RFC3339))
		return
	}
	b.log.Info("the clock and retention agree again")
}

// clockAhead is a gauge.
func (b *Broker) clockAhead() float64 {
	if b.retentionClock == nil {
		return 0
	}
	return b.retentionClock.Ahead().Seconds()
}
