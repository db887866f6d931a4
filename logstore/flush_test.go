package logstore

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// TestFailedSyncIsNeverAcknowledged: the log goes offline where it was flushed to, says so once, and no later sync
// makes good for it; another log goes on.
func TestFailedSyncIsNeverAcknowledged(t *testing.T) {
	fs := errorfs.New(vfs.NewMem(nil))
	s := open(t, fs, "data")
	l := create(t, s, DefaultLogConfig())
	other, err := s.Create(TopicPartition{"u", 0}, [16]byte{2}, DefaultLogConfig())
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, batch(1, 1, 10))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 10)
	l.OnFlushed(func(flushed int64, err error) {
		if err == nil && flushed > 1 {
			t.Errorf("flushed %d", flushed)
		}
		if err != nil {
			told <- err
		}
	})
	fs.Add("sync of */t-0/*.log #1 -> EIO")
	add(t, l, batch(2, 1, 10))
	if err := l.Flush(); !errors.Is(err, protocol.KafkaStorageError) {
		t.Fatalf("flush: %v", err)
	}
	if err := <-told; !errors.Is(err, protocol.KafkaStorageError) {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := l.Append(batch(3, 1, 10), AppendOptions{}); !errors.Is(err, protocol.KafkaStorageError) {
			t.Errorf("append: %v", err)
		}
		if err := l.Flush(); !errors.Is(err, protocol.KafkaStorageError) {
			t.Errorf("flush again: %v", err)
		}
	}
	if _, err := l.Read(0, 1000, 2, true); !errors.Is(err, protocol.KafkaStorageError) || l.Flushed() != 1 {
		t.Errorf("flushed %d, read: %v", l.Flushed(), err)
	}
	add(t, other, batch(1, 1, 10))
	if err := other.Flush(); err != nil {
		t.Error(err)
	}
	if len(told) > 0 {
		t.Error("told twice")
	}
	if err := s.Close(); err == nil {
		t.Error("closed as if all were well")
	}
}

// TestDiskFull: nothing is appended while there is no room, nothing is lost, and it goes on by itself.
func TestDiskFull(t *testing.T) {
	fs := errorfs.New(vfs.NewMem(nil))
	s := open(t, fs, "data")
	l := create(t, s, DefaultLogConfig())
	add(t, l, batch(1, 1, 10))
	fs.Add("write of *.log -> ENOSPC")
	if _, err := l.Append(batch(2, 1, 10), AppendOptions{}); !errors.Is(err, protocol.KafkaStorageError) || l.Err() != nil {
		t.Fatal(err, l.Err())
	}
	fs.Clear()
	if a := add(t, l, batch(3, 1, 10)); a.FirstOffset != 1 {
		t.Error(a)
	}
	closeStore(t, s)
}

// TestReadersStayBelowFlushed: whatever a reader was shown survives a power cut.
func TestReadersStayBelowFlushed(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	l := create(t, s, DefaultLogConfig())
	for i := range 100 {
		add(t, l, batch(int64(i), 1, 300))
		slice, err := l.Read(0, math.MaxInt32, math.MaxInt64, true)
		if err != nil {
			t.Fatal(err)
		}
		if i%10 != 0 {
			slice.Release()
			continue
		}
		after := open(t, mem.CrashClone(rand.New(rand.NewPCG(uint64(i), 1)), 0), "data")
		if left := after.Get(testTopic); slice.Bytes > 0 && left.End() < slice.NextOffset {
			t.Fatalf("a reader was shown %d, the power cut left %d", slice.NextOffset, left.End())
		}
		slice.Release()
		after.Close()
	}
	closeStore(t, s)
}

// TestGroupCommit: those who wait while a sync is under way are served by one more, together.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := errorfs.New(vfs.NewMem(nil), "sync of *.log -> delay 10ms")
		var syncs atomic.Int32
		fs.OnOp(func(op errorfs.Op) {
			if op.Kind == errorfs.Sync {
				syncs.Add(1)
			}
		})
		s := open(t, fs, "data")
		l := create(t, s, DefaultLogConfig())
		add(t, l, batch(1, 1, 10))
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		before := syncs.Load()
		done := make(chan error)
		for range 256 {
			go func() {
				_, err := l.Append(batch(1, 1, 10), AppendOptions{})
				done <- errors.Join(err, l.Flush())
			}()
		}
		for range 256 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if n := syncs.Load() - before; n > 4 {
			t.Errorf("%d syncs for 256 who waited", n)
		}
		closeStore(t, s)
	})
}

// TestPageCacheMode: an append counts at once, and is on disk and below the recovery point within its bound of time.
func TestPageCacheMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(nil)
		s := open(t, mem, "data")
		c := DefaultLogConfig()
		c.PageCache = true
		l := create(t, s, c)
		add(t, l, batch(1, 1, 10))
		if l.Flushed() != 1 {
			t.Errorf("flushed %d", l.Flushed())
		}
		cut := func() int64 {
			after := open(t, mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data")
			defer after.Close()
			if l := after.Get(testTopic); l != nil {
				return l.End()
			}
			return 0
		}
		if got := cut(); got != 0 {
			t.Errorf("%d records are on disk before anybody synced", got)
		}
		time.Sleep(maxLazyDelay + maxUnwrittenDelay + time.Millisecond)
		synctest.Wait()
		if got := cut(); got != 1 {
			t.Errorf("%d records on disk", got)
		}
		if found, err := inspectRoot(mem, "data"); err != nil || found.known.points[testTopic] != 1 {
			t.Errorf("recovery points %v, %v", found.known.points, err)
		}
		closeStore(t, s)
	})
}

// TestIdleStoreRests: once everything is written there is no goroutine, and no timer will bring one back.
func TestIdleStoreRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops := atomic.Int32{}
		fs := errorfs.New(vfs.NewMem(nil))
		s := open(t, fs, "data")
		for i := range 50 {
			l, err := s.Create(TopicPartition{"t", int32(i)}, [16]byte{1}, LogConfig{PageCache: i%2 == 0})
			if err != nil {
				t.Fatal(err)
			}
			add(t, l, batch(1, 1, 10))
			l.SetHighWatermark(l.Flushed())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, owner := range []string{"logstore.(*flusher)", "logstore.(*timers)"} {
			if bytes.Contains(stacks, []byte(owner)) {
				t.Errorf("a goroutine of %s is there", owner)
			}
		}
		if n := len(s.timers.pending); n != 0 {
			t.Errorf("%d timers", n)
		}
		fs.OnOp(func(errorfs.Op) { ops.Add(1) })
		time.Sleep(24 * time.Hour)
		if n := ops.Load(); n != 0 {
			t.Errorf("%d file operations in a day of rest", n)
		}
		closeStore(t, s)
	})
}
