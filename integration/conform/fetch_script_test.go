package conform

import (
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	scripts["fetch"] = fetchScript
	scripts["fetch-session"] = fetchSessionScript
	scripts["listoffsets"] = listOffsetsScript
	scripts["offsetforleaderepoch"] = offsetForLeaderEpochScript
	scripts["deleterecords"] = deleteRecordsScript
}

// fetch is a request for one partition that does not wait and has no session.
func fetch(topic string, id [16]byte, partition int32, offset int64) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.MaxBytes, r.SessionEpoch = 50<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func fetchScript(s *session) {
	id := s.topic("fetch", 2)
	s.fill("fetch", id, bytesOf(batch("a", "b", "c")), bytesOf(batch("d", "e")), bytesOf(batch("f")))
	first, last := s.versions(1)
	sweep := func(step string, from int16, change func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition)) {
		s.sweepFrom(step, from, last, func(int16) kmsg.Request {
			r := fetch("fetch", id, 0, 0)
			change(r, &r.Topics[0].Partitions[0])
			return r
		})
	}
	type R = *kmsg.FetchRequest
	type P = *kmsg.FetchRequestTopicPartition
	for _, offset := range []int64{0, 1, 3, 4, 5, 6} {
		sweep(fmt.Sprintf("from %d", offset), first, func(r R, p P) { p.FetchOffset = offset })
	}
	for _, offset := range []int64{7, -1, -2, 1 << 62} {
		sweep(fmt.Sprintf("out of range %d", offset), first, func(r R, p P) { p.FetchOffset = offset })
	}
	sweep("unknown topic", first, func(r R, p P) { r.Topics[0].Topic, r.Topics[0].TopicID = "fetch-none", someID })
	sweep("zero topic id", 13, func(r R, p P) { r.Topics[0].TopicID = [16]byte{} })
	sweep("unknown partition", first, func(r R, p P) { p.Partition = 2 })
	sweep("negative partition", first, func(r R, p P) { p.Partition = -1 })
	sweep("empty partition", first, func(r R, p P) { p.Partition = 1 })
	sweep("no topics", first, func(r R, p P) { r.Topics = nil })
	sweep("no partitions", first, func(r R, p P) { r.Topics[0].Partitions = nil })
	sweep("partition twice", first, func(r R, p P) { r.Topics[0].Partitions = append(r.Topics[0].Partitions, *p) })
	sweep("read committed", first, func(r R, p P) { r.IsolationLevel = 1 })
	sweep("isolation 2", first, func(r R, p P) { r.IsolationLevel = 2 })
	sweep("one byte of the partition", first, func(r R, p P) { p.PartitionMaxBytes = 1 })
	sweep("one byte in all", first, func(r R, p P) { r.MaxBytes = 1 })
	sweep("no bytes of the partition", first, func(r R, p P) { p.PartitionMaxBytes = 0 })
	sweep("no bytes in all", first, func(r R, p P) { r.MaxBytes = 0 })
	sweep("negative bytes", first, func(r R, p P) { r.MaxBytes, p.PartitionMaxBytes = -1, -1 })
	sweep("bytes of two batches less one", first, func(r R, p P) { p.PartitionMaxBytes = 79 + 77 - 1 })
	sweep("leader epoch 0", 9, func(r R, p P) { p.CurrentLeaderEpoch = 0 })
	sweep("leader epoch 1", 9, func(r R, p P) { p.CurrentLeaderEpoch = 1 })
	sweep("leader epoch -2", 9, func(r R, p P) { p.CurrentLeaderEpoch = -2 })
	sweep("last fetched epoch 0", 12, func(r R, p P) { p.FetchOffset, p.LastFetchedEpoch = 6, 0 })
	sweep("last fetched epoch 5", 12, func(r R, p P) { p.FetchOffset, p.LastFetchedEpoch = 6, 5 })
	sweep("last fetched epoch 0, past the end", 12, func(r R, p P) { p.FetchOffset, p.LastFetchedEpoch = 9, 0 })
	sweep("rack", 11, func(r R, p P) { r.Rack = "r1" })
	sweep("minimum 0", first, func(r R, p P) { r.MinBytes, r.MaxWaitMillis, p.FetchOffset = 0, 5000, 6 })
	sweep("minimum -1", first, func(r R, p P) { r.MinBytes, r.MaxWaitMillis, p.FetchOffset = -1, 5000, 6 })
	sweep("wait -1", first, func(r R, p P) { r.MinBytes, r.MaxWaitMillis, p.FetchOffset = 1, -1, 6 })
	sweep("error does not wait", first, func(r R, p P) { r.MinBytes, r.MaxWaitMillis, p.FetchOffset = 1, 5000, 7 })
	waits := fetch("fetch", id, 0, 6)
	waits.MinBytes, waits.MaxWaitMillis = 1, 50
	s.ask("waits in vain", s.newest(waits))
	sweep("as follower 1", first, func(r R, p P) { r.ReplicaID = 1; r.ReplicaState.ID = 1 })
	sweep("as unknown follower 7", first, func(r R, p P) { r.ReplicaID = 7; r.ReplicaState.ID = 7 })
	sweep("as debugger", first, func(r R, p P) { r.ReplicaID = -2; r.ReplicaState.ID = -2 })
	zstd := s.topic("fetch-zstd", 1, "compression.type", "zstd")
	s.fill("fetch-zstd", zstd, bytesOf(batch("a")))
	s.sweepFrom("end of zstd to old clients", first, 10, func(int16) kmsg.Request { return fetch("fetch-zstd", zstd, 0, 1) })
	s.sweepFrom("zstd to old clients", first, 10, func(int16) kmsg.Request { return fetch("fetch-zstd", zstd, 0, 0) })
}

