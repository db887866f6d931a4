package verifier

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
	"github.com/ottla/ottla/integration/results"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Number reads a whole number from the environment.
func Number(t testing.TB, name string, otherwise int) int {
	t.Helper()
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

// Cycles is how many crashes a test makes: OTTLA_CRASH_CYCLES, or the number that every run of the tests has time for.
func Cycles(t testing.TB, otherwise int) int { return Number(t, "OTTLA_CRASH_CYCLES", otherwise) }

// Seed is what makes a run's choices: OTTLA_SEED, or one that is new. Random is made of it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(Number(t, "OTTLA_SEED", int(time.Now().UnixNano()&0xffffff)))
	t.Logf("OTTLA_SEED=%d", seed)
	return seed
}

// Random is a source of choices of its own for each part of a run.
func Random(seed uint64, part int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(part))) }

// lifeCycles is how many crashes one data directory sees: then it is read whole, and a new one is begun.
const lifeCycles = 50

// Loop is a broker under load that is crashed again and again.
type Loop struct {
	Row     int // of the results
	Cycles  int
	Seed    uint64
	Work    Work
	Between func(r *rand.Rand) time.Duration // from the load's, or the last restart's, beginning to the crash; nil: 50 to 800 ms
	// Open makes a broker with a data directory of its own, for as many crashes as it is told.
	Open func(t *testing.T) *launch.Broker
	// Crash ends the broker's process in any way.
	Crash func(t *testing.T, b *launch.Broker)
	// Restarted looks at the broker that has come back; may be nil.
	Restarted func(t *testing.T, b *launch.Broker)
}

// Run runs the loop. What it finds fails the test.
func (l Loop) Run(t *testing.T) {
	counters := results.Begin(t, l.Row, l.Seed)
	var figures figures
	for life := 0; life*lifeCycles < l.Cycles; life++ {
		t.Run(fmt.Sprint("life", life), func(t *testing.T) {
			acked := l.live(t, Random(l.Seed, life), min(lifeCycles, l.Cycles-life*lifeCycles), counters, &figures)
			counters.Count(0, acked)
		})
		if t.Failed() {
			t.Fatalf("again: OTTLA_SEED=%d OTTLA_CRASH_CYCLES=%d go test -v -run '%s$'", l.Seed, l.Cycles, t.Name())
		}
	}
	t.Logf("FIGURE %d crashes, %s", l.Cycles, &figures)
}

type figures struct {
	acked, read, reread int64
	restarts, serving   []time.Duration
}

func (f *figures) String() string {
	return fmt.Sprintf("%d records acknowledged, %d read by the group, %d of them again; from exec to the first answer %s, until committed offsets and topics are right %s",
		f.acked, f.read, f.reread, spread(f.restarts), spread(f.serving))
}

func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "never"
	}
	slices.Sort(times)
	return fmt.Sprintf("%v (median) to %v (worst)", times[len(times)/2].Round(100*time.Microsecond), times[len(times)-1].Round(100*time.Microsecond))
}

// live is one data directory's life.
func (l Loop) live(t *testing.T, random *rand.Rand, cycles int, counters *results.Run, f *figures) (acked int64) {
	b := l.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(cycles)*20*time.Second+3*time.Minute)
	defer cancel()
	check := func(broken []string) {
		t.Helper()
		if len(broken) > 0 {
			if keep := os.Getenv("OTTLA_KEEP"); keep != "" { // the data directory, to be looked at
				os.CopyFS(keep, os.DirFS(b.DataDir))
			}
			counters.Fail(l.Seed, broken[0])
			t.Fatalf("%q", broken)
		}
	}
	admin := kadm.NewClient(Client(t, b.Bootstrap))
	if err := l.Work.Create(ctx, admin); err != nil {
		t.Fatal(err)
	}
	h := NewHistory(l.Work)
	load := Start(t, b.Bootstrap, l.Work, h)
	l.settle(t, h)
	for range cycles {
		between := time.Duration(50+random.IntN(750)) * time.Millisecond
		if l.Between != nil {
			between = l.Between(random)
		}
		time.Sleep(between) // when the crash comes is the test's input
		l.Crash(t, b)
		promised := h.Promises()
		begin := time.Now()
		took, err := b.Restart()
		if err != nil {
			check([]string{err.Error()})
		}
		if l.Restarted != nil {
			l.Restarted(t, b)
		}
		check(h.CheckPromises(ctx, admin, promised))
		f.restarts, f.serving = append(f.restarts, took), append(f.serving, time.Since(begin))
		counters.Count(1, 0)
	}
	load.Stop()
	check(h.Check(ReadAll(t, ctx, b.Bootstrap, l.Work.all()...)))
	if err := b.Stop(); err != nil {
		check([]string{err.Error()})
	}
	check(CheckFiles(b.DataDir))
	acked = h.Acked()
	if acked < int64(50*cycles) || l.Work.Members > 0 && (len(h.delivered) == 0 || len(h.committed) < l.partitions()) {
		t.Errorf("too little happened for this to be a test: %d acknowledged, %d read, %d partitions committed", acked, len(h.delivered), len(h.committed))
	}
	f.acked, f.read, f.reread = f.acked+acked, f.read+int64(len(h.delivered)), f.reread+int64(h.reread)
	return acked
}

func (l Loop) partitions() int { return int(l.Work.Partitions) * len(l.Work.Topics) }

// settle waits until the group has committed in every partition: from then on a crash can take commits back.
func (l Loop) settle(t *testing.T, h *History) {
	t.Helper()
	want := l.partitions()
	if l.Work.Members == 0 {
		return
	}
	for end := time.Now().Add(time.Minute); len(h.Promises().commits) < want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after a minute the group has committed in %d of %d partitions", len(h.Promises().commits), want)
		}
	}
}
