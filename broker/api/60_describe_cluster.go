// DescribeCluster, key 60, versions 0–2: the brokers, the cluster's id and what the client may do to it.
//
//	v1  endpoint type: brokers or controllers (KIP-919)
//	v2  fenced brokers on request (KIP-1073)
//
// Errors: MISMATCHED_ENDPOINT_TYPE for controllers asked of a broker, UNSUPPORTED_ENDPOINT_TYPE for what is neither.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
)

// The endpoint types of DescribeCluster.
const (
	brokerEndpoints     = 1
	controllerEndpoints = 2
)

// DescribeCluster serves key 60.
func DescribeCluster(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeClusterRequest)
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ClusterAuthorizedOperations = operationsNotAsked
	resp.Brokers = []kmsg.DescribeClusterResponseBroker{}
	if err := checkEndpointType(req.EndpointType, r.Version()); err != nil {
		resp.ErrorCode, resp.ErrorMessage = int16(err.Code), &err.Message
		r.Reply(resp)
		return
	}
	resp.EndpointType = brokerEndpoints
	resp.ClusterID = s.ClusterID
	resp.ControllerID = s.NodeID
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = s.clusterOperations(r)
	}
	for _, b := range s.Cluster.Image().Brokers() {
		e, ok := s.Endpoint(r.Conn, b.ID)
		if !ok || (b.Fenced && !req.IncludeFencedBrokers) {
			continue
		}
		db := kmsg.NewDescribeClusterResponseBroker()
		db.NodeID, db.Host, db.Port, db.Rack, db.IsFenced = b.ID, e.Host, e.Port, e.Rack, b.Fenced
		resp.Brokers = append(resp.Brokers, db)
	}
	r.Reply(resp)
}

func checkEndpointType(asked int8, version int16) *protocol.Error {
	switch {
	case version == 0 || asked == brokerEndpoints:
		return nil
	case asked == controllerEndpoints:
		return protocol.Errorf(protocol.MismatchedEndpointType, "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
	}
	return protocol.Errorf(protocol.UnsupportedEndpointType, "Unsupported endpoint type %d", asked)
}
