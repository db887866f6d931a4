package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// load reads a configuration from a file of that name and text, the environment and flags, without touching a disk.
func load(file, text string, env []string, flags ...Flag) (*Broker, []Warning, error) {
	in := Input{File: file, Env: env, Flags: flags, ReadFile: func(string) ([]byte, error) { return []byte(text), nil }}
	return Load(in)
}

// other is a value of d other than its default that a broker can start with, empty if there is none.
func other(d *Def) string {
	candidates := []string{"true", "false", "2", "3", "101", "1000000", "0.25", "0", "9", "compact", "classic", "uniform", "text", "debug"}
	for _, known := range map[Key][]string{
		Listeners:                         {"PLAINTEXT://127.0.0.1:7777"},
		AdvertisedListeners:               {"PLAINTEXT://broker.example:7777"},
		ListenerSecurityProtocolMap:       {"PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT"},
		InterBrokerListenerName:           {"PLAINTEXT"},
		ControllerQuorumVoters:            {"1@localhost:9093"},
		HTTPListen:                        {"127.0.0.1:8080"},
		MaxConnectionsPerIPOverrides:      {"10.0.0.7:5"},
		QueuedMaxRequestBytes:             {"209715200"},
		CordonedLogDirs:                   {"*"},
		ProcessRoles:                      {"controller,broker"},
		ControllerQuorumFetchMaxBytes:     {"2097152"},
		ControllerQuorumAutoJoinEnable:    {"true"},
		SASLOAuthBearerAssertionAlgorithm: {"ES256"},
	}[d.Key] {
		candidates = append([]string{known}, candidates...)
	}
	if d.Check != nil {
		if _, words, ok := strings.Cut(d.Check.Allowed, "one of "); ok {
			words, _, _ = strings.Cut(words, ", in either case")
			candidates = append(candidates, strings.Split(words, ", ")...)
		}
	}
	candidates = append(candidates, "46000", "6000", "50000", "40000", "10", "4", "1", "20000", "2000", "10485760", "44000")
	for _, c := range candidates {
		v, err := d.Parse(c)
		if err != nil || d.HasDefault() && d.Format(v) == d.Default {
			continue
		}
		if _, err := New(map[Key]string{d.Key: c}); err == nil {
			return c
		}
	}
	return ""
}

// variable is the name of a key in the environment, without its beginning.
func variable(k Key) string {
	return strings.ToUpper(strings.NewReplacer("-", "___", "_", "__", ".", "_").Replace(string(k)))
}

