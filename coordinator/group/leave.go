package group

import (
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
)

// Leaver is a member that leaves. An administrator names a static member by its instance id alone.
type Leaver struct {
	MemberID   string
	InstanceID *string
}

// LeaveCall is a LeaveGroup. Its answer has a code for each leaver, in their order.
type LeaveCall = coordinator.Call[[]protocol.Code]

// Leave takes members out of their group. Errors of a leaver: UnknownMemberID, FencedInstanceID.
// Source: LeaveGroup, key 13; GroupMetadataManager.classicGroupLeaveToClassicGroup.
func (m *Machine) Leave(now time.Time, c *LeaveCall, groupID string, leavers []Leaver) coordinator.Step {
	var s step
	codes := make([]protocol.Code, len(leavers))
	g := m.groups[groupID]
	membersLeft, pendingLeft := false, false
	for i, l := range leavers {
		if g == nil {
			codes[i] = protocol.UnknownMemberID
			continue
		}
		if l.MemberID != "" && g.pending[l.MemberID] != nil {
			m.forget(g, l.MemberID)
			pendingLeft = true
			continue
		}
		member, code := g.findLeaver(l)
		if code != protocol.None {
			codes[i] = code
			continue
		}
		m.removeMember(&s, g, member)
		membersLeft = true
	}
	if membersLeft || pendingLeft && g.state == preparing {
		m.rebalance(now, &s, g)
	}
	c.Answer(&s, codes)
	return m.done(&s)
}

func (g *group) findLeaver(l Leaver) (*member, protocol.Code) {
	if l.MemberID != "" {
		return g.find(l.MemberID, l.InstanceID)
	}
	if l.InstanceID != nil {
		if member := g.members.static[*l.InstanceID]; member != nil {
			return member, protocol.None
		}
	}
	return nil, protocol.UnknownMemberID
}
