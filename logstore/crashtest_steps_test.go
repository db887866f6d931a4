package logstore_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// crashStep is one of the random things that the crash test and the fault test do.
type crashStep struct {
	weight int // how often, among all
	name   string
	do     func(w *world, p *partition) error
	// restarts: it goes on with another store, and is left out while operations fail.
	restarts bool
}

// crashSteps are all of them. What one of them changes, the model in partition follows under world.change, so that a
// crash in the middle of it knows what may be there. A file about one subject adds its own in an init function, as it
// does to the hooks below.
var crashSteps = []crashStep{
	{weight: 40, name: "append", do: (*world).append},
	{weight: 8, name: "repeat", do: (*world).repeat},
	{weight: 10, name: "flush", do: (*world).flush},
	{weight: 4, name: "high watermark", do: (*world).highWatermark},
	{weight: 4, name: "delete records", do: (*world).deleteRecords},
	{weight: 4, name: "retention", do: (*world).retention},
	{weight: 4, name: "truncate", do: (*world).truncate},
	{weight: 1, name: "start again", do: (*world).startAgain},
	{weight: 8, name: "time passes", do: (*world).timePasses},
	{weight: 2, name: "close and open", do: (*world).closeAndOpen, restarts: true},
	{weight: 2, name: "kill and open", do: (*world).killAndOpen, restarts: true},
	{weight: 2, name: "power cut and open", do: (*world).powerCutAndOpen, restarts: true},
}

// Hooks of the crash test, called in order.
var (
	// crashConfigs vary the configuration of a partition.
	crashConfigs []func(r *rand.Rand, c *logstore.LogConfig)
	// crashOptions add to what a store is opened with: the one that is crashed, and those that look at what is left.
	crashOptions []func(o *logstore.Options)
	// crashChecks are asked at each crash, with world.mu held, for a further check of the log that is recovered from it;
	// nil if there is nothing to check.
	crashChecks []func(w *world, p *partition) func(l *logstore.Log) error
)

// step does one random thing. It returns an error that the store gave, and that only an injected fault explains.
func (w *world) step() error {
	p := pick(w.rand, w.partitions...)
	if p.refused {
		return nil
	}
	s := w.pickStep()
	w.change(func() {
		w.steps = append(w.steps, fmt.Sprintf("%s %d at %d", s.name, p.tp.Partition, p.end()))
	})
	if err := s.do(w, p); err != nil {
		w.change(func() { p.refused = p.log == nil || p.log.Err() != nil || p.restarting || p.log.End() != p.end() })
		return fmt.Errorf("%s: %w", w.steps[len(w.steps)-1], err)
	}
	if w.rand.IntN(2) == 0 {
		synctest.Wait()
	}
	w.settle()
	return nil
}

// pickStep picks by weight.
func (w *world) pickStep() crashStep {
	total := 0
	may := func(s crashStep) bool { return !s.restarts || !w.faulty }
	for _, s := range crashSteps {
		if may(s) {
			total += s.weight
		}
	}
	n := w.rand.IntN(total)
	for _, s := range crashSteps {
		if !may(s) {
			continue
		}
		if n -= s.weight; n < 0 {
			return s
		}
	}
	panic("weights do not add up")
}

// batch makes the next batch of some producer: plain, idempotent, transactional, or the end of a transaction.
func (w *world) batch(p *partition) (record.Batch, sent, logstore.Origin) {
	if w.rand.IntN(5) == 0 {
		p.epoch++
	}
	nowMs := w.clockMs.Add(w.rand.Int64N(50))
	b := sent{base: p.end(), epoch: p.epoch, pid: int64(w.rand.IntN(5)) - 1, firstSeq: -1, lastSeq: -1}
	pids, _ := replay(p.history, math.MaxInt64)
	state, known := pids[b.pid]
	if !known {
		state = pidState{lastSeq: -1, txnFirst: -1}
	}
	b.pidEpoch = state.epoch
	if state.txnFirst >= 0 && w.rand.IntN(3) == 0 {
		if w.rand.IntN(2) == 0 {
			p.coord++
		}
		if w.rand.IntN(4) == 0 { // the transaction timed out: its coordinator fences the producer
			b.pidEpoch++
		}
		b.marker = &record.EndTxn{Commit: w.rand.IntN(2) == 0, CoordinatorEpoch: p.coord}
		batch := b.marker.Batch(nowMs, b.pid, b.pidEpoch)
		b.last, b.crc, b.maxMs = b.base, batch.CRC(), nowMs
		return batch, b, logstore.Coordinator
	}
	o := record.NewOptions()
	if b.pid >= 0 {
		if state.txnFirst < 0 && w.rand.IntN(8) == 0 {
			b.pidEpoch++
			state.lastSeq = -1
		}
		b.firstSeq = record.AddSequence(state.lastSeq, 1)
		b.txn = b.pid >= 2
		o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = b.pid, b.pidEpoch, b.firstSeq, b.txn
	}
	build := record.NewBuilder(o)
	b.maxMs = math.MinInt64
	for range 1 + w.rand.IntN(4) {
		w.serial++
		value := append(strconv.AppendInt(nil, int64(w.serial), 10), make([]byte, pick(w.rand, 0, 30, 600))...)
		ms := nowMs - w.rand.Int64N(100)
		b.maxMs = max(b.maxMs, ms)
		build.Add(ms, nil, value)
	}
	batch := build.Batch()
	b.last, b.crc = b.base+int64(batch.LastOffsetDelta()), batch.CRC()
	if b.pid >= 0 {
		b.lastSeq = batch.LastSequence()
	}
	return batch, b, logstore.Client
}

