// CreateTopics, key 19, versions 2–7.
//
//	v4  -1 partitions or replicas mean the broker's default   v5  what came of it: partitions, factor, configs
//	v6  quota errors per topic                               v7  the topic's id
//
// Errors, per topic: TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR,
// INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG, INVALID_REQUEST, POLICY_VIOLATION (too many partitions),
// TOPIC_AUTHORIZATION_FAILED, REQUEST_TIMED_OUT, NOT_CONTROLLER, KAFKA_STORAGE_ERROR.
//
// Unlike Kafka, two names of one request that differ only in '.' and '_' collide too, and 10,000 partitions are possible
// at once (Kafka: 9,999). As with Kafka, a time-out of 0 or less creates nothing.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// CreateTopics serves key 19.
func CreateTopics(s *Server, r *Request) {
	req := r.Message.(*kmsg.CreateTopicsRequest)
	asked, refused := s.sortCreations(r, req)
	created, err := s.createTopics(req, asked)
	resp := kmsg.NewPtrCreateTopicsResponse()
	for n, t := range asked {
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.Configs = t.Name, []kmsg.CreateTopicsResponseTopicConfig{}
		switch {
		case err != nil:
			rt.ErrorCode, rt.ErrorMessage = codeAndMessage(err)
		case created[n].Err != nil:
			rt.ErrorCode, rt.ErrorMessage = codeAndMessage(created[n].Err)
		default:
			rt.TopicID = created[n].ID
			s.tellCreated(r, &rt, created[n])
		}
		resp.Topics = append(resp.Topics, rt)
	}
	resp.Topics = append(resp.Topics, refused...)
	r.Reply(resp)
}

// sortCreations separates the topics that may be tried from those that are refused before.
func (s *Server) sortCreations(r *Request, req *kmsg.CreateTopicsRequest) (asked []cluster.NewTopic, refused []kmsg.CreateTopicsResponseTopic) {
	twice := duplicates(req.Topics, func(t kmsg.CreateTopicsRequestTopic) string { return t.Topic })
	anywhere := s.mayOnCluster(r, security.Create)
	told := map[string]bool{}
	for _, t := range req.Topics {
		var err error
		switch {
		case twice[t.Topic] && told[t.Topic]:
			continue
		case twice[t.Topic]:
			told[t.Topic] = true
			err = protocol.Errorf(protocol.InvalidRequest, "The topic is named more than once in the request.")
		case !anywhere && !s.Allowed(r, security.Create, security.Topic, t.Topic):
			err = protocol.Errorf(protocol.TopicAuthorizationFailed, "This needs CREATE on the topic or on the cluster.")
		default:
			asked = append(asked, newTopicOf(t))
			continue
		}
		rt := kmsg.NewCreateTopicsResponseTopic()
		rt.Topic, rt.Configs = t.Topic, []kmsg.CreateTopicsResponseTopicConfig{}
		rt.ErrorCode, rt.ErrorMessage = codeAndMessage(err)
		refused = append(refused, rt)
	}
	return asked, refused
}

func newTopicOf(t kmsg.CreateTopicsRequestTopic) cluster.NewTopic {
	n := cluster.NewTopic{Name: t.Topic, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor}
	for _, a := range t.ReplicaAssignment {
		n.Assignments = append(n.Assignments, cluster.Assignment{Partition: a.Partition, Replicas: a.Replicas})
	}
	for _, c := range t.Configs {
		n.Configs = append(n.Configs, cluster.ConfigValue{Name: c.Name, Value: c.Value})
	}
	return n
}

func (s *Server) createTopics(req *kmsg.CreateTopicsRequest, asked []cluster.NewTopic) (created []cluster.CreatedTopic, err error) {
	if len(asked) == 0 {
		return nil, nil
	}
	err = s.propose(req.TimeoutMillis, func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		var records []cluster.Record
		records, created = image.CreateTopics(asked, s.creation())
		if req.ValidateOnly {
			records = nil
		}
		return records, nil
	})
	return created, err
}

// tellCreated tells what a topic came to be, to whom may know a topic's configs.
func (s *Server) tellCreated(r *Request, rt *kmsg.CreateTopicsResponseTopic, c cluster.CreatedTopic) {
	if r.Version() < 5 {
		return
	}
	if !s.Allowed(r, security.DescribeConfigs, security.Topic, c.Name) {
		rt.ConfigErrorCode = int16(protocol.TopicAuthorizationFailed)
		return
	}
	rt.NumPartitions, rt.ReplicationFactor = c.Partitions, c.ReplicationFactor
	for _, e := range s.Config().TopicEntries(c.Configs) {
		rc := kmsg.NewCreateTopicsResponseTopicConfig()
		rc.Name, rc.Value, rc.Source = string(e.Key), e.Value, int8(e.Source)
		rc.ReadOnly, rc.IsSensitive = e.ReadOnly, e.Sensitive
		rt.Configs = append(rt.Configs, rc)
	}
}
