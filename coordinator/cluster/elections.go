package cluster

import (
	"slices"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// Election is how a leader is chosen.
type Election int8

// The elections that a client may ask for. Source: org.apache.kafka.common.ElectionType.
const (
	// PreferredElection makes the first replica leader, if it is in sync.
	PreferredElection Election = 0
	// UncleanElection gives a partition without a leader one, if need be one that is not in sync: records are lost then.
	UncleanElection Election = 1
	// onlineElection replaces a leader that is gone by another one that is in sync.
	onlineElection Election = -1
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic string
	Index int32
}

// ElectLeaders decides on elections, each by itself; the errors are in the order of the partitions. A partition that has
// the leader that the election would give it answers ElectionNotNeeded.
func (i *Image) ElectLeaders(kind Election, partitions []TopicPartition) ([]Record, []error) {
	var records []Record
	errs := make([]error, len(partitions))
	elected := map[TopicPartition]bool{}
	for n, tp := range partitions {
		if elected[tp] {
			errs[n] = protocol.ElectionNotNeeded
			continue
		}
		change, err := i.elect(kind, tp)
		if err != nil {
			errs[n] = err
			continue
		}
		elected[tp] = true
		records = append(records, change)
	}
	return records, errs
}

func (i *Image) elect(kind Election, tp TopicPartition) (Record, error) {
	t := i.Topic(tp.Topic)
	if t == nil {
		return nil, protocol.Errorf(protocol.UnknownTopicOrPartition, "There is no topic '%s'.", tp.Topic)
	}
	p := t.Partition(tp.Index)
	if p == nil {
		return nil, protocol.Errorf(protocol.UnknownTopicOrPartition, "Topic '%s' has no partition %d.", tp.Topic, tp.Index)
	}
	if kind == PreferredElection && p.Leader == p.Replicas[0] || kind == UncleanElection && p.Leader != NoLeader {
		return nil, protocol.Errorf(protocol.ElectionNotNeeded, "The partition has the leader that an election would give it.")
	}
	change := newChange(t.ID, tp.Index)
	if leader := i.electable(p, kind); leader != p.Leader {
		change.Leader = leader
		if !slices.Contains(p.ISR, leader) {
			change.ISR = []int32{leader}
			change.LeaderRecoveryState = recovering
		}
		return change, nil
	}
	if kind == PreferredElection {
		return nil, protocol.Errorf(protocol.PreferredLeaderNotAvailable,
			"Broker %d, the preferred leader, is not alive or not in sync.", p.Replicas[0])
	}
	return nil, protocol.Errorf(protocol.EligibleLeadersNotAvailable, "None of the brokers %v is alive.", p.Replicas)
}

// electable is the leader that an election gives a partition: the preferred one for a preferred election; else the one it
// has, another in-sync one, or, in an unclean election only, any replica that is alive. NoLeader if there is none.
func (i *Image) electable(p *Partition, kind Election) int32 {
	inSync := func(id int32) bool { return slices.Contains(p.ISR, id) && i.mayLead(id) }
	if kind == PreferredElection && inSync(p.Replicas[0]) {
		return p.Replicas[0]
	}
	if inSync(p.Leader) {
		return p.Leader
	}
	for _, id := range p.Replicas {
		if inSync(id) {
			return id
		}
	}
	if kind == UncleanElection {
		for _, id := range p.Replicas {
			if i.mayLead(id) {
				return id
			}
		}
	}
	return NoLeader
}

func (i *Image) mayLead(id int32) bool {
	b := i.brokers[id]
	return b != nil && !b.Fenced && !b.InControlledShutdown
}

// newChange is a change of nothing, to be filled in.
func newChange(id TopicID, index int32) *record.PartitionChangeRecord {
	return &record.PartitionChangeRecord{TopicID: id, PartitionID: index, Leader: leaderAsBefore, LeaderRecoveryState: recoveryAsBefore}
}
