package compat

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/kafkatools"
	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The broker listens on localhost, in both families where the machine has them, as a user's would.
var shared = launch.Shared{Options: launch.Options{
	Host: "localhost",
	Set: map[string]string{
		"group.initial.rebalance.delay.ms": "100",
		"log.durability":                   "pagecache",
	},
}}

// One JVM runs all of Apache Kafka's tools.
var javaTools kafkatools.Shared

func TestMain(m *testing.M) {
	code := shared.Run(m)
	javaTools.Close()
	os.Exit(code)
}

// patience bounds what a test waits for a client.
const patience = 60 * time.Second

func withPatience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// bootstrap is the address of the shared broker.
func bootstrap(t *testing.T) string {
	t.Helper()
	return shared.Broker(t).Bootstrap
}

// admin makes topics and looks at groups by a client other than the one under test.
func admin(t *testing.T) *kadm.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return kadm.NewClient(c)
}

func createTopic(t *testing.T, topic string, partitions int32) {
	t.Helper()
	if _, err := admin(t).CreateTopic(withPatience(t), partitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

// numbered are n different values.
func numbered(prefix string, n int) []string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf("%s-%06d", prefix, i)
	}
	return values
}

// sameSet complains unless got holds every value of want once, in any order.
func sameSet(t *testing.T, got, want []string) {
	t.Helper()
	got, want = slices.Clone(got), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %d values, want %d%s", len(got), len(want), firstOdd(got, want))
	}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %d values, want %d%s", len(got), len(want), firstOdd(got, want))
	}
}

func firstOdd(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("; at %d nothing instead of %q", i, want[i])
		case i >= len(want):
			return fmt.Sprintf("; at %d %q instead of nothing", i, got[i])
		case got[i] != want[i]:
			return fmt.Sprintf("; at %d %q instead of %q", i, got[i], want[i])
		}
	}
	return ""
}

func lines(s string) []string {
	s = strings.TrimSuffix(s, "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// waitUntil polls what other processes and goroutines bring about.
func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", patience, what)
		}
	}
}
