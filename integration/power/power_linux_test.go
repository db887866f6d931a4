package power

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/results"
	"github.com/ottla/ottla/integration/verifier"
	"github.com/twmb/franz-go/pkg/kadm"
)

// start starts a broker with its data on a disk.
func start(t *testing.T, d *disk, set map[string]string) *launch.Broker {
	t.Helper()
	all := map[string]string{
		"log.segment.bytes":                "4194304",
		"log.index.interval.bytes":         "2000",
		"log.segment.delete.delay.ms":      "1000",
		"group.initial.rebalance.delay.ms": "0",
		"log.durability":                   "fsync",
	}
	for name, value := range set {
		all[name] = value
	}
	return launch.Start(t, launch.Options{DataDir: d.dataDir(), Set: all})
}

// crash cuts the power, ends the process, and mounts what is left.
func crash(t *testing.T, d *disk, b *launch.Broker) {
	t.Helper()
	if err := freeze(b.PID()); err != nil {
		t.Fatal(err)
	}
	if err := d.cut(); err != nil {
		t.Fatal(err)
	}
	b.Kill()
	if err := d.boot(); err != nil {
		t.Fatal(err)
	}
}

// TestCutWithFsync: nothing acknowledged is lost.
func TestCutWithFsync(t *testing.T) { cutLoop(t, 5, 20, "", nil) }

// cutLoop cuts the power of a broker under load again and again.
func cutLoop(t *testing.T, row, cycles int, mount string, set map[string]string) {
	var d *disk
	verifier.Loop{
		Row: row, Cycles: verifier.Cycles(t, cycles), Seed: verifier.Seed(t), Work: verifier.Ordinary,
		Between: func(r *rand.Rand) time.Duration { return time.Duration(20+r.IntN(400)) * time.Millisecond },
		Open: func(t *testing.T) *launch.Broker {
			d = newDisk(t, mount)
			return start(t, d, set)
		},
		Crash: func(t *testing.T, b *launch.Broker) { crash(t, d, b) },
	}.Run(t)
}

// TestCutOnOtherMounts: how often ext4 commits by itself, and whether it orders data before names, changes nothing.
func TestCutOnOtherMounts(t *testing.T) {
	launch.Chaos(t)
	for _, commit := range []string{"commit=1", "commit=5", "commit=1000"} {
		for _, data := range []string{"data=ordered", "data=writeback"} {
			t.Run(commit+" "+data, func(t *testing.T) { cutLoop(t, 8, 20, commit+","+data, nil) })
		}
	}
}

// window is how long before a cut in page-cache mode a record must have been acknowledged to be there after it: the flush
// interval that is set, and the time that a sync may take on a busy machine.
const (
	flushMs = 100
	window  = 2 * time.Second
)

// TestCutWithPageCache: a cut takes the ends of logs, no more than the window, and leaves a prefix. That it takes something is
// what shows that the other tests could see it.
func TestCutWithPageCache(t *testing.T) {
	launch.Chaos(t)
	seed, cycles := verifier.Seed(t), verifier.Cycles(t, 20)
	counters := results.Begin(t, 6, seed)
	random := verifier.Random(seed, 0)
	work := verifier.Work{Topics: []string{"left", "right"}, Partitions: 4, Producers: 4}
	var lost, acked int64
	for cycle := range cycles {
		t.Run(fmt.Sprint(cycle), func(t *testing.T) {
			d := newDisk(t, "")
			b := start(t, d, map[string]string{"log.durability": "pagecache", "log.flush.interval.ms": fmt.Sprint(flushMs)})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			admin := kadm.NewClient(verifier.Client(t, b.Bootstrap))
			if err := work.Create(ctx, admin); err != nil {
				t.Fatal(err)
			}
			h := verifier.NewHistory(work)
			load := verifier.Start(t, b.Bootstrap, work, h)
			time.Sleep(window/2 + time.Duration(random.IntN(int(2*window)))) // when the cut comes is the test's input
			before := time.Now().Add(-window)
			crash(t, d, b)
			load.Abandon()
			if _, err := b.Restart(); err != nil {
				counters.Fail(seed, err.Error())
				t.Fatal(err)
			}
			gone, broken := h.CheckWindow(verifier.ReadAll(t, ctx, b.Bootstrap, work.Topics...), before)
			if len(broken) > 0 {
				counters.Fail(seed, broken[0])
				t.Fatalf("%q", broken)
			}
			lost, acked = lost+gone, acked+h.Acked()
			counters.Crash(h.Acked())
			counters.LossAllowed(gone)
		})
	}
	if lost == 0 {
		t.Errorf("%d cuts lost nothing at all: this cannot see loss", cycles)
	}
	t.Logf("FIGURE %d cuts, %d of %d acknowledged records lost, none older than %v", cycles, lost, acked, window)
}

// TestCutAfterTheAnswer cuts the power as soon as a topic's creation or deletion, or a commit, is acknowledged.
func TestCutAfterTheAnswer(t *testing.T) {
	seed, cycles := verifier.Seed(t), verifier.Cycles(t, 20)
	counters := results.Begin(t, 7, seed)
	random := verifier.Random(seed, 0)
	d := newDisk(t, "")
	b := start(t, d, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(cycles)*20*time.Second)
	defer cancel()
	client := verifier.Client(t, b.Bootstrap)
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 4, 1, nil, "committed"); err != nil {
		t.Fatal(err)
	}
	h := verifier.NewHistory(verifier.Work{})
	a := asker{admin: admin, history: h, random: random}
	for cycle := range cycles {
		what, err := a.ask(ctx, cycle)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		promised := h.Promises()
		crash(t, d, b)
		if _, err := b.Restart(); err != nil {
			counters.Fail(seed, err.Error())
			t.Fatal(err)
		}
		if broken := h.CheckPromises(ctx, admin, promised); len(broken) > 0 {
			counters.Fail(seed, broken[0])
			t.Fatalf("after %s: %q", what, broken)
		}
		counters.Crash(int64(cycle + 1))
	}
	if names, _ := filepath.Glob(filepath.Join(d.dataDir(), "*-delete")); len(names) > 2*cycles {
		t.Errorf("deleted partitions pile up: %d", len(names))
	}
}

// asker asks for one thing at a time.
type asker struct {
	admin   *kadm.Client
	history *verifier.History
	random  *rand.Rand
	topics  []string
	commits int64
}

func (a *asker) ask(ctx context.Context, cycle int) (what string, err error) {
	switch a.random.IntN(4) {
	case 0, 1:
		name := fmt.Sprintf("churn-%d", cycle)
		a.topics = append(a.topics, name)
		return "creation of " + name, verifier.CreateTopic(ctx, a.admin, name, int32(1+a.random.IntN(4)), a.history)
	case 2:
		if len(a.topics) > 0 {
			i := a.random.IntN(len(a.topics))
			name := a.topics[i]
			a.topics = append(a.topics[:i], a.topics[i+1:]...)
			return "deletion of " + name, verifier.DeleteTopic(ctx, a.admin, name, a.history)
		}
	}
	a.commits++
	p := verifier.Partition{Topic: "committed", ID: int32(a.random.IntN(4))}
	return "commit", verifier.Commit(ctx, a.admin, p, a.commits, a.history)
}
