package api

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// fetched1 is the one partition of a Fetch answer.
func fetched1(t testing.TB, resp *kmsg.FetchResponse) kmsg.FetchResponseTopicPartition {
	t.Helper()
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		t.Fatalf("error %s, topics %+v", protocol.Code(resp.ErrorCode), resp.Topics)
	}
	return resp.Topics[0].Partitions[0]
}

// TestFetchAtEveryOffset reads from every offset, in the middle of batches too: the batch that holds it comes whole (4).
func TestFetchAtEveryOffset(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1, "segment.bytes", "1048576")
	var bases []int64
	end := int64(0)
	big := string(make([]byte, 300_000))
	for i := range 12 {
		values := make([]string, 1+i%4)
		for j := range values {
			values[j] = fmt.Sprint(i, j)
		}
		values[0] += big // several segments
		w.fill("t", 0, batchOf(values...))
		bases = append(bases, end)
		end += int64(len(values))
	}
	versions(t, protocol.FetchKey, func(t *testing.T, v int16) {
		for offset := range end + 1 {
			p := fetched1(t, ask[*kmsg.FetchResponse](w, fetchRequest(v, "t", id, 0, offset)))
			if p.ErrorCode != 0 || p.HighWatermark != end || p.LastStableOffset != end || v >= 5 && p.LogStartOffset != 0 {
				t.Fatalf("from %d: %+v", offset, p)
			}
			got := offsetsIn(t, p.RecordBatches)
			if offset == end {
				if len(got) != 0 || p.RecordBatches == nil {
					t.Errorf("at the end: %v", got)
				}
				continue
			}
			first, _ := slices.BinarySearch(bases, offset+1)
			if first--; len(got) == 0 || got[0] != bases[first] || !slices.Equal(got, bases[first:first+len(got)]) {
				t.Errorf("from %d: batches at %v, want those from %d", offset, got, bases[first])
			}
		}
	})
}

// TestFetchRefusals is the errors of a partition, at versions that name topics by name and by id (6, 9, 10, 14, 15).
func TestFetchRefusals(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1)
	hidden := w.topic("hidden", 1)
	w.rules.deny(security.Read, security.Topic, "hidden")
	w.rules.deny(security.Read, security.Topic, "hidden-none")
	elsewhere := w.elsewhere("elsewhere")
	w.fill("t", 0, batchOf("a", "b", "c"))
	none := cluster.TopicID{9}
	type P = *kmsg.FetchRequestTopicPartition
	cases := []struct {
		name         string
		topic        string
		id           cluster.TopicID
		from         int16
		change       func(p P)
		byName, byID protocol.Code
		aborted      bool // an empty list, not null
	}{
		{"above the end", "t", id, 4, func(p P) { p.FetchOffset = 4 }, protocol.OffsetOutOfRange, protocol.OffsetOutOfRange, false},
		{"below the start", "t", id, 4, func(p P) { p.FetchOffset = -1 }, protocol.OffsetOutOfRange, protocol.OffsetOutOfRange, false},
		{"no such topic", "none", none, 4, nil, protocol.UnknownTopicOrPartition, protocol.UnknownTopicID, true},
		{"zero id", "", cluster.TopicID{}, 4, nil, protocol.UnknownTopicOrPartition, protocol.UnknownTopicID, true},
		{"no such partition", "t", id, 4, func(p P) { p.Partition = 1 }, protocol.UnknownTopicOrPartition, protocol.UnknownTopicOrPartition, true},
		{"negative partition", "t", id, 4, func(p P) { p.Partition = -1 }, protocol.UnknownTopicOrPartition, protocol.UnknownTopicOrPartition, true},
		{"denied", "hidden", hidden, 4, nil, protocol.TopicAuthorizationFailed, protocol.TopicAuthorizationFailed, true},
		{"denied and not there", "hidden-none", none, 4, nil, protocol.TopicAuthorizationFailed, protocol.UnknownTopicID, true},
		{"led elsewhere", "elsewhere", elsewhere, 4, nil, protocol.NotLeaderForPartition, protocol.NotLeaderForPartition, false},
		{"newer leader epoch", "t", id, 9, func(p P) { p.CurrentLeaderEpoch = 5 }, protocol.UnknownLeaderEpoch, protocol.UnknownLeaderEpoch, false},
		{"any negative leader epoch", "t", id, 9, func(p P) { p.CurrentLeaderEpoch = -2 }, protocol.None, protocol.None, false},
		{"last fetched epoch unknown", "t", id, 12, func(p P) { p.FetchOffset, p.LastFetchedEpoch = 3, 5 }, protocol.OffsetOutOfRange, protocol.OffsetOutOfRange, false},
		{"negative size", "t", id, 4, func(p P) { p.PartitionMaxBytes = -1 }, protocol.InvalidFetchSize, protocol.InvalidFetchSize, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for v := c.from; v <= 18; v++ {
				want := c.byName
				if v >= 13 {
					want = c.byID
				}
				r := fetchRequest(v, c.topic, c.id, 0, 0)
				if c.change != nil {
					c.change(&r.Topics[0].Partitions[0])
				}
				p := fetched1(t, ask[*kmsg.FetchResponse](w, r))
				wantCode(t, p.ErrorCode, want)
				if want == protocol.None {
					continue
				}
				if p.HighWatermark != -1 || p.LastStableOffset != -1 || p.LogStartOffset != -1 || len(p.RecordBatches) > 0 {
					t.Errorf("v%d: %+v", v, p)
				}
				if (p.AbortedTransactions != nil) != c.aborted {
					t.Errorf("v%d: aborted transactions %v", v, p.AbortedTransactions)
				}
				leads := v >= 16 && want == protocol.NotLeaderForPartition
				if leads != (p.CurrentLeader.LeaderID == 2) {
					t.Errorf("v%d: current leader %+v", v, p.CurrentLeader)
				}
			}
		})
	}
}

