package config

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// kafkasBroker is what was set on the broker that testdata/describe.txt was taken from.
func kafkasBroker(t *testing.T) *Broker {
	t.Helper()
	b, err := New(map[Key]string{
		ProcessRoles: "broker,controller", NodeID: "1", ControllerQuorumVoters: "1@127.0.0.1:47193",
		Listeners:           "PLAINTEXT://127.0.0.1:47192,CONTROLLER://127.0.0.1:47193",
		AdvertisedListeners: "PLAINTEXT://127.0.0.1:47192", ControllerListenerNames: "CONTROLLER",
		InterBrokerListenerName: "PLAINTEXT", LogDirs: "/var/lib/kafka",
		OffsetsTopicReplicationFactor: "1", TransactionStateLogReplicationFactor: "1", TransactionStateLogMinISR: "1",
		ShareCoordinatorStateTopicReplicationFactor: "1", ShareCoordinatorStateTopicMinISR: "1",
		GroupInitialRebalanceDelayMs: "0", LogRetentionHours: "24", LogRollMs: "3600000",
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.WithDynamic(
		map[string]string{
			"min.insync.replicas": "1", "log.retention.ms": "7200000", "log.cleanup.policy": "delete,compact",
			"log.cleaner.min.compaction.lag.ms": "10", "log.cleaner.max.compaction.lag.ms": "5",
		},
		map[string]string{
			"foo.bar": "5", "log.retention.ms": "7100000", "message.max.bytes": "2000000",
			"leader.replication.throttled.rate": "1000",
		})
}

var sourceNames = map[Source]string{
	DynamicTopic: "DYNAMIC_TOPIC_CONFIG", DynamicBroker: "DYNAMIC_BROKER_CONFIG", DynamicDefaultBroker: "DYNAMIC_DEFAULT_BROKER_CONFIG",
	StaticBroker: "STATIC_BROKER_CONFIG", DefaultValue: "DEFAULT_CONFIG", DynamicClientMetrics: "DYNAMIC_CLIENT_METRICS_CONFIG",
	DynamicGroup: "DYNAMIC_GROUP_CONFIG",
}

func show(entries []Entry) string {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b Entry) int { return strings.Compare(string(a.Key), string(b.Key)) })
	value := func(v *string) string {
		text, _ := json.Marshal(v)
		return string(text)
	}
	flag := func(set bool, name string) string {
		if set {
			return name
		}
		return "-"
	}
	var out strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&out, "%s %s %s %s %s %s", e.Key, value(e.Value), sourceNames[e.Source], e.Type,
			flag(e.ReadOnly, "read-only"), flag(e.Sensitive, "sensitive"))
		for _, s := range e.Synonyms {
			fmt.Fprintf(&out, " %s=%s@%s", s.Key, value(s.Value), sourceNames[s.Source])
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// TestDescribeIsKafkas compares what we show with what Apache Kafka 4.3.1 showed where the same was set.
func TestDescribeIsKafkas(t *testing.T) {
	b := kafkasBroker(t)
	got := map[string]string{
		"broker":          show(b.Entries()),
		"cluster default": show(b.ClusterDefaultEntries()),
		"topic": show(b.TopicEntries(map[string]string{
			"cleanup.policy": "delete", "min.compaction.lag.ms": "10", "local.retention.ms": "99999999999",
		})),
		"group": show(b.GroupEntries(map[string]string{
			"consumer.session.timeout.ms": "46000", "share.auto.offset.reset": "by_duration:PT1H", "streams.initial.rebalance.delay.ms": "50000",
		})),
		"client metrics": show(ClientMetricsEntries(map[string]string{
			"metrics": "org.apache.kafka", "interval.ms": "1000", "match": "client_id=.*",
		})),
	}
	text, err := os.ReadFile("testdata/describe.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	section := ""
	for line := range strings.Lines(string(text)) {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			section = strings.TrimSpace(title)
			continue
		}
		want[section] += line
	}
	for section, ours := range got {
		theirs := lines(want[section])
		for key, line := range lines(ours) {
			switch their, ok := theirs[key]; {
			case !ok && TopicDef(Key(key)) == nil && !BrokerDef(Key(key)).Ours, !ok && key != string(Durability) && TopicDef(Key(key)) != nil:
				t.Errorf("%s: only ours: %s", section, line)
			case ok && their != line && !differsForAReason[key]:
				t.Errorf("%s:\n  Kafka %s\n  ours  %s", section, their, line)
			}
			delete(theirs, key)
		}
		for _, line := range theirs {
			t.Errorf("%s: only Kafka's: %s", section, line)
		}
	}
}

// differsForAReason are keys that we show otherwise than Kafka, because their defaults or modes are ours, see def_test.go;
// and log.retention.hours, whose value Kafka forgets when log.retention.ms is set while it runs.
var differsForAReason = map[string]bool{
	"log.retention.hours": true, "listener.security.protocol.map": true, "log.dir": true,
	"listeners": true, "advertised.listeners": true, "node.id": true, "broker.id": true, "process.roles": true, "controller.listener.names": true,
	"offsets.topic.replication.factor": true, "transaction.state.log.replication.factor": true, "transaction.state.log.min.isr": true,
	"share.coordinator.state.topic.replication.factor": true, "share.coordinator.state.topic.min.isr": true,
}

func lines(text string) map[string]string {
	byName := map[string]string{}
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " ")
		byName[name] = strings.TrimRight(line, "\n")
	}
	return byName
}

func TestSecretsAreNeverShown(t *testing.T) {
	b := Default().WithDynamic(nil, map[string]string{"some.plugin.password": "hunter2"})
	b.static = map[Key]string{SSLKeyPassword: "hunter2", SASLJAASConfig: "hunter2"}
	b.resolve()
	if text := show(b.Entries()); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
}
