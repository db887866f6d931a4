package logstore

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// Of a log whose records have all been deleted, a start still knows who wrote the last ones: their producers may send
// them again.
func TestProducersOutliveTheirRecords(t *testing.T) {
	lose := map[string]func(*vfs.Mem) *vfs.Mem{
		"kill":      (*vfs.Mem).KillClone,
		"power cut": func(m *vfs.Mem) *vfs.Mem { return m.CrashClone(rand.New(rand.NewPCG(1, 1)), 0) },
	}
	for crash, left := range lose {
		for _, segmentBytes := range []int64{200, 700, 1 << 20} { // a batch a segment, some, all
			for _, checkpointed := range []bool{false, true} {
				for _, retained := range []bool{false, true} {
					for batches := range 7 {
						name := fmt.Sprintf("%s, %d batches in segments of %d, checkpointed %t, retained %t", crash, batches+1, segmentBytes, checkpointed, retained)
						synctest.Test(t, func(t *testing.T) {
							mem := vfs.NewMem(nil)
							s := open(t, mem, "data")
							c := DefaultLogConfig()
							c.SegmentBytes, c.Delete, c.RetentionBytes = segmentBytes, true, 0 // not even the last one stays
							l := create(t, s, c)
							for i := range batches + 1 {
								add(t, l, produced(7, int32(i), batch(time.Now().UnixMilli(), 1, 100)))
							}
							if err := l.Flush(); err != nil {
								t.Fatal(err)
							}
							if checkpointed {
								time.Sleep(3 * time.Second)
							}
							l.SetHighWatermark(l.End())
							if err := l.AdvanceLogStart(l.End()); err != nil {
								t.Fatal(err)
							}
							if retained {
								if err := l.ApplyRetention(time.Now().UnixMilli()); err != nil {
									t.Fatal(err)
								}
							}
							again := open(t, left(mem), "data")
							found := again.Get(testTopic)
							if found.LogStart() != l.End() || found.End() != l.End() {
								t.Errorf("%s: [%d, %d), want it to be empty at %d", name, found.LogStart(), found.End(), l.End())
							}
							a := add(t, found, produced(7, int32(batches), batch(time.Now().UnixMilli(), 1, 100)))
							if !a.Duplicate || a.FirstOffset != int64(batches) {
								t.Errorf("%s: the repetition was taken as %+v", name, a)
							}
							closeStore(t, again)
							closeStore(t, s)
						})
					}
				}
			}
		}
	}
}
