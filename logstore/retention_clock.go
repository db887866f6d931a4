package logstore

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ottla/ottla/logstore/mutant"
)

// RetentionClock is the time that decides what is old: records that expired, producers to forget, committed offsets. It
// is the wall clock, unless that jumps ahead: a clock set wrong must not delete what cannot be had back, and one that was
// set right can wait.
//
// The clock's horizon is how far time can have come: the latest that is known, and what has passed since on a clock that
// cannot be set. The wall clock is believed up to the horizon, whichever way it moves. When it is beyond:
//
//	by a minute          it is believed, once a minute: clocks are corrected a little all the time
//	at the start, by
//	  up to a day        it is believed: nothing ran meanwhile
//	  more               it is followed 24 times as fast as time passes
//	while running        nothing happens for a day, in which a person can set it right; then it is followed like that
//
// So whatever the wall clock does while a process runs, nothing is given up for a day that would not be anyway, and what
// was written then not before 1/24 of its retention has really passed.
//
// One is shared by all stores of a process. The latest known time is kept in each data directory.
type RetentionClock struct {
	wall   func() time.Time
	uptime func() time.Duration
	behind func(time.Duration)

	mu    sync.Mutex // guards the fields below; the last lock taken
	guard clockGuard
	ahead time.Duration // of the wall clock, when it was looked at last
}

// NewRetentionClock makes a clock of the wall clock and of a clock that cannot be set. changed, if not nil, hears when the
// wall clock begins to be disbelieved and by how much it is ahead, and with 0 when it is believed again.
func NewRetentionClock(wall func() time.Time, uptime func() time.Duration, changed func(ahead time.Duration)) *RetentionClock {
	return &RetentionClock{wall: wall, uptime: uptime, behind: changed}
}

// Now is the time to hold ages against.
func (c *RetentionClock) Now() time.Time {
	c.mu.Lock()
	now, ahead := c.guard.now(c.wall(), c.uptime())
	told := (c.ahead > 0) == (ahead > 0)
	c.ahead = ahead
	c.mu.Unlock()
	if !told && c.behind != nil {
		c.behind(ahead)
	}
	return now
}

// Ahead is by how much the wall clock is ahead of what is believed, 0 while it is believed.
func (c *RetentionClock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// know takes in a time that had come before the start.
func (c *RetentionClock) know(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guard.know(t)
}

// horizon is the latest time known.
func (c *RetentionClock) horizon() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guard.now(c.wall(), c.uptime())
	return c.guard.horizon
}

const (
	clockTolerance = time.Minute    // a correction that is believed, so often
	clockDowntime  = 24 * time.Hour // between two runs, that is believed
	clockPatience  = 24 * time.Hour // with a jump while running
	clockCatchUp   = 24             // times real speed
)

// clockGuard is the rule of RetentionClock. It has no clock itself.
type clockGuard struct {
	started bool
	horizon time.Time     // as of at
	at      time.Duration // uptime
	// believed is when the wall clock was last believed beyond the horizon.
	believed time.Duration
	// ahead: the wall clock is beyond the horizon, and from patience on it is followed.
	ahead    bool
	patience time.Duration
}

// know raises the horizon before the first now.
func (g *clockGuard) know(t time.Time) {
	if !g.started && t.After(g.horizon) {
		g.horizon = t
	}
}

// now judges the wall clock. ahead is by how much it is not believed.
func (g *clockGuard) now(wall time.Time, up time.Duration) (now time.Time, ahead time.Duration) {
	if !g.started {
		g.start(wall, up)
	}
	g.advance(wall, up)
	gap := wall.Sub(g.horizon)
	switch {
	case gap <= 0:
		g.ahead = false
		return wall, 0
	case gap <= clockTolerance && up-g.believed < clockTolerance:
		return g.horizon, 0
	case gap <= clockTolerance:
		g.horizon, g.believed, g.ahead = wall, up, false
		return wall, 0
	case !g.ahead:
		g.ahead, g.patience = true, up+clockPatience
	}
	return g.horizon, gap
}

func (g *clockGuard) start(wall time.Time, up time.Duration) {
	g.started, g.at, g.believed = true, up, up
	if g.horizon.IsZero() || wall.After(g.horizon) && wall.Sub(g.horizon) <= clockDowntime {
		g.horizon = wall
	}
	g.ahead, g.patience = wall.After(g.horizon), up
}

// advance moves the horizon by what has really passed, and where the wall clock is followed by more.
func (g *clockGuard) advance(wall time.Time, up time.Duration) {
	passed := max(up-g.at, 0)
	followed := max(up-max(g.at, g.patience), 0)
	g.at = max(up, g.at)
	g.horizon = g.horizon.Add(passed)
	if gap := wall.Sub(g.horizon); g.ahead && gap > 0 {
		if followed < gap/(clockCatchUp-1) {
			gap = followed * (clockCatchUp - 1)
		}
		g.horizon = g.horizon.Add(gap)
	}
}

// retentionNow is the time that the store goes by when it looks for what is old.
func (s *Store) retentionNow() time.Time {
	if s.retentionClock == nil || mutant.Is(mutant.BelieveTheClock) {
		return s.now()
	}
	return s.retentionClock.Now()
}

// writeClock notes how late it is. A crash that loses the note loses as much of a downtime's day.
func (s *Store) writeClock() error {
	if s.retentionClock == nil {
		return nil
	}
	name := join(s.dir, retentionClockName)
	if err := writeFile(s.fs, name+tmpExt, encodeClock(s.retentionClock.horizon()), false); err != nil {
		return err
	}
	return s.fs.Rename(name+tmpExt, name)
}

// encodeClock is a checkpoint of one entry: the time in milliseconds.
func encodeClock(t time.Time) []byte {
	return appendCheckpoint(nil, 1, func(b []byte, _ int) []byte { return strconv.AppendInt(b, t.UnixMilli(), 10) })
}

func parseClock(data []byte) (t time.Time, err error) {
	entries := 0
	err = parseCheckpoint(data, func(fields []string) error {
		if entries++; entries > 1 || len(fields) != 1 {
			return errors.New("want one time")
		}
		ms, err := strconv.ParseInt(fields[0], 10, 64)
		t = time.UnixMilli(ms)
		return err
	})
	if err == nil && entries == 0 {
		err = errors.New("the time is missing")
	}
	if err != nil {
		return time.Time{}, err
	}
	return t, nil
}
