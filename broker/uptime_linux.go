package broker

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot is a clock that cannot be set, and that goes on while the machine sleeps.
func sinceBoot() func() time.Duration {
	began := time.Now()
	return func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
			return time.Since(began) // a kernel without it has none at all
		}
		return time.Duration(t.Nano())
	}
}
