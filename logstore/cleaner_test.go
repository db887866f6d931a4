package logstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// cleanedStore is a store on a memory file system with a cleaner, in a bubble.
type cleanedStore struct {
	t           *testing.T
	fs          *errorfs.FS
	cleaner     *Cleaner
	store       *Store
	mu          sync.Mutex // guards the fields below
	compacted   map[TopicPartition][]CompactionStats
	uncleanable map[TopicPartition]error
	failed      []string
}

func newCleanedStore(t *testing.T, c CleanerConfig) *cleanedStore {
	s := &cleanedStore{t: t, fs: errorfs.New(vfs.NewMem(time.Now)), cleaner: NewCleaner(c), compacted: map[TopicPartition][]CompactionStats{}, uncleanable: map[TopicPartition]error{}}
	store, err := Open("data", Options{FS: s.fs, NodeID: 1, Cleaner: s.cleaner, Events: Events{
		Compacted: func(tp TopicPartition, stats CompactionStats) {
			s.change(func() { s.compacted[tp] = append(s.compacted[tp], stats) })
		},
		Uncleanable: func(tp TopicPartition, err error) { s.change(func() { s.uncleanable[tp] = err }) },
		Failed:      func(what string, _ error) { s.change(func() { s.failed = append(s.failed, what) }) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.store = store
	return s
}

func (s *cleanedStore) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *cleanedStore) rounds() map[TopicPartition][]CompactionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.compacted)
}

func (s *cleanedStore) refused() map[TopicPartition]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.uncleanable)
}

func (s *cleanedStore) failures() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.failed)
}

func (s *cleanedStore) close() {
	s.t.Helper()
	if err := s.store.Close(); err != nil {
		s.t.Error(err)
	}
	s.cleaner.Close()
}

// idle tells whether nothing of the cleaner's runs, or will.
func (s *cleanedStore) idle() bool {
	s.cleaner.mu.Lock()
	defer s.cleaner.mu.Unlock()
	return s.cleaner.timer == nil && s.cleaner.running == 0
}

func (s *cleanedStore) log(topic string, change func(*LogConfig)) *Log {
	c := DefaultLogConfig()
	c.Compact, c.Delete, c.SegmentBytes = true, false, 1000
	if change != nil {
		change(&c)
	}
	l, err := s.store.Create(TopicPartition{Topic: topic}, [16]byte{1}, c)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// fill appends records under few keys, to some segments.
func (s *cleanedStore) fill(l *Log, records int) {
	s.t.Helper()
	for i := range records {
		add(s.t, l, keyedBatch(time.Now().UnixMilli(), fmt.Sprintf("key%d", i%3), make([]byte, 100)))
	}
	if err := l.Flush(); err != nil {
		s.t.Fatal(err)
	}
	l.SetHighWatermark(l.End())
}

func keyedBatch(ms int64, key string, value []byte) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	b.Add(ms, []byte(key), value)
	return b.Batch()
}

// TestCleanerRestsWhileNothingIsDirty: a timer runs from the first sealed segment to the round, and none after.
func TestCleanerRestsWhileNothingIsDirty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCleanedStore(t, DefaultCleanerConfig())
		defer s.close()
		l := s.log("t", nil)
		plain := s.log("plain", func(c *LogConfig) { c.Compact = false })
		s.fill(plain, 30)
		s.fill(l, 2)
		if !s.idle() {
			t.Error("something runs while no compacted log has a sealed segment")
		}
		s.fill(l, 30)
		before := l.Size()
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if len(s.rounds()[l.tp]) != 1 || l.Size() > before/2 {
			t.Errorf("rounds %+v: %d bytes are left of %d", s.rounds()[l.tp], l.Size(), before)
		}
		if !s.idle() {
			t.Error("something runs, though nothing is dirty any more")
		}
		if len(s.rounds()) != 1 {
			t.Errorf("compacted %v", s.rounds())
		}
		if got, err := readFile(s.fs, "data/"+cleanerName); err != nil || !strings.Contains(string(got), fmt.Sprintf("t 0 %d", l.active().base)) {
			t.Errorf("cleaner checkpoint %q, %v", got, err)
		}
	})
}

