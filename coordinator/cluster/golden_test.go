package cluster

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/ottla/ottla/coordinator/record"
)

// goldenRecords are records of every kind that the deciders make.
func goldenRecords(t *testing.T) []Record {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	image := Empty()
	var all []Record
	take := func(records []Record, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		after, _, err := image.Apply(image.Offset()+1, 1, records)
		if err != nil {
			t.Fatal(err)
		}
		image, all = after, append(all, records...)
	}
	rack, five := "r1", "5"
	take(image.StartBroker(Registration{ID: 1, Incarnation: [16]byte{1}, Rack: &rack, LogDirs: [][16]byte{{2}},
		Endpoints: []Endpoint{{"PLAINTEXT", "localhost", 9092, 0}}}))
	take(image.StartBroker(Registration{ID: 2, Incarnation: [16]byte{3}, LogDirs: [][16]byte{{4}}}))
	records, _ := image.CreateTopics([]NewTopic{{Name: "t", Partitions: 1, ReplicationFactor: 2, Configs: []ConfigValue{{"retention.ms", &five}}},
		{Name: "u", Partitions: -1, ReplicationFactor: -1, Assignments: []Assignment{{0, []int32{2, 1}}}}}, Creation{Rand: r})
	take(records, nil)
	records, _ = image.CreatePartitions([]MorePartitions{{Topic: "u", Count: 2, Assignments: [][]int32{{1, 2}}}}, r)
	take(records, nil)
	take(image.AlterConfigs(Resource{TopicResource, "t"}, nil, ConfigRules{Validate: func(Resource, map[string]string) error { return nil }}))
	records, _, err := image.AllocateProducerIDs(1, image.Broker(1).Epoch)
	take(records, err)
	fence := record.NewBrokerRegistrationChangeRecord()
	fence.BrokerID, fence.BrokerEpoch, fence.Fenced = 2, image.Broker(2).Epoch, 1
	take(append(image.leave(2), &fence), nil)
	take(image.StartBroker(Registration{ID: 2, Incarnation: [16]byte{5}, LogDirs: [][16]byte{{4}}}))
	change, err := image.AlterPartition(1, image.Broker(1).Epoch, ISRChange{Topic: image.Topic("u").ID, LeaderEpoch: image.Partition("u", 1).LeaderEpoch,
		Index: 1, PartitionEpoch: image.Partition("u", 1).PartitionEpoch, ISR: []InSync{{1, -1}, {2, image.Broker(2).Epoch}}})
	take([]Record{change}, err)
	take(image.UnregisterBroker(2))
	records, _ = image.DeleteTopics([]TopicID{image.Topic("u").ID})
	take(records, nil)
	for r := range image.Records() { // a snapshot
		all = append(all, r)
	}
	return all
}

// TestKafkaReadsOurRecords compares the bytes of records with testdata/kafka-decoded.golden, where each stands with what
// Apache Kafka 4.3.1 makes of it (kafka-dump-log.sh --cluster-metadata-decoder on a log of these records).
func TestKafkaReadsOurRecords(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-decoded.golden")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(text)) {
		if bytes, ok := strings.CutPrefix(line, "record "); ok {
			want = append(want, strings.TrimSpace(bytes))
		}
	}
	records := goldenRecords(t)
	if len(records) != len(want) {
		t.Errorf("%d records, %d in the golden file", len(records), len(want))
	}
	for n, r := range records {
		got := hex.EncodeToString(record.AppendMetadata(nil, r))
		if n < len(want) && got != want[n] {
			t.Errorf("record %d, %T:\n got %s\nwant %s", n, r, got, want[n])
		}
	}
	if file := os.Getenv("RECORDS"); file != "" { // for who makes the golden file anew
		var out strings.Builder
		for _, r := range records {
			fmt.Fprintln(&out, hex.EncodeToString(record.AppendMetadata(nil, r)))
		}
		os.WriteFile(file, []byte(out.String()), 0o644)
	}
}
