package group

import (
	"maps"
	"slices"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FetchCall is one group of an OffsetFetch.
type FetchCall = coordinator.Call[kmsg.OffsetFetchResponseGroup]

// Fetch reads committed offsets: those asked for, or all if r.Topics is nil. Topics have their names, also where the
// request named them by id. A partition without an offset answers -1, and so does a group that there is not. Errors of a
// partition: UnstableOffsetCommit. Source: OffsetFetch, key 9; OffsetMetadataManager.fetchOffsets and fetchAllOffsets.
func (m *Machine) Fetch(_ time.Time, c *FetchCall, r *kmsg.OffsetFetchRequestGroup, requireStable bool) coordinator.Step {
	var s step
	answer := kmsg.NewOffsetFetchResponseGroup()
	answer.Group = r.Group
	if r.Topics == nil {
		answer.Topics = m.fetchAll(r.Group, requireStable)
	} else {
		answer.Topics = m.fetchTopics(r, requireStable)
	}
	c.Answer(&s, answer)
	return m.done(&s)
}

func (m *Machine) fetchTopics(r *kmsg.OffsetFetchRequestGroup, requireStable bool) []kmsg.OffsetFetchResponseGroupTopic {
	topics := make([]kmsg.OffsetFetchResponseGroupTopic, len(r.Topics))
	for i := range r.Topics {
		ask := &r.Topics[i]
		partitions := make([]kmsg.OffsetFetchResponseGroupTopicPartition, len(ask.Partitions))
		for k, p := range ask.Partitions {
			partitions[k] = m.fetchOne(spot{r.Group, ask.Topic, p}, ask.TopicID, requireStable)
		}
		topics[i] = kmsg.OffsetFetchResponseGroupTopic{Topic: ask.Topic, TopicID: ask.TopicID, Partitions: partitions}
	}
	return topics
}

func (m *Machine) fetchAll(group string, requireStable bool) []kmsg.OffsetFetchResponseGroupTopic {
	byTopic := m.offsets.stable[group]
	topics := make([]kmsg.OffsetFetchResponseGroupTopic, 0, len(byTopic))
	for _, topic := range slices.Sorted(maps.Keys(byTopic)) {
		partitions := make([]kmsg.OffsetFetchResponseGroupTopicPartition, 0, len(byTopic[topic]))
		for _, p := range slices.Sorted(maps.Keys(byTopic[topic])) {
			partitions = append(partitions, m.fetchOne(spot{group, topic, p}, [16]byte{}, requireStable))
		}
		topics = append(topics, kmsg.OffsetFetchResponseGroupTopic{Topic: topic, Partitions: partitions})
	}
	return topics
}

// fetchOne is the offset of one partition. An offset of a deleted topic that had the same name is none.
func (m *Machine) fetchOne(at spot, topicID [16]byte, requireStable bool) kmsg.OffsetFetchResponseGroupTopicPartition {
	answer := NoOffset(at.partition, protocol.None)
	if requireStable && m.offsets.unstable(at) {
		answer.ErrorCode = int16(protocol.UnstableOffsetCommit)
		return answer
	}
	o, ok := m.offsets.stable.get(at)
	if !ok || o.topicID != topicID && o.topicID != [16]byte{} && topicID != [16]byte{} {
		return answer
	}
	answer.Offset, answer.LeaderEpoch, answer.Metadata = o.offset, o.leaderEpoch, ptr(o.metadata)
	return answer
}

// NoOffset is the answer for a partition whose offset is not known or not shown.
func NoOffset(partition int32, code protocol.Code) kmsg.OffsetFetchResponseGroupTopicPartition {
	answer := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	answer.Partition = partition
	answer.Offset = -1
	answer.LeaderEpoch = -1
	answer.Metadata = ptr("")
	answer.ErrorCode = int16(code)
	return answer
}