// nested writes a key in YAML with a level for each part.
func nested(k Key, value string) string {
	var out strings.Builder
	parts := strings.Split(string(k), ".")
	for i, p := range parts {
		fmt.Fprintf(&out, "%s%s:", strings.Repeat("  ", i), p)
		if i == len(parts)-1 {
			fmt.Fprintf(&out, " %q", value)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// TestEveryKeyFromEverySource sets every key in each way that there is, alone, and reads it back.
func TestEveryKeyFromEverySource(t *testing.T) {
	for _, d := range BrokerDefs {
		if d.DynamicOnly {
			continue
		}
		value := other(d)
		if d.Effect == Refused {
			if value != "" {
				t.Errorf("%s=%s is accepted, and it promises what this build lacks", d.Key, value)
			}
			if value = d.Default; value == None || value == "" {
				continue
			}
		}
		if value == "" {
			t.Errorf("%s: the test knows no value for it", d.Key)
			continue
		}
		for source, from := range map[string]func() (*Broker, []Warning, error){
			"flag": func() (*Broker, []Warning, error) { return load("", "", nil, Flag{"--set", d.Key, value}) },
			"OTTLA_": func() (*Broker, []Warning, error) {
				return load("", "", []string{"OTTLA_" + variable(d.Key) + "=" + value})
			},
			"KAFKA_CFG_": func() (*Broker, []Warning, error) {
				return load("", "", []string{"KAFKA_CFG_" + variable(d.Key) + "=" + value})
			},
			"KAFKA_": func() (*Broker, []Warning, error) {
				return load("", "", []string{"KAFKA_" + variable(d.Key) + "=" + value})
			},
			"YAML":        func() (*Broker, []Warning, error) { return load("o.yaml", fmt.Sprintf("%s: %q\n", d.Key, value), nil) },
			"nested YAML": func() (*Broker, []Warning, error) { return load("o.yml", nested(d.Key, value), nil) },
			"properties": func() (*Broker, []Warning, error) {
				return load("s.properties", fmt.Sprintf("%s = %s\n", d.Key, value), nil)
			},
		} {
			b, warnings, err := from()
			if err != nil || len(warnings) > 0 {
				t.Errorf("%s from %s: %v %v", d.Key, source, err, warnings)
				continue
			}
			want, _ := d.Parse(value)
			if got := d.Format(b.values[d.Key]); got != d.Format(want) {
				t.Errorf("%s=%s from %s is read back %q", d.Key, value, source, got)
			}
			if o := b.Origin(d.Key); o.Kind == FromDefault || b.Source(d.Key) != StaticBroker {
				t.Errorf("%s from %s says it came from %s", d.Key, source, o)
			}
		}
	}
}

// TestRefusedKeysStopTheStart: nothing that promises protection is passed over, wherever it is written.
func TestRefusedKeysStopTheStart(t *testing.T) {
	for _, d := range BrokerDefs {
		if d.Effect != Refused {
			continue
		}
		value := map[Type]string{List: "something", Int: "1234", Long: "1234", Boolean: "true"}[d.Type]
		if value == "" {
			value = "something"
		}
		if d.Check != nil && d.Type == String && d.Check.problem(value) != "" { // one of some words
			for _, word := range []string{"required", "SSL"} {
				if d.Check.problem(word) == "" {
					value = word
				}
			}
		}
		for source, err := range map[string]error{
			"flag":       last(load("", "", nil, Flag{"--set", d.Key, value})),
			"variable":   last(load("", "", []string{"KAFKA_" + variable(d.Key) + "=" + value})),
			"YAML":       last(load("o.yaml", fmt.Sprintf("%s: %q\n", d.Key, value), nil)),
			"properties": last(load("s.properties", fmt.Sprintf("%s=%s", d.Key, value), nil)),
			"listener":   last(load("s.properties", fmt.Sprintf("listener.name.plaintext.%s=%s", d.Key, value), nil)),
		} {
			var bad *SettingError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), string(d.Key)) {
				t.Errorf("%s=%s from %s: %v", d.Key, value, source, err)
			}
			if d.Sensitive() && err != nil && strings.Contains(err.Error(), value) {
				t.Errorf("the secret is shown: %v", err)
			}
		}
	}
}

func last(_ *Broker, _ []Warning, err error) error { return err }

func TestPrecedence(t *testing.T) {
	const file = "num.partitions: 2\nnum.io.threads: 2\nmessage.max.bytes: 2\nfetch.max.bytes: 2000\n"
	env := []string{"KAFKA_NUM_PARTITIONS=3", "KAFKA_NUM_IO_THREADS=3", "KAFKA_MESSAGE_MAX_BYTES=3",
		"KAFKA_CFG_MESSAGE_MAX_BYTES=4", "OTTLA_NUM_IO_THREADS=4", "PATH=/bin"}
	b, warnings, err := load("o.yaml", file, env, Flag{"--set", NumPartitions, "4"}, Flag{"--set", NumPartitions, "5"})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[Key]string{
		NumPartitions:   "5 flag --set",
		NumIOThreads:    "4 environment OTTLA_NUM_IO_THREADS",
		MessageMaxBytes: "4 environment KAFKA_CFG_MESSAGE_MAX_BYTES",
		FetchMaxBytes:   "2000 o.yaml:4",
		GroupMaxSize:    "2147483647 default",
	} {
		if got := fmt.Sprint(b.Int(k), " ", b.Origin(k)); got != want {
			t.Errorf("%s is %s, want %s", k, got, want)
		}
	}
	if len(warnings) != 2 { // KAFKA_NUM_IO_THREADS and KAFKA_MESSAGE_MAX_BYTES are passed over
		t.Errorf("warnings %v", warnings)
	}
}

// TestImagesVariables are the settings of the published compose files of Apache's, Confluent's and Bitnami's images.
func TestImagesVariables(t *testing.T) {
	for name, env := range map[string][]string{
		"apache": {
			"KAFKA_NODE_ID=1", "KAFKA_PROCESS_ROLES=broker,controller", "KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093",
			"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092", "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER",
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
			"KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093", "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1",
			"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1", "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1",
			"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0", "KAFKA_NUM_PARTITIONS=3", "CLUSTER_ID=5L6g3nShT-eMCtK--X86sw",
			"OTTLA_ALLOW_ANONYMOUS=true",
		},
		"confluent": {
			"KAFKA_BROKER_ID=1", "KAFKA_LISTENERS=INTERNAL://0.0.0.0:29092,EXTERNAL://0.0.0.0:9092",
			"KAFKA_ADVERTISED_LISTENERS=INTERNAL://kafka:29092,EXTERNAL://localhost:9092",
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT",
			"KAFKA_INTER_BROKER_LISTENER_NAME=INTERNAL", "KAFKA_ALLOW_ANONYMOUS=true", "KAFKA_NUM_PARTITIONS=3",
			"CLUSTER_ID=5L6g3nShT-eMCtK--X86sw",
		},
		"bitnami": {
			"KAFKA_CFG_NODE_ID=1", "KAFKA_CFG_PROCESS_ROLES=controller,broker", "KAFKA_CFG_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093",
			"KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
			"KAFKA_CFG_CONTROLLER_QUORUM_VOTERS=1@kafka:9093", "KAFKA_CFG_CONTROLLER_LISTENER_NAMES=CONTROLLER",
			"ALLOW_PLAINTEXT_LISTENER=yes", "KAFKA_KRAFT_CLUSTER_ID=5L6g3nShT-eMCtK--X86sw", "KAFKA_CFG_NUM_PARTITIONS=3",
		},
	} {
		b, warnings, err := load("", "", env)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v %v", name, err, warnings)
			continue
		}
		if b.Int(NumPartitions) != 3 || b.NodeID() != 1 || b.String(ClusterID) != "5L6g3nShT-eMCtK--X86sw" {
			t.Errorf("%s: partitions %d, node %d, cluster %s", name, b.Int(NumPartitions), b.NodeID(), b.String(ClusterID))
		}
		for _, l := range b.Listeners() {
			if l.Name == "CONTROLLER" {
				t.Errorf("%s: %s would be opened", name, l)
			}
		}
	}
}

