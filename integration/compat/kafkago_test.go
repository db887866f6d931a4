package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// A first program with kafka-go: dial the leader of a topic that is not there yet, write, read back.
func TestKafkaGoDialLeader(t *testing.T) {
	ctx := withPatience(t)
	conn, err := kafka.DialLeader(ctx, "tcp", bootstrap(t), "kafkago-dial", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err = conn.WriteMessages(kafka.Message{Value: []byte("one!")}, kafka.Message{Value: []byte("two!")}, kafka.Message{Value: []byte("three!")}); err != nil {
		t.Fatal(err)
	}
	if first, last, err := conn.ReadOffsets(); err != nil || first != 0 || last != 3 {
		t.Errorf("offsets %d to %d, %v", first, last, err)
	}
	if _, err := conn.Seek(1, kafka.SeekAbsolute); err != nil {
		t.Fatal(err)
	}
	batch := conn.ReadBatch(1, 1e6)
	defer batch.Close()
	for _, want := range []string{"two!", "three!"} {
		m, err := batch.ReadMessage()
		if err != nil || string(m.Value) != want {
			t.Errorf("%q, %v instead of %q", m.Value, err, want)
		}
	}
}

func TestKafkaGoConnAdministers(t *testing.T) {
	conn, err := kafka.DialContext(withPatience(t), "tcp", bootstrap(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	controller, err := conn.Controller()
	if err != nil || controller.Host == "" {
		t.Fatalf("controller %+v, %v", controller, err)
	}
	if err := conn.CreateTopics(kafka.TopicConfig{Topic: "kafkago-made", NumPartitions: 3, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	partitions, err := conn.ReadPartitions("kafkago-made")
	if err != nil || len(partitions) != 3 {
		t.Errorf("%d partitions, %v", len(partitions), err)
	}
	if err := conn.DeleteTopics("kafkago-made"); err != nil {
		t.Error(err)
	}
}

func TestKafkaGoWriter(t *testing.T) {
	for _, codec := range []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd} {
		t.Run(fmt.Sprint(codec), func(t *testing.T) {
			ctx := withPatience(t)
			topic := fmt.Sprintf("kafkago-writer-%d", codec)
			w := &kafka.Writer{
				Addr: kafka.TCP(bootstrap(t)), Topic: topic, Balancer: &kafka.LeastBytes{}, BatchTimeout: 5 * time.Millisecond,
				RequiredAcks: kafka.RequireAll, Compression: codec, AllowAutoTopicCreation: true,
			}
			defer w.Close()
			values := numbered("value", 1000)
			kafkaGoWrite(t, ctx, w, values)

			r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{bootstrap(t)}, Topic: topic, Partition: 0, MaxWait: 100 * time.Millisecond})
			defer r.Close()
			same(t, kafkaGoRead(t, ctx, r, len(values)), values)
		})
	}
}

func kafkaGoWrite(t *testing.T, ctx context.Context, w *kafka.Writer, values []string) {
	t.Helper()
	for begin := time.Now(); ; {
		var messages []kafka.Message
		for _, v := range values {
			messages = append(messages, kafka.Message{Key: []byte(v), Value: []byte(v), Headers: []kafka.Header{{Key: "h", Value: []byte(v)}}})
		}
		err := w.WriteMessages(ctx, messages...)
		if err == nil {
			return
		}
		// A topic made on the way is not there at once; kafka-go leaves the retry to its user.
		if !(errors.Is(err, kafka.UnknownTopicOrPartition) || errors.Is(err, kafka.LeaderNotAvailable)) || time.Since(begin) > patience {
			t.Fatal(err)
		}
	}
}

func kafkaGoRead(t *testing.T, ctx context.Context, r *kafka.Reader, n int) []string {
	t.Helper()
	var got []string
	for range n {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatalf("after %d: %v", len(got), err)
		}
		if len(m.Headers) != 1 || string(m.Headers[0].Value) != string(m.Value) || string(m.Key) != string(m.Value) {
			t.Fatalf("message %+v", m)
		}
		got = append(got, string(m.Value))
	}
	return got
}

func TestKafkaGoReaderSeeks(t *testing.T) {
	ctx := withPatience(t)
	createTopic(t, "kafkago-seek", 1)
	w := &kafka.Writer{Addr: kafka.TCP(bootstrap(t)), Topic: "kafkago-seek", BatchTimeout: time.Millisecond}
	defer w.Close()
	values := numbered("value", 100)
	kafkaGoWrite(t, ctx, w, values)
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{bootstrap(t)}, Topic: "kafkago-seek", MaxWait: 100 * time.Millisecond})
	defer r.Close()
	if err := r.SetOffset(42); err != nil {
		t.Fatal(err)
	}
	same(t, kafkaGoRead(t, ctx, r, 3), values[42:45])
	if err := r.SetOffsetAt(ctx, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	same(t, kafkaGoRead(t, ctx, r, 3), values[:3])
	if lag, err := r.ReadLag(ctx); err != nil || lag != 97 {
		t.Errorf("lag %d, %v", lag, err)
	}
}

func TestKafkaGoReaderInAGroup(t *testing.T) {
	ctx := withPatience(t)
	createTopic(t, "kafkago-group", 3)
	w := &kafka.Writer{Addr: kafka.TCP(bootstrap(t)), Topic: "kafkago-group", BatchTimeout: time.Millisecond, Balancer: &kafka.RoundRobin{}}
	defer w.Close()
	values := numbered("value", 300)
	kafkaGoWrite(t, ctx, w, values)
	var got []string
	for _, n := range []int{100, 200} { // the second reader resumes where the first stopped
		r := kafka.NewReader(kafka.ReaderConfig{
			Brokers: []string{bootstrap(t)}, GroupID: "kafkago-group", Topic: "kafkago-group",
			StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond,
		})
		got = append(got, kafkaGoRead(t, ctx, r, n)...)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	sameSet(t, got, values)
}

func TestKafkaGoConsumerGroup(t *testing.T) {
	ctx := withPatience(t)
	createTopic(t, "kafkago-cg", 4)
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{ID: "kafkago-cg", Brokers: []string{bootstrap(t)}, Topics: []string{"kafkago-cg"}})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	gen, err := group.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var partitions []int
	for _, a := range gen.Assignments["kafkago-cg"] {
		partitions = append(partitions, a.ID)
	}
	slices.Sort(partitions)
	if !slices.Equal(partitions, []int{0, 1, 2, 3}) {
		t.Errorf("assigned %v", partitions)
	}
	if err := gen.CommitOffsets(map[string]map[int]int64{"kafkago-cg": {0: 7, 3: 9}}); err != nil {
		t.Fatal(err)
	}
	offsets, err := admin(t).FetchOffsets(ctx, "kafkago-cg")
	if err != nil {
		t.Fatal(err)
	}
	for partition, want := range map[int32]int64{0: 7, 3: 9} {
		if o, ok := offsets.Lookup("kafkago-cg", partition); !ok || o.At != want {
			t.Errorf("partition %d committed %+v, want %d", partition, o.At, want)
		}
	}
}
