package api

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

func listRequest(version int16, topic string, index int32, timestamp int64) *kmsg.ListOffsetsRequest {
	r := kmsg.NewPtrListOffsetsRequest()
	r.Version, r.ReplicaID = version, -1
	r.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{
		{Partition: index, Timestamp: timestamp, CurrentLeaderEpoch: -1}}}}
	return r
}

func listedOne(t testing.TB, resp *kmsg.ListOffsetsResponse) kmsg.ListOffsetsResponseTopicPartition {
	t.Helper()
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		t.Fatalf("%+v", resp)
	}
	return resp.Topics[0].Partitions[0]
}

// timed is a batch of records with these time stamps.
func timed(timestamps ...int64) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	for _, ts := range timestamps {
		b.Add(ts, []byte("k"), nil)
	}
	return b.Batch()
}

func TestListOffsets(t *testing.T) {
	w := newDataWorld(t)
	w.topic("t", 2)
	w.topic("hidden", 1)
	w.rules.deny(security.Describe, security.Topic, "hidden")
	w.fill("t", 0, timed(1000, 1010, 1020), timed(1050, 1030, 1050), timed(1005, 1040), timed(1050))
	const none = -1
	cases := []struct {
		name      string
		topic     string
		index     int32
		timestamp int64
		since     int16 // before it, UNSUPPORTED_VERSION
		offset    int64
		found     int64
		epoch     int32
		code      protocol.Code
	}{
		{"latest", "t", 0, -1, 1, 9, none, 0, 0},
		{"latest of an empty one", "t", 1, -1, 1, 0, none, 0, 0},
		{"earliest", "t", 0, -2, 1, 0, none, 0, 0},
		{"earliest of an empty one", "t", 1, -2, 1, 0, none, 0, 0},
		{"largest", "t", 0, -3, 7, 3, 1050, 0, 0},
		{"largest of an empty one", "t", 1, -3, 7, none, none, none, 0},
		{"earliest local", "t", 0, -4, 8, 0, none, 0, 0},
		{"latest tiered", "t", 0, -5, 9, none, none, none, 0},
		{"earliest upload", "t", 0, -6, 11, none, none, none, 0},
		{"-7", "t", 0, -7, 99, none, none, none, 0},
		{"the very first", "t", 0, 0, 1, 0, 1000, 0, 0},
		{"exactly", "t", 0, 1010, 1, 1, 1010, 0, 0},
		{"between", "t", 0, 1021, 1, 3, 1050, 0, 0},
		{"above all", "t", 0, 1051, 1, none, none, none, 0},
		{"no topic", "none", 0, -1, 1, none, none, none, protocol.UnknownTopicOrPartition},
		{"no partition", "t", 2, -1, 1, none, none, none, protocol.UnknownTopicOrPartition},
		{"denied", "hidden", 0, -1, 1, none, none, none, protocol.TopicAuthorizationFailed},
	}
	versions(t, protocol.ListOffsetsKey, func(t *testing.T, v int16) {
		for _, c := range cases {
			want := kmsg.NewListOffsetsResponseTopicPartition()
			want.Partition, want.Offset, want.Timestamp, want.LeaderEpoch, want.ErrorCode = c.index, c.offset, c.found, c.epoch, int16(c.code)
			if v < c.since {
				want.Offset, want.Timestamp, want.LeaderEpoch, want.ErrorCode = none, none, none, int16(protocol.UnsupportedVersion)
			}
			if v < 4 {
				want.LeaderEpoch = none
			}
			p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, listRequest(v, c.topic, c.index, c.timestamp)))
			if p.Offset != want.Offset || p.Timestamp != want.Timestamp || p.LeaderEpoch != want.LeaderEpoch || p.ErrorCode != want.ErrorCode {
				t.Errorf("%s: %+v, want %+v", c.name, p, want)
			}
		}
	})
}

