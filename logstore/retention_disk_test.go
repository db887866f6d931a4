package logstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

func TestOldestOf(t *testing.T) {
	all := []givable{
		{log: 0, next: 10, bytes: 100, newest: 50},
		{log: 0, next: 20, bytes: 100, newest: 60},
		{log: 1, next: 5, bytes: 30, newest: 55},
		{log: 1, next: 9, bytes: 30, newest: 55},
		{log: 2, next: 7, bytes: 1000, newest: 90},
	}
	for _, c := range []struct {
		excess, bytes int64
		want          string
	}{
		{0, 0, "map[]"}, {1, 100, "map[0:1]"}, {100, 100, "map[0:1]"}, {101, 130, "map[0:1 1:1]"}, {160, 160, "map[0:1 1:2]"},
		{161, 260, "map[0:2 1:2]"}, {1 << 40, 1260, "map[0:2 1:2 2:1]"},
	} {
		if counts, bytes := oldestOf(all, c.excess); fmt.Sprint(counts) != c.want || bytes != c.bytes {
			t.Errorf("%d: %v, %d bytes; want %v", c.excess, counts, bytes, c)
		}
	}
}

// What is given up for space is the oldest, of topics that may lose it, below the high watermark and never what is
// appended to; and no more than has to be.
func TestRetentionByShareOfTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const disk = 4 << 20
		mem := vfs.NewMem(nil)
		mem.SetCapacity(disk)
		var why []string
		s := open(t, mem, "data", func(o *Options) {
			o.Now, o.Space, o.RetentionCheckMs = time.Now, SpaceLimits{UsedPercent: 50}, 300_000
			o.Events.Deleted = func(tp TopicPartition, _ int, _, _ int64, reason string) {
				why = append(why, tp.Topic+": "+reason)
			}
		})
		defer func() { closeStore(t, s) }()
		logs := map[string]*Log{}
		for i, topic := range []string{"old", "young", "compacted", "internal", "unreplicated"} {
			c := DefaultLogConfig()
			c.SegmentBytes, c.RetentionMs = 100<<10, -1
			c.Compact, c.Internal = topic == "compacted", topic == "internal"
			l, err := s.Create(TopicPartition{Topic: topic}, [16]byte{byte(i + 1)}, c)
			if err != nil {
				t.Fatal(err)
			}
			logs[topic] = l
		}
		now := time.Now().UnixMilli()
		ages := map[string]int64{"old": 9000, "young": 1000, "compacted": 20_000, "internal": 20_000, "unreplicated": 20_000}
		for i := range 16 {
			for topic, l := range logs {
				add(t, l, batch(now-ages[topic]+int64(i), 1, 20<<10))
				if topic != "unreplicated" {
					l.SetHighWatermark(l.End())
				}
			}
		}
		for _, l := range logs {
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		s.retain()
		if len(why) > 0 {
			t.Fatalf("given up while there was room: %q", why)
		}
		total, free, _ := s.DiskUsage()
		mem.SetCapacity(2 * (total - free - 150<<10))
		s.retain()
		total, free, _ = s.DiskUsage()
		if used := total - free; used > total/2 || used < total/2-120<<10 {
			t.Errorf("%d of %d bytes are in use", used, total)
		}
		if start := logs["old"].LogStart(); start == 0 {
			t.Error("the oldest segments stay")
		}
		for topic, l := range logs {
			if topic != "old" && l.LogStart() != 0 {
				t.Errorf("%s lost records up to %d", topic, l.LogStart())
			}
		}
		mem.SetCapacity(2 * (total - free - 300<<10))
		s.retain()
		for topic, l := range logs {
			lost := l.LogStart() > 0
			if may := topic == "old" || topic == "young"; lost != may || l.LogStart() >= l.End() {
				t.Errorf("%s has [%d, %d)", topic, l.LogStart(), l.End())
			}
		}
		if len(why) == 0 || why[0][:35] != "old: log.retention.disk.percent=50:" {
			t.Errorf("%q", why)
		}
	})
}

// By and large, not by the order of the segments of one log: a log whose timestamps go down still loses its beginning.
func TestOldestOfIsAPrefixOfEachLog(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var all []givable
		for log := range 5 {
			newest := int64(0)
			for i := range r.IntN(6) {
				newest = max(newest, r.Int64N(100))
				all = append(all, givable{log, int64(i + 1), 1 + r.Int64N(50), newest})
			}
		}
		excess := r.Int64N(600)
		counts, bytes := oldestOf(all, excess)
		var taken []givable
		for log, n := range counts {
			of := slices.DeleteFunc(slices.Clone(all), func(s givable) bool { return s.log != log })
			taken = append(taken, of[:n]...)
		}
		sum, newest := int64(0), int64(0)
		for _, s := range taken {
			sum, newest = sum+s.bytes, max(newest, s.newest)
		}
		if sum != bytes || bytes < excess && len(taken) < len(all) {
			t.Fatalf("%d bytes taken, said %d, of %d", sum, bytes, excess)
		}
		for _, s := range all {
			if s.newest < newest && !slices.Contains(taken, s) {
				t.Fatalf("%+v is older than what was taken: %v", s, taken)
			}
		}
	}
}