// TestLags: a record younger than min.compaction.lag.ms is not touched, one older than max.compaction.lag.ms not left.
func TestLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCleanedStore(t, DefaultCleanerConfig())
		defer s.close()
		young := s.log("young", func(c *LogConfig) { c.MinCompactionLagMs = 60_000 })
		lazy := s.log("lazy", func(c *LogConfig) { c.MinCleanableDirtyRatio, c.MaxCompactionLagMs = 1, 120_000 })
		s.fill(young, 30)
		s.fill(lazy, 30)
		time.Sleep(50 * time.Second)
		synctest.Wait()
		if len(s.rounds()) > 0 {
			t.Errorf("too early: %v", s.rounds())
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if len(s.rounds()[young.tp]) != 1 || len(s.rounds()[lazy.tp]) != 0 {
			t.Errorf("after the first lag: %v", s.rounds())
		}
		time.Sleep(60 * time.Second)
		synctest.Wait()
		if len(s.rounds()[lazy.tp]) != 1 {
			t.Errorf("after the second lag: %v", s.rounds())
		}
	})
}

// TestFullDiskIsTriedAgain, and a damaged log is not; the others go on meanwhile.
func TestFullDiskIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newCleanedStore(t, DefaultCleanerConfig())
		defer s.close()
		bad, good := s.log("bad", nil), s.log("good", nil)
		s.fill(bad, 30)
		s.fill(good, 20)
		flipBit(t, s.fs, bad.segments[1].path(logExt), 80)
		s.fs.Add("write of *.cleaned #1+ -> ENOSPC")
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if len(s.rounds()) > 0 || s.refused()[good.tp] != nil || len(s.failures()) == 0 {
			t.Errorf("on a full disk: compacted %v, uncleanable %v, failed %q", s.rounds(), s.refused(), s.failures())
		}
		if names := listNames(t, s.fs, good.dir); strings.Contains(names, cleanedExt) {
			t.Errorf("left over: %s", names)
		}
		s.fs.Clear()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if len(s.rounds()[good.tp]) != 1 {
			t.Errorf("with room again: compacted %v", s.rounds())
		}
		if s.refused()[bad.tp] == nil || bad.Uncleanable() == nil || !strings.Contains(s.refused()[bad.tp].Error(), "damaged at byte 0") {
			t.Errorf("damage: %v", s.refused())
		}
		if bad.Err() != nil {
			t.Errorf("the damaged log is offline: %v", bad.Err())
		}
	})
}

func flipBit(t *testing.T, fs vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fs.OpenFile(name, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	b[0] ^= 0x10
	if _, err2 := f.WriteAt(b[:], at); errors.Join(err, err2) != nil {
		t.Fatal(err, err2)
	}
}

func listNames(t *testing.T, fs vfs.FS, dir string) (names string) {
	t.Helper()
	entries, err := fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names += e.Name() + " "
	}
	return names
}

// TestThrottle: so many bytes take so long, and closing does not wait for them.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultCleanerConfig()
		c.MaxBytesPerSecond = 100
		s := newCleanedStore(t, c)
		l := s.log("t", nil)
		s.fill(l, 30)
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if len(s.rounds()) > 0 {
			t.Error("5 kB went through at 100 bytes a second")
		}
		time.Sleep(200 * time.Second)
		synctest.Wait()
		if len(s.rounds()[l.tp]) != 1 {
			t.Fatalf("compacted %v", s.rounds())
		}
		s.fill(l, 60)
		time.Sleep(16 * time.Second)
		synctest.Wait()
		began := time.Now()
		s.close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("closing waited %v for a throttled round", took)
		}
	})
}

