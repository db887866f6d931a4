package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ottla/ottla/integration/kafkatools"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaTool runs one of Apache Kafka's tools against the broker.
func kafkaTool(t *testing.T, input, tool string, args ...string) kafkatools.Result {
	t.Helper()
	address := []string{"--bootstrap-server", bootstrap(t)}
	if tool == "kafka-cluster" { // wants its command first
		address, args = args, address
	}
	r, err := javaTools.Tools(t).Run(input, tool, append(address, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ok runs a tool that must succeed, and returns what it said.
func ok(t *testing.T, tool string, args ...string) string {
	t.Helper()
	r := kafkaTool(t, "", tool, args...)
	if r.Code != 0 {
		t.Fatalf("%s %s: exit %d\n%s", tool, strings.Join(args, " "), r.Code, r.All())
	}
	return r.All()
}

// fails runs a tool that must fail and say why.
func fails(t *testing.T, why, tool string, args ...string) {
	t.Helper()
	r := kafkaTool(t, "", tool, args...)
	if r.Code == 0 || !strings.Contains(r.All(), why) {
		t.Errorf("%s %s: exit %d, not for %q\n%s", tool, strings.Join(args, " "), r.Code, why, r.All())
	}
}

// says complains unless every pattern matches somewhere in text.
func says(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(text) {
			t.Errorf("nothing matches %s in:\n%.3000s", p, text)
		}
	}
}

func TestKafkaConsoleClients(t *testing.T) {
	values := numbered("value", 500)
	topic := "tool-console" // made on the way
	if r := kafkaTool(t, strings.Join(values, "\n")+"\n", "kafka-console-producer", "--topic", topic); r.Code != 0 {
		t.Fatalf("exit %d\n%s", r.Code, r.All())
	}
	got := ok(t, "kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", "500", "--timeout-ms", "30000")
	same(t, lines(got)[:500], values)
	says(t, got, "Processed a total of 500 messages")

	r := kafkaTool(t, "h1:a,h2:b\tkey\tvalue\n", "kafka-console-producer", "--topic", "tool-console-keys", "--compression-codec", "zstd",
		"--reader-property", "parse.key=true", "--reader-property", "parse.headers=true", "--command-property", "acks=all")
	if r.Code != 0 {
		t.Fatalf("exit %d\n%s", r.Code, r.All())
	}
	says(t, ok(t, "kafka-console-consumer", "--topic", "tool-console-keys", "--partition", "0", "--offset", "0", "--max-messages", "1", "--timeout-ms", "30000",
		"--formatter-property", "print.key=true", "--formatter-property", "print.headers=true", "--formatter-property", "print.offset=true"),
		`^Offset:0\th1:a,h2:b\tkey\tvalue$`)
}

func TestKafkaConsoleConsumerResumes(t *testing.T) {
	createTopic(t, "tool-resume", 1)
	values := numbered("value", 100)
	franzProduce(t, "tool-resume", values)
	for i := range 2 {
		got := ok(t, "kafka-console-consumer", "--topic", "tool-resume", "--group", "tool-resume", "--max-messages", "50", "--timeout-ms", "30000",
			"--command-property", "auto.offset.reset=earliest")
		same(t, lines(got)[:50], values[50*i:50*i+50])
	}
}

func TestKafkaTopics(t *testing.T) {
	says(t, ok(t, "kafka-topics", "--create", "--topic", "tool-topics", "--partitions", "3", "--replication-factor", "1", "--config", "retention.ms=5000"),
		"Created topic tool-topics")
	fails(t, "already exists", "kafka-topics", "--create", "--topic", "tool-topics")
	ok(t, "kafka-topics", "--create", "--if-not-exists", "--topic", "tool-topics")
	fails(t, "broker(s) are registered", "kafka-topics", "--create", "--topic", "tool-too-many", "--replication-factor", "3")
	fails(t, "Invalid value soon", "kafka-topics", "--create", "--topic", "tool-bad-config", "--config", "retention.ms=soon")
	says(t, ok(t, "kafka-topics", "--list"), "^tool-topics$")
	says(t, ok(t, "kafka-topics", "--describe", "--topic", "tool-topics"),
		`Topic: tool-topics\s+TopicId: \S{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention.ms=5000`,
		`Topic: tool-topics\s+Partition: 2\s+Leader: 1\s+Replicas: 1\s+Isr: 1`)
	ok(t, "kafka-topics", "--alter", "--topic", "tool-topics", "--partitions", "5")
	says(t, ok(t, "kafka-topics", "--describe", "--topic", "tool-topics"), "PartitionCount: 5", "Partition: 4\tLeader: 1")
	fails(t, "", "kafka-topics", "--alter", "--topic", "tool-topics", "--partitions", "2")
	for _, which := range []string{"--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"} {
		if said := ok(t, "kafka-topics", "--describe", which); strings.TrimSpace(said) != "" {
			t.Errorf("%s: %s", which, said)
		}
	}
	ok(t, "kafka-topics", "--delete", "--topic", "tool-topics")
	fails(t, "does not exist", "kafka-topics", "--describe", "--topic", "tool-topics")
	fails(t, "does not exist", "kafka-topics", "--delete", "--topic", "tool-topics")
}

func TestKafkaConsumerGroups(t *testing.T) {
	topic, group := "tool-groups", "tool-group"
	createTopic(t, topic, 2)
	c := franz(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 20 {
		c.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: []byte("v")}, nil)
	}
	if err := c.Flush(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	groups := func(args ...string) string { return ok(t, "kafka-consumer-groups", args...) }

	member := franz(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ClientID("tool-member"), kgo.Balancers(kgo.RangeBalancer()))
	franzCollect(t, member, 20)
	if err := member.CommitUncommittedOffsets(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	says(t, groups("--list"), "^tool-group$")
	says(t, groups("--list", "--state"), `tool-group\s+Stable`)
	says(t, groups("--list", "--type"), `tool-group\s+Classic`)
	says(t, groups("--describe", "--group", group), `tool-group\s+tool-groups\s+0\s+10\s+10\s+0\s+tool-member-\S+\s+/127.0.0.1\s+tool-member`)
	says(t, groups("--describe", "--group", group, "--members", "--verbose"), `tool-group\s+tool-member-\S+\s+/127.0.0.1\s+tool-member\s+2\s.*tool-groups:0,1`)
	says(t, groups("--describe", "--group", group, "--state"), `tool-group\s+\S+ +\(1\)\s+range\s+Stable\s+1`)
	says(t, groups("--describe", "--all-groups"), "tool-group ")
	says(t, kafkaTool(t, "", "kafka-consumer-groups", "--reset-offsets", "--to-earliest", "--execute", "--group", group, "--topic", topic).All(), "inactive")
	says(t, kafkaTool(t, "", "kafka-consumer-groups", "--delete", "--group", group).All(), "GroupNotEmptyException|not empty")
	member.Close()

	says(t, groups("--describe", "--group", group), "has no active members", `tool-group\s+tool-groups\s+1\s+10\s+10\s+0`)
	says(t, groups("--reset-offsets", "--to-offset", "3", "--dry-run", "--group", group, "--topic", topic), `tool-group\s+tool-groups\s+0\s+3`)
	says(t, groups("--reset-offsets", "--to-earliest", "--execute", "--group", group, "--topic", topic+":0"), `tool-group\s+tool-groups\s+0\s+0`)
	says(t, groups("--reset-offsets", "--shift-by", "-4", "--execute", "--group", group, "--topic", topic+":1"), `tool-group\s+tool-groups\s+1\s+6`)
	says(t, groups("--describe", "--group", group), `tool-groups\s+0\s+0\s+10\s+10`, `tool-groups\s+1\s+6\s+10\s+4`)
	says(t, groups("--reset-offsets", "--to-datetime", "2020-01-01T00:00:00.000", "--execute", "--group", group, "--all-topics"), `tool-groups\s+1\s+0`)
	says(t, groups("--reset-offsets", "--to-latest", "--execute", "--group", group, "--all-topics"), `tool-groups\s+1\s+10`)
	says(t, groups("--delete-offsets", "--group", group, "--topic", topic+":1"), `tool-groups\s+1\s+Successful`)
	if said := groups("--describe", "--group", group); regexp.MustCompile(`tool-groups\s+1\s+\d`).MatchString(said) {
		t.Errorf("still there:\n%s", said)
	}
	says(t, groups("--delete", "--group", group), "Deletion of requested consumer groups .* was successful")
	says(t, kafkaTool(t, "", "kafka-consumer-groups", "--describe", "--group", group).All(), "GroupIdNotFoundException")
	says(t, ok(t, "kafka-groups", "--list"), "GROUP")
}

func TestKafkaConfigs(t *testing.T) {
	createTopic(t, "tool-configs", 1)
	configs := func(args ...string) string { return ok(t, "kafka-configs", args...) }
	on := func(kind, name string, args ...string) string {
		return configs(append([]string{"--entity-type", kind, "--entity-name", name}, args...)...)
	}
	on("topics", "tool-configs", "--alter", "--add-config", "retention.ms=7000,cleanup.policy=[compact,delete]")
	says(t, on("topics", "tool-configs", "--describe"), "retention.ms=7000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=7000", "cleanup.policy=compact,delete")
	says(t, on("topics", "tool-configs", "--describe", "--all"), "segment.bytes=1073741824", "max.message.bytes=1048588")
	on("topics", "tool-configs", "--alter", "--delete-config", "retention.ms")
	if said := on("topics", "tool-configs", "--describe"); strings.Contains(said, "retention.ms=7000") {
		t.Errorf("still there:\n%s", said)
	}
	fails(t, "InvalidConfigurationException", "kafka-configs", "--entity-type", "topics", "--entity-name", "tool-configs", "--alter", "--add-config", "retention.ms=soon")
	says(t, on("brokers", "1", "--describe", "--all"), "node.id=1 ", "num.partitions=1 ", "log.retention.hours=168 ")
	on("brokers", "1", "--alter", "--add-config", "log.cleaner.threads=2")
	says(t, on("brokers", "1", "--describe"), "log.cleaner.threads=2")
	on("brokers", "1", "--alter", "--delete-config", "log.cleaner.threads")
	fails(t, "", "kafka-configs", "--entity-type", "brokers", "--entity-name", "1", "--alter", "--add-config", "node.id=2")
	configs("--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.retention.ms=86400000")
	says(t, configs("--entity-type", "brokers", "--entity-default", "--describe"), "log.retention.ms=86400000")
	says(t, on("topics", "tool-configs", "--describe", "--all"), `retention.ms=86400000 .*DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000`)
	configs("--entity-type", "brokers", "--entity-default", "--alter", "--delete-config", "log.retention.ms")
	on("groups", "tool-configs-group", "--alter", "--add-config", "consumer.session.timeout.ms=50000")
	says(t, on("groups", "tool-configs-group", "--describe"), "consumer.session.timeout.ms=50000")
	on("groups", "tool-configs-group", "--alter", "--delete-config", "consumer.session.timeout.ms")
	configs("--entity-type", "users", "--describe")
	configs("--entity-type", "clients", "--describe")
	configs("--entity-type", "users", "--entity-name", "somebody", "--describe")
	says(t, configs("--entity-type", "topics", "--describe"), "tool-configs")
}

func TestKafkaGetOffsets(t *testing.T) {
	createTopic(t, "tool-offsets", 2)
	kcat(t, "a\nb\nc\n", "-P", "-t", "tool-offsets", "-p", "1")
	says(t, ok(t, "kafka-get-offsets", "--topic", "tool-offsets"), "^tool-offsets:0:0$", "^tool-offsets:1:3$")
	says(t, ok(t, "kafka-get-offsets", "--topic", "tool-offsets", "--time", "earliest"), "^tool-offsets:1:0$")
	says(t, ok(t, "kafka-get-offsets", "--topic", "tool-offsets", "--time", "1000"), "^tool-offsets:1:0$")
	says(t, ok(t, "kafka-get-offsets", "--topic", "tool-offsets", "--time", "max-timestamp"), `^tool-offsets:1:[012]$`)
	says(t, ok(t, "kafka-get-offsets", "--topic-partitions", "tool-off.*:1"), "^tool-offsets:1:3$")
}

func TestKafkaLogDirs(t *testing.T) {
	createTopic(t, "tool-dirs", 1)
	kcat(t, "a\n", "-P", "-t", "tool-dirs", "-p", "0")
	says(t, ok(t, "kafka-log-dirs", "--describe", "--topic-list", "tool-dirs"),
		`"partition":"tool-dirs-0","size":[1-9]\d*,"offsetLag":0,"isFuture":false.*"error":null,"logDir":"/`)
}

func TestKafkaDeleteRecords(t *testing.T) {
	createTopic(t, "tool-delete", 1)
	kcat(t, "a\nb\nc\n", "-P", "-t", "tool-delete", "-p", "0")
	file := filepath.Join(t.TempDir(), "offsets.json")
	if err := os.WriteFile(file, []byte(`{"partitions":[{"topic":"tool-delete","partition":0,"offset":2}],"version":1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	says(t, ok(t, "kafka-delete-records", "--offset-json-file", file), `tool-delete-0\s+low_watermark: 2`)
	same(t, lines(kcat(t, "", "-C", "-t", "tool-delete", "-o", "beginning", "-e")), []string{"c"})
}

func TestKafkaDescribesTheCluster(t *testing.T) {
	says(t, ok(t, "kafka-broker-api-versions"), `\(id: 1 rack: null isFenced: false\) -> \(`, `Produce\(0\): 0 to 13 \[usable: 13\]`, `ApiVersions\(18\): 0 to 4 \[usable: 4\]`)
	says(t, ok(t, "kafka-cluster", "cluster-id"), `Cluster ID: \S{22}`)
	says(t, ok(t, "kafka-cluster", "list-endpoints"), `^1\s+\S+\s+\d+\s+null`)
	says(t, ok(t, "kafka-features", "describe"), `Feature: metadata.version\s.*FinalizedVersionLevel: 4.3-IV0`)
	says(t, ok(t, "kafka-metadata-quorum", "describe", "--status"), `ClusterId:\s+\S{22}`, `LeaderId:\s+1`, `CurrentVoters:\s+\[.*1`)
	says(t, ok(t, "kafka-metadata-quorum", "describe", "--replication"), `^1\s.*Leader`)
}

func TestKafkaLeaderElection(t *testing.T) {
	createTopic(t, "tool-election", 1)
	says(t, ok(t, "kafka-leader-election", "--election-type", "preferred", "--topic", "tool-election", "--partition", "0"), "Valid replica already elected|successfully")
}

func TestKafkaPerformanceTools(t *testing.T) {
	createTopic(t, "tool-perf", 3)
	says(t, ok(t, "kafka-producer-perf-test", "--topic", "tool-perf", "--num-records", "20000", "--record-size", "200", "--throughput", "-1",
		"--command-property", "acks=all"), "^20000 records sent, ")
	says(t, ok(t, "kafka-consumer-perf-test", "--topic", "tool-perf", "--num-records", "20000", "--timeout", "30000"), `, 20\d\d\d, `)
}

// kafka-dump-log reads our segments, indexes and snapshots as its own.
func TestKafkaDumpLog(t *testing.T) {
	b := shared.Broker(t)
	ok(t, "kafka-topics", "--create", "--topic", "tool-dump", "--config", "segment.bytes=1048576", "--config", "index.interval.bytes=1000")
	values := numbered(strings.Repeat("x", 1000), 3000) // three segments
	franzProduce(t, "tool-dump", values, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(20_000))
	c := franz(t, kgo.ConsumerGroup("tool-dump"), kgo.ConsumeTopics("tool-dump"))
	franzCollect(t, c, len(values))
	if err := c.CommitUncommittedOffsets(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	c.Close()

	dump := func(args ...string) string {
		t.Helper()
		r, err := javaTools.Tools(t).Run("", "kafka-dump-log", args...)
		if err != nil || r.Code != 0 {
			t.Fatalf("kafka-dump-log %v: %v, exit %d\n%s", args, err, r.Code, r.All())
		}
		for _, bad := range []string{"isvalid: false", "Found timestamp mismatch", "Mismatches in", "Index timestamp", "invalid"} {
			if strings.Contains(r.All(), bad) {
				at := strings.Index(r.All(), bad)
				t.Errorf("%q in what kafka-dump-log says of %v: %.500s", bad, args, r.All()[at:])
			}
		}
		return r.Out
	}
	files := func(pattern string) []string {
		t.Helper()
		found, _ := filepath.Glob(filepath.Join(b.DataDir, pattern))
		if len(found) == 0 {
			t.Fatalf("no %s in %s", pattern, b.DataDir)
		}
		return found
	}
	segments := files("tool-dump-0/*.log")
	if len(segments) < 3 {
		t.Errorf("%d segments", len(segments))
	}
	said := dump("--print-data-log", "--files", strings.Join(segments, ","))
	records := 0
	for _, line := range lines(said) {
		if _, payload, ok := strings.Cut(line, " payload: "); ok {
			if records >= len(values) || payload != values[records] || !strings.HasPrefix(line, fmt.Sprintf("| offset: %d ", records)) {
				t.Fatalf("record %d is %.80s", records, payload)
			}
			records++
		}
	}
	if records != len(values) {
		t.Errorf("%d records", records)
	}
	dump("--index-sanity-check", "--files", strings.Join(files("tool-dump-0/*.index"), ","))
	dump("--files", strings.Join(files("tool-dump-0/*.index"), ","))
	says(t, dump("--files", strings.Join(files("tool-dump-0/*.timeindex"), ",")), `timestamp: \d+ offset: \d+`)
	says(t, dump("--files", strings.Join(files("tool-dump-0/*.snapshot"), ",")), `producerId: \d+`)
	says(t, dump("--offsets-decoder", "--files", strings.Join(offsetSegments(t, b.DataDir), ",")),
		`key: {"type":"1","data":{"group":"tool-dump","topic":"tool-dump","partition":0}} payload: {"version":"4","data":{"offset":3000,`,
		`key: {"type":"2","data":{"group":"tool-dump"}} payload: {"version":"3","data":{"protocolType":"consumer","generation":1,.*"assignedPartitions":\[{"topic":"tool-dump","partitions":\[0\]}\]`)
}

// offsetSegments are the files of __consumer_offsets that hold anything.
func offsetSegments(t *testing.T, dataDir string) (files []string) {
	all, _ := filepath.Glob(filepath.Join(dataDir, "__consumer_offsets-*", "*.log"))
	for _, f := range all {
		if info, err := os.Stat(f); err == nil && info.Size() > 0 {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		t.Fatalf("__consumer_offsets is empty in %s", dataDir)
	}
	return files
}
