package partition

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Partition is one partition that this broker holds a replica of. Its methods may be called by many goroutines.
type Partition struct {
	topic *Topic
	index int32
	// log is replaced when the partition moves to another data directory: under mu, and while the old one takes no append.
	log atomic.Pointer[logstore.Log]
	now func() time.Time

	// appending serialises appends and changes of role, so that no append straddles two leader epochs. Taken before mu.
	appending sync.Mutex

	mu struct { // guards the fields below; never held where the log may touch a file
		sync.Mutex
		replica
		// gone is why the partition can no longer be asked: deleted, or its log is offline. Nil while it can.
		gone   error
		queues [marks]queue
		// logEnd is where the log ends as far as appends have been accounted for: the flusher may be ahead of that.
		logEnd int64
		// unread are the batches above the high watermark, passed the bytes below it since the partition was opened.
		unread sizes
		passed int64
		// committed are the functions of OnCommitted. Copied to change it.
		committed []*func(int64)
	}
}

// open takes a log into service: with no role, until the first assignment.
func open(t *Topic, index int32, log *logstore.Log, self int32, now func() time.Time) *Partition {
	p := &Partition{topic: t, index: index, now: now}
	p.log.Store(log)
	end := log.Flushed()
	p.mu.logEnd = log.End()
	p.mu.replica = replica{
		self: self, leader: -1, epoch: -1, partitionEpoch: -1, lagMax: replicaLagMax,
		end: end, highWatermark: min(log.HighWatermark(), end), logStart: log.LogStart(),
	}
	log.SetHighWatermark(p.mu.highWatermark)
	log.OnFlushed(p.onFlushed)
	log.OnMoved(p.onMoved)
	if log.Err() != nil {
		p.finish(protocol.KafkaStorageError) // found damaged at the start
	}
	return p
}

// replicaLagMax is the default of replica.lag.time.max.ms.
const replicaLagMax = 30 * time.Second

// Topic is the topic that the partition belongs to.
func (p *Partition) Topic() *Topic { return p.topic }

// Index is the partition's number.
func (p *Partition) Index() int32 { return p.index }

// Leader is the node that leads the partition, as far as this broker knows, and its epoch; -1 for none.
func (p *Partition) Leader() (node, epoch int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.leader, p.mu.epoch
}

// Leads reports whether this broker leads the partition.
func (p *Partition) Leads() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.role == leading
}

// LogStart is the first offset that may be read.
func (p *Partition) LogStart() int64 { return p.log.Load().LogStart() }

// End is the offset that the next record gets.
func (p *Partition) End() int64 { return p.log.Load().End() }

// Dir is the data directory that the partition lies in.
func (p *Partition) Dir() string { return p.log.Load().DataDir() }

// Size is the bytes of all its segments.
func (p *Partition) Size() int64 { return p.log.Load().Size() }

// Committed is the high watermark: everything below it is on disk on every in-sync replica.
func (p *Partition) Committed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.highWatermark
}

// Err is why the partition can no longer be asked, nil while it can.
func (p *Partition) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.gone
}

// OnCommitted calls f with the high watermark each time that it rises, until cancel is called. f runs on the goroutine
// that made it rise, with no lock held; two calls may come in either order, so the larger counts. f must be quick.
func (p *Partition) OnCommitted(f func(highWatermark int64)) (cancel func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry := &f
	p.mu.committed = append(slices.Clone(p.mu.committed), entry)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.mu.committed = slices.DeleteFunc(slices.Clone(p.mu.committed), func(e *func(int64)) bool { return e == entry })
	}
}

// Batches reads the batches of [from, upTo), as logstore.Log.Batches does, but all of them: it waits until they are on
// disk. A coordinator that is loaded again must not miss what it appended a moment ago.
func (p *Partition) Batches(from, upTo int64) iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		if upTo > p.log.Load().Flushed() {
			if _, err := onLog(p, func(l *logstore.Log) (any, error) { return nil, l.Flush() }); err != nil {
				yield(nil, err)
				return
			}
		}
		for next, again := from, true; again; {
			next, again = p.batches(next, upTo, yield)
		}
	}
}

// batches yields the batches of the log as it is. If a move puts another in its place meanwhile, next is where to go on in
// that.
func (p *Partition) batches(from, upTo int64, yield func(record.Batch, error) bool) (next int64, moved bool) {
	l := p.log.Load()
	for b, err := range l.Batches(from, upTo) {
		if err != nil && p.log.Load() != l {
			return from, true
		}
		if !yield(b, err) || err != nil {
			return from, false
		}
		from = b.NextOffset()
	}
	return from, false
}

// onLog asks the log, and if that fails the one that a move has put in its place meanwhile.
func onLog[T any](p *Partition, f func(*logstore.Log) (T, error)) (T, error) {
	for {
		l := p.log.Load()
		v, err := f(l)
		if err == nil || p.log.Load() == l {
			return v, err
		}
	}
}

