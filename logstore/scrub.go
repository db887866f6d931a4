package logstore

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// ScrubConfig says how fast a store looks for damage by itself, and how often.
type ScrubConfig struct {
	BytesPerSecond int64         // log.scrub.bytes.per.second; 0: never
	Interval       time.Duration // log.scrub.interval.hours, between two rounds; 0: never
}

func (c ScrubConfig) off() bool { return c.BytesPerSecond <= 0 || c.Interval <= 0 }

// scrubber goes over every batch of a store, and over the indexes of sealed segments, a second's worth at a time, and
// begins again an interval after a round has ended. Between two steps there is nothing but a timer and the place; files
// are opened for a step only, beside the pool of those in use. Pages that are read once are the first that the kernel
// gives up: what readers use stays in the cache.
//
// Where the round stood is not kept over a restart. The next begins with another log each time.
type scrubber struct {
	store *Store

	mu     sync.Mutex // guards the fields below, and is held over a step's decisions, not over its reading
	config ScrubConfig
	armed  bool // a step is due, or under way
	round  scrubRound
	yields int
}

// scrubRound is one walk over all logs.
type scrubRound struct {
	began time.Time
	logs  []*Log // still to come; the first is the one at hand
	next  int64  // base of its next segment, at least
	place *scrubPlace

	done ScrubStats
}

// ScrubStats is what a round has done.
type ScrubStats struct {
	Logs, Damages int
	Bytes         int64
	Took          time.Duration
}

// scrubPlace is a segment at hand.
type scrubPlace struct {
	log      *Log
	seg      *segment
	cuts     int
	examiner examiner
	sealed   bool
	badIndex bool
}

const (
	scrubStep   = time.Second
	scrubYield  = 100 * time.Millisecond
	scrubYields = 20 // at most so often in a row
	// firstScrub leaves a start in peace.
	firstScrub = time.Minute
)

// SetScrub takes effect with the next step.
func (s *Store) SetScrub(c ScrubConfig) {
	x := &s.scrub
	x.mu.Lock()
	x.config = c
	arm := !x.armed && !c.off()
	x.armed = x.armed || arm
	x.mu.Unlock()
	if arm {
		s.timers.after(min(firstScrub, c.Interval), x.step)
	}
}

// step scrubs for a second's worth of bytes.
func (x *scrubber) step() {
	x.mu.Lock()
	c := x.config
	if c.off() {
		x.armed, x.round = false, scrubRound{}
		x.mu.Unlock()
		return
	}
	x.mu.Unlock()
	if x.yields < scrubYields && x.store.flusher.busy() {
		x.yields++
		x.store.timers.after(scrubYield, x.step)
		return
	}
	x.yields = 0
	r := &x.round
	if r.began.IsZero() {
		x.begin()
	}
	budget := c.BytesPerSecond
	for budget > 0 && r.find() {
		budget -= max(r.examine(budget), 1)
	}
	if r.place != nil || len(r.logs) > 0 {
		x.store.timers.after(time.Duration(float64(scrubStep)*float64(c.BytesPerSecond-budget)/float64(c.BytesPerSecond)), x.step)
		return
	}
	r.done.Took = x.store.now().Sub(r.began)
	if f := x.store.events.Scrubbed; f != nil {
		f(x.store.dir, r.done)
	}
	*r = scrubRound{}
	x.store.timers.after(c.Interval, x.step)
}

// begin lists the logs, from a different one on each time.
func (x *scrubber) begin() {
	x.round.began = x.store.now()
	logs := x.store.All()
	if n := len(logs); n > 0 {
		turn := int(uint64(x.round.began.UnixNano()) / 1e6 % uint64(n))
		logs = append(logs[turn:], logs[:turn]...)
	}
	x.round.logs, x.round.next = logs, -1
}

// find sees to it that there is a place, false at the end of the round.
func (r *scrubRound) find() bool {
	for r.place == nil && len(r.logs) > 0 {
		l := r.logs[0]
		if l.Err() == nil {
			r.place = l.scrubFrom(r.next)
		}
		if r.place == nil {
			r.logs, r.next = r.logs[1:], -1
			r.done.Logs++
		} else {
			r.next = r.place.seg.base + 1
		}
	}
	return r.place != nil
}

// scrubFrom is the log's first segment with a base of at least from and something in it to read, nil if there is none.
func (l *Log) scrubFrom(from int64) *scrubPlace {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.segments {
		next := l.end.Load()
		sealed := i+1 < len(l.segments)
		if sealed {
			next = l.segments[i+1].base
		}
		if s.base < from || s.size == 0 || next <= l.logStart.Load() {
			continue
		}
		p := &scrubPlace{log: l, seg: s, cuts: l.cuts, sealed: sealed}
		p.examiner = examiner{size: s.size, chain: newChain(s.base, next, slices.Clone(l.epochs.entries))}
		p.examiner.tell = p.tell
		return p
	}
	return nil
}

// isCurrent tells whether the segment is still what it was.
func (p *scrubPlace) isCurrent() bool {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.cuts == p.cuts && slices.Contains(p.log.segments, p.seg) && !p.seg.replacing && p.log.Err() == nil
}

// examine goes on in the place for about so many bytes, and leaves it at its end.
func (r *scrubRound) examine(bytes int64) (read int64) {
	p := r.place
	done, err := true, error(nil)
	if p.isCurrent() {
		read, done, err = p.examine(bytes)
	}
	r.done.Bytes += read
	switch {
	case errors.Is(err, fs.ErrNotExist): // deleted, or moved: there is another round
	case err != nil:
		p.log.report(p.log.storageError(err))
	case !done:
		return read
	case p.badIndex && p.isCurrent():
		p.log.repairIndexes(p.seg, "the scrub found an entry that is wrong")
	}
	if p.examiner.damaged && p.isCurrent() {
		r.done.Damages++
	}
	r.place = nil
	return read
}

func (p *scrubPlace) examine(bytes int64) (read int64, done bool, err error) {
	l, s := p.log, p.seg
	l.mu.Lock()
	path, offsets, times := s.path(logExt), s.path(indexExt), s.path(timeIndexExt)
	compare := p.sealed && p.examiner.position == 0 && len(s.offsets.tail)+len(s.times.tail) == 0
	l.mu.Unlock()
	if compare {
		for ext, name := range map[string]string{indexExt: offsets, timeIndexExt: times} {
			data, err := readIndexFile(l.store.fs, name)
			if err != nil {
				return 0, false, err
			}
			p.examiner.load(ext, data)
		}
	}
	file, err := l.store.fs.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	return p.examiner.some(file, bytes)
}

// tell is the examiner's. What changed under it is not damaged.
func (p *scrubPlace) tell(ext string, position, offset int64, err error) {
	switch {
	case !p.isCurrent():
	case ext == logExt:
		var d *Damage
		if errors.As(p.log.damageAt(p.seg, position, offset, err), &d) {
			p.log.reportDamage(d)
		}
	default:
		p.badIndex = true
	}
}

// busy tells whether somebody waits for a sync.
func (f *flusher) busy() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running > 0
}
