package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kgo"
)

// recovery tells how long a broker takes to answer after SIGKILL with much in it, in few and in many partitions: GIB
// gibibytes (default 10), which are really written. With COLD=1, as root, the page cache is dropped before the start.
func (b *bench) recovery() error {
	gib := number("GIB", 10)
	for _, partitions := range []int{10, 1000} {
		took, written, err := b.killFull(partitions, int64(gib)<<30)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("SIGKILL, %.1f GiB in %d partitions", float64(written)/(1<<30), partitions)
		for i, cache := range []string{"first start", "killed again"} {
			goal(what+", "+cache, took[i], goalStart)
		}
	}
	return nil
}

func (b *bench) killFull(partitions int, bytes int64) (took []time.Duration, written int64, err error) {
	broker, err := b.start(nil)
	if err != nil {
		return nil, 0, err
	}
	defer b.end(broker)
	if err := createDurable(broker.Bootstrap, partitions, nil); err != nil {
		return nil, 0, err
	}
	if written, err = fill(broker, partitions, bytes); err != nil {
		return nil, 0, err
	}
	for range 2 {
		if os.Getenv("COLD") != "" {
			if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0); err != nil {
				return nil, 0, err
			}
		}
		d, err := broker.Restart()
		if err != nil {
			return nil, 0, err
		}
		took = append(took, d)
		broker.Kill()
	}
	_, err = broker.Restart()
	return took, written, err
}

// fill sends records of 64 KiB until so many bytes are acknowledged, and kills the broker while more are under way.
func fill(broker *launch.Broker, partitions int, bytes int64) (int64, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(broker.Bootstrap), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(2000))
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer c.Close()
	defer cancel()
	var acked atomic.Int64
	enough := make(chan struct{})
	value := make([]byte, 64<<10)
	go func() { // ends with ctx
		for i := 0; ctx.Err() == nil; i++ {
			c.Produce(ctx, &kgo.Record{Partition: int32(i % partitions), Value: value}, func(_ *kgo.Record, err error) {
				if n := acked.Add(int64(len(value))); err == nil && n >= bytes && n-int64(len(value)) < bytes {
					close(enough)
				}
			})
		}
	}()
	<-enough
	broker.Kill()
	return acked.Load(), nil
}