func (w *world) append(p *partition) error {
	for range 1 + w.rand.IntN(4) {
		batch, b, origin := w.batch(p)
		before := p.history
		w.change(func() { p.history = append(p.history, b) }) // it may be on disk before Append returns
		a, err := p.log.Append(batch, logstore.AppendOptions{LeaderEpoch: b.epoch, Origin: origin})
		if err != nil {
			// Where the log went offline over it, the batch may be there after a restart.
			if p.log.Err() == nil {
				w.change(func() { p.history = slices.Clip(before) })
			}
			return err
		}
		if a.FirstOffset != b.base || a.LastOffset != b.last || a.Duplicate {
			return fmt.Errorf("appended as %+v, want [%d, %d]", a, b.base, b.last)
		}
	}
	return nil
}

// repeat sends a producer's last batch again.
func (w *world) repeat(p *partition) error {
	if len(p.history) == 0 {
		return nil
	}
	b := p.history[len(p.history)-1]
	if b.pid < 0 || b.marker != nil {
		return nil
	}
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = b.pid, b.pidEpoch, b.firstSeq, b.txn
	build := record.NewBuilder(o)
	for range b.next() - b.base {
		build.Add(w.clockMs.Load(), nil, []byte("again"))
	}
	a, err := p.log.Append(build.Batch(), logstore.AppendOptions{LeaderEpoch: p.epoch})
	if err == nil && (!a.Duplicate || a.FirstOffset != b.base || a.LastOffset != b.last) {
		return fmt.Errorf("repetition of [%d, %d] was taken as %+v", b.base, b.last, a)
	}
	return err
}

func (w *world) flush(p *partition) error {
	end := p.end()
	if err := p.log.Flush(); err != nil {
		return err
	}
	if got := p.log.Flushed(); got != end {
		return fmt.Errorf("flushed is %d of %d", got, end)
	}
	w.change(func() { p.floor, p.durable = end, p.durable || end > 0 })
	return nil
}

// highWatermark moves to what is flushed: in front of that the partition would not put it.
func (w *world) highWatermark(p *partition) error {
	p.log.SetHighWatermark(p.log.Flushed())
	return nil
}

func (w *world) deleteRecords(p *partition) error {
	start, hw := p.log.LogStart(), p.log.HighWatermark()
	if hw <= start {
		return nil
	}
	to := start + 1 + w.rand.Int64N(hw-start)
	w.change(func() { p.startMax = to })
	if err := p.log.AdvanceLogStart(to); err != nil {
		return err
	}
	w.change(func() { p.startMin = to })
	return nil
}

// retention moves the start anywhere below the high watermark.
func (w *world) retention(p *partition) error {
	before := p.log.LogStart()
	w.change(func() { p.startMax = max(p.startMax, p.log.HighWatermark()) })
	c := p.config
	c.RetentionBytes = pick[int64](w.rand, 0, 500, 3000)
	p.log.SetConfig(c)
	defer p.log.SetConfig(p.config)
	if err := p.log.ApplyRetention(w.clockMs.Load()); err != nil {
		return err
	}
	if start := p.log.LogStart(); start > before {
		w.change(func() { p.startMin = start })
	}
	w.change(func() { p.startMax = p.log.LogStart() })
	return nil
}

// truncate cuts somewhere above the high watermark, as a follower does, or anywhere.
func (w *world) truncate(p *partition) error {
	start, end := p.log.LogStart(), p.end()
	if end == start {
		return nil
	}
	to := start + w.rand.Int64N(end-start+1)
	kept := slices.Clone(p.history)
	for len(kept) > 0 && kept[len(kept)-1].last >= to {
		kept = kept[:len(kept)-1]
	}
	left := start
	if len(kept) > 0 && kept[len(kept)-1].next() > start {
		left = kept[len(kept)-1].next()
	}
	restart := left == start && to < end
	w.change(func() { p.ceiling, p.restarting = left, restart })
	if err := p.log.TruncateTo(to); err != nil {
		return err
	}
	w.change(func() {
		p.ceiling, p.restarting = math.MaxInt64, false
		p.floor = min(p.floor, p.log.End())
		if p.log.End() <= p.log.LogStart() && to < end {
			p.startMin, p.startMax = p.log.LogStart(), p.log.LogStart()
			kept = nil
		}
		if to < end {
			p.history, p.durable = kept, true
		}
	})
	if got := p.log.End(); got != p.end() {
		return fmt.Errorf("truncated [%d, %d) to %d: it ends at %d, want %d", start, end, to, got, p.end())
	}
	return nil
}

