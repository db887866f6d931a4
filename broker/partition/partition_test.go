package partition

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// world is a broker's partitions over a disk in memory, following an image that the test changes.
type world struct {
	*Set
	t      testing.TB
	mem    *vfs.Mem
	fs     *errorfs.FS
	store  *logstore.Store
	config *config.Broker
	image  *cluster.Image
	rand   *rand.Rand
	strays []string
	failed []string
	led    []string
}

const self = 1

func newWorld(t testing.TB, settings ...string) *world {
	return openWorld(t, vfs.NewMem(time.Now), cluster.Empty(), settings...)
}

func openWorld(t testing.TB, mem *vfs.Mem, image *cluster.Image, settings ...string) *world {
	t.Helper()
	w := &world{t: t, mem: mem, fs: errorfs.New(mem), image: image, rand: rand.New(rand.NewPCG(3, 4))}
	w.set(settings...)
	var err error
	if w.store, err = logstore.Open("data", logstore.Options{FS: w.fs, NodeID: self}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	w.Set = NewSet(Options{Store: w.store, NodeID: self, Config: func() *config.Broker { return w.config }, Events: Events{
		Led: func(p *Partition, epoch int32) {
			w.led = append(w.led, fmt.Sprintf("%s-%d@%d", p.Topic().Name, p.Index(), epoch))
		},
		Failed: func(tp logstore.TopicPartition, err error) { w.failed = append(w.failed, tp.String()) },
		Stray:  func(tp logstore.TopicPartition) { w.strays = append(w.strays, tp.String()) },
	}})
	all := &cluster.Delta{After: image}
	for topic := range image.Topics() {
		all.Created = append(all.Created, topic)
	}
	w.Apply(image, all)
	return w
}

func (w *world) set(settings ...string) {
	static := map[config.Key]string{}
	for i := 0; i < len(settings); i += 2 {
		static[config.Key(settings[i])] = settings[i+1]
	}
	c, err := config.New(static)
	if err != nil {
		w.t.Fatal(err)
	}
	w.config = c
}

// change applies one entry of the metadata log.
func (w *world) change(decide func(*cluster.Image) ([]cluster.Record, error)) {
	w.t.Helper()
	records, err := decide(w.image)
	if err != nil {
		w.t.Fatal(err)
	}
	next, delta, err := w.image.Apply(w.image.Offset()+1, 0, records)
	if err != nil {
		w.t.Fatal(err)
	}
	w.image = next
	w.Apply(next, delta)
}

func (w *world) register(ids ...int32) {
	w.t.Helper()
	for _, id := range ids {
		w.change(func(i *cluster.Image) ([]cluster.Record, error) {
			return i.StartBroker(cluster.Registration{ID: id, LogDirs: [][16]byte{{byte(id)}}})
		})
	}
}

// create makes a topic with one list of replicas a partition.
func (w *world) create(name string, replicas ...[]int32) cluster.TopicID {
	w.t.Helper()
	topic := cluster.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
	for i, r := range replicas {
		topic.Assignments = append(topic.Assignments, cluster.Assignment{Partition: int32(i), Replicas: r})
	}
	var id cluster.TopicID
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		records, made := i.CreateTopics([]cluster.NewTopic{topic}, cluster.Creation{Rand: w.rand})
		id = made[0].ID
		return records, made[0].Err
	})
	return id
}

func (w *world) delete(id cluster.TopicID) {
	w.t.Helper()
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		records, errs := i.DeleteTopics([]cluster.TopicID{id})
		return records, errs[0]
	})
}

func (w *world) configTopic(name, key, value string) {
	w.t.Helper()
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		return i.IncrementalAlterConfigs(cluster.Resource{Type: cluster.TopicResource, Name: name},
			[]cluster.ConfigChange{{Name: key, Value: &value}}, cluster.ConfigRules{
				Validate: func(cluster.Resource, map[string]string) error { return nil }})
	})
}

func (w *world) find(topic string, index int32) *Partition {
	w.t.Helper()
	p, err := w.Find(topic, index)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func batch(values ...string) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	for _, v := range values {
		b.Add(1000, nil, []byte(v))
	}
	return b.Batch()
}

