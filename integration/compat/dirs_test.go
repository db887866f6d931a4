package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/kafkatools"
	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka's tools show several data directories, and move a partition between them.
func TestKafkaToolsMoveBetweenDirs(t *testing.T) {
	launch.NeedJava(t)
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	broker := launch.Start(t, launch.Options{Dir: dir, Set: map[string]string{"log.dirs": a + "," + b}})
	tool := func(name string, args ...string) kafkatools.Result {
		t.Helper()
		r, err := javaTools.Tools(t).Run("", name, append([]string{"--bootstrap-server", broker.Bootstrap}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		if r.Code != 0 {
			t.Fatalf("%s: exit %d\n%s", name, r.Code, r.All())
		}
		return r
	}
	tool("kafka-topics", "--create", "--topic", "moves", "--partitions", "2", "--replication-factor", "1")
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Bootstrap), kgo.DefaultProduceTopic("moves"), kgo.ConsumeTopics("moves"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	values := numbered("value", 200)
	for _, v := range values {
		if err := cl.ProduceSync(t.Context(), kgo.StringRecord(v)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{a, b} {
		plan := filepath.Join(dir, "plan.json")
		text := fmt.Sprintf(`{"version":1,"partitions":[{"topic":"moves","partition":0,"replicas":[1],"log_dirs":[%q]},{"topic":"moves","partition":1,"replicas":[1],"log_dirs":[%q]}]}`, to, to)
		if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		tool("kafka-reassign-partitions", "--reassignment-json-file", plan, "--execute", "--replica-alter-log-dirs-throttle", "100000000")
		for deadline := time.Now().Add(30 * time.Second); ; {
			verified := tool("kafka-reassign-partitions", "--reassignment-json-file", plan, "--verify").All()
			if strings.Contains(verified, "Reassignment of replica moves-0-1 completed successfully") && strings.Contains(verified, "Reassignment of replica moves-1-1 completed successfully") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(verified)
			}
		}
		described := tool("kafka-log-dirs", "--describe", "--topic-list", "moves").All()
		says(t, described, fmt.Sprintf(`"logDir":%q`, a), fmt.Sprintf(`"logDir":%q`, b), `"partition":"moves-[01]","size":[1-9]\d*,"offsetLag":0,"isFuture":false`)
		for p := range 2 {
			if _, err := os.Stat(filepath.Join(to, fmt.Sprintf("moves-%d", p))); err != nil {
				t.Error(err)
			}
		}
	}
	var got []string
	for len(got) < len(values) {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	sameSet(t, got, values)
}
