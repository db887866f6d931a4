package hostile

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// What an ordinary client would ask, one request at a time.

func metadataOf(topics ...string) *kmsg.MetadataRequest {
	r := kmsg.NewPtrMetadataRequest()
	r.SetVersion(9)
	r.Topics = []kmsg.MetadataRequestTopic{}
	for _, t := range topics {
		r.Topics = append(r.Topics, kmsg.MetadataRequestTopic{Topic: &t})
	}
	return r
}

// batchOf is a batch of one record whose value has size bytes.
func batchOf(size int) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	b.Add(time.Now().UnixMilli(), []byte("key"), make([]byte, size))
	return b.Batch()
}

func produceTo(topic string, batch []byte) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.SetVersion(9)
	r.Acks, r.TimeoutMillis = -1, int32(patience.Milliseconds())
	r.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batch}}}}
	return r
}

// produced appends one record and returns its offset.
func produced(t testing.TB, p *peer, topic string, size int) int64 {
	t.Helper()
	answer := mustAsk[*kmsg.ProduceResponse](t, p, produceTo(topic, batchOf(size))).Topics[0].Partitions[0]
	if answer.ErrorCode != 0 {
		t.Fatalf("produce: %s", protocol.Code(answer.ErrorCode))
	}
	return answer.BaseOffset
}

func fetchFrom(topic string, index int32, offset int64, maxBytes int32) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.SetVersion(11)
	r.MaxBytes, r.SessionEpoch = maxBytes, -1
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = index
	partition.FetchOffset, partition.PartitionMaxBytes = offset, maxBytes
	r.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{partition}}}
	return r
}

// readAll reads a topic's only partition, which begins at 0. It returns the end offset.
func readAll(t testing.TB, p *peer, topic string) int64 {
	t.Helper()
	start, end := readPartition(t, p, topic, 0)
	if start != 0 {
		t.Errorf("%s begins at %d", topic, start)
	}
	return end
}

// readPartition reads a partition from its start to its end and checks that its batches are whole, sound and dense.
func readPartition(t testing.TB, p *peer, topic string, index int32) (start, end int64) {
	t.Helper()
	where := fmt.Sprintf("%s-%d", topic, index)
	start = -1
	for next := int64(0); ; {
		part := mustAsk[*kmsg.FetchResponse](t, p, fetchFrom(topic, index, next, 16<<20)).Topics[0].Partitions[0]
		if part.ErrorCode == int16(protocol.OffsetOutOfRange) && start < 0 && next == 0 {
			next = part.LogStartOffset
			if next <= 0 {
				next = earliest(t, p, topic, index)
			}
			start = next
			continue
		}
		if part.ErrorCode != 0 {
			t.Fatalf("%s: fetch at %d: %s", where, next, protocol.Code(part.ErrorCode))
		}
		if start < 0 {
			start = next
		}
		if len(part.RecordBatches) == 0 {
			if next != part.HighWatermark {
				t.Fatalf("%s: nothing at %d, below the high watermark %d", where, next, part.HighWatermark)
			}
			return start, next
		}
		for rest := part.RecordBatches; len(rest) > 0; {
			var batch record.Batch
			var err error
			if batch, rest, err = record.Next(rest); err != nil {
				t.Fatalf("%s at %d: %v", where, next, err)
			}
			checkBatch(t, where, batch, next, next == start)
			next = batch.NextOffset()
		}
	}
}

// checkBatch: the first batch may begin before the offset that was asked for.
func checkBatch(t testing.TB, where string, batch record.Batch, next int64, first bool) {
	t.Helper()
	if err := batch.CheckCRC(); err != nil {
		t.Fatalf("%s at %d: %v", where, next, err)
	}
	if batch.BaseOffset() != next && !(first && batch.BaseOffset() < next && batch.LastOffset() >= next) {
		t.Fatalf("%s: a batch at %d, where %d is next", where, batch.BaseOffset(), next)
	}
	at := batch.BaseOffset()
	for r, err := range batch.Records(record.DefaultMaxUncompressedBytes) {
		if err != nil {
			t.Fatalf("%s: batch at %d: %v", where, batch.BaseOffset(), err)
		}
		if r.Offset != at {
			t.Fatalf("%s: a record at %d, where %d is next", where, r.Offset, at)
		}
		at++
	}
	if at != batch.NextOffset() {
		t.Fatalf("%s: batch at %d ends at %d, its records at %d", where, batch.BaseOffset(), batch.NextOffset(), at)
	}
}

// earliest is where a partition begins.
func earliest(t testing.TB, p *peer, topic string, index int32) int64 {
	t.Helper()
	r := kmsg.NewPtrListOffsetsRequest()
	r.SetVersion(5)
	r.ReplicaID = -1
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Partition, partition.Timestamp = index, -2
	r.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{partition}}}
	return mustAsk[*kmsg.ListOffsetsResponse](t, p, r).Topics[0].Partitions[0].Offset
}