// TestCompactionMeetsEverythingElse: appends, reads, searches, retention, truncation of another log and deletion go on
// while rounds follow each other, and nobody sees anything but what was appended.
func TestCompactionMeetsEverythingElse(t *testing.T) {
	c := DefaultCleanerConfig()
	c.Backoff, c.DedupeBufferBytes, c.Threads = time.Millisecond, 2000, 2
	cleaner := NewCleaner(c)
	rounds := make(chan TopicPartition, 10_000)
	mem := vfs.NewMem(time.Now)
	s, err := Open("data", Options{FS: mem, NodeID: 1, Cleaner: cleaner, MaxOpenSegments: 3, Events: Events{
		Compacted:   func(tp TopicPartition, _ CompactionStats) { rounds <- tp },
		Uncleanable: func(tp TopicPartition, err error) { t.Errorf("%s: %v", tp, err) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultLogConfig()
	config.Compact, config.SegmentBytes, config.FileDeleteDelayMs, config.MinCleanableDirtyRatio = true, 3000, 0, 0.1
	config.RetentionBytes = 20_000
	l, err := s.Create(TopicPartition{Topic: "busy"}, [16]byte{1}, config)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wait sync.WaitGroup
	run := func(step func(r *rand.Rand) error) {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(1, 2))
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := step(r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	value := func(offset int64) string {
		return fmt.Sprintf("value of %d %s", offset, strings.Repeat("x", int(offset%200)))
	}
	run(func(r *rand.Rand) error {
		end := l.End()
		if _, err := l.Append(keyedBatch(end, fmt.Sprintf("key%d", r.IntN(40)), []byte(value(end))), AppendOptions{}); err != nil {
			return err
		}
		if r.IntN(20) == 0 {
			err = l.Flush()
		}
		l.SetHighWatermark(l.Flushed())
		return err
	})
	for range 2 {
		run(func(*rand.Rand) error {
			next := int64(0)
			for b, err := range l.Batches(l.LogStart(), l.Flushed()) {
				if err != nil {
					if strings.Contains(err.Error(), "not within") {
						return nil // retention was faster
					}
					return err
				}
				if b.BaseOffset() < next {
					return fmt.Errorf("offset %d after %d", b.BaseOffset(), next-1)
				}
				next = b.NextOffset()
				for rec, err := range b.Records(0) {
					if err != nil || string(rec.Value) != value(rec.Offset) {
						return fmt.Errorf("%d: %q, %v", rec.Offset, rec.Value, err)
					}
				}
			}
			return nil
		})
	}
	run(func(r *rand.Rand) error {
		from := l.LogStart()
		if l.Flushed() <= from {
			return nil
		}
		ms := from + r.Int64N(l.Flushed()-from)
		offset, at, _, ok, err := l.OffsetForTimestamp(ms, l.Flushed())
		if err != nil || ok && (at < ms || offset != at) {
			return fmt.Errorf("%d ms: offset %d at %d ms, %v", ms, offset, at, err)
		}
		_, err = l.AbortedTransactions(from, l.Flushed())
		return err
	})
	run(func(*rand.Rand) error { return l.ApplyRetention(time.Now().UnixMilli()) })
	run(func(r *rand.Rand) error { // another one comes and goes
		o, err := s.Create(TopicPartition{Topic: "other"}, [16]byte{2}, config)
		for i := 0; err == nil && i < 100; i++ {
			_, err = o.Append(keyedBatch(1, "key", make([]byte, 200)), AppendOptions{})
		}
		if err == nil {
			err = o.Flush()
		}
		if err == nil {
			o.SetHighWatermark(o.End())
			err = o.TruncateTo(o.End() - 10)
		}
		return errors.Join(err, s.Delete(o.tp))
	})
	for range 10 {
		<-rounds
	}
	close(done)
	wait.Wait()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	cleaner.Close()
}
