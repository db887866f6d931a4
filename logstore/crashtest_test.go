package logstore_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/integration/results"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// The crash test does random things to a store on a file system in memory, and takes the power away before every single
// operation that the store does on it. What each crash leaves is opened and compared with what was promised at that
// moment. A failure prints its seed:
//
//	CRASHTEST_SEED=17 go test ./logstore -run TestCrashAtEveryOperation
//	CRASHTEST_POINTS=20000 CRASHTEST_FROM=100 go test ./logstore -run TestCrashAtEveryOperation
//
// does seeds from 100 until it has 20,000 crashes; 2,000 from seed 0 are the default.

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

	// incarnation goes into the topic id: the partition is deleted and made again. The one before it may be back after a
	// power cut until something of this one is durable.
	incarnation byte

	log        *logstore.Log // nil while the store is opened
	history    []sent        // appended to, or replaced
	floor      int64         // flushed at least
	ceiling    int64         // what truncation leaves of floor while it goes on
	startMin   int64
	startMax   int64
	restarting bool
	durable    bool // something of it was flushed
	unknown    bool // nobody has looked at what a power cut has left of it: its offsets may be others than the model's
	cut        bool // by a power cut: what was known of producers by deleted batches may have gone
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
	if seed%4 == 3 {
		w.mem.ExposeStale()
	}
	for i := range int32(2) {
		c := logstore.DefaultLogConfig()
		c.SegmentBytes = pick[int64](w.rand, 400, 1500, 1<<20)
		c.IndexIntervalBytes = pick[int64](w.rand, 0, 200, 4096)
		c.FileDeleteDelayMs = pick[int64](w.rand, 0, 500)
		c.PageCache = w.rand.IntN(4) == 0
		c.RetentionMs, c.RetentionBytes = -1, -1
		for _, vary := range crashConfigs {
			vary(w.rand, &c)
		}
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
			percent := pick(w.crashes, 0, 0, 1+w.crashes.IntN(99), 1+w.crashes.IntN(99), 100)
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
		o := promise{
			flushed:      min(p.flushed(), p.ceiling),
			history:      p.history,
			startMin:     p.startMin,
			startMax:     p.startMax,
			forgotten:    p.startMax,
			restarting:   p.restarting,
			mayBeMissing: !p.durable && p.flushed() == 0,
			topicID:      p.topicID(),
		}
		for _, check := range crashChecks {
			if f := check(w, p); f != nil {
				o.also = append(o.also, f)
			}
		}
		out = append(out, o)
	}
	return out
}

func (p *partition) flushed() int64 {
	if p.log == nil || p.config.PageCache || p.unknown {
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
	o := logstore.Options{FS: w.fs, Now: w.now, NodeID: 1, MaxOpenSegments: 3, MaxParallelSyncs: 2}
	for _, add := range crashOptions {
		add(&o)
	}
	return o
}

func (w *world) open() error {
	s, err := logstore.Open(crashDir, w.options())
	if err != nil {
		return err
	}
	w.store = s
	for _, p := range w.partitions {
		if old := s.Get(p.tp); old != nil && old.Err() == nil && old.TopicID() != p.topicID() && old.TopicID() != [16]byte{} {
			if err := s.Stray(p.tp); err != nil { // as the broker does with what the metadata does not know
				return err
			}
		}
		l, err := s.Create(p.tp, p.topicID(), p.config)
		if err != nil {
			return err
		}
		w.change(func() { p.log = l })
	}
	return nil
}

func (p *partition) topicID() [16]byte { return [16]byte{1, byte(p.tp.Partition), p.incarnation} }

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
	want := int64(runs(t, "CRASHTEST_POINTS", 2000))
	from, one := uint64(runs(t, "CRASHTEST_FROM", 0)), os.Getenv("CRASHTEST_SEED") != ""
	if one {
		from, want = uint64(runs(t, "CRASHTEST_SEED", 0)), 1
	}
	counters := results.Begin(t, 9)
	var next atomic.Uint64
	var total atomic.Int64
	next.Store(from)
	t.Run("seeds", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			if one && worker > 0 {
				break
			}
			t.Run(strconv.Itoa(worker), func(t *testing.T) {
				t.Parallel()
				for total.Load() < want && !t.Failed() {
					seed := next.Add(1) - 1
					points, records := crashSeed(t, seed, counters)
					total.Add(points)
					counters.Seed(seed)
					counters.Count(points, records)
				}
			})
		}
	})
	t.Logf("FIGURE %d crashes in memory, seeds %d to %d", total.Load(), from, next.Load()-1)
}

// examineCrashed: doctor does not ask anybody to mend what a crash leaves.
func examineCrashed(left *vfs.Mem) error {
	if _, err := left.Stat(crashDir + "/meta.properties"); err != nil {
		return nil
	}
	wrong := ""
	_, err := logstore.Examine(crashDir, logstore.ExamineOptions{FS: left, Scrub: true, Found: func(f logstore.Finding) {
		if !f.Note && !strings.HasPrefix(f.Do, "nothing") {
			wrong += fmt.Sprintf("%+v\n", f)
		}
	}})
	if err == nil && wrong != "" {
		err = errors.New("doctor: " + wrong)
	}
	return err
}

// crashSeed lives one random life, and verifies what each of its crashes has left.
func crashSeed(t *testing.T, seed uint64, counters *results.Run) (points, records int64) {
	t.Helper()
	fail := func(t *testing.T, format string, args ...any) {
		t.Helper()
		what := fmt.Sprintf(format, args...)
		counters.Fail(seed, what)
		t.Fatalf("CRASHTEST_SEED=%d: %s", seed, what)
	}
	w := newWorld(seed)
	synctest.Test(t, func(t *testing.T) {
		w.steps = append(w.steps, "first open")
		w.crashEverywhere()
		if err := w.open(); err != nil {
			fail(t, "%v", err)
		}
		for range 60 {
			if err := w.step(); err != nil {
				fail(t, "%v\nsteps: %q", err, w.steps)
			}
		}
		w.fs.OnOp(nil)
		if err := w.store.Close(); err != nil {
			fail(t, "%v", err)
		}
	})
	r := rand.New(rand.NewPCG(seed, 3))
	for i, c := range w.points {
		left := c.fs.KillClone()
		err := c.verify(r)
		if err == nil && i%64 == 0 {
			err = examineCrashed(left)
		}
		if err != nil {
			fail(t, "%v\ncrash %d of %d: %s\npromised: %+v\nleft:\n%ssteps: %q", err, i, len(w.points), c.what, c.promises, listing(left, crashDir), w.steps)
		}
		records += c.promised()
	}
	return int64(len(w.points)), records
}
