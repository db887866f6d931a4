package verifier

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// group is the one that reads and commits.
const group = "verifier"

// Work is what clients do.
type Work struct {
	Topics     []string
	Partitions int32 // of each
	Producers  int   // idempotent, acks=all
	Members    int   // of a group that reads all and commits what it has read
	Churn      bool  // topics are made and deleted
	// Trimmed is a topic of one partition that retention takes the beginning of, "" for none. Deep is the bytes that it keeps.
	Trimmed string
	Deep    int
	// Keyed is a topic of one partition that is compacted, "" for none.
	Keyed string
}

// Ordinary is work of every kind.
var Ordinary = Work{Topics: []string{"left", "right"}, Partitions: 8, Producers: 8, Members: 2, Churn: true}

// Client makes one that comes back soon after a crash.
func Client(t testing.TB, bootstrap string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(20 * time.Millisecond), kgo.DialTimeout(2 * time.Second), kgo.RetryTimeout(time.Minute), kgo.AlwaysRetryEOF(),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Load is the clients at work, until Stop.
type Load struct {
	stopProducing context.CancelFunc
	stopReading   context.CancelFunc
	producing     sync.WaitGroup
	reading       sync.WaitGroup
	producers     []*kgo.Client
}

// Start has clients work on topics that are there. What they are promised goes into h.
func Start(t testing.TB, bootstrap string, w Work, h *History) *Load {
	produce, stopProducing := context.WithCancel(context.Background())
	read, stopReading := context.WithCancel(context.Background())
	l := &Load{stopProducing: stopProducing, stopReading: stopReading}
	t.Cleanup(l.Stop)
	for p := range w.Producers {
		c := Client(t, bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.MaxBufferedRecords(200), kgo.ProducerLinger(time.Millisecond))
		l.producers = append(l.producers, c)
		l.producing.Go(func() { w.keepProducing(produce, c, p, h) })
	}
	for range w.Members {
		c := Client(t, bootstrap, kgo.ConsumerGroup(group), kgo.ConsumeTopics(w.Topics...), kgo.DisableAutoCommit(),
			kgo.FetchMaxWait(100*time.Millisecond), kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		l.reading.Go(func() { keepReading(read, c, h); c.CloseAllowingRebalance() })
	}
	for _, only := range []string{w.Trimmed, w.Keyed} {
		if only == "" {
			continue
		}
		c := Client(t, bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(200), kgo.ProducerLinger(time.Millisecond))
		l.producers = append(l.producers, c)
		w := Work{Topics: []string{only}, Partitions: 1, Keyed: w.Keyed}
		l.producing.Go(func() { w.keepProducing(produce, c, 0, h) })
	}
	if w.Churn {
		c := Client(t, bootstrap)
		l.reading.Go(func() { keepChurning(read, c, h) })
	}
	return l
}

// Stop ends the load: what was sent is acknowledged first. It may be called again.
func (l *Load) Stop() {
	l.stopProducing()
	l.producing.Wait()
	l.stopReading()
	l.reading.Wait()
}

// Abandon ends the load at once: what is on its way is not acknowledged any more.
func (l *Load) Abandon() {
	l.stopProducing()
	for _, c := range l.producers {
		c.Close()
	}
	l.Stop()
}

// A producer sends this many records, and rests: the processors are also the broker's, and what is wanted is many crashes.
const (
	burst = 20
	rest  = 5 * time.Millisecond
)

// keepProducing sends numbers to every partition in turn until ctx ends, and then waits for all acknowledgements.
func (w Work) keepProducing(ctx context.Context, c *kgo.Client, producer int, h *History) {
	streams := int64(w.Partitions) * int64(len(w.Topics))
	for i := int64(0); ctx.Err() == nil; i++ {
		if i%burst == 0 {
			time.Sleep(rest)
		}
		topic, partition, number := w.Topics[i%int64(len(w.Topics))], int32(i%streams/int64(len(w.Topics))), i/streams
		c.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: partition, Key: w.key(topic, number), Value: value(producer, number)}, func(r *kgo.Record, err error) {
			switch {
			case errors.Is(err, kgo.ErrClientClosed): // by Abandon
				return
			case err != nil:
				h.fail("producer %d, %s-%d, number %d: %v", producer, topic, partition, number, err)
				return
			}
			h.ack(Record{Place{r.Topic, r.Partition, r.Offset}, producer, number})
		})
	}
	deadline, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.Flush(deadline); err != nil {
		h.fail("producer %d: not all was acknowledged a minute after the last crash: %v", producer, err)
	}
}

// keys is how many a compacted topic has.
const keys = 50

// key of a record, nil where none is needed.
func (w Work) key(topic string, number int64) []byte {
	if topic != w.Keyed {
		return nil
	}
	return []byte{byte(number % keys)}
}

// keepReading is a group member: it reads, and commits what it has read.
func keepReading(ctx context.Context, c *kgo.Client, h *History) {
	for ctx.Err() == nil {
		fetches := c.PollFetches(ctx)
		fetches.EachError(func(topic string, p int32, err error) {
			if kerr.IsRetriable(err) || ctx.Err() != nil || !isKafkaError(err) {
				return // the broker is down, or has just come back
			}
			h.fail("reading %s-%d: %v", topic, p, err)
		})
		read := 0
		fetches.EachRecord(func(r *kgo.Record) {
			h.deliver(recordOf(r))
			read++
		})
		if read > 0 {
			c.CommitOffsetsSync(ctx, c.UncommittedOffsets(), func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
				noteCommit(h, req, resp, err)
			})
		}
		c.AllowRebalance()
	}
}

func noteCommit(h *History, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	if err != nil || resp == nil {
		return // outcome unknown: nothing was promised
	}
	accepted := map[Partition]bool{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			accepted[Partition{t.Topic, p.Partition}] = p.ErrorCode == 0
		}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if at := (Partition{t.Topic, p.Partition}); accepted[at] {
				h.commit(at, p.Offset)
			}
		}
	}
}

func isKafkaError(err error) bool {
	_, ok := err.(*kerr.Error)
	return ok
}
