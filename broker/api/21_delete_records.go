// DeleteRecords, key 21, versions 0–2 (v2 flexible): give up the records of a partition below an offset, -1 for all that
// are committed. It is answered when the new log start is on disk, here and on every replica.
//
// Errors, each for a partition: TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION (an internal
// topic), REQUEST_TIMED_OUT (other replicas have not deleted in time), and those of partition.DeleteRecords.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// deleteRecords is one request.
type deleteRecords struct {
	r     *Request
	resp  kmsg.DeleteRecordsResponse
	waits waitAll
	// answers are those that wait, by place.
	answers []*kmsg.DeleteRecordsResponseTopicPartition
}

// DeleteRecords serves key 21.
func DeleteRecords(s *Server, r *Request) {
	req := r.Message.(*kmsg.DeleteRecordsRequest)
	d := &deleteRecords{r: r}
	d.waits = waitAll{server: s, r: r, owner: d}
	for i := range req.Topics {
		t := &req.Topics[i]
		if len(t.Partitions) == 0 {
			continue
		}
		rt := kmsg.NewDeleteRecordsResponseTopic()
		rt.Topic, rt.Partitions = t.Topic, make([]kmsg.DeleteRecordsResponseTopicPartition, len(t.Partitions))
		allowed := s.Allowed(r, security.Delete, security.Topic, t.Topic)
		for j := range t.Partitions {
			d.delete(t.Topic, &t.Partitions[j], &rt.Partitions[j], allowed)
		}
		d.resp.Topics = append(d.resp.Topics, rt)
	}
	d.waits.start(req.TimeoutMillis)
}

func (d *deleteRecords) delete(topic string, p *kmsg.DeleteRecordsRequestTopicPartition, a *kmsg.DeleteRecordsResponseTopicPartition, allowed bool) {
	a.Partition, a.LowWatermark = p.Partition, -1
	if !allowed {
		a.ErrorCode = int16(protocol.TopicAuthorizationFailed)
		return
	}
	found, err := d.waits.server.Partitions.Find(topic, p.Partition)
	if err == nil && cluster.IsInternal(topic) {
		err = protocol.InvalidTopicException
	}
	if err == nil {
		err = d.deleteFrom(found, p.Offset, a)
	}
	a.ErrorCode = int16(protocol.CodeOf(err))
}

func (d *deleteRecords) deleteFrom(p *partition.Partition, offset int64, a *kmsg.DeleteRecordsResponseTopicPartition) error {
	deletion, err := p.DeleteRecords(offset)
	if err != nil {
		return err
	}
	a.LowWatermark = deletion.LowWatermark
	if deletion.LowWatermark < deletion.Offset {
		d.waits.places = append(d.waits.places, place{
			partition: p, mark: partition.LowWatermark, at: deletion.Offset, epoch: deletion.Epoch, index: len(d.answers),
		})
		d.answers = append(d.answers, a)
	}
	return nil
}

// settled hears that the other replicas have deleted too, or have not.
func (d *deleteRecords) settled(index int, err error) {
	a := d.answers[index]
	a.ErrorCode = int16(protocol.CodeOf(err))
	a.LowWatermark = d.waits.places[index].partition.LowWatermark()
}

func (d *deleteRecords) reply() { d.r.Reply(&d.resp) }
