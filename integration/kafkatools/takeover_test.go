package kafkatools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/integration/launch"
)

// TestADirectoryOfApacheKafka: Apache Kafka writes every codec, transactions and a topic that it compacts; stopped, and
// killed, its data directory is served by our broker record for record, with the topics' configs and the groups' offsets.
func TestADirectoryOfApacheKafka(t *testing.T) {
	launch.NeedJava(t)
	if launch.Against() == "kafka" {
		t.Skip("it is about our broker")
	}
	for _, end := range []string{"stopped", "killed"} {
		t.Run(end, func(t *testing.T) { takeOver(t, end == "killed") })
	}
}

func takeOver(t *testing.T, kill bool) {
	o := launch.Options{Dir: t.TempDir(), Set: map[string]string{"node.id": "1", "log.cleaner.backoff.ms": "100"}}
	kafka, err := launch.OpenKafka(o)
	must(t, err)
	stopped := false
	defer func() {
		if !stopped {
			kafka.Kill()
		}
	}()
	createTopics(t, kafka)
	writeCodecs(t, kafka)
	writeTransactions(t, kafka)
	writeCompacted(t, kafka)
	waitForCleaner(t, kafka.DataDir)
	uncommitted, committed := served(t, kafka, kgo.ReadUncommitted()), served(t, kafka, kgo.ReadCommitted())
	if kept := strings.Join(uncommitted["compacted-0"], "\n"); strings.Count(kept, "\n") != 8 || strings.Count(kept, "null=false,true") != 2 {
		t.Errorf("not one record of each key is in the compacted topic, two of them tombstones:\n%s", kept)
	}
	if len(committed["transactions-0"]) >= len(uncommitted["transactions-0"]) {
		t.Errorf("%d records are committed, of %d", len(committed["transactions-0"]), len(uncommitted["transactions-0"]))
	}
	commitOffset(t, kafka)
	if stopped = true; kill {
		kafka.Kill()
	} else {
		must(t, kafka.Stop())
	}

	dumpAll(t, kafka.DataDir)
	ours := launch.Start(t, launch.Options{Dir: o.Dir, Set: map[string]string{"node.id": "1"}})
	sameRecords(t, "read_uncommitted", served(t, ours, kgo.ReadUncommitted()), uncommitted)
	sameRecords(t, "read_committed", served(t, ours, kgo.ReadCommitted()), committed)
	checkMetadata(t, ours)
	// It goes on, and what was taken over once is ours.
	writeCodecs(t, ours)
	must(t, ours.Stop())
	dumpAll(t, ours.DataDir)
	_, err = ours.Restart()
	must(t, err)
	checkMetadata(t, ours)
	if _, err := os.Stat(filepath.Join(ours.DataDir, "__cluster_metadata-0.kafka", "quorum-state")); err != nil {
		t.Errorf("Kafka's own metadata log is not kept: %v", err)
	}
}

// dumpAll has ottla dump go into every file of a directory, and fails where it finds something wrong.
func dumpAll(t *testing.T, dataDir string) {
	t.Helper()
	bin, err := launch.Binary()
	must(t, err)
	out, err := exec.Command(bin, "dump", "--deep", "--records", dataDir).CombinedOutput()
	if err != nil {
		t.Errorf("ottla dump %s: %v", dataDir, err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "WRONG") {
			t.Error(line)
		}
	}
}

// writeCodecs writes batches of each codec, with keys, headers and records without either.
func writeCodecs(t *testing.T, b *launch.Broker) {
	t.Helper()
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		c := client(t, b, kgo.ProducerBatchCompression(codec))
		for p := range partitions["codecs"] {
			for n := range 20 {
				r := &kgo.Record{Topic: "codecs", Partition: p, Timestamp: at(i*100 + n), Value: []byte(strings.Repeat(fmt.Sprintf("value %d %d;", i, n), 40))}
				if n%2 == 0 {
					r.Key = []byte(fmt.Sprintf("key %d", n))
					r.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte{0, 0xff}}, {Key: "empty"}}
				}
				must(t, c.ProduceSync(patience(t), r).FirstErr())
			}
		}
		c.Close()
	}
	c := client(t, b)
	for p := range partitions["codecs"] {
		must(t, c.ProduceSync(patience(t), &kgo.Record{Topic: "codecs", Partition: p, Timestamp: at(1000), Value: []byte("end")}).FirstErr())
	}
}

