package crash

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	topic      = "crash"
	group      = "crash"
	partitions = 16
	producers  = 8
	members    = 2
	valueBytes = 200
)

// value is what a record says of itself: producer u32 · number u64, big-endian, then padding.
func value(producer int, number int64) []byte {
	v := make([]byte, valueBytes)
	binary.BigEndian.PutUint32(v, uint32(producer))
	binary.BigEndian.PutUint64(v[4:], uint64(number))
	return v
}

func recordOf(r *kgo.Record) record {
	return record{
		place:    place{r.Partition, r.Offset},
		producer: int(binary.BigEndian.Uint32(r.Value)),
		number:   int64(binary.BigEndian.Uint64(r.Value[4:])),
	}
}

func client(t *testing.T, bootstrap string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(20 * time.Millisecond), kgo.DialTimeout(2 * time.Second), kgo.RetryTimeout(time.Minute),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// load is the clients at work, until stop.
type load struct {
	stopProducing context.CancelFunc
	stopReading   context.CancelFunc
	producing     sync.WaitGroup
	reading       sync.WaitGroup
	clients       []*kgo.Client
}

func startLoad(t *testing.T, bootstrap string, h *history) *load {
	produce, stopProducing := context.WithCancel(context.Background())
	read, stopReading := context.WithCancel(context.Background())
	l := &load{stopProducing: stopProducing, stopReading: stopReading}
	t.Cleanup(l.stop)
	for p := range producers {
		c := client(t, bootstrap, kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.MaxBufferedRecords(400), kgo.ProducerLinger(time.Millisecond))
		l.clients = append(l.clients, c)
		l.producing.Go(func() { keepProducing(produce, c, p, h) })
	}
	for range members {
		c := client(t, bootstrap, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
			kgo.FetchMaxWait(100*time.Millisecond), kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		l.reading.Go(func() { keepReading(read, c, h); c.CloseAllowingRebalance() })
	}
	return l
}

// stop ends the load: what was sent is acknowledged first. It may be called again.
func (l *load) stop() {
	l.stopProducing()
	l.producing.Wait()
	l.stopReading()
	l.reading.Wait()
}

// keepProducing sends numbers to every partition in turn until ctx ends, and then waits for all acknowledgements.
func keepProducing(ctx context.Context, c *kgo.Client, producer int, h *history) {
	for i := int64(0); ctx.Err() == nil; i++ {
		partition, number := int32(i%partitions), i/partitions
		c.Produce(context.Background(), &kgo.Record{Partition: partition, Value: value(producer, number)}, func(r *kgo.Record, err error) {
			if err != nil {
				h.fail("producer %d, partition %d, number %d: %v", producer, partition, number, err)
				return
			}
			h.ack(record{place{r.Partition, r.Offset}, producer, number})
		})
	}
	deadline, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Flush(deadline); err != nil {
		h.fail("producer %d: not all was acknowledged a minute after the last crash: %v", producer, err)
	}
}

// keepReading is a group member: it reads, and commits what it has read.
func keepReading(ctx context.Context, c *kgo.Client, h *history) {
	for ctx.Err() == nil {
		fetches := c.PollFetches(ctx)
		fetches.EachError(func(_ string, p int32, err error) {
			if kerr.IsRetriable(err) || ctx.Err() != nil || !isKafkaError(err) {
				return // the broker is down, or has just come back
			}
			h.fail("reading partition %d: %v", p, err)
		})
		ends := map[int32]int64{}
		fetches.EachRecord(func(r *kgo.Record) {
			h.deliver(recordOf(r))
			ends[r.Partition] = r.Offset + 1
		})
		if len(ends) > 0 {
			c.CommitOffsetsSync(ctx, c.UncommittedOffsets(), func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
				noteCommit(h, req, resp, err)
			})
		}
		c.AllowRebalance()
	}
}

func noteCommit(h *history, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	if err != nil || resp == nil {
		return // outcome unknown: nothing was promised
	}
	accepted := map[int32]bool{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			accepted[p.Partition] = p.ErrorCode == 0
		}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if accepted[p.Partition] {
				h.commit(p.Partition, p.Offset)
			}
		}
	}
}

func isKafkaError(err error) bool {
	_, ok := err.(*kerr.Error)
	return ok
}

// checkCommits asks the broker, which has just come back, for what it promised to keep.
func checkCommits(ctx context.Context, admin *kadm.Client, promised map[int32]int64) []string {
	offsets, err := admin.FetchOffsets(ctx, group)
	for end := time.Now().Add(time.Minute); err != nil; offsets, err = admin.FetchOffsets(ctx, group) {
		if time.Now().After(end) || ctx.Err() != nil {
			return []string{"no committed offsets a minute after a restart: " + err.Error()}
		}
	}
	h := newHistory()
	for partition, want := range promised {
		if got, ok := offsets.Lookup(topic, partition); !ok || got.At < want {
			h.complain("partition %d: %d was committed, after a restart it is %d", partition, want, got.At)
		}
	}
	return h.broken
}

// readAll reads every partition from its start to its end.
func readAll(t *testing.T, ctx context.Context, bootstrap string, admin *kadm.Client) map[int32][]record {
	t.Helper()
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	c := client(t, bootstrap, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	logs := map[int32][]record{}
	for n := int64(0); n < total; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("after %d of %d: %v", n, total, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			logs[r.Partition] = append(logs[r.Partition], recordOf(r))
			n++
		})
	}
	return logs
}