func TestFetchFencesOldEpochs(t *testing.T) { // 9
	w := newDataWorld(t)
	id := w.topic("t", 1)
	w.bumpEpochs()
	r := fetchRequest(16, "t", id, 0, 0)
	r.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
	resp := ask[*kmsg.FetchResponse](w, r)
	p := fetched1(t, resp)
	wantCode(t, p.ErrorCode, protocol.FencedLeaderEpoch)
	if p.CurrentLeader.LeaderID != testNode || p.CurrentLeader.LeaderEpoch != 1 || len(resp.Brokers) != 1 || resp.Brokers[0].NodeID != testNode {
		t.Errorf("leader %+v at %+v", p.CurrentLeader, resp.Brokers)
	}
}

func TestFetchDivergingEpoch(t *testing.T) { // 10
	w := newDataWorld(t)
	id := w.topic("t", 1)
	w.fill("t", 0, batchOf("a", "b"))
	w.bumpEpochs()
	w.fill("t", 0, batchOf("c"))
	r := fetchRequest(18, "t", id, 0, 3)
	r.Topics[0].Partitions[0].LastFetchedEpoch = 0 // it claims three records of epoch 0; there are two
	p := fetched1(t, ask[*kmsg.FetchResponse](w, r))
	if p.ErrorCode != 0 || p.DivergingEpoch.Epoch != 0 || p.DivergingEpoch.EndOffset != 2 || len(p.RecordBatches) > 0 {
		t.Errorf("%+v", p)
	}
	r.Topics[0].Partitions[0].LastFetchedEpoch = 1
	r.Topics[0].Partitions[0].FetchOffset = 2
	if p = fetched1(t, ask[*kmsg.FetchResponse](w, r)); p.DivergingEpoch.Epoch != -1 || len(offsetsIn(t, p.RecordBatches)) != 1 {
		t.Errorf("%+v", p)
	}
}