func TestMeaninglessVariablesAreOneWarningEach(t *testing.T) {
	for _, entry := range []string{
		"KAFKA_PORT=tcp://10.0.0.1:9092", "KAFKA_SERVICE_HOST=10.0.0.1", "KAFKA_PORT_9092_TCP_ADDR=10.0.0.1", "OTTLA_PORT=tcp://10.0.0.1:9092",
		"KAFKA_BROKER_SERVICE_PORT_CLIENT=9092", "KAFKA_HEAP_OPTS=-Xmx1G", "KAFKA_JMX_PORT=9999", "KAFKA_ZOOKEEPER_CONNECT=zk:2181",
		"KAFKA_LOG4J_ROOT_LOGLEVEL=WARN", "KAFKA_NO_SUCH_THING=1", "OTTLA_NO_SUCH_THING=1", "KAFKA_INTER_BROKER_PROTOCOL_VERSION=3.9",
		"KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE=false", "KAFKA_SUPER_USERS=User:admin",
	} {
		_, warnings, err := load("", "", []string{entry})
		name, _, _ := strings.Cut(entry, "=")
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), name) {
			t.Errorf("%s: %v %v", entry, warnings, err)
		}
	}
	for _, entry := range []string{"HOME=/root", "KAFKA_NUM_PARTITIONS=", "ALLOW_PLAINTEXT_LISTENER=no", "KAFKA_=1", "OTTLA_=1"} {
		if _, warnings, err := load("", "", []string{entry}); err != nil || len(warnings) != 0 {
			t.Errorf("%s: %v %v", entry, warnings, err)
		}
	}
}

