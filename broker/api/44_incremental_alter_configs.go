// IncrementalAlterConfigs, key 44, versions 0–1: sets, deletes, appends to and subtracts from some configs of topics,
// brokers, broker loggers, client metrics subscriptions and groups; those not named stay (KIP-339).
//
//	v1  flexible
//
// Errors, per resource: INVALID_CONFIG, INVALID_REQUEST (a resource or a key twice, no value, an unknown operation or
// type, what a broker cannot change while it runs), UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, TOPIC_, GROUP_
// and CLUSTER_AUTHORIZATION_FAILED, REQUEST_TIMED_OUT; POLICY_VIOLATION for more than 10,000 configs
// or 8 MiB at once. A resource with an error is not changed at all; the others are.
//
// Kafka answers UNKNOWN_SERVER_ERROR to an unknown operation; here it is INVALID_REQUEST. A broker's keys for security,
// which Kafka stores, are refused: this build would not act on them.

package api

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// IncrementalAlterConfigs serves key 44.
func IncrementalAlterConfigs(s *Server, r *Request) {
	req := r.Message.(*kmsg.IncrementalAlterConfigsRequest)
	type name struct {
		kind kmsg.ConfigResourceType
		name string
	}
	twice := duplicates(req.Resources, func(q kmsg.IncrementalAlterConfigsRequestResource) name {
		return name{q.ResourceType, q.ResourceName}
	})
	changes := make([]alteration, len(req.Resources))
	for i, q := range req.Resources {
		changes[i] = s.prepare(r, q.ResourceType, q.ResourceName, twice[name{q.ResourceType, q.ResourceName}])
		if !changes[i].done {
			s.incremental(&changes[i], q.Configs, req.ValidateOnly)
		}
	}
	results := s.alter(changes, req.ValidateOnly)
	resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for i, q := range req.Resources {
		answer := kmsg.NewIncrementalAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = q.ResourceType, q.ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeAndMessage(results[i])
		resp.Resources = append(resp.Resources, answer)
	}
	r.Reply(resp)
}

// incremental completes an alteration: loggers are changed here and now, the rest is decided on the metadata.
func (s *Server) incremental(a *alteration, ops []kmsg.IncrementalAlterConfigsRequestResourceConfig, validateOnly bool) {
	if a.err = checkOps(ops); a.err != nil {
		a.done = true
		return
	}
	if a.resource.Type == cluster.BrokerLoggerResource {
		levels := make([]loggerChange, len(ops))
		for i, op := range ops {
			levels[i] = loggerChange{int8(op.Op), op.Name, op.Value}
		}
		a.err, a.done = s.Loggers.alter(levels, validateOnly), true
		return
	}
	changes := make([]cluster.ConfigChange, len(ops))
	for i, op := range ops {
		changes[i] = cluster.ConfigChange{Op: cluster.ConfigOp(op.Op), Name: op.Name, Value: op.Value}
	}
	a.decide = func(image *cluster.Image) ([]cluster.Record, error) {
		return image.IncrementalAlterConfigs(a.resource, changes, s.configRules())
	}
}

func checkOps(ops []kmsg.IncrementalAlterConfigsRequestResourceConfig) error {
	if len(duplicates(ops, func(op kmsg.IncrementalAlterConfigsRequestResourceConfig) string { return op.Name })) > 0 {
		return errKeyTwice
	}
	var null []string
	for _, op := range ops {
		if op.Op != kmsg.IncrementalAlterConfigOpDelete && op.Value == nil {
			null = append(null, op.Name)
		}
	}
	if len(null) > 0 {
		return protocol.Errorf(protocol.InvalidRequest, "Null value not supported for : %s", strings.Join(null, ", "))
	}
	return nil
}
