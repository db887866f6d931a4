package logstore

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/logstore/mutant"
)

// SpaceLimits are how much of the file system is to stay free. What is below Min is the reserve: clients' appends may not
// touch it, so that committed offsets, metadata, deletions, checkpoints and the shutdown have where to go.
type SpaceLimits struct {
	Min  int64 // log.dir.free.min.bytes: below it clients' appends are refused; 0 for no limit, AutoSpace
	Warn int64 // log.dir.free.warn.bytes: below it Events.Space complains; 0 for no limit, AutoSpace
	// UsedPercent (log.retention.disk.percent): a file system that is fuller has the oldest segments given up; 0 for never.
	UsedPercent int
}

// AutoSpace has a limit chosen by the size of the file system: Min is 5 % of it and at most 1 GiB, Warn twice that.
const AutoSpace int64 = -1

const (
	autoMinMax     = 1 << 30
	autoMinPercent = 5
)

// SpaceState is where the free space lies.
type SpaceState int8

const (
	SpaceEnough SpaceState = iota
	SpaceLow               // below the limit that warns
	SpaceShort             // below the reserve: clients' appends are refused
)

// String names the state.
func (s SpaceState) String() string { return [...]string{"enough", "low", "short"}[s] }

// SpaceStatus is the free space of a data directory as it was measured last.
type SpaceStatus struct {
	State       SpaceState
	Total, Free int64 // bytes of the file system
	Min, Warn   int64 // the limits in bytes
	Refused     int64 // appends refused since the start
}

// spaceDecider decides by measurements. It knows no file and no clock.
type spaceDecider struct {
	limits SpaceLimits
	status SpaceStatus
}

// A limit that was fallen below counts as kept again an eighth above it: what hovers there would change at every look.
const spaceHysteresis = 8

// Between two measurements clients may append a share of what is left, within bounds: others fill the disk, too.
const (
	spaceCreditShare = 4
	spaceCreditMin   = 64 << 10
	spaceCreditMax   = 64 << 20
)

// measured takes a measurement in, and says how many bytes clients may append before the next, and whether the file
// system is fuller than retention allows.
func (d *spaceDecider) measured(total, free int64) (credit int64, overfull bool) {
	was := d.status.State
	d.status.Total, d.status.Free = total, free
	d.status.Min, d.status.Warn = d.limits.resolve(total)
	below := func(limit int64, already bool) bool {
		if already {
			limit += limit / spaceHysteresis
		}
		return free < limit
	}
	switch {
	case below(d.status.Min, was == SpaceShort):
		d.status.State = SpaceShort
	case below(d.status.Warn, was != SpaceEnough):
		d.status.State = SpaceLow
	default:
		d.status.State = SpaceEnough
	}
	if d.limits == (SpaceLimits{}) {
		return math.MaxInt64, false
	}
	credit = min(max((free-d.status.Min)/spaceCreditShare, spaceCreditMin), spaceCreditMax)
	return credit, d.limits.excess(total, free) > 0
}

// resolve is the limits in bytes. One that warns does so before the other refuses.
func (l SpaceLimits) resolve(total int64) (minFree, warnFree int64) {
	auto := min(total/100*autoMinPercent, autoMinMax)
	minFree, warnFree = l.Min, l.Warn
	if minFree < 0 {
		minFree = auto
	}
	if warnFree < 0 {
		warnFree = max(2*auto, 2*minFree)
	}
	return minFree, max(minFree, warnFree)
}

// excess is the bytes that are used beyond UsedPercent.
func (l SpaceLimits) excess(total, free int64) int64 {
	if l.UsedPercent <= 0 || l.UsedPercent >= 100 {
		return 0
	}
	return max(total-free-total/100*int64(l.UsedPercent), 0)
}

// space watches how full the file system is. While there is enough of it nothing runs: an append spends credit, and the
// one that has none left measures.
type space struct {
	store   *Store
	credit  atomic.Int64
	refusal atomic.Pointer[string] // what clients' appends hear, nil while there is room
	refused atomic.Int64

	mu struct { // guards the fields below; held over statfs, and taken while no other lock is held
		sync.Mutex
		decider   spaceDecider
		watching  bool          // a timer will measure
		sinceTold time.Duration // of the watch
		making    bool          // makeRoom is running or about to
	}
}

