package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "bench"
	partitions = 6
	valueBytes = 1024
)

// serveKfake is kfake in a process of its own, as the broker is, until it is killed.
func serveKfake(port string) {
	var p int
	fmt.Sscan(port, &p)
	if _, err := kfake.NewCluster(kfake.Ports(p), kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// rates are records per second of each round, and the broker's processor time for a MB produced, in ms.
type rates struct{ produce, consume, cpu []float64 }

// throughput sends and reads 1 KiB records, in batches, with acks=all: to kfake and to both modes of ours, in turn.
func (b *bench) throughput() error {
	got := map[string]*rates{"kfake": {}, "pagecache": {}, "fsync": {}}
	for range b.rounds {
		for _, name := range []string{"kfake", "pagecache", "fsync"} {
			if err := b.round(name, got[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	show := func(what string, of func(*rates) []float64) {
		for _, name := range []string{"pagecache", "fsync", "kfake"} {
			r := slices.Clone(of(got[name]))
			slices.Sort(r)
			fmt.Printf("%-52s %8.0f records/s %6.0f MB/s [%.0f %.0f] %5.2f of kfake\n", what+", "+name, median(r), median(r)*valueBytes/1e6, r[0], r[len(r)-1],
				median(r)/median(of(got["kfake"])))
		}
	}
	show("produce 1 KiB, acks=all, 6 partitions", func(r *rates) []float64 { return r.produce })
	show("consume them", func(r *rates) []float64 { return r.consume })
	for _, name := range []string{"pagecache", "fsync", "kfake"} {
		fmt.Printf("%-52s %.2f ms\n", "broker's processor time for a MB produced, "+name, median(got[name].cpu))
	}
	return nil
}

func (b *bench) round(name string, into *rates) error {
	var bootstrap string
	var pid int
	if name == "kfake" {
		bootstrap = fmt.Sprintf("127.0.0.1:%d", launch.FreePort())
		_, port, _ := strings.Cut(bootstrap, ":")
		cmd := exec.Command(os.Args[0], "kfake", port)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
		defer cmd.Wait()
		defer cmd.Process.Kill()
		pid = cmd.Process.Pid
		for !launch.Answers(bootstrap) {
			time.Sleep(5 * time.Millisecond)
		}
	} else {
		broker, err := b.start(map[string]string{"log.durability": name})
		if err != nil {
			return err
		}
		defer b.end(broker)
		bootstrap, pid = broker.Bootstrap, broker.PID()
		if err := createTopic(bootstrap); err != nil {
			return err
		}
	}
	before := processorTime(pid)
	produced, err := produce(bootstrap, b.records)
	if err != nil {
		return err
	}
	used := processorTime(pid) - before
	into.cpu = append(into.cpu, float64(used.Microseconds())/1e3/(float64(b.records)*valueBytes/1e6))
	consumed, err := consume(bootstrap, b.records)
	if err != nil {
		return err
	}
	into.produce = append(into.produce, float64(b.records)/produced.Seconds())
	into.consume = append(into.consume, float64(b.records)/consumed.Seconds())
	return nil
}

func createTopic(bootstrap string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = kadm.NewClient(c).CreateTopic(context.Background(), partitions, 1, nil, topic)
	return err
}

func producer(bootstrap string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(50_000), kgo.RecordPartitioner(kgo.UniformBytesPartitioner(64<<10, false, false, nil)))
}

func produce(bootstrap string, records int) (time.Duration, error) {
	c, err := producer(bootstrap)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	ctx := context.Background()
	if err := c.ProduceSync(ctx, kgo.SliceRecord(make([]byte, valueBytes))).FirstErr(); err != nil { // connected, and with a producer id
		return 0, err
	}
	value := make([]byte, valueBytes)
	var failed atomic.Pointer[error]
	begin := time.Now()
	for range records - 1 {
		c.Produce(ctx, kgo.SliceRecord(value), func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return took, nil
}

func consume(bootstrap string, records int) (time.Duration, error) {
	begin := time.Now()
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for n := 0; n < records; {
		fetches := c.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		n += fetches.NumRecords()
	}
	return time.Since(begin), nil
}

// killUnderLoad sends records until half of them are acknowledged, and kills the broker in the midst of the rest.
func killUnderLoad(broker *launch.Broker, records int) error {
	if err := createTopic(broker.Bootstrap); err != nil {
		return err
	}
	c, err := producer(broker.Bootstrap)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer c.Close()
	defer cancel()
	var acked atomic.Int64
	half := make(chan struct{})
	go func() { // ends with ctx
		for ctx.Err() == nil {
			c.Produce(ctx, kgo.SliceRecord(make([]byte, valueBytes)), func(_ *kgo.Record, err error) {
				if err == nil && acked.Add(1) == int64(records/2) {
					close(half)
				}
			})
		}
	}()
	select {
	case <-half:
		broker.Kill()
		return nil
	case <-time.After(time.Minute):
		return fmt.Errorf("only %d records were acknowledged in a minute", acked.Load())
	}
}
