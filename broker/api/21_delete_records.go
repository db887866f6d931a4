// DeleteRecords, key 21, versions 0–2 (v2 flexible): give up the records of a partition below an offset, -1 for all that
// are committed. It is answered when the new log start is on disk.
//
// Errors, each for a partition: TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION (an internal
// topic), and those of partition.DeleteRecords. REQUEST_TIMED_OUT: other replicas have not deleted in time.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// DeleteRecords serves key 21.
func DeleteRecords(s *Server, r *Request) {
	req := r.Message.(*kmsg.DeleteRecordsRequest)
	resp := kmsg.NewPtrDeleteRecordsResponse()
	for i := range req.Topics {
		t := &req.Topics[i]
		if len(t.Partitions) == 0 {
			continue
		}
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic = t.Topic
		refused := s.refusesDelete(r, t.Topic)
		for _, p := range t.Partitions {
			rp := kmsg.NewDeleteRecordsResponseTopicPartition()
			rp.Partition = p.Partition
			low, err := s.deleteRecords(t.Topic, p, refused)
			rp.LowWatermark, rp.ErrorCode = low, int16(protocol.CodeOf(err))
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}

func (s *Server) refusesDelete(r *Request, topic string) error {
	if !s.Allowed(r, security.Delete, security.Topic, topic) {
		return protocol.TopicAuthorizationFailed
	}
	return nil
}

func (s *Server) deleteRecords(topic string, p kmsg.DeleteRecordsRequestTopicPartition, refused error) (low int64, err error) {
	if refused != nil {
		return -1, refused
	}
	found, err := s.Partitions.Find(topic, p.Partition)
	switch {
	case err != nil:
		return -1, err
	case cluster.IsInternal(topic):
		return -1, protocol.InvalidTopicException
	}
	return found.DeleteRecords(p.Offset)
}
