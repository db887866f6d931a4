package compat

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.Return.Successes = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	return c
}

func TestSaramaSyncProducer(t *testing.T) {
	for name, codec := range map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	} {
		t.Run(name, func(t *testing.T) {
			config := saramaConfig()
			config.Producer.Compression = codec
			config.Producer.RequiredAcks = sarama.WaitForAll
			p, err := sarama.NewSyncProducer([]string{bootstrap(t)}, config)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			values := numbered("value", 200)
			var messages []*sarama.ProducerMessage
			for _, v := range values {
				messages = append(messages, &sarama.ProducerMessage{Topic: "sarama-" + name, Value: sarama.StringEncoder(v)})
			}
			if err := p.SendMessages(messages); err != nil {
				t.Fatal(err)
			}
			same(t, saramaConsume(t, "sarama-"+name, len(values)), values)
		})
	}
}

func saramaConsume(t *testing.T, topic string, n int) []string {
	t.Helper()
	c, err := sarama.NewConsumer([]string{bootstrap(t)}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var got []string
	for len(got) < n {
		select {
		case m := <-p.Messages():
			got = append(got, string(m.Value))
		case <-time.After(patience):
			t.Fatalf("%d of %d", len(got), n)
		}
	}
	return got
}

func TestSaramaAsyncIdempotentProducer(t *testing.T) {
	createTopic(t, "sarama-async", 1)
	config := saramaConfig()
	config.Producer.Idempotent, config.Net.MaxOpenRequests = true, 1
	config.Producer.RequiredAcks = sarama.WaitForAll
	p, err := sarama.NewAsyncProducer([]string{bootstrap(t)}, config)
	if err != nil {
		t.Fatal(err)
	}
	values := numbered("value", 2000)
	go func() { // ends when all are sent
		for _, v := range values {
			p.Input() <- &sarama.ProducerMessage{Topic: "sarama-async", Value: sarama.StringEncoder(v)}
		}
	}()
	for range values {
		select {
		case <-p.Successes():
		case err := <-p.Errors():
			t.Fatal(err)
		case <-time.After(patience):
			t.Fatal("no report")
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, saramaConsume(t, "sarama-async", len(values)), values)
}

// handler counts what a sarama group reads, and marks it.
type handler struct{ got chan string }

func (h handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (h handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (h handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for m := range c.Messages() {
		s.MarkMessage(m, "")
		h.got <- string(m.Value)
	}
	return nil
}

func TestSaramaConsumerGroup(t *testing.T) {
	createTopic(t, "sarama-group", 4)
	values := numbered("value", 500)
	franzProduce(t, "sarama-group", values[:250])
	read := func(n int) []string {
		g, err := sarama.NewConsumerGroup([]string{bootstrap(t)}, "sarama-group", saramaConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close() // commits what is marked
		ctx, cancel := context.WithCancel(withPatience(t))
		defer cancel()
		h := handler{make(chan string, len(values))}
		ended := make(chan error, 1)
		go func() { ended <- g.Consume(ctx, []string{"sarama-group"}, h) }() // ends with ctx
		var got []string
		for len(got) < n {
			select {
			case v := <-h.got:
				got = append(got, v)
			case err := <-ended:
				t.Fatalf("after %d of %d: %v", len(got), n, err)
			}
		}
		cancel()
		<-ended
		return got
	}
	sameSet(t, read(250), values[:250])
	franzProduce(t, "sarama-group", values[250:])
	sameSet(t, read(250), values[250:])
}

func TestSaramaAdministers(t *testing.T) {
	a, err := sarama.NewClusterAdmin([]string{bootstrap(t)}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	retention := "5000"
	if err := a.CreateTopic("sarama-made", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}, false); err != nil {
		t.Fatal(err)
	}
	if err := a.CreatePartitions("sarama-made", 3, nil, false); err != nil {
		t.Error(err)
	}
	topics, err := a.DescribeTopics([]string{"sarama-made"})
	if err != nil || len(topics) != 1 || topics[0].Err != sarama.ErrNoError {
		t.Errorf("%v, %v", topics, err)
	}
	entries, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "sarama-made", ConfigNames: []string{"retention.ms"}})
	if err != nil || len(entries) != 1 || entries[0].Value != "5000" {
		t.Errorf("%v, %v", entries, err)
	}
	if err := a.DeleteTopic("sarama-made"); err != nil {
		t.Error(err)
	}
}
