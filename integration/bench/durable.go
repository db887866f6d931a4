package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// How durable appends are measured through a broker.
const (
	durablePartitions = 100
	durableClients    = 4
	durableWaiters    = 256 // of all clients; each has one record of 1 KiB under way
	durableWarmUp     = 5 * time.Second
	durableTime       = 4 * time.Second
)

// The durable part's brokers. Page cache is the bound: nothing that makes appends durable is faster than doing nothing.
var durableBrokers = []struct {
	name  string
	kafka bool
	set   map[string]string
	topic map[string]*string
}{
	{name: "Ottla, fsync"},
	{name: "Ottla, pagecache (the bound)", set: map[string]string{"log.durability": "pagecache"}},
	{name: "Apache Kafka, flush.messages=1", kafka: true, topic: map[string]*string{"flush.messages": kadm.StringPtr("1")}},
}

// durable compares durable appends through brokers, with the same client and the same waiters: to 100 partitions, and to
// one. Without Apache Kafka's jars and a JVM it does without.
func (b *bench) durable() error {
	for _, partitions := range []int{1, durablePartitions} {
		fmt.Printf("%d waiters, each with a record of 1 KiB under way to one of %d partitions, acks=all\n", durableWaiters, partitions)
		if err := b.durableCase(partitions); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) durableCase(partitions int) error {
	rates := make([][]float64, len(durableBrokers))
	brokers := make([]*launch.Broker, len(durableBrokers))
	defer func() {
		for _, broker := range brokers {
			if broker != nil {
				broker.Close()
			}
		}
	}()
	for i, d := range durableBrokers {
		if d.kafka && launch.Jars() == "" {
			fmt.Println("  no Apache Kafka jars: make deps")
			continue
		}
		open := launch.Open
		if d.kafka {
			open = launch.OpenKafka
		}
		b.brokers++
		broker, err := open(launch.Options{Dir: filepath.Join(b.dir, strconv.Itoa(b.brokers)), Set: d.set})
		if err != nil {
			return err
		}
		brokers[i] = broker
		if err := createDurable(broker.Bootstrap, partitions, d.topic); err != nil {
			return err
		}
		if _, err := waitersRate(broker.Bootstrap, partitions, durableWarmUp); err != nil {
			return err
		}
	}
	for range b.rounds { // in turn: the machine is not the same from minute to minute
		for i, broker := range brokers {
			if broker == nil {
				continue
			}
			rate, err := waitersRate(broker.Bootstrap, partitions, durableTime)
			if err != nil {
				return fmt.Errorf("%s: %w", durableBrokers[i].name, err)
			}
			rates[i] = append(rates[i], rate)
		}
	}
	ours := median(rates[0])
	for i, d := range durableBrokers {
		if len(rates[i]) == 0 {
			continue
		}
		slices.Sort(rates[i])
		fmt.Printf("  %-50s %8.0f/s [%.0f %.0f], Ottla with fsync is %.2f of it\n", d.name, median(rates[i]), rates[i][0], rates[i][len(rates[i])-1], ours/median(rates[i]))
	}
	return nil
}

func createDurable(bootstrap string, partitions int, config map[string]*string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer c.Close()
	created, err := kadm.NewClient(c).CreateTopics(context.Background(), int32(partitions), 1, config, topic)
	if err == nil {
		err = created.Error()
	}
	return err
}

// waitersRate is how many records a second are acknowledged.
func waitersRate(bootstrap string, partitions int, d time.Duration) (float64, error) {
	var clients []*kgo.Client
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	for range durableClients {
		c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0))
		if err != nil {
			return 0, err
		}
		clients = append(clients, c)
		if err := c.ProduceSync(context.Background(), &kgo.Record{Value: oneKiB[:]}).FirstErr(); err != nil {
			return 0, err
		}
	}
	var acked atomic.Int64
	var failed atomic.Pointer[error]
	var wait sync.WaitGroup
	began := time.Now()
	for i := range durableWaiters {
		wait.Go(func() {
			for time.Since(began) < d && failed.Load() == nil {
				err := clients[i%durableClients].ProduceSync(context.Background(), &kgo.Record{Partition: int32(i % partitions), Value: oneKiB[:]}).FirstErr()
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				acked.Add(1)
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(acked.Load()) / time.Since(began).Seconds(), nil
}
