package logstore

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// TestTimesAgainstBruteForce: what is found by time is what reading everything finds, in logs of every kind and after
// whatever happened to them.
//
//	RECOVERY_SEED=17 RECOVERY_RUNS=1 go test ./logstore -run TestTimesAgainstBruteForce
func TestTimesAgainstBruteForce(t *testing.T) {
	queries, holes := 0, 0
	for i := range sized(t, 12) {
		seed := firstSeed(t) + uint64(i)
		synctest.Test(t, func(t *testing.T) {
			w := newTimesWorld(t, seed)
			for range 6 {
				w.append(60)
				w.happens()
				queries += w.ask(150)
			}
			holes += w.holes
			w.close()
		})
	}
	t.Logf("%d queries, %d holes", queries, holes)
	if holes == 0 {
		t.Error("nothing was compacted")
	}
}

// timesWorld is a log and how its timestamps go.
type timesWorld struct {
	t       *testing.T
	seed    uint64
	r       *rand.Rand
	mem     *vfs.Mem
	cleaner *Cleaner
	store   *Store
	log     *Log
	config  LogConfig
	clockMs int64
	holes   int // that compaction left in the log, as read
	did     []string
}

func newTimesWorld(t *testing.T, seed uint64) *timesWorld {
	w := &timesWorld{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 7)), mem: vfs.NewMem(nil), clockMs: time.Now().UnixMilli()}
	w.config = DefaultLogConfig()
	w.config.SegmentBytes = pickOf(w.r, int64(1000), 4000, 20_000)
	w.config.IndexIntervalBytes = pickOf(w.r, int64(0), 100, 4096)
	w.config.RetentionMs = -1
	if seed%3 == 0 {
		w.config.Compact, w.config.MinCleanableDirtyRatio = true, 0
	}
	w.open()
	return w
}

func (w *timesWorld) open() {
	w.cleaner = NewCleaner(DefaultCleanerConfig())
	w.store = open(w.t, w.mem, "data", func(o *Options) { o.Now, o.Cleaner = time.Now, w.cleaner })
	w.log = create(w.t, w.store, w.config)
}

func (w *timesWorld) close() {
	w.cleaner.Close()
	closeStore(w.t, w.store)
}

// append appends batches: of one record and of many, compressed or not, with timestamps that mostly ascend, none, or the
// broker's own.
func (w *timesWorld) append(batches int) {
	for range batches {
		o := record.NewOptions()
		o.Codec = record.Codec(w.r.IntN(4)) // all but zstd, whose library does not go with bubbles
		b := record.NewBuilder(o)
		for range 1 + w.r.IntN(pickOf(w.r, 1, 3, 20)) {
			w.clockMs += w.r.Int64N(30) - 8
			ms := w.clockMs
			switch w.r.IntN(40) {
			case 0:
				ms += w.r.Int64N(5000) // a producer whose clock is ahead
			case 1:
				ms -= w.r.Int64N(5000)
			}
			b.Add(ms, fmt.Append(nil, "key", w.r.IntN(40)), make([]byte, w.r.IntN(100)))
		}
		rules := record.Rules{MaxBytes: 1 << 20, ProduceVersion: 9, NowMs: w.clockMs, LogAppendTime: w.r.IntN(6) == 0, TimestampBeforeMs: 1 << 50, TimestampAfterMs: 1 << 50}
		v, err := record.Validate(b.Batch(), rules)
		if err != nil {
			w.fail(err)
		}
		add(w.t, w.log, v.Batch)
	}
	if err := w.log.Flush(); err != nil {
		w.fail(err)
	}
	w.log.SetHighWatermark(w.log.End() - w.r.Int64N(3))
}