// at is a time so many seconds after one.
func at(seconds int) time.Time {
	return time.UnixMilli(1_790_000_000_000).Add(time.Duration(seconds) * time.Second)
}

// writeTransactions commits two of three and aborts the third, from two producers.
func writeTransactions(t *testing.T, b *launch.Broker) {
	t.Helper()
	for _, id := range []string{"one", "two"} {
		c := client(t, b, kgo.TransactionalID(id))
		for n := range 9 {
			must(t, c.BeginTransaction())
			for k := range 3 {
				must(t, c.ProduceSync(patience(t), &kgo.Record{Topic: "transactions", Timestamp: at(n), Value: fmt.Appendf(nil, "%s %d %d", id, n, k)}).FirstErr())
			}
			must(t, c.EndTransaction(patience(t), n%3 != 2))
		}
		c.Close()
	}
	must(t, client(t, b).ProduceSync(patience(t), &kgo.Record{Topic: "transactions", Timestamp: at(100), Value: []byte("end")}).FirstErr())
}

// writeCompacted overwrites eight keys again and again, and deletes two of them, which are kept as tombstones.
func writeCompacted(t *testing.T, b *launch.Broker) {
	t.Helper()
	c := client(t, b)
	for n := range 60 {
		r := &kgo.Record{Topic: "compacted", Timestamp: at(n * 3600), Key: fmt.Appendf(nil, "key %d", n%8), Value: fmt.Appendf(nil, "value %d", n)}
		if n%8 < 2 && n > 40 {
			r.Value = nil
		}
		must(t, c.ProduceSync(patience(t), r).FirstErr())
	}
	must(t, c.ProduceSync(patience(t), &kgo.Record{Topic: "compacted", Timestamp: at(60 * 3600), Key: []byte("end"), Value: []byte("end")}).FirstErr())
}

// waitForCleaner waits until all but the active segment is compacted.
func waitForCleaner(t *testing.T, dataDir string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		b, _ := os.ReadFile(filepath.Join(dataDir, "cleaner-offset-checkpoint"))
		if strings.Contains(string(b), "compacted 0 60\n") {
			return
		}
	}
	t.Fatal("the compacted topic was not compacted")
}

func commitOffset(t *testing.T, b *launch.Broker) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "codecs", Partition: 1, At: 42, LeaderEpoch: -1, Metadata: "m"})
	must(t, kadm.NewClient(client(t, b)).CommitAllOffsets(patience(t), "group", offsets))
}

// checkMetadata: topics, configs and committed offsets are those that Kafka had.
func checkMetadata(t *testing.T, b *launch.Broker) {
	t.Helper()
	admin := kadm.NewClient(client(t, b))
	topics, err := admin.ListTopics(patience(t))
	must(t, err)
	for topic, n := range partitions {
		if got := len(topics[topic].Partitions); got != int(n) {
			t.Errorf("%s has %d partitions, not %d", topic, got, n)
		}
	}
	described, err := admin.DescribeTopicConfigs(patience(t), "compacted")
	must(t, err)
	for _, c := range described[0].Configs {
		if want := configs["compacted"][c.Key]; want != nil && c.MaybeValue() != *want {
			t.Errorf("compacted: %s=%s, not %s", c.Key, c.MaybeValue(), *want)
		}
	}
	offsets, err := admin.FetchOffsets(patience(t), "group")
	must(t, err)
	if o, ok := offsets.Lookup("codecs", 1); !ok || o.At != 42 || o.Metadata != "m" {
		t.Errorf("the group's offset is %+v", o)
	}
}
