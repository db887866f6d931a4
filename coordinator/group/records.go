package group

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The keys and values of __consumer_offsets that this machine reads and writes, and the versions that it writes: those of
// Kafka 4.3. A key's version is its kind.
type (
	offsetKey   = kmsg.OffsetCommitKey
	offsetValue = kmsg.OffsetCommitValue
	groupKey    = kmsg.GroupMetadataKey
	groupValue  = kmsg.GroupMetadataValue
	groupMember = kmsg.GroupMetadataValueMember
)

const (
	offsetKind    = 1
	oldOffsetKind = 0 // written before Kafka 0.9, laid out the same
	groupKind     = 2

	groupValueVersion   = 3
	offsetValueVersion  = 4
	expiringOffsetValue = 1 // the only version with a time at which this one offset expires
)

// Decode reads a record of __consumer_offsets.
func (m *Machine) Decode(key, value []byte) (coordinator.Record, error) {
	if len(key) < 2 {
		return coordinator.Record{}, fmt.Errorf("a key of %d bytes in __consumer_offsets", len(key))
	}
	switch kind := int16(binary.BigEndian.Uint16(key)); kind {
	case oldOffsetKind, offsetKind:
		return decode(new(offsetKey), new(offsetValue), key, value)
	case groupKind:
		return decode(new(groupKey), new(groupValue), key, value)
	default:
		return coordinator.Record{}, fmt.Errorf("kind %d: %w", kind, coordinator.ErrUnknownRecord)
	}
}

// message is what kmsg's structs are.
type message interface {
	coordinator.Message
	ReadFrom([]byte) error
}

func decode(k, v message, key, value []byte) (coordinator.Record, error) {
	if err := k.ReadFrom(key); err != nil {
		return coordinator.Record{}, fmt.Errorf("key %T: %w", k, err)
	}
	if value == nil {
		return coordinator.Record{Key: k}, nil
	}
	if err := v.ReadFrom(value); err != nil {
		return coordinator.Record{}, fmt.Errorf("value of %+v: %w", k, err)
	}
	return coordinator.Record{Key: k, Value: v}, nil
}

// Replay applies a record. It is the only place where the offsets, a group's being there and a group's generation change
// for good.
func (m *Machine) Replay(at coordinator.Position, r coordinator.Record) {
	switch key := r.Key.(type) {
	case *offsetKey:
		value, _ := r.Value.(*offsetValue)
		m.replayOffset(at, key, value)
	case *groupKey:
		value, _ := r.Value.(*groupValue)
		m.replayGroup(key, value)
	default:
		panic(fmt.Sprintf("replay of %T, which Decode does not make", key))
	}
}

func (m *Machine) replayGroup(key *groupKey, value *groupValue) {
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
func (m *Machine) restore(id string, v *groupValue) *group {
	g := newGroup(id, v.CurrentStateTimestamp)
	g.generation, g.protocolType, g.protocol = v.Generation, v.ProtocolType, v.Protocol
	for i := range v.Members {
		r := &v.Members[i]
		member := &member{
			id:               r.MemberID,
			instanceID:       r.InstanceID,
			clientID:         r.ClientID,
			clientHost:       r.ClientHost,
			sessionTimeout:   millis(r.SessionTimeoutMillis),
			rebalanceTimeout: millis(r.RebalanceTimeoutMillis),
			assignment:       slices.Clone(r.Assignment),
		}
		if r.RebalanceTimeoutMillis == -1 { // a version that had none
			member.rebalanceTimeout = member.sessionTimeout
		}
		if v.Protocol != nil {
			member.protocols = []protocolMetadata{{*v.Protocol, slices.Clone(r.Subscription)}}
		}
		m.own(g, member)
		g.members.add(member)
	}
	if len(v.Members) > 0 {
		g.state = stable
		g.leader = v.Members[0].MemberID
	}
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	g.readTopics()
	return g
}

// settle makes true of a live group what its record says: a generation has its assignment, or the last member is gone.
// A group's first record finds its first member waiting already, which stays.
func (m *Machine) settle(g *group, v *groupValue) {
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
	value.Members = make([]groupMember, len(g.members.list))
	for i, member := range g.members.list {
		value.Members[i] = groupMember{
			MemberID:               member.id,
			InstanceID:             member.instanceID,
			ClientID:               member.clientID,
			ClientHost:             member.clientHost,
			RebalanceTimeoutMillis: int32(member.rebalanceTimeout / time.Millisecond),
			SessionTimeoutMillis:   int32(member.sessionTimeout / time.Millisecond),
			Subscription:           member.metadata(*g.protocol),
			Assignment:             assignment(member),
		}
	}
	return coordinator.Record{Key: g.key(), Value: value}
}

// heldAssignment is what a member has already.
func heldAssignment(m *member) []byte { return m.assignment }

// emptyRecord is a generation without members.
func (g *group) emptyRecord(generation int32, nowMs int64) coordinator.Record {
	return coordinator.Record{Key: g.key(), Value: g.value(generation, nowMs)}
}

func (g *group) value(generation int32, sinceMs int64) *groupValue {
	value := kmsg.NewGroupMetadataValue()
	value.Version = groupValueVersion
	value.ProtocolType = g.protocolType
	value.Generation = generation
	value.CurrentStateTimestamp = sinceMs
	return &value
}

func (g *group) key() *groupKey { return &groupKey{Version: groupKind, Group: g.id} }

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
	return len(r.Key.AppendTo(nil))+len(r.Value.AppendTo(nil))+batchAndRecordHeaders > m.config.RecordBytesMax
}
