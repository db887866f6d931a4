// Package kafkatools runs Apache Kafka's own command line tools, all in one JVM.
package kafkatools

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
)

//go:embed Tools.java
var source []byte

// classes of the tools, by the names of the scripts that start them.
var classes = map[string]string{
	"kafka-broker-api-versions":       "org.apache.kafka.tools.BrokerApiVersionsCommand",
	"kafka-cluster":                   "org.apache.kafka.tools.ClusterTool",
	"kafka-configs":                   "kafka.admin.ConfigCommand",
	"kafka-console-consumer":          "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-console-producer":          "org.apache.kafka.tools.ConsoleProducer",
	"kafka-consumer-groups":           "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-consumer-perf-test":        "org.apache.kafka.tools.ConsumerPerformance",
	"kafka-delete-records":            "org.apache.kafka.tools.DeleteRecordsCommand",
	"kafka-dump-log":                  "org.apache.kafka.tools.DumpLogSegments",
	"kafka-features":                  "org.apache.kafka.tools.FeatureCommand",
	"kafka-get-offsets":               "org.apache.kafka.tools.GetOffsetShell",
	"kafka-groups":                    "org.apache.kafka.tools.GroupsCommand",
	"kafka-leader-election":           "org.apache.kafka.tools.LeaderElectionCommand",
	"kafka-log-dirs":                  "org.apache.kafka.tools.LogDirsCommand",
	"kafka-metadata-quorum":           "org.apache.kafka.tools.MetadataQuorumCommand",
	"kafka-producer-perf-test":        "org.apache.kafka.tools.ProducerPerformance",
	"kafka-reassign-partitions":       "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"kafka-topics":                    "org.apache.kafka.tools.TopicCommand",
	"kafka-verifiable-consumer":       "org.apache.kafka.tools.VerifiableConsumer",
	"kafka-verifiable-producer":       "org.apache.kafka.tools.VerifiableProducer",
	"kafka-replica-verification":      "org.apache.kafka.tools.ReplicaVerificationTool",
	"kafka-client-metrics":            "org.apache.kafka.tools.ClientMetricsCommand",
	"kafka-transactions":              "org.apache.kafka.tools.TransactionsCommand",
	"kafka-delegation-tokens":         "org.apache.kafka.tools.DelegationTokenCommand",
	"kafka-acls":                      "org.apache.kafka.tools.AclCommand",
	"kafka-streams-application-reset": "org.apache.kafka.tools.StreamsResetter",
}

// Result is how a tool ended.
type Result struct {
	Code        int
	Out, Errors string
}

// All is everything that the tool said.
func (r Result) All() string { return r.Out + r.Errors }

// Tools is a JVM in which tools run, one at a time.
type Tools struct {
	mu   sync.Mutex
	conn net.Conn
	cmd  *exec.Cmd
	log  string
}

// limit is how long one tool may run.
const limit = 60 * time.Second

// Start starts the JVM. It ends with Close.
func Start(dir string) (*Tools, error) {
	file := filepath.Join(dir, "Tools.java")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	t := &Tools{log: filepath.Join(dir, "tools.log")}
	log, err := os.Create(t.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// A short-lived JVM: no time to earn back what the second compiler costs.
	t.cmd = exec.Command("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", "-cp", launch.Jars(), file, port)
	t.cmd.Stdout, t.cmd.Stderr = log, log
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	l.(*net.TCPListener).SetDeadline(time.Now().Add(limit))
	if t.conn, err = l.Accept(); err != nil {
		t.cmd.Process.Kill()
		t.cmd.Wait()
		said, _ := os.ReadFile(t.log)
		return nil, fmt.Errorf("java did not come up: %w\n%s", err, said)
	}
	return t, nil
}

// Close ends the JVM.
func (t *Tools) Close() {
	t.conn.Close()
	t.cmd.Process.Kill()
	t.cmd.Wait()
}

// Run runs a tool by its script's name. An error means that there was no result, not that the tool failed.
func (t *Tools) Run(input, tool string, args ...string) (Result, error) {
	class, ok := classes[tool]
	if !ok {
		return Result{}, fmt.Errorf("no tool %q", tool)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var frame []byte
	text := func(s string) {
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(s)))
		frame = append(frame, s...)
	}
	words := append([]string{class}, args...)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(words)))
	for _, w := range words {
		text(w)
	}
	text(input)
	t.conn.SetDeadline(time.Now().Add(limit))
	if _, err := t.conn.Write(frame); err != nil {
		return Result{}, t.lost(tool, args, err)
	}
	var code [4]byte
	if _, err := io.ReadFull(t.conn, code[:]); err != nil {
		return Result{}, t.lost(tool, args, err)
	}
	r := Result{Code: int(int32(binary.BigEndian.Uint32(code[:])))}
	for _, to := range []*string{&r.Out, &r.Errors} {
		said, err := t.readText()
		if err != nil {
			return Result{}, t.lost(tool, args, err)
		}
		*to = said
	}
	return r, nil
}

func (t *Tools) lost(tool string, args []string, err error) error {
	said, _ := os.ReadFile(t.log)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.cmd.Process.Kill()
	}
	return fmt.Errorf("%s %s: %w\n%s", tool, strings.Join(args, " "), err, said)
}

func (t *Tools) readText() (string, error) {
	var size [4]byte
	if _, err := io.ReadFull(t.conn, size[:]); err != nil {
		return "", err
	}
	text := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(t.conn, text)
	return string(text), err
}

// Shared is one JVM for all tests of a package.
type Shared struct {
	once  sync.Once
	tools *Tools
	err   error
	dir   string
}

// Tools returns the package's JVM, and skips the test where there is none.
func (s *Shared) Tools(t testing.TB) *Tools {
	t.Helper()
	launch.NeedJava(t)
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "ottla-tools-"); s.err == nil {
			s.tools, s.err = Start(s.dir)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.tools
}

// Close ends the JVM if one was started.
func (s *Shared) Close() {
	if s.tools != nil {
		s.tools.Close()
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}
