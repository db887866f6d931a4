// OffsetFetch, key 9, versions 1–10: how far a group has read.
//
//	v2  null topics mean all; top-level error     v3  throttle time      v5  leader epochs      v6  flexible
//	v7  require stable (KIP-447)                  v8  several groups     v9  member and its epoch (KIP-848)
//	v10 topics by id
//
// Errors, per group (v2–v7 top-level, v1 per partition): GROUP_AUTHORIZATION_FAILED, and those of a coordinator that is not
// here; per partition: TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID, UNSTABLE_OFFSET_COMMIT. A group that there is not, and
// a partition without an offset, answer -1 and no error. Topics that a client may not see are left out of "all".

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// Versions of OffsetFetch at which it changed shape.
const (
	fetchGroupErrors    = 2  // an error of the whole group has a place of its own
	fetchSeveralGroups  = 8  // before: one group, at the top
	fetchOffsetTopicIDs = 10 // topics by id
)

// OffsetFetch serves key 9.
func OffsetFetch(s *Server, r *Request) {
	req := r.Message.(*kmsg.OffsetFetchRequest)
	groups := req.Groups
	if r.Version() < fetchSeveralGroups {
		groups = []kmsg.OffsetFetchRequestGroup{singleGroup(req)}
	}
	answers := newGather(len(groups), func(list []kmsg.OffsetFetchResponseGroup) {
		r.Reply(fetchResponse(r.Version(), list))
	})
	for i := range groups {
		s.fetchGroup(r, &groups[i], req.RequireStable, func(answer kmsg.OffsetFetchResponseGroup) {
			answers.set(i, answer)
		})
	}
}

// singleGroup is the one group of a request before version 8.
func singleGroup(req *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if req.Topics == nil {
		return g
	}
	g.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, len(req.Topics))
	for i, t := range req.Topics {
		g.Topics[i].Topic, g.Topics[i].Partitions = t.Topic, t.Partitions
	}
	return g
}

// fetchGroup answers for one group.
func (s *Server) fetchGroup(r *Request, ask *kmsg.OffsetFetchRequestGroup, requireStable bool, done func(kmsg.OffsetFetchResponseGroup)) {
	fail := func(code protocol.Code) {
		if code == protocol.CoordinatorNotAvailable {
			code = protocol.NotCoordinator // consumers before Kafka 3.9 do not try again after the other
		}
		done(fetchError(r.Version(), ask, code))
	}
	if !s.Allowed(r, security.Describe, security.Group, ask.Group) {
		fail(protocol.GroupAuthorizationFailed)
		return
	}
	all := ask.Topics == nil
	var refused []kmsg.OffsetFetchResponseGroupTopic
	if !all {
		refused = s.screenFetch(r, ask)
	}
	call := &group.FetchCall{Fail: fail, Reply: func(answer kmsg.OffsetFetchResponseGroup) {
		if all {
			s.showTopics(r, &answer)
		}
		answer.Topics = append(answer.Topics, refused...)
		done(answer)
	}}
	s.onGroup(ask.Group, fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.Fetch(now, call, ask, requireStable)
	})
}

// screenFetch leaves in the request the topics that the client may see, with their names, and returns the rest refused.
func (s *Server) screenFetch(r *Request, ask *kmsg.OffsetFetchRequestGroup) (refused []kmsg.OffsetFetchResponseGroupTopic) {
	image := s.Cluster.Image()
	kept := make([]kmsg.OffsetFetchRequestGroupTopic, 0, len(ask.Topics))
	for _, t := range ask.Topics {
		code := protocol.None
		if r.Version() >= fetchOffsetTopicIDs {
			if topic := image.TopicByID(t.TopicID); topic != nil {
				t.Topic = topic.Name
			} else {
				code = protocol.UnknownTopicID
			}
		}
		if code == protocol.None && !s.Allowed(r, security.Describe, security.Topic, t.Topic) {
			code = protocol.TopicAuthorizationFailed
		}
		if code != protocol.None {
			refused = append(refused, refuseFetch(t, code))
			continue
		}
		kept = append(kept, t)
	}
	ask.Topics = kept
	return refused
}

// showTopics leaves in an answer about all topics those that the client may see, and names them as the version does.
func (s *Server) showTopics(r *Request, answer *kmsg.OffsetFetchResponseGroup) {
	image := s.Cluster.Image()
	shown := answer.Topics[:0]
	for _, t := range answer.Topics {
		if !s.Allowed(r, security.Describe, security.Topic, t.Topic) {
			continue
		}
		if r.Version() >= fetchOffsetTopicIDs {
			topic := image.Topic(t.Topic)
			if topic == nil {
				continue // deleted; the client could not be told which
			}
			t.TopicID = topic.ID
		}
		shown = append(shown, t)
	}
	answer.Topics = shown
}

func refuseFetch(t kmsg.OffsetFetchRequestGroupTopic, code protocol.Code) kmsg.OffsetFetchResponseGroupTopic {
	answer := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic, TopicID: t.TopicID}
	for _, p := range t.Partitions {
		answer.Partitions = append(answer.Partitions, group.NoOffset(p, code))
	}
	return answer
}

// fetchError is the answer about a group that cannot be read. Version 1 has no place for it but the partitions.
func fetchError(version int16, ask *kmsg.OffsetFetchRequestGroup, code protocol.Code) kmsg.OffsetFetchResponseGroup {
	answer := kmsg.NewOffsetFetchResponseGroup()
	answer.Group = ask.Group
	if version >= fetchGroupErrors {
		answer.ErrorCode = int16(code)
		return answer
	}
	for _, t := range ask.Topics {
		answer.Topics = append(answer.Topics, refuseFetch(t, code))
	}
	return answer
}

func fetchResponse(version int16, groups []kmsg.OffsetFetchResponseGroup) *kmsg.OffsetFetchResponse {
	resp := kmsg.NewPtrOffsetFetchResponse()
	if version >= fetchSeveralGroups {
		resp.Groups = groups
		return resp
	}
	resp.ErrorCode = groups[0].ErrorCode
	for _, t := range groups[0].Topics {
		topic := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition:   p.Partition,
				Offset:      p.Offset,
				LeaderEpoch: p.LeaderEpoch,
				Metadata:    p.Metadata,
				ErrorCode:   p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
