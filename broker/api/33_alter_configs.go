// AlterConfigs, key 33, versions 0–2: replaces all configs that are set on topics, brokers, client metrics subscriptions
// and groups; what is not named is deleted. Newer clients use IncrementalAlterConfigs, which two of them can use at once.
//
//	v1  throttle time is sent before the delay    v2  flexible
//
// Errors, per resource: as IncrementalAlterConfigs, with INVALID_REQUEST for broker loggers, which this API does not have.
// A resource named twice is INVALID_REQUEST too where Kafka leaves the connection without an answer.

package api

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// AlterConfigs serves key 33.
func AlterConfigs(s *Server, r *Request) {
	req := r.Message.(*kmsg.AlterConfigsRequest)
	type name struct {
		kind kmsg.ConfigResourceType
		name string
	}
	twice := duplicates(req.Resources, func(q kmsg.AlterConfigsRequestResource) name {
		return name{q.ResourceType, q.ResourceName}
	})
	changes := make([]alteration, len(req.Resources))
	for i, q := range req.Resources {
		changes[i] = s.prepare(r, q.ResourceType, q.ResourceName, twice[name{q.ResourceType, q.ResourceName}])
		if !changes[i].done {
			s.replace(&changes[i], q.Configs)
		}
	}
	results := s.alter(changes, req.ValidateOnly)
	resp := kmsg.NewPtrAlterConfigsResponse()
	for i, q := range req.Resources {
		answer := kmsg.NewAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = q.ResourceType, q.ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeAndMessage(results[i])
		resp.Resources = append(resp.Resources, answer)
	}
	r.Reply(resp)
}

// replace completes an alteration that sets exactly these configs.
func (s *Server) replace(a *alteration, given []kmsg.AlterConfigsRequestResourceConfig) {
	if a.err = checkReplaced(a.resource, given); a.err != nil {
		a.done = true
		return
	}
	values := make([]cluster.ConfigValue, len(given))
	for i, c := range given {
		values[i] = cluster.ConfigValue{Name: c.Name, Value: c.Value}
	}
	a.decide = func(image *cluster.Image) ([]cluster.Record, error) {
		return image.AlterConfigs(a.resource, values, s.configRules())
	}
}

func checkReplaced(res cluster.Resource, given []kmsg.AlterConfigsRequestResourceConfig) error {
	if res.Type == cluster.BrokerLoggerResource {
		return protocol.Errorf(protocol.InvalidRequest, "Unknown resource type %d", res.Type)
	}
	if len(duplicates(given, func(c kmsg.AlterConfigsRequestResourceConfig) string { return c.Name })) > 0 {
		return errKeyTwice
	}
	var null []string
	for _, c := range given {
		if c.Value == nil {
			null = append(null, c.Name)
		}
	}
	if len(null) > 0 {
		return protocol.Errorf(protocol.InvalidRequest, "Null value not supported for : %s", strings.Join(null, ", "))
	}
	return nil
}
