// ListPartitionReassignments, key 46, version 0: the partitions whose replicas are being moved.
//
// Errors: CLUSTER_AUTHORIZATION_FAILED. Topics and partitions that do not exist, or do not move, are left out.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
)

// ListPartitionReassignments serves key 46.
func ListPartitionReassignments(s *Server, r *Request) {
	req := r.Message.(*kmsg.ListPartitionReassignmentsRequest)
	resp := kmsg.NewPtrListPartitionReassignmentsResponse()
	if !s.mayOnCluster(r, security.Describe) {
		resp.ErrorCode, resp.ErrorMessage = codeAndMessage(clusterDenied("DESCRIBE"))
		r.Reply(resp)
		return
	}
	image := s.Cluster.Image()
	if req.Topics == nil {
		for t := range image.Topics() {
			all := make([]int32, len(t.Partitions))
			for n := range all {
				all[n] = int32(n)
			}
			resp.Topics = appendReassignments(resp.Topics, t, all)
		}
	}
	for _, asked := range req.Topics {
		if t := image.Topic(asked.Topic); t != nil {
			resp.Topics = appendReassignments(resp.Topics, t, asked.Partitions)
		}
	}
	r.Reply(resp)
}

// appendReassignments adds a topic if one of the partitions moves.
func appendReassignments(to []kmsg.ListPartitionReassignmentsResponseTopic, t *cluster.Topic, partitions []int32) []kmsg.ListPartitionReassignmentsResponseTopic {
	rt := kmsg.NewListPartitionReassignmentsResponseTopic()
	rt.Topic = t.Name
	for _, index := range partitions {
		p := t.Partition(index)
		if p == nil || len(p.Adding)+len(p.Removing) == 0 {
			continue
		}
		rp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		rp.Partition, rp.Replicas, rp.AddingReplicas, rp.RemovingReplicas = index, p.Replicas, p.Adding, p.Removing
		rt.Partitions = append(rt.Partitions, rp)
	}
	if len(rt.Partitions) == 0 {
		return to
	}
	return append(to, rt)
}
