package kafkatools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/integration/launch"
)

// TestCompactionAsApacheKafka: Apache Kafka writes topics without compacting them, keyed, deleted, in transactions that
// commit and abort. Then it compacts all but the last segments, and our broker does in a copy of the same files. What is
// left is the same, offset for offset.
func TestCompactionAsApacheKafka(t *testing.T) {
	launch.NeedJava(t)
	if launch.Against() == "kafka" {
		t.Skip("it is about our broker")
	}
	theirs, ours := filepath.Join(t.TempDir(), "theirs"), filepath.Join(t.TempDir(), "ours")
	ends := writeUncompacted(t, theirs)
	must(t, os.CopyFS(ours, os.DirFS(theirs)))

	set := map[string]string{"node.id": "1", "log.cleaner.backoff.ms": "100"}
	kafka, err := launch.OpenKafka(launch.Options{Dir: theirs, Set: set})
	must(t, err)
	defer kafka.Kill()
	want := compactedBy(t, kafka, ends)
	got := compactedBy(t, launch.Start(t, launch.Options{Dir: ours, Set: set}), ends)
	for name, lines := range want {
		if len(lines) < 5 || len(lines) > 40 {
			t.Errorf("%s: Kafka left %d records, which proves little", name, len(lines))
		}
	}
	sameRecords(t, "what compaction leaves", got, want)
}

// writeUncompacted has Apache Kafka write two topics, and says where their last segments begin.
func writeUncompacted(t *testing.T, dir string) (ends map[string]int64) {
	t.Helper()
	b, err := launch.OpenKafka(launch.Options{Dir: dir, Set: map[string]string{"node.id": "1", "log.cleaner.enable": "false"}})
	must(t, err)
	running := true
	defer func() {
		if running {
			b.Kill()
		}
	}()
	admin := kadm.NewClient(client(t, b))
	for _, topic := range []string{"plain", "transactional"} {
		_, err := admin.CreateTopic(patience(t), 1, 1, map[string]*string{
			"cleanup.policy": ptr("compact"), "segment.ms": ptr("1000"), "min.cleanable.dirty.ratio": ptr("0.01"),
		}, topic)
		must(t, err)
	}
	c := client(t, b, kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	for n := range 80 {
		var batch []*kgo.Record
		for k := range 1 + n%4 {
			batch = append(batch, compactedRecord("plain", n, k))
		}
		must(t, c.ProduceSync(patience(t), batch...).FirstErr())
	}
	for _, id := range []string{"one", "two"} {
		x := client(t, b, kgo.TransactionalID(id))
		for n := range 12 {
			must(t, x.BeginTransaction())
			for k := range 3 {
				must(t, x.ProduceSync(patience(t), compactedRecord("transactional", 2*n+len(id)%2, k)).FirstErr())
			}
			must(t, x.EndTransaction(patience(t), n%3 != 2))
		}
	}
	ends = map[string]int64{}
	for _, topic := range []string{"plain", "transactional"} {
		// Newer than the markers, so that all before it is sealed.
		end := &kgo.Record{Topic: topic, Timestamp: time.Now().Add(30 * time.Minute), Key: []byte("end"), Value: []byte("end")}
		must(t, c.ProduceSync(patience(t), end).FirstErr())
		ends[topic] = end.Offset
	}
	running = false
	must(t, b.Stop())
	return ends
}

// compactedBy waits until the topics are compacted, and reads what is left.
func compactedBy(t *testing.T, b *launch.Broker, ends map[string]int64) map[string][]string {
	t.Helper()
	got := map[string][]string{}
	for topic, end := range ends {
		waitUntilCompacted(t, b.DataDir, topic, end)
		got[topic+" read_uncommitted"] = readToEnd(t, b, topic, kgo.ReadUncommitted())
		got[topic+" read_committed"] = readToEnd(t, b, topic, kgo.ReadCommitted())
	}
	return got
}

// compactedRecord is one of twelve keys, every ninth without a value.
func compactedRecord(topic string, n, k int) *kgo.Record {
	r := &kgo.Record{Topic: topic, Timestamp: at(n * 3600), Key: fmt.Appendf(nil, "key %d", (n*5+k)%12), Value: fmt.Appendf(nil, "value %d %d", n, k)}
	if (n+k)%9 == 0 {
		r.Value = nil
	}
	return r
}

func waitUntilCompacted(t *testing.T, dataDir, topic string, offset int64) {
	t.Helper()
	var text []byte
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text, _ = os.ReadFile(filepath.Join(dataDir, "cleaner-offset-checkpoint"))
		if strings.Contains(string(text), fmt.Sprintf("%s 0 %d\n", topic, offset)) {
			return
		}
	}
	t.Fatalf("%s was not compacted up to %d: %q", topic, offset, text)
}

// readToEnd is every record of a topic's one partition, a line each, up to one whose value is "end". When it was
// written differs between brokers for that one.
func readToEnd(t *testing.T, b *launch.Broker, topic string, level kgo.IsolationLevel) (lines []string) {
	t.Helper()
	c := client(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(level))
	for ctx := patience(t); ; {
		fetches := c.PollFetches(ctx)
		must(t, fetches.Err())
		for _, r := range fetches.Records() {
			if string(r.Value) == "end" {
				return append(lines, fmt.Sprintf("%d end", r.Offset))
			}
			lines = append(lines, fmt.Sprintf("%d %d %q %q null=%v", r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, r.Value == nil))
		}
	}
}