func TestListOffsetsEpochsAndReplicas(t *testing.T) { // 2, 7, 9
	w := newDataWorld(t)
	w.topic("t", 1)
	w.fill("t", 0, batchOf("a"))
	w.bumpEpochs()
	versions(t, protocol.ListOffsetsKey, func(t *testing.T, v int16) {
		for epoch, want := range map[int32]protocol.Code{-1: 0, 0: protocol.FencedLeaderEpoch, 1: 0, 2: protocol.UnknownLeaderEpoch, -2: protocol.FencedLeaderEpoch} {
			r := listRequest(v, "t", 0, -1)
			r.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
			if v < 4 {
				want = protocol.None
			}
			p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, r))
			wantCode(t, p.ErrorCode, want)
			if v >= 4 && want == protocol.None && p.LeaderEpoch != 1 {
				t.Errorf("leader epoch %d, want that of the leader", p.LeaderEpoch)
			}
		}
		for _, replica := range []int32{-2, 1, 7} {
			r := listRequest(v, "t", 0, -1)
			r.ReplicaID = replica
			if p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, r)); p.ErrorCode != 0 || p.Offset != 1 {
				t.Errorf("replica %d: %+v", replica, p)
			}
		}
		twice := listRequest(v, "t", 0, -1)
		twice.Topics[0].Partitions = append(twice.Topics[0].Partitions, twice.Topics[0].Partitions[0])
		wantCode(t, listedOne(t, ask[*kmsg.ListOffsetsResponse](w, twice)).ErrorCode, protocol.InvalidRequest)
		apart := listRequest(v, "t", 0, -1)
		apart.Topics = append(apart.Topics, apart.Topics[0])
		wantCode(t, listedOne(t, ask[*kmsg.ListOffsetsResponse](w, apart)).ErrorCode, protocol.InvalidRequest)
		empty := listRequest(v, "t", 0, -1)
		empty.Topics[0].Partitions = nil
		if resp := ask[*kmsg.ListOffsetsResponse](w, empty); len(resp.Topics) != 0 {
			t.Errorf("%+v", resp)
		}
	})
	if p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, listRequest(11, "t", 0, -2))); p.LeaderEpoch != 0 {
		t.Errorf("the earliest record is of epoch 0, not %d", p.LeaderEpoch)
	}
}

// TestListOffsetsByTime holds random logs, with time stamps out of order, against brute force.
func TestListOffsetsByTime(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newDataWorld(t, "log.durability", "pagecache")
	w.topic("t", 1, "segment.bytes", "1048576", "index.interval.bytes", "100")
	var all []int64
	for range 300 {
		var stamps []int64
		for range 1 + rnd.IntN(5) {
			stamps = append(stamps, 1000+int64(len(all))*3+rnd.Int64N(200))
		}
		all = append(all, stamps...)
		w.fill("t", 0, timed(stamps...))
	}
	for range 2000 {
		ts := 900 + rnd.Int64N(int64(len(all))*3+500)
		wantOffset, want := int64(-1), int64(-1)
		for i, stamp := range all {
			if stamp >= ts {
				wantOffset, want = int64(i), stamp
				break
			}
		}
		p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, listRequest(7, "t", 0, ts)))
		if p.Offset != wantOffset || p.Timestamp != want {
			t.Fatalf("time %d: offset %d time %d, want %d and %d", ts, p.Offset, p.Timestamp, wantOffset, want)
		}
	}
}

// TestListOffsetsAfterAnElection is 8: what the predecessor committed may lie above the high watermark.
func TestListOffsetsAfterAnElection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		w.fill("t", 0, batchOf("a"))
		w.slow(time.Second)
		w.send(w.conn, produceRequest(13, "t", id, 0, 1, batchOf("b")))
		w.bumpEpochs() // the epoch begins at 2, the high watermark is 1
		for v, want := range map[int16]protocol.Code{4: protocol.LeaderNotAvailable, 5: protocol.OffsetNotAvailable, 11: protocol.OffsetNotAvailable} {
			for _, ts := range []int64{-1, 1 << 60} {
				wantCode(t, listedOne(t, ask[*kmsg.ListOffsetsResponse](w, listRequest(v, "t", 0, ts))).ErrorCode, want)
			}
			if p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, listRequest(v, "t", 0, -2))); p.ErrorCode != 0 || p.Offset != 0 {
				t.Errorf("earliest: %+v", p)
			}
			if p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, listRequest(v, "t", 0, 0))); p.ErrorCode != 0 || p.Offset != 0 {
				t.Errorf("a time that is found below the high watermark: %+v", p)
			}
		}
		time.Sleep(2 * time.Second)
		if p := listedOne(t, ask[*kmsg.ListOffsetsResponse](w, listRequest(11, "t", 0, -1))); p.Offset != 2 {
			t.Errorf("%+v", p)
		}
	})
}