// TestErrorsSayWhatToDo: key, value, where it came from, what is wrong, what would be right.
func TestErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		env              []string
		flags            []Flag
		want             []string // parts of the message; none for no error
	}{
		{"unknown flag", "", "", nil, []Flag{{"--set", "num.partition", "3"}}, []string{"num.partition=3", "flag --set", "no such key", "num.partitions"}},
		{"unknown YAML", "o.yaml", "a.b: c", nil, nil, []string{"a.b=c", "o.yaml:1"}},
		{"unknown properties", "s.properties", "a.b=c", nil, nil, nil},
		{"a topic's key", "", "", nil, []Flag{{"--set", "retention.ms", "3"}}, []string{"log.retention.ms"}},
		{"type", "", "", nil, []Flag{{"--set", NumPartitions, "many"}}, []string{"num.partitions=many", "flag --set", "INT", "at least 1"}},
		{"range", "o.yaml", "\n\nnum.partitions: 0", nil, nil, []string{"num.partitions=0", "o.yaml:3", "at least 1"}},
		{"range from the environment", "", "", []string{"KAFKA_NUM_PARTITIONS=-3"}, nil, []string{"KAFKA_NUM_PARTITIONS", "at least 1"}},
		{"word", "s.properties", "log.durability=never", nil, nil, []string{"s.properties:1", "fsync, pagecache"}},
		{"two directories", "", "", nil, []Flag{{"--set", LogDirs, "/a,/b"}}, nil},
		{"one directory twice", "", "", nil, []Flag{{"--set", LogDirs, "/a,/b,/b/../a/"}}, []string{"log.dirs=/a,/b", "/a is named twice"}},
		{"cordoned", "", "", nil, []Flag{{"--set", LogDirs, "/a,/b"}, {"--set", CordonedLogDirs, "/b"}}, nil},
		{"cordoned, all", "", "", nil, []Flag{{"--set", LogDirs, "/a,/b"}, {"--set", CordonedLogDirs, "*"}}, nil},
		{"cordoned, another", "", "", nil, []Flag{{"--set", LogDirs, "/a,/b"}, {"--set", CordonedLogDirs, "/c"}}, []string{"cordoned.log.dirs=/c", "/a, /b"}},
		{"two ids", "", "", []string{"KAFKA_BROKER_ID=2"}, []Flag{{"--set", NodeID, "1"}}, []string{"node.id=1", "broker.id says 2"}},
		{"open to all", "", "", nil, []Flag{{"--listen", Listeners, "PLAINTEXT://:9092"}}, []string{"--listen", "allow.anonymous=true"}},
		{"open to all, meant", "", "", []string{"ALLOW_PLAINTEXT_LISTENER=yes"}, []Flag{{"--listen", Listeners, "PLAINTEXT://:9092"}}, nil},
		{"loopback", "", "", nil, []Flag{{"--listen", Listeners, "PLAINTEXT://[::1]:0"}}, nil},
		{"a host's name", "", "", nil, []Flag{{"--listen", Listeners, "PLAINTEXT://myhost:9092"}}, []string{"allow.anonymous=true"}},
		{"TLS", "", "", nil, []Flag{{"--set", Listeners, "SSL://localhost:9092"}}, []string{"SSL", "PLAINTEXT"}},
		{"TLS by name", "", "", nil, []Flag{{"--set", Listeners, "OUT://localhost:1"}, {"--set", ListenerSecurityProtocolMap, "OUT:SASL_SSL"}}, []string{"SASL_SSL"}},
		{"no protocol", "", "", nil, []Flag{{"--set", Listeners, "OUT://localhost:1"}}, []string{"OUT:PLAINTEXT"}},
		{"form", "", "", nil, []Flag{{"--set", Listeners, "localhost:1"}}, []string{"NAME://HOST:PORT"}},
		{"port", "", "", nil, []Flag{{"--set", Listeners, "PLAINTEXT://localhost:70000"}}, []string{"65535"}},
		{"same name", "", "", nil, []Flag{{"--set", Listeners, "PLAINTEXT://localhost:1,plaintext://localhost:2"}}, []string{"PLAINTEXT"}},
		{"only the quorum's", "", "", nil, []Flag{{"--set", Listeners, "CONTROLLER://localhost:1"}}, []string{"controller.listener.names"}},
		{"advertised nowhere", "", "", nil, []Flag{{"--set", AdvertisedListeners, "PLAINTEXT://0.0.0.0:9092"}}, []string{"0.0.0.0"}},
		{"advertised unknown", "", "", nil, []Flag{{"--set", AdvertisedListeners, "OUT://h:9092"}}, []string{"no listener OUT"}},
		{"advertised auto", "", "", nil, []Flag{{"--set", AdvertisedListeners, "auto"}}, nil},
		{"three nodes", "", "", nil, []Flag{{"--set", ControllerQuorumVoters, "1@a:1,2@b:1,3@c:1"}}, []string{"one node"}},
		{"another node", "", "", nil, []Flag{{"--set", ControllerQuorumVoters, "2@b:1"}}, []string{"node 2", "node 1"}},
		{"only a broker", "", "", nil, []Flag{{"--set", ProcessRoles, "broker"}}, []string{"controller"}},
		{"authorizer", "s.properties", "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", nil, nil, []string{"s.properties:1", "authorizer.class.name", "will not start"}},
		{"Bitnami's users", "", "", []string{"KAFKA_CLIENT_PASSWORDS=hunter2"}, nil, []string{"KAFKA_CLIENT_PASSWORDS", "will not start"}},
		{"a misspelled secret", "s.properties", "sasl.enabled.mechanism=PLAIN", nil, nil, []string{"sasl.enabled.mechanism"}},
		{"dynamic only", "", "", nil, []Flag{{"--set", LeaderReplicationThrottledRate, "5"}}, []string{"kafka-configs"}},
		{"bounds", "", "", nil, []Flag{{"--set", GroupMinSessionTimeoutMs, "2000000"}}, []string{"group.min.session.timeout.ms=2000000", "group.max.session.timeout.ms=1800000"}},
		{"age", "", "", nil, []Flag{{"--set", LogRetentionMs, "0"}}, []string{"-1 for never"}},
		{"overrides", "", "", nil, []Flag{{"--set", MaxConnectionsPerIPOverrides, "10.0.0.1"}}, []string{"ADDRESS:COUNT"}},
		{"file's name", "server.conf", "", nil, nil, []string{"server.conf", ".properties"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := load(c.file, c.text, c.env, c.flags...)
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("it starts")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret is shown: %v", err)
			}
		})
	}
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, _, err := load("", "", nil, Flag{"--set", NumPartitions, "x"}, Flag{"--set", "nope", "1"}, Flag{"--set", SSLClientAuth, "required"})
	if n := len(strings.Split(err.Error(), "\n")); n != 3 {
		t.Errorf("%d lines: %v", n, err)
	}
}

