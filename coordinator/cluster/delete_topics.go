package cluster

import (
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// DeleteTopics decides on the deletion of topics by id. The errors are in the order of the ids, nil for a topic that goes.
func (i *Image) DeleteTopics(ids []TopicID) ([]Record, []error) {
	var records []Record
	errs := make([]error, len(ids))
	gone := make(map[TopicID]bool, len(ids))
	for n, id := range ids {
		if i.TopicByID(id) == nil || gone[id] {
			errs[n] = protocol.Errorf(protocol.UnknownTopicID, "There is no topic with this id; it may have been deleted.")
			continue
		}
		gone[id] = true
		records = append(records, &record.RemoveTopicRecord{TopicID: id})
	}
	return records, errs
}
