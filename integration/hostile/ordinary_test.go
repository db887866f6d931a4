package hostile

import (
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

func fetchFrom(topic string, offset int64, maxBytes int32) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.SetVersion(11)
	r.MaxBytes, r.SessionEpoch = maxBytes, -1
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.FetchOffset, partition.PartitionMaxBytes = offset, maxBytes
	r.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{partition}}}
	return r
}

// readAll reads a partition from its start to its end and checks that its batches are whole, sound and dense. It returns
// the end offset.
func readAll(t testing.TB, p *peer, topic string) int64 {
	t.Helper()
	for next := int64(0); ; {
		part := mustAsk[*kmsg.FetchResponse](t, p, fetchFrom(topic, next, 16<<20)).Topics[0].Partitions[0]
		if part.ErrorCode != 0 {
			t.Fatalf("fetch at %d: %s", next, protocol.Code(part.ErrorCode))
		}
		if len(part.RecordBatches) == 0 {
			if next != part.HighWatermark {
				t.Fatalf("nothing at %d, below the high watermark %d", next, part.HighWatermark)
			}
			return next
		}
		for rest := part.RecordBatches; len(rest) > 0; {
			var batch record.Batch
			var err error
			if batch, rest, err = record.Next(rest); err != nil {
				t.Fatalf("at %d: %v", next, err)
			}
			if err := batch.CheckCRC(); err != nil {
				t.Fatalf("at %d: %v", next, err)
			}
			if batch.BaseOffset() != next {
				t.Fatalf("a batch at %d, where %d is next", batch.BaseOffset(), next)
			}
			n := 0
			for r, err := range batch.Records(record.DefaultMaxUncompressedBytes) {
				if err != nil {
					t.Fatalf("batch at %d: %v", next, err)
				}
				if r.Offset != next+int64(n) {
					t.Fatalf("a record at %d, where %d is next", r.Offset, next+int64(n))
				}
				n++
			}
			next = batch.NextOffset()
		}
	}
}
