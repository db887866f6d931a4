package compat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func franz(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap(t))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func franzProduce(t *testing.T, topic string, values []string, opts ...kgo.Opt) {
	t.Helper()
	c := franz(t, append([]kgo.Opt{kgo.DefaultProduceTopic(topic)}, opts...)...)
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Key: []byte(v), Value: []byte(v)})
	}
	if err := c.ProduceSync(withPatience(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// franzCollect polls until n records have come.
func franzCollect(t *testing.T, c *kgo.Client, n int) []string {
	t.Helper()
	var got []string
	for ctx := withPatience(t); len(got) < n; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("after %d: %v", len(got), err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return got
}

func TestFranzCodecs(t *testing.T) {
	values := numbered("value", 3000)
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			topic := "franz-" + name
			franzProduce(t, topic, values, kgo.ProducerBatchCompression(codec), kgo.AllowAutoTopicCreation())
			same(t, franzCollect(t, franz(t, kgo.ConsumeTopics(topic)), len(values)), values)
		})
	}
}

func TestFranzAcks(t *testing.T) {
	values := numbered("value", 500)
	for name, acks := range map[string]kgo.Acks{"none": kgo.NoAck(), "leader": kgo.LeaderAck(), "all": kgo.AllISRAcks()} {
		t.Run(name, func(t *testing.T) {
			topic := "franz-acks-" + name
			createTopic(t, topic, 1)
			franzProduce(t, topic, values, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite())
			same(t, franzCollect(t, franz(t, kgo.ConsumeTopics(topic)), len(values)), values)
		})
	}
}

// Two members share the partitions; then one leaves and the other has them all; everything is read.
func TestFranzGroups(t *testing.T) {
	values := numbered("value", 2000)
	for name, balancer := range map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := "franz-group-" + name
			createTopic(t, topic, 6)
			member := func() *balancedMember { return startMember(t, topic, balancer) }
			one, two := member(), member()
			waitUntil(t, "both have three", func() bool { return one.partitions() == 3 && two.partitions() == 3 })
			franzProduce(t, topic, values[:1000])
			waitUntil(t, "the first half is read", func() bool { return len(unique(append(one.values(), two.values()...))) == 1000 })
			one.leave()
			waitUntil(t, "the second has six", func() bool { return two.partitions() == 6 })
			franzProduce(t, topic, values[1000:])
			waitUntil(t, "the second half is read", func() bool { return len(unique(append(one.values(), two.values()...))) == 2000 })
			sameSet(t, unique(append(one.values(), two.values()...)), values)
		})
	}
}

// balancedMember is one member of a group that reads all it is given.
type balancedMember struct {
	client *kgo.Client
	done   chan struct{}

	mu    sync.Mutex // guards what follows
	owned map[int32]bool
	got   []string
}

func startMember(t *testing.T, topic string, balancer kgo.GroupBalancer) *balancedMember {
	m := &balancedMember{done: make(chan struct{}), owned: map[int32]bool{}}
	change := func(owns bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range partitions[topic] {
				m.owned[p] = owns
			}
		}
	}
	m.client = franz(t, kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)))
	go func() { // ends when the client is closed
		defer close(m.done)
		for {
			fetches := m.client.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			m.mu.Lock()
			fetches.EachRecord(func(r *kgo.Record) { m.got = append(m.got, string(r.Value)) })
			m.mu.Unlock()
			m.client.AllowRebalance()
		}
	}()
	t.Cleanup(m.leave)
	return m
}

func (m *balancedMember) leave() {
	m.client.CloseAllowingRebalance()
	<-m.done
}

func (m *balancedMember) partitions() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, owns := range m.owned {
		if owns {
			n++
		}
	}
	return n
}

func (m *balancedMember) values() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.got...)
}

func TestFranzGroupResumes(t *testing.T) {
	values := numbered("value", 300)
	createTopic(t, "franz-resume", 1)
	franzProduce(t, "franz-resume", values[:100])
	read := func(n int) []string {
		c := franz(t, kgo.ConsumerGroup("franz-resume"), kgo.ConsumeTopics("franz-resume"), kgo.DisableAutoCommit())
		got := franzCollect(t, c, n)
		if err := c.CommitUncommittedOffsets(withPatience(t)); err != nil {
			t.Fatal(err)
		}
		c.Close()
		return got
	}
	same(t, read(100), values[:100])
	franzProduce(t, "franz-resume", values[100:])
	same(t, read(200), values[100:])
}

func TestFranzStaticMember(t *testing.T) {
	createTopic(t, "franz-static", 2)
	join := func() (memberID string, generation int32) {
		ready := make(chan struct{}, 1)
		c := franz(t, kgo.ConsumerGroup("franz-static"), kgo.ConsumeTopics("franz-static"), kgo.InstanceID("instance"),
			kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { ready <- struct{}{} }))
		<-ready
		_, generation = c.GroupMetadata()
		memberID, _ = c.GroupMetadata()
		c.Close() // a static member does not leave
		return memberID, generation
	}
	first, g1 := join()
	second, g2 := join()
	if first == second || g1 != g2 {
		t.Errorf("the instance came back as %s generation %d after %s generation %d: want a new id and the same generation", second, g2, first, g1)
	}
}

func TestFranzRegex(t *testing.T) {
	for i := range 3 {
		createTopic(t, fmt.Sprintf("franz-regex-%d", i), 1)
		franzProduce(t, fmt.Sprintf("franz-regex-%d", i), numbered(fmt.Sprint(i), 10))
	}
	createTopic(t, "franz-unmatched", 1)
	franzProduce(t, "franz-unmatched", numbered("no", 10))
	c := franz(t, kgo.ConsumeRegex(), kgo.ConsumeTopics("^franz-regex-[01]$"), kgo.ConsumerGroup("franz-regex"))
	sameSet(t, franzCollect(t, c, 20), append(numbered("0", 10), numbered("1", 10)...))
}

func TestFranzTooLarge(t *testing.T) {
	createTopic(t, "franz-large", 1)
	c := franz(t, kgo.DefaultProduceTopic("franz-large"), kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	err := c.ProduceSync(withPatience(t), &kgo.Record{Value: make([]byte, 2<<20)}).FirstErr()
	if !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("%v", err)
	}
	franzProduce(t, "franz-large", []string{"small"})
	same(t, franzCollect(t, franz(t, kgo.ConsumeTopics("franz-large")), 1), []string{"small"})
}