// TestFetchLimits is 2 and 3: the first partition with records gives at least a batch, then limits hold, in the order of
// the request.
func TestFetchLimits(t *testing.T) {
	w := newDataWorld(t)
	w.topic("t", 4)
	for index := range int32(3) {
		for range 5 {
			w.fill("t", index, batchOf("0123456789"))
		}
	}
	size := len(batchOf("0123456789"))
	read := func(max, partitionMax int, indexes ...int32) (counts []int) {
		r := fetchRequest(12, "t", cluster.TopicID{}, 0, 0)
		r.MaxBytes = int32(max)
		r.Topics[0].Partitions = nil
		for _, index := range indexes {
			p := fetchPartition(index, 0)
			p.PartitionMaxBytes = int32(partitionMax)
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, p)
		}
		for _, p := range ask[*kmsg.FetchResponse](w, r).Topics[0].Partitions {
			counts = append(counts, len(offsetsIn(t, p.RecordBatches)))
		}
		return counts
	}
	for _, c := range []struct {
		max, partitionMax int
		indexes           []int32
		want              []int
	}{
		{1 << 20, 1 << 20, []int32{0, 1, 2}, []int{5, 5, 5}},
		{1, 1 << 20, []int32{0, 1, 2}, []int{1, 0, 0}},
		{0, 0, []int32{0, 1, 2}, []int{1, 0, 0}},
		{1, 1, []int32{3, 1, 2}, []int{0, 1, 0}},              // partition 3 is empty: the next is the first with records
		{1 << 20, size - 1, []int32{0, 1, 2}, []int{1, 0, 0}}, // the second batch does not fit, and is not cut
		{1 << 20, 2*size - 1, []int32{0, 1, 2}, []int{1, 1, 1}},
		{3 * size, 2 * size, []int32{2, 1, 0}, []int{2, 1, 0}},
		{7 * size, 1 << 20, []int32{2, 0, 1}, []int{5, 2, 0}},
	} {
		if got := read(c.max, c.partitionMax, c.indexes...); !slices.Equal(got, c.want) {
			t.Errorf("max %d, of a partition %d, partitions %v: %v batches, want %v", c.max, c.partitionMax, c.indexes, got, c.want)
		}
	}
	w.FetchMaxBytes = 3 * size // fetch.max.bytes
	if got := read(1<<20, 1<<20, 0, 1); !slices.Equal(got, []int{3, 0}) {
		t.Errorf("under fetch.max.bytes: %v", got)
	}
}

func TestFetchIsolation(t *testing.T) { // 5, 7, 8
	w := newDataWorld(t)
	id := w.topic("t", 1)
	w.fill("t", 0, batchOf("a"))
	versions(t, protocol.FetchKey, func(t *testing.T, v int16) {
		r := fetchRequest(v, "t", id, 0, 0)
		if p := fetched1(t, ask[*kmsg.FetchResponse](w, r)); p.AbortedTransactions != nil {
			t.Errorf("read_uncommitted: aborted transactions %v, want null", p.AbortedTransactions)
		}
		r.IsolationLevel = 1
		if p := fetched1(t, ask[*kmsg.FetchResponse](w, r)); p.AbortedTransactions == nil || len(p.AbortedTransactions) > 0 || len(p.RecordBatches) == 0 {
			t.Errorf("read_committed: %+v", p)
		}
		r.IsolationLevel = 2
		resp := ask[*kmsg.FetchResponse](w, r)
		code := resp.ErrorCode
		if v < 7 {
			code = fetched1(t, resp).ErrorCode
		}
		wantCode(t, code, protocol.InvalidRequest)
	})
}

