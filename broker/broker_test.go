package broker

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/config"
)

// open starts a broker on a free port of localhost and ends it with the test.
func open(t *testing.T, dir string, set map[config.Key]string) *Broker {
	t.Helper()
	b, err := openIn(t, dir, set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, b) })
	return b
}

func openIn(t *testing.T, dir string, set map[config.Key]string) (*Broker, error) {
	t.Helper()
	return Open(Options{Config: configOf(t, dir, set), Log: logTo(t)})
}

func logTo(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func configOf(t *testing.T, dir string, set map[config.Key]string) *config.Broker {
	t.Helper()
	static := map[config.Key]string{
		config.Listeners: "PLAINTEXT://localhost:0", config.LogDirs: dir, config.GroupInitialRebalanceDelayMs: "0",
	}
	for k, v := range set {
		static[k] = v
	}
	c, err := config.New(static)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stop(t *testing.T, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	seed := b.Addresses()["PLAINTEXT"][0].String()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(seed), kgo.DefaultProduceTopic("t")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func produce(t *testing.T, cl *kgo.Client, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, kgo.StringRecord(fmt.Sprint("value ", i)))
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume polls until n records came and returns their values.
func consume(t *testing.T, cl *kgo.Client, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(values), n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestProduceConsumeCommitRestart(t *testing.T) {
	for _, durability := range []string{"fsync", "pagecache"} {
		t.Run(durability, func(t *testing.T) {
			dir := t.TempDir()
			set := map[config.Key]string{config.LogDurability: durability}
			b, err := openIn(t, dir, set)
			if err != nil {
				t.Fatal(err)
			}
			cl := client(t, b, kgo.AllowAutoTopicCreation(), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
			produce(t, cl, 0, 100)
			consume(t, cl, 100)
			if err := cl.CommitUncommittedOffsets(context.Background()); err != nil {
				t.Fatal(err)
			}
			produce(t, cl, 100, 150)
			cl.Close()
			id := b.ClusterID()
			stop(t, b)

			b = open(t, dir, set)
			if b.ClusterID() != id {
				t.Errorf("cluster id %s after a restart, was %s", b.ClusterID(), id)
			}
			cl = client(t, b, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
			values := consume(t, cl, 50)
			if len(values) != 50 || values[0] != "value 100" || values[49] != "value 149" {
				t.Errorf("resumed with %d records, first %q, last %q", len(values), values[0], values[len(values)-1])
			}
		})
	}
}

func TestMetricsTellOfTheStore(t *testing.T) {
	registry := prometheus.NewRegistry()
	c, err := config.New(map[config.Key]string{config.Listeners: "PLAINTEXT://localhost:0", config.LogDirs: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(Options{Config: c, Log: slog.New(slog.DiscardHandler), Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, b) })
	produce(t, client(t, b, kgo.AllowAutoTopicCreation()), 0, 10)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetHelp() == "" {
			t.Errorf("%s has no sentence", f.GetName())
		}
		for _, m := range f.GetMetric() {
			got[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for _, name := range []string{"ottla_partitions", "ottla_log_bytes", "ottla_log_flush_seconds", "ottla_requests_total", "ottla_connections", "ottla_sent_bytes_total", "ottla_received_bytes_total"} {
		if got[name] == 0 {
			t.Errorf("%s is 0 after records were produced", name)
		}
	}
	if got["ottla_offline_partitions"] != 0 {
		t.Errorf("%v partitions are offline", got["ottla_offline_partitions"])
	}
}

func TestAdminSeesWhatWasCreated(t *testing.T) {
	b := open(t, t.TempDir(), nil)
	adm := kadm.NewClient(client(t, b))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := adm.CreateTopic(ctx, 3, 1, map[string]*string{"retention.ms": kadm.StringPtr("1000")}, "made"); err != nil {
		t.Fatal(err)
	}
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(topics["made"].Partitions); got != 3 {
		t.Errorf("%d partitions, want 3", got)
	}
	if _, err := adm.DeleteTopic(ctx, "made"); err != nil {
		t.Fatal(err)
	}
	fresh := kadm.NewClient(client(t, b)) // the first one remembers
	if topics, err = fresh.ListTopics(ctx); err != nil || topics.Has("made") {
		t.Errorf("the topic is there after its deletion, or %v", err)
	}
}
