package api

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// answered is the one partition of a Produce answer.
func answered(t testing.TB, resp *kmsg.ProduceResponse) kmsg.ProduceResponseTopicPartition {
	t.Helper()
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		t.Fatalf("%d topics in the answer: %+v", len(resp.Topics), resp.Topics)
	}
	return resp.Topics[0].Partitions[0]
}

func wantCode(t testing.TB, got int16, want protocol.Code) {
	t.Helper()
	if protocol.Code(got) != want {
		t.Errorf("%s, want %s", protocol.Code(got), want)
	}
}

func TestProduceAtEveryVersion(t *testing.T) {
	for _, durability := range []string{"fsync", "pagecache"} {
		t.Run(durability, func(t *testing.T) {
			w := newDataWorld(t, "log.durability", durability)
			id := w.topic("t", 1)
			end := int64(0)
			versions(t, protocol.ProduceKey, func(t *testing.T, v int16) {
				for _, acks := range []int16{-1, 1} {
					p := answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(v, "t", id, 0, acks, batchOf("a", "b"))))
					if p.ErrorCode != 0 || p.BaseOffset != end || p.LogAppendTime != -1 {
						t.Errorf("acks %d: %+v, want offset %d", acks, p, end)
					}
					if v >= 5 && p.LogStartOffset != 0 {
						t.Errorf("log start %d", p.LogStartOffset)
					}
					end += 2
				}
			})
		})
	}
}

// TestProduceRefusals is the errors that a partition may get, at the first and the newest version. Nothing is appended.
func TestProduceRefusals(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1)
	hidden := w.topic("hidden", 1)
	w.rules.deny(security.Write, security.Topic, "hidden")
	w.rules.deny(security.Write, security.Topic, "hidden-none")
	internal := w.topic("__consumer_offsets", 1)
	elsewhere := w.elsewhere("elsewhere")
	none := cluster.TopicID{9}
	good := batchOf("a")
	cases := []struct {
		name          string
		topic         string
		id            cluster.TopicID
		index         int32
		acks          int16
		records       []byte
		byName, byID  protocol.Code
		logStartKnown bool
	}{
		{"1 acks 2", "t", id, 0, 2, good, protocol.InvalidRequiredAcks, protocol.InvalidRequiredAcks, false},
		{"1 acks -2", "t", id, 0, -2, good, protocol.InvalidRequiredAcks, protocol.InvalidRequiredAcks, false},
		{"4 null records", "t", id, 0, -1, nil, protocol.InvalidRecord, protocol.InvalidRecord, true},
		{"4 no records", "t", id, 0, -1, []byte{}, protocol.InvalidRecord, protocol.InvalidRecord, true},
		{"4 two batches", "t", id, 0, -1, append(bytes.Clone(good), good...), protocol.InvalidRecord, protocol.InvalidRecord, true},
		{"6 base offset", "t", id, 0, -1, change(good, func(b []byte) { b[7] = 1 }), protocol.InvalidRecord, protocol.InvalidRecord, true},
		{"6 checksum", "t", id, 0, -1, flip(good, 60), protocol.CorruptMessage, protocol.CorruptMessage, false},
		{"6 too large", "t", id, 0, -1, batchOf(string(make([]byte, 1_048_588))), protocol.MessageTooLarge, protocol.MessageTooLarge, false},
		{"6 control batch", "t", id, 0, -1, change(good, func(b []byte) { b[22] |= 0x20 }), protocol.InvalidRecord, protocol.InvalidRecord, true},
		{"12 unknown topic", "none", none, 0, -1, good, protocol.UnknownTopicOrPartition, protocol.UnknownTopicID, false},
		{"12 zero id", "", cluster.TopicID{}, 0, -1, good, protocol.UnknownTopicOrPartition, protocol.UnknownTopicID, false},
		{"12 unknown partition", "t", id, 1, -1, good, protocol.UnknownTopicOrPartition, protocol.UnknownTopicOrPartition, false},
		{"12 negative partition", "t", id, -1, -1, good, protocol.UnknownTopicOrPartition, protocol.UnknownTopicOrPartition, false},
		{"13 internal topic", "__consumer_offsets", internal, 0, -1, good, protocol.InvalidTopicException, protocol.InvalidTopicException, false},
		{"14 denied", "hidden", hidden, 0, -1, good, protocol.TopicAuthorizationFailed, protocol.TopicAuthorizationFailed, false},
		{"14 denied and not there", "hidden-none", none, 0, -1, good, protocol.TopicAuthorizationFailed, protocol.UnknownTopicID, false},
		{"11 led elsewhere", "elsewhere", elsewhere, 0, -1, good, protocol.NotLeaderForPartition, protocol.NotLeaderForPartition, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, v := range []int16{3, 9, 13} {
				want := c.byName
				if v >= 13 {
					want = c.byID
				}
				p := answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(v, c.topic, c.id, c.index, c.acks, c.records)))
				wantCode(t, p.ErrorCode, want)
				if p.BaseOffset != -1 || p.LogAppendTime != -1 || p.LogStartOffset != -1 && !(c.logStartKnown && v >= 5 && p.LogStartOffset == 0) {
					t.Errorf("v%d: %+v", v, p)
				}
			}
		})
	}
	if p, err := w.Partitions.Find("t", 0); err != nil || p.End() != 0 {
		t.Errorf("something was appended")
	}
}

