package coordinator

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Options are what a Runtime is made of.
type Options[M Machine] struct {
	// New makes the machine of a partition, before anything is replayed.
	New func(partition int32) M
	Now func() time.Time
	// CommitTimeout is how long an answer waits for the high watermark (offsets.commit.timeout.ms).
	CommitTimeout time.Duration
	// Codec compresses what is appended (offsets.topic.compression.codec).
	Codec  record.Codec
	Events Events
}

// Events are told of what operators want to know. Each may be nil; none may block or call back.
type Events struct {
	// Loaded: a partition is served from now on.
	Loaded func(partition int32, records int, took time.Duration)
	// LoadFailed: a partition's log cannot be replayed. Its groups answer NOT_COORDINATOR until it is led anew.
	LoadFailed func(partition int32, err error)
	// AppendFailed: the requests behind a step were refused.
	AppendFailed func(partition int32, err error)
}

func (e Events) loaded(partition int32, records int, took time.Duration) {
	if e.Loaded != nil {
		e.Loaded(partition, records, took)
	}
}

func (e Events) loadFailed(partition int32, err error) {
	if e.LoadFailed != nil {
		e.LoadFailed(partition, err)
	}
}

func (e Events) appendFailed(partition int32, err error) {
	if e.AppendFailed != nil {
		e.AppendFailed(partition, err)
	}
}

// Runtime carries the machines of the partitions that this broker leads.
type Runtime[M Machine] struct {
	options Options[M]
	loaders chan struct{} // holds a token for each partition that is being loaded
	loads   sync.WaitGroup

	mu     sync.RWMutex // guards the fields below
	shards map[int32]*shard[M]
	closed bool

	clock struct { // the one timer
		sync.Mutex
		timer *time.Timer // runs tick
		at    time.Time   // when it fires, zero if it does not
		stop  bool
		ticks sync.WaitGroup // the tick that runs
	}
}

// loadersMax bounds the partitions that are loaded at once.
const loadersMax = 4

// NewRuntime is a Runtime that leads nothing yet.
func NewRuntime[M Machine](o Options[M]) *Runtime[M] {
	return &Runtime[M]{
		options: o,
		loaders: make(chan struct{}, loadersMax),
		shards:  make(map[int32]*shard[M]),
	}
}

// Lead serves a partition from now on, as its leader in that epoch. An empty one is served when Lead returns, another one
// when it has been loaded in the background.
func (r *Runtime[M]) Lead(partition int32, leaderEpoch int32, log Log) {
	s := &shard[M]{runtime: r, partition: partition, epoch: leaderEpoch, log: log}
	s.watch()
	old, ok := r.install(s)
	if !ok {
		s.unwatch()
		return
	}
	if old != nil {
		old.unload()
	}
	s.beginLoad()
}

// install puts a shard into its place, unless that is held by the same or a later epoch.
func (r *Runtime[M]) install(s *shard[M]) (old *shard[M], ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old = r.shards[s.partition]
	if r.closed || old != nil && old.epoch >= s.epoch {
		return nil, false
	}
	r.shards[s.partition] = s
	return old, true
}

// Resign stops serving a partition that another broker leads since leaderEpoch.
func (r *Runtime[M]) Resign(partition int32, leaderEpoch int32) {
	r.mu.Lock()
	s := r.shards[partition]
	if s == nil || s.epoch > leaderEpoch {
		r.mu.Unlock()
		return
	}
	delete(r.shards, partition)
	r.mu.Unlock()
	s.unload()
}

// Do runs one step of a partition's machine. It returns when the step is ordered. fail takes the code if the partition is
// not served here; what becomes of the call after that is the machine's and the log's to say.
func (r *Runtime[M]) Do(partition int32, fail func(protocol.Code), step func(m M, now time.Time) Step) {
	r.mu.RLock()
	s, closed := r.shards[partition], r.closed
	r.mu.RUnlock()
	switch {
	case closed:
		fail(protocol.CoordinatorNotAvailable)
	case s == nil:
		fail(protocol.NotCoordinator)
	default:
		s.do(fail, step)
	}
}

// Partitions are the partitions that are led here, served or loading, in order.
func (r *Runtime[M]) Partitions() []int32 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.shards))
}

// Close ends all that waits and waits for what runs. Requests that come later are refused.
func (r *Runtime[M]) Close() {
	r.mu.Lock()
	r.closed = true
	shards := r.shards
	r.shards = nil
	r.mu.Unlock()
	for _, s := range shards {
		s.unload()
	}
	r.loads.Wait()

	r.clock.Lock()
	r.clock.stop = true
	if r.clock.timer != nil && r.clock.timer.Stop() {
		r.clock.ticks.Done()
	}
	r.clock.Unlock()
	r.clock.ticks.Wait()
}

// wakeBy makes the timer fire at the given time or earlier; zero asks for nothing.
func (r *Runtime[M]) wakeBy(at time.Time) {
	if at.IsZero() {
		return
	}
	c := &r.clock
	c.Lock()
	defer c.Unlock()
	if c.stop || !c.at.IsZero() && !at.Before(c.at) {
		return
	}
	if c.timer == nil || !c.timer.Stop() {
		c.ticks.Add(1) // for the tick to come; one that was stopped hands its place on
	}
	c.at = at
	c.timer = time.AfterFunc(at.Sub(r.options.Now()), r.tick)
}

// tick runs what is due in every shard, and sets the timer for what comes next. It is the timer's goroutine.
func (r *Runtime[M]) tick() {
	defer r.clock.ticks.Done()
	r.clock.Lock()
	r.clock.at = time.Time{}
	r.clock.Unlock()

	r.mu.RLock()
	shards := slices.Collect(maps.Values(r.shards))
	r.mu.RUnlock()
	var next time.Time
	for _, s := range shards {
		next = earlier(next, s.tick(r.options.Now()))
	}
	r.wakeBy(next)
}

// earlier is the earlier of two times, of which zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