// TestFetchAborted reads around transactions that another build left in the log.
func TestFetchAborted(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1)
	p, err := w.Partitions.Find("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	sequence := int32(0)
	put := func(values ...string) {
		o := record.NewOptions()
		o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = 5, 0, sequence, true
		sequence += int32(len(values))
		if _, err := p.Append(batchWith(o, values...), 0); err != nil {
			t.Fatal(err)
		}
	}
	end := func(commit bool) {
		if _, err := p.Append(record.EndTxn{Commit: commit}.Batch(1000, 5, 0), 0); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "b") // 0 1
	end(false)
	put("c") // 3
	end(true)
	w.fill("t", 0, batchOf("d")) // 5
	put("open")                  // 6
	w.fill("t", 0, batchOf("e")) // 7
	r := fetchRequest(18, "t", id, 0, 0)
	all := fetched1(t, ask[*kmsg.FetchResponse](w, r))
	if all.HighWatermark != 8 || all.LastStableOffset != 6 || len(offsetsIn(t, all.RecordBatches)) != 7 {
		t.Errorf("read_uncommitted: %+v", all)
	}
	r.IsolationLevel = 1
	stable := fetched1(t, ask[*kmsg.FetchResponse](w, r))
	if got := offsetsIn(t, stable.RecordBatches); got[len(got)-1] != 5 {
		t.Errorf("read_committed reads batches at %v", got)
	}
	if a := stable.AbortedTransactions; len(a) != 1 || a[0].ProducerID != 5 || a[0].FirstOffset != 0 {
		t.Errorf("aborted: %v", a)
	}
	r.Topics[0].Partitions[0].FetchOffset = 3
	if a := fetched1(t, ask[*kmsg.FetchResponse](w, r)).AbortedTransactions; len(a) != 0 {
		t.Errorf("aborted before the fetch: %v", a)
	}
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version, list.ReplicaID = 11, -1
	list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, Timestamp: -1, CurrentLeaderEpoch: -1}}}}
	for isolation, want := range map[int8]int64{0: 8, 1: 6} {
		list.IsolationLevel = isolation
		if got := ask[*kmsg.ListOffsetsResponse](w, list).Topics[0].Partitions[0].Offset; got != want {
			t.Errorf("latest at isolation %d: %d, want %d", isolation, got, want)
		}
	}
}

func TestFetchAsFollower(t *testing.T) { // 15
	w := newDataWorld(t)
	id := w.topic("t", 1)
	w.fill("t", 0, batchOf("a"))
	for _, v := range []int16{4, 9, 14, 15, 18} {
		for replica, want := range map[int32]protocol.Code{testNode: protocol.NotLeaderForPartition, 7: protocol.NotLeaderForPartition, -2: protocol.None} {
			r := fetchRequest(v, "t", id, 0, 0)
			if r.ReplicaID = replica; v >= 15 {
				r.ReplicaState.ID = replica
			}
			wantCode(t, fetched1(t, ask[*kmsg.FetchResponse](w, r)).ErrorCode, want)
			if v >= 9 && want != protocol.None {
				r.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
				wantCode(t, fetched1(t, ask[*kmsg.FetchResponse](w, r)).ErrorCode, protocol.UnknownLeaderEpoch)
			}
		}
	}
	w.rules.deny(security.ClusterAction, security.Cluster, security.ClusterName)
	r := fetchRequest(18, "t", id, 0, 0)
	r.ReplicaState.ID = 7
	wantCode(t, fetched1(t, ask[*kmsg.FetchResponse](w, r)).ErrorCode, protocol.TopicAuthorizationFailed)
}

func TestFetchNamesTwice(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 30)
	w.fill("t", 0, batchOf("a", "b"), batchOf("c"))
	r := fetchRequest(18, "t", id, 0, 0)
	for i := range int32(60) {
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, fetchPartition(i%30, 2))
	}
	resp := ask[*kmsg.FetchResponse](w, r)
	if len(resp.Topics[0].Partitions) != 30 {
		t.Fatalf("%d partitions answered", len(resp.Topics[0].Partitions))
	}
	if got := offsetsIn(t, resp.Topics[0].Partitions[0].RecordBatches); !slices.Equal(got, []int64{2}) {
		t.Errorf("batches at %v: the last of the two counts", got)
	}
}

// TestFetchBelowLogStart: what DeleteRecords gave up is out of range, mid-batch too.
func TestFetchBelowLogStart(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1)
	w.fill("t", 0, batchOf("a", "b", "c"), batchOf("d"))
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.Version = 2
	del.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "t", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 0, Offset: 1}}}}
	ask[*kmsg.DeleteRecordsResponse](w, del)
	wantCode(t, fetched1(t, ask[*kmsg.FetchResponse](w, fetchRequest(18, "t", id, 0, 0))).ErrorCode, protocol.OffsetOutOfRange)
	p := fetched1(t, ask[*kmsg.FetchResponse](w, fetchRequest(18, "t", id, 0, 1)))
	if got := offsetsIn(t, p.RecordBatches); p.LogStartOffset != 1 || !slices.Equal(got, []int64{0, 3}) {
		t.Errorf("log start %d, batches at %v", p.LogStartOffset, got)
	}
}