func epochRequest(version int16, topic string, index, epoch, current int32) *kmsg.OffsetForLeaderEpochRequest {
	r := kmsg.NewPtrOffsetForLeaderEpochRequest()
	r.Version, r.ReplicaID = version, -1
	r.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{
		{Partition: index, LeaderEpoch: epoch, CurrentLeaderEpoch: current}}}}
	return r
}

func TestOffsetForLeaderEpoch(t *testing.T) { // 3.6
	w := newDataWorld(t)
	w.topic("t", 2)
	w.topic("hidden", 1)
	w.fill("t", 0, batchOf("a", "b")) // epoch 0: 0–2
	w.bumpEpochs()
	w.bumpEpochs()
	w.fill("t", 0, batchOf("c", "d", "e")) // epoch 2: 2–5
	w.bumpEpochs()                         // epoch 3 has no record yet
	w.rules.deny(security.Describe, security.Topic, "hidden")
	w.rules.deny(security.ClusterAction, security.Cluster, security.ClusterName)
	versions(t, protocol.OffsetForLeaderEpochKey, func(t *testing.T, v int16) {
		for _, c := range []struct {
			topic          string
			index          int32
			epoch, current int32
			largest        int32
			end            int64
			code           protocol.Code
		}{
			{"t", 0, 0, -1, 0, 2, 0},
			{"t", 0, 1, -1, 0, 2, 0},
			{"t", 0, 2, -1, 2, 5, 0},
			{"t", 0, 3, -1, 3, 5, 0},
			{"t", 0, 4, -1, -1, -1, 0},
			{"t", 0, -1, -1, -1, -1, 0},
			{"t", 0, -2, -1, -2, 0, 0},
			{"t", 1, 0, -1, 0, 0, 0}, // before all that is known of the empty partition (KIP-279)
			{"t", 1, 3, -1, 3, 0, 0},
			{"t", 0, 0, 3, 0, 2, 0},
			{"t", 0, 0, 2, -1, -1, protocol.FencedLeaderEpoch},
			{"t", 0, 0, 4, -1, -1, protocol.UnknownLeaderEpoch},
			{"t", 2, 0, -1, -1, -1, protocol.UnknownTopicOrPartition},
			{"none", 0, 0, -1, -1, -1, protocol.UnknownTopicOrPartition},
			{"hidden", 0, 0, -1, -1, -1, protocol.TopicAuthorizationFailed},
		} {
			p := ask[*kmsg.OffsetForLeaderEpochResponse](w, epochRequest(v, c.topic, c.index, c.epoch, c.current)).Topics[0].Partitions[0]
			if p.LeaderEpoch != c.largest || p.EndOffset != c.end || protocol.Code(p.ErrorCode) != c.code {
				t.Errorf("%+v: %+v", c, p)
			}
		}
	})
}

// TestNoTruncationAfterARestart is 3.6 item 3: a consumer that was at the end hears of no shorter epoch, after a power cut
// either.
func TestNoTruncationAfterARestart(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for percent := 0; percent <= 100; percent += 20 {
		w := newDataWorld(t)
		w.topic("t", 1)
		position := int64(0)
		for range 5 {
			w.fill("t", 0, batchOf("a", "b"))
			position += 2
			epoch := w.Image().Partition("t", 0).LeaderEpoch
			w = w.powerCut(rnd, percent)
			p := ask[*kmsg.OffsetForLeaderEpochResponse](w, epochRequest(4, "t", 0, epoch, -1)).Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.LeaderEpoch != epoch || p.EndOffset < position {
				t.Fatalf("epoch %d to %d; after a power cut %+v", epoch, position, p)
			}
		}
	}
}

func deleteRequest(version int16, topic string, index int32, offset int64) *kmsg.DeleteRecordsRequest {
	r := kmsg.NewPtrDeleteRecordsRequest()
	r.Version, r.TimeoutMillis = version, 1000
	r.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: index, Offset: offset}}}}
	return r
}

