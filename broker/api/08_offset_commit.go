// OffsetCommit, key 8, versions 2–10: stores how far a group has read.
//
//	v2–v4  retention time: these offsets expire so long after now    v5  gone, the broker's setting counts
//	v3     throttle time     v6  leader epochs     v7  instance id (KIP-345)    v8  flexible
//	v9     member epochs, GROUP_ID_NOT_FOUND (KIP-848)                          v10 topics by id
//
// Errors, all per partition: GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION,
// UNKNOWN_TOPIC_ID, OFFSET_METADATA_TOO_LARGE, UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID,
// REBALANCE_IN_PROGRESS, GROUP_ID_NOT_FOUND, and those of a coordinator that is not here.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// commitTopicIDs is the first version of OffsetCommit that names topics by id.
const commitTopicIDs = 10

// OffsetCommit serves key 8.
func OffsetCommit(s *Server, r *Request) {
	req := r.Message.(*kmsg.OffsetCommitRequest)
	if !s.Allowed(r, security.Read, security.Group, req.Group) {
		r.Reply(group.CommitError(req, protocol.GroupAuthorizationFailed))
		return
	}
	refused := s.screenCommit(r, req)
	if len(req.Topics) == 0 {
		answer := kmsg.NewPtrOffsetCommitResponse()
		answer.Topics = refused
		r.Reply(answer)
		return
	}
	reply := func(answer *kmsg.OffsetCommitResponse) {
		answer.Topics = mergeCommits(refused, answer.Topics)
		r.Reply(answer)
	}
	call := &group.CommitCall{
		Reply: reply,
		Fail:  func(code protocol.Code) { reply(group.CommitError(req, code)) },
	}
	s.onGroup(req.Group, call.Fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.Commit(now, call, req)
	})
}

// screenCommit leaves in the request what may be committed, with names and ids of topics, and returns the rest refused.
func (s *Server) screenCommit(r *Request, req *kmsg.OffsetCommitRequest) (refused []kmsg.OffsetCommitResponseTopic) {
	image := s.Cluster.Image()
	kept := req.Topics[:0]
	for _, t := range req.Topics {
		topic, code := s.topicOfCommit(r, image, &t)
		if code != protocol.None {
			refused = append(refused, refuseCommit(&t, t.Partitions, code))
			continue
		}
		t.Topic, t.TopicID = topic.Name, topic.ID
		var unknown []kmsg.OffsetCommitRequestTopicPartition
		t.Partitions, unknown = splitKnown(topic, t.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) int32 { return p.Partition })
		if len(unknown) > 0 {
			refused = append(refused, refuseCommit(&t, unknown, protocol.UnknownTopicOrPartition))
		}
		if len(t.Partitions) > 0 {
			kept = append(kept, t)
		}
	}
	req.Topics = kept
	return refused
}

func (s *Server) topicOfCommit(r *Request, image *cluster.Image, t *kmsg.OffsetCommitRequestTopic) (*cluster.Topic, protocol.Code) {
	byID := r.Version() >= commitTopicIDs
	var topic *cluster.Topic
	if byID {
		if topic = image.TopicByID(t.TopicID); topic == nil {
			return nil, protocol.UnknownTopicID
		}
		t.Topic = topic.Name
	}
	if !s.Allowed(r, security.Read, security.Topic, t.Topic) {
		return nil, protocol.TopicAuthorizationFailed
	}
	if !byID {
		if topic = image.Topic(t.Topic); topic == nil {
			return nil, protocol.UnknownTopicOrPartition
		}
	}
	return topic, protocol.None
}

func refuseCommit(t *kmsg.OffsetCommitRequestTopic, partitions []kmsg.OffsetCommitRequestTopicPartition, code protocol.Code) kmsg.OffsetCommitResponseTopic {
	answer := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
	for _, p := range partitions {
		answer.Partitions = append(answer.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: int16(code)})
	}
	return answer
}

// mergeCommits joins what was refused here with what the coordinator answered, a topic once.
func mergeCommits(refused, answered []kmsg.OffsetCommitResponseTopic) []kmsg.OffsetCommitResponseTopic {
	if len(refused) == 0 {
		return answered
	}
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

// splitKnown parts the partitions that the topic has from those that it has not. Nothing is allocated if it has all.
func splitKnown[P any](topic *cluster.Topic, partitions []P, index func(P) int32) (known, unknown []P) {
	known = partitions[:0]
	for _, p := range partitions {
		if topic.Partition(index(p)) == nil {
			unknown = append(unknown, p)
			continue
		}
		known = append(known, p)
	}
	return known, unknown
}