func (w *world) produce(p *Partition, values ...string) Appended {
	w.t.Helper()
	a, err := p.Produce(batch(values...), true)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// waiter counts what its watches were told.
type waiter struct {
	mu    sync.Mutex
	told  int
	bytes int64
	err   error
	then  func(*Watch)
}

func (n *waiter) Notice(w *Watch) {
	n.mu.Lock()
	n.told++
	n.bytes, n.err = w.Bytes, w.Err
	n.mu.Unlock()
	if n.then != nil {
		n.then(w)
	}
}

// TestNoWakeUpIsLost appends from several goroutines while the flusher runs: whoever waits for his batch must be told,
// however the flush and the append's own accounting interleave.
func TestNoWakeUpIsLost(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 500 {
				a, err := p.Produce(batch("x"), true)
				if err != nil {
					t.Error(err)
					return
				}
				told := make(chan struct{})
				watch := Watch{Owner: &waiter{then: func(*Watch) { close(told) }}}
				if !p.Watch(&watch, HighWatermark, a.LastOffset+1, a.Epoch) {
					continue
				}
				select {
				case <-told:
				case <-time.After(10 * time.Second):
					t.Errorf("nobody told of offset %d; the high watermark is %d", a.LastOffset, p.Committed())
					return
				}
			}
		})
	}
	writers.Wait()
}

// TestWatchModel holds watches against a dumb twin: each fires once, exactly when its mark comes, with the bytes passed
// since it was armed.
func TestWatchModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, "log.durability", "pagecache")
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	type armed struct {
		watch  Watch
		waiter waiter
		at     int64
		bytes  int64 // passed when armed
		left   bool
	}
	var all []*armed
	passed := int64(0)
	for step := range 5000 {
		switch rnd.IntN(3) {
		case 0:
			b := batch(make([]string, 1+rnd.IntN(3))...)
			passed += int64(len(b))
			before := p.Committed()
			if _, err := p.Produce(b, true); err != nil {
				t.Fatal(err)
			}
			for _, a := range all {
				fires := !a.left && a.at > before && a.at <= p.Committed()
				if fires && (a.waiter.told != 1 || a.waiter.bytes != passed-a.bytes || a.waiter.err != nil) {
					t.Fatalf("step %d: at %d of %d: told %d times of %d bytes, want %d", step, a.at, p.Committed(), a.waiter.told, a.waiter.bytes, passed-a.bytes)
				}
			}
		case 1:
			a := &armed{at: p.Committed() + int64(rnd.IntN(6)), bytes: passed}
			a.watch.Owner = &a.waiter
			if p.Watch(&a.watch, HighWatermark, a.at, 0) != (a.at > p.Committed()) {
				t.Fatalf("step %d: armed at %d of %d", step, a.at, p.Committed())
			}
			all = append(all, a)
		default:
			if len(all) == 0 {
				continue
			}
			a := all[rnd.IntN(len(all))]
			waits := !a.left && a.at > p.Committed()
			if p.Unwatch(&a.watch) != waits {
				t.Fatalf("step %d: unwatched at %d of %d", step, a.at, p.Committed())
			}
			a.left = a.left || waits
		}
		for _, a := range all {
			if done := !a.left && a.at <= p.Committed() && a.waiter.told <= 1; !done && a.waiter.told > 0 {
				t.Fatalf("step %d: told %d times at %d of %d, left %v", step, a.waiter.told, a.at, p.Committed(), a.left)
			}
		}
	}
}

func TestSizesAreBounded(t *testing.T) {
	var s sizes
	for i := range int64(10 * sizesMax) {
		s.push(i+1, 1)
	}
	if len(s.batches) > sizesMax {
		t.Errorf("%d batches kept", len(s.batches))
	}
	if got := s.pop(10) + s.pop(10*sizesMax); got != 10*sizesMax {
		t.Errorf("%d bytes came out", got)
	}
	for i := range int64(100_000) { // it does not grow while it is drained
		s.push(i+1, 1)
		s.push(i+2, 1)
		s.pop(i)
	}
	if cap(s.batches) > 2*sizesMax {
		t.Errorf("capacity %d", cap(s.batches))
	}
}

