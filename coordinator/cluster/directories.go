package cluster

import "slices"

// Placement is a partition in a log directory of a broker.
type Placement struct {
	Topic TopicID
	Index int32
	Dir   [16]byte
}

// AssignDirectories decides to note where a broker keeps its replicas (AssignReplicasToDirs, KIP-858): the metadata must
// know before the replica is there, so that a broker that starts without one of its directories can tell a partition that
// is in it from one that is nowhere. What is noted already, or is not the broker's any more, is left out.
func (i *Image) AssignDirectories(broker int32, placements []Placement) []Record {
	var records []Record
	for _, where := range placements {
		t := i.TopicByID(where.Topic)
		if t == nil {
			continue
		}
		p := t.Partition(where.Index)
		if p == nil {
			continue
		}
		at := slices.Index(p.Replicas, broker)
		if at < 0 || p.Directories[at] == where.Dir {
			continue
		}
		change := newChange(where.Topic, where.Index)
		change.Directories = slices.Clone(p.Directories)
		change.Directories[at] = where.Dir
		records = append(records, change)
	}
	return records
}
