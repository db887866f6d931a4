package group

import (
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BeatCall is a Heartbeat.
type BeatCall = coordinator.Call[protocol.Code]

// Beat renews a member. Errors: InvalidGroupID, UnknownMemberID, FencedInstanceID, IllegalGeneration, RebalanceInProgress.
// Source: Heartbeat, key 12; GroupMetadataManager.classicGroupHeartbeatToClassicGroup.
func (m *Machine) Beat(now time.Time, c *BeatCall, r *kmsg.HeartbeatRequest) coordinator.Step {
	var s step
	c.Answer(&s, m.beat(now, r))
	return m.done(&s)
}

func (m *Machine) beat(now time.Time, r *kmsg.HeartbeatRequest) protocol.Code {
	if r.Group == "" {
		return protocol.InvalidGroupID
	}
	g := m.groups[r.Group]
	if g == nil {
		return protocol.UnknownMemberID
	}
	member, code := g.find(r.MemberID, r.InstanceID)
	if code != protocol.None {
		return code
	}
	if r.Generation != g.generation {
		return protocol.IllegalGeneration
	}
	m.startSession(now, g, member)
	if g.state == preparing {
		return protocol.RebalanceInProgress
	}
	return protocol.None // while completing too: the member may beat before its SyncGroup is answered
}
