package api

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// These tests run in synctest bubbles: time passes only when everybody waits, so what a test says of time is exact.

// slow makes every sync of a log take that long.
func (w *dataWorld) slow(d time.Duration) { w.fs.Add(fmt.Sprintf("sync of *.log #1+ -> delay %s", d)) }

// took is how long an answer takes to come.
func took(a *answer) time.Duration {
	began := time.Now()
	<-a.came
	return time.Since(began)
}

func TestProduceWaitsForTheDisk(t *testing.T) {
	for _, c := range []struct {
		durability string
		acks       int16
		want       time.Duration
	}{
		{"fsync", -1, 50 * time.Millisecond}, {"fsync", 1, 0}, {"pagecache", -1, 0}, {"pagecache", 1, 0},
	} {
		t.Run(fmt.Sprint(c.durability, c.acks), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				w := newDataWorld(t, "log.durability", c.durability)
				id := w.topic("t", 1)
				w.slow(50 * time.Millisecond)
				a := w.send(w.conn, produceRequest(13, "t", id, 0, c.acks, batchOf("a")))
				if d := took(a); d != c.want {
					t.Errorf("answered after %s, want %s", d, c.want)
				}
				if n := w.Purgatory.Waiting(); n != 0 {
					t.Errorf("%d still wait", n)
				}
			})
		})
	}
}

// TestOneSyncServesAll: what comes while a sync runs waits for the next one, together.
func TestOneSyncServesAll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		w.slow(50 * time.Millisecond)
		first := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("a")))
		time.Sleep(time.Millisecond)
		var rest []*answer
		for range 100 {
			rest = append(rest, w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("b"))))
		}
		if d := took(first); d != 49*time.Millisecond {
			t.Errorf("the first after %s", d)
		}
		for i, a := range rest {
			if d := took(a); i == 0 && d != 50*time.Millisecond || i > 0 && d != 0 {
				t.Errorf("number %d after %s", i, d)
			}
		}
	})
}

func TestProduceDuplicateWaitsForItsOriginal(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		w.slow(50 * time.Millisecond)
		batch := func() []byte {
			o := newProducer(7, 0)
			return batchWith(o, "a")
		}
		w.send(w.conn, produceRequest(13, "t", id, 0, -1, batch()))
		again := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batch()))
		if d := took(again); d != 50*time.Millisecond {
			t.Errorf("the duplicate was answered after %s", d)
		}
		if p := answered(t, again.resp.(*kmsg.ProduceResponse)); p.ErrorCode != 0 || p.BaseOffset != 0 {
			t.Errorf("%+v", p)
		}
		later := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batch()))
		if !later.ready() {
			t.Errorf("a duplicate of what is committed waits")
		}
	})
}

func TestProduceTimesOut(t *testing.T) { // 3
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 2)
		w.fs.Add("sync of data/t-0/*.log #1+ -> delay 10s")
		r := produceRequest(13, "t", id, 0, -1, batchOf("a"))
		r.TimeoutMillis = 300
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: 1, Records: batchOf("b")})
		a := w.send(w.conn, r)
		if d := took(a); d != 300*time.Millisecond {
			t.Errorf("answered after %s", d)
		}
		resp := a.resp.(*kmsg.ProduceResponse)
		wantCode(t, resp.Topics[0].Partitions[0].ErrorCode, protocol.RequestTimedOut)
		wantCode(t, resp.Topics[0].Partitions[1].ErrorCode, protocol.None)
		for _, timeout := range []int32{0, -5} {
			r.TimeoutMillis = timeout
			if d := took(w.send(w.conn, r)); d != 0 {
				t.Errorf("time-out %d: after %s", timeout, d)
			}
		}
		time.Sleep(20 * time.Second)
		p := fetched1(t, ask[*kmsg.FetchResponse](w, fetchRequest(18, "t", id, 0, 0)))
		if p.HighWatermark != 3 {
			t.Errorf("high watermark %d: what timed out stays", p.HighWatermark)
		}
	})
}

func newFetch(id cluster.TopicID, offset int64, minBytes, maxWaitMs int32) *kmsg.FetchRequest {
	r := fetchRequest(18, "t", id, 0, offset)
	r.MinBytes, r.MaxWaitMillis = minBytes, maxWaitMs
	return r
}

