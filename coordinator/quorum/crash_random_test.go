package quorum

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/integration/results"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// The random crash test does random things to the metadata log and takes the power away, or kills the process, before every
// operation on the disk. What is left must open as the state after some change that was asked for, none older than the last
// acknowledged one.
//
//	CRASHTEST_SEED=17 go test ./coordinator/quorum -run TestCrashAtEveryOperation
//
// CRASHTEST_POINTS and CRASHTEST_FROM are those of logstore; a twentieth of the points is made here.

// topicSizes is what the model knows: the number of partitions of each topic.
type topicSizes map[string]int

func sizesOf(i *cluster.Image) topicSizes {
	sizes := topicSizes{}
	for t := range i.Topics() {
		sizes[t.Name] = len(t.Partitions)
	}
	return sizes
}

// remains is a crash: what it left, and the states that it may have left.
type remains struct {
	what string
	left *vfs.Mem
	may  []topicSizes // from the last acknowledged state to the last one asked for
}

// life is a random one.
type life struct {
	rand *rand.Rand
	mem  *vfs.Mem
	fs   *errorfs.FS
	node *node

	mu      sync.Mutex   // guards what the hook reads, which is called from raft's goroutines too
	states  []topicSizes // after each change that was asked for
	acked   int          // the newest that was acknowledged
	doing   string
	crashes *rand.Rand
	remains []remains
}

func newLife(seed uint64) *life {
	l := &life{rand: rand.New(rand.NewPCG(seed, 1)), crashes: rand.New(rand.NewPCG(seed, 2)), states: []topicSizes{{}}}
	mem := newMem()
	if seed%4 == 3 {
		mem.ExposeStale()
	}
	l.on(mem)
	return l
}

// on goes on with a file system, and crashes before each operation on it.
func (l *life) on(mem *vfs.Mem) {
	l.mem, l.fs = mem, errorfs.New(mem)
	l.fs.OnOp(func(op errorfs.Op) {
		if !op.Changes() {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		r := remains{what: fmt.Sprintf("%s: before %v", l.doing, op), may: l.states[l.acked:len(l.states):len(l.states)]}
		if l.crashes.IntN(6) == 0 {
			r.left = mem.KillClone()
			r.what += ", kill"
		} else {
			percent := []int{0, 100, l.crashes.IntN(101)}[l.crashes.IntN(3)]
			r.left = mem.CrashClone(l.crashes, percent)
			r.what += fmt.Sprintf(", power cut at %d %%", percent)
		}
		l.remains = append(l.remains, r)
	})
}

func (l *life) set(doing string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doing = doing
}

func (l *life) open() (err error) {
	l.set("open")
	if l.node, err = openNode(l.fs); err == nil {
		_, err = l.node.start()
	}
	return err
}

// change asks for one that leads to a state.
func (l *life) change(doing string, to topicSizes, decide Decide) error {
	l.mu.Lock()
	l.doing = doing
	l.states = append(l.states, to)
	l.mu.Unlock()
	if _, err := l.node.Propose(context.Background(), decide); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	l.mu.Lock()
	l.acked = len(l.states) - 1
	l.mu.Unlock()
	return nil
}

// step does one random thing.
func (l *life) step(serial int) error {
	now := l.states[len(l.states)-1]
	to := maps.Clone(now)
	switch n := l.rand.IntN(20); {
	case n < 9 || len(now) == 0 && n < 15:
		name, partitions := fmt.Sprintf("topic-%d", serial), 1+l.rand.IntN(5)
		to[name] = partitions
		return l.change("create "+name, to, creating(name, int32(partitions)))
	case n < 12:
		name := l.anyOf(now)
		delete(to, name)
		return l.change("delete "+name, to, func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
			records, errs := i.DeleteTopics([]cluster.TopicID{i.Topic(name).ID})
			return records, errors.Join(errs...)
		})
	case n < 15:
		name := l.anyOf(now)
		to[name] += 1 + l.rand.IntN(2)
		return l.change("grow "+name, to, func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
			records, errs := i.CreatePartitions([]cluster.MorePartitions{{Topic: name, Count: int32(to[name])}}, rand.New(rand.NewPCG(1, 1)))
			return records, errors.Join(errs...)
		})
	case n < 17:
		l.set("snapshot")
		if err := l.node.raft.Snapshot().Error(); err != nil && len(l.states) > 1 {
			return fmt.Errorf("snapshot: %w", err)
		}
		return nil
	case n < 18:
		l.set("close")
		if err := l.node.end(); err != nil {
			return err
		}
		return l.open()
	default:
		return l.crash(n == 18)
	}
}

