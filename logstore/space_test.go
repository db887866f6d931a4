package logstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

func TestSpaceDecider(t *testing.T) {
	const mib = int64(1) << 20
	d := spaceDecider{limits: SpaceLimits{Min: 80 * mib, Warn: 160 * mib, UsedPercent: 90}}
	for _, step := range []struct {
		free   int64
		state  SpaceState
		credit int64
		over   bool
	}{
		{1000 * mib, SpaceEnough, spaceCreditMax, false},
		{180 * mib, SpaceEnough, 25 * mib, false},
		{160 * mib, SpaceEnough, 20 * mib, false},
		{159 * mib, SpaceLow, 79 * mib / 4, false},
		{179 * mib, SpaceLow, 99 * mib / 4, false}, // an eighth above is not reached
		{180 * mib, SpaceEnough, 25 * mib, false},
		{81 * mib, SpaceLow, mib / 4, true},
		{80 * mib, SpaceLow, spaceCreditMin, true},
		{79 * mib, SpaceShort, spaceCreditMin, true},
		{89 * mib, SpaceShort, 9 * mib / 4, true},
		{90 * mib, SpaceLow, 10 * mib / 4, true},
		{0, SpaceShort, spaceCreditMin, true},
		{500 * mib, SpaceEnough, spaceCreditMax, false},
	} {
		credit, over := d.measured(1000*mib, step.free)
		if d.status.State != step.state || credit != step.credit || over != step.over {
			t.Errorf("%d MiB free: %v, credit %d, overfull %v; want %+v", step.free/mib, d.status.State, credit, over, step)
		}
	}
}

func TestSpaceLimits(t *testing.T) {
	const gib = int64(1) << 30
	for _, c := range []struct {
		limits              SpaceLimits
		total               int64
		wantMin, wantWarnAt int64
	}{
		{SpaceLimits{Min: AutoSpace, Warn: AutoSpace}, 1000 * gib, gib, 2 * gib},
		{SpaceLimits{Min: AutoSpace, Warn: AutoSpace}, 1000, 50, 100},
		{SpaceLimits{Min: 10 * gib, Warn: AutoSpace}, 1000 * gib, 10 * gib, 20 * gib},
		{SpaceLimits{Min: 10, Warn: 5}, 1000, 10, 10},
		{SpaceLimits{Min: 0, Warn: AutoSpace}, 1000, 0, 100},
		{SpaceLimits{}, 1000, 0, 0},
	} {
		if gotMin, gotWarn := c.limits.resolve(c.total); gotMin != c.wantMin || gotWarn != c.wantWarnAt {
			t.Errorf("%+v of %d: %d, %d, want %d, %d", c.limits, c.total, gotMin, gotWarn, c.wantMin, c.wantWarnAt)
		}
	}
}

// A disk that clients fill stops taking from them while the reserve is whole, and everything else goes on out of it; it
// takes from them again by itself.
func TestFullDiskAndBack(t *testing.T) {
	for _, comesBack := range []string{"topic deleted", "records deleted", "retention", "others made room", "limit lowered"} {
		t.Run(comesBack, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const disk, reserve = 4 << 20, 1 << 20
				mem := vfs.NewMem(nil)
				mem.SetCapacity(disk)
				var told []string
				s := open(t, mem, "data", func(o *Options) {
					o.Now, o.Space = time.Now, SpaceLimits{Min: reserve, Warn: 2 * reserve}
					o.Events.Space = func(_ string, s SpaceStatus) { told = append(told, s.State.String()) }
				})
				defer func() { closeStore(t, s) }()
				c := DefaultLogConfig()
				c.SegmentBytes, c.RetentionMs = 200<<10, 3_600_000
				filled := create(t, s, c)
				offsets, err := s.Create(TopicPartition{Topic: "__consumer_offsets"}, [16]byte{9}, DefaultLogConfig())
				if err != nil {
					t.Fatal(err)
				}
				acked := fillUp(t, filled)
				if _, free, _ := s.DiskUsage(); free < reserve-300<<10 {
					t.Errorf("clients were let into the reserve: %d bytes are left of %d", free, reserve)
				}
				_, err = filled.Append(bigBatch(time.Now().UnixMilli()), AppendOptions{})
				for _, part := range []string{fmt.Sprint(reserve), "log.dir.free.min.bytes", "data"} {
					if !errors.Is(err, protocol.KafkaStorageError) || !strings.Contains(err.Error(), part) {
						t.Fatalf("%v does not say %s", err, part)
					}
				}
				// What is not a client's append goes on.
				if _, err := offsets.Append(batch(1, 1, 100), AppendOptions{Origin: Coordinator}); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(filled.Flush(), offsets.Flush()); err != nil {
					t.Fatal(err)
				}
				if slice, err := filled.Read(0, 1000, filled.Flushed(), true); err != nil || slice.Bytes == 0 {
					t.Fatal(err)
				} else {
					slice.Release()
				}
				filled.SetHighWatermark(filled.End())
				if filled.End() != acked {
					t.Fatalf("the log ends at %d, acknowledged were %d", filled.End(), acked)
				}
				time.Sleep(90 * time.Second)
				synctest.Wait()
				if s.Space().State != SpaceShort {
					t.Fatal(s.Space())
				}
				switch comesBack {
				case "topic deleted":
					if err := s.Delete(testTopic); err != nil {
						t.Fatal(err)
					}
				case "records deleted":
					if err := filled.AdvanceLogStart(filled.End()); err != nil {
						t.Fatal(err)
					}
				case "retention":
					time.Sleep(time.Hour)
				case "others made room":
					mem.SetCapacity(2 * disk)
				case "limit lowered":
					s.SetSpaceLimits(SpaceLimits{})
				}
				time.Sleep(2 * watchEvery)
				synctest.Wait()
				again, err := s.Create(testTopic, [16]byte{1}, c)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := again.Append(bigBatch(time.Now().UnixMilli()), AppendOptions{}); err != nil {
					t.Error("appends do not go on:", err)
				}
				if len(told) < 4 || told[0] != "low" || told[1] != "short" || told[2] != "short" || s.Space().State != SpaceEnough {
					t.Errorf("told %q, now %+v", told, s.Space())
				}
			})
		})
	}
}