// fetchSessionScript walks one session through its life (KIP-227).
func fetchSessionScript(s *session) {
	id := s.topic("session", 3)
	s.fill("session", id, bytesOf(batch("a", "b")))
	session := int32(0)
	ask := func(step string, epoch int32, offset int64, partitions ...int32) {
		r := fetch("session", id, 0, offset)
		r.SessionID, r.SessionEpoch = session, epoch
		r.Topics[0].Partitions = nil
		for _, p := range partitions {
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, fetch("session", id, p, offset).Topics[0].Partitions[0])
		}
		if len(partitions) == 0 {
			r.Topics = nil
		}
		if resp, ok := s.ask(step, s.newest(r)).(*kmsg.FetchResponse); ok && resp.SessionID != 0 {
			session = resp.SessionID
		}
	}
	forget := func(step string, epoch int32, partitions ...int32) {
		r := kmsg.NewPtrFetchRequest()
		r.MaxBytes, r.SessionID, r.SessionEpoch = 50<<20, session, epoch
		r.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "session", TopicID: id, Partitions: partitions}}
		s.ask(step, s.newest(r))
	}
	ask("born", 0, 0, 0, 1)
	ask("no changes but data", 1, 0)
	ask("moved on", 2, 2, 0)
	ask("nothing new", 3, 2)
	s.fill("session", id, bytesOf(batch("c")))
	ask("something new", 4, 2)
	ask("wrong epoch", 9, 2)
	ask("the same epoch again", 4, 2)
	ask("goes on", 5, 2)
	ask("one more partition", 6, 0, 2)
	ask("an unknown partition", 7, 0, 9)
	ask("the error stays", 8, 0)
	forget("forget one", 9, 9)
	forget("forget the rest", 10, 0, 1, 2)
	ask("after it is empty", 11, 0)
	ask("born again", 0, 0, 0)
	ask("closed", -1, 0, 0)
	ask("after it is closed", 1, 0)
	session = 0
	ask("epoch without a session", 1, 0, 0)
	session = 12345
	ask("unknown session", 1, 0, 0)
	ask("unknown session, epoch 0", 0, 0, 0)
	session = 12345
	ask("unknown session, epoch -1", -1, 0, 0)
	session = 0
	ask("epoch -2", -2, 0, 0)
	byName := fetch("session", id, 0, 0)
	byName.SessionID, byName.SessionEpoch = 0, 0
	byName.SetVersion(12)
	byID := fetch("session", id, 0, 0)
	byID.SessionEpoch = 1
	if resp, ok := s.ask("born by name", byName).(*kmsg.FetchResponse); ok {
		byID.SessionID = resp.SessionID
	}
	s.ask("then by id", s.newest(byID))
	s.sweepFrom("born in every version", 7, 18, func(int16) kmsg.Request {
		r := fetch("session", id, 0, 0)
		r.SessionEpoch = 0
		return r
	})
	s.sweepFrom("wrong session in every version", 7, 18, func(int16) kmsg.Request {
		r := fetch("session", id, 0, 0)
		r.SessionID, r.SessionEpoch = 999, 1
		return r
	})
}

