// DescribeQuorum, key 55, versions 0–2: the replicas of the metadata log.
//
//	v1  when a replica last fetched and was caught up   v2  messages, directory ids, where the voters listen
//
// Errors: CLUSTER_AUTHORIZATION_FAILED; per partition UNKNOWN_TOPIC_OR_PARTITION for all but the one partition of
// __cluster_metadata, which must be asked for alone, as with Kafka.
//
// Voters have no directory ids, as in a Kafka cluster with controller.quorum.voters, and a node that is the only voter
// has no controller listener to tell of.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/quorum"
	"github.com/ottla/ottla/protocol"
)

// DescribeQuorum serves key 55.
func DescribeQuorum(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeQuorumRequest)
	resp := kmsg.NewPtrDescribeQuorumResponse()
	if !s.mayOnCluster(r, security.Describe) {
		resp.ErrorCode, resp.ErrorMessage = codeAndMessage(clusterDenied("DESCRIBE"))
		r.Reply(resp)
		return
	}
	resp.ErrorMessage = emptyMessage(r)
	if !asksForMetadata(req) {
		resp.Topics = unknownPartitions(req)
		r.Reply(resp)
		return
	}
	status := s.QuorumStatus()
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.ErrorMessage = emptyMessage(r)
	p.LeaderID, p.LeaderEpoch, p.HighWatermark = status.Leader, status.Epoch, status.HighWatermark
	p.CurrentVoters, p.Observers = replicaStates(status.Voters), replicaStates(status.Observers)
	t := kmsg.NewDescribeQuorumResponseTopic()
	t.Topic, t.Partitions = cluster.MetadataTopic, []kmsg.DescribeQuorumResponseTopicPartition{p}
	resp.Topics = append(resp.Topics, t)
	for _, v := range status.Voters {
		n := kmsg.NewDescribeQuorumResponseNode()
		n.NodeID = v.ID
		resp.Nodes = append(resp.Nodes, n)
	}
	r.Reply(resp)
}

// emptyMessage is Kafka's message of a success in version 2.
func emptyMessage(r *Request) *string {
	if r.Version() < 2 {
		return nil
	}
	return new(string)
}

func asksForMetadata(req *kmsg.DescribeQuorumRequest) bool {
	return len(req.Topics) == 1 && req.Topics[0].Topic == cluster.MetadataTopic &&
		len(req.Topics[0].Partitions) == 1 && req.Topics[0].Partitions[0].Partition == 0
}

func unknownPartitions(req *kmsg.DescribeQuorumRequest) []kmsg.DescribeQuorumResponseTopic {
	var topics []kmsg.DescribeQuorumResponseTopic
	for _, asked := range req.Topics {
		t := kmsg.NewDescribeQuorumResponseTopic()
		t.Topic = asked.Topic
		for _, ap := range asked.Partitions {
			p := kmsg.NewDescribeQuorumResponseTopicPartition()
			p.Partition = ap.Partition
			p.ErrorCode, p.ErrorMessage = codeAndMessage(
				protocol.Errorf(protocol.UnknownTopicOrPartition, "Only partition 0 of %s has a quorum.", cluster.MetadataTopic))
			t.Partitions = append(t.Partitions, p)
		}
		topics = append(topics, t)
	}
	return topics
}

func replicaStates(replicas []quorum.Replica) []kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	var states []kmsg.DescribeQuorumResponseTopicPartitionReplicaState
	for _, r := range replicas {
		state := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		state.ReplicaID, state.LogEndOffset = r.ID, r.LogEndOffset
		state.LastFetchTimestamp, state.LastCaughtUpTimestamp = r.LastFetchMs, r.LastCaughtUpMs
		states = append(states, state)
	}
	return states
}
