package logstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// opCount counts operations by kind and, of files, extension.
type opCount struct {
	mu   sync.Mutex
	seen map[string]int
}

func countOps(fs *errorfs.FS) *opCount {
	c := &opCount{seen: map[string]int{}}
	fs.OnOp(func(op errorfs.Op) {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, ext, _ := strings.Cut(op.Name, ".")
		c.seen[op.Kind+" "+ext]++
	})
	return c
}

// take is the counts since the last take, of these.
func (c *opCount) take(kinds ...string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range kinds {
		n += c.seen[k]
	}
	clear(c.seen)
	return n
}

func createMany(t *testing.T, s *Store, n int) (logs []*Log) {
	t.Helper()
	for i := range n {
		l, err := s.Create(TopicPartition{"many", int32(i)}, [16]byte{1}, DefaultLogConfig())
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	return logs
}

// TestSyncTogether: many logs that wait cost one sync, which holds for the names of new ones too, and the recovery
// points of all cost two.
func TestSyncTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(nil)
		fs := errorfs.New(mem, "sync of */many-0/* -> delay 1s")
		s, err := Open("data", Options{FS: fs, NodeID: 1, MaxParallelSyncs: 1})
		if err != nil {
			t.Fatal(err)
		}
		logs := createMany(t, s, 40)
		ops := countOps(fs)
		for i, l := range logs {
			add(t, l, batch(int64(i), 1, 100)) // the first log is synced by itself, while the others gather
			synctest.Wait()
		}
		for _, l := range logs {
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if n := ops.take("syncfs ", "sync log", "syncdir "); n > 5 {
			t.Errorf("%d syncs for 40 new logs with a batch each", n)
		}
		after := open(t, mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data")
		for _, l := range logs {
			if left := after.Get(l.tp); left == nil || left.End() != 1 {
				t.Fatalf("%s is not there after a power cut: %v", l.tp, left)
			}
		}
		after.Close()
		time.Sleep(maxUnwrittenDelay + time.Second)
		synctest.Wait()
		if n := ops.take("syncfs ", "sync ", "sync tmp", "syncdir "); n > 5 {
			t.Errorf("%d syncs for the recovery points", n)
		}
		if points, err := readOffsets(mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data/"+recoveryPointName); err == nil && len(points) != 0 && len(points) != 40 {
			t.Errorf("%d recovery points", len(points))
		}
		fs.Clear()
		closeStore(t, s)
		if n := ops.take("syncfs ", "sync ", "sync log", "syncdir "); n > 20 {
			t.Errorf("%d syncs for closing", n)
		}
	})
}

// TestFailedSyncTogether: where the disk took nothing, none of those that waited counts as flushed; a log whose bytes
// were written later goes on.
func TestFailedSyncTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(nil)
		fs := errorfs.New(mem, "sync of */many-0/* -> delay 1s", "syncfs of data #1 -> EIO")
		s, err := Open("data", Options{FS: fs, NodeID: 1, MaxParallelSyncs: 1})
		if err != nil {
			t.Fatal(err)
		}
		logs := createMany(t, s, 41)
		other := logs[40]
		add(t, other, batch(1, 1, 100))
		if err := other.Flush(); err != nil {
			t.Fatal(err)
		}
		for _, l := range logs[:40] {
			add(t, l, batch(1, 1, 100))
			synctest.Wait()
		}
		for i, l := range logs[:40] {
			err := l.Flush()
			if i == 0 && err != nil {
				t.Errorf("the log that was synced by itself: %v", err)
			}
			if i > 0 && (!errors.Is(err, protocol.KafkaStorageError) || l.Flushed() != 0) {
				t.Errorf("log %d: flushed %d, %v", i, l.Flushed(), err)
			}
		}
		add(t, other, batch(1, 1, 100))
		if err := other.Flush(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err == nil {
			t.Error("closed as if all were well")
		}
		after := open(t, mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data")
		for i, l := range logs {
			if left := after.Get(l.tp); (left != nil && left.Err() == nil && left.End() > 0) != (l.Flushed() > 0) {
				t.Errorf("log %d: flushed %d, %v after a power cut", i, l.Flushed(), left)
			}
		}
		after.Close()
	})
}

// TestStrangersError: an error of the file system that is about nobody's bytes who waits takes no log offline.
func TestStrangersError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := errorfs.New(vfs.NewMem(nil), "sync of */many-0/* #1 -> EIO", "sync of */many-1/* -> delay 1s")
		s, err := Open("data", Options{FS: fs, NodeID: 1, MaxParallelSyncs: 1})
		if err != nil {
			t.Fatal(err)
		}
		logs := createMany(t, s, 40)
		add(t, logs[0], batch(1, 1, 100))
		if err := logs[0].Flush(); err == nil {
			t.Fatal("the stranger is well")
		}
		for _, l := range logs[1:] {
			add(t, l, batch(1, 1, 100))
			synctest.Wait()
		}
		ops := countOps(fs)
		for i, l := range logs[1:] {
			if err := l.Flush(); err != nil || l.Flushed() != 1 {
				t.Fatalf("log %d: %d, %v", i+1, l.Flushed(), err)
			}
		}
		if n := ops.take("syncfs "); n != 1 {
			t.Errorf("%d syncs of the file system", n)
		}
		fs.Clear()
		s.Close()
	})
}

