//go:build !linux

package broker

import "time"

// sinceBoot is a clock that cannot be set: how long the process has been running.
func sinceBoot() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}
