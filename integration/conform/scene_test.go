package conform

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What several scripts need on their scene: topics, batches, groups.

// topic makes a topic, whose id the transcript will know by its name. configs are keys and values in turn.
func (s *session) topic(name string, partitions int32, configs ...string) [16]byte {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	req.TimeoutMillis = 5000
	resp := s.quiet(req).(*kmsg.CreateTopicsResponse)
	if code := resp.Topics[0].ErrorCode; code != 0 {
		s.t.Fatalf("creating %s: %s", name, codeText(code))
	}
	s.names.topics[resp.Topics[0].TopicID] = name
	// The controller answers before Apache Kafka's broker has heard: wait until it leads.
	s.until(name+" has leaders", func() bool {
		m := s.quiet(metadataOf(name)).(*kmsg.MetadataResponse).Topics[0]
		return m.ErrorCode == 0 && len(m.Partitions) == int(partitions) && m.Partitions[0].Leader >= 0
	})
	id := resp.Topics[0].TopicID
	for p := range partitions {
		s.until(name+" serves", func() bool {
			f := s.quiet(fetch(name, id, p, 0)).(*kmsg.FetchResponse)
			return f.Topics[0].Partitions[0].ErrorCode == 0
		})
	}
	return id
}

// until asks again and again until something that follows from an earlier answer has come about.
func (s *session) until(what string, is func() bool) {
	for end := time.Now().Add(answerWait); !is(); {
		if time.Now().After(end) {
			s.t.Fatalf("after %v still not: %s", answerWait, what)
		}
	}
}

// coordinator waits until a group has its coordinator: the first question makes __consumer_offsets.
func (s *session) coordinator(group string) {
	r := kmsg.NewPtrFindCoordinatorRequest()
	r.CoordinatorKeys = []string{group}
	s.until("a coordinator", func() bool {
		return s.quiet(r).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0
	})
	d := kmsg.NewPtrDescribeGroupsRequest()
	d.Groups = []string{group}
	s.until("its groups loaded", func() bool {
		code := s.quiet(d).(*kmsg.DescribeGroupsResponse).Groups[0].ErrorCode
		return code == 0 || code == 69
	})
}

func metadataOf(names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	return req
}

// learnTopics takes the ids of topics that a request made on the way.
func (s *session) learnTopics(names ...string) {
	for _, t := range s.quiet(metadataOf(names...)).(*kmsg.MetadataResponse).Topics {
		if t.Topic != nil && t.ErrorCode == 0 {
			s.names.topics[t.TopicID] = *t.Topic
		}
	}
}

// recordTime is the time stamp of every record that does not say otherwise, in ms: long ago, so that it is the same in
// every run.
const recordTime = 1_000_000

// rec is one record. A nil value is a tombstone.
func rec(key, value string) kmsg.Record {
	r := kmsg.Record{Value: []byte(value)}
	if key != "" {
		r.Key = []byte(key)
	}
	return r
}

// batch builds a record batch of values, uncompressed.
func batch(values ...string) *kmsg.RecordBatch {
	var records []kmsg.Record
	for _, v := range values {
		records = append(records, rec("k", v))
	}
	return batchOf(records...)
}

func batchOf(records ...kmsg.Record) *kmsg.RecordBatch {
	b := &kmsg.RecordBatch{
		PartitionLeaderEpoch: -1,
		Magic:                2,
		LastOffsetDelta:      int32(len(records) - 1),
		FirstTimestamp:       recordTime,
		MaxTimestamp:         recordTime,
		ProducerID:           -1,
		ProducerEpoch:        -1,
		FirstSequence:        -1,
		NumRecords:           int32(len(records)),
	}
	for i, r := range records {
		r.OffsetDelta = int32(i)
		b.MaxTimestamp = max(b.MaxTimestamp, recordTime+r.TimestampDelta64)
		b.Records = appendRecord(b.Records, r)
	}
	return b
}

// appendRecord writes a record with its length in front, which kmsg leaves to its caller.
func appendRecord(dst []byte, r kmsg.Record) []byte {
	r.Length = 0
	body := r.AppendTo(nil)[1:]
	return append(binary.AppendVarint(dst, int64(len(body))), body...)
}

// bytesOf encodes a batch with its length and checksum right, whatever else is wrong with it.
func bytesOf(b *kmsg.RecordBatch) []byte {
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-12))
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

// with changes a batch before it is encoded.
func with(b *kmsg.RecordBatch, change func(*kmsg.RecordBatch)) []byte {
	change(b)
	return bytesOf(b)
}

// produce is a request that writes records to one partition.
func produce(topic string, id [16]byte, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = acks, 3000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// fill writes one batch for each list of values.
func (s *session) fill(topic string, id [16]byte, batches ...[]byte) {
	for _, b := range batches {
		resp := s.quiet(produce(topic, id, 0, -1, b)).(*kmsg.ProduceResponse)
		if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
			s.t.Fatalf("filling %s: %s", topic, codeText(code))
		}
	}
}

// someID is a topic id that no topic has.
var someID = [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 15}