// TestFetchLongPoll is 1: what ends a wait, and when.
func TestFetchLongPoll(t *testing.T) {
	for _, durability := range []string{"fsync", "pagecache"} {
		t.Run(durability, func(t *testing.T) {
			inBubble(t, func(t *testing.T) { longPoll(t, durability) })
		})
	}
}

func longPoll(t *testing.T, durability string) {
	w := newDataWorld(t, "log.durability", durability)
	id := w.topic("t", 2)
	produce := func(index int32, values ...string) {
		w.send(w.conn, produceRequest(13, "t", id, index, 1, batchOf(values...)))
	}
	produceAfter := func(d time.Duration, index int32, values ...string) {
		time.AfterFunc(d, func() { produce(index, values...) })
	}
	expect := func(name string, r *kmsg.FetchRequest, want time.Duration, batches int) {
		t.Helper()
		a := w.send(w.conn, r)
		if d := took(a); d != want {
			t.Errorf("%s: answered after %s, want %s", name, d, want)
		}
		got := 0
		for _, topic := range a.resp.(*kmsg.FetchResponse).Topics {
			for _, p := range topic.Partitions {
				got += len(offsetsIn(t, p.RecordBatches))
			}
		}
		if got != batches {
			t.Errorf("%s: %d batches, want %d", name, got, batches)
		}
		synctest.Wait()
		if n := w.Purgatory.Waiting(); n != 0 {
			t.Errorf("%s: %d still wait", name, n)
		}
	}
	ms := time.Millisecond
	expect("nothing comes", newFetch(id, 0, 1, 500), 500*ms, 0)
	expect("no wait asked", newFetch(id, 0, 1, 0), 0, 0)
	expect("negative wait", newFetch(id, 0, 1, -1), 0, 0)
	expect("no bytes asked", newFetch(id, 0, 0, 500), 0, 0)
	produceAfter(20*ms, 0, "a")
	expect("a batch comes", newFetch(id, 0, 1, 500), 20*ms, 1)
	expect("it is there", newFetch(id, 0, 1, 500), 0, 1)
	produceAfter(20*ms, 1, "b")
	expect("another partition's batch comes", newFetch(id, 1, 1, 500), 500*ms, 0)
	both := newFetch(id, 1, 1, 500)
	both.Topics[0].Partitions = append(both.Topics[0].Partitions, fetchPartition(1, 1))
	produceAfter(30*ms, 1, "c")
	expect("one of two partitions", both, 30*ms, 1)
	size := int32(len(batchOf("0123456789")))
	for i := range 4 {
		produceAfter(time.Duration(10*(i+1))*ms, 0, "0123456789")
	}
	expect("three batches' bytes", newFetch(id, 1, 3*size, 500), 30*ms, 3)
	time.Sleep(time.Second) // the fourth batch
	produceAfter(10*ms, 0, "0123456789")
	expect("not enough comes", newFetch(id, 5, 3*size, 500), 500*ms, 1)
	expect("out of range", newFetch(id, 100, 1, 500), 0, 0)
	unknown := newFetch(id, 6, 1, 500)
	unknown.Topics[0].Partitions = append(unknown.Topics[0].Partitions, fetchPartition(77, 0))
	expect("an unknown partition among others", unknown, 500*ms, 0)
	unknown.Topics[0].Partitions = unknown.Topics[0].Partitions[1:]
	expect("an unknown partition alone", unknown, 0, 0)
	fenced := newFetch(id, 6, 1, 500)
	time.AfterFunc(40*ms, w.bumpEpochs)
	expect("a new leader epoch, of which the client knows nothing", fenced, 500*ms, 0)
	fenced.Topics[0].Partitions[0].CurrentLeaderEpoch = 1
	time.AfterFunc(40*ms, w.bumpEpochs)
	expect("a new leader epoch", fenced, 40*ms, 0)
	time.AfterFunc(60*ms, func() { w.deleteTopic(id) })
	a := w.send(w.conn, newFetch(id, 6, 1, 500))
	if d := took(a); d != 60*ms {
		t.Errorf("the topic is deleted: answered after %s", d)
	}
	wantCode(t, fetched1(t, a.resp.(*kmsg.FetchResponse)).ErrorCode, protocol.UnknownTopicOrPartition)
}