func TestSetFollowsTheMetadata(t *testing.T) {
	w := newWorld(t)
	w.register(self, 2)
	id := w.create("t", []int32{self}, []int32{2}, []int32{self})
	if fmt.Sprint(w.led) != "[t-0@0 t-2@0]" {
		t.Errorf("led %v", w.led)
	}
	for _, c := range []struct {
		topic string
		index int32
		want  error
	}{
		{"t", 0, nil}, {"t", 1, protocol.NotLeaderForPartition}, {"t", 2, nil}, {"t", 3, protocol.UnknownTopicOrPartition},
		{"t", -1, protocol.UnknownTopicOrPartition}, {"u", 0, protocol.UnknownTopicOrPartition},
	} {
		if _, err := w.Find(c.topic, c.index); err != c.want {
			t.Errorf("%s-%d: %v, want %v", c.topic, c.index, err, c.want)
		}
	}
	if p, err := w.FindByID(id, 2); err != nil || p != w.find("t", 2) {
		t.Errorf("by id: %v", err)
	}
	if _, err := w.FindByID(cluster.TopicID{1}, 0); err != protocol.UnknownTopicID {
		t.Errorf("unknown id: %v", err)
	}
	old := w.find("t", 0)
	w.produce(old, "a")
	w.change(func(i *cluster.Image) ([]cluster.Record, error) { // one entry deletes the topic and creates it again
		records, _ := i.DeleteTopics([]cluster.TopicID{id})
		gone, _, err := i.Apply(i.Offset()+1, 0, records)
		if err != nil {
			return nil, err
		}
		again, _ := gone.CreateTopics([]cluster.NewTopic{{Name: "t", Partitions: 1, ReplicationFactor: 1}}, cluster.Creation{Rand: w.rand})
		return append(records, again...), nil
	})
	if _, err := old.Produce(batch("b"), true); err != protocol.UnknownTopicOrPartition {
		t.Errorf("the old incarnation takes batches: %v", err)
	}
	if _, err := w.FindByID(id, 0); err != protocol.UnknownTopicID {
		t.Errorf("the old id: %v", err)
	}
	if p, err := w.Find("t", 0); err == nil && p.End() != 0 {
		t.Errorf("the new incarnation has %d records", p.End())
	}
	if _, err := w.Find("t", 2); err != protocol.UnknownTopicOrPartition {
		t.Errorf("a partition that is no more: %v", err)
	}
	w.create("more", []int32{self})
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		records, errs := i.CreatePartitions([]cluster.MorePartitions{{Topic: "more", Count: 3,
			Assignments: [][]int32{{self}, {2}}}}, w.rand)
		return records, errs[0]
	})
	w.produce(w.find("more", 1), "x")
	if _, err := w.Find("more", 2); err != protocol.NotLeaderForPartition {
		t.Errorf("the added partition of another broker: %v", err)
	}
	var names []string
	for p := range w.All() {
		names = append(names, fmt.Sprintf("%s-%d", p.Topic().Name, p.Index()))
	}
	if !slices.Contains(names, "more-1") || !slices.IsSorted(names) {
		t.Errorf("all: %v", names)
	}
	if len(w.failed)+len(w.strays) > 0 {
		t.Errorf("failed %v, strays %v", w.failed, w.strays)
	}
}

// TestSetStartsAgain: a start over the same disk finds what was there, whatever came between the metadata and the disk.
func TestSetStartsAgain(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("kept", []int32{self})
	deleted := w.create("deleted", []int32{self})
	w.produce(w.find("kept", 0), "a", "b")
	w.produce(w.find("deleted", 0), "c")
	w.store.Close()
	before := w.image
	w.image, _, _ = before.Apply(before.Offset()+1, 0, func() []cluster.Record { r, _ := before.DeleteTopics([]cluster.TopicID{deleted}); return r }())
	w = openWorld(t, w.mem, w.image)
	if p := w.find("kept", 0); p.End() != 2 || p.Committed() != 2 || !p.Leads() {
		t.Errorf("kept: end %d, committed %d", p.End(), p.Committed())
	}
	if fmt.Sprint(w.strays) != "[deleted-0]" || len(w.failed) != 0 {
		t.Errorf("strays %v, failed %v", w.strays, w.failed)
	}
	w.create("deleted", []int32{self}) // the name is free for another topic
	if p := w.find("deleted", 0); p.End() != 0 {
		t.Errorf("the new topic has %d records", p.End())
	}
}

