package logstore

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
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
