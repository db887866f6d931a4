package quorum

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
)

const testDir = "/data"

// testNow is a time in whole milliseconds.
func testNow() time.Time { return time.UnixMilli(1_700_000_000_123) }

// newMem is an empty file system with a data directory that a power cut leaves.
func newMem() *vfs.Mem {
	m := vfs.NewMem(nil)
	m.MkdirAll(testDir, 0o755)
	m.SyncDir("/")
	return m
}

// node is a quorum of one on a file system, with its store.
type node struct {
	*Quorum
	store *logstore.Store
}

func openNode(fsys vfs.FS, change ...func(*Options)) (*node, error) {
	store, err := logstore.Open(testDir, logstore.Options{FS: fsys, NodeID: 1})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := Options{Store: store, FS: fsys, NodeID: 1, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	q, err := Open(ctx, o)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &node{q, store}, nil
}

func mustOpen(t testing.TB, fsys vfs.FS) *node {
	t.Helper()
	n, err := openNode(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// end closes both, in the order in which a broker does.
func (n *node) end() error { return errors.Join(n.Close(), n.store.Close()) }

// start registers the broker.
func (n *node) start() (*cluster.Image, error) {
	return n.Propose(context.Background(), func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return i.StartBroker(cluster.Registration{ID: 1, LogDirs: [][16]byte{{1}}})
	})
}

// create creates a topic.
func (n *node) create(name string, partitions int32) error {
	_, err := n.Propose(context.Background(), creating(name, partitions))
	return err
}

func creating(name string, partitions int32) Decide {
	return func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		r := rand.New(rand.NewPCG(uint64(i.Offset()), uint64(i.TopicCount())))
		records, created := i.CreateTopics([]cluster.NewTopic{{Name: name, Partitions: partitions, ReplicationFactor: 1}},
			cluster.Creation{Rand: r})
		return records, created[0].Err
	}
}

// topics lists the topics of an image.
func topics(i *cluster.Image) []string {
	names := []string{}
	for t := range i.Topics() {
		names = append(names, t.Name)
	}
	return names
}

// TestRestart: what was acknowledged is there after a clean stop, after a kill and after a power cut, and every start
// begins a new leader epoch.
func TestRestart(t *testing.T) {
	for name, again := range map[string]func(*vfs.Mem, *node) vfs.FS{
		"clean": func(m *vfs.Mem, n *node) vfs.FS {
			if err := n.end(); err != nil {
				t.Error(err)
			}
			return m
		},
		"kill":  func(m *vfs.Mem, n *node) vfs.FS { defer n.end(); return m.KillClone() },
		"power": func(m *vfs.Mem, n *node) vfs.FS { defer n.end(); return m.CrashClone(rand.New(rand.NewPCG(1, 1)), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			var fsys vfs.FS = newMem()
			var want []string
			epoch := int32(-1)
			for life := range 4 {
				n := mustOpen(t, fsys)
				image, err := n.start()
				if err != nil {
					t.Fatal(err)
				}
				if got := topics(image); !slices.Equal(got, want) {
					t.Fatalf("life %d: topics %v, want %v", life, got, want)
				}
				if p := image.Partition("t0", 0); p != nil && p.LeaderEpoch <= epoch {
					t.Errorf("life %d: leader epoch %d after %d", life, p.LeaderEpoch, epoch)
				}
				topic := fmt.Sprintf("t%d", life)
				if err := n.create(topic, 2); err != nil {
					t.Fatal(err)
				}
				want = append(want, topic)
				epoch = n.Image().Partition("t0", 0).LeaderEpoch
				if err := n.create(topic, 2); protocol.CodeOf(err) != protocol.TopicAlreadyExists {
					t.Errorf("created twice: %v", err)
				}
				if n.Leader() != 1 || n.Term() != int32(life+1)+1 && life == 0 {
					t.Errorf("leader %d term %d", n.Leader(), n.Term())
				}
				mem, _ := fsys.(*vfs.Mem)
				fsys = again(mem, n)
			}
		})
	}
}

// TestOrder: proposals that come at once are decided one after the other, each on what the one before left; and the
// subscribers hear of every change before its proposer does, in order, without a gap.
func TestOrder(t *testing.T) {
	n := mustOpen(t, newMem())
	defer n.end()
	if _, err := n.start(); err != nil {
		t.Fatal(err)
	}
	type change struct{ before, after int64 }
	var heard []change
	heardTopics := map[string]bool{}
	first := true
	n.Subscribe(func(i *cluster.Image, d *cluster.Delta) {
		if first && (len(d.Brokers) != 1 || d.Before.Offset() != -1) {
			t.Errorf("the first call does not tell all: %+v", d)
		}
		first = false
		heard = append(heard, change{d.Before.Offset(), d.After.Offset()})
		for _, topic := range d.Created {
			heardTopics[topic.Name] = true
		}
	})
	const proposers, each = 8, 20
	var all sync.WaitGroup
	for p := range proposers {
		all.Go(func() {
			for k := range each {
				name := fmt.Sprintf("p%d-%d", p, k)
				next := int64(-1)
				image, err := n.Propose(context.Background(), func(i *cluster.Image, now time.Time) ([]cluster.Record, error) {
					records, err := creating(name, 1)(i, now)
					next = i.NextProducerID() + 1 // a counter that every proposal moves on
					return append(records, &record.ProducerIdsRecord{NextProducerID: next}), err
				})
				if err != nil || image.Topic(name) == nil || image.NextProducerID() < next {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	all.Wait()
	image := n.Image()
	if image.NextProducerID() != proposers*each || image.TopicCount() != proposers*each || len(heardTopics) != proposers*each {
		t.Errorf("counter %d, %d topics, %d heard of", image.NextProducerID(), image.TopicCount(), len(heardTopics))
	}
	for n, c := range heard[1:] {
		if c.before != heard[n].after {
			t.Errorf("change %d goes from offset %d, the one before ended at %d", n+1, c.before, heard[n].after)
		}
	}
	if len(heard) >= proposers*each {
		t.Logf("no entry took more than one proposal: %d entries", len(heard))
	}
}

// TestRefusals: an error of the decider is returned as it is and appends nothing; so does one that contradicts the image;
// and a proposer that has left is not decided for.
func TestRefusals(t *testing.T) {
	n := mustOpen(t, newMem())
	defer n.end()
	if _, err := n.start(); err != nil {
		t.Fatal(err)
	}
	before := n.Image()
	no := errors.New("no")
	if _, err := n.Propose(context.Background(), func(*cluster.Image, time.Time) ([]cluster.Record, error) {
		return cluster.Bootstrap(), no
	}); err != no {
		t.Errorf("got %v", err)
	}
	if _, err := n.Propose(context.Background(), func(*cluster.Image, time.Time) ([]cluster.Record, error) {
		return []cluster.Record{&record.RemoveTopicRecord{TopicID: [16]byte{7}}}, nil
	}); protocol.CodeOf(err) != protocol.UnknownServerError {
		t.Errorf("got %v", err)
	}
	if image, err := n.Propose(context.Background(), nothing); err != nil || image != before {
		t.Errorf("no records: image %p, was %p: %v", image, before, err)
	}

	inside, leave := make(chan struct{}), make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		n.Propose(context.Background(), func(*cluster.Image, time.Time) ([]cluster.Record, error) {
			close(inside)
			<-leave
			return nil, nil
		})
	})
	<-inside
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ran := false
	_, err := n.Propose(ctx, func(*cluster.Image, time.Time) ([]cluster.Record, error) { ran = true; return nil, nil })
	close(leave)
	others.Wait()
	if protocol.CodeOf(err) != protocol.RequestTimedOut {
		t.Errorf("left: %v", err)
	}
	if _, err := n.Propose(context.Background(), nothing); err != nil || ran {
		t.Errorf("decided for a proposer that has left (%v)", err)
	}
}

// TestBig: a topic of 10,000 partitions is one entry; a start that begins their leader epochs is one too.
func TestBig(t *testing.T) {
	mem := newMem()
	n := mustOpen(t, mem)
	n.start()
	last, _ := n.logs.LastIndex()
	if err := n.create("big", 10_000); err != nil {
		t.Fatal(err)
	}
	if after, _ := n.logs.LastIndex(); after != last+1 {
		t.Errorf("%d entries for one topic", after-last)
	}
	n.end()
	n = mustOpen(t, mem)
	defer n.end()
	last, _ = n.logs.LastIndex()
	if image, err := n.start(); err != nil || image.Partition("big", 9999).LeaderEpoch != 1 {
		t.Error("no new leader epoch", err)
	}
	if after, _ := n.logs.LastIndex(); after != last+1 {
		t.Errorf("%d entries for one start", after-last)
	}
}

// TestStale: an entry that was decided on another state than the one before it is dropped, and told so.
func TestStale(t *testing.T) {
	var m machine
	m.image.Store(cluster.Empty())
	m.due = make(chan struct{}, 1)
	apply := func(index uint64, after int64) error {
		e := entry{after: after, records: []cluster.Record{&record.ProducerIdsRecord{NextProducerID: int64(index)}}}
		err, _ := m.Apply(&raft.Log{Index: index, Term: 1, Data: e.encode()}).(error)
		return err
	}
	for _, c := range []struct {
		index uint64
		after int64
		want  error
	}{{3, -1, nil}, {4, -1, errStale}, {5, 3, nil}, {7, 3, errStale}, {8, 7, errStale}, {9, 5, nil}} {
		if err := apply(c.index, c.after); err != c.want {
			t.Errorf("entry %d after %d: %v, want %v", c.index, c.after, err, c.want)
		}
	}
	if got := m.image.Load(); got.Offset() != 9 || got.NextProducerID() != 9 {
		t.Errorf("ended at offset %d, counter %d", got.Offset(), got.NextProducerID())
	}
	m.Apply(&raft.Log{Index: 10, Term: 1, Data: []byte("garbage that is no entry")})
	if m.failure() == nil || apply(11, 9) == nil {
		t.Error("goes on after an entry that it cannot apply")
	}
}

// TestSnapshot: when the log has grown it is replaced by a snapshot, from which a start gives the same image.
func TestSnapshot(t *testing.T) {
	mem := newMem()
	n := mustOpen(t, mem)
	n.start()
	for k := range 6 {
		// 2,000 partitions are about 130 KB: two of these are a snapshot's worth at first.
		if err := n.create(fmt.Sprintf("t%d", k), 2000); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		t.Fatal(err)
	}
	want := n.Image()
	n.end()
	names := fileNames(t, mem, ".image")
	if len(names) != 1 {
		t.Fatalf("snapshots %v, want one", names)
	}
	n = mustOpen(t, mem)
	defer n.end()
	if d := cluster.Difference(want, n.Image()); len(d.Created)+len(d.Deleted)+len(d.Changed)+len(d.Configs)+len(d.Brokers) > 0 {
		t.Errorf("after the start it differs: %+v", d)
	}
	if n.Image().Offset() != want.Offset() {
		t.Errorf("offset %d, want %d", n.Image().Offset(), want.Offset())
	}
}

// TestTruncation: entries that a snapshot holds go, but for the trailing ones, and the log stays contiguous.
func TestTruncation(t *testing.T) {
	mem := newMem()
	n := mustOpen(t, mem)
	n.start()
	for k := range 2*trailingEntries + 100 {
		if _, err := n.Propose(context.Background(), func(*cluster.Image, time.Time) ([]cluster.Record, error) {
			return []cluster.Record{&record.ProducerIdsRecord{NextProducerID: int64(k + 1)}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	first, _ := n.logs.FirstIndex()
	last, _ := n.logs.LastIndex()
	if last-first != trailingEntries-1 {
		t.Errorf("entries %d to %d after a snapshot", first, last)
	}
	var l raft.Log
	if err := n.logs.GetLog(first-1, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("an entry that is gone: %v", err)
	}
	for index := first; index <= last; index++ {
		if err := n.logs.GetLog(index, &l); err != nil || l.Index != index {
			t.Fatalf("entry %d: %v", index, err)
		}
	}
	n.end()
	n = mustOpen(t, mem)
	defer n.end()
	if got := n.Image().NextProducerID(); got != 2*trailingEntries+100 {
		t.Errorf("counter %d after a start", got)
	}
}

// fileNames lists the files of the metadata log with an ending.
func fileNames(t testing.TB, fsys vfs.FS, ending string) []string {
	t.Helper()
	entries, err := fsys.ReadDir(testDir + "/__cluster_metadata-0")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ending) {
			names = append(names, testDir+"/__cluster_metadata-0/"+e.Name())
		}
	}
	return names
}

// TestStatus is what DescribeQuorum is told.
func TestStatus(t *testing.T) {
	n := mustOpen(t, newMem())
	defer n.end()
	n.start()
	s := n.Status()
	last, _ := n.logs.LastIndex()
	if s.Leader != 1 || s.Epoch != n.Term() || s.HighWatermark != int64(last)+1 || len(s.Voters) != 1 || len(s.Observers) != 0 {
		t.Errorf("%+v", s)
	}
	if v := s.Voters[0]; v.ID != 1 || v.LogEndOffset != int64(last)+1 || v.LastFetchMs <= 0 {
		t.Errorf("%+v", v)
	}
}

// TestClosed: a proposal to a quorum that is closed, or closing, ends; Close is idempotent.
func TestClosed(t *testing.T) {
	n := mustOpen(t, newMem())
	n.start()
	var all sync.WaitGroup
	for k := range 20 {
		all.Go(func() {
			for range 20 {
				if _, err := n.Propose(context.Background(), counting(k)); err != nil {
					if code := protocol.CodeOf(err); code != protocol.NotController && code != protocol.RequestTimedOut {
						t.Errorf("%v", err)
					}
					return
				}
			}
		})
	}
	if err := n.end(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if _, err := n.Propose(context.Background(), nothing); protocol.CodeOf(err) != protocol.NotController {
		t.Errorf("after the end: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
