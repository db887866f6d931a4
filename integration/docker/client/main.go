// Command client sends records through a broker and reads all that the topic holds, as a first program would: with no
// setting but the address. It runs on the host and in a container.
//
//	client BOOTSTRAP TOPIC PREFIX COUNT [GROUP]
//
// It sends COUNT records PREFIX-0, PREFIX-1, …, then prints every value in the topic, read as a member of GROUP if given.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	if len(os.Args) < 5 || len(os.Args) > 6 {
		fmt.Fprintln(os.Stderr, "usage: client BOOTSTRAP TOPIC PREFIX COUNT [GROUP]")
		os.Exit(2)
	}
	count, err := strconv.Atoi(os.Args[4])
	if err == nil {
		err = run(os.Args[1], os.Args[2], os.Args[3], count, os.Args[5:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(bootstrap, topic, prefix string, count int, group []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	producer, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation())
	if err != nil {
		return err
	}
	defer producer.Close()
	for i := range count {
		if err := producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprintf("%s-%d", prefix, i))).FirstErr(); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
	}
	ends, err := kadm.NewClient(producer).ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("end offsets: %w", err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	opts := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic)}
	for _, name := range group {
		opts = append(opts, kgo.ConsumerGroup(name))
	}
	consumer, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for left > 0 {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("consume: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			fmt.Println(string(r.Value))
			left--
		})
	}
	return nil
}