// TestFetchSeesOnlyFlushed: in fsync mode a record is readable when it is on disk, and the long poll ends then.
func TestFetchSeesOnlyFlushed(t *testing.T) {
	for _, isolation := range []int8{0, 1} {
		inBubble(t, func(t *testing.T) {
			w := newDataWorld(t)
			id := w.topic("t", 1)
			w.slow(70 * time.Millisecond)
			w.send(w.conn, produceRequest(13, "t", id, 0, 1, batchOf("a")))
			now := fetchRequest(18, "t", id, 0, 0)
			now.IsolationLevel = isolation
			if p := fetched1(t, ask[*kmsg.FetchResponse](w, now)); p.HighWatermark != 0 || len(p.RecordBatches) > 0 {
				t.Errorf("before the sync: %+v", p)
			}
			poll := newFetch(id, 0, 1, 5000)
			poll.IsolationLevel = isolation
			if d := took(w.send(w.conn, poll)); d != 70*time.Millisecond {
				t.Errorf("answered after %s", d)
			}
		})
	}
}

// TestWaitersGoWithTheirConnection: whatever time they asked for, they leave nothing behind.
func TestWaitersGoWithTheirConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		w.fs.Add("sync of data/t-0/*.log #1+ -> delay 1h")
		var all []*answer
		conns := []*testConn{w.connect(), w.connect(), w.connect()}
		for _, c := range conns {
			for range 50 {
				all = append(all, w.send(c, newFetch(id, 0, 1<<30, 1<<31-1)))
				r := produceRequest(13, "t", id, 0, -1, batchOf("a"))
				r.TimeoutMillis = 1<<31 - 1
				all = append(all, w.send(c, r))
			}
		}
		if n := w.Purgatory.Waiting(); n != 300 {
			t.Fatalf("%d wait", n)
		}
		w.hangUp(conns[1])
		if n := w.Purgatory.Waiting(); n != 200 {
			t.Errorf("%d wait after one of three connections ended", n)
		}
		w.hangUp(conns[0])
		w.hangUp(conns[2])
		for i, a := range all {
			if !a.ready() || a.why == nil {
				t.Fatalf("request %d still waits for a connection that is gone", i)
			}
		}
		if late := w.send(conns[0], newFetch(id, 0, 1, 5000)); !late.ready() || late.why == nil {
			t.Errorf("a request that came after the end waits")
		}
		if n := w.Purgatory.Waiting(); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

// TestWaitingCostsNoGoroutine parks many requests and counts.
func TestWaitingCostsNoGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		before := runtime.NumGoroutine()
		for range 1000 {
			w.send(w.conn, newFetch(id, 0, 1, 60_000))
		}
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines before, %d with 1000 long polls", before, after)
		}
		w.hangUp(w.conn)
	})
}

func TestProduceToADeletedTopic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		w.slow(time.Second)
		a := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("a")))
		w.deleteTopic(id)
		if d := took(a); d != 0 {
			t.Errorf("answered after %s", d)
		}
		wantCode(t, answered(t, a.resp.(*kmsg.ProduceResponse)).ErrorCode, protocol.UnknownTopicOrPartition)
	})
}

// TestProduceOverALeaderChange: an append of one epoch is not answered as committed in the next.
func TestProduceOverALeaderChange(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		w.slow(time.Second)
		a := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("a")))
		w.bumpEpochs()
		if d := took(a); d != 0 {
			t.Errorf("answered after %s", d)
		}
		wantCode(t, answered(t, a.resp.(*kmsg.ProduceResponse)).ErrorCode, protocol.NotLeaderForPartition)
	})
}

// TestNothingIsLeftOnPartitions: a wait that ended by its time, by its connection or by another partition leaves no watch.
func TestNothingIsLeftOnPartitions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 2)
		w.fs.Add("sync of data/t-0/*.log #1+ -> delay 1h")
		both := newFetch(id, 0, 1, 100)
		both.Topics[0].Partitions = append(both.Topics[0].Partitions, fetchPartition(1, 0))
		<-w.send(w.conn, both).came // by its time
		a := w.send(w.conn, both)
		w.send(w.conn, produceRequest(13, "t", id, 1, 1, batchOf("a")))
		<-a.came // by another partition
		r := produceRequest(13, "t", id, 0, -1, batchOf("a"))
		r.TimeoutMillis = 100
		<-w.send(w.conn, r).came
		w.send(w.conn, newFetch(id, 0, 1, 1000))
		w.hangUp(w.conn)
		for p := range w.Partitions.All() {
			if n := p.Waiting(); n != 0 {
				t.Errorf("%d watches on partition %d", n, p.Index())
			}
		}
	})
}