// elsewhere creates a topic that another broker leads.
func (w *dataWorld) elsewhere(name string) cluster.TopicID {
	w.t.Helper()
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return i.StartBroker(cluster.Registration{ID: 2, LogDirs: [][16]byte{{2}}})
	})
	var id cluster.TopicID
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, created := i.CreateTopics([]cluster.NewTopic{{Name: name, Partitions: -1, ReplicationFactor: -1,
			Assignments: []cluster.Assignment{{Partition: 0, Replicas: []int32{2}}}}}, cluster.Creation{Rand: w.rand})
		id = created[0].ID
		return records, created[0].Err
	})
	return id
}

func change(b record.Batch, f func([]byte)) []byte {
	c := bytes.Clone(b)
	f(c)
	binary.BigEndian.PutUint32(c[17:], crc32.Checksum(c[21:], crc32.MakeTable(crc32.Castagnoli)))
	return c
}

func flip(b record.Batch, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 1
	return c
}

func TestProduceTellsWhoLeads(t *testing.T) { // KIP-951
	w := newDataWorld(t)
	id := w.elsewhere("elsewhere")
	for _, v := range []int16{9, 10, 13} {
		resp := ask[*kmsg.ProduceResponse](w, produceRequest(v, "elsewhere", id, 0, 1, batchOf("a")))
		p := answered(t, resp)
		if v < 10 {
			if len(resp.Brokers) > 0 || p.CurrentLeader.LeaderID != -1 {
				t.Errorf("v%d says %+v", v, resp)
			}
			continue
		}
		if p.CurrentLeader.LeaderID != 2 || p.CurrentLeader.LeaderEpoch != 0 || len(resp.Brokers) != 1 || resp.Brokers[0].Host != "host2" {
			t.Errorf("v%d: leader %+v brokers %+v", v, p.CurrentLeader, resp.Brokers)
		}
	}
}

func TestProduceWithoutAcks(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1)
	versions(t, protocol.ProduceKey, func(t *testing.T, v int16) {
		if a := w.send(w.conn, produceRequest(v, "t", id, 0, 0, batchOf("a"))); !a.ready() || !a.none {
			t.Errorf("answer %+v", a)
		}
		both := produceRequest(v, "t", id, 0, 0, batchOf("a"))
		both.Topics[0].Partitions = append(both.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: 5, Records: batchOf("b")})
		if a := w.send(w.conn, both); !a.ready() || a.why == nil {
			t.Errorf("a failed partition did not close the connection")
		}
	})
}

func TestProduceRecordErrors(t *testing.T) { // 8 and 9
	w := newDataWorld(t)
	id := w.topic("t", 1, "cleanup.policy", "compact")
	b := record.NewBuilder(record.NewOptions())
	for i, key := range []string{"k", "", "k", ""} {
		if key == "" {
			b.Add(1000, nil, []byte("v"))
		} else {
			b.Add(1000+int64(i), []byte(key), []byte("v"))
		}
	}
	batch := b.Batch()
	for _, v := range []int16{7, 8, 13} {
		p := answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(v, "t", id, 0, -1, bytes.Clone(batch))))
		wantCode(t, p.ErrorCode, protocol.InvalidRecord)
		if v < 8 {
			continue
		}
		if len(p.ErrorRecords) != 2 || p.ErrorRecords[0].RelativeOffset != 1 || p.ErrorRecords[1].RelativeOffset != 3 ||
			p.ErrorRecords[0].ErrorMessage == nil || p.ErrorMessage == nil {
			t.Errorf("v%d: %+v", v, p)
		}
	}
}

