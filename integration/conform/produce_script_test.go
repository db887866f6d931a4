package conform

import (
	"bytes"
	"compress/gzip"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	scripts["produce"] = produceScript
	scripts["produce-records"] = produceRecordsScript
	scripts["produce-idempotent"] = produceIdempotentScript
	scripts["initproducerid"] = initProducerIDScript
}

// produceScript is what a request may get wrong around its records.
func produceScript(s *session) {
	id := s.topic("produce", 2)
	first, last := int16(3), int16(13)
	ask := func(step string, build func(v int16) *kmsg.ProduceRequest) {
		s.sweepFrom(step, first, last, func(v int16) kmsg.Request { return build(v) })
	}
	good := bytesOf(batch("a", "b"))
	ask("good", func(int16) *kmsg.ProduceRequest { return produce("produce", id, 0, -1, good) })
	ask("acks 1", func(int16) *kmsg.ProduceRequest { return produce("produce", id, 0, 1, good) })
	for _, acks := range []int16{2, -2, 32767} {
		ask(fmt.Sprintf("acks %d", acks), func(int16) *kmsg.ProduceRequest { return produce("produce", id, 0, acks, good) })
	}
	ask("unknown topic", func(int16) *kmsg.ProduceRequest { return produce("produce-none", someID, 0, -1, good) })
	ask("zero topic id", func(int16) *kmsg.ProduceRequest { return produce("", [16]byte{}, 0, -1, good) })
	ask("unknown partition", func(int16) *kmsg.ProduceRequest { return produce("produce", id, 2, -1, good) })
	ask("negative partition", func(int16) *kmsg.ProduceRequest { return produce("produce", id, -1, -1, good) })
	ask("bad name", func(int16) *kmsg.ProduceRequest { return produce("produce/", someID, 0, -1, good) })
	ask("no topics", func(int16) *kmsg.ProduceRequest {
		r := produce("produce", id, 0, -1, good)
		r.Topics = nil
		return r
	})
	ask("no partitions", func(int16) *kmsg.ProduceRequest {
		r := produce("produce", id, 0, -1, good)
		r.Topics[0].Partitions = nil
		return r
	})
	ask("good and bad partitions", func(int16) *kmsg.ProduceRequest {
		r := produce("produce", id, 0, -1, good)
		r.Topics[0].Partitions = append(r.Topics[0].Partitions,
			kmsg.ProduceRequestTopicPartition{Partition: 9, Records: good}, kmsg.ProduceRequestTopicPartition{Partition: 1, Records: good})
		return r
	})
	ask("same partition twice", func(int16) *kmsg.ProduceRequest {
		r := produce("produce", id, 1, -1, good)
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
		return r
	})
	offsets := s.internalID("__consumer_offsets")
	ask("internal topic", func(int16) *kmsg.ProduceRequest { return produce("__consumer_offsets", offsets, 0, -1, good) })
	noAnswer := produce("produce", id, 0, 0, good)
	noAnswer.SetVersion(9)
	s.tell("acks 0", noAnswer)
	noAnswer.Topics[0].Partitions[0].Partition = 77
	s.hangUp()
	s.tell("acks 0, unknown partition", noAnswer)
	s.hangUp()
	noAnswer.Topics[0].Partitions[0].Partition, noAnswer.Topics[0].Partitions[0].Records = 0, []byte("rubbish")
	s.tell("acks 0, rubbish", noAnswer)
	s.hangUp()
	quick := produce("produce", id, 0, -1, good)
	quick.TimeoutMillis = 0
	s.ask("time-out 0", s.newest(quick))
	quick.TimeoutMillis = -1
	s.ask("time-out -1", s.newest(quick))
	txn := produce("produce", id, 0, -1, with(batch("a"), func(b *kmsg.RecordBatch) {
		b.Attributes, b.ProducerID, b.ProducerEpoch, b.FirstSequence = 0x10, 12345, 0, 0
	}))
	s.ask("transactional batch without a transactional id", s.newest(txn))
	s.ask("what is there", s.newest(listOffsets("produce", 0, -1)))
}

func (s *session) internalID(name string) [16]byte {
	s.coordinator("conform")
	s.learnTopics(name)
	return s.quiet(metadataOf(name)).(*kmsg.MetadataResponse).Topics[0].TopicID
}

