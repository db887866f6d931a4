package quorum

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// workload creates topics one after the other, with a snapshot and a restart among them, and keeps what was asked for and
// what was acknowledged.
type workload struct {
	mu            sync.Mutex // guards the lists: crashes look at them from other goroutines
	issued, acked []string
}

func (w *workload) lists() (issued, acked []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.issued), slices.Clone(w.acked)
}

// run returns the first error, and whether the node could be opened at all.
func (w *workload) run(fsys vfs.FS) error {
	for life := range 2 {
		n, err := openNode(fsys)
		if err != nil {
			return err
		}
		if err := w.live(n, life); err != nil {
			n.end()
			return err
		}
		if err := n.end(); err != nil {
			return err
		}
	}
	return nil
}

func (w *workload) live(n *node, life int) error {
	if _, err := n.start(); err != nil {
		return err
	}
	for k := range 4 {
		name := fmt.Sprintf("topic-%d-%d", life, k)
		w.mu.Lock()
		w.issued = append(w.issued, name)
		w.mu.Unlock()
		if err := n.create(name, 3); err != nil {
			return err
		}
		w.mu.Lock()
		w.acked = append(w.acked, name)
		w.mu.Unlock()
		if k == 1 {
			if err := n.raft.Snapshot().Error(); err != nil {
				return err
			}
		}
	}
	return nil
}

// check opens what a crash left and looks whether it has all that was acknowledged, whole, and nothing that was not asked
// for, in the order in which it was.
func (w *workload) check(t *testing.T, what string, left vfs.FS, issued, acked []string) {
	t.Helper()
	n, err := openNode(left)
	if err != nil {
		t.Fatalf("%s: does not start: %v", what, err)
	}
	defer n.end()
	got := topics(n.Image())
	if len(got) < len(acked) || len(got) > len(issued) || !slices.Equal(got, issued[:len(got)]) {
		t.Fatalf("%s: topics %v, acknowledged %v, asked for %v", what, got, acked, issued)
	}
	for _, name := range got {
		if len(n.Image().Topic(name).Partitions) != 3 {
			t.Fatalf("%s: %s is not whole", what, name)
		}
	}
	if _, err := n.start(); err != nil {
		t.Fatalf("%s: the broker does not start: %v", what, err)
	}
	if err := n.create("one-more", 1); err != nil {
		t.Fatalf("%s: does not go on: %v", what, err)
	}
}

// TestPowerCut cuts the power before every operation on the disk: what was acknowledged survives.
func TestPowerCut(t *testing.T) {
	mem := newMem()
	fsys := errorfs.New(mem)
	var w workload
	type crash struct {
		what          string
		left          *vfs.Mem
		issued, acked []string
	}
	var mu sync.Mutex
	var crashes []crash
	fsys.OnOp(func(op errorfs.Op) {
		if !op.Changes() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		issued, acked := w.lists()
		for _, percent := range []int{0, 50, 100} {
			seed := uint64(len(crashes))
			crashes = append(crashes, crash{fmt.Sprintf("before %v, %d%%, seed %d", op, percent, seed),
				mem.CrashClone(rand.New(rand.NewPCG(seed, 0)), percent), issued, acked})
		}
	})
	if err := w.run(fsys); err != nil {
		t.Fatal(err)
	}
	fsys.OnOp(nil)
	if len(crashes) < 100 {
		t.Errorf("only %d crashes", len(crashes))
	}
	for _, c := range crashes {
		w.check(t, c.what, c.left, c.issued, c.acked)
	}
	t.Logf("%d crashes", len(crashes))
}

// TestDiskErrors fails every operation on the disk in turn, once: what was acknowledged before and after is there when the
// node starts again, and after a write or sync of the log failed nothing is acknowledged.
func TestDiskErrors(t *testing.T) {
	for _, kind := range []string{"write of *.log", "sync of *.log", "write of quorum-state.tmp", "sync of quorum-state.tmp",
		"rename of quorum-state", "syncdir of *", "write of *.image.tmp", "sync of *.image.tmp", "rename of *.image"} {
		failed := 0
		for n := 1; ; n++ {
			mem := newMem()
			rule := fmt.Sprintf("%s #%d -> EIO", kind, n)
			fsys := errorfs.New(mem, rule)
			var w workload
			err := w.run(fsys)
			if len(fsys.Fired()) == 0 {
				break // there is no nth operation of that kind
			}
			if err != nil {
				failed++
			}
			issued, acked := w.lists()
			w.check(t, rule+" and a power cut", mem.CrashClone(rand.New(rand.NewPCG(uint64(n), 1)), 50), issued, acked)
			w.check(t, rule+" and a kill", mem.KillClone(), issued, acked)
		}
		if failed == 0 {
			t.Errorf("%s: no failure was ever told", kind)
		}
	}
}

// TestSyncFails: after one failed sync of the log every proposal is answered with a storage error until a restart, though
// the disk is well again: raft would step down, elect itself and go on.
func TestSyncFails(t *testing.T) {
	mem := newMem()
	fsys := errorfs.New(mem)
	n := mustOpen(t, fsys)
	n.start()
	if err := n.create("before", 1); err != nil {
		t.Fatal(err)
	}
	fsys.Add("sync of *.log #1 -> EIO")
	for k := range 3 {
		if err := n.create(fmt.Sprint("after", k), 1); protocol.CodeOf(err) != protocol.KafkaStorageError {
			t.Errorf("proposal %d after a failed sync: %v", k, err)
		}
	}
	if n.Err() == nil || !slices.Equal(topics(n.Image()), []string{"before"}) {
		t.Errorf("%v, topics %v", n.Err(), topics(n.Image()))
	}
	left := mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	n.end()
	n = mustOpen(t, left)
	defer n.end()
	if got := topics(n.Image()); !slices.Equal(got, []string{"before"}) {
		t.Errorf("after a power cut: %v", got)
	}
}

// TestDiskFull: while the disk is full changes are refused, as a storage error, and nothing else happens; when there is
// space again they are made, without a restart.
func TestDiskFull(t *testing.T) {
	mem := newMem()
	n := mustOpen(t, mem)
	n.start()
	total, available, _ := mem.DiskUsage(testDir)
	mem.SetCapacity(int64(total-available) + 2000)
	made := 0
	var err error
	for ; err == nil && made < 100; made++ {
		err = n.create(fmt.Sprintf("topic-%03d", made), 10)
	}
	made--
	if protocol.CodeOf(err) != protocol.KafkaStorageError || n.Err() != nil {
		t.Fatalf("%d topics made, then %v (%v)", made, err, n.Err())
	}
	mem.SetCapacity(1 << 30)
	// The node has stepped down and elects itself again: the proposal waits for that.
	if err := n.create("space-again", 10); err != nil {
		t.Fatal(err)
	}
	want := made + 1
	if n.Image().TopicCount() != want {
		t.Errorf("%d topics, want %d", n.Image().TopicCount(), want)
	}
	n.end()
	n = mustOpen(t, mem)
	defer n.end()
	if n.Image().TopicCount() != want {
		t.Errorf("after a restart: %d topics, want %d", n.Image().TopicCount(), want)
	}
}
