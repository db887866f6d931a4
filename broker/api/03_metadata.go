// Metadata, key 3, versions 0–13: brokers, and the partitions of the topics that a client names.
//
//	v1   null topics mean all, empty means none (v0: empty means all); controller id, rack, internal flag
//	v4   the client says whether a missing topic may be created
//	v5   offline replicas        v7   leader epochs
//	v8   authorized operations   v10  topic ids   v11  no cluster operations (DescribeCluster has them)
//	v12  topics by id            v13  top-level error, unused
//
// Errors, per topic: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION, TOPIC_AUTHORIZATION_FAILED;
// per partition: LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND.
//
// A topic that the request creates is answered UNKNOWN_TOPIC_OR_PARTITION, as Kafka does, and the client asks again; but it
// is there before the answer is, and the next request of the connection waits for that.

package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// operationsNotAsked is the bit field where the client did not ask for authorized operations.
const operationsNotAsked = -2147483648

// Metadata serves key 3.
func Metadata(s *Server, r *Request) {
	req := r.Message.(*kmsg.MetadataRequest)
	resp := kmsg.NewPtrMetadataResponse()
	if idsTooEarly(req, r.Version()) {
		r.Reply(refuseIDs(req, resp))
		return
	}
	image := s.Cluster.Image()
	resp.Topics = s.metadataTopics(r, req, image)
	resp.Brokers = s.metadataBrokers(r, image)
	resp.ControllerID = s.NodeID
	resp.ClusterID = kmsg.StringPtr(s.ClusterID)
	resp.AuthorizedOperations = operationsNotAsked
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = s.clusterOperations(r)
	}
	r.Reply(resp)
}

// idsTooEarly reports whether a request names topics by id, or by no name, in the two versions whose requests have room for
// that and whose brokers do not understand it.
func idsTooEarly(req *kmsg.MetadataRequest, version int16) bool {
	return version >= 10 && version < 12 && slices.ContainsFunc(req.Topics, func(t kmsg.MetadataRequestTopic) bool {
		return t.Topic == nil || t.TopicID != cluster.TopicID{}
	})
}

// refuseIDs answers INVALID_REQUEST for every topic, and nothing else. Source: MetadataRequest.getErrorResponse.
func refuseIDs(req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) *kmsg.MetadataResponse {
	resp.AuthorizedOperations = operationsNotAsked
	for _, asked := range req.Topics {
		mt := kmsg.NewMetadataResponseTopic()
		mt.Topic, mt.TopicID, mt.ErrorCode = asked.Topic, asked.TopicID, int16(protocol.InvalidRequest)
		if mt.Topic == nil {
			mt.Topic = kmsg.StringPtr("")
		}
		resp.Topics = append(resp.Topics, mt)
	}
	return resp
}

func (s *Server) metadataBrokers(r *Request, image *cluster.Image) []kmsg.MetadataResponseBroker {
	var brokers []kmsg.MetadataResponseBroker
	for _, b := range image.Brokers() {
		e, ok := s.Endpoint(r.Conn, b.ID)
		if b.Fenced || !ok {
			continue
		}
		mb := kmsg.NewMetadataResponseBroker()
		mb.NodeID, mb.Host, mb.Port, mb.Rack = b.ID, e.Host, e.Port, e.Rack
		brokers = append(brokers, mb)
	}
	return brokers
}

// metadataTopics answers for the topics asked for, in the request's order, or for all that the client may see.
func (s *Server) metadataTopics(r *Request, req *kmsg.MetadataRequest, image *cluster.Image) []kmsg.MetadataResponseTopic {
	topics := []kmsg.MetadataResponseTopic{}
	if req.Topics == nil || (r.Version() == 0 && len(req.Topics) == 0) {
		for t := range image.Topics() {
			if s.Allowed(r, security.Describe, security.Topic, t.Name) {
				topics = append(topics, s.metadataTopic(r, req, image, t))
			}
		}
		return topics
	}
	var failed map[string]error
	if req.AllowAutoTopicCreation || r.Version() < 4 {
		failed = s.createMissing(r, req, image)
	}
	seen := make(map[string]bool, len(req.Topics))
	for _, asked := range req.Topics {
		if key := askedKey(asked); !seen[key] { // a topic named twice is answered once, as Kafka's set does
			seen[key] = true
			topics = append(topics, s.askedTopic(r, req, image, asked, failed))
		}
	}
	return topics
}

func askedKey(asked kmsg.MetadataRequestTopic) string {
	if asked.Topic != nil {
		return "n" + *asked.Topic
	}
	return "i" + string(asked.TopicID[:])
}

// createMissing creates the named topics that are missing and that the client may create, and tells what failed.
func (s *Server) createMissing(r *Request, req *kmsg.MetadataRequest, image *cluster.Image) (failed map[string]error) {
	var names []string
	for _, asked := range req.Topics {
		if asked.Topic == nil || image.Topic(*asked.Topic) != nil || slices.Contains(names, *asked.Topic) {
			continue
		}
		name := *asked.Topic
		if s.Allowed(r, security.Describe, security.Topic, name) &&
			(s.Allowed(r, security.Create, security.Cluster, security.ClusterName) || s.Allowed(r, security.Create, security.Topic, name)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || !s.AutoCreateEnabled() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), internalTopicTimeout)
	defer cancel()
	return s.AutoCreate(ctx, names)
}

