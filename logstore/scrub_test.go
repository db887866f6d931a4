package logstore

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// TestScrub: a store that nobody uses goes over everything at the rate that was asked for, tells of damage once, makes a
// wrong index again, and does so again after the interval; it stops with Close.
func TestScrub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(nil)
		var rounds []ScrubStats
		var damaged, rebuilt []string
		s := open(t, mem, "data", func(o *Options) {
			o.Events.Scrubbed = func(_ string, r ScrubStats) { rounds = append(rounds, r) }
			o.Events.Damaged = func(tp TopicPartition, d Damage) { damaged = append(damaged, fmt.Sprint(d.File, d.Position)) }
			o.Events.IndexRebuilt = func(tp TopicPartition, file, why string) { rebuilt = append(rebuilt, file) }
		})
		c := DefaultLogConfig()
		c.SegmentBytes, c.IndexIntervalBytes = 20_000, 100
		total := int64(0)
		for n := range int32(4) {
			l, err := s.Create(TopicPartition{"t", n}, [16]byte{1}, c)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 300 {
				add(t, l, batch(int64(i), 1, 100))
			}
			total += l.Size()
		}
		time.Sleep(5 * time.Second)
		if err := flip(mem, testLog, 8*5000); err != nil {
			t.Fatal(err)
		}
		index := "data/t-1/" + segmentName(0, indexExt)
		if err := flip(mem, index, 8*20+2); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s.SetScrub(ScrubConfig{BytesPerSecond: total / 10, Interval: time.Hour})
		time.Sleep(3*time.Hour + 10*time.Minute)
		synctest.Wait()
		if len(rounds) != 4 || rounds[0].Bytes < total || rounds[0].Logs != 4 || rounds[0].Damages != 1 {
			t.Errorf("after %v: %+v", time.Since(began), rounds)
		}
		for _, r := range rounds {
			if r.Took < 8*time.Second || r.Took > 15*time.Second {
				t.Errorf("a round took %v, where it should be 10 s", r.Took)
			}
		}
		if want := []string{testLog + fmt.Sprint(s.Get(testTopic).Damages()[0].Position)}; !slices.Equal(damaged, want) {
			t.Errorf("told of %q, want %q", damaged, want)
		}
		if !slices.Equal(rebuilt, []string{index}) {
			t.Errorf("made again: %q", rebuilt)
		}
		closeStore(t, s)
	})
}
