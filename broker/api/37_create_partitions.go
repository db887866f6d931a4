// CreatePartitions, key 37, versions 0–3: more partitions for topics.
//
//	v3  quota errors per topic
//
// Errors, per topic: UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, INVALID_REPLICA_ASSIGNMENT,
// INVALID_REPLICATION_FACTOR, INVALID_REQUEST, POLICY_VIOLATION (too many partitions; Kafka answers
// UNKNOWN_SERVER_ERROR), TOPIC_AUTHORIZATION_FAILED, REQUEST_TIMED_OUT, NOT_CONTROLLER, KAFKA_STORAGE_ERROR.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// CreatePartitions serves key 37.
func CreatePartitions(s *Server, r *Request) {
	req := r.Message.(*kmsg.CreatePartitionsRequest)
	twice := duplicates(req.Topics, func(t kmsg.CreatePartitionsRequestTopic) string { return t.Topic })
	resp := kmsg.NewPtrCreatePartitionsResponse()
	var asked []cluster.MorePartitions
	var at []int // where in the response the answer for each of asked stands
	told := map[string]bool{}
	for _, t := range req.Topics {
		if told[t.Topic] {
			continue
		}
		told[t.Topic] = twice[t.Topic]
		rt := kmsg.NewCreatePartitionsResponseTopic()
		rt.Topic = t.Topic
		switch {
		case twice[t.Topic]:
			rt.ErrorCode, rt.ErrorMessage = codeAndMessage(
				protocol.Errorf(protocol.InvalidRequest, "The topic is named more than once in the request."))
		case !s.Allowed(r, security.Alter, security.Topic, t.Topic):
			rt.ErrorCode = int16(protocol.TopicAuthorizationFailed)
		default:
			asked, at = append(asked, morePartitions(t)), append(at, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, rt)
	}
	for n, err := range s.createPartitions(req, asked) {
		rt := &resp.Topics[at[n]]
		rt.ErrorCode, rt.ErrorMessage = codeAndMessage(err)
	}
	r.Reply(resp)
}

func morePartitions(t kmsg.CreatePartitionsRequestTopic) cluster.MorePartitions {
	m := cluster.MorePartitions{Topic: t.Topic, Count: t.Count}
	if t.Assignment != nil {
		m.Assignments = make([][]int32, len(t.Assignment))
		for n, a := range t.Assignment {
			m.Assignments[n] = a.Replicas
		}
	}
	return m
}

// createPartitions gives an error, or nil, for each topic asked for.
func (s *Server) createPartitions(req *kmsg.CreatePartitionsRequest, asked []cluster.MorePartitions) []error {
	if len(asked) == 0 {
		return nil
	}
	var errs []error
	err := s.propose(req.TimeoutMillis, func(image *cluster.Image, _ time.Time) (records []cluster.Record, _ error) {
		records, errs = image.CreatePartitions(asked, newRand())
		if req.ValidateOnly {
			records = nil
		}
		return records, nil
	})
	if err != nil {
		errs = make([]error, len(asked))
		for n := range errs {
			errs[n] = err
		}
	}
	return errs
}
