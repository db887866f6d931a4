package logstore

import (
	"os"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
)

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