func TestDeleteRecords(t *testing.T) { // 3.11 item 12
	versions(t, protocol.DeleteRecordsKey, func(t *testing.T, v int16) {
		w := newDataWorld(t)
		w.topic("t", 2)
		w.topic("compacted", 1, "cleanup.policy", "compact")
		w.topic("both", 1, "cleanup.policy", "compact,delete")
		w.topic("__consumer_offsets", 1)
		w.topic("hidden", 1)
		w.elsewhere("elsewhere")
		w.rules.deny(security.Delete, security.Topic, "hidden")
		w.fill("t", 0, batchOf("a", "b", "c"), batchOf("d", "e"))
		w.fill("both", 0, batchOf("a"))
		for _, c := range []struct {
			topic  string
			index  int32
			offset int64
			low    int64
			code   protocol.Code
		}{
			{"t", 0, 0, 0, 0},
			{"t", 0, 1, 1, 0},
			{"t", 0, 0, 1, 0}, // below the start: nothing
			{"t", 0, 6, -1, protocol.OffsetOutOfRange},
			{"t", 0, -2, -1, protocol.OffsetOutOfRange},
			{"t", 0, -1, 5, 0},
			{"t", 1, -1, 0, 0},
			{"t", 2, 0, -1, protocol.UnknownTopicOrPartition},
			{"none", 0, 0, -1, protocol.UnknownTopicOrPartition},
			{"elsewhere", 0, 0, -1, protocol.NotLeaderForPartition},
			{"compacted", 0, 0, -1, protocol.PolicyViolation},
			{"both", 0, -1, 1, 0},
			{"__consumer_offsets", 0, 0, -1, protocol.InvalidTopicException},
			{"hidden", 0, 0, -1, protocol.TopicAuthorizationFailed},
		} {
			p := ask[*kmsg.DeleteRecordsResponse](w, deleteRequest(v, c.topic, c.index, c.offset)).Topics[0].Partitions[0]
			if p.LowWatermark != c.low || protocol.Code(p.ErrorCode) != c.code {
				t.Errorf("%+v: low watermark %d, %s", c, p.LowWatermark, protocol.Code(p.ErrorCode))
			}
		}
		// It is durable.
		after := w.powerCut(rand.New(rand.NewPCG(1, 1)), 0)
		if p := listedOne(t, ask[*kmsg.ListOffsetsResponse](after, listRequest(7, "t", 0, -2))); p.Offset != 5 {
			t.Errorf("after a power cut the log starts at %d", p.Offset)
		}
	})
}

func TestDescribeLogDirs(t *testing.T) { // 3.11 item 19
	w := newDataWorld(t)
	w.topic("a", 1)
	w.topic("b", 3)
	w.elsewhere("elsewhere")
	w.fill("b", 1, batchOf("x"))
	size := int64(len(batchOf("x")))
	versions(t, protocol.DescribeLogDirsKey, func(t *testing.T, v int16) {
		r := kmsg.NewPtrDescribeLogDirsRequest()
		r.Version = v
		resp := ask[*kmsg.DescribeLogDirsResponse](w, r)
		d := resp.Dirs[0]
		if d.Dir != "data" || len(d.Topics) != 2 || d.Topics[0].Topic != "a" || len(d.Topics[1].Partitions) != 3 {
			t.Fatalf("all: %+v", resp)
		}
		if p := d.Topics[1].Partitions[1]; p.Partition != 1 || p.Size != size || p.OffsetLag != 0 || p.IsFuture {
			t.Errorf("%+v", p)
		}
		if v >= 4 && (d.TotalBytes <= 0 || d.UsableBytes <= 0 || d.UsableBytes > d.TotalBytes) {
			t.Errorf("%+v", d)
		}
		r.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "b", Partitions: []int32{2, 7}}, {Topic: "none", Partitions: []int32{0}}}
		d = ask[*kmsg.DescribeLogDirsResponse](w, r).Dirs[0]
		if len(d.Topics) != 1 || len(d.Topics[0].Partitions) != 1 || d.Topics[0].Partitions[0].Partition != 2 {
			t.Errorf("some: %+v", d)
		}
		r.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		if d = ask[*kmsg.DescribeLogDirsResponse](w, r).Dirs[0]; len(d.Topics) != 0 {
			t.Errorf("none: %+v", d)
		}
	})
	w.rules.deny(security.Describe, security.Cluster, security.ClusterName)
	versions(t, protocol.DescribeLogDirsKey, func(t *testing.T, v int16) {
		r := kmsg.NewPtrDescribeLogDirsRequest()
		r.Version = v
		resp := ask[*kmsg.DescribeLogDirsResponse](w, r)
		if len(resp.Dirs) != 0 || v >= 3 && protocol.Code(resp.ErrorCode) != protocol.ClusterAuthorizationFailed {
			t.Errorf("denied: %+v", resp)
		}
	})
}