// TestSetWithoutADisk: a partition that cannot be opened answers for itself alone.
func TestSetWithoutADisk(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.fs.Add("any of data/bad-0 -> EIO", "any of data/bad-0/* -> EIO")
	w.create("bad", []int32{self}, []int32{self})
	if _, err := w.Find("bad", 0); err != protocol.KafkaStorageError {
		t.Errorf("%v", err)
	}
	w.produce(w.find("bad", 1), "a")
	if fmt.Sprint(w.failed) != "[bad-0]" {
		t.Errorf("failed %v", w.failed)
	}
}

func TestConfigsHoldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	w.configTopic("t", "max.message.bytes", "1234")
	if p.MaxBatchBytes() != 1234 {
		t.Errorf("max.message.bytes %d", p.MaxBatchBytes())
	}
	w.set("message.max.bytes", "999", "log.cleanup.policy", "compact")
	w.Reconfigure(w.image)
	if p.MaxBatchBytes() != 1234 || !p.Topic().Config().Compact {
		t.Errorf("%+v", p.Topic().Config())
	}
	w.configTopic("t", "segment.bytes", "1048576")
	if _, err := p.Produce(batch(string(make([]byte, 1048576))), true); protocol.CodeOf(err) != protocol.RecordListTooLarge {
		t.Errorf("%v", err)
	}
}

// TestDurabilityChanges: with pagecache what is written counts; back with fsync what counted stays.
func TestDurabilityChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.register(self)
		w.create("t", []int32{self})
		p := w.find("t", 0)
		w.fs.Add("sync of *.log #1+ -> delay 1s")
		w.produce(p, "a")
		if p.Committed() != 0 {
			t.Fatal("committed before the sync")
		}
		told := &waiter{}
		watch := Watch{Owner: told}
		p.Watch(&watch, HighWatermark, 1, 0)
		w.configTopic("t", "durability", "pagecache")
		if p.Committed() != 1 || told.told != 1 {
			t.Errorf("committed %d, told %d", p.Committed(), told.told)
		}
		w.produce(p, "b")
		w.configTopic("t", "durability", "fsync")
		if p.Committed() != 2 {
			t.Errorf("what counted is lost: %d", p.Committed())
		}
		w.produce(p, "c")
		if p.Committed() != 2 {
			t.Error("committed before the sync")
		}
		time.Sleep(3 * time.Second)
		if p.Committed() != 3 {
			t.Errorf("committed %d", p.Committed())
		}
	})
}

func TestCoordinatorAppends(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	var mu sync.Mutex
	seen := int64(0)
	done := make(chan struct{}, 10)
	cancel := p.OnCommitted(func(hw int64) {
		mu.Lock()
		seen = max(seen, hw)
		mu.Unlock()
		done <- struct{}{}
	})
	if last, err := p.Append(batch("a", "b"), 0); err != nil || last != 1 {
		t.Fatalf("%d, %v", last, err)
	}
	<-done
	if seen != 2 {
		t.Errorf("told of %d", seen)
	}
	if _, err := p.Append(batch("c"), 1); !errors.Is(err, protocol.NotLeaderForPartition) {
		t.Errorf("an epoch to come: %v", err)
	}
	w.register(self)
	if _, err := p.Append(batch("c"), 0); !errors.Is(err, protocol.NotLeaderForPartition) {
		t.Errorf("an epoch that is over: %v", err)
	}
	cancel()
	if _, err := p.Append(batch("c"), 1); err != nil {
		t.Error(err)
	}
	if err := w.store.All()[0].Flush(); err != nil {
		t.Error(err)
	}
	if len(done) > 0 || p.Committed() != 3 {
		t.Errorf("told after cancel, or not committed: %d", p.Committed())
	}
	var read []int64
	for b, err := range p.Batches(0, 3) {
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, b.BaseOffset())
	}
	if !slices.Equal(read, []int64{0, 2}) {
		t.Errorf("batches at %v", read)
	}
}

