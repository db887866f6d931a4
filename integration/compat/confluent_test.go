//go:build cgo

package compat

import (
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// A first program with confluent-kafka-go: a producer with delivery reports, into a topic that is not there yet.
func confluentProduce(t *testing.T, topic string, values []string, more ...kafka.ConfigMap) {
	t.Helper()
	config := kafka.ConfigMap{"bootstrap.servers": bootstrap(t)}
	for _, m := range more {
		for k, v := range m {
			config[k] = v
		}
	}
	p, err := kafka.NewProducer(&config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	reports := make(chan kafka.Event, len(values))
	for _, v := range values {
		err := p.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Value:          []byte(v),
			Headers:        []kafka.Header{{Key: "h", Value: []byte(v)}},
		}, reports)
		if err != nil {
			t.Fatal(err)
		}
	}
	if left := p.Flush(int(patience / time.Millisecond)); left != 0 {
		t.Fatalf("%d messages were not delivered", left)
	}
	for range values {
		m := (<-reports).(*kafka.Message)
		if m.TopicPartition.Error != nil || m.TopicPartition.Offset < 0 {
			t.Fatalf("delivery of %s: %v", m.Value, m.TopicPartition)
		}
	}
}

func confluentConsume(t *testing.T, group string, topics []string, n int, more ...kafka.ConfigMap) []string {
	t.Helper()
	// Offsets are stored by hand: left alone, librdkafka commits past what the program has seen when it stops early.
	config := kafka.ConfigMap{"bootstrap.servers": bootstrap(t), "group.id": group, "auto.offset.reset": "earliest", "enable.auto.offset.store": false}
	for _, m := range more {
		for k, v := range m {
			config[k] = v
		}
	}
	c, err := kafka.NewConsumer(&config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SubscribeTopics(topics, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for end := time.Now().Add(patience); len(got) < n && time.Now().Before(end); {
		m, err := c.ReadMessage(time.Second)
		if err != nil {
			if e, ok := err.(kafka.Error); ok && (e.IsTimeout() || e.Code() == kafka.ErrUnknownTopicOrPart) {
				continue
			}
			t.Fatalf("after %d: %v", len(got), err)
		}
		if len(m.Headers) != 1 || string(m.Headers[0].Value) != string(m.Value) {
			t.Fatalf("message %v %v", m, m.Headers)
		}
		got = append(got, string(m.Value))
		if _, err := c.StoreMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestConfluentSubscribes(t *testing.T) {
	mine, matched, other := numbered("mine", 100), numbered("matched", 100), numbered("other", 10)
	confluentProduce(t, "myTopic", mine)
	confluentProduce(t, "aRegex-some-Topic", matched)
	confluentProduce(t, "bRegex-some-Topic", other)
	got := confluentConsume(t, "confluent-group", []string{"myTopic", "^aRegex.*[Tt]opic"}, 200)
	sameSet(t, got, append(mine, matched...))
}

func TestConfluentCodecs(t *testing.T) {
	values := numbered("value", 1000)
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			confluentProduce(t, "confluent-"+codec, values, kafka.ConfigMap{"compression.type": codec, "enable.idempotence": true})
			same(t, confluentConsume(t, "confluent-"+codec, []string{"confluent-" + codec}, len(values)), values)
		})
	}
}

func TestConfluentResumes(t *testing.T) {
	values := numbered("value", 200)
	createTopic(t, "confluent-resume", 1)
	confluentProduce(t, "confluent-resume", values)
	first := confluentConsume(t, "confluent-resume", []string{"confluent-resume"}, 50)
	second := confluentConsume(t, "confluent-resume", []string{"confluent-resume"}, 150, kafka.ConfigMap{"partition.assignment.strategy": "cooperative-sticky"})
	same(t, append(first, second...), values)
}

func TestConfluentAdministers(t *testing.T) {
	a, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": bootstrap(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx := withPatience(t)
	made, err := a.CreateTopics(ctx, []kafka.TopicSpecification{{Topic: "confluent-made", NumPartitions: 2, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "5000"}}})
	if err != nil || made[0].Error.Code() != kafka.ErrNoError {
		t.Fatal(made, err)
	}
	resource, err := kafka.ResourceTypeFromString("topic")
	if err != nil {
		t.Fatal(err)
	}
	configs, err := a.DescribeConfigs(ctx, []kafka.ConfigResource{{Type: resource, Name: "confluent-made"}})
	if err != nil || configs[0].Config["retention.ms"].Value != "5000" {
		t.Errorf("%v, %v", configs, err)
	}
	if _, err := a.ClusterID(ctx); err != nil {
		t.Error(err)
	}
	described, err := a.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{"confluent-made"}))
	if err != nil || len(described.TopicDescriptions) != 1 || len(described.TopicDescriptions[0].Partitions) != 2 {
		t.Errorf("%+v, %v", described, err)
	}
	gone, err := a.DeleteTopics(ctx, []string{"confluent-made"})
	if err != nil || gone[0].Error.Code() != kafka.ErrNoError {
		t.Error(gone, err)
	}
}