// TestKafkasServerProperties: the file of Apache Kafka 4.3.1's distribution starts with one line added, and the refusal
// without it prints that line.
func TestKafkasServerProperties(t *testing.T) {
	_, _, err := load("server.properties", kafkasServerProperties, nil)
	const line = "allow.anonymous=true"
	if err == nil || !strings.Contains(err.Error(), line) {
		t.Fatalf("without the line: %v", err)
	}
	b, warnings, err := load("server.properties", kafkasServerProperties+line+"\n", nil)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if l := b.Listeners(); len(l) != 1 || l[0].String() != "PLAINTEXT://:9092" || l[0].Protocol != "PLAINTEXT" {
		t.Errorf("listeners %v", l)
	}
	if a := b.Advertised()["PLAINTEXT"]; a.Addr() != "localhost:9092" {
		t.Errorf("advertised %v", a)
	}
	if b.DataDirs()[0] != "/tmp/kraft-combined-logs" || b.ReplicationFactor(OffsetsTopicReplicationFactor, 1) != 1 {
		t.Errorf("data in %s", b.DataDirs())
	}
}

// The settings of config/server.properties in Apache Kafka 4.3.1's distribution, without its comments.
const kafkasServerProperties = `
# Server Basics
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
#log.flush.interval.messages=10000
#log.flush.interval.ms=1000
log.retention.hours=168
#log.retention.bytes=1073741824
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
`

func TestNoFile(t *testing.T) {
	if _, _, err := Load(Input{File: "/nowhere/at/all.yaml"}); err == nil || !strings.Contains(err.Error(), "/nowhere/at/all.yaml") {
		t.Error(err)
	}
}
