package logstore

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// fakeTime is a wall clock that can be set, and one that cannot.
type fakeTime struct {
	mu   sync.Mutex
	wall time.Time
	up   time.Duration
}

func (f *fakeTime) move(wall, up time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall, f.up = f.wall.Add(wall), f.up+up
}

func (f *fakeTime) pass(d time.Duration) { f.move(d, d) }
func (f *fakeTime) set(by time.Duration) { f.move(by, 0) }

func (f *fakeTime) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wall
}

func (f *fakeTime) uptime() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.up
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
	year = 365 * day
)

func TestRetentionClock(t *testing.T) {
	epoch := time.UnixMilli(1_700_000_000_000)
	type step struct {
		passes, set time.Duration
		// believed is the clock's time since the beginning, and ahead what it does not believe.
		believed, ahead time.Duration
	}
	for name, c := range map[string]struct {
		known time.Duration // before the start; 0: nothing is
		steps []step
	}{
		"nothing jumps":          {0, []step{{0, 0, 0, 0}, {hour, 0, hour, 0}, {year, 0, hour + year, 0}}},
		"a frozen process":       {0, []step{{0, 0, 0, 0}, {5 * time.Minute, 30 * time.Second, 330 * time.Second, 0}, {hour, 0, hour + 330*time.Second, 0}}},
		"small corrections":      {0, []step{{5 * time.Minute, 20 * time.Second, 320 * time.Second, 0}, {5 * time.Minute, -20 * time.Second, 600 * time.Second, 0}}},
		"small ones, but quick":  {0, []step{{0, 0, 0, 0}, {time.Minute, 59 * time.Second, 119 * time.Second, 0}, {time.Second, 59 * time.Second, 120 * time.Second, 0}, {time.Second, 59 * time.Second, 121 * time.Second, 118 * time.Second}}},
		"an hour ahead and back": {0, []step{{0, 0, 0, 0}, {0, hour, 0, hour}, {5 * hour, 0, 5 * hour, hour}, {0, -hour, 5 * hour, 0}, {hour, 0, 6 * hour, 0}}},
		"an hour ahead for good": {0, []step{{0, 0, 0, 0}, {0, hour, 0, hour}, {day, 0, day, hour}, {hour / 46, 0, day + 12*hour/23, hour / 2}, {hour / 46, 0, day + hour/23 + hour, 0}}},
		"ten years ahead":        {0, []step{{0, 0, 0, 0}, {0, 10 * year, 0, 10 * year}, {day, 0, day, 10 * year}, {hour, 0, day + 24*hour, 10*year - 23*hour}, {0, -10 * year, day + hour, 0}}},
		"ahead, seen late":       {0, []step{{0, 0, 0, 0}, {5 * time.Minute, 10 * year, 5 * time.Minute, 10 * year}}},
		"ten years back":         {0, []step{{0, 0, 0, 0}, {hour, -10 * year, hour - 10*year, 0}, {hour, 0, 2*hour - 10*year, 0}, {0, 10 * year, 2 * hour, 0}}},
		"back in small steps":    {0, []step{{time.Minute, -hour, time.Minute - hour, 0}, {time.Minute, -hour, 2*time.Minute - 2*hour, 0}, {0, 2 * hour, 2 * time.Minute, 0}}},
		"down overnight":         {-12 * hour, []step{{0, 0, 0, 0}, {hour, 0, hour, 0}}},
		"down for a quarter":     {-90 * day, []step{{0, 0, -90 * day, 90 * day}, {90 * day / 23, 0, 90 * day / 23, 0}}},
		"no clock at the start":  {year, []step{{0, 0, 0, 0}, {time.Minute, year, year + time.Minute, 0}, {0, 2 * year, year + time.Minute, 2 * year}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeTime{wall: epoch}
			var told []time.Duration
			clock := NewRetentionClock(f.now, f.uptime, func(d time.Duration) { told = append(told, d) })
			if c.known != 0 {
				clock.know(epoch.Add(c.known))
			}
			wasAhead, tellings := false, 0
			for i, s := range c.steps {
				if i == 0 && s.passes > 0 {
					clock.Now()
				}
				f.pass(s.passes)
				f.set(s.set)
				now := clock.Now().Sub(epoch)
				if !near(now, s.believed) || !near(clock.Ahead(), s.ahead) {
					t.Errorf("step %d: believed %v, ahead %v; want %v, %v", i, now, clock.Ahead(), s.believed, s.ahead)
				}
				if wasAhead != (s.ahead > 0) {
					wasAhead, tellings = !wasAhead, tellings+1
				}
			}
			if len(told) != tellings {
				t.Errorf("told %v, want %d", told, tellings)
			}
		})
	}
}

func near(a, b time.Duration) bool { return (a - b).Abs() < time.Second }

