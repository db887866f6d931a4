package group

import (
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sync brings the leader's assignment, or asks for the caller's part of it. Errors: InvalidGroupID, UnknownMemberID,
// FencedInstanceID, IllegalGeneration, InconsistentGroupProtocol, RebalanceInProgress.
// Source: SyncGroup, key 14; GroupMetadataManager.classicGroupSyncToClassicGroup.
func (m *Machine) Sync(now time.Time, c *SyncCall, r *kmsg.SyncGroupRequest) coordinator.Step {
	var s step
	g := m.groups[r.Group]
	member, code := checkSync(g, r)
	switch {
	case code != protocol.None:
		c.Answer(&s, SyncError(code))
	case g.state == preparing:
		c.Answer(&s, SyncError(protocol.RebalanceInProgress))
	case g.state == stable:
		m.synced(g, member)
		c.Answer(&s, g.assigned(member.assignment))
	default:
		m.parkSync(&s, g, member, c)
		if g.leader == member.id {
			m.assign(now, &s, g, r.GroupAssignment)
		}
	}
	return m.done(&s)
}

// checkSync is the member that the request speaks for, or what is wrong with it.
func checkSync(g *group, r *kmsg.SyncGroupRequest) (*member, protocol.Code) {
	if r.Group == "" {
		return nil, protocol.InvalidGroupID
	}
	if g == nil {
		return nil, protocol.UnknownMemberID
	}
	member, code := g.find(r.MemberID, r.InstanceID)
	switch {
	case code != protocol.None:
		return nil, code
	case r.Generation != g.generation:
		return nil, protocol.IllegalGeneration
	case r.ProtocolType != nil && *r.ProtocolType != g.protocolType,
		r.Protocol != nil && g.protocol != nil && *r.Protocol != *g.protocol:
		return nil, protocol.InconsistentGroupProtocol
	}
	return member, protocol.None
}

// parkSync makes the caller wait for the leader's assignment.
func (m *Machine) parkSync(s *step, g *group, member *member, c *SyncCall) {
	m.release(s, g, member, protocol.RebalanceInProgress) // an older call that its client has given up
	member.sync = c
	m.synced(g, member)
}

// synced notes that the member has sent its SyncGroup.
func (m *Machine) synced(g *group, member *member) {
	g.members.syncs(member, false)
	if g.members.owing == 0 {
		m.timers.stop(&g.syncTimer)
	}
}

// assign takes the leader's assignment. The record makes the generation stable; members that it leaves out get nothing.
func (m *Machine) assign(now time.Time, s *step, g *group, parts []kmsg.SyncGroupRequestGroupAssignment) {
	assignments := make(map[string][]byte, len(parts))
	for _, p := range parts {
		assignments[p.MemberID] = p.MemberAssignment
	}
	record := g.record(func(member *member) []byte { return assignments[member.id] })
	if m.tooLarge(record) {
		for _, member := range g.members.list {
			m.answerSync(now, s, g, member, SyncError(protocol.UnknownServerError))
		}
		m.prepareRebalance(now, s, g)
		return
	}
	m.write(s, record)
	for _, member := range g.members.list {
		m.answerSync(now, s, g, member, g.assigned(assignments[member.id]))
	}
}

// answerSync ends a parked SyncGroup. The session starts anew: while the call was parked nobody minded it.
func (m *Machine) answerSync(now time.Time, s *step, g *group, member *member, answer *kmsg.SyncGroupResponse) {
	if member.sync == nil {
		return
	}
	member.sync.Answer(s, answer)
	member.sync = nil
	m.startSession(now, g, member)
}

// assigned is the answer that gives a member its assignment.
func (g *group) assigned(assignment []byte) *kmsg.SyncGroupResponse {
	answer := SyncError(protocol.None)
	answer.ProtocolType, answer.Protocol = ptr(g.protocolType), g.protocol
	if assignment != nil {
		answer.MemberAssignment = assignment
	}
	return answer
}

// SyncError is the answer to a SyncGroup that failed.
func SyncError(code protocol.Code) *kmsg.SyncGroupResponse {
	answer := kmsg.NewPtrSyncGroupResponse()
	answer.ErrorCode = int16(code)
	answer.MemberAssignment = []byte{}
	return answer
}