// produceRecordsScript is what records themselves may get wrong: nothing of it may be appended.
func produceRecordsScript(s *session) {
	id := s.topic("records", 64) // one for each case: what one appends does not shift the next
	compacted := s.topic("records-compacted", 1, "cleanup.policy", "compact")
	appendTime := s.topic("records-append-time", 1, "message.timestamp.type", "LogAppendTime")
	narrow := s.topic("records-narrow", 1, "message.timestamp.before.max.ms", "1000", "max.message.bytes", "200")
	gzipped := s.topic("records-gzip", 1, "compression.type", "gzip")
	plain := s.topic("records-uncompressed", 1, "compression.type", "uncompressed")

	type B = kmsg.RecordBatch
	two := func(change func(*B)) []byte { return with(batch("a", "b"), change) }
	cases := []struct {
		step    string
		records []byte
	}{
		{"empty", []byte{}},
		{"ten bytes", make([]byte, 10)},
		{"sixty-one zeros", make([]byte, 61)},
		{"cut short", bytesOf(batch("a"))[:60]},
		{"one byte more", append(bytesOf(batch("a")), 0)},
		{"two batches", append(bytesOf(batch("a")), bytesOf(batch("b"))...)},
		{"magic 0", with(batch("a"), func(b *B) { b.Magic = 0 })},
		{"magic 1", with(batch("a"), func(b *B) { b.Magic = 1 })},
		{"magic 3", with(batch("a"), func(b *B) { b.Magic = 3 })},
		{"magic -1", with(batch("a"), func(b *B) { b.Magic = -1 })},
		{"checksum", flip(bytesOf(batch("a")), 17)},
		{"a flipped bit in a value", flip(bytesOf(batch("aaaa")), 68)},
		{"length too small", lengthen(bytesOf(batch("a")), -1)},
		{"length too large", lengthen(bytesOf(batch("a")), 1)},
		{"length zero", lengthen(bytesOf(batch("a")), -56-13)},
		{"offset 5", two(func(b *B) { b.FirstOffset = 5 })},
		{"leader epoch 9", two(func(b *B) { b.PartitionLeaderEpoch = 9 })},
		{"last offset delta 0", two(func(b *B) { b.LastOffsetDelta = 0 })},
		{"last offset delta 2", two(func(b *B) { b.LastOffsetDelta = 2 })},
		{"last offset delta -1", two(func(b *B) { b.LastOffsetDelta = -1 })},
		{"count 0", two(func(b *B) { b.NumRecords = 0 })},
		{"count 1", two(func(b *B) { b.NumRecords = 1 })},
		{"count 1 and delta 0", two(func(b *B) { b.NumRecords, b.LastOffsetDelta = 1, 0 })},
		{"count 3 and delta 2", two(func(b *B) { b.NumRecords, b.LastOffsetDelta = 3, 2 })},
		{"count -1", two(func(b *B) { b.NumRecords = -1 })},
		{"no records at all", two(func(b *B) { b.NumRecords, b.LastOffsetDelta, b.Records = 0, -1, nil })},
		{"control batch", two(func(b *B) { b.Attributes = 0x20 })},
		{"log append time", two(func(b *B) { b.Attributes = 0x08 })},
		{"delete horizon", two(func(b *B) { b.Attributes = 0x40 })},
		{"unknown attribute", two(func(b *B) { b.Attributes = 0x80 })},
		{"codec 5", two(func(b *B) { b.Attributes = 5 })},
		{"codec 7", two(func(b *B) { b.Attributes = 7 })},
		{"gzip that is none", two(func(b *B) { b.Attributes = 1 })},
		{"snappy that is none", two(func(b *B) { b.Attributes = 2 })},
		{"lz4 that is none", two(func(b *B) { b.Attributes = 3 })},
		{"zstd that is none", two(func(b *B) { b.Attributes = 4 })},
		{"gzip", two(squeeze)},
		{"gzip, wrong count", two(func(b *B) { squeeze(b); b.NumRecords, b.LastOffsetDelta = 3, 2 })},
		{"gzip, fewer counted", two(func(b *B) { squeeze(b); b.NumRecords, b.LastOffsetDelta = 1, 0 })},
		{"max timestamp too low", two(func(b *B) { b.MaxTimestamp = 5 })},
		{"max timestamp too high", two(func(b *B) { b.MaxTimestamp = 1 << 50 })},
		{"no timestamp", two(func(b *B) { b.FirstTimestamp, b.MaxTimestamp = -1, -1 })},
		{"negative timestamp", two(func(b *B) { b.FirstTimestamp, b.MaxTimestamp = -5, -5 })},
		{"timestamp in the year 5138", two(func(b *B) { b.FirstTimestamp, b.MaxTimestamp = 100_000_000_000_000, 100_000_000_000_000 })},
		{"producer without sequence", two(func(b *B) { b.ProducerID, b.ProducerEpoch = 7, 0 })},
		{"producer without epoch", two(func(b *B) { b.ProducerID, b.FirstSequence = 7, 0 })},
		{"sequence without producer", two(func(b *B) { b.FirstSequence = 0 })},
		{"producer -2", two(func(b *B) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = -2, 0, 0 })},
		{"transactional without producer", two(func(b *B) { b.Attributes = 0x10 })},
		{"offset deltas 0 0", withDeltas(0, 0)},
		{"offset deltas 1 0", withDeltas(1, 0)},
		{"offset deltas 0 5", withDeltas(0, 5)},
		{"record longer than the batch", two(func(b *B) { b.Records[0] = 0x7e })},
		{"record of negative length", two(func(b *B) { b.Records[0] = 0x01 })},
		{"null key and value", bytesOf(batchOf(kmsg.Record{}))},
		{"above max.message.bytes", bytesOf(batch(string(make([]byte, 1_048_588))))},
		{"just within max.message.bytes", bytesOf(batch(string(make([]byte, 1_048_588-61-14))))},
	}
	for i, c := range cases {
		s.ask(c.step, s.newest(produce("records", id, int32(i), -1, c.records)))
		s.ask(c.step, at(7, produce("records", id, int32(i), -1, c.records)))
	}
	zstd := two(func(b *B) { b.Attributes = 4 })
	s.sweepFrom("zstd to old clients", 3, 7, func(int16) kmsg.Request { return produce("records", id, 63, -1, zstd) })
	null := produce("records", id, 63, -1, nil)
	s.ask("null records", s.newest(null))
	s.hangUp()

	to := func(step, topic string, id [16]byte, records []byte) {
		s.ask(step, s.newest(produce(topic, id, 0, -1, records)))
	}
	to("compacted, no key", "records-compacted", compacted, bytesOf(batchOf(rec("k", "v"), rec("", "v"), rec("", "w"))))
	to("compacted, with key", "records-compacted", compacted, bytesOf(batchOf(rec("k", "v"))))
	to("append time", "records-append-time", appendTime, bytesOf(batch("a", "b")))
	to("append time, said already", "records-append-time", appendTime, with(batch("a"), func(b *B) { b.Attributes = 0x08 }))
	to("append time, gzip", "records-append-time", appendTime, with(batch("a", "b"), squeeze))
	to("too old", "records-narrow", narrow, bytesOf(batch("a")))
	to("too large", "records-narrow", narrow, bytesOf(batch(string(make([]byte, 201-61-8)))))
	to("to gzip", "records-gzip", gzipped, bytesOf(batch("a", "b")))
	to("gzip to gzip", "records-gzip", gzipped, with(batch("a", "b"), squeeze))
	to("gzip to uncompressed", "records-uncompressed", plain, with(batch("a", "b"), squeeze))
	for _, topic := range []string{"records-compacted", "records-append-time", "records-narrow", "records-gzip", "records-uncompressed"} {
		s.ask("end of "+topic, s.newest(listOffsets(topic, 0, -1)))
	}
	s.ask("fetch records-compacted", s.newest(fetch("records-compacted", compacted, 0, 0)))
	s.ask("fetch records-append-time", s.newest(fetch("records-append-time", appendTime, 0, 0)))
	s.ask("fetch records-uncompressed", s.newest(fetch("records-uncompressed", plain, 0, 0)))
	for i, c := range cases {
		f := fetch("records", id, int32(i), 0)
		f.Topics[0].Partitions[0].PartitionMaxBytes = 1000
		s.ask("what is there of: "+c.step, s.newest(f))
	}
}

