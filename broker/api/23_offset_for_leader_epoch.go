// OffsetForLeaderEpoch, key 23, versions 2–4: where a leader epoch ended, by which a client finds out whether its records
// have been cut off (KIP-101, KIP-320).
//
//	v2  current leader epoch
//	v3  replica id
//	v4  flexible
//
// Errors, each for a partition: TOPIC_AUTHORIZATION_FAILED (neither DESCRIBE on the topic nor CLUSTER_ACTION),
// UNKNOWN_TOPIC_OR_PARTITION, and those of partition.EpochEnd. An epoch of which nothing is known is -1, -1 without an error.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
)

// OffsetForLeaderEpoch serves key 23.
func OffsetForLeaderEpoch(s *Server, r *Request) {
	req := r.Message.(*kmsg.OffsetForLeaderEpochRequest)
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	broker := s.Allowed(r, security.ClusterAction, security.Cluster, security.ClusterName)
	for i := range req.Topics {
		t := &req.Topics[i]
		rt := kmsg.NewOffsetForLeaderEpochResponseTopic()
		rt.Topic = t.Topic
		allowed := broker || s.Allowed(r, security.Describe, security.Topic, t.Topic)
		for j := range t.Partitions {
			rt.Partitions = append(rt.Partitions, s.epochEnd(t.Topic, &t.Partitions[j], allowed))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}

func (s *Server) epochEnd(topic string, p *kmsg.OffsetForLeaderEpochRequestTopicPartition, allowed bool) kmsg.OffsetForLeaderEpochResponseTopicPartition {
	rp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
	rp.Partition, rp.LeaderEpoch, rp.EndOffset = p.Partition, -1, -1
	if !allowed {
		rp.ErrorCode = int16(protocol.TopicAuthorizationFailed)
		return rp
	}
	found, err := s.Partitions.Find(topic, p.Partition)
	if err == nil {
		var end partition.EpochEnd
		end, err = found.EpochEnd(p.LeaderEpoch, partition.Access{CurrentLeaderEpoch: p.CurrentLeaderEpoch})
		rp.LeaderEpoch, rp.EndOffset = end.Epoch, end.EndOffset
	}
	rp.ErrorCode = int16(protocol.CodeOf(err))
	return rp
}