func (w *world) startAgain(p *partition) error {
	at := w.rand.Int64N(p.end() + 20)
	w.change(func() { p.ceiling, p.restarting = 0, true })
	if err := p.log.TruncateFullyAndStartAt(at); err != nil {
		return err
	}
	w.change(func() {
		p.ceiling, p.restarting, p.durable = math.MaxInt64, false, true
		p.history, p.floor, p.startMin, p.startMax = nil, at, at, at
	})
	return nil
}

// timePasses lets checkpoints be written and files be removed.
func (w *world) timePasses(*partition) error {
	time.Sleep(time.Duration(pick(w.rand, 300, 1200)) * time.Millisecond)
	return nil
}

func (w *world) closeAndOpen(*partition) error {
	synctest.Wait()
	w.settle()
	if err := w.store.Close(); err != nil {
		return err
	}
	w.change(func() {
		for _, p := range w.partitions {
			p.floor, p.durable = p.end(), p.durable || p.end() > 0
		}
	})
	return w.openAgain()
}

func (w *world) killAndOpen(*partition) error {
	w.settle()
	old := w.fs
	killed := w.mem.KillClone()
	w.change(func() {
		for _, p := range w.partitions {
			p.log = nil
		}
	})
	old.OnOp(nil)
	w.store.Close()
	w.useFS(killed)
	w.crashEverywhere()
	return w.openAgain()
}

// powerCutAndOpen goes on with what a power cut leaves.
func (w *world) powerCutAndOpen(*partition) error {
	w.settle()
	old := w.fs
	promises := w.promises()
	left := w.mem.CrashClone(w.rand, pick(w.rand, 0, 50, 100))
	w.change(func() {
		for i, p := range w.partitions {
			p.log, p.floor, p.unknown = nil, promises[i].flushed, true
		}
	})
	old.OnOp(nil)
	w.store.Close()
	w.useFS(left)
	w.crashEverywhere()
	if err := w.open(); err != nil {
		return err
	}
	for i, p := range w.partitions {
		l := p.log
		found, err := promises[i].verify(l)
		if err != nil {
			return fmt.Errorf("partition %d: %w", i, err)
		}
		w.change(func() {
			n := slices.IndexFunc(p.history, func(b sent) bool { return b.base >= l.End() })
			if n >= 0 {
				p.history = slices.Clip(p.history[:n])
			}
			if promises[i].headless(l) {
				p.history = found
			}
			p.floor, p.startMin, p.startMax, p.unknown, p.cut = l.End(), l.LogStart(), l.LogStart(), false, true
			p.durable = p.durable || l.End() > 0
		})
	}
	return nil
}

// openAgain opens what has lost nothing, and has no excuse.
func (w *world) openAgain() error {
	w.change(func() {
		for _, p := range w.partitions {
			p.log = nil
		}
	})
	if err := w.open(); err != nil {
		return err
	}
	for _, p := range w.partitions {
		if err := p.log.Err(); err != nil {
			return err
		}
		if p.log.End() != p.end() {
			return fmt.Errorf("log %d ends at %d after opening, want %d", p.tp.Partition, p.log.End(), p.end())
		}
		if err := p.sameProducers(); err != nil {
			return fmt.Errorf("log %d after opening: %w", p.tp.Partition, err)
		}
	}
	return nil
}

// sameProducers: what lost nothing knows all of each producer, also where its batches are deleted. A power cut before may
// have taken all that was known of those, but not half of it, which would refuse the producer's next batch.
func (p *partition) sameProducers() error {
	want, _ := replay(p.history, math.MaxInt64)
	for _, g := range p.log.ActiveProducers() {
		got := pidState{g.Epoch, g.LastSequence, g.TxnFirstOffset, g.CoordinatorEpoch}
		if got.coord < 0 && p.log.LogStart() > 0 {
			got.coord = want[g.ProducerID].coord // a power cut before may have taken the deleted marker that told it
		}
		if got != want[g.ProducerID] {
			return fmt.Errorf("producer %d is %+v, want %+v", g.ProducerID, got, want[g.ProducerID])
		}
		delete(want, g.ProducerID)
	}
	for _, b := range p.history {
		if state, missing := want[b.pid]; missing && (!p.cut || b.last >= p.log.LogStart()) {
			return fmt.Errorf("producer %d is not known, want %+v", b.pid, state)
		}
	}
	return nil
}