// TestLeaderWithAFollower is a leader of two replicas in its shell: what is committed, who is told, who may read what.
func TestLeaderWithAFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.register(self, 2)
		w.create("t", []int32{self, 2})
		w.configTopic("t", "min.insync.replicas", "2")
		p := w.find("t", 0)
		follower := func(offset int64) ReadRequest {
			return ReadRequest{Access: Access{CurrentLeaderEpoch: 0}, Reader: Follower, ReplicaID: 2, Offset: offset, LastFetchedEpoch: -1, MaxBytes: 1 << 20}
		}
		a := w.produce(p, "a", "b")
		synctest.Wait() // flushed
		told := &waiter{}
		watch := Watch{Owner: told}
		if !p.Watch(&watch, HighWatermark, a.LastOffset+1, a.Epoch) {
			t.Fatal("committed on one of two replicas")
		}
		consumer := ReadRequest{Access: Access{CurrentLeaderEpoch: -1}, Offset: 0, LastFetchedEpoch: -1, MaxBytes: 1 << 20}
		if got, err := p.Read(consumer); err != nil || got.Slice.Bytes != 0 || got.HighWatermark != 0 {
			t.Errorf("a consumer reads %+v, %v", got, err)
		}
		got, err := p.Read(follower(0))
		if err != nil || got.Slice.NextOffset != 2 || got.Bound != 2 {
			t.Fatalf("the follower reads %+v, %v", got, err)
		}
		got.Slice.Release()
		if told.told != 0 {
			t.Error("told before the follower has it")
		}
		if got, err = p.Read(follower(2)); err != nil || got.Slice.Bytes != 0 || told.told != 1 || p.Committed() != 2 {
			t.Errorf("the follower has it: told %d, committed %d, %v", told.told, p.Committed(), err)
		}
		poll := &waiter{}
		more := Watch{Owner: poll}
		p.Watch(&more, FlushedEnd, 3, 0)
		w.produce(p, "c")
		synctest.Wait()
		if poll.told != 1 || poll.bytes != math.MaxInt64 || p.Committed() != 2 {
			t.Errorf("the follower's long poll: told %d times of %d bytes", poll.told, poll.bytes)
		}
		if _, err = p.Read(ReadRequest{Access: Access{CurrentLeaderEpoch: -1}, Reader: Follower, ReplicaID: 3}); err != protocol.NotLeaderForPartition {
			t.Errorf("a stranger: %v", err)
		}

		d, err := p.DeleteRecords(1) // waits for the follower to delete, too
		if err != nil || d.LowWatermark != 0 || p.LogStart() != 1 {
			t.Errorf("deleted: %+v, %v", d, err)
		}
		low := &waiter{}
		lower := Watch{Owner: low}
		p.Watch(&lower, LowWatermark, d.Offset, d.Epoch)
		r := follower(3)
		r.ReplicaLogStart = 1
		p.Read(r)
		if low.told != 1 || p.LowWatermark() != 1 {
			t.Errorf("low watermark %d, told %d", p.LowWatermark(), low.told)
		}

		w.isr("t", 0, []int32{self})
		if _, err := p.Produce(batch("d"), true); protocol.CodeOf(err) != protocol.NotEnoughReplicas {
			t.Errorf("acks=all with one of two in sync: %v", err)
		}
		if p.EnoughInSync() {
			t.Error("enough in sync")
		}
		if _, err := p.Produce(batch("d"), false); err != nil {
			t.Errorf("acks=1: %v", err)
		}
		synctest.Wait()
		if p.Committed() != 3 {
			t.Errorf("committed %d under min.insync.replicas", p.Committed())
		}
	})
}

