package kafkatools

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/integration/launch"
)

// javaTools is the JVM of this package's tests.
var javaTools Shared

func TestMain(m *testing.M) {
	code := m.Run()
	javaTools.Close()
	os.Exit(code)
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func client(t *testing.T, b *launch.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// partitions are the partitions of the tests' topics, with how to make them.
var partitions = map[string]int32{"codecs": 2, "transactions": 1, "compacted": 1}

// configs are the topics'. The records are old, and nobody may delete them for that while a test runs.
var configs = map[string]map[string]*string{
	"codecs":       {"index.interval.bytes": ptr("100"), "retention.ms": ptr("-1")},
	"transactions": {"index.interval.bytes": ptr("100"), "retention.ms": ptr("-1")},
	// The records' timestamps are an hour apart, so that each batch has a segment of its own.
	"compacted": {"cleanup.policy": ptr("compact"), "segment.ms": ptr("1000"), "min.cleanable.dirty.ratio": ptr("0.01")},
}

func ptr(s string) *string { return &s }

func createTopics(t *testing.T, b *launch.Broker) {
	t.Helper()
	admin := kadm.NewClient(client(t, b))
	for topic, n := range partitions {
		_, err := admin.CreateTopic(patience(t), n, 1, configs[topic], topic)
		must(t, err)
	}
}

// served is everything that a broker serves of the tests' topics, a line a record. Each partition ends with a record
// whose value is "end".
func served(t *testing.T, b *launch.Broker, level kgo.IsolationLevel) map[string][]string {
	t.Helper()
	offsets := map[string]map[int32]kgo.Offset{}
	for topic, n := range partitions {
		offsets[topic] = map[int32]kgo.Offset{}
		for p := range n {
			offsets[topic][p] = kgo.NewOffset().AtStart()
		}
	}
	c := client(t, b, kgo.ConsumePartitions(offsets), kgo.FetchIsolationLevel(level))
	got := map[string][]string{}
	ended := 0
	for ctx := patience(t); ended < 4; {
		fetches := c.PollFetches(ctx)
		must(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			name := fmt.Sprintf("%s-%d", r.Topic, r.Partition)
			line := fmt.Sprintf("%d %d %q %q null=%v,%v", r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value, r.Key == nil, r.Value == nil)
			for _, h := range r.Headers {
				line += fmt.Sprintf(" %s=%q", h.Key, h.Value)
			}
			got[name] = append(got[name], line)
			if string(r.Value) == "end" {
				ended++
			}
		})
	}
	return got
}

// sameRecords compares what two brokers serve.
func sameRecords(t *testing.T, what string, got, want map[string][]string) {
	t.Helper()
	total := 0
	for name, lines := range want {
		total += len(lines)
		if slices.Equal(got[name], lines) {
			continue
		}
		at := 0
		for at < min(len(lines), len(got[name])) && got[name][at] == lines[at] {
			at++
		}
		t.Errorf("%s: %s: %d records where there were %d; they differ from the %dth on:\n%s\n%s", what, name,
			len(got[name]), len(lines), at, strings.Join(around(got[name], at), "\n"), strings.Join(around(lines, at), "\n"))
	}
	t.Logf("FIGURE %s: %d records", what, total)
}

func around(lines []string, at int) []string { return lines[min(at, len(lines)):min(at+2, len(lines))] }

// files are those that match a pattern in a data directory, without the empty ones.
func files(t *testing.T, dir, pattern string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, pattern))
	must(t, err)
	return slices.DeleteFunc(all, func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || info.Size() == 0
	})
}
