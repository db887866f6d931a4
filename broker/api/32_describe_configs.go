// DescribeConfigs, key 32, versions 1–4: the configs of topics, of brokers (one, or with an empty name what is set on all
// of them), of broker loggers, of client metrics subscriptions and of groups.
//
//	v1  sources and synonyms (KIP-226)    v2  throttle time is sent before the delay
//	v3  types and documentation (KIP-569) v4  flexible
//
// Errors, per resource: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST (another broker, an empty
// group, an unknown type), TOPIC_, GROUP_ and CLUSTER_AUTHORIZATION_FAILED. Unknown keys that are asked for are left out.
//
// Secrets, and what nobody knows to be none, are shown without a value.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// What one answer may take: a request of a few bytes a resource could else ask for gigabytes.
const (
	describedEntriesMax = 4_000_000 // looked at, shown or not: all configs of 100,000 topics
	describedBytesMax   = 128 << 20 // of memory, roughly
	describedEntryBytes = 256       // of one entry besides its texts
)

var errDescribesTooMuch = protocol.Errorf(protocol.InvalidRequest,
	"The answer would be too large. Ask for fewer resources, or for single configs of them.")

// DescribeConfigs serves key 32.
func DescribeConfigs(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeConfigsRequest)
	resp := kmsg.NewPtrDescribeConfigsResponse()
	entriesLeft, bytesLeft := describedEntriesMax, describedBytesMax
	for _, q := range req.Resources {
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = q.ResourceType, q.ResourceName
		var entries []config.Entry
		var err error = errDescribesTooMuch
		if entriesLeft > 0 && bytesLeft > 0 {
			entries, err = s.describe(r, cluster.Resource{Type: cluster.ResourceType(q.ResourceType), Name: q.ResourceName})
		}
		chosen := set(q.ConfigNames)
		for _, e := range entries {
			if len(chosen) > 0 && !chosen[string(e.Key)] { // none named is all
				continue
			}
			answer.Configs = append(answer.Configs, configAnswer(e, req.IncludeSynonyms, req.IncludeDocumentation))
			bytesLeft -= describedEntryBytes + len(e.Doc)
		}
		entriesLeft -= 1 + len(entries)
		if answer.ErrorCode, answer.ErrorMessage = codeAndMessage(err); answer.ErrorMessage == nil {
			answer.ErrorMessage = &noMessage
		}
		resp.Resources = append(resp.Resources, answer)
	}
	r.Reply(resp)
}

// noMessage is what Kafka says where there is no error: nothing, but not null.
var noMessage = ""

// set makes a look-up of names, so that a long list of them costs no more than its length.
func set(names []string) map[string]bool {
	in := make(map[string]bool, len(names))
	for _, name := range names {
		in[name] = true
	}
	return in
}

// describe is what there is to say of one resource.
func (s *Server) describe(r *Request, res cluster.Resource) ([]config.Entry, error) {
	if err := s.resourceDenied(r, security.DescribeConfigs, res); err != nil {
		return nil, err
	}
	image := s.Cluster.Image()
	set := image.Configs(res.Type, res.Name)
	switch res.Type {
	case cluster.TopicResource:
		if err := cluster.ValidateTopicName(res.Name); err != nil {
			return nil, err
		}
		if image.Topic(res.Name) == nil {
			return nil, protocol.UnknownTopicOrPartition
		}
		return s.Config().TopicEntries(set), nil
	case cluster.BrokerResource:
		if res.Name == "" {
			return s.Config().ClusterDefaultEntries(), nil
		}
		err := s.checkNode(res.Name, "Broker id must be an integer, but it is: %s", "Unexpected broker id, expected %d or empty string, but received %s")
		if err != nil {
			return nil, err
		}
		return s.Config().Entries(), nil
	case cluster.BrokerLoggerResource:
		return s.describeLoggers(res.Name)
	case cluster.GroupResource:
		if res.Name == "" {
			return nil, protocol.Errorf(protocol.InvalidRequest, "Group name must not be empty")
		}
		return s.Config().GroupEntries(set), nil
	case cluster.ClientMetricsResource:
		if res.Name == "" {
			return nil, protocol.Errorf(protocol.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		return config.ClientMetricsEntries(set), nil
	}
	return nil, protocol.Errorf(protocol.InvalidRequest, "Unknown resource type %d", res.Type)
}

func (s *Server) describeLoggers(broker string) ([]config.Entry, error) {
	if broker == "" {
		return nil, protocol.Errorf(protocol.InvalidRequest, "Broker id must not be empty")
	}
	if err := s.checkNode(broker, "Broker id must be an integer, but it is: %s", "Unexpected broker id, expected %d but received %s"); err != nil {
		return nil, err
	}
	if s.Loggers == nil {
		return nil, nil
	}
	level := s.Loggers.level()
	return []config.Entry{{Key: rootLogger, Value: &level, Source: config.DynamicBrokerLogger}}, nil
}

func configAnswer(e config.Entry, synonyms, documentation bool) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value = string(e.Key), e.Value
	c.Source, c.IsDefault = kmsg.ConfigSource(e.Source), e.Source == config.DefaultValue
	c.ReadOnly, c.IsSensitive = e.ReadOnly, e.Sensitive
	c.ConfigType = kmsg.ConfigType(e.Type)
	if synonyms {
		for _, known := range e.Synonyms {
			synonym := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			synonym.Name, synonym.Value, synonym.Source = string(known.Key), known.Value, kmsg.ConfigSource(known.Source)
			c.ConfigSynonyms = append(c.ConfigSynonyms, synonym)
		}
	}
	if documentation && e.Doc != "" {
		c.Documentation = &e.Doc
	}
	return c
}