// happens does one thing that changes what is where.
func (w *timesWorld) happens() {
	what := pickOf(w.r, "nothing", "compaction", "truncation", "records deleted", "close", "kill", "indexes lost", "indexes damaged")
	w.did = append(w.did, what)
	var err error
	switch what {
	case "compaction":
		time.Sleep(time.Minute)
		synctest.Wait()
	case "truncation":
		start, end := w.log.LogStart(), w.log.End()
		err = w.log.TruncateTo(end - w.r.Int64N((end-start)/3+1))
	case "records deleted":
		err = w.log.AdvanceLogStart(w.log.LogStart() + w.r.Int64N(w.log.HighWatermark()-w.log.LogStart()+1))
	case "close":
		w.close()
		w.open()
	case "kill":
		left := w.mem.KillClone()
		w.close()
		w.mem = left
		w.open()
	case "indexes lost", "indexes damaged":
		w.close()
		w.spoilIndexes(what == "indexes lost")
		w.open()
	}
	if err != nil {
		w.fail(err)
	}
}

func (w *timesWorld) spoilIndexes(remove bool) {
	entries, err := w.mem.ReadDir("data/t-0")
	if err != nil {
		w.fail(err)
	}
	for _, e := range entries {
		name := join("data/t-0", e.Name())
		info, err := e.Info()
		if err != nil {
			w.fail(err)
		}
		if !strings.HasSuffix(name, indexExt) && !strings.HasSuffix(name, timeIndexExt) || w.r.IntN(2) == 0 {
			continue
		}
		if remove {
			err = w.mem.Remove(name)
		} else if info.Size() > 0 {
			flipBit(w.t, w.mem, name, w.r.Int64N(info.Size()))
		}
		if err != nil {
			w.fail(err)
		}
	}
}

// ask compares answers with those that reading everything gives.
func (w *timesWorld) ask(queries int) int {
	w.t.Helper()
	var all []stamped
	for b, err := range w.log.Batches(w.log.LogStart(), w.log.End()) {
		if err != nil {
			w.fail(err)
		}
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				w.fail(err)
			}
			if len(all) > 0 && r.Offset > all[len(all)-1].offset+1 {
				w.holes++
			}
			if r.Offset >= w.log.LogStart() {
				all = append(all, stamped{r.Offset, r.Timestamp, b.LeaderEpoch()})
			}
		}
	}
	for i := range queries {
		upTo := w.log.End()
		if i%3 == 0 {
			upTo = w.log.LogStart() + w.r.Int64N(upTo-w.log.LogStart()+1)
		}
		ms := w.clockMs - w.r.Int64N(20_000)
		if len(all) > 0 && i%2 == 0 {
			ms = all[w.r.IntN(len(all))].timestamp + w.r.Int64N(3) - 1
		}
		var since, newest stamped
		found, any := false, false
		for _, s := range all {
			if s.offset >= upTo {
				break
			}
			if !found && s.timestamp >= ms {
				since, found = s, true
			}
			if !any || s.timestamp > newest.timestamp {
				newest, any = s, true
			}
		}
		w.same(fmt.Sprintf("since %d below %d", ms, upTo), since, found)(w.log.OffsetForTimestamp(ms, upTo))
		w.same(fmt.Sprintf("the newest below %d", upTo), newest, any)(w.log.MaxTimestamp(upTo))
	}
	return 2 * queries
}

func (w *timesWorld) same(what string, want stamped, exists bool) func(offset, timestamp int64, leaderEpoch int32, ok bool, err error) {
	w.t.Helper()
	return func(offset, timestamp int64, leaderEpoch int32, ok bool, err error) {
		w.t.Helper()
		if got := (stamped{offset, timestamp, leaderEpoch}); err != nil || ok != exists || ok && got != want {
			w.fail(fmt.Errorf("%s: %+v, %v, %v; want %+v, %v", what, got, ok, err, want, exists))
		}
	}
}

func (w *timesWorld) fail(err error) {
	w.t.Helper()
	w.t.Fatalf("RECOVERY_SEED=%d: %v\nthe log [%d, %d), after: %q", w.seed, err, w.log.LogStart(), w.log.End(), w.did)
}
