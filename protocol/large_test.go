package protocol

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The limits are for liars. What the largest real clients send passes: tens of thousands of partitions and names, in the
// versions that say the most with the fewest bytes.
func TestLargeRequestsOfRealClientsPass(t *testing.T) {
	const many = 15_000
	metadata := kmsg.NewPtrMetadataRequest() // kafka-go asks for names in version 1
	metadata.Version = 1
	fetch := kmsg.NewPtrFetchRequest() // sarama, and followers' versions
	fetch.Version = 4
	offsets := kmsg.NewPtrListOffsetsRequest()
	offsets.Version = 1
	commit := kmsg.NewPtrOffsetCommitRequest() // librdkafka commits with empty metadata
	commit.Version = 7
	produce := kmsg.NewPtrProduceRequest()
	produce.Version = 9
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version = 7
	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.Version = 4
	empty := ""
	ft, ot, ct, pt := kmsg.NewFetchRequestTopic(), kmsg.NewListOffsetsRequestTopic(), kmsg.NewOffsetCommitRequestTopic(), kmsg.NewProduceRequestTopic()
	ft.Topic, ot.Topic, ct.Topic, pt.Topic = "topic", "topic", "topic", "topic"
	for i := range int32(many) {
		name := fmt.Sprintf("topic-%04d", i)
		metadata.Topics = append(metadata.Topics, kmsg.MetadataRequestTopic{Topic: &name})
		ft.Partitions = append(ft.Partitions, kmsg.FetchRequestTopicPartition{Partition: i})
		ot.Partitions = append(ot.Partitions, kmsg.ListOffsetsRequestTopicPartition{Partition: i})
		ct.Partitions = append(ct.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: i, Metadata: &empty})
		pt.Partitions = append(pt.Partitions, kmsg.ProduceRequestTopicPartition{Partition: i, Records: make([]byte, 70)})
		create.Topics = append(create.Topics, kmsg.CreateTopicsRequestTopic{Topic: name, NumPartitions: 1, ReplicationFactor: 1})
		describe.Resources = append(describe.Resources, kmsg.DescribeConfigsRequestResource{ResourceName: name})
	}
	fetch.Topics, offsets.Topics = []kmsg.FetchRequestTopic{ft}, []kmsg.ListOffsetsRequestTopic{ot}
	commit.Topics, produce.Topics = []kmsg.OffsetCommitRequestTopic{ct}, []kmsg.ProduceRequestTopic{pt}
	for _, r := range []kmsg.Request{metadata, fetch, offsets, commit, produce, create, describe} {
		body := r.AppendTo(nil)
		decoded, err := walk(Key(r.Key()), r.GetVersion(), body)
		t.Logf("%s version %d: %d bytes decode to %d", Key(r.Key()), r.GetVersion(), len(body), decoded)
		if err != nil {
			t.Error(err)
		}
	}
}
