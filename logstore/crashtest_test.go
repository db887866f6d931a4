package logstore_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// The crash test does random things to a store on a file system in memory, and takes the power away before every single
// operation that the store does on it. What each crash leaves is opened and compared with what was promised at that
// moment. A failure prints its seed:
//
//	CRASHTEST_SEED=17 go test ./logstore -run TestCrashAtEveryOperation
//	CRASHTEST_RUNS=1000 go test ./logstore -run TestCrashAtEveryOperation     (3 runs are the default)

// point is a crash: what was left of the file system, and what it must hold.
type point struct {
	fs       *vfs.Mem
	promises []promise
	what     string
}

// world is a store, a model of its partitions, and the crashes so far.
type world struct {
	rand    *rand.Rand
	mem     *vfs.Mem
	fs      *errorfs.FS
	store   *logstore.Store
	clockMs atomic.Int64
	serial  int
	faulty  bool // operations fail
	steps   []string

	mu         sync.Mutex // guards what the hook reads while the store works
	partitions []*partition
	crashes    *rand.Rand
	points     []point
}

// partition is a log and what is known of it.
type partition struct {
	tp     logstore.TopicPartition
	config logstore.LogConfig
	epoch  int32
	coord  int32

	log        *logstore.Log // nil while the store is opened
	history    []sent        // appended to, or replaced
	floor      int64         // flushed at least
	ceiling    int64         // what truncation leaves of floor while it goes on
	startMin   int64
	startMax   int64
	restarting bool
	durable    bool // something of it was flushed
	refused    bool // an injected fault has left it unusable, or unknown
}

func (p *partition) end() int64 {
	if n := len(p.history); n > 0 {
		return p.history[n-1].next()
	}
	return p.startMax
}

const crashDir = "data/logs"

func newWorld(seed uint64) *world {
	w := &world{
		rand:    rand.New(rand.NewPCG(seed, 1)),
		crashes: rand.New(rand.NewPCG(seed, 2)),
	}
	w.clockMs.Store(1_700_000_000_000)
	w.useFS(vfs.NewMem(w.now))
	for i := range int32(2) {
		c := logstore.DefaultLogConfig()
		c.SegmentBytes = pick[int64](w.rand, 400, 1500, 1<<20)
		c.IndexIntervalBytes = pick[int64](w.rand, 0, 200, 4096)
		c.FileDeleteDelayMs = pick[int64](w.rand, 0, 500)
		c.PageCache = w.rand.IntN(4) == 0
		c.RetentionMs, c.RetentionBytes = -1, -1
		w.partitions = append(w.partitions, &partition{
			tp: logstore.TopicPartition{Topic: "crash", Partition: i}, config: c, ceiling: math.MaxInt64,
		})
	}
	return w
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func (w *world) now() time.Time { return time.UnixMilli(w.clockMs.Load()) }

// useFS goes on with another file system.
func (w *world) useFS(mem *vfs.Mem) {
	w.mem, w.fs = mem, errorfs.New(mem)
}

// crashEverywhere notes a crash before each operation from now on.
func (w *world) crashEverywhere() {
	mem, n := w.mem, 0
	w.fs.OnOp(func(op errorfs.Op) {
		if !op.Changes() {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		n++
		p := point{promises: w.promises(), what: fmt.Sprintf("%s, operation %d: %s", w.steps[len(w.steps)-1], n, op)}
		if w.crashes.IntN(6) == 0 {
			p.fs = mem.KillClone()
			p.what += ", kill"
		} else {
			percent := pick(w.crashes, 0, 0, 20, 50, 80, 100)
			p.fs = mem.CrashClone(w.crashes, percent)
			p.what += fmt.Sprintf(", power cut at %d %%", percent)
		}
		w.points = append(w.points, p)
	})
}

// promises are what holds at this moment. mu is held. What may be there is read after what must be there, and the file
// system after both: it can only have gained.
func (w *world) promises() (out []promise) {
	for _, p := range w.partitions {
		out = append(out, promise{
			flushed:      min(p.flushed(), p.ceiling),
			history:      p.history,
			startMin:     p.startMin,
			startMax:     p.startMax,
			forgotten:    p.startMax,
			restarting:   p.restarting,
			mayBeMissing: !p.durable && p.flushed() == 0,
		})
	}
	return out
}

func (p *partition) flushed() int64 {
	if p.log == nil || p.config.PageCache {
		return p.floor
	}
	return max(p.floor, p.log.Flushed())
}

// change changes the model.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) options() logstore.Options {
	return logstore.Options{FS: w.fs, Now: w.now, NodeID: 1, MaxOpenSegments: 3, MaxParallelSyncs: 2}
}

func (w *world) open() error {
	s, err := logstore.Open(crashDir, w.options())
	if err != nil {
		return err
	}
	w.store = s
	for _, p := range w.partitions {
		l, err := s.Create(p.tp, [16]byte{1, byte(p.tp.Partition)}, p.config)
		if err != nil {
			return err
		}
		w.change(func() { p.log = l })
	}
	return nil
}

// settle takes over what the log says of itself when nothing is going on.
func (w *world) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.partitions {
		p.floor = p.flushed()
		p.durable = p.durable || p.floor > 0
		if p.log != nil && p.log.Err() == nil {
			p.startMax = p.log.LogStart()
		}
	}
}

