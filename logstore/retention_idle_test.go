package logstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// Looking for what is old costs an idle log no operation on its files, after the first look since a start.
func TestRetentionOfIdleLogsTouchesNoFile(t *testing.T) {
	mem := vfs.NewMem(nil)
	now := func() time.Time { return time.UnixMilli(1_000_000) }
	s := open(t, mem, "data", func(o *Options) { o.Now = now })
	c := DefaultLogConfig()
	c.SegmentBytes = 200
	for i := range 100 {
		l, err := s.Create(TopicPartition{Topic: fmt.Sprint("t", i)}, [16]byte{1, byte(i)}, c)
		if err != nil {
			t.Fatal(err)
		}
		for range i % 5 {
			add(t, l, batch(999_000, 1, 100))
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		l.SetHighWatermark(l.End())
	}
	closeStore(t, s)
	fs := errorfs.New(mem)
	s = open(t, fs, "data", func(o *Options) { o.Now = now })
	s.ApplyRetention(now())
	ops := 0
	fs.OnOp(func(op errorfs.Op) {
		ops++
		t.Log(op)
	})
	s.ApplyRetention(now())
	fs.OnOp(nil)
	if ops > 0 {
		t.Errorf("%d operations", ops)
	}
	closeStore(t, s)
}