// TestFetchNeverPassesAPowerCut produces and fetches at random, with acks of every kind, and cuts the power again and
// again: what any consumer has read must be there, at the same offsets, in what the cut left.
func TestFetchNeverPassesAPowerCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		w := newDataWorld(t)
		w.fs.Add("sync of *.log #1+ -> delay 1ms")
		id := w.topic("t", 1)
		read, acked := int64(0), int64(0)
		var pending []*answer
		for range 30 {
			acks := []int16{-1, 0, 1}[rnd.IntN(3)]
			pending = append(pending, w.send(w.conn, produceRequest(13, "t", id, 0, acks, batchOf("a", "b"))))
			p := fetched1(t, ask[*kmsg.FetchResponse](w, fetchRequest(18, "t", id, 0, read)))
			for _, base := range offsetsIn(t, p.RecordBatches) {
				read = max(read, base+2)
			}
			for _, a := range pending {
				if a.ready() && a.resp != nil && a.request.(*kmsg.ProduceRequest).Acks == -1 {
					acked = max(acked, answered(t, a.resp.(*kmsg.ProduceResponse)).BaseOffset+2)
				}
			}
			if rnd.IntN(5) > 0 {
				continue
			}
			after := w.powerCut(rnd, rnd.IntN(101))
			found, err := after.Partitions.Find("t", 0)
			if err != nil {
				t.Fatal(err)
			}
			if end := found.End(); end < read || end < acked {
				t.Fatalf("a consumer has read to %d and a producer was promised %d; the power cut leaves %d", read, acked, end)
			}
			if p := fetched1(t, ask[*kmsg.FetchResponse](after, fetchRequest(18, "t", id, 0, read))); p.ErrorCode != 0 {
				t.Fatalf("position %d after the power cut: %s", read, protocol.Code(p.ErrorCode))
			}
		}
	}
}

// TestFetchDeniesEveryPartition: the second partition of a topic that is denied is as hidden as the first.
func TestFetchDeniesEveryPartition(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("hidden", 2)
	w.rules.deny(security.Read, security.Topic, "hidden")
	r := fetchRequest(18, "hidden", id, 0, 0)
	r.Topics[0].Partitions = append(r.Topics[0].Partitions, fetchPartition(1, 0), fetchPartition(9, 0))
	for _, p := range ask[*kmsg.FetchResponse](w, r).Topics[0].Partitions {
		wantCode(t, p.ErrorCode, protocol.TopicAuthorizationFailed)
	}
}

// TestFollowersAnswer is 12: who may read from a replica that does not lead.
func TestFollowersAnswer(t *testing.T) {
	w := newDataWorld(t)
	w.elsewhere("none") // broker 2
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, made := i.CreateTopics([]cluster.NewTopic{{Name: "t", Partitions: -1, ReplicationFactor: -1,
			Assignments: []cluster.Assignment{{Partition: 0, Replicas: []int32{2, testNode}}}}}, cluster.Creation{Rand: w.rand})
		return records, made[0].Err
	})
	for v, want := range map[int16]protocol.Code{4: protocol.NotLeaderForPartition, 10: protocol.NotLeaderForPartition, 11: 0, 12: 0} {
		wantCode(t, fetched1(t, ask[*kmsg.FetchResponse](w, fetchRequest(v, "t", cluster.TopicID{}, 0, 0))).ErrorCode, want)
	}
	for replica, want := range map[int32]protocol.Code{-1: protocol.NotLeaderForPartition, 7: protocol.NotLeaderForPartition, -2: 0} {
		r := listRequest(7, "t", 0, -1)
		r.ReplicaID = replica
		wantCode(t, listedOne(t, ask[*kmsg.ListOffsetsResponse](w, r)).ErrorCode, want)
	}
	p := ask[*kmsg.OffsetForLeaderEpochResponse](w, epochRequest(4, "t", 0, 0, -1)).Topics[0].Partitions[0]
	wantCode(t, p.ErrorCode, protocol.NotLeaderForPartition)
}
