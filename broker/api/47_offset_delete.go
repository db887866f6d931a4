// OffsetDelete, key 47, version 0: forgets committed offsets of topics that a group does not read (KIP-496).
//
// Errors: GROUP_AUTHORIZATION_FAILED, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, and those of a coordinator that
// is not here; per partition: TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, GROUP_SUBSCRIBED_TO_TOPIC.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// OffsetDelete serves key 47.
func OffsetDelete(s *Server, r *Request) {
	req := r.Message.(*kmsg.OffsetDeleteRequest)
	fail := func(code protocol.Code) { r.Reply(group.DeleteOffsetsError(code)) }
	switch {
	case !s.Allowed(r, security.Delete, security.Group, req.Group):
		fail(protocol.GroupAuthorizationFailed)
		return
	case req.Group == "":
		fail(protocol.InvalidGroupID)
		return
	}
	refused := s.screenOffsetDelete(r, req)
	call := &group.DeleteOffsetsCall{Fail: fail, Reply: func(answer *kmsg.OffsetDeleteResponse) {
		if answer.ErrorCode == 0 {
			answer.Topics = mergeOffsetDeletes(refused, answer.Topics)
		}
		r.Reply(answer)
	}}
	s.onGroup(req.Group, fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.DeleteOffsets(now, call, req)
	})
}

// screenOffsetDelete leaves in the request what the client may delete and what there is, and returns the rest refused.
func (s *Server) screenOffsetDelete(r *Request, req *kmsg.OffsetDeleteRequest) (refused []kmsg.OffsetDeleteResponseTopic) {
	image := s.Cluster.Image()
	kept := req.Topics[:0]
	for _, t := range req.Topics {
		topic := image.Topic(t.Topic)
		var unknown []kmsg.OffsetDeleteRequestTopicPartition
		switch {
		case !s.Allowed(r, security.Read, security.Topic, t.Topic):
			refused = append(refused, refuseOffsetDelete(t.Topic, t.Partitions, protocol.TopicAuthorizationFailed))
			continue
		case topic == nil:
			unknown, t.Partitions = t.Partitions, nil
		default:
			t.Partitions, unknown = splitKnown(topic, t.Partitions, func(p kmsg.OffsetDeleteRequestTopicPartition) int32 { return p.Partition })
		}
		if len(unknown) > 0 {
			refused = append(refused, refuseOffsetDelete(t.Topic, unknown, protocol.UnknownTopicOrPartition))
		}
		if len(t.Partitions) > 0 {
			kept = append(kept, t)
		}
	}
	req.Topics = kept
	return refused
}

func refuseOffsetDelete(topic string, partitions []kmsg.OffsetDeleteRequestTopicPartition, code protocol.Code) kmsg.OffsetDeleteResponseTopic {
	answer := kmsg.OffsetDeleteResponseTopic{Topic: topic}
	for _, p := range partitions {
		answer.Partitions = append(answer.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(code)})
	}
	return answer
}

// mergeOffsetDeletes joins what was refused here with what the coordinator answered, a topic once.
func mergeOffsetDeletes(refused, answered []kmsg.OffsetDeleteResponseTopic) []kmsg.OffsetDeleteResponseTopic {
	places := make(map[string]int, len(refused))
	for i := range refused {
		places[refused[i].Topic] = i
	}
	for _, t := range answered {
		if i, ok := places[t.Topic]; ok {
			refused[i].Partitions = append(refused[i].Partitions, t.Partitions...)
			continue
		}
		refused = append(refused, t)
	}
	return refused
}
