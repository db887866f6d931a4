package launch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// KafkaVersion is the Apache Kafka that is our measure, and whose tools the tests run.
const KafkaVersion = "4.3.1"

// kafkaDefaults make Apache Kafka fit for one node, as its own single-node documentation does.
var kafkaDefaults = map[string]string{
	"process.roles":                                    "broker,controller",
	"node.id":                                          "1",
	"controller.listener.names":                        "CONTROLLER",
	"inter.broker.listener.name":                       "PLAINTEXT",
	"offsets.topic.replication.factor":                 "1",
	"transaction.state.log.replication.factor":         "1",
	"transaction.state.log.min.isr":                    "1",
	"share.coordinator.state.topic.replication.factor": "1",
	"share.coordinator.state.topic.min.isr":            "1",
}

// oursAlone are properties that Apache Kafka does not know.
var oursAlone = []string{"log.durability", "allow.anonymous"}

// Jars is the class path of Apache Kafka and its tools, empty where they have not been brought.
func Jars() string {
	dir := os.Getenv("OTTLA_KAFKA_LIBS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(cache, "ottla", "kafka-"+KafkaVersion)
	}
	if jars, _ := filepath.Glob(filepath.Join(dir, "kafka-clients-*.jar")); len(jars) == 0 {
		return ""
	}
	return filepath.Join(dir, "*")
}

// NeedJava skips a test that cannot run without Apache Kafka's jars and a JVM.
func NeedJava(t testing.TB) {
	t.Helper()
	NeedProgram(t, "java")
	if Jars() == "" {
		Skip(t, "no Apache Kafka "+KafkaVersion+" jars: make deps")
	}
}

// NeedProgram skips a test that cannot run without a program.
func NeedProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Skip(t, "no "+name+": make deps")
	}
}

// Chaos skips a test that only the long runs have time for: make chaos.
func Chaos(t testing.TB) {
	t.Helper()
	if os.Getenv("OTTLA_CHAOS") == "" {
		t.Skip("only in make chaos")
	}
}

// Skip skips a test for lack of something that a full run has. make test counts such skips and shows them at its end;
// with OTTLA_NO_SKIP=1 they are failures.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("OTTLA_NO_SKIP") == "1" {
		t.Fatal("NOT RUN: " + why)
	}
	t.Skip("NOT RUN: " + why)
}

func (b *Broker) prepareKafka(o Options) error {
	if Jars() == "" {
		return fmt.Errorf("no Apache Kafka %s jars: make deps", KafkaVersion)
	}
	controller := fmt.Sprintf("127.0.0.1:%d", FreePort())
	set := map[string]string{
		"controller.quorum.voters": "1@" + controller,
		"listeners":                "PLAINTEXT://" + b.Bootstrap + ",CONTROLLER://" + controller,
		"advertised.listeners":     "PLAINTEXT://" + b.Bootstrap,
		"log.dirs":                 b.DataDir,
	}
	for _, more := range []map[string]string{kafkaDefaults, o.Set} {
		for k, v := range more {
			set[k] = v
		}
	}
	for _, k := range oursAlone {
		delete(set, k)
	}
	var text strings.Builder
	for _, k := range sortedKeys(set) {
		fmt.Fprintf(&text, "%s=%s\n", k, set[k])
	}
	properties := filepath.Join(o.Dir, "server.properties")
	if err := os.WriteFile(properties, []byte(text.String()), 0o644); err != nil {
		return err
	}
	b.argv = []string{"java", "-Xms512m", "-Xmx1g", "-XX:+UseG1GC", "-cp", Jars(), "kafka.Kafka", properties}
	if _, err := os.Stat(filepath.Join(b.DataDir, "meta.properties")); err == nil {
		return nil
	}
	id, err := exec.Command("java", "-cp", Jars(), "kafka.tools.StorageTool", "random-uuid").Output()
	if err != nil {
		return fmt.Errorf("kafka.tools.StorageTool random-uuid: %w", err)
	}
	format := exec.Command("java", "-cp", Jars(), "kafka.tools.StorageTool", "format",
		"-t", string(bytes.TrimSpace(id)), "-c", properties)
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("kafka.tools.StorageTool format: %w\n%s", err, out)
	}
	return nil
}