// step does one random thing. It returns an error that the store gave, and that only an injected fault explains.
func (w *world) step() error {
	p := pick(w.rand, w.partitions...)
	if p.refused {
		return nil
	}
	steps := []struct {
		weight int
		name   string
		do     func(p *partition) error
	}{
		{40, "append", w.append},
		{8, "repeat", w.repeat},
		{10, "flush", w.flush},
		{4, "high watermark", w.highWatermark},
		{4, "delete records", w.deleteRecords},
		{4, "retention", w.retention},
		{4, "truncate", w.truncate},
		{1, "start again", w.startAgain},
		{8, "time passes", w.timePasses},
		{2, "close and open", w.closeAndOpen},
		{2, "kill and open", w.killAndOpen},
		{2, "power cut and open", w.powerCutAndOpen},
	}
	if w.faulty {
		steps = steps[:len(steps)-3]
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	n := w.rand.IntN(total)
	for _, s := range steps {
		if n -= s.weight; n >= 0 {
			continue
		}
		w.change(func() {
			w.steps = append(w.steps, fmt.Sprintf("%s %d at %d", s.name, p.tp.Partition, p.end()))
		})
		if err := s.do(p); err != nil {
			w.change(func() { p.refused = p.log.Err() != nil || p.restarting || p.log.End() != p.end() })
			return fmt.Errorf("%s: %w", w.steps[len(w.steps)-1], err)
		}
		break
	}
	if w.rand.IntN(2) == 0 {
		synctest.Wait()
	}
	w.settle()
	return nil
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
			p.log, p.floor = nil, promises[i].flushed
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
			p.floor, p.startMin, p.startMax = l.End(), l.LogStart(), l.LogStart()
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
	}
	return nil
}

// verify opens what a crash left, and holds it against the promises. Some are crashed again: while they recover, and
// as soon as they have.
func (c point) verify(r *rand.Rand) error {
	fs := errorfs.New(c.fs)
	var again []*vfs.Mem
	if r.IntN(4) == 0 {
		at := r.IntN(12)
		fs.OnOp(func(op errorfs.Op) {
			if op.Changes() {
				if at--; at == 0 {
					again = append(again, c.fs.CrashClone(r, pick(r, 0, 50, 100)))
				}
			}
		})
	}
	opened, err := c.check(fs, r, true)
	if err != nil {
		return err
	}
	for _, fs := range again {
		if _, err := (point{fs, c.promises, c.what}).check(fs, r, false); err != nil {
			return fmt.Errorf("after another crash while recovering: %w", err)
		}
	}
	if opened == nil {
		return nil
	}
	// What a log shows when it is open is as good as flushed: readers saw it.
	for i := range c.promises {
		if c.promises[i].mayBeMissing {
			return nil
		}
	}
	if _, err := (point{opened.fs, opened.promises, c.what}).check(opened.fs, r, false); err != nil {
		return fmt.Errorf("after another crash, just recovered: %w", err)
	}
	return nil
}

