package logstore

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// A reader that was let in right before its partition was deleted hears so. It must not look for the segments for ever.
func TestReadOfADeletedLog(t *testing.T) {
	s := open(t, vfs.NewMem(nil), "/data")
	defer closeStore(t, s)
	l := create(t, s, LogConfig{})
	add(t, l, batch(1, 1, 10))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(testTopic); err != nil {
		t.Fatal(err)
	}
	deleted := l.offline.Load()
	readers := map[string]func() error{
		"Read":               func() error { _, err := l.Read(0, 100, 1, true); return err },
		"OffsetForTimestamp": func() error { _, _, _, _, err := l.OffsetForTimestamp(0, 1); return err },
	}
	for name, read := range readers {
		for range 100 { // the reader asks whether the log is there before it is deleted in some of them
			l.offline.Store(nil)
			began, done := make(chan struct{}), make(chan error, 1)
			go func() { close(began); done <- read() }()
			<-began
			l.offline.Store(deleted)
			select {
			case err := <-done:
				if err == nil {
					t.Fatalf("%s of a deleted log: no error", name)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s of a deleted log goes round for ever", name)
			}
		}
	}
}

// What the checkpoints say of a deleted partition must not be believed of a new one of its name, not even after a kill
// that comes before they are written again.
func TestRecreatedPartitionAfterAKill(t *testing.T) {
	for _, killedBetween := range []bool{false, true} {
		fs := vfs.NewMem(nil)
		s := open(t, fs, "/data")
		l := create(t, s, LogConfig{Delete: true})
		for range 10 {
			add(t, l, batch(1, 1, 10))
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		l.SetHighWatermark(l.End())
		if err := l.AdvanceLogStart(5); err != nil {
			t.Fatal(err)
		}
		s.checkpoints.run()
		if err := s.Delete(testTopic); err != nil {
			t.Fatal(err)
		}
		if killedBetween {
			fs = fs.KillClone()
			closeStore(t, s)
			s = open(t, fs, "/data")
		}
		again, err := s.Create(testTopic, [16]byte{2}, LogConfig{Delete: true})
		if err != nil {
			t.Fatal(err)
		}
		add(t, again, batch(1, 1, 10))
		if err := again.Flush(); err != nil { // acknowledged
			t.Fatal(err)
		}
		after := open(t, fs.KillClone(), "/data")
		found := after.Get(testTopic)
		if err := found.Err(); err != nil {
			t.Fatal(err)
		}
		if found.LogStart() != 0 || found.End() != 1 {
			t.Errorf("the new log has [%d, %d), want [0, 1)", found.LogStart(), found.End())
		}
		closeStore(t, after)
		closeStore(t, s)
	}
}

// A sync that does not find the directory, because it was renamed at that moment, is no failure of the disk. About one
// in three hundred deletions meets one.
func TestDeletedUnderASync(t *testing.T) {
	failed := make(chan error, 3000)
	s := open(t, vfs.NewMem(nil), "/data", func(o *Options) {
		o.Events.Offline = func(_ TopicPartition, err error) { failed <- err }
	})
	for i := range cap(failed) {
		l, err := s.Create(testTopic, [16]byte{1, byte(i), byte(i >> 8)}, LogConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			add(t, l, batch(1, 1, 10))
		}
		if err := s.Delete(testTopic); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	if len(failed) > 0 {
		t.Errorf("%d taken for failures, the first: %v", len(failed), <-failed)
	}
}

// A partition that was deleted stays so in a power cut, and many cost no more syncs than one.
func TestDeletedPartitionsStayDeleted(t *testing.T) {
	for name, takeAway := range map[string]func(*Store, TopicPartition) error{"delete": (*Store).Delete, "stray": (*Store).Stray} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mem := vfs.NewMem(nil)
				fs, rootSyncs := errorfs.New(mem), 0
				fs.OnOp(func(op errorfs.Op) {
					if op.Kind == errorfs.SyncDir && op.Name == "data" {
						rootSyncs++
					}
				})
				s := open(t, fs, "data")
				const partitions = 100
				for i := range int32(partitions) {
					l, err := s.Create(TopicPartition{"t", i}, [16]byte{1}, DefaultLogConfig())
					if err != nil {
						t.Fatal(err)
					}
					add(t, l, batch(1, 1, 10))
					if err := l.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(3 * time.Second) // checkpoints
				rootSyncs = 0
				for i := range int32(partitions) {
					if err := takeAway(s, TopicPartition{"t", i}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(maxRenamingDelay)
				synctest.Wait()
				if rootSyncs != 1 {
					t.Errorf("%d partitions that went cost %d syncs of the data directory", partitions, rootSyncs)
				}
				after := open(t, mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data")
				for _, l := range after.All() {
					t.Errorf("%s is back", l.tp)
				}
				closeStore(t, after)
				closeStore(t, s)
			})
		})
	}
}