// TestNamesAreDurable: what was flushed is found after a power cut that keeps nothing else, also in a partition and in
// a segment that were new.
func TestNamesAreDurable(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	l := create(t, s, LogConfig{SegmentBytes: 300})
	for i := range 10 {
		add(t, l, batch(int64(i), 1, 100))
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		after := open(t, mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data")
		left := after.Get(testTopic)
		if left == nil || left.Err() != nil || left.End() != int64(i)+1 {
			t.Fatalf("after %d flushed batches a power cut leaves %v", i+1, left)
		}
		after.Close()
	}
	closeStore(t, s)
}

func TestSyncChoice(t *testing.T) {
	base := time.Unix(1000, 0)
	for _, test := range []struct{ steps, want string }{
		{"wait15 wait16 wait1000", "alone together together"},
		// 100 logs by themselves would take 10 ms: a sync of 12 ms is not tried again for 120.
		{"together100:8ms wait100 together100:16ms wait100 pass159ms wait100 pass1ms wait100", "together alone alone together"},
		// They turn out to take longer: 1 ms each.
		{"alone:1ms alone:1ms alone:1ms together100:60ms wait100 together100:150ms wait100", "together alone"},
		// One that swept much is forgotten after a few.
		{"together100:900ms wait100 pass9s wait100 together100:1ms wait100 " + strings.Repeat("pass10ms together100:1ms ", 8) + "wait100",
			"alone together alone together"},
		{"error wait100 pass999s wait100", "alone alone"},
		// Others have written much.
		{"dirty2000MiB wait100 dirty0MiB wait100 pass100ms wait100", "alone alone together"},
		{"dirty-1MiB wait16", "together"},
	} {
		c := syncChoice{min: minTogether}
		now, pending := base, int64(0)
		var got []string
		for step := range strings.FieldsSeq(test.steps) {
			var n int
			var d string
			switch {
			case scan(step, "wait%d", &n):
				if c.together(n, now, func() int64 { return pending }) {
					got = append(got, "together")
				} else {
					got = append(got, "alone")
				}
			case scan(step, "together%d:%s", &n, &d):
				c.tookTogether(n, duration(t, d), nil, now)
			case scan(step, "alone:%s", &d):
				c.tookAlone(duration(t, d)*4, 4)
			case step == "error":
				c.tookTogether(100, 0, errors.New("lost"), now)
			case scan(step, "pass%s", &d):
				now = now.Add(duration(t, d))
			case scan(step, "dirty%dMiB", &n):
				pending = int64(n) << 20
			default:
				t.Fatal(step)
			}
		}
		if want := strings.Fields(test.want); !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", test.steps, got, want)
		}
	}
}

func scan(text, format string, into ...any) bool {
	n, err := fmt.Sscanf(text, format, into...)
	return err == nil && n == len(into)
}

func duration(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lossy is a Mem that loses, when it is synced as a whole the next time, what is not on the disk by then.
type lossy struct {
	*vfs.Mem
	during atomic.Pointer[func()] // what happens meanwhile; nil: nothing is lost
}

type lossyVolume struct {
	vfs.Volume
	fs *lossy
}

func (f *lossy) Volume(dir string) (vfs.Volume, error) {
	v, err := f.Mem.Volume(dir)
	return &lossyVolume{v, f}, err
}

func (v *lossyVolume) Sync() error {
	during := v.fs.during.Swap(nil)
	if during == nil {
		return v.Volume.Sync()
	}
	(*during)()
	v.Volume.(interface{ LoseSync() }).LoseSync()
	return syscall.EIO
}

// TestLossInTheRoundOfOthers: logs append while others are synced together, and the disk loses their bytes as well. They
// hear of it, although the file system has told of the loss before they ask.
func TestLossInTheRoundOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := &lossy{Mem: vfs.NewMem(nil)}
		s, err := Open("data", Options{FS: errorfs.New(mem, "sync of */many-0/* -> delay 3s"), NodeID: 1, MaxParallelSyncs: 1})
		if err != nil {
			t.Fatal(err)
		}
		logs := createMany(t, s, 60)
		for i, l := range logs {
			add(t, l, batch(1, 1, 100))
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			if c := l.configuration(); i >= 40 {
				c.PageCache = true // the next sync is a second away
				l.SetConfig(c)
			}
		}
		time.Sleep(10 * time.Second) // the recovery points are written
		others := logs[40:]
		during := func() {
			for _, l := range others {
				add(t, l, batch(2, 1, 100))
			}
		}
		mem.during.Store(&during)
		add(t, logs[0], batch(2, 1, 100)) // it is synced for three seconds, while the rest gathers
		synctest.Wait()
		for _, l := range logs[:40] {
			add(t, l, batch(3, 1, 100))
		}
		time.Sleep(20 * time.Second)
		for i, l := range others {
			if err := l.Flush(); !errors.Is(err, protocol.KafkaStorageError) {
				t.Errorf("log %d lost its bytes, and says %v", i, err)
			}
		}
		_ = s.Close()
	})
}