func flip(b []byte, at int) []byte { b[at] ^= 1; return b }

func lengthen(b []byte, by int8) []byte { b[11] += byte(by); return b }

// squeeze compresses a batch's records with gzip.
func squeeze(b *kmsg.RecordBatch) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b.Records)
	w.Close()
	b.Attributes |= 1
	b.Records = out.Bytes()
}

func withDeltas(deltas ...int32) []byte {
	b := batch("a", "b")
	b.Records = nil
	for i, d := range deltas {
		r := rec("k", string(rune('a'+i)))
		r.OffsetDelta = d
		b.Records = appendRecord(b.Records, r)
	}
	return bytesOf(b)
}

// produceIdempotentScript is the order of sequence numbers.
func produceIdempotentScript(s *session) {
	id := s.topic("idempotent", 1)
	at := func(pid int64, epoch int16, sequence int32, values ...string) *kmsg.ProduceRequest {
		return produce("idempotent", id, 0, -1, with(batch(values...), func(b *kmsg.RecordBatch) {
			b.ProducerID, b.ProducerEpoch, b.FirstSequence = pid, epoch, sequence
		}))
	}
	ask := func(step string, r *kmsg.ProduceRequest) { s.ask(step, s.newest(r)) }
	const pid = 100_000_000
	ask("first", at(pid, 0, 0, "a", "b"))
	ask("first again", at(pid, 0, 0, "a", "b"))
	ask("first again, one record less", at(pid, 0, 0, "a"))
	ask("second", at(pid, 0, 2, "c"))
	ask("a gap", at(pid, 0, 5, "d"))
	for i, v := range []string{"d", "e", "f", "g"} {
		ask("next "+v, at(pid, 0, int32(3+i), v))
	}
	ask("first again, out of the window", at(pid, 0, 0, "a", "b"))
	ask("second again, within the window", at(pid, 0, 2, "c"))
	ask("overlapping", at(pid, 0, 6, "g", "h"))
	ask("new epoch, sequence 3", at(pid, 1, 3, "i"))
	ask("new epoch", at(pid, 1, 0, "i"))
	ask("old epoch", at(pid, 0, 7, "j"))
	ask("new epoch again", at(pid, 1, 0, "i"))
	ask("epoch 5", at(pid, 5, 0, "k"))
	ask("unknown producer, sequence 7", at(pid+1, 0, 7, "l"))
	ask("unknown producer, goes on", at(pid+1, 0, 8, "m"))
	ask("near the largest sequence", at(pid+2, 0, 2147483646, "n", "o", "p"))
	ask("past the largest sequence", at(pid+2, 0, 1, "q"))
	ask("past the largest sequence again", at(pid+2, 0, 1, "q"))
	ask("wrapping again", at(pid+2, 0, 2147483646, "n", "o", "p"))
	s.sweepFrom("out of order, all versions", 3, 13, func(int16) kmsg.Request { return at(pid, 5, 9, "z") })
	s.sweepFrom("fenced, all versions", 3, 13, func(int16) kmsg.Request { return at(pid, 4, 0, "z") })
	s.ask("all of it", s.newest(fetch("idempotent", id, 0, 0)))
}

