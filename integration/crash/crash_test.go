package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
)

// number reads a whole number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, text, err)
	}
	return n
}

// SIGKILL leaves the page cache as it is: neither mode may lose anything that was acknowledged.
func TestKillWithFsync(t *testing.T)     { killLoop(t, "fsync") }
func TestKillWithPageCache(t *testing.T) { killLoop(t, "pagecache") }

func killLoop(t *testing.T, durability string) {
	cycles := number(t, "OTTLA_CRASH_CYCLES", 30)
	seed := number(t, "OTTLA_SEED", int(time.Now().UnixNano()&0xffffff))
	again := fmt.Sprintf("OTTLA_SEED=%d OTTLA_CRASH_CYCLES=%d go test ./integration/crash -run '%s$' -v", seed, cycles, t.Name())
	t.Log(again)
	random := rand.New(rand.NewPCG(uint64(seed), 0))

	b := launch.Start(t, launch.Options{Set: map[string]string{
		"log.durability":                   durability,
		"log.segment.bytes":                "4194304", // some rolls in every run
		"log.index.interval.bytes":         "2000",
		"group.initial.rebalance.delay.ms": "0",
	}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(cycles)*20*time.Second+3*time.Minute)
	defer cancel()
	admin := kadm.NewClient(client(t, b.Bootstrap))
	if _, err := admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	h := newHistory()
	l := startLoad(t, b.Bootstrap, h)
	for end := time.Now().Add(time.Minute); len(h.promisedCommits()) < partitions; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after a minute the group has committed in %d of %d partitions", len(h.promisedCommits()), partitions)
		}
	}
	var restarts, serving []time.Duration
	for range cycles {
		time.Sleep(time.Duration(50+random.IntN(750)) * time.Millisecond) // when the crash comes is the test's input
		b.Kill()
		promised := h.promisedCommits()
		took, err := b.Restart()
		if err != nil {
			t.Fatal(err)
		}
		restarts = append(restarts, took)
		begin := time.Now()
		if broken := checkCommits(ctx, admin, promised); len(broken) > 0 {
			t.Fatalf("%q\nagain: %s", broken, again)
		}
		serving = append(serving, took+time.Since(begin))
	}
	l.stop()
	logs := readAll(t, ctx, b.Bootstrap, admin)
	if broken := h.check(logs); len(broken) > 0 {
		t.Fatalf("%q\nagain: %s", broken, again)
	}
	acked := 0
	for _, offsets := range h.acked {
		acked += len(offsets)
	}
	if acked < 100*cycles || len(h.delivered) == 0 || len(h.committed) < partitions {
		t.Errorf("too little happened for this to be a test: %d acknowledged, %d read, %d partitions committed", acked, len(h.delivered), len(h.committed))
	}
	t.Logf("FIGURE %s: %d kills, %d records acknowledged, %d read by the group, %d of them again; from exec to the first answer %s, until committed offsets are served %s",
		durability, cycles, acked, len(h.delivered), h.reread, spread(restarts), spread(serving))
}

func spread(times []time.Duration) string {
	slices.Sort(times)
	return fmt.Sprintf("%v (median) to %v (worst)", times[len(times)/2].Round(100*time.Microsecond), times[len(times)-1].Round(100*time.Microsecond))
}