// isr changes a partition's ISR, as the controller would.
func (w *world) isr(topic string, index int32, isr []int32) {
	w.t.Helper()
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		p := i.Partition(topic, index)
		change := cluster.ISRChange{Topic: i.Topic(topic).ID, Index: index, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
		for _, id := range isr {
			change.ISR = append(change.ISR, cluster.InSync{ID: id, Epoch: i.Broker(id).Epoch})
		}
		r, err := i.AlterPartition(self, i.Broker(self).Epoch, change)
		return []cluster.Record{r}, err
	})
}

// TestDeposedLeader: who leads no more says so, and who waited hears it.
func TestDeposedLeader(t *testing.T) {
	w := newWorld(t)
	w.register(self, 2)
	w.create("t", []int32{self, 2})
	p := w.find("t", 0)
	a := w.produce(p, "a")
	told := &waiter{}
	watch := Watch{Owner: told}
	p.Watch(&watch, HighWatermark, a.LastOffset+1, a.Epoch)
	p.assign(assignment{leader: 2, epoch: 1, partitionEpoch: 1, replicas: []int32{1, 2}, isr: []int32{1, 2}})
	if told.told != 1 || told.err != protocol.NotLeaderForPartition {
		t.Errorf("told %d times: %v", told.told, told.err)
	}
	if p.Watch(&watch, HighWatermark, a.LastOffset+1, a.Epoch) || watch.Err != protocol.NotLeaderForPartition {
		t.Errorf("a wait for what an epoch that is over wrote: %v", watch.Err)
	}
	if _, err := p.Produce(batch("b"), false); err != protocol.NotLeaderForPartition {
		t.Errorf("%v", err)
	}
	if node, epoch := p.Leader(); node != 2 || epoch != 1 || p.Leads() {
		t.Errorf("leader %d in %d", node, epoch)
	}
	for any, want := range map[bool]error{false: protocol.NotLeaderForPartition, true: nil} {
		if _, err := p.Read(ReadRequest{Access: Access{CurrentLeaderEpoch: -1, AnyReplica: any}, LastFetchedEpoch: -1}); err != want {
			t.Errorf("read from any replica %v: %v", any, err)
		}
	}
}

// TestOfflineLog: after a failed sync nothing is acknowledged any more, and who waited hears of it.
func TestOfflineLog(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	w.produce(p, "a")
	if err := w.store.All()[0].Flush(); err != nil {
		t.Fatal(err)
	}
	w.fs.Add("sync of *.log -> EIO")
	heard := make(chan error, 1)
	watch := Watch{Owner: &waiter{then: func(w *Watch) { heard <- w.Err }}}
	if !p.Watch(&watch, HighWatermark, 2, 0) {
		t.Fatal("not armed")
	}
	w.produce(p, "b")
	if err := <-heard; err != protocol.KafkaStorageError {
		t.Errorf("heard %v", err)
	}
	if _, err := p.Produce(batch("c"), false); !errors.Is(err, protocol.KafkaStorageError) {
		t.Errorf("%v", err)
	}
	if _, err := p.Read(ReadRequest{Access: Access{CurrentLeaderEpoch: -1}, LastFetchedEpoch: -1}); !errors.Is(err, protocol.KafkaStorageError) {
		t.Errorf("%v", err)
	}
	if p.Committed() != 1 {
		t.Errorf("committed %d", p.Committed())
	}
}

// TestDamagedLog: a log that the start could not read answers so, and nobody waits on it.
func TestDamagedLog(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("t", []int32{self})
	w.produce(w.find("t", 0), "a")
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	mem := w.mem.CrashClone(w.rand, 0)
	f, err := mem.OpenFile("data/t-0/00000000000000000000.log", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(10), f.Sync()); err != nil { // below what was durable: nothing may be cut silently
		t.Fatal(err)
	}
	f.Close()
	w = openWorld(t, mem, w.image)
	p := w.find("t", 0)
	watch := Watch{Owner: &waiter{}}
	if p.Watch(&watch, HighWatermark, 99, 0) || !errors.Is(watch.Err, protocol.KafkaStorageError) {
		t.Errorf("armed on a log that is offline: %v", watch.Err)
	}
}