func TestProduceByTopicConfig(t *testing.T) { // 6, 7 and 9
	w := newDataWorld(t)
	w.topic("time", 1, "message.timestamp.type", "LogAppendTime")
	w.topic("small", 1, "max.message.bytes", "100")
	w.topic("gzip", 1, "compression.type", "gzip")
	before := time.Now().UnixMilli()
	p := answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(9, "time", cluster.TopicID{}, 0, -1, batchOf("a"))))
	if p.LogAppendTime < before {
		t.Errorf("append time %d, it is %d", p.LogAppendTime, before)
	}
	p = answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(9, "small", cluster.TopicID{}, 0, -1, batchOf(string(make([]byte, 100))))))
	wantCode(t, p.ErrorCode, protocol.MessageTooLarge)
	w.fill("gzip", 0, batchOf("a"))
	f := ask[*kmsg.FetchResponse](w, fetchRequest(11, "gzip", cluster.TopicID{}, 0, 0))
	if codec := record.Batch(f.Topics[0].Partitions[0].RecordBatches).Codec(); codec != record.Gzip {
		t.Errorf("stored as %s", codec)
	}
	tooBig := string(make([]byte, 1_000_000))
	w.topic("tiny-segments", 1, "segment.bytes", "1048576", "max.message.bytes", "4194304")
	p = answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(9, "tiny-segments", cluster.TopicID{}, 0, -1, batchOf(tooBig, tooBig))))
	wantCode(t, p.ErrorCode, protocol.RecordListTooLarge)
}

func TestProduceTransactional(t *testing.T) { // 14
	w := newDataWorld(t)
	id := w.topic("t", 2)
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = 5, 0, 0, true
	batch := batchWith(o, "a")
	txn := "txn"
	for _, c := range []struct {
		id     *string
		denied bool
		want   protocol.Code
	}{
		{nil, false, protocol.TransactionalIDAuthorizationFailed},
		{&txn, true, protocol.TransactionalIDAuthorizationFailed},
		{&txn, false, protocol.UnsupportedVersion},
	} {
		w.rules.denied = map[string]bool{}
		if c.denied {
			w.rules.deny(security.Write, security.TransactionalID, txn)
		}
		r := produceRequest(13, "t", id, 0, -1, batch)
		r.TransactionID = c.id
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: 1, Records: batch})
		resp := ask[*kmsg.ProduceResponse](w, r)
		for _, p := range resp.Topics[0].Partitions {
			wantCode(t, p.ErrorCode, c.want)
			if protocol.Code(p.ErrorCode).Retriable() {
				t.Errorf("%s makes clients try again", protocol.Code(p.ErrorCode))
			}
		}
	}
}

func TestProduceNamesTwice(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 40)
	for _, v := range []int16{9, 13} {
		r := produceRequest(v, "t", id, 0, -1, batchOf("first"))
		for i := range int32(40) { // beyond what is compared one by one
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: i % 40, Records: batchOf("last")})
		}
		r.Topics = append(r.Topics, r.Topics[0])
		resp := ask[*kmsg.ProduceResponse](w, r)
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 40 {
			t.Fatalf("%d topics, %d partitions answered", len(resp.Topics), len(resp.Topics[0].Partitions))
		}
	}
	f := ask[*kmsg.FetchResponse](w, fetchRequest(12, "t", cluster.TopicID{}, 0, 0))
	records := f.Topics[0].Partitions[0].RecordBatches
	if got := offsetsIn(t, records); len(got) != 2 || !bytes.Contains(records, []byte("last")) || bytes.Contains(records, []byte("first")) {
		t.Errorf("batches at %v", got)
	}
}

func TestProduceEmpty(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1)
	versions(t, protocol.ProduceKey, func(t *testing.T, v int16) {
		r := produceRequest(v, "t", id, 0, -1, nil)
		r.Topics[0].Partitions = nil
		if resp := ask[*kmsg.ProduceResponse](w, r); len(resp.Topics) != 0 {
			t.Errorf("%+v", resp.Topics)
		}
		r.Topics = nil
		if resp := ask[*kmsg.ProduceResponse](w, r); len(resp.Topics) != 0 {
			t.Errorf("%+v", resp.Topics)
		}
	})
}

func TestProduceToInternalTopicAsAdmin(t *testing.T) { // 13
	w := newDataWorld(t)
	id := w.topic("__consumer_offsets", 1)
	resp := await[*kmsg.ProduceResponse](t, w.sendAs(w.conn, "__admin_client", produceRequest(13, "", id, 0, -1, batchOf("a"))))
	wantCode(t, answered(t, resp).ErrorCode, protocol.None)
}

