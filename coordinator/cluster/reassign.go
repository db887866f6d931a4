package cluster

import (
	"slices"

	"github.com/ottla/ottla/protocol"
)

// Reassignment is a wish for other replicas of a partition; nil ends one that is under way (KIP-455).
type Reassignment struct {
	Topic    string
	Index    int32
	Replicas []int32
	// KeepFactor refuses another number of replicas.
	KeepFactor bool
}

// CheckReassignment decides on a reassignment. What it accepts is what the partition has: while the cluster is one broker
// there are no other replicas that it could have, and no reassignment is ever under way.
//
// Errors: UnknownTopicOrPartition, NoReassignmentInProgress, InvalidReplicaAssignment, InvalidReplicationFactor.
// Source: org.apache.kafka.controller.ReplicationControlManager.alterPartitionReassignments.
func (i *Image) CheckReassignment(r Reassignment) error {
	t := i.Topic(r.Topic)
	if t == nil {
		return protocol.Errorf(protocol.UnknownTopicOrPartition, "There is no topic '%s'.", r.Topic)
	}
	p := t.Partition(r.Index)
	if p == nil {
		return protocol.Errorf(protocol.UnknownTopicOrPartition, "Topic '%s' has no partition %d.", r.Topic, r.Index)
	}
	if r.Replicas == nil {
		return protocol.NoReassignmentInProgress
	}
	if _, err := i.partitionOn(r.Index, r.Replicas, 0); err != nil {
		return err
	}
	switch {
	case r.KeepFactor && len(r.Replicas) != len(p.Replicas):
		return protocol.Errorf(protocol.InvalidReplicationFactor, "Partition %d has %d replicas and would have %d.", r.Index, len(p.Replicas), len(r.Replicas))
	case !slices.Equal(r.Replicas, p.Replicas):
		return protocol.Errorf(protocol.InvalidReplicaAssignment, "This build does not move replicas between brokers: partition %d stays on %v.", r.Index, p.Replicas)
	}
	return nil
}