func initProducerIDScript(s *session) {
	first, last := s.versions(22)
	ask := func(step string, from int16, change func(*kmsg.InitProducerIDRequest)) {
		s.sweepFrom(step, from, last, func(int16) kmsg.Request {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.TransactionTimeoutMillis = 60000
			change(r)
			return r
		})
	}
	s.until("a producer id", func() bool { // Apache Kafka fetches its first block of them when first asked
		return s.quiet(kmsg.NewPtrInitProducerIDRequest()).(*kmsg.InitProducerIDResponse).ErrorCode == 0
	})
	empty := ""
	ask("idempotent", first, func(*kmsg.InitProducerIDRequest) {})
	ask("time-out 0", first, func(r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 0 })
	ask("time-out -1", first, func(r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = -1 })
	ask("empty transactional id", first, func(r *kmsg.InitProducerIDRequest) { r.TransactionalID = &empty })
	ask("id and epoch", 3, func(r *kmsg.InitProducerIDRequest) { r.ProducerID, r.ProducerEpoch = 5, 3 })
	ask("id without epoch", 3, func(r *kmsg.InitProducerIDRequest) { r.ProducerID = 5 })
	ask("epoch without id", 3, func(r *kmsg.InitProducerIDRequest) { r.ProducerEpoch = 3 })
}
