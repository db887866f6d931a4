package full

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clients are a producer that hears every refusal, an administrator, and what they were promised.
type clients struct {
	t        *testing.T
	ctx      context.Context
	broker   *launch.Broker
	producer *kgo.Client
	admin    *kadm.Client
	random   *rand.ChaCha8
	acked    map[string]map[place]uint32 // by topic: checksums of the values
	commits  map[string]int64            // committed offsets, by group
}

type place struct {
	partition int32
	offset    int64
}

const partitions = 3

func newClients(t *testing.T, b *launch.Broker) *clients {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	t.Cleanup(cancel)
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RetryTimeout(10*time.Second), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &clients{t, ctx, b, c, kadm.NewClient(c), rand.NewChaCha8([32]byte{1}), map[string]map[place]uint32{}, map[string]int64{}}
}

// create makes a topic of small segments.
func (c *clients) create(topic string) error {
	config := map[string]*string{"segment.bytes": kadm.StringPtr("1048576"), "file.delete.delay.ms": kadm.StringPtr("1000")}
	made, err := c.admin.CreateTopic(c.ctx, partitions, 1, config, topic)
	return errors.Join(err, made.Err)
}

// produce sends a record of 64 KiB.
func (c *clients) produce(topic string) error {
	value := make([]byte, 64<<10)
	c.random.Read(value)
	partition := int32(c.random.Uint64() % partitions)
	r, err := c.producer.ProduceSync(c.ctx, &kgo.Record{Topic: topic, Partition: partition, Value: value}).First()
	if err != nil {
		return err
	}
	if c.acked[topic] == nil {
		c.acked[topic] = map[place]uint32{}
	}
	c.acked[topic][place{partition, r.Offset}] = crc32.ChecksumIEEE(value)
	return nil
}

// fill produces so many records, or until the disk is full if that is not to be: then it reports true.
func (c *clients) fill(topic string, records int) (full bool) {
	c.t.Helper()
	for range records {
		err := c.produce(topic)
		if errors.Is(err, kerr.KafkaStorageError) {
			return true
		}
		if err != nil {
			c.t.Fatalf("producing to %s: %v", topic, err)
		}
	}
	return false
}

// goesOn produces until that succeeds.
func (c *clients) goesOn(topic string) {
	c.t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = c.produce(topic); err == nil {
			return
		}
	}
	c.t.Fatalf("the disk has room again, and producing fails: %v", err)
}

// commit commits an offset of a group.
func (c *clients) commit(group, topic string, offset int64) error {
	var o kadm.Offsets
	o.AddOffset(topic, 0, offset, -1)
	ctx, cancel := context.WithTimeout(c.ctx, 3*time.Second)
	defer cancel()
	answers, err := c.admin.CommitOffsets(ctx, group, o)
	if err = errors.Join(err, answers.Error()); err == nil {
		c.commits[group+" "+topic] = offset
	}
	return err
}

// verify reads every topic, and the commits.
func (c *clients) verify() {
	c.t.Helper()
	for topic, want := range c.acked {
		if err := c.read(topic, want); err != nil {
			c.t.Fatal(err)
		}
	}
	for key, want := range c.commits {
		var group, topic string
		fmt.Sscan(key, &group, &topic)
		found, err := c.admin.FetchOffsets(c.ctx, group)
		if err != nil {
			c.t.Fatal(err)
		}
		if got, ok := found.Lookup(topic, 0); !ok || got.At != want {
			c.t.Fatalf("group %s has committed %d of %s, now it is %d", group, want, topic, got.At)
		}
	}
}

// count is how many records were acknowledged that are still to be there.
func (c *clients) count() (n int64) {
	for _, records := range c.acked {
		n += int64(len(records))
	}
	return n
}

// read compares a topic with what was acknowledged.
func (c *clients) read(topic string, want map[place]uint32) error {
	reader, err := kgo.NewClient(kgo.SeedBrokers(c.broker.Bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer reader.Close()
	missing := len(want)
	for missing > 0 {
		fetches := reader.PollFetches(c.ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%s: with %d acknowledged records to come: %w", topic, missing, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			sum, ok := want[place{r.Partition, r.Offset}]
			if !ok {
				return // not acknowledged, or not heard
			}
			missing--
			if sum != crc32.ChecksumIEEE(r.Value) {
				err = fmt.Errorf("%s-%d: another record at offset %d than was acknowledged", topic, r.Partition, r.Offset)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// drop deletes a topic.
func (c *clients) drop(topic string) error {
	gone, err := c.admin.DeleteTopic(c.ctx, topic)
	if err = errors.Join(err, gone.Err); err == nil {
		delete(c.acked, topic)
	}
	return err
}
