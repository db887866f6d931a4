// ListConfigResources, key 74, versions 0–1: the names of resources that have configs. Version 0, once named
// ListClientMetricsResources, lists client metrics subscriptions; version 1 those of the types asked for, or of all
// (KIP-1142). Groups and subscriptions are listed where something is set on them.
//
// Errors: CLUSTER_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION for a type that cannot be listed.

package api

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// listedTypes are the types of resources that can be listed, in the order that they are.
var listedTypes = []cluster.ResourceType{
	cluster.GroupResource, cluster.ClientMetricsResource, cluster.BrokerLoggerResource, cluster.BrokerResource, cluster.TopicResource,
}

// ListConfigResources serves key 74.
func ListConfigResources(s *Server, r *Request) {
	req := r.Message.(*kmsg.ListConfigResourcesRequest)
	resp := kmsg.NewPtrListConfigResourcesResponse()
	if !s.mayOnCluster(r, security.DescribeConfigs) {
		resp.ErrorCode = int16(protocol.ClusterAuthorizationFailed)
		r.Reply(resp)
		return
	}
	asked := listedTypes
	switch {
	case r.Version() == 0:
		asked = []cluster.ResourceType{cluster.ClientMetricsResource}
	case len(req.ResourceTypes) > 0:
		asked = nil
		for _, t := range req.ResourceTypes {
			if !slices.Contains(listedTypes, cluster.ResourceType(t)) {
				resp.ErrorCode = int16(protocol.UnsupportedVersion)
				r.Reply(resp)
				return
			}
		}
		for _, t := range listedTypes {
			if slices.Contains(req.ResourceTypes, int8(t)) {
				asked = append(asked, t)
			}
		}
	}
	for _, t := range asked {
		for _, name := range s.resourceNames(r, t) {
			resource := kmsg.NewListConfigResourcesResponseConfigResource()
			resource.Name, resource.Type = name, int8(t)
			resp.ConfigResources = append(resp.ConfigResources, resource)
		}
	}
	r.Reply(resp)
}

// resourceNames are the resources of a type that the request's principal may describe.
func (s *Server) resourceNames(r *Request, t cluster.ResourceType) []string {
	image := s.Cluster.Image()
	var names []string
	switch t {
	case cluster.TopicResource:
		for topic := range image.Topics() {
			if s.Allowed(r, security.DescribeConfigs, security.Topic, topic.Name) {
				names = append(names, topic.Name)
			}
		}
	case cluster.BrokerResource, cluster.BrokerLoggerResource:
		for _, b := range image.Brokers() {
			if !b.Fenced {
				names = append(names, strconv.Itoa(int(b.ID)))
			}
		}
	case cluster.GroupResource:
		for name := range image.ConfigResources(t) {
			if s.Allowed(r, security.DescribeConfigs, security.Group, name) {
				names = append(names, name)
			}
		}
	default:
		for name := range image.ConfigResources(t) {
			names = append(names, name)
		}
	}
	return names
}