// check opens, compares, and goes on with the log. It returns what a second crash would leave, and what must be there.
func (c point) check(fs vfs.FS, r *rand.Rand, goOn bool) (opened *point, err error) {
	now := func() time.Time { return time.UnixMilli(1_700_000_100_000) }
	s, err := logstore.Open(crashDir, logstore.Options{FS: fs, Now: now, NodeID: 1})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	again := &point{fs: c.fs.CrashClone(r, 0)}
	for i, p := range c.promises {
		l := s.Get(logstore.TopicPartition{Topic: "crash", Partition: int32(i)})
		found, err := p.verify(l)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		if l == nil {
			again.promises = append(again.promises, p)
			continue
		}
		p.restarting = p.restarting || p.headless(l)
		if !p.restarting {
			p.flushed, p.startMin, p.startMax = max(p.flushed, l.End()), l.LogStart(), l.LogStart()
		}
		again.promises = append(again.promises, p)
		if !goOn || p.restarting {
			continue
		}
		if err := lookups(l, found, r); err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		if err := carriesOn(l); err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return again, nil
}

// listing is every file below dir with its size, and the text of checkpoints.
func listing(fs vfs.FS, dir string) string {
	entries, err := fs.ReadDir(dir)
	if err != nil {
		return err.Error() + "\n"
	}
	var out strings.Builder
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			out.WriteString(listing(fs, name))
			continue
		}
		fmt.Fprintf(&out, "  %s", name)
		f, err := fs.Open(name)
		if err != nil {
			return err.Error() + "\n"
		}
		info, _ := f.Stat()
		if b := make([]byte, info.Size()); strings.Contains(name, "checkpoint") {
			f.ReadAt(b, 0)
			fmt.Fprintf(&out, " %q\n", b)
		} else {
			fmt.Fprintf(&out, " %d\n", len(b))
		}
		f.Close()
	}
	return out.String()
}

func runs(t *testing.T, name string, otherwise int) int {
	t.Helper()
	if s := os.Getenv(name); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return otherwise
}

// seeds are those to run: one that is asked for, or so many.
func seeds(t *testing.T, otherwise int) (out []uint64) {
	if s := os.Getenv("CRASHTEST_SEED"); s != "" {
		return []uint64{uint64(runs(t, "CRASHTEST_SEED", 0))}
	}
	for i := range runs(t, "CRASHTEST_RUNS", otherwise) {
		out = append(out, uint64(i))
	}
	return out
}

func TestCrashAtEveryOperation(t *testing.T) {
	total := 0
	for _, seed := range seeds(t, 3) {
		w := newWorld(seed)
		synctest.Test(t, func(t *testing.T) {
			w.steps = append(w.steps, "first open")
			w.crashEverywhere()
			if err := w.open(); err != nil {
				t.Fatalf("CRASHTEST_SEED=%d: %v", seed, err)
			}
			for range 60 {
				if err := w.step(); err != nil {
					t.Fatalf("CRASHTEST_SEED=%d: %v", seed, err)
				}
			}
			w.fs.OnOp(nil)
			if err := w.store.Close(); err != nil {
				t.Fatalf("CRASHTEST_SEED=%d: %v", seed, err)
			}
		})
		r := rand.New(rand.NewPCG(seed, 3))
		for i, c := range w.points {
			total++
			left := listing(c.fs, crashDir)
			if err := c.verify(r); err != nil {
				t.Fatalf("CRASHTEST_SEED=%d, crash %d of %d: %s\n%v\npromised: %+v\nleft:\n%ssteps: %q", seed, i, len(w.points), c.what, err, c.promises, left, w.steps)
			}
		}
	}
	t.Logf("%d crashes", total)
}
