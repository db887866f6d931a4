package partition

import (
	"errors"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

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
	w := newWorld(t, "log.durability", "pagecache")
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
		if _, err := p.Read(r); err != nil {
			t.Error(err)
		}
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

// TestReadOverARoleChange: an error that comes of the log being another by now is not the client's.
func TestReadOverARoleChange(t *testing.T) {
	w := newWorld(t, "log.durability", "pagecache")
	w.register(self, 2)
	w.create("t", []int32{self, 2})
	p := w.find("t", 0)
	w.produce(p, "a")
	read := ReadRequest{Access: Access{CurrentLeaderEpoch: -1}, Reader: Follower, ReplicaID: 2, LastFetchedEpoch: -1, MaxBytes: 100, AtLeastOne: true}
	deposed := false
	w.fs.Add("read of *.log #1+ -> EIO")
	w.fs.OnOp(func(op errorfs.Op) {
		if op.Kind == errorfs.Read && !deposed {
			deposed = true
			p.assign(assignment{leader: 2, epoch: 1, partitionEpoch: 1, replicas: []int32{1, 2}, isr: []int32{1, 2}})
		}
	})
	if _, err := p.Read(read); err != protocol.NotLeaderForPartition || !deposed {
		t.Errorf("%v, deposed %v", err, deposed)
	}
}
