package group

import (
	"fmt"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/record"
)

// The versions of values that are written: those of Kafka 4.3.
const (
	groupValueVersion    = 3
	offsetValueVersion   = 4
	expiringValueVersion = 1 // the only one with a time at which this one offset expires
)

// Decode reads a record of __consumer_offsets. A value in a version that is not known is an error: without it an older
// record of the same key would count.
func (m *Machine) Decode(key, value []byte) (coordinator.Record, error) {
	k, err := record.ReadGroupKey(key)
	if err != nil {
		return coordinator.Record{}, err
	}
	v, err := record.ReadValue(k, value)
	if err != nil {
		return coordinator.Record{}, fmt.Errorf("value of %T %+v: %v", k, k, err)
	}
	return coordinator.Record{Key: k, Value: v}, nil
}

// Replay applies a record. It is the only place where the offsets, a group's being there and a group's generation change
// for good.
func (m *Machine) Replay(at coordinator.Position, r coordinator.Record) {
	switch key := r.Key.(type) {
	case *record.OffsetCommitKey:
		value, _ := r.Value.(*record.OffsetCommitValue)
		m.replayOffset(at, spot{key.Group, key.Topic, key.Partition}, value)
	case *record.LegacyOffsetCommitKey: // of Kafka before 0.9
		where := spot{key.Group, key.Topic, key.Partition}
		if v, ok := r.Value.(*record.LegacyOffsetCommitValue); ok {
			value := record.NewOffsetCommitValue()
			value.Offset, value.Metadata, value.CommitTimestamp = v.Offset, v.Metadata, v.CommitTimestamp
			m.replayOffset(at, where, &value)
			return
		}
		m.replayOffset(at, where, nil)
	case *record.GroupMetadataKey:
		value, _ := r.Value.(*record.GroupMetadataValue)
		m.replayGroup(key, value)
	}
}

func (m *Machine) replayGroup(key *record.GroupMetadataKey, value *record.GroupMetadataValue) {
	g := m.groups[key.Group]
	switch {
	case value == nil && g == nil:
	case value == nil:
		if m.loading {
			g.members = members{} // nobody waits in a group that is being loaded
		}
		m.remove(g)
	case g == nil || m.loading:
		m.groups[key.Group] = m.restore(key.Group, value)
	default:
		m.settle(g, value)
	}
}

// restore is the group that a record tells of, as it was when the record was written.
func (m *Machine) restore(id string, v *record.GroupMetadataValue) *group {
	g := newGroup(id, v.CurrentStateTimestamp)
	g.generation, g.protocolType, g.protocol = v.Generation, v.ProtocolType, v.Protocol
	if len(v.Members) > 0 {
		g.state, g.leader = stable, v.Members[0].MemberID
		if g.protocol == nil {
			g.protocol = ptr("")
		}
	}
	for i := range v.Members {
		r := &v.Members[i]
		if g.members.get(r.MemberID) != nil {
			continue
		}
		member := &member{
			id:               r.MemberID,
			instanceID:       r.GroupInstanceID,
			clientID:         r.ClientID,
			clientHost:       r.ClientHost,
			sessionTimeout:   millis(r.SessionTimeout),
			rebalanceTimeout: millis(r.RebalanceTimeout),
			protocols:        []protocolMetadata{{*g.protocol, r.Subscription}},
			assignment:       r.Assignment,
		}
		if r.RebalanceTimeout == -1 { // a version that had none
			member.rebalanceTimeout = member.sessionTimeout
		}
		m.own(g, member)
		g.members.add(member)
	}
	if v.Leader != nil && g.members.get(*v.Leader) != nil {
		g.leader = *v.Leader
	}
	g.readTopics()
	return g
}

// settle makes true of a live group what its record says: a generation has its assignment, or the last member is gone.
// A group's first record finds its first member waiting already, which stays.
func (m *Machine) settle(g *group, v *record.GroupMetadataValue) {
	if len(v.Members) == 0 {
		if g.members.len() > 0 || g.state == empty {
			return
		}
		g.enter(empty, v.CurrentStateTimestamp)
		g.generation, g.protocol, g.leader = v.Generation, nil, ""
		g.readTopics()
		return
	}
	if v.Generation != g.generation || len(v.Members) != g.members.len() {
		panic(fmt.Sprintf("group %q: generation %d with %d members settled by a record of %d with %d (G3)",
			g.id, g.generation, g.members.len(), v.Generation, len(v.Members)))
	}
	for i := range v.Members {
		g.members.get(v.Members[i].MemberID).assignment = v.Members[i].Assignment
	}
	if g.state == completing {
		g.enter(stable, v.CurrentStateTimestamp)
	}
}

// record is the group's generation with its assignment.
func (g *group) record(assignment func(*member) []byte) coordinator.Record {
	value := g.value(g.generation, g.since)
	value.Protocol, value.Leader = g.protocol, ptr(g.leader)
	value.Members = make([]record.GroupMetadataMemberMetadata, len(g.members.list))
	for i, member := range g.members.list {
		value.Members[i] = record.GroupMetadataMemberMetadata{
			MemberID:         member.id,
			GroupInstanceID:  member.instanceID,
			ClientID:         member.clientID,
			ClientHost:       member.clientHost,
			RebalanceTimeout: int32(member.rebalanceTimeout / time.Millisecond),
			SessionTimeout:   int32(member.sessionTimeout / time.Millisecond),
			Subscription:     member.metadata(*g.protocol),
			Assignment:       assignment(member),
		}
	}
	return coordinator.Record{Key: g.key(), Value: value, Version: groupValueVersion}
}

// heldAssignment is what a member has already.
func heldAssignment(m *member) []byte { return m.assignment }

// emptyRecord is a generation without members.
func (g *group) emptyRecord(generation int32, nowMs int64) coordinator.Record {
	return coordinator.Record{Key: g.key(), Value: g.value(generation, nowMs), Version: groupValueVersion}
}

func (g *group) value(generation int32, sinceMs int64) *record.GroupMetadataValue {
	return &record.GroupMetadataValue{ProtocolType: g.protocolType, Generation: generation, CurrentStateTimestamp: sinceMs}
}

func (g *group) key() *record.GroupMetadataKey { return &record.GroupMetadataKey{Group: g.id} }

// tombstone deletes a group.
func (g *group) tombstone() coordinator.Record { return coordinator.Record{Key: g.key()} }

// write adds a group's record to the step. The group has moved on by more than the record tells.
func (m *Machine) write(s *step, r coordinator.Record) {
	s.Records = append(s.Records, r)
	s.Reload = true
}

// tooLarge reports whether a group's record would not fit into a batch of its own.
func (m *Machine) tooLarge(r coordinator.Record) bool {
	const batchAndRecordHeaders = 61 + 32
	size := len(record.AppendKey(nil, r.Key)) + len(record.AppendValue(nil, r.Value, r.Version))
	return size+batchAndRecordHeaders > m.config.RecordBytesMax
}
