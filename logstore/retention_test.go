package logstore

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// TestRetentionStaysBelowHighWatermark: not even what has expired goes above it, whatever the clock says; the start
// never moves back; files go after their delay, and a slice that was handed out stays readable.
func TestRetentionStaysBelowHighWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(nil)
		s := open(t, mem, "data")
		defer func() { closeStore(t, s) }()
		c := DefaultLogConfig()
		c.SegmentBytes, c.RetentionMs = 250, 1000
		l := create(t, s, c)
		for i := range 10 {
			add(t, l, batch(int64(i*100), 1, 60))
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		slice, err := l.Read(0, 1000, 2, true)
		if err != nil {
			t.Fatal(err)
		}
		run := func(nowMs, want int64) {
			t.Helper()
			if err := l.ApplyRetention(nowMs); err != nil || l.LogStart() != want {
				t.Errorf("at %d the log starts with %d, want %d (%v)", nowMs, l.LogStart(), want, err)
			}
		}
		run(1<<40, 0)
		l.SetHighWatermark(5)
		run(-1<<40, 0)
		run(1<<40, 5)
		if err := l.AdvanceLogStart(6); !errors.Is(err, protocol.OffsetOutOfRange) {
			t.Error(err)
		}
		l.SetHighWatermark(10)
		run(1050, 5)
		run(1<<40, 10)
		if err := l.AdvanceLogStart(3); err != nil || l.LogStart() != 10 {
			t.Error(err, l.LogStart())
		}
		if a := add(t, l, batch(1, 1, 10)); a.FirstOffset != 10 {
			t.Error(a)
		}
		time.Sleep(time.Minute + time.Second)
		entries, _ := mem.ReadDir("data/t-0")
		for _, e := range entries {
			if base, ext, ok := parseSegmentName(e.Name()); ok && (base < 10 || ext == logExt+deletedExt) {
				t.Error("still there:", e.Name())
			}
		}
		buf := make([]byte, slice.Bytes)
		if _, err := slice.Parts[0].File.ReadAt(buf, slice.Parts[0].Off); err != nil {
			t.Error("a slice that was handed out:", err)
		}
		slice.Release()
	})
}

// TestGivenUpSegmentsThatComeBack: of the names that retention took away a power cut may bring some back. The log begins
// where it did, or behind all that was given up, and has everything from there on.
func TestGivenUpSegmentsThatComeBack(t *testing.T) {
	mem := vfs.NewMem(nil)
	fs := errorfs.New(mem)
	s := open(t, fs, "data")
	c := DefaultLogConfig()
	c.SegmentBytes, c.RetentionMs, c.FileDeleteDelayMs = 250, 1000, 0
	l := create(t, s, c)
	for i := range 12 {
		add(t, l, batch(int64(i), 1, 60))
	}
	if err := cmp.Or(l.Flush(), s.checkpoints.write(s.each())); err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(10)
	crashes := rand.New(rand.NewPCG(1, 2))
	var left []*vfs.Mem
	fs.OnOp(func(op errorfs.Op) {
		for range 4 {
			left = append(left, mem.CrashClone(crashes, 50))
		}
	})
	if err := l.ApplyRetention(1 << 40); err != nil {
		t.Fatal(err)
	}
	fs.OnOp(nil)
	closeStore(t, s)
	for i, fs := range left {
		s := open(t, fs, "data")
		l := s.Get(testTopic)
		if err := l.Err(); err != nil || l.End() != 12 || l.LogStart() != 0 && l.LogStart() != 10 {
			t.Fatalf("crash %d of %d: a log from %d to %d: %v", i, len(left), l.LogStart(), l.End(), err)
		}
		next := l.LogStart()
		for b, err := range l.Batches(next, l.End()) {
			if err != nil || b.BaseOffset() != next {
				t.Fatalf("crash %d of %d: at %d comes %d, %v", i, len(left), next, b.BaseOffset(), err)
			}
			next++
		}
		closeStore(t, s)
	}
}