func TestInitProducerID(t *testing.T) {
	w := newDataWorld(t)
	txn, empty := "txn", ""
	seen := map[int64]bool{}
	versions(t, protocol.InitProducerIDKey, func(t *testing.T, v int16) {
		for _, c := range []struct {
			name  string
			id    *string
			pid   int64
			epoch int16
			since int16
			code  protocol.Code
		}{
			{"idempotent", nil, -1, -1, 0, 0},
			{"with id and epoch", nil, 5, 3, 3, 0},
			{"id without epoch", nil, 5, -1, 3, protocol.InvalidRequest},
			{"epoch without id", nil, -1, 3, 3, protocol.InvalidRequest},
			{"empty transactional id", &empty, -1, -1, 0, protocol.InvalidRequest},
			{"transactional id", &txn, -1, -1, 0, protocol.UnsupportedVersion},
		} {
			if v < c.since {
				continue
			}
			r := kmsg.NewPtrInitProducerIDRequest()
			r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch = v, c.id, c.pid, c.epoch
			resp := ask[*kmsg.InitProducerIDResponse](w, r)
			wantCode(t, resp.ErrorCode, c.code)
			if c.code != 0 {
				if resp.ProducerID != -1 || resp.ProducerEpoch != -1 {
					t.Errorf("%s: %+v", c.name, resp)
				}
				continue
			}
			if resp.ProducerEpoch != 0 || seen[resp.ProducerID] {
				t.Errorf("%s: %+v", c.name, resp)
			}
			seen[resp.ProducerID] = true
		}
	})
	r := kmsg.NewPtrInitProducerIDRequest()
	r.Version = 4
	w.rules.deny(security.IdempotentWrite, security.Cluster, security.ClusterName)
	wantCode(t, ask[*kmsg.InitProducerIDResponse](w, r).ErrorCode, protocol.None) // WRITE on some topic will do
	w.rules.deny(security.Write, security.Topic, "*")
	wantCode(t, ask[*kmsg.InitProducerIDResponse](w, r).ErrorCode, protocol.ClusterAuthorizationFailed)
	w.rules.deny(security.Write, security.TransactionalID, txn)
	r.TransactionalID = &txn
	wantCode(t, ask[*kmsg.InitProducerIDResponse](w, r).ErrorCode, protocol.TransactionalIDAuthorizationFailed)
}

// TestProducerIDsComeInBlocks: one proposal for a thousand ids; ids go on where the last block ended, also after a restart.
func TestProducerIDsComeInBlocks(t *testing.T) {
	w := newDataWorld(t)
	before := w.offset
	for want := range int64(2500) {
		if id, err := w.ProducerIDs.Next(); err != nil || id != want {
			t.Fatalf("id %d, %v, want %d", id, err, want)
		}
	}
	if n := w.offset - before; n != 3 {
		t.Errorf("%d proposals for 2500 ids", n)
	}
	again := NewProducerIDs(w, testNode)
	if id, err := again.Next(); err != nil || id != 3*cluster.ProducerIDBlock {
		t.Errorf("after a restart %d, %v", id, err)
	}
	w.refuse = errTest
	r := kmsg.NewPtrInitProducerIDRequest()
	for range 500 {
		ask[*kmsg.InitProducerIDResponse](w, r)
	}
	if resp := ask[*kmsg.InitProducerIDResponse](w, r); protocol.Code(resp.ErrorCode) != protocol.CoordinatorLoadInProgress {
		t.Errorf("%+v", resp)
	}
	w.refuse = nil
	wantCode(t, ask[*kmsg.InitProducerIDResponse](w, r).ErrorCode, protocol.None)
}

// TestProducerIDsAtOnce: whoever asks at the same time gets an id of his own, and no more blocks are taken than it needs.
func TestProducerIDsAtOnce(t *testing.T) {
	w := newDataWorld(t)
	before := w.offset
	var mu sync.Mutex
	seen := map[int64]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				id, err := w.ProducerIDs.Next()
				mu.Lock()
				if err != nil || seen[id] {
					t.Errorf("id %d, %v", id, err)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if n := w.offset - before; n != 8 {
		t.Errorf("%d blocks for 8000 ids", n)
	}
}