func (l *life) anyOf(t topicSizes) string {
	at := l.rand.IntN(len(t))
	for i := 0; ; i++ { // names are counted up: in their order, so that a seed is one life
		if name := fmt.Sprintf("topic-%d", i); t[name] > 0 {
			if at == 0 {
				return name
			}
			at--
		}
	}
}

// crash goes on with what a kill or a power cut leaves.
func (l *life) crash(kill bool) error {
	left := l.mem.KillClone()
	if !kill {
		left = l.mem.CrashClone(l.rand, l.rand.IntN(101))
	}
	l.fs.OnOp(nil)
	l.node.end()
	l.on(left)
	return l.open()
}

// check opens what a crash left. One in four is crashed again meanwhile.
func (r remains) check(random *rand.Rand) error {
	fs := errorfs.New(r.left)
	var again *vfs.Mem
	if random.IntN(4) == 0 {
		at := 1 + random.IntN(12)
		var mu sync.Mutex
		fs.OnOp(func(op errorfs.Op) {
			mu.Lock()
			defer mu.Unlock()
			if op.Changes() {
				if at--; at == 0 {
					again = r.left.CrashClone(random, random.IntN(101))
				}
			}
		})
	}
	if err := r.look(fs); err != nil {
		return err
	}
	fs.OnOp(nil)
	if again != nil {
		if err := r.look(again); err != nil {
			return fmt.Errorf("after another crash while it started: %w", err)
		}
	}
	return nil
}

// look opens and compares, and makes one more change.
func (r remains) look(fs vfs.FS) error {
	n, err := openNode(fs)
	if err != nil {
		return err
	}
	defer n.end()
	got, ok := sizesOf(n.Image()), false
	for _, may := range r.may {
		ok = ok || maps.Equal(got, may)
	}
	if !ok {
		return fmt.Errorf("topics %v, want one of %v", got, r.may)
	}
	if _, err := n.start(); err != nil {
		return fmt.Errorf("the broker does not start: %w", err)
	}
	if err := n.create("one-more", 1); err != nil {
		return fmt.Errorf("does not go on: %w", err)
	}
	return nil
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCrashAtEveryOperation(t *testing.T) {
	points, from := number(t, "CRASHTEST_POINTS", 10_000)/20, uint64(number(t, "CRASHTEST_FROM", 0))
	if one := os.Getenv("CRASHTEST_SEED"); one != "" {
		points, from = 1, uint64(number(t, "CRASHTEST_SEED", 0))
	}
	counters := results.Begin(t, 9)
	total, seed := 0, from
	for ; total < points; seed++ {
		fail := func(what string, l *life) {
			t.Helper()
			counters.Fail(seed, "metadata log: "+what)
			t.Fatalf("CRASHTEST_SEED=%d: %s\nstates: %v", seed, what, l.states)
		}
		l := newLife(seed)
		if err := l.open(); err != nil {
			fail(err.Error(), l)
		}
		for serial := range 25 {
			if err := l.step(serial); err != nil {
				fail(err.Error(), l)
			}
		}
		l.fs.OnOp(nil)
		if err := l.node.end(); err != nil {
			fail(err.Error(), l)
		}
		acked := int64(0)
		random := rand.New(rand.NewPCG(seed, 3))
		for i, r := range l.remains {
			if err := r.check(random); err != nil {
				fail(fmt.Sprintf("%v\ncrash %d of %d: %s", err, i, len(l.remains), r.what), l)
			}
			acked += int64(len(r.may[0]))
		}
		total += len(l.remains)
		counters.Seed(seed)
		counters.Count(int64(len(l.remains)), acked)
	}
	t.Logf("FIGURE %d crashes of the metadata log in memory, seeds %d to %d", total, from, seed-1)
}
