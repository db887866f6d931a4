// AlterPartitionReassignments, key 45, versions 0–1: other replicas for partitions, or an end of that (KIP-455). While the
// cluster is one broker a partition can only be given the replica that it has, which changes nothing: tools ask for that
// on their way to moving it to another data directory.
//
//	v1  whether the number of replicas may change
//
// Errors, each for a partition: those of cluster.CheckReassignment; for all: CLUSTER_AUTHORIZATION_FAILED.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
)

// AlterPartitionReassignments serves key 45.
func AlterPartitionReassignments(s *Server, r *Request) {
	req := r.Message.(*kmsg.AlterPartitionAssignmentsRequest)
	resp := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	if !s.mayOnCluster(r, security.Alter) {
		resp.ErrorCode, resp.ErrorMessage = codeAndMessage(clusterDenied("ALTER"))
		r.Reply(resp)
		return
	}
	image := s.Cluster.Image()
	for _, t := range req.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition = p.Partition
			rp.ErrorCode, rp.ErrorMessage = codeAndMessage(image.CheckReassignment(cluster.Reassignment{
				Topic: t.Topic, Index: p.Partition, Replicas: p.Replicas, KeepFactor: req.Version >= 1 && !req.AllowReplicationFactorChange}))
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}
