package logstore_test

import (
	"errors"
	"fmt"
	"math"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
)

// Steps about space: partitions that are deleted and made again, a disk that is fuller than log.retention.disk.percent
// allows, and one that is full. A crash in the middle of the latter leaves a full disk to start on.
func init() {
	crashSteps = append(crashSteps,
		crashStep{weight: 2, name: "delete and make again", do: (*world).recreate, restarts: true},
		crashStep{weight: 2, name: "retention by disk", do: (*world).retentionByDisk, restarts: true},
		crashStep{weight: 3, name: "full disk and back", do: (*world).fullAndBack, restarts: true},
	)
}

// recreate deletes the partition and makes another one of its name.
func (w *world) recreate(p *partition) error {
	w.change(func() {
		p.log, p.history, p.floor, p.startMin, p.startMax, p.ceiling = nil, nil, 0, 0, 0, math.MaxInt64
		p.durable, p.restarting, p.epoch, p.coord = false, false, 0, 0
		p.incarnation++
	})
	if err := w.store.Delete(p.tp); err != nil {
		return err
	}
	if w.rand.IntN(2) == 0 {
		time.Sleep(time.Duration(w.rand.Int64N(700)) * time.Millisecond)
	}
	l, err := w.store.Create(p.tp, p.topicID(), p.config)
	w.change(func() { p.log = l })
	return err
}

// retentionByDisk has segments of both partitions given up, as the disk is called too full.
func (w *world) retentionByDisk(p *partition) error {
	total, free, err := w.mem.DiskUsage("/")
	if err != nil {
		return err
	}
	before := make([]int64, len(w.partitions))
	w.change(func() {
		for i, p := range w.partitions {
			before[i] = p.log.LogStart()
			p.startMax = max(p.startMax, p.log.HighWatermark())
		}
	})
	w.mem.SetCapacity(int64(total-free)*20 + 1<<20)
	w.store.SetSpaceLimits(logstore.SpaceLimits{UsedPercent: 1 + w.rand.IntN(4)})
	synctest.Wait()
	w.store.SetSpaceLimits(logstore.SpaceLimits{})
	w.mem.SetCapacity(1 << 40)
	w.change(func() {
		for i, p := range w.partitions {
			if start := p.log.LogStart(); start > before[i] {
				p.startMin = start
			}
			p.startMax = p.log.LogStart()
		}
	})
	return p.log.Err()
}

// fullAndBack goes on while a few pages are left on the disk.
func (w *world) fullAndBack(*partition) error {
	total, free, err := w.mem.DiskUsage("/")
	if err != nil {
		return err
	}
	w.mem.SetCapacity(int64(total-free) + 4096*w.rand.Int64N(6))
	defer w.mem.SetCapacity(1 << 40)
	for range 2 + w.rand.IntN(6) {
		p := pick(w.rand, w.partitions...)
		do := pick(w.rand, (*world).append, (*world).append, (*world).append, (*world).flush, (*world).highWatermark, (*world).deleteRecords, (*world).retention, (*world).timePasses)
		err := do(w, p)
		synctest.Wait()
		w.settle()
		if err != nil && !errors.Is(err, protocol.KafkaStorageError) {
			return err
		}
		if err := p.log.Err(); err != nil {
			return fmt.Errorf("on a full disk: %w", err)
		}
	}
	return nil
}

// startFull starts on what a crash left, if its disk is full, and then makes room. Whatever the start came to, it must
// have done no harm.
func (c point) startFull() error {
	_, free, err := c.fs.DiskUsage("/")
	if err != nil || free > 1<<20 {
		return err
	}
	if s, err := logstore.Open(crashDir, logstore.Options{FS: vfs.FS(c.fs), NodeID: 1}); err == nil {
		s.Close() // which may fail as well
	}
	c.fs.SetCapacity(1 << 40)
	return nil
}
