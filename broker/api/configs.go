package api

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// What the four APIs of configs share: who may, what a name must be, what values are allowed, and one proposal for all
// the resources of a request.

// ConfigService is what the handlers of configs stand on, beside ClusterService.
type ConfigService struct {
	// Loggers are this broker's loggers; nil for none that can be changed.
	Loggers *Loggers
}

// configTimeoutMs is how long a change of configs may take: its requests name no time of their own. Source: Kafka's
// request.timeout.ms for what a broker forwards.
const configTimeoutMs = 30_000

// What one request may put into the metadata log, as Kafka bounds it. Source: QuorumController.MAX_RECORDS_PER_USER_OP,
// KafkaRaftClient.MAX_BATCH_SIZE_BYTES.
const (
	configRecordsMax = 10_000
	configBytesMax   = 8 << 20
)

// Refusals that a hostile request can ask for by the million are made once.
var (
	errResourceTwice = protocol.Errorf(protocol.InvalidRequest, "Each resource must appear at most once.")
	errKeyTwice      = protocol.Errorf(protocol.InvalidRequest, "Error due to duplicate config keys")
	errTooMuch       = protocol.Errorf(protocol.PolicyViolation,
		"This changes more at once than the metadata log takes: %d configs or %d MiB. Ask for less.", configRecordsMax, configBytesMax>>20)
)

// resourceDenied is the answer to a principal that may not do op to a resource, nil where it may.
// Source: kafka.server.ConfigHelper and ControllerApis.
func (s *Server) resourceDenied(r *Request, op security.Operation, res cluster.Resource) error {
	kind, name, code, noun := security.Cluster, security.ClusterName, protocol.ClusterAuthorizationFailed, "the cluster"
	switch res.Type {
	case cluster.TopicResource:
		kind, name, code, noun = security.Topic, res.Name, protocol.TopicAuthorizationFailed, "the topic"
	case cluster.GroupResource:
		kind, name, code, noun = security.Group, res.Name, protocol.GroupAuthorizationFailed, "the group"
	}
	if s.Allowed(r, op, kind, name) {
		return nil
	}
	verb := "DESCRIBE_CONFIGS"
	if op == security.AlterConfigs {
		verb = "ALTER_CONFIGS"
	}
	return protocol.Errorf(code, "This needs %s on %s.", verb, noun)
}

// checkAltered refuses a resource whose configs cannot be changed, whatever the change.
func (s *Server) checkAltered(res cluster.Resource) error {
	switch res.Type {
	case cluster.TopicResource:
		if res.Name == "" {
			return protocol.Errorf(protocol.InvalidRequest, "Default topic resources are not allowed.")
		}
		return cluster.ValidateTopicName(res.Name)
	case cluster.BrokerResource:
		if res.Name == "" {
			return nil
		}
		return s.checkNode(res.Name, "Node id must be an integer, but it is: %s", "Unexpected broker id, expected %d, but received %s")
	case cluster.BrokerLoggerResource:
		return s.checkNode(res.Name, "Node id must be an integer, but it is: %s", "Unexpected broker id, expected %d, but received %s")
	case cluster.GroupResource:
		if res.Name == "" {
			return protocol.Errorf(protocol.InvalidRequest, "Default group resources are not allowed.")
		}
	case cluster.ClientMetricsResource:
		if res.Name == "" {
			return protocol.Errorf(protocol.InvalidRequest, "Subscription name can't be empty")
		}
	default:
		return protocol.Errorf(protocol.InvalidRequest, "Unknown resource type %d", res.Type)
	}
	return nil
}

// checkNode refuses a resource of another node: what it has is known there only.
func (s *Server) checkNode(name, notANumber, another string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return protocol.Errorf(protocol.InvalidRequest, notANumber, name)
	}
	if int32(id) != s.NodeID {
		return protocol.Errorf(protocol.InvalidRequest, another, s.NodeID, name)
	}
	return nil
}

