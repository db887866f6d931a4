package quorum

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
)

func onDisk(b testing.TB, dir string) *node {
	b.Helper()
	store, err := logstore.Open(dir, logstore.Options{FS: vfs.OS(), NodeID: 1})
	if err != nil {
		b.Fatal(err)
	}
	q, err := Open(context.Background(), Options{Store: store, FS: vfs.OS(), NodeID: 1, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	return &node{q, store}
}

func counting(k int) Decide {
	return func(*cluster.Image, time.Time) ([]cluster.Record, error) {
		return []cluster.Record{&record.ProducerIdsRecord{NextProducerID: int64(k)}}, nil
	}
}

// BenchmarkOpen is opening a quorum of one, on disk, with so many entries or partitions in it, the data directory aside.
func BenchmarkOpen(b *testing.B) {
	for _, c := range []struct {
		name                string
		entries, partitions int
	}{{"empty", 0, 0}, {"1000 entries", 1000, 0}, {"3000 entries", 3000, 0}, {"10000 partitions", 1, 10_000}} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			n := onDisk(b, dir)
			n.start()
			var all sync.WaitGroup
			for k := range c.entries {
				all.Go(func() { n.Propose(context.Background(), counting(k)) })
				all.Wait() // an entry each
			}
			if c.partitions > 0 {
				n.create("big", int32(c.partitions))
			}
			n.end()
			var open, start time.Duration
			for b.Loop() {
				if c.name == "empty" {
					dir = b.TempDir()
				}
				store, err := logstore.Open(dir, logstore.Options{FS: vfs.OS(), NodeID: 1})
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				q, err := Open(context.Background(), Options{Store: store, FS: vfs.OS(), NodeID: 1, Now: time.Now})
				if err != nil {
					b.Fatal(err)
				}
				open += time.Since(began)
				n := &node{q, store}
				if _, err := n.start(); err != nil {
					b.Fatal(err)
				}
				start += time.Since(began)
				n.end()
			}
			b.ReportMetric(float64(open.Microseconds())/1000/float64(b.N), "open-ms/op")
			b.ReportMetric(float64(start.Microseconds())/1000/float64(b.N), "started-ms/op")
		})
	}
}

// BenchmarkPropose is a durable change, by one proposer and by many at once.
func BenchmarkPropose(b *testing.B) {
	for _, proposers := range []int{1, 64} {
		b.Run(fmt.Sprintf("proposers=%d", proposers), func(b *testing.B) {
			n := onDisk(b, b.TempDir())
			defer n.end()
			n.start()
			b.SetParallelism(proposers)
			b.RunParallel(func(pb *testing.PB) {
				for k := 0; pb.Next(); k++ {
					if _, err := n.Propose(context.Background(), counting(k)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
