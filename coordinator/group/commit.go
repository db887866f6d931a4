package group

import (
	"time"
	"unicode/utf16"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CommitCall is an OffsetCommit.
type CommitCall = coordinator.Call[*kmsg.OffsetCommitResponse]

// commitKnowsGroupIDNotFound is the version of OffsetCommit whose clients know that code (KIP-848).
const commitKnowsGroupIDNotFound = 9

// Commit stores offsets. Every topic has its name, also where the request named it by id. Errors: UnknownMemberID,
// FencedInstanceID, IllegalGeneration, RebalanceInProgress, GroupIDNotFound; of a partition: OffsetMetadataTooLarge.
// Source: OffsetCommit, key 8; OffsetMetadataManager.commitOffset.
func (m *Machine) Commit(now time.Time, c *CommitCall, r *kmsg.OffsetCommitRequest) coordinator.Step {
	var s step
	code := m.mayCommit(now, r)
	nowMs := now.UnixMilli()
	partitions := 0
	for i := range r.Topics {
		partitions += len(r.Topics[i].Partitions)
	}
	keys := make([]record.OffsetCommitKey, 0, partitions)
	values := make([]record.OffsetCommitValue, 0, partitions)
	answer := CommitError(r, code)
	for i := range r.Topics {
		topic := &r.Topics[i]
		for k := range topic.Partitions {
			p := &topic.Partitions[k]
			if code != protocol.None {
				continue
			}
			if m.metadataTooLarge(p.Metadata) {
				answer.Topics[i].Partitions[k].ErrorCode = int16(protocol.OffsetMetadataTooLarge)
				continue
			}
			keys = append(keys, record.OffsetCommitKey{Group: r.Group, Topic: topic.Topic, Partition: p.Partition})
			values = append(values, commitValue(r, topic, p, nowMs))
		}
	}
	version := int16(offsetValueVersion)
	if r.RetentionTimeMillis != -1 {
		version = expiringValueVersion
	}
	s.Records = make([]coordinator.Record, len(keys))
	for i := range keys {
		s.Records[i] = coordinator.Record{Key: &keys[i], Value: &values[i], Version: version}
	}
	c.Answer(&s, answer)
	return m.done(&s)
}

// mayCommit decides whether the request speaks for the group, and renews the member that it comes from. A member may
// commit what it read in its last generation while the next one is prepared, but not while it is being assigned.
func (m *Machine) mayCommit(now time.Time, r *kmsg.OffsetCommitRequest) protocol.Code {
	g := m.groups[r.Group]
	outside := r.Generation < 0 // an administrator, or a consumer that assigns itself
	switch {
	case g == nil && outside:
		return protocol.None
	case g == nil && r.Version >= commitKnowsGroupIDNotFound:
		return protocol.GroupIDNotFound
	case g == nil:
		return protocol.IllegalGeneration
	case outside && g.state == empty:
		return protocol.None
	case outside && r.MemberID == "" && r.InstanceID == nil:
		return protocol.UnknownMemberID // nobody overwrites the offsets of a group at work
	}
	member, code := g.find(r.MemberID, r.InstanceID)
	switch {
	case code != protocol.None:
		return code
	case r.Generation != g.generation:
		return protocol.IllegalGeneration
	case g.state == completing:
		return protocol.RebalanceInProgress
	}
	m.startSession(now, g, member)
	return protocol.None
}

func commitValue(r *kmsg.OffsetCommitRequest, t *kmsg.OffsetCommitRequestTopic, p *kmsg.OffsetCommitRequestTopicPartition, nowMs int64) record.OffsetCommitValue {
	v := record.NewOffsetCommitValue()
	v.Offset, v.CommitTimestamp = p.Offset, nowMs
	if p.Metadata != nil {
		v.Metadata = *p.Metadata
	}
	if r.RetentionTimeMillis != -1 {
		v.ExpireTimestamp = nowMs + r.RetentionTimeMillis
		return v // its version has neither of the others
	}
	v.LeaderEpoch, v.TopicID = p.LeaderEpoch, t.TopicID
	return v
}

// metadataTooLarge measures in UTF-16, as Kafka does.
func (m *Machine) metadataTooLarge(metadata *string) bool {
	if metadata == nil || len(*metadata) <= m.config.MetadataMax {
		return false
	}
	n := 0
	for _, r := range *metadata {
		n += utf16.RuneLen(r)
	}
	return n > m.config.MetadataMax
}

// CommitError is the answer to an OffsetCommit with one code for all its partitions.
func CommitError(r *kmsg.OffsetCommitRequest, code protocol.Code) *kmsg.OffsetCommitResponse {
	answer := kmsg.NewPtrOffsetCommitResponse()
	answer.Topics = make([]kmsg.OffsetCommitResponseTopic, len(r.Topics))
	for i := range r.Topics {
		t := &r.Topics[i]
		partitions := make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		for k := range t.Partitions {
			partitions[k].Partition = t.Partitions[k].Partition
			partitions[k].ErrorCode = int16(code)
		}
		answer.Topics[i] = kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID, Partitions: partitions}
	}
	return answer
}
