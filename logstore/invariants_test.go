package logstore

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// TestFailedSyncIsRemembered: after a sync that failed the kernel calls the pages written, and a restart's sync does
// nothing. What the next start shows must still be there after a power cut.
func TestFailedSyncIsRemembered(t *testing.T) {
	mem := vfs.NewMem(nil)
	fs := errorfs.New(mem)
	s := open(t, deafCache{fs}, "data")
	l := create(t, s, DefaultLogConfig())
	add(t, l, batch(1, 1, 10))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	fs.Add("sync of */t-0/*.log #1 -> EIO")
	add(t, l, batch(2, 1, 10))
	if err := l.Flush(); err == nil {
		t.Fatal("the sync did not fail")
	}
	again := mem.KillClone()
	shown := open(t, deafCache{again}, "data").Get(testTopic)
	if shown.Err() != nil || shown.Flushed() < 1 {
		t.Fatalf("after a restart: flushed %d, %v", shown.Flushed(), shown.Err())
	}
	left := open(t, again.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data").Get(testTopic)
	if left.Err() != nil || left.End() < shown.Flushed() {
		t.Errorf("%d records were shown after the restart, and a power cut left %d (%v)", shown.Flushed(), left.End(), left.Err())
	}
}

// deafCache is a file system whose cache cannot be dropped, as a kernel's need not be.
type deafCache struct{ vfs.FS }

func (d deafCache) Open(name string) (vfs.File, error) {
	f, err := d.FS.Open(name)
	return struct{ vfs.File }{f}, err
}

func (d deafCache) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := d.FS.OpenFile(name, flag, perm)
	return struct{ vfs.File }{f}, err
}

// TestRecoveryPointStaysBehindSync: what a checkpoint says to be durable is, also while appends go on that are not.
func TestRecoveryPointStaysBehindSync(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	c := DefaultLogConfig()
	c.PageCache = true
	l := create(t, s, c)
	add(t, l, batch(1, 1, 10))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	add(t, l, batch(2, 1, 10))
	if err := s.checkpoints.write([]*Log{l}); err != nil {
		t.Fatal(err)
	}
	points, err := readOffsets(mem, "data/"+recoveryPointName)
	if err != nil || points[testTopic] != 1 {
		t.Errorf("one record was synced, and the recovery point is %d (%v)", points[testTopic], err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestOffsetsThatDoNotFollow: a base offset, which no checksum covers, must follow the batch before it.
func TestOffsetsThatDoNotFollow(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	l := create(t, s, DefaultLogConfig())
	first, second := batch(1, 2, 10), batch(2, 1, 10)
	add(t, l, first)
	add(t, l, second)
	second.SetBaseOffset(0)
	if err := writeAt(mem, "data/t-0/00000000000000000000.log", second, int64(len(first))); err != nil {
		t.Fatal(err)
	}
	if l := open(t, mem.KillClone(), "data").Get(testTopic); l.Err() == nil && l.End() != 2 {
		t.Errorf("after a batch of two records comes one at offset 0, and the log ends at %d", l.End())
	}
}

func writeAt(fs vfs.FS, name string, b []byte, at int64) error {
	f, err := fs.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt(b, at)
	return err
}

// TestAbortedTransactionsAreDurable: once the recovery point has passed an abort marker, no start looks for it in the
// batches again.
func TestAbortedTransactionsAreDurable(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	l := create(t, s, DefaultLogConfig())
	for n := range int32(2) {
		for _, b := range []record.Batch{sends(1, 0, n, 1, true), ends(1, 0, false, 0)} {
			if _, err := l.Append(b, AppendOptions{Origin: Coordinator}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := s.checkpoints.write([]*Log{l}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.syncRoot(); err != nil { // so that the new recovery point stays, too
		t.Fatal(err)
	}
	left := open(t, mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "data").Get(testTopic)
	if aborted, err := left.AbortedTransactions(0, 4); err != nil || len(aborted) != 2 {
		t.Errorf("after a power cut %v are aborted (%v)", aborted, err)
	}
	closeStore(t, s)
}