// TestProduceIdempotent is 15–18 as a client sees them.
func TestProduceIdempotent(t *testing.T) {
	w := newDataWorld(t)
	w.topic("t", 1)
	produce := func(epoch int16, sequence int32, values ...string) kmsg.ProduceResponseTopicPartition {
		o := record.NewOptions()
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = 100, epoch, sequence
		return answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(9, "t", cluster.TopicID{}, 0, -1, batchWith(o, values...))))
	}
	for _, step := range []struct {
		epoch    int16
		sequence int32
		values   []string
		offset   int64
		code     protocol.Code
	}{
		{0, 0, []string{"a", "b"}, 0, protocol.None},
		{0, 0, []string{"a", "b"}, 0, protocol.None}, // a duplicate: where the original is
		{0, 0, []string{"a"}, -1, protocol.OutOfOrderSequenceNumber},
		{0, 3, []string{"c"}, -1, protocol.OutOfOrderSequenceNumber},
		{0, 2, []string{"c"}, 2, protocol.None},
		{1, 5, []string{"d"}, -1, protocol.OutOfOrderSequenceNumber},
		{1, 0, []string{"d"}, 3, protocol.None},
		{0, 3, []string{"d"}, -1, protocol.InvalidProducerEpoch},
	} {
		p := produce(step.epoch, step.sequence, step.values...)
		if protocol.Code(p.ErrorCode) != step.code || p.BaseOffset != step.offset || p.LogStartOffset != 0 {
			t.Errorf("%+v: %+v", step, p)
		}
	}
}

func TestProduceOffline(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 1)
	w.topic("other", 1)
	w.fill("t", 0, batchOf("a"))
	w.fs.Add("sync of data/t-0/*.log -> EIO")
	p := answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(9, "t", id, 0, -1, batchOf("b"))))
	wantCode(t, p.ErrorCode, protocol.KafkaStorageError)
	for v, want := range map[int16]protocol.Code{3: protocol.NotLeaderForPartition, 4: protocol.KafkaStorageError, 13: protocol.KafkaStorageError} {
		p = answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(v, "t", id, 0, 1, batchOf("c"))))
		wantCode(t, p.ErrorCode, want)
	}
	for v, want := range map[int16]protocol.Code{5: protocol.NotLeaderForPartition, 6: protocol.KafkaStorageError, 18: protocol.KafkaStorageError} {
		f := ask[*kmsg.FetchResponse](w, fetchRequest(v, "t", id, 0, 0))
		wantCode(t, f.Topics[0].Partitions[0].ErrorCode, want)
	}
	w.fill("other", 0, batchOf("a")) // the rest goes on
}

func TestTooManyPartitions(t *testing.T) {
	w := newDataWorld(t)
	produce := produceRequest(3, "t", cluster.TopicID{}, 0, -1, make([]byte, 20<<20)) // large enough to be let through
	fetch := fetchRequest(4, "t", cluster.TopicID{}, 0, 0)
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version = 1
	list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t"}}
	for i := range int32(requestPartitionsMax + 1) {
		produce.Topics[0].Partitions = append(produce.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: i})
		fetch.Topics[0].Partitions = append(fetch.Topics[0].Partitions, fetchPartition(i, 0))
		list.Topics[0].Partitions = append(list.Topics[0].Partitions, kmsg.ListOffsetsRequestTopicPartition{Partition: i})
	}
	for _, r := range []kmsg.Request{produce, fetch, list} {
		a := &answer{t: t, came: make(chan struct{}), request: r}
		h := protocol.RequestHeader{Key: protocol.Key(r.Key()), Version: r.GetVersion()}
		handlers[h.Key](w.Server, NewRequest(h, r, 0, time.Now(), w.conn.Conn, a))
		if !a.ready() || a.why == nil {
			t.Errorf("%s with %d partitions was served", h.Key, requestPartitionsMax+1)
		}
	}
}

// TestProduceAsks holds that every topic is asked for, and that what the answer says of one that is denied is the same
// whether it is there or not.
func TestProduceAsks(t *testing.T) {
	w := newDataWorld(t)
	w.topic("there", 1)
	for _, name := range []string{"there", "not-there"} {
		w.rules.deny(security.Write, security.Topic, name)
	}
	var said [2]string
	for i, name := range []string{"there", "not-there"} {
		p := answered(t, ask[*kmsg.ProduceResponse](w, produceRequest(12, name, cluster.TopicID{}, 0, -1, batchOf("a"))))
		said[i] = fmt.Sprintf("%+v", p)
	}
	if said[0] != said[1] {
		t.Errorf("a denied topic shows:\n%s\n%s", said[0], said[1])
	}
}
