package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What ten thousand partitions may cost.
const (
	goalCreate      = 5 * time.Second
	goalStart       = time.Second
	goalResident    = 300 << 20
	goalIdle        = 2.0 // percent of a core
	goalDescriptors = 5000
)

// idleFor is how long the idle broker's processor time is measured.
const idleFor = 10 * time.Second

// partitions tells what ten thousand partitions cost, as one topic and as a thousand topics of ten.
func (b *bench) partitions() error {
	for _, shape := range []struct {
		topics int
		each   int32
	}{{1, 10_000}, {1_000, 10}} {
		fmt.Printf("%d × %d partitions\n", shape.topics, shape.each)
		if err := b.manyPartitions(shape.topics, shape.each); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) manyPartitions(topics int, each int32) error {
	broker, err := b.start(nil)
	if err != nil {
		return err
	}
	// Its files stay until the end: for minutes after a removal of many, ext4 searches long for an inode to give out.
	defer broker.Close()
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprintf("many-%04d", i)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(broker.Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx := context.Background()
	admin := kadm.NewClient(c)
	took, err := timed(func() error {
		created, err := admin.CreateTopics(ctx, each, 1, nil, names...)
		if err == nil {
			err = created.Error()
		}
		return err
	})
	if err != nil {
		return err
	}
	goal("create them", took, goalCreate)
	if err := list(ctx, admin, topics*int(each)); err != nil {
		return err
	}
	if err := quiet(broker, "after creation"); err != nil {
		return err
	}
	if took, err = timed(func() error { return produceToAll(ctx, c, names, each) }); err != nil {
		return err
	}
	figure("a record to each of them, acks=all", took)
	if err := quiet(broker, "after a record each"); err != nil {
		return err
	}
	if err := restarts(broker, b.rounds); err != nil {
		return err
	}
	if err := quiet(broker, "after a clean start"); err != nil {
		return err
	}
	return list(ctx, admin, topics*int(each))
}

// restarts stops the broker cleanly and starts it, several times: the first may find a colder cache.
func restarts(broker *launch.Broker, rounds int) error {
	var stops, starts []time.Duration
	for range max(rounds, 3) {
		took, err := timed(broker.Stop)
		if err != nil {
			return err
		}
		stops = append(stops, took)
		if took, err = broker.Restart(); err != nil {
			return err
		}
		starts = append(starts, took)
	}
	fmt.Printf("  %-50s %s\n", "clean stop", durations(stops))
	shown := durations(starts)
	fmt.Printf("  %-50s %s, goal %v%s\n", "exec to first answer, clean", shown, goalStart, missed(starts[len(starts)/2] > goalStart))
	broker.Kill()
	took, err := broker.Restart()
	if err != nil {
		return err
	}
	goal("exec to first answer, after SIGKILL", took, goalStart)
	return nil
}

// list asks for all partitions in the ways that clients do.
func list(ctx context.Context, admin *kadm.Client, want int) error {
	for _, ask := range []struct {
		what string
		do   func() (int, error)
	}{
		{"Metadata of all", func() (n int, err error) {
			all, err := admin.ListTopics(ctx)
			for _, t := range all {
				n += len(t.Partitions)
			}
			return n, err
		}},
		{"ListOffsets of all", func() (n int, err error) {
			all, err := admin.ListEndOffsets(ctx)
			for _, t := range all {
				n += len(t)
			}
			return n, err
		}},
		{"DescribeLogDirs of all", func() (n int, err error) {
			all, err := admin.DescribeAllLogDirs(ctx, nil)
			all.Each(func(d kadm.DescribedLogDir) {
				d.Topics.Each(func(kadm.DescribedLogDirPartition) { n++ })
			})
			return n, err
		}},
	} {
		var got int
		took, err := timed(func() (err error) {
			got, err = ask.do()
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", ask.what, err)
		}
		if got < want {
			return fmt.Errorf("%s: %d partitions of %d", ask.what, got, want)
		}
		figure(ask.what, took)
	}
	return nil
}

// quiet tells what the broker holds and does while nobody asks anything of it.
func quiet(broker *launch.Broker, when string) error {
	time.Sleep(3 * time.Second) // checkpoints are written a second after the last change
	before := processorTime(broker.PID())
	time.Sleep(idleFor)
	idle := 100 * float64(processorTime(broker.PID())-before) / float64(idleFor)
	held, err := resident(broker.PID())
	if err != nil {
		fmt.Println("  resident memory is not known on this system:", err)
		return nil
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", broker.PID()))
	if err != nil {
		return err
	}
	fmt.Printf("  %-50s %.1f MiB, goal %d MiB%s\n", "resident "+when, mib(held), goalResident>>20, missed(held > goalResident))
	fmt.Printf("  %-50s %.2f %% of a core, goal %.0f %%%s\n", "idle "+when, idle, goalIdle, missed(idle > goalIdle))
	fmt.Printf("  %-50s %d, goal %d%s\n", "descriptors "+when, len(open), goalDescriptors, missed(len(open) >= goalDescriptors))
	return nil
}

func produceToAll(ctx context.Context, c *kgo.Client, names []string, each int32) error {
	var records []*kgo.Record
	for _, name := range names {
		for p := range each {
			records = append(records, &kgo.Record{Topic: name, Partition: p, Value: make([]byte, 100)})
		}
	}
	return c.ProduceSync(ctx, records...).FirstErr()
}

func timed(f func() error) (time.Duration, error) {
	begin := time.Now()
	err := f()
	return time.Since(begin), err
}

func figure(what string, took time.Duration) {
	fmt.Printf("  %-50s %v\n", what, took.Round(100*time.Microsecond))
}

func goal(what string, took, goal time.Duration) {
	fmt.Printf("  %-50s %v, goal %v%s\n", what, took.Round(100*time.Microsecond), goal, missed(took > goal))
}

func missed(is bool) string {
	if is {
		return "  MISSED"
	}
	return ""
}