// askedTopic answers for one topic that the client named.
func (s *Server) askedTopic(r *Request, req *kmsg.MetadataRequest, image *cluster.Image, asked kmsg.MetadataRequestTopic, failed map[string]error) kmsg.MetadataResponseTopic {
	var t *cluster.Topic
	if asked.Topic != nil {
		t = image.Topic(*asked.Topic)
	} else {
		t = image.TopicByID(asked.TopicID)
	}
	if t == nil {
		return s.noTopic(r, asked, failed)
	}
	if !s.Allowed(r, security.Describe, security.Topic, t.Name) {
		return s.deniedTopic(asked)
	}
	return s.metadataTopic(r, req, image, t)
}

func (s *Server) noTopic(r *Request, asked kmsg.MetadataRequestTopic, failed map[string]error) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic, mt.TopicID = asked.Topic, asked.TopicID
	mt.Partitions = []kmsg.MetadataResponseTopicPartition{}
	switch {
	case asked.Topic == nil:
		mt.ErrorCode = int16(protocol.UnknownTopicID)
	case !s.Allowed(r, security.Describe, security.Topic, *asked.Topic):
		return s.deniedTopic(asked)
	case cluster.ValidateTopicName(*asked.Topic) != nil:
		mt.ErrorCode = int16(protocol.InvalidTopicException)
	default:
		mt.ErrorCode = int16(protocol.UnknownTopicOrPartition)
		if err := failed[*asked.Topic]; err != nil {
			mt.ErrorCode = int16(protocol.CodeOf(err))
		}
	}
	return mt
}

// deniedTopic tells nothing about a topic, not even whether it is there.
func (s *Server) deniedTopic(asked kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic = asked.Topic
	mt.Partitions = []kmsg.MetadataResponseTopicPartition{}
	mt.ErrorCode = int16(protocol.TopicAuthorizationFailed)
	if asked.Topic == nil { // asked by id: that there is such an id must not leak
		mt.TopicID = asked.TopicID
		mt.ErrorCode = int16(protocol.UnknownTopicID)
	}
	return mt
}

func (s *Server) metadataTopic(r *Request, req *kmsg.MetadataRequest, image *cluster.Image, t *cluster.Topic) kmsg.MetadataResponseTopic {
	mt := kmsg.NewMetadataResponseTopic()
	mt.Topic, mt.TopicID, mt.IsInternal = &t.Name, t.ID, cluster.IsInternal(t.Name)
	mt.AuthorizedOperations = operationsNotAsked
	if req.IncludeTopicAuthorizedOperations {
		mt.AuthorizedOperations = s.AuthorizedOperations(r, security.Topic, t.Name)
	}
	mt.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(t.Partitions))
	for i, p := range t.Partitions {
		mt.Partitions = append(mt.Partitions, s.metadataPartition(r, image, int32(i), p))
	}
	return mt
}

func (s *Server) metadataPartition(r *Request, image *cluster.Image, index int32, p *cluster.Partition) kmsg.MetadataResponseTopicPartition {
	mp := kmsg.NewMetadataResponseTopicPartition()
	mp.Partition, mp.Leader, mp.LeaderEpoch = index, p.Leader, p.LeaderEpoch
	mp.Replicas, mp.ISR = p.Replicas, p.ISR
	mp.OfflineReplicas = offlineReplicas(image, p)
	switch {
	case !image.Alive(p.Leader):
		mp.Leader = cluster.NoLeader
		mp.ErrorCode = int16(protocol.LeaderNotAvailable)
	case !s.reachable(r, p.Leader) && r.Version() >= 6:
		mp.Leader = cluster.NoLeader
		mp.ErrorCode = int16(protocol.ListenerNotFound)
	case !s.reachable(r, p.Leader):
		mp.Leader = cluster.NoLeader
		mp.ErrorCode = int16(protocol.LeaderNotAvailable)
	case r.Version() == 0 && len(mp.OfflineReplicas) > 0:
		mp.ErrorCode = int16(protocol.ReplicaNotAvailable)
	}
	return mp
}

func (s *Server) reachable(r *Request, node int32) bool {
	_, ok := s.Endpoint(r.Conn, node)
	return ok
}

// offlineReplicas are the replicas on brokers that are not alive. Never nil: the Java client reads null as a fault.
func offlineReplicas(image *cluster.Image, p *cluster.Partition) []int32 {
	offline := []int32{}
	for _, id := range p.Replicas {
		if !image.Alive(id) {
			offline = append(offline, id)
		}
	}
	return offline
}

// clusterOperations is the bit field of what the client may do to the cluster, 0 where it may not even describe it.
func (s *Server) clusterOperations(r *Request) int32 {
	if !s.Allowed(r, security.Describe, security.Cluster, security.ClusterName) {
		return 0
	}
	return s.AuthorizedOperations(r, security.Cluster, security.ClusterName)
}
