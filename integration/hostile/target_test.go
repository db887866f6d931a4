package hostile

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"math/rand/v2"
	"os"
	rdebug "runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/integration/launch"
)

// patience bounds what may take long only where something hangs.
const patience = 60 * time.Second

// long is true in a long run, on demand.
func long() bool { return os.Getenv("OTTLA_HOSTILE") == "long" }

// scale picks a count: for a run in CI, for one against a broker with -race, and for a long run.
func scale(ci, race, longRun int) int {
	switch {
	case raced():
		return race
	case long():
		return longRun
	}
	return ci
}

// raced reports whether the broker is built with -race.
func raced() bool {
	bin, err := launch.Binary()
	if err != nil {
		return false // starting it will say why
	}
	info, err := buildinfo.ReadFile(bin)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(info.Settings, func(s rdebug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

// target is the broker under attack.
type target struct {
	*launch.Broker
	t testing.TB
}

// attack starts a broker for a test. When the test ends no handler may have panicked, and the broker must still do all that
// a broker does, before and after a restart.
func attack(t *testing.T, set map[string]string) *target {
	t.Helper()
	if launch.Against() == "kafka" {
		t.Skip("these bounds are ours")
	}
	all := map[string]string{"group.initial.rebalance.delay.ms": "0", "log.durability": "pagecache"}
	for k, v := range set {
		all[k] = v
	}
	b := &target{launch.Start(t, launch.Options{Set: all}), t}
	t.Cleanup(b.examine)
	return b
}

func (b *target) examine() {
	if panics, ok := b.metric("ottla_handler_panics_total"); !ok || panics != 0 {
		b.t.Errorf("%v handlers panicked", panics)
	}
	b.works("before a restart")
	if b.t.Failed() {
		return
	}
	if err := b.Stop(); err != nil {
		b.t.Error(err)
		return
	}
	if _, err := b.Restart(); err != nil {
		b.t.Error(err)
		return
	}
	b.works("after a restart")
}

// works creates a topic, produces, consumes in a group and commits, as an ordinary client.
func (b *target) works(when string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	topic := fmt.Sprintf("works-%d", rand.Uint64())
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap), kgo.DefaultProduceTopic(topic), kgo.ConsumerGroup(topic),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		b.t.Error(err)
		return
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 2, 1, nil, topic); err != nil {
		b.t.Errorf("%s: create: %v", when, err)
		return
	}
	const n = 100
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = kgo.StringRecord(strconv.Itoa(i))
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		b.t.Errorf("%s: produce: %v", when, err)
		return
	}
	seen := map[string]int{}
	for len(seen) < n && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		b.t.Errorf("%s: commit: %v", when, err)
	}
	committed := int64(0)
	offsets, err := admin.FetchOffsets(ctx, topic)
	offsets.Each(func(o kadm.OffsetResponse) { committed += o.At })
	if err != nil || len(seen) != n || committed != n {
		b.t.Errorf("%s: %d of %d records read, %d committed, %v", when, len(seen), n, committed, err)
	}
}

// create makes a topic.
func (b *target) create(name string, partitions int32, configs map[string]string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	values := map[string]*string{}
	for k, v := range configs {
		values[k] = &v
	}
	if _, err := kadm.NewClient(client).CreateTopic(ctx, partitions, 1, values, name); err != nil {
		b.t.Fatal(err)
	}
}

// seeded is the test's randomness, with the line that runs it again.
func seeded(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	seed := uint64(time.Now().UnixNano() & 0xffffff)
	if text := os.Getenv("OTTLA_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("again: OTTLA_SEED=%d go test ./integration/hostile -run '^%s$' -v", seed, t.Name())
	return rand.New(rand.NewPCG(seed, 0)), seed
}
