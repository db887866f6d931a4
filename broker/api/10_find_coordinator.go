// FindCoordinator, key 10, versions 0–6: which broker coordinates a group.
//
//	v1  key type: 0 group, 1 transactional id     v3  flexible     v4  several keys, an error for each (KIP-699)
//	v5  TRANSACTION_ABORTABLE                     v6  key type 2, share partition (KIP-932)
//
// Errors: GROUP_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST,
// COORDINATOR_NOT_AVAILABLE.
//
// Where this differs from Kafka: the first question creates __consumer_offsets and is answered when it is there, where
// Kafka answers COORDINATOR_NOT_AVAILABLE and lets the client ask again. Keys of transactions and share partitions, which
// nothing here coordinates, answer UNSUPPORTED_VERSION: a code that clients try again after would hang them.

package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// The kinds of key. Source: FindCoordinatorRequest.CoordinatorType.
const (
	groupKeyType       = 0
	transactionKeyType = 1
	shareKeyType       = 2
)

// Versions of FindCoordinator at which it changed.
const (
	findSeveralKeys = 4
	findShareKeys   = 6
)

// internalTopicTimeout bounds the wait for an internal topic to be created.
const internalTopicTimeout = 5 * time.Second

// FindCoordinator serves key 10.
func FindCoordinator(s *Server, r *Request) {
	req := r.Message.(*kmsg.FindCoordinatorRequest)
	resp := kmsg.NewPtrFindCoordinatorResponse()
	if r.Version() < findSeveralKeys {
		c := s.findCoordinator(r, req.CoordinatorType, req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		if c.ErrorCode == 0 {
			resp.ErrorMessage = kmsg.StringPtr("NONE") // as Kafka says it
		}
		r.Reply(resp)
		return
	}
	resp.Coordinators = make([]kmsg.FindCoordinatorResponseCoordinator, len(req.CoordinatorKeys))
	for i, key := range req.CoordinatorKeys {
		resp.Coordinators[i] = s.findCoordinator(r, req.CoordinatorType, key)
	}
	r.Reply(resp)
}

// findCoordinator answers for one key.
func (s *Server) findCoordinator(r *Request, keyType int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key = key
	c.NodeID, c.Port = -1, -1
	node, err := s.coordinatorOf(r, keyType, key)
	if err == nil {
		if e, ok := s.Endpoint(r.Conn, node); ok {
			c.NodeID, c.Host, c.Port = node, e.Host, e.Port
		} else {
			err = protocol.Errorf(protocol.CoordinatorNotAvailable, "Broker %d has no listener that this connection could use.", node)
		}
	}
	c.ErrorCode, c.ErrorMessage = codeAndMessage(err)
	if c.ErrorMessage == nil {
		c.ErrorMessage = kmsg.StringPtr("")
	}
	return c
}

// coordinatorOf is the node that coordinates a key.
func (s *Server) coordinatorOf(r *Request, keyType int8, key string) (node int32, err error) {
	switch keyType {
	case groupKeyType:
		if !s.Allowed(r, security.Describe, security.Group, key) {
			return 0, protocol.GroupAuthorizationFailed
		}
		return s.groupCoordinator(key)
	case transactionKeyType:
		if !s.Allowed(r, security.Describe, security.TransactionalID, key) {
			return 0, protocol.TransactionalIDAuthorizationFailed
		}
		return 0, protocol.Errorf(protocol.UnsupportedVersion, "This broker has no transactions yet: a producer without transactional.id works.")
	case shareKeyType:
		if r.Version() < findShareKeys {
			return 0, protocol.Errorf(protocol.InvalidRequest, "Share partitions have coordinators from version %d on.", findShareKeys)
		}
		if !s.mayOnCluster(r, security.ClusterAction) {
			return 0, clusterDenied("ClusterAction")
		}
		return 0, protocol.Errorf(protocol.UnsupportedVersion, "This broker has no share groups yet.")
	}
	return 0, protocol.Errorf(protocol.InvalidRequest, "There is no coordinator of type %d: 0 is for groups, 1 for transactions, 2 for share partitions.", keyType)
}

// groupCoordinator is the leader of the partition that holds the group.
func (s *Server) groupCoordinator(groupID string) (node int32, err error) {
	topic := s.Cluster.Image().Topic(cluster.ConsumerOffsets)
	if topic == nil {
		if err := s.createOffsetsTopic(); err != nil {
			s.Log.Warn("cannot create the topic of committed offsets", "topic", cluster.ConsumerOffsets, "err", err)
			return 0, protocol.Errorf(protocol.CoordinatorNotAvailable, "%s is not there and cannot be created: %v", cluster.ConsumerOffsets, err)
		}
		topic = s.Cluster.Image().Topic(cluster.ConsumerOffsets)
	}
	if topic == nil {
		return 0, protocol.CoordinatorNotAvailable
	}
	leader := topic.Partitions[coordinator.PartitionFor(groupID, int32(len(topic.Partitions)))].Leader
	if leader == cluster.NoLeader || !s.Cluster.Image().Alive(leader) {
		return 0, protocol.CoordinatorNotAvailable
	}
	return leader, nil
}

// createOffsetsTopic returns when __consumer_offsets is there.
func (s *Server) createOffsetsTopic() error {
	ctx, cancel := context.WithTimeout(context.Background(), internalTopicTimeout)
	defer cancel()
	return s.AutoCreate(ctx, []string{cluster.ConsumerOffsets})[cluster.ConsumerOffsets]
}
