package cluster

import (
	"slices"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// ISRChange is a leader's wish for another ISR. It holds only on top of the state that the leader knew: partition epoch and
// leader epoch are compared, and every broker let in must still be in the life that the leader met it in (KIP-497, KIP-903).
type ISRChange struct {
	Topic          TopicID
	Index          int32
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []InSync
	// Recovering is whether the leader has yet to recover from an unclean election.
	Recovering bool
}

// InSync is a broker that is to be in the ISR, with its broker epoch, -1 where the leader does not know it.
type InSync struct {
	ID    int32
	Epoch int64
}

// AlterPartition decides on an ISR change that the leader, a broker with its epoch, wants.
func (i *Image) AlterPartition(leader int32, leaderBrokerEpoch int64, c ISRChange) (*record.PartitionChangeRecord, error) {
	b := i.brokers[leader]
	if b == nil || b.Epoch != leaderBrokerEpoch {
		return nil, protocol.Errorf(protocol.StaleBrokerEpoch, "Broker %d is not registered with epoch %d.", leader, leaderBrokerEpoch)
	}
	t := i.TopicByID(c.Topic)
	if t == nil {
		return nil, protocol.UnknownTopicID
	}
	p := t.Partition(c.Index)
	if p == nil {
		return nil, protocol.UnknownTopicOrPartition
	}
	if err := i.checkISRChange(leader, p, c); err != nil {
		return nil, err
	}
	change := newChange(c.Topic, c.Index)
	isr := make([]int32, len(c.ISR))
	for n, member := range c.ISR {
		isr[n] = member.ID
	}
	if !slices.Equal(isr, p.ISR) {
		change.ISR = isr
	}
	if p.Recovering && !c.Recovering {
		change.LeaderRecoveryState = recovered
	}
	return change, nil
}

func (i *Image) checkISRChange(leader int32, p *Partition, c ISRChange) error {
	ids := make([]int32, len(c.ISR))
	for n, member := range c.ISR {
		ids[n] = member.ID
	}
	switch {
	case c.LeaderEpoch > p.LeaderEpoch || c.PartitionEpoch > p.PartitionEpoch:
		// The leader knows more than this image: another controller is the active one.
		return protocol.NotController
	case c.LeaderEpoch < p.LeaderEpoch:
		return protocol.FencedLeaderEpoch
	case leader != p.Leader:
		return protocol.InvalidRequest
	case c.PartitionEpoch < p.PartitionEpoch:
		return protocol.InvalidUpdateVersion
	case len(ids) == 0, hasDuplicates(ids), !subset(ids, p.Replicas), !slices.Contains(ids, leader):
		return protocol.InvalidRequest
	case c.Recovering && (len(ids) > 1 || !p.Recovering):
		return protocol.InvalidRequest
	}
	for _, member := range c.ISR {
		if b := i.brokers[member.ID]; !i.mayLead(member.ID) || member.Epoch != -1 && member.Epoch != b.Epoch {
			return protocol.IneligibleReplica
		}
	}
	return nil
}
