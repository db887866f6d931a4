// ElectLeaders, key 43, versions 0–2: the preferred replica becomes leader, or, in an unclean election, one that is not in
// sync does where there is no leader.
//
//	v1  the kind of election, top-level error
//
// Errors, per partition: UNKNOWN_TOPIC_OR_PARTITION, ELECTION_NOT_NEEDED (left out where all partitions are asked for),
// PREFERRED_LEADER_NOT_AVAILABLE, ELIGIBLE_LEADERS_NOT_AVAILABLE; for all: CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST
// (an unknown kind), REQUEST_TIMED_OUT, NOT_CONTROLLER, KAFKA_STORAGE_ERROR.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// ElectLeaders serves key 43.
func ElectLeaders(s *Server, r *Request) {
	req := r.Message.(*kmsg.ElectLeadersRequest)
	all := req.Topics == nil
	if all {
		for t := range s.Cluster.Image().Topics() {
			et := kmsg.NewElectLeadersRequestTopic()
			et.Topic = t.Name
			for n := range t.Partitions {
				et.Partitions = append(et.Partitions, int32(n))
			}
			req.Topics = append(req.Topics, et)
		}
	}
	errs, err := s.electLeaders(r, req)
	resp := kmsg.NewPtrElectLeadersResponse()
	resp.ErrorCode, _ = codeAndMessage(err)
	if err != nil && all {
		r.Reply(resp) // nobody asked for a partition that could be answered
		return
	}
	for _, t := range req.Topics {
		rt := kmsg.NewElectLeadersResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewElectLeadersResponseTopicPartition()
			rp.Partition = p
			rp.ErrorCode, rp.ErrorMessage = codeAndMessage(errs[0])
			errs = errs[1:]
			if !all || rp.ErrorCode != int16(protocol.ElectionNotNeeded) {
				rt.Partitions = append(rt.Partitions, rp)
			}
		}
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}

// electLeaders gives an error, or nil, for each partition in the order of the request, and the error of them all.
func (s *Server) electLeaders(r *Request, req *kmsg.ElectLeadersRequest) (errs []error, err error) {
	var partitions []cluster.TopicPartition
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			partitions = append(partitions, cluster.TopicPartition{Topic: t.Topic, Index: p})
		}
	}
	kind := cluster.Election(req.ElectionType)
	switch {
	case !s.mayOnCluster(r, security.Alter):
		err = clusterDenied("ALTER")
	case kind != cluster.PreferredElection && kind != cluster.UncleanElection:
		err = protocol.Errorf(protocol.InvalidRequest, "There is no election of type %d: 0 is preferred, 1 unclean.", req.ElectionType)
	default:
		err = s.propose(req.TimeoutMillis, func(image *cluster.Image, _ time.Time) (records []cluster.Record, _ error) {
			records, errs = image.ElectLeaders(kind, partitions)
			return records, nil
		})
	}
	if err != nil {
		errs = make([]error, len(partitions))
		for n := range errs {
			errs[n] = err
		}
	}
	return errs, err
}