// Whatever is done to the wall clock, the clock never shows more than the wall clock, nor runs faster than it may.
func TestRetentionClockUnderANemesis(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := &fakeTime{wall: time.UnixMilli(1_700_000_000_000)}
		var g clockGuard
		began, _ := g.now(f.now(), f.uptime())
		for range 500 {
			f.pass(time.Duration(r.Int64N(int64(pickOf(r, time.Second, 5*time.Minute, 30*hour)))))
			f.set(pickOf(r, 0, 0, 0, 0, hour, -hour, 10*year, -10*year, 30*time.Second, -time.Second))
			now, ahead := g.now(f.now(), f.uptime())
			if now.After(f.now()) || ahead < 0 || ahead > 0 && f.now().Sub(now) != ahead {
				t.Fatalf("seed %d: the clock shows %v and %v ahead, the wall clock %v", seed, now, ahead, f.now())
			}
			// At most a minute each minute beyond what passed, or 24 times what passed after a day.
			if limit := began.Add(2*f.uptime() + clockCatchUp*max(0, f.uptime()-clockPatience)); now.After(limit) {
				t.Fatalf("seed %d: the clock shows %v after %v", seed, now.Sub(began), f.uptime())
			}
		}
	}
}

func pickOf[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// Retention and the memory of producers do not go by a wall clock that has jumped, nor by one that had when the process
// began.
func TestJumpingClockDeletesNothing(t *testing.T) {
	for _, jump := range []time.Duration{hour, -hour, 10 * year, -10 * year} {
		t.Run(fmt.Sprint(jump), func(t *testing.T) {
			mem := vfs.NewMem(nil)
			f := &fakeTime{wall: time.UnixMilli(1_700_000_000_000)}
			start := func() (*Store, *Log) {
				s := open(t, mem, "data", func(o *Options) {
					o.Now = f.now
					o.RetentionClock = NewRetentionClock(o.Now, f.uptime, nil)
				})
				c := DefaultLogConfig()
				c.SegmentBytes, c.RetentionMs = 2000, 2*hour.Milliseconds()
				return s, create(t, s, c)
			}
			s, l := start()
			write := func(n int) {
				for range n {
					o := record.NewOptions()
					o.ProducerID, o.ProducerEpoch, o.BaseSequence = 7, 0, int32(l.End())
					b := record.NewBuilder(o)
					b.Add(f.now().UnixMilli(), nil, make([]byte, 100))
					add(t, l, b.Batch())
				}
				if err := l.Flush(); err != nil {
					t.Fatal(err)
				}
				l.SetHighWatermark(l.End())
			}
			still := func(when string) {
				t.Helper()
				s.retain()
				// A producer is as old as its last batch says. One that wrote while the clock was ten years back is old.
				forgotten := len(l.ActiveProducers()) == 0 && jump > -year
				if l.LogStart() != 0 || forgotten {
					t.Fatalf("%s: the log starts at %d and knows %d producers", when, l.LogStart(), len(l.ActiveProducers()))
				}
			}
			write(50)
			still("at first")
			for i := range 3 {
				f.pass(5 * time.Minute)
				f.set(jump)
				still(fmt.Sprintf("jump %d", i))
				write(10)
				f.pass(time.Minute)
				still("after it")
				// What was written meanwhile is found by its time, and what was before, too.
				if offset, _, _, ok, err := l.OffsetForTimestamp(f.now().Add(-time.Minute).UnixMilli(), l.End()); err != nil || !ok || jump > 0 && offset != l.End()-10 {
					t.Fatalf("%d records, of the last minute the first is %d, %v, %v", l.End(), offset, ok, err)
				}
				if i == 1 {
					closeStore(t, s)
					if jump < day { // a start is given a day
						f.pass(time.Minute)
					}
					s, l = start()
					still("after a restart")
				}
				f.set(-jump)
				still("set right again")
			}
			// Time that really passes is believed.
			f.pass(30 * hour)
			for range 600 {
				f.pass(5 * time.Minute)
				s.retain()
			}
			if jump < 0 && l.LogStart() == 0 {
				t.Error("nothing expires any more")
			}
			if len(l.ActiveProducers()) != 0 && jump < 0 {
				t.Error("the producer is remembered for ever")
			}
			closeStore(t, s)
		})
	}
}

// The note of the time is a shortcut, like every checkpoint.
func TestRetentionClockCheckpoint(t *testing.T) {
	known := time.UnixMilli(1_700_000_000_123)
	if got, err := parseClock(encodeClock(known)); err != nil || !got.Equal(known) {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "0\n1\n", "1\n1\n5\n", "0\n0\n", "0\n2\n5\n6\n", "0\n1\n5 6\n", "0\n1\nx\n", "0\n1\n5"} {
		if got, err := parseClock([]byte(bad)); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}
