package kafkatools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// TestApacheKafkaReadsOurFiles: kafka-dump-log reads every kind of file that we write, and finds nothing wrong; and Apache
// Kafka, given our partitions in place of its own, serves what we serve.
func TestApacheKafkaReadsOurFiles(t *testing.T) {
	launch.NeedJava(t)
	if launch.Against() == "kafka" {
		t.Skip("it is about our files")
	}
	ours := launch.Start(t, launch.Options{Dir: t.TempDir(), Set: map[string]string{"node.id": "1", "log.cleaner.backoff.ms": "100"}})
	createTopics(t, ours)
	writeCodecs(t, ours)
	writeCompacted(t, ours)
	waitForCleaner(t, ours.DataDir)
	commitOffset(t, ours)
	must(t, ours.Stop())
	appendTransactions(t, ours.DataDir)
	if _, err := ours.Restart(); err != nil {
		t.Fatal(err)
	}
	uncommitted, committed := served(t, ours, kgo.ReadUncommitted()), served(t, ours, kgo.ReadCommitted())
	if len(uncommitted["compacted-0"]) != 9 || len(committed["transactions-0"]) != 31 || len(uncommitted["transactions-0"]) != 46 {
		t.Errorf("%d compacted, %d committed of %d", len(uncommitted["compacted-0"]), len(committed["transactions-0"]), len(uncommitted["transactions-0"]))
	}
	must(t, ours.Stop())
	dumpAll(t, ours.DataDir)
	t.Run("kafka-dump-log", func(t *testing.T) { kafkaDumps(t, ours.DataDir) })
	t.Run("a broker", func(t *testing.T) { kafkaServes(t, ours.DataDir, uncommitted, committed) })
}

// appendTransactions writes transactions of two producers that overlap, every third aborted, as a coordinator would have
// them written.
func appendTransactions(t *testing.T, dataDir string) {
	t.Helper()
	s, err := logstore.Open(dataDir, logstore.Options{NodeID: 1})
	must(t, err)
	l := s.Get(logstore.TopicPartition{Topic: "transactions"})
	add := func(b record.Batch, origin logstore.Origin) {
		t.Helper()
		_, err := l.Append(b, logstore.AppendOptions{Origin: origin, LeaderEpoch: 0})
		must(t, err)
	}
	sequence := map[int64]int32{}
	send := func(producer int64, n int) {
		o := record.NewOptions()
		o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional, o.Codec = producer, 0, sequence[producer], true, record.Codec(n%5)
		b := record.NewBuilder(o)
		for k := range 3 {
			b.Add(at(n).UnixMilli(), nil, fmt.Appendf(nil, "producer %d %d %d", producer, n, k))
		}
		sequence[producer] += 3
		add(b.Batch(), logstore.Client)
	}
	end := func(producer int64, n int) {
		add(record.EndTxn{Commit: n%3 != 2}.Batch(at(n).UnixMilli(), producer, 0), logstore.Coordinator)
	}
	for n := range 15 {
		producer := int64(1000 + n%2)
		send(producer, n)
		if n > 0 {
			end(1000+int64((n-1)%2), n-1)
		}
	}
	end(1000, 14)
	b := record.NewBuilder(record.NewOptions())
	b.Add(at(100).UnixMilli(), nil, []byte("end"))
	add(b.Batch(), logstore.Client)
	must(t, s.Close())
}

// kafkaDumps has kafka-dump-log read every file that it knows a format for.
func kafkaDumps(t *testing.T, dataDir string) {
	dump := func(want string, names []string, args ...string) {
		t.Helper()
		if len(names) == 0 {
			t.Errorf("no files with %q", want)
			return
		}
		r, err := javaTools.Tools(t).Run("", "kafka-dump-log", append(args, "--files", strings.Join(names, ","))...)
		must(t, err)
		if r.Code != 0 || !strings.Contains(r.Out, want) {
			t.Errorf("%v: exit %d, without %q:\n%.2000s", args, r.Code, want, r.All())
		}
		for _, bad := range []string{"isvalid: false", "mismatch", "Mismatch", "Index timestamp", "invalid", "xception", "orrupt", "not found"} {
			if i := strings.Index(r.All(), bad); i >= 0 {
				t.Errorf("%v: %q: %.600s", args, bad, r.All()[max(0, i-200):])
			}
		}
		t.Logf("FIGURE kafka-dump-log read %d files with %q", len(names), want)
	}
	for _, codec := range []string{"NONE", "GZIP", "SNAPPY", "LZ4", "ZSTD"} {
		dump("compresscodec: "+strings.ToLower(codec), files(t, dataDir, "codecs-*/*.log"), "--deep-iteration", "--print-data-log")
	}
	dump("payload: producer 1001 1 2", files(t, dataDir, "transactions-0/*.log"), "--deep-iteration", "--print-data-log")
	dump("endTxnMarker: ABORT", files(t, dataDir, "transactions-0/*.log"), "--deep-iteration", "--print-data-log")
	dump("deleteHorizonMs: OptionalLong[", files(t, dataDir, "compacted-0/*.log"), "--deep-iteration", "--print-data-log")
	dump("offset: ", files(t, dataDir, "*/*.index"))
	dump("", files(t, dataDir, "*/*.index"), "--index-sanity-check")
	dump("timestamp: ", files(t, dataDir, "*/*.timeindex"))
	dump("producerId: 1000", files(t, dataDir, "transactions-0/*.txnindex"))
	dump("producerId: 1000", files(t, dataDir, "transactions-0/*.snapshot"))
	dump("producerId: ", files(t, dataDir, "codecs-*/*.snapshot"))
	dump(`"data":{"group":"group","topic":"codecs","partition":1}} payload: {"version":"4","data":{"offset":42,`,
		files(t, dataDir, "__consumer_offsets-*/*.log"), "--offsets-decoder")
	// Our metadata log has Kafka's batches around entries of our own, which only ottla dump decodes.
	dump("baseOffset: 1 ", files(t, dataDir, "__cluster_metadata-0/*.log"), "--deep-iteration")
}

// kafkaServes gives Apache Kafka our partitions in place of its own, and compares what it serves.
func kafkaServes(t *testing.T, dataDir string, uncommitted, committed map[string][]string) {
	kafka, err := launch.OpenKafka(launch.Options{Dir: t.TempDir(), Set: map[string]string{"node.id": "1"}})
	must(t, err)
	createTopics(t, kafka)
	must(t, kafka.Stop())
	for topic, n := range partitions {
		for p := range n {
			name := fmt.Sprintf("%s-%d", topic, p)
			replacePartition(t, filepath.Join(dataDir, name), filepath.Join(kafka.DataDir, name))
		}
	}
	if _, err := kafka.Restart(); err != nil {
		t.Fatal(err)
	}
	defer kafka.Kill()
	sameRecords(t, "Kafka's read_uncommitted", served(t, kafka, kgo.ReadUncommitted()), uncommitted)
	sameRecords(t, "Kafka's read_committed", served(t, kafka, kgo.ReadCommitted()), committed)
	writeCodecs(t, kafka) // it goes on
}

// replacePartition puts our files in the place of Kafka's, but for the topic's id.
func replacePartition(t *testing.T, ours, kafkas string) {
	t.Helper()
	id, err := os.ReadFile(filepath.Join(kafkas, "partition.metadata"))
	must(t, err)
	must(t, os.RemoveAll(kafkas))
	must(t, os.CopyFS(kafkas, os.DirFS(ours)))
	must(t, os.WriteFile(filepath.Join(kafkas, "partition.metadata"), id, 0o644))
}