// TestLongPollsUnderLoad has producers and consumers at once, in real time: every poll must end with what it waits for,
// long before its time is up.
func TestLongPollsUnderLoad(t *testing.T) {
	for _, durability := range []string{"pagecache", "fsync"} {
		t.Run(durability, func(t *testing.T) {
			w := newDataWorld(t, "log.durability", durability)
			const partitions, batches = 3, 600
			id := w.topic("t", partitions)
			var all sync.WaitGroup
			for index := range int32(partitions) {
				all.Go(func() {
					for range batches {
						<-w.send(w.conn, produceRequest(13, "t", id, index, -1, batchOf("x"))).came
					}
				})
			}
			for reader := range 4 {
				all.Go(func() { readAll(t, w, id, partitions, batches, int32(1+reader*60), int8(reader%2)) })
			}
			all.Wait()
		})
	}
}

// readAll consumes a topic to its end, with long polls.
func readAll(t *testing.T, w *dataWorld, id cluster.TopicID, partitions int32, end int64, minBytes int32, isolation int8) {
	at := make([]int64, partitions)
	for done := int32(0); done < partitions; {
		r := newFetch(id, 0, minBytes, 20_000)
		r.IsolationLevel = isolation
		r.Topics[0].Partitions = nil
		left := int64(0)
		for index := range partitions {
			if at[index] < end {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, fetchPartition(index, at[index]))
				left += end - at[index]
			}
		}
		if left < 10 {
			r.MinBytes = 1 // so many bytes will not come
		}
		began := time.Now()
		a := w.send(w.conn, r)
		<-a.came
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("a poll at %v took %s", at, d)
			return
		}
		for _, p := range a.resp.(*kmsg.FetchResponse).Topics[0].Partitions {
			for _, base := range offsetsIn(t, p.RecordBatches) {
				if base != at[p.Partition] {
					t.Errorf("partition %d: offset %d after %d", p.Partition, base, at[p.Partition])
				}
				if at[p.Partition]++; at[p.Partition] == end {
					done++
				}
			}
		}
	}
}

// TestParkFindsWhatCameBetween: what is appended after a fetch has read, and before it waits, or while it reads again, is
// found when it is about to wait.
func TestParkFindsWhatCameBetween(t *testing.T) {
	w := newDataWorld(t, "log.durability", "pagecache")
	id := w.topic("t", 1)
	enough := int64(3 * len(batchOf("a")))
	req := newFetch(id, 0, int32(enough), 60_000)
	a := &answer{t: t, came: make(chan struct{}), request: req, header: protocol.RequestHeader{Key: protocol.FetchKey, Version: 18}}
	f := &fetch{server: w.Server, req: req, r: NewRequest(a.header, req, 0, time.Now(), w.conn.Conn, a)}
	if err := f.begin(); err != nil {
		t.Fatal(err)
	}
	f.resolve()
	f.readAll()
	w.fill("t", 0, batchOf("a"))
	if f.park(enough) {
		t.Fatal("it waits, although there is more than it has read")
	}
	bytes, _ := f.readAll()
	if bytes == 0 || !f.park(enough-bytes) {
		t.Fatal("it does not wait")
	}
	f.mu.parked = false // somebody looks
	f.readAll()
	w.fill("t", 0, batchOf("b"))
	if f.park(enough - bytes) {
		t.Fatal("it waits, although more came while it looked")
	}
	bytes, _ = f.readAll()
	if !f.park(enough - bytes) {
		t.Fatal("it does not wait")
	}
	w.fill("t", 0, batchOf("c"))
	if !a.ready() {
		t.Fatal("no answer")
	}
	if got := offsetsIn(t, fetched1(t, a.resp.(*kmsg.FetchResponse)).RecordBatches); len(got) != 3 {
		t.Errorf("batches at %v", got)
	}
}

// withFollower creates a topic of one partition, led here and followed by broker 2, in page-cache mode.
func withFollower(t *testing.T) (w *dataWorld, id cluster.TopicID, follow func(offset, logStart int64) *answer) {
	w = newDataWorld(t, "log.durability", "pagecache", "min.insync.replicas", "2")
	w.elsewhere("none") // broker 2
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, made := i.CreateTopics([]cluster.NewTopic{{Name: "t", Partitions: -1, ReplicationFactor: -1,
			Assignments: []cluster.Assignment{{Partition: 0, Replicas: []int32{testNode, 2}}}}}, cluster.Creation{Rand: w.rand})
		return records, made[0].Err
	})
	id = w.Image().Topic("t").ID
	return w, id, func(offset, logStart int64) *answer {
		r := newFetch(id, offset, 1, 500)
		r.ReplicaState.ID = 2
		r.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
		r.Topics[0].Partitions[0].LogStartOffset = logStart
		return w.send(w.connect(), r)
	}
}