func listOffsets(topic string, partition int32, timestamp int64) *kmsg.ListOffsetsRequest {
	r := kmsg.NewPtrListOffsetsRequest()
	r.ReplicaID, r.TimeoutMillis = -1, 5000
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp = partition, timestamp
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func listOffsetsScript(s *session) {
	id := s.topic("listoffsets", 2)
	timed := func(deltas ...int64) []byte {
		var records []kmsg.Record
		for _, d := range deltas {
			r := rec("k", "v")
			r.TimestampDelta64 = d
			records = append(records, r)
		}
		return bytesOf(batchOf(records...))
	}
	s.fill("listoffsets", id, timed(0, 10, 20), timed(50, 30, 50), timed(5, 40), timed(50))
	first, last := s.versions(2)
	sweep := func(step string, timestamp int64, change func(*kmsg.ListOffsetsRequest)) {
		s.sweepFrom(step, first, last, func(int16) kmsg.Request {
			r := listOffsets("listoffsets", 0, timestamp)
			if change != nil {
				change(r)
			}
			return r
		})
	}
	for _, special := range []int64{-1, -2, -3, -4, -5, -6, -7, -100} {
		sweep(fmt.Sprintf("special %d", special), special, nil)
		sweep(fmt.Sprintf("special %d, empty partition", special), special, func(r *kmsg.ListOffsetsRequest) {
			r.Topics[0].Partitions[0].Partition = 1
		})
		sweep(fmt.Sprintf("special %d, read committed", special), special, func(r *kmsg.ListOffsetsRequest) { r.IsolationLevel = 1 })
	}
	for _, at := range []int64{0, 1, recordTime, recordTime + 1, recordTime + 20, recordTime + 21, recordTime + 35, recordTime + 50, recordTime + 51, 1 << 62} {
		sweep(fmt.Sprintf("time %d", at), at, nil)
	}
	sweep("unknown topic", -1, func(r *kmsg.ListOffsetsRequest) { r.Topics[0].Topic = "listoffsets-none" })
	sweep("bad topic name", -1, func(r *kmsg.ListOffsetsRequest) { r.Topics[0].Topic = "a b" })
	sweep("unknown partition", -1, func(r *kmsg.ListOffsetsRequest) { r.Topics[0].Partitions[0].Partition = 2 })
	sweep("partition twice", -1, func(r *kmsg.ListOffsetsRequest) {
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
	})
	sweep("no topics", -1, func(r *kmsg.ListOffsetsRequest) { r.Topics = nil })
	for _, epoch := range []int32{0, 1, -2} {
		sweep(fmt.Sprintf("leader epoch %d", epoch), -1, func(r *kmsg.ListOffsetsRequest) { r.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch })
	}
	for _, replica := range []int32{-2, 1, 7} {
		sweep(fmt.Sprintf("replica %d", replica), -1, func(r *kmsg.ListOffsetsRequest) { r.ReplicaID = replica })
	}
	appended := s.topic("listoffsets-append", 1, "message.timestamp.type", "LogAppendTime")
	s.fill("listoffsets-append", appended, timed(0, 10, 20))
	s.ask("largest append time", s.newest(listOffsets("listoffsets-append", 0, -3)))
	s.ask("append time from 0", s.newest(listOffsets("listoffsets-append", 0, 0)))
	zipped := s.topic("listoffsets-gzip", 1)
	b := batchOf(rec("k", "a"), rec("k", "b"), rec("k", "c"))
	b.Records, b.MaxTimestamp = nil, recordTime+9
	for i, d := range []int64{3, 9, 9} {
		r := rec("k", "v")
		r.OffsetDelta, r.TimestampDelta64 = int32(i), d
		b.Records = appendRecord(b.Records, r)
	}
	squeeze(b)
	s.fill("listoffsets-gzip", zipped, bytesOf(b))
	s.ask("largest within a compressed batch", s.newest(listOffsets("listoffsets-gzip", 0, -3)))
	s.ask("time within a compressed batch", s.newest(listOffsets("listoffsets-gzip", 0, recordTime+4)))
	listOffsetsAtRandom(s)
}

// listOffsetsAtRandom asks for times of a log in which they go up and down, with an index entry for every batch.
func listOffsetsAtRandom(s *session) {
	id := s.topic("listoffsets-random", 1, "index.interval.bytes", "0")
	r := rand.New(rand.NewPCG(4, 31))
	var batches [][]byte
	clock := int64(0)
	for range 40 {
		b := batchOf(rec("k", "v"))
		b.Records = nil
		newest := int64(0)
		for i := range 1 + r.IntN(5) {
			clock = max(0, clock+r.Int64N(30)-10)
			record := rec("k", "v")
			record.OffsetDelta, record.TimestampDelta64 = int32(i), clock
			newest = max(newest, clock)
			b.Records = appendRecord(b.Records, record)
			b.NumRecords, b.LastOffsetDelta = int32(i+1), int32(i)
		}
		b.MaxTimestamp = recordTime + newest
		if r.IntN(2) == 0 {
			squeeze(b)
		}
		batches = append(batches, bytesOf(b))
	}
	s.fill("listoffsets-random", id, batches...)
	for i := range 60 {
		s.ask(fmt.Sprintf("random time %d", i), s.newest(listOffsets("listoffsets-random", 0, recordTime+r.Int64N(clock+20))))
	}
	s.ask("largest of the random times", s.newest(listOffsets("listoffsets-random", 0, -3)))
}

func offsetForLeaderEpochScript(s *session) {
	id := s.topic("epochs", 2)
	s.fill("epochs", id, bytesOf(batch("a", "b")))
	first, last := s.versions(23)
	sweep := func(step string, topic string, partition, epoch, current int32) {
		s.sweepFrom(step, first, last, func(int16) kmsg.Request {
			r := kmsg.NewPtrOffsetForLeaderEpochRequest()
			r.ReplicaID = -1
			t := kmsg.NewOffsetForLeaderEpochRequestTopic()
			t.Topic = topic
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition, p.LeaderEpoch, p.CurrentLeaderEpoch = partition, epoch, current
			t.Partitions = append(t.Partitions, p)
			r.Topics = append(r.Topics, t)
			return r
		})
	}
	for _, epoch := range []int32{0, 1, 5, -1, -2} {
		sweep(fmt.Sprintf("epoch %d", epoch), "epochs", 0, epoch, -1)
		sweep(fmt.Sprintf("epoch %d, empty partition", epoch), "epochs", 1, epoch, -1)
	}
	sweep("current epoch 0", "epochs", 0, 0, 0)
	sweep("current epoch 1", "epochs", 0, 0, 1)
	sweep("unknown partition", "epochs", 2, 0, -1)
	sweep("unknown topic", "epochs-none", 0, 0, -1)
	s.sweep("no topics", func(int16) kmsg.Request { return kmsg.NewPtrOffsetForLeaderEpochRequest() })
}

func deleteRecordsScript(s *session) {
	id := s.topic("deleterecords", 2)
	s.fill("deleterecords", id, bytesOf(batch("a", "b", "c")), bytesOf(batch("d", "e")))
	compacted := s.topic("deleterecords-compacted", 1, "cleanup.policy", "compact")
	s.fill("deleterecords-compacted", compacted, bytesOf(batch("a")))
	both := s.topic("deleterecords-both", 1, "cleanup.policy", "compact,delete")
	s.fill("deleterecords-both", both, bytesOf(batch("a")))
	sweep := func(step, topic string, partition int32, offset int64) {
		s.sweep(step, func(int16) kmsg.Request {
			r := kmsg.NewPtrDeleteRecordsRequest()
			r.TimeoutMillis = 5000
			t := kmsg.NewDeleteRecordsRequestTopic()
			t.Topic = topic
			t.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}}
			r.Topics = append(r.Topics, t)
			return r
		})
	}
	sweep("to 0", "deleterecords", 0, 0)
	sweep("to 1", "deleterecords", 0, 1)
	s.ask("fetch from 1", s.newest(fetch("deleterecords", id, 0, 1)))
	s.ask("fetch from 0", s.newest(fetch("deleterecords", id, 0, 0)))
	s.ask("earliest", s.newest(listOffsets("deleterecords", 0, -2)))
	sweep("below the start", "deleterecords", 0, 0)
	sweep("past the end", "deleterecords", 0, 6)
	sweep("negative", "deleterecords", 0, -2)
	sweep("to the end", "deleterecords", 0, -1)
	sweep("empty partition", "deleterecords", 1, -1)
	sweep("unknown partition", "deleterecords", 2, 0)
	sweep("unknown topic", "deleterecords-none", 0, 0)
	sweep("compacted", "deleterecords-compacted", 0, 0)
	sweep("compacted and deleted", "deleterecords-both", 0, -1)
	sweep("internal", "__consumer_offsets", 0, 0)
	s.sweep("no topics", func(int16) kmsg.Request { return kmsg.NewPtrDeleteRecordsRequest() })
	s.ask("offset for epoch 0 after it", s.newest(&kmsg.OffsetForLeaderEpochRequest{ReplicaID: -1, Topics: []kmsg.OffsetForLeaderEpochRequestTopic{{
		Topic: "deleterecords", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{Partition: 0, CurrentLeaderEpoch: -1, LeaderEpoch: 0}},
	}}}))
}