// Where not a single page is left, others having filled the reserve too, deleting a topic still makes room.
func TestDeleteMakesRoomOnADiskWithoutAnyLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(nil)
		s := open(t, mem, "data", func(o *Options) { o.Now, o.Space = time.Now, SpaceLimits{Min: 64 << 10} })
		l, err := s.Create(TopicPartition{Topic: "kept"}, [16]byte{2}, DefaultLogConfig())
		if err != nil {
			t.Fatal(err)
		}
		doomed := create(t, s, DefaultLogConfig())
		for range 20 {
			add(t, doomed, bigBatch(1))
			add(t, l, batch(1, 1, 100))
		}
		if err := errors.Join(doomed.Flush(), l.Flush()); err != nil {
			t.Fatal(err)
		}
		doomed.SetHighWatermark(doomed.End())
		time.Sleep(2 * time.Second) // checkpoints name it
		total, free, _ := s.DiskUsage()
		mem.SetCapacity(total - free)
		s.space.measure()
		if err := s.Delete(testTopic); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * watchEvery)
		synctest.Wait()
		if _, free, _ := s.DiskUsage(); free < 300<<10 {
			t.Errorf("only %d bytes are free", free)
		}
		add(t, l, batch(1, 1, 100))
		left := mem.KillClone()
		closeStore(t, s)
		s = open(t, left, "data")
		if err := s.Get(TopicPartition{Topic: "kept"}).Err(); err != nil {
			t.Error(err)
		}
		closeStore(t, s)
	})
}

// With enough space nothing runs, and an append does not ask how much there is.
func TestSpaceCostsNothingWhileThereIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := &countingUsage{FS: vfs.NewMem(nil)}
		s := open(t, fs, "data", func(o *Options) { o.Space = SpaceLimits{Min: AutoSpace, Warn: AutoSpace} })
		defer func() { closeStore(t, s) }()
		l := create(t, s, DefaultLogConfig())
		for range 1000 {
			add(t, l, batch(1, 1, 100))
		}
		time.Sleep(time.Hour)
		if fs.asked != 1 {
			t.Errorf("asked %d times", fs.asked)
		}
	})
}

type countingUsage struct {
	vfs.FS
	asked int
}

func (c *countingUsage) DiskUsage(name string) (total, free uint64, err error) {
	c.asked++
	return c.FS.DiskUsage(name)
}

// fillUp appends and flushes until the log says that the disk is full. It returns where the log ended then.
func fillUp(t *testing.T, l *Log) (end int64) {
	t.Helper()
	for range 10_000 {
		a, err := l.Append(bigBatch(time.Now().UnixMilli()), AppendOptions{})
		if errors.Is(err, protocol.KafkaStorageError) {
			return end
		}
		if err != nil {
			t.Fatal(err)
		}
		end = a.LastOffset + 1
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the disk does not get full")
	return 0
}

func bigBatch(ms int64) record.Batch { return batch(ms, 1, 20<<10) }
