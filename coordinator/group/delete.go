package group

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type (
	// DeleteCall is one group of a DeleteGroups.
	DeleteCall = coordinator.Call[protocol.Code]
	// DeleteOffsetsCall is an OffsetDelete.
	DeleteOffsetsCall = coordinator.Call[*kmsg.OffsetDeleteResponse]
)

// Delete deletes a group and its offsets. Errors: GroupIDNotFound, NonEmptyGroup.
// Source: DeleteGroups, key 42; GroupCoordinatorShard.deleteGroups.
func (m *Machine) Delete(_ time.Time, c *DeleteCall, groupID string) coordinator.Step {
	var s step
	g := m.groups[groupID]
	switch {
	case g == nil:
		c.Answer(&s, protocol.GroupIDNotFound)
	case g.state != empty:
		c.Answer(&s, protocol.NonEmptyGroup)
	default:
		m.dropOffsets(&s, m.spotsOf(groupID))
		s.Records = append(s.Records, g.tombstone())
		s.Split = true // the group goes last: a crash between leaves a group with fewer offsets, to be deleted again
		c.Answer(&s, protocol.None)
	}
	return m.done(&s)
}

// DeleteOffsets forgets offsets of topics that the group does not subscribe to. Errors: GroupIDNotFound, NonEmptyGroup; of
// a partition: GroupSubscribedToTopic. Source: OffsetDelete, key 47; OffsetMetadataManager.deleteOffsets.
func (m *Machine) DeleteOffsets(_ time.Time, c *DeleteOffsetsCall, r *kmsg.OffsetDeleteRequest) coordinator.Step {
	var s step
	g := m.groups[r.Group]
	switch {
	case g == nil:
		c.Answer(&s, DeleteOffsetsError(protocol.GroupIDNotFound))
	case g.state != empty && g.protocolType != consumerType:
		c.Answer(&s, DeleteOffsetsError(protocol.NonEmptyGroup)) // nobody knows which offsets its members use
	default:
		c.Answer(&s, m.deleteOffsets(&s, g, r))
	}
	return m.done(&s)
}

func (m *Machine) deleteOffsets(s *step, g *group, r *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	answer := DeleteOffsetsError(protocol.None)
	var gone []spot
	for i := range r.Topics {
		ask := &r.Topics[i]
		topic := kmsg.NewOffsetDeleteResponseTopic()
		topic.Topic = ask.Topic
		for _, p := range ask.Partitions {
			partition := kmsg.NewOffsetDeleteResponseTopicPartition()
			partition.Partition = p.Partition
			at := spot{r.Group, ask.Topic, p.Partition}
			if g.subscribed(ask.Topic) {
				partition.ErrorCode = int16(protocol.GroupSubscribedToTopic)
			} else if _, ok := m.offsets.stable.get(at); ok || m.offsets.unstable(at) {
				gone = append(gone, at)
			}
			topic.Partitions = append(topic.Partitions, partition)
		}
		answer.Topics = append(answer.Topics, topic)
	}
	m.dropOffsets(s, gone)
	return answer
}

// DeleteOffsetsError is the answer to an OffsetDelete that failed as a whole.
func DeleteOffsetsError(code protocol.Code) *kmsg.OffsetDeleteResponse {
	answer := kmsg.NewPtrOffsetDeleteResponse()
	answer.ErrorCode = int16(code)
	return answer
}

// DeletedTopic is a topic that is gone.
type DeletedTopic struct {
	Name string
	ID   [16]byte
}

// DeleteTopics forgets the offsets of deleted topics. Those of a newer topic of the same name stay.
// Source: OffsetMetadataManager.onTopicsDeleted.
func (m *Machine) DeleteTopics(_ time.Time, topics []DeletedTopic) coordinator.Step {
	var s step
	names, exact := make(map[string]bool), make(map[DeletedTopic]bool)
	for _, t := range topics {
		names[t.Name], exact[t] = true, true
	}
	var gone []spot
	of := func(at spot, o committed) {
		if exact[DeletedTopic{at.topic, o.topicID}] || names[at.topic] && o.topicID == [16]byte{} {
			gone = append(gone, at)
		}
	}
	m.offsets.stable.each(of)
	for _, pending := range m.offsets.open {
		pending.each(of)
	}
	m.dropOffsets(&s, gone)
	s.Split = true
	return m.done(&s)
}

// spotsOf are the partitions for which the group has an offset, committed or in an open transaction.
func (m *Machine) spotsOf(groupID string) []spot {
	var list []spot
	of := func(at spot, _ committed) { list = append(list, at) }
	eachOf(groupID, m.offsets.stable[groupID], of)
	for at := range m.offsets.openIn[groupID] {
		list = append(list, at)
	}
	return list
}

// dropOffsets writes tombstones, one for each partition, in an order that repeats.
func (m *Machine) dropOffsets(s *step, gone []spot) {
	slices.SortFunc(gone, func(a, b spot) int {
		return cmp.Or(strings.Compare(a.group, b.group), strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	for _, at := range slices.Compact(gone) {
		s.Records = append(s.Records, coordinator.Record{
			Key: &record.OffsetCommitKey{Group: at.group, Topic: at.topic, Partition: at.partition},
		})
	}
}
