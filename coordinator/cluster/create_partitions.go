package cluster

import (
	"math/rand/v2"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// MorePartitions asks for a topic to have Count partitions.
type MorePartitions struct {
	Topic string
	Count int32
	// Assignments are the replicas of each added partition, nil to leave the choice to us.
	Assignments [][]int32
}

// CreatePartitions decides on the growth of topics, each by itself. The errors are in the order of the topics. A name that
// comes twice is the caller's to refuse, as InvalidRequest.
func (i *Image) CreatePartitions(topics []MorePartitions, r *rand.Rand) ([]Record, []error) {
	var records []Record
	errs := make([]error, len(topics))
	left := PartitionsPerRequestMax
	for n, t := range topics {
		added, err := i.addPartitions(t, left, r)
		if err != nil {
			errs[n] = err
			continue
		}
		left -= len(added)
		for _, p := range added {
			records = append(records, p)
		}
	}
	return records, errs
}

func (i *Image) addPartitions(t MorePartitions, left int, r *rand.Rand) ([]*record.PartitionRecord, error) {
	topic := i.Topic(t.Topic)
	if topic == nil {
		return nil, protocol.Errorf(protocol.UnknownTopicOrPartition, "There is no such topic.")
	}
	have := int32(len(topic.Partitions))
	added := int(t.Count) - int(have)
	switch {
	case added == 0:
		return nil, protocol.Errorf(protocol.InvalidPartitions, "Topic '%s' has %d partition(s) already.", t.Topic, have)
	case added < 0:
		return nil, protocol.Errorf(protocol.InvalidPartitions,
			"Topic '%s' has %d partition(s); they can become more, not %d.", t.Topic, have, t.Count)
	case t.Assignments != nil && len(t.Assignments) != added:
		return nil, protocol.Errorf(protocol.InvalidReplicaAssignment,
			"%d partition(s) are to be added but the replicas of %d are given.", added, len(t.Assignments))
	case added > left:
		return nil, tooManyPartitions()
	}
	factor := len(topic.Partitions[0].Replicas)
	var partitions []*record.PartitionRecord
	if t.Assignments == nil {
		placed, err := i.placePartitions(have, added, factor, r)
		if err != nil {
			return nil, err
		}
		partitions = placed
	}
	for n, replicas := range t.Assignments {
		p, err := i.partitionOn(have+int32(n), replicas, factor)
		if err != nil {
			return nil, err
		}
		partitions = append(partitions, p)
	}
	for _, p := range partitions {
		p.TopicID = topic.ID
	}
	return partitions, nil
}