// How often space is measured while there is too little of it, and how often that is complained of.
const (
	watchEvery    = time.Second
	complainEvery = time.Minute
)

// take asks for room for a client's append. It costs an atomic operation, and a statfs now and then.
func (s *space) take(bytes int64) error {
	if s.refusal.Load() == nil && s.credit.Add(-bytes) < 0 {
		s.measure()
	}
	if why := s.refusal.Load(); why != nil && !mutant.Is(mutant.IgnoreReserve) {
		s.refused.Add(1)
		return errNoSpace(*why)
	}
	return nil
}

// errNoSpace is why a client's append is refused.
type errNoSpace string

func (e errNoSpace) Error() string { return string(e) }

// setLimits takes effect at once.
func (s *space) setLimits(l SpaceLimits) {
	s.mu.Lock()
	changed := s.mu.decider.limits != l
	s.mu.decider.limits = l
	s.mu.Unlock()
	if changed {
		s.measure()
	}
}

// excess measures what log.retention.disk.percent does not leave.
func (s *space) excess() (limits SpaceLimits, bytes int64, err error) {
	s.mu.Lock()
	limits = s.mu.decider.limits
	s.mu.Unlock()
	if limits.UsedPercent == 0 {
		return limits, 0, nil
	}
	total, free, err := s.store.DiskUsage()
	return limits, limits.excess(total, free), err
}

func (s *space) status() SpaceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.mu.decider.status
	status.Refused = s.refused.Load()
	return status
}

// short tells whether what can be removed should be, at once.
func (s *space) short() bool { return s.refusal.Load() != nil }

// measure looks how much is free and does what follows. It is called without locks.
func (s *space) measure() {
	s.mu.Lock()
	was := s.mu.decider.status.State
	total, free, err := s.store.DiskUsage()
	if err != nil { // nothing is known; the appends themselves tell whether there is room
		s.mu.Unlock()
		s.credit.Store(spaceCreditMin)
		s.store.failed("measuring the free space of "+s.store.dir, err)
		return
	}
	credit, overfull := s.mu.decider.measured(total, free)
	status := s.mu.decider.status
	s.credit.Store(credit)
	if status.State == SpaceShort {
		why := fmt.Sprintf("the disk is full: %s has %d bytes free, and log.dir.free.min.bytes keeps %d: delete topics or records, lower a retention, or make room; appends go on by themselves then",
			s.store.dir, status.Free, status.Min)
		s.refusal.Store(&why)
	} else {
		s.refusal.Store(nil)
	}
	makeRoom := (status.State == SpaceShort || overfull) && !s.mu.making
	s.mu.making = s.mu.making || makeRoom
	watch := status.State != SpaceEnough && !s.mu.watching
	s.mu.watching = s.mu.watching || watch
	s.mu.Unlock()
	if status.State != was {
		s.tell()
	}
	if makeRoom {
		s.store.timers.after(0, s.makeRoom)
	}
	if watch {
		s.watch()
	}
}

func (s *space) tell() {
	if f := s.store.events.Space; f != nil {
		f(s.store.dir, s.status())
	}
}

// watch measures in a while, until there is enough again: nothing else notices that space came back.
func (s *space) watch() {
	s.store.timers.after(watchEvery, func() {
		s.measure()
		again, complain := s.watched()
		if complain {
			s.tell()
		}
		if again {
			s.watch()
		}
	})
}

// watched tells after another while of the watch whether it goes on, which it does not with enough space, and whether it
// is time to complain.
func (s *space) watched() (again, complain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.watching = s.mu.decider.status.State != SpaceEnough
	if s.mu.sinceTold += watchEvery; s.mu.sinceTold >= complainEvery || !s.mu.watching {
		s.mu.sinceTold, complain = 0, s.mu.watching
	}
	return s.mu.watching, complain
}

// makeRoom gives up at once what would be given up later: files that wait for their removal, expired segments, and what
// log.retention.disk.percent does not leave.
func (s *space) makeRoom() {
	s.store.removals.hurry()
	s.store.retain()
	s.mu.Lock()
	s.mu.making = false
	s.mu.Unlock()
}