// TestFollowerLongPoll: a follower waits for the leader's end, not for the high watermark, which waits for the follower.
func TestFollowerLongPoll(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w, id, follow := withFollower(t)
		poll := follow(0, 0)
		produced := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("a")))
		if !poll.ready() || produced.ready() {
			t.Fatalf("the follower was answered: %v, the producer: %v", poll.ready(), produced.ready())
		}
		next := follow(1, 0) // it has the record
		if !produced.ready() {
			t.Error("the producer still waits")
		}
		if d := took(next); d != 500*time.Millisecond {
			t.Errorf("answered after %s", d)
		}
	})
}

// TestDeleteRecordsWaitsForFollowers until they have deleted, or time is up.
func TestDeleteRecordsWaitsForFollowers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w, id, follow := withFollower(t)
		w.send(w.conn, produceRequest(13, "t", id, 0, 1, batchOf("a", "b")))
		follow(2, 0)
		late := w.send(w.conn, deleteRequest(2, "t", 0, 1))
		if d := took(late); d != time.Second {
			t.Errorf("answered after %s", d)
		}
		p := late.resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
		if wantCode(t, p.ErrorCode, protocol.RequestTimedOut); p.LowWatermark != 0 {
			t.Errorf("low watermark %d", p.LowWatermark)
		}
		waits := w.send(w.conn, deleteRequest(2, "t", 0, -1))
		if waits.ready() {
			t.Fatal("answered before the follower has deleted")
		}
		follow(2, 2)
		if !waits.ready() {
			t.Fatal("no answer although the follower has deleted")
		}
		p = waits.resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
		if wantCode(t, p.ErrorCode, protocol.None); p.LowWatermark != 2 {
			t.Errorf("low watermark %d", p.LowWatermark)
		}
	})
}

// TestProduceWithTooFewInSync is 3: before the append it is refused; where the ISR shrinks after it, the answer says so,
// and the records stay.
func TestProduceWithTooFewInSync(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w, id, follow := withFollower(t)
		shrink := func(isr ...int32) {
			w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
				p := i.Partition("t", 0)
				change := cluster.ISRChange{Topic: id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
				for _, node := range isr {
					change.ISR = append(change.ISR, cluster.InSync{ID: node, Epoch: i.Broker(node).Epoch})
				}
				r, err := i.AlterPartition(testNode, i.Broker(testNode).Epoch, change)
				return []cluster.Record{r}, err
			})
		}
		waits := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("a")))
		shrink(testNode) // nothing is committed any more
		if waits.ready() {
			t.Fatal("answered as committed on one of two")
		}
		refused := w.send(w.conn, produceRequest(13, "t", id, 0, -1, batchOf("b")))
		wantCode(t, answered(t, refused.resp.(*kmsg.ProduceResponse)).ErrorCode, protocol.NotEnoughReplicas)
		one := w.send(w.conn, produceRequest(13, "t", id, 0, 1, batchOf("c")))
		if p := answered(t, one.resp.(*kmsg.ProduceResponse)); p.ErrorCode != 0 || p.BaseOffset != 1 {
			t.Errorf("acks=1: %+v; nothing of the refused one may be in the log", p)
		}
		shrink(testNode, 2)
		follow(2, 0)
		if !waits.ready() {
			t.Fatal("no answer although both have it")
		}
		wantCode(t, answered(t, waits.resp.(*kmsg.ProduceResponse)).ErrorCode, protocol.None)

		p, err := w.Partitions.Find("t", 0)
		if err != nil {
			t.Fatal(err)
		}
		after := produce{server: w.Server, r: NewRequest(protocol.RequestHeader{Version: 13}, nil, 0, time.Now(), w.conn.Conn, nil)}
		after.slots = []slot{{to: &target{topic: p.Topic()}, partition: p, answer: &kmsg.ProduceResponseTopicPartition{}}}
		shrink(testNode)
		after.settled(0, nil) // committed, and then the ISR shrank
		wantCode(t, after.slots[0].answer.ErrorCode, protocol.NotEnoughReplicasAfterAppend)
	})
}
