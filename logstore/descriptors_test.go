package logstore

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// Without a free descriptor nothing is written and nothing is unknown: the partition is there again when one is free.
func TestOutOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, before := range []int{0, 1} { // the first batch opens the segment, the second would begin another one
			fs := errorfs.New(vfs.NewMem(nil))
			s := open(t, fs, "/data")
			l := create(t, s, LogConfig{SegmentBytes: 100})
			for range before {
				add(t, l, batch(1, 1, 10))
			}
			fs.Add("open of *.log -> EMFILE")
			if _, err := l.Append(batch(1, 1, 10), AppendOptions{}); protocol.CodeOf(err) != protocol.KafkaStorageError {
				t.Errorf("after %d batches: %v, want KAFKA_STORAGE_ERROR", before, err)
			}
			fs.Clear()
			add(t, l, batch(1, 1, 10))
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			if got := len(contents(t, l)); got != before+1 {
				t.Errorf("%d records, want %d", got, before+1)
			}
			closeStore(t, s)
		}
	})
}

// A directory that cannot be synced for want of a descriptor has not failed to be synced.
func TestSyncDirOutOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := errorfs.New(vfs.NewMem(nil), "syncdir of * #1 -> EMFILE", "open of partition.metadata #2 -> EMFILE")
		s := open(t, fs, "data")
		l := create(t, s, DefaultLogConfig())
		add(t, l, batch(1, 1, 10))
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if n := len(fs.Fired()); n != 2 {
			t.Errorf("%d calls found no descriptor", n)
		}
		closeStore(t, s)
	})
}

func openFiles(s *Store) int {
	s.handles.mu.Lock()
	defer s.handles.mu.Unlock()
	return len(s.handles.open)
}

// TestIdleFilesClose: files that nobody uses are closed after a while, and those of a log that went offline at once.
func TestIdleFilesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := errorfs.New(vfs.NewMem(nil))
		s := open(t, fs, "data")
		logs := createMany(t, s, 10)
		for _, l := range logs {
			add(t, l, batch(1, 1, 10))
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		slice, err := logs[0].Read(0, 1000, math.MaxInt64, true)
		if err != nil {
			t.Fatal(err)
		}
		if n := openFiles(s); n != 10 {
			t.Errorf("%d files are open", n)
		}
		fs.Add("sync of */many-9/*.log -> EIO")
		add(t, logs[9], batch(1, 1, 10))
		if logs[9].Flush() == nil {
			t.Error("flushed")
		}
		synctest.Wait()
		if n := openFiles(s); n != 9 {
			t.Errorf("%d files are open after a log went offline", n)
		}
		time.Sleep(2*handleIdle + time.Second)
		synctest.Wait()
		if n := openFiles(s); n != 1 {
			t.Errorf("%d files are open after a while, one is read", n)
		}
		slice.Release()
		time.Sleep(2*handleIdle + time.Second)
		synctest.Wait()
		if n := openFiles(s); n != 0 || s.handles.armed {
			t.Errorf("%d files are open, timer %t", n, s.handles.armed)
		}
		fs.Clear()
		s.Close()
	})
}

// TestOpenFilesAreBounded: who would open one file too many waits until another is not in use, but not for ever.
func TestOpenFilesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := errorfs.New(vfs.NewMem(nil), "sync of *.log -> delay 10ms")
		s, err := Open("data", Options{FS: fs, NodeID: 1, MaxOpenSegments: 4, MaxParallelSyncs: 2, MinSyncedTogether: -1})
		if err != nil {
			t.Fatal(err)
		}
		logs := createMany(t, s, 50)
		done := make(chan int, len(logs))
		for _, l := range logs {
			go func() {
				if _, err := l.Append(batch(1, 1, 10), AppendOptions{}); err != nil {
					t.Error(err)
				}
				done <- openFiles(s)
			}()
		}
		for range logs {
			if n := <-done; n > 4 {
				t.Errorf("%d files are open", n)
			}
		}
		for _, l := range logs {
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		var slices []Slice
		began := time.Now()
		for _, l := range logs[:5] {
			slice, err := l.Read(0, 1000, math.MaxInt64, true)
			if err != nil {
				t.Fatal(err)
			}
			slices = append(slices, slice)
		}
		if waited := time.Since(began); waited != handlePatience {
			t.Errorf("waited %v for readers that do not end", waited)
		}
		for _, slice := range slices {
			slice.Release()
		}
		closeStore(t, s)
	})
}
