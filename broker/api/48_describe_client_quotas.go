// DescribeClientQuotas, key 48, versions 0–1: the quotas of the entities that match a filter.
//
// Errors: CLUSTER_AUTHORIZATION_FAILED (it needs DESCRIBE_CONFIGS on the cluster), INVALID_REQUEST, UNSUPPORTED_VERSION
// (an unknown entity type).

package api

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
)

// DescribeClientQuotas serves key 48.
func DescribeClientQuotas(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeClientQuotasRequest)
	resp := kmsg.NewPtrDescribeClientQuotasResponse()
	if !s.mayOnCluster(r, security.DescribeConfigs) {
		resp.ErrorCode, resp.ErrorMessage = codeAndMessage(clusterDenied("DESCRIBE_CONFIGS"))
		r.Reply(resp)
		return
	}
	filter := make([]cluster.QuotaFilter, len(req.Components))
	for n, c := range req.Components {
		filter[n] = cluster.QuotaFilter{EntityType: c.EntityType, Match: cluster.QuotaMatch(c.MatchType), Name: c.Match}
	}
	found, err := s.Cluster.Image().FindQuotas(filter, req.Strict)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndMessage(err)
		r.Reply(resp)
		return
	}
	// Kafka's success has an empty message and a list, never null.
	resp.ErrorMessage, resp.Entries = new(string), []kmsg.DescribeClientQuotasResponseEntry{}
	for q := range found {
		resp.Entries = append(resp.Entries, quotaEntry(q))
	}
	r.Reply(resp)
}

func quotaEntry(q *cluster.Quota) kmsg.DescribeClientQuotasResponseEntry {
	e := kmsg.NewDescribeClientQuotasResponseEntry()
	for _, t := range slices.Sorted(maps.Keys(q.Entity)) {
		part := kmsg.NewDescribeClientQuotasResponseEntryEntity()
		part.Type, part.Name = t, q.Entity[t]
		e.Entity = append(e.Entity, part)
	}
	for _, key := range slices.Sorted(maps.Keys(q.Values)) {
		v := kmsg.NewDescribeClientQuotasResponseEntryValue()
		v.Key, v.Value = key, q.Values[key]
		e.Values = append(e.Values, v)
	}
	return e
}