// onMoved takes another log into service: the same records in another data directory. The old one's appends wait.
func (p *Partition) onMoved(to *logstore.Log) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to.OnFlushed(p.onFlushed)
	to.OnMoved(p.onMoved)
	to.SetHighWatermark(p.mu.highWatermark)
	p.log.Store(to)
	to.SetConfig(p.topic.logConfig())
}

// assign takes what the cluster has agreed on about the partition. It reports whether this broker leads a new epoch.
func (p *Partition) assign(a assignment) (led bool) {
	p.appending.Lock()
	n := p.change(func(now time.Time) {
		before := p.mu.epoch
		if a.leader == p.mu.self {
			p.mu.lead(a, p.mu.logEnd, now)
			led = p.mu.epoch > before
			return
		}
		p.mu.follow(a)
	})
	p.appending.Unlock()
	n.tell()
	return led
}

// configure takes the topic's configuration, now and whenever it changes.
func (p *Partition) configure() {
	c := p.topic.Config()
	for l := (*logstore.Log)(nil); l != p.log.Load(); { // again, if it was replaced meanwhile
		l = p.log.Load()
		l.SetConfig(p.topic.logConfig())
	}
	p.change(func(now time.Time) {
		p.mu.minInsync = c.MinInsyncReplicas
		p.mu.flushed(min(p.log.Load().Flushed(), p.mu.logEnd), now) // page-cache mode counts at once what lay unsynced
		p.mu.advance(now)
	}).tell()
}

// onFlushed hears from the log's flusher. That the log is offline it may hear from within an append, where nobody can be
// told yet.
func (p *Partition) onFlushed(end int64, err error) {
	if err != nil {
		n := p.finish(protocol.KafkaStorageError)
		go n.tell()
		return
	}
	p.change(func(now time.Time) { p.mu.flushed(min(end, p.mu.logEnd), now) }).tell()
}

// finish takes the partition out of service: who waits hears why, and so does who asks from now on. The first reason
// stays.
func (p *Partition) finish(why protocol.Code) news {
	return p.change(func(time.Time) {
		p.mu.gone = why
		p.mu.resign()
	})
}

// news is what a change has to tell, once no lock is held.
type news struct {
	fired waiters
	// committed are to be called with highWatermark, which rose.
	committed     []*func(int64)
	highWatermark int64
}

// change lets f change what mu guards, and finds out who waits for what has become of it.
func (p *Partition) change(f func(now time.Time)) news {
	now := p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.gone != nil {
		return news{}
	}
	var n news
	epoch, hw, end, low := p.mu.epoch, p.mu.highWatermark, p.mu.replica.end, p.mu.lowWatermark()
	f(now)
	if p.mu.highWatermark != hw {
		p.log.Load().SetHighWatermark(p.mu.highWatermark) // before anybody can ask for the last stable offset below it
	}
	if p.mu.highWatermark > hw {
		n = news{fired: p.rise(), committed: p.mu.committed, highWatermark: p.mu.highWatermark}
	}
	if p.mu.replica.end > end {
		n.fired.join(p.mu.queues[FlushedEnd].fire(p.mu.replica.end))
	}
	if p.mu.lowWatermark() > low {
		n.fired.join(p.mu.queues[LowWatermark].fire(p.mu.lowWatermark()))
	}
	switch {
	case p.mu.gone != nil:
		n.fired.join(p.dismiss(p.mu.gone))
	case p.mu.epoch != epoch:
		n.fired.join(p.dismiss(protocol.NotLeaderForPartition))
	}
	return n
}

// rise takes out who waited for the high watermark's new position. mu is held.
func (p *Partition) rise() waiters {
	bytes := p.mu.unread.pop(p.mu.highWatermark)
	p.mu.passed += bytes
	fired := p.mu.queues[HighWatermark].fire(p.mu.highWatermark)
	for w := fired.first; w != nil && bytes > 0; w = w.next {
		w.Bytes = p.mu.passed - w.passed
	}
	return fired
}

// dismiss takes out everybody, with an error. mu is held.
func (p *Partition) dismiss(why error) (fired waiters) {
	for m := range p.mu.queues {
		fired.join(p.mu.queues[m].soon.takeAll())
		fired.join(p.mu.queues[m].later.takeAll())
	}
	for w := fired.first; w != nil; w = w.next {
		w.Err = why
	}
	return fired
}

// tell calls whom the news is for.
func (n news) tell() {
	for _, f := range n.committed {
		(*f)(n.highWatermark)
	}
	for w := n.fired.first; w != nil; {
		next := w.next
		w.next = nil // its owner may arm it again
		w.Owner.Notice(w)
		w = next
	}
}

// notIn is why the partition is not what it was in a leader epoch. mu is held.
func (p *Partition) notIn(epoch int32) error {
	switch {
	case p.mu.gone != nil:
		return p.mu.gone
	case p.mu.epoch != epoch:
		return protocol.NotLeaderForPartition
	}
	return nil
}

// position is where a mark stands. mu is held.
func (p *Partition) position(m Mark) int64 {
	switch m {
	case FlushedEnd:
		return p.mu.replica.end
	case LowWatermark:
		return p.mu.lowWatermark()
	}
	return p.mu.highWatermark
}