// configRules is what the deciders need to know of configs.
func (s *Server) configRules() cluster.ConfigRules {
	now := s.Config()
	return cluster.ConfigRules{
		IsList: func(t cluster.ResourceType, name string) bool {
			d := configDef(t, name)
			return d != nil && d.Type == config.List
		},
		Default: func(t cluster.ResourceType, name string) string {
			if d := configDef(t, name); d != nil && d.HasDefault() {
				return d.Default
			}
			return ""
		},
		Validate: func(r cluster.Resource, configs map[string]string) error {
			return configError(validateConfigs(now, r, configs))
		},
	}
}

func configDef(t cluster.ResourceType, name string) *config.Def {
	switch t {
	case cluster.TopicResource:
		return config.TopicDef(config.Key(name))
	case cluster.BrokerResource:
		return config.BrokerDef(config.Key(name))
	case cluster.GroupResource:
		return config.GroupDef(config.Key(name))
	case cluster.ClientMetricsResource:
		return config.ClientMetricsDef(config.Key(name))
	}
	return nil
}

func validateConfigs(now *config.Broker, r cluster.Resource, configs map[string]string) error {
	switch r.Type {
	case cluster.TopicResource:
		return config.ValidateTopic(now, configs)
	case cluster.BrokerResource:
		return now.ValidateDynamic(configs, r.Name != "")
	case cluster.GroupResource:
		return config.ValidateGroup(now, configs)
	case cluster.ClientMetricsResource:
		return config.ValidateClientMetrics(r.Name, configs)
	}
	return protocol.Errorf(protocol.InvalidRequest, "Unknown resource type %d", r.Type)
}

// configError gives a refusal of package config the code that answers it.
func configError(err error) error {
	switch {
	case errors.Is(err, config.ErrRequest):
		return protocol.Errorf(protocol.InvalidRequest, "%v", err)
	case errors.Is(err, config.ErrInvalid):
		return protocol.Errorf(protocol.InvalidConfig, "%v", err)
	}
	return err
}

// alteration is a change of one resource's configs: what is refused before anything is decided, or how it is decided.
type alteration struct {
	resource cluster.Resource
	decide   func(*cluster.Image) ([]cluster.Record, error)
	err      error
	// done is set for what needs no decision, because it is refused or has happened.
	done bool
}

// alter decides on changes in one proposal, each by itself: what is wrong with one does not touch the others. It returns
// what came of each.
func (s *Server) alter(changes []alteration, validateOnly bool) []error {
	results := make([]error, len(changes))
	for i, c := range changes {
		results[i] = c.err
	}
	if !slices.ContainsFunc(changes, func(c alteration) bool { return !c.done }) {
		return results
	}
	var refused []error // when it was decided last; not looked at after a failed proposal, which may still be running
	decide := func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		errs := make([]error, len(changes))
		var records []cluster.Record
		for i, c := range changes {
			if c.done {
				continue
			}
			more, err := c.decide(image)
			records, errs[i] = append(records, more...), err
		}
		if tooMuch(records) {
			return nil, errTooMuch
		}
		refused = errs
		return records, nil
	}
	var err error
	if validateOnly {
		_, err = decide(s.Cluster.Image(), s.Now())
	} else {
		err = s.propose(configTimeoutMs, decide)
	}
	for i, c := range changes {
		switch {
		case c.done:
		case err != nil:
			results[i] = err
		default:
			results[i] = refused[i]
		}
	}
	return results
}

func tooMuch(records []cluster.Record) bool {
	bytes := 0
	for _, r := range records {
		if c, ok := r.(*record.ConfigRecord); ok {
			bytes += len(c.ResourceName) + len(c.Name)
			if c.Value != nil {
				bytes += len(*c.Value)
			}
		}
	}
	return len(records) > configRecordsMax || bytes > configBytesMax
}

// prepare is the beginning of an alteration: what can be refused by the name of the resource alone.
func (s *Server) prepare(r *Request, kind kmsg.ConfigResourceType, name string, twice bool) alteration {
	a := alteration{resource: cluster.Resource{Type: cluster.ResourceType(kind), Name: name}}
	switch {
	case twice:
		a.err = errResourceTwice
	default:
		if a.err = s.checkAltered(a.resource); a.err == nil {
			a.err = s.resourceDenied(r, security.AlterConfigs, a.resource)
		}
	}
	a.done = a.err != nil
	return a
}
