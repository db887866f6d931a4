package group

import (
	"time"

	"github.com/ottla/ottla/protocol"
)

// rebalance makes the group take notice of a member that came, changed or left: a rebalance begins, or the one being
// prepared may now be complete. Source: GroupMetadataManager.maybePrepareRebalanceOrCompleteJoin.
func (m *Machine) rebalance(now time.Time, s *step, g *group) {
	if g.state != preparing {
		m.prepareRebalance(now, s, g)
		return
	}
	if !g.initial && g.allJoined() {
		m.completeJoin(now, s, g)
	}
}

// prepareRebalance calls all members to join again.
func (m *Machine) prepareRebalance(now time.Time, s *step, g *group) {
	if g.state == completing {
		for _, member := range g.members.list {
			member.assignment = nil
			m.answerSync(now, s, g, member, SyncError(protocol.RebalanceInProgress))
		}
	}
	m.stopSyncs(g)
	g.enter(preparing, now.UnixMilli())
	switch {
	case g.initial:
		m.awaitMembers(now, g, m.config.InitialRebalanceDelay, g.members.rebalanceTimeout()-m.config.InitialRebalanceDelay)
	case g.allJoined():
		m.completeJoin(now, s, g)
	default:
		m.awaitJoins(now, g, g.members.rebalanceTimeout())
	}
}

// patienceMin is the least time between two looks at a group whose members are all static and away. Their rebalance
// time-outs are what clients say, and may be 0.
const patienceMin = time.Second

// awaitJoins ends the join phase when the time-out has passed, whoever is missing.
func (m *Machine) awaitJoins(now time.Time, g *group, timeout time.Duration) {
	g.joinTimer.fire = func(now time.Time, s *step) { m.completeJoin(now, s, g) }
	m.timers.start(&g.joinTimer, now.Add(timeout))
}

// awaitMembers delays the first rebalance of an Empty group, and delays it again while members keep arriving, as long as
// the rebalance time-out leaves something. Source: GroupMetadataManager.tryCompleteInitialRebalanceElseSchedule.
func (m *Machine) awaitMembers(now time.Time, g *group, delay, left time.Duration) {
	g.joinTimer.fire = func(now time.Time, s *step) {
		if !g.newcomer || left <= 0 {
			m.completeJoin(now, s, g)
			return
		}
		g.newcomer = false
		m.awaitMembers(now, g, min(m.config.InitialRebalanceDelay, left), left-delay)
	}
	m.timers.start(&g.joinTimer, now.Add(delay))
}

// completeJoin ends the join phase. Dynamic members that did not join are gone; static ones stay until their session ends.
// Source: GroupMetadataManager.completeClassicGroupJoin.
func (m *Machine) completeJoin(now time.Time, s *step, g *group) {
	m.timers.stop(&g.joinTimer)
	for _, member := range append([]*member(nil), g.members.list...) {
		if member.join == nil && member.instanceID == nil {
			m.removeMember(s, g, member)
		}
	}
	switch {
	case g.members.len() == 0:
		m.write(s, g.emptyRecord(g.generation+1, now.UnixMilli()))
	case !g.electLeader():
		// Only static members, and none is back: wait on, until one comes or their sessions end.
		m.awaitJoins(now, g, max(g.members.rebalanceTimeout(), patienceMin))
	default:
		m.beginGeneration(now, s, g)
	}
}

// beginGeneration answers everybody's JoinGroup and waits for the leader's assignment.
func (m *Machine) beginGeneration(now time.Time, s *step, g *group) {
	g.generation++
	g.protocol = ptr(g.vote())
	g.readTopics()
	g.enter(completing, now.UnixMilli())
	for _, member := range g.members.list {
		if call := member.join; call != nil {
			call.Answer(s, g.joined(member))
			member.join = nil
			g.members.joining--
		}
		member.isNew = false
		g.members.syncs(member, true)
		m.startSession(now, g, member)
	}
	g.syncTimer.fire = func(now time.Time, s *step) { m.expireSync(now, s, g) }
	m.timers.start(&g.syncTimer, now.Add(g.members.rebalanceTimeout()))
}

// expireSync removes the members that have their generation but never sent SyncGroup.
func (m *Machine) expireSync(now time.Time, s *step, g *group) {
	for _, member := range append([]*member(nil), g.members.list...) {
		if member.owesSync {
			m.removeMember(s, g, member)
		}
	}
	m.prepareRebalance(now, s, g)
}

// stopSyncs stops waiting for SyncGroups.
func (m *Machine) stopSyncs(g *group) {
	for _, member := range g.members.list {
		g.members.syncs(member, false)
	}
	m.timers.stop(&g.syncTimer)
}

// own ties a member's session to its group.
func (m *Machine) own(g *group, member *member) {
	member.session.fire = func(now time.Time, s *step) { m.expireSession(now, s, g, member) }
}

// startSession gives a member a whole session time-out from now.
func (m *Machine) startSession(now time.Time, g *group, member *member) {
	m.timers.start(&member.session, now.Add(member.sessionTimeout))
}

// expireSession removes a member that has not been heard of. One whose call is parked is alive: its session starts anew
// with the answer.
func (m *Machine) expireSession(now time.Time, s *step, g *group, member *member) {
	if member.parked() {
		return
	}
	m.removeMember(s, g, member)
	if g.state == preparing {
		m.completeIfJoined(now, s, g)
		return
	}
	m.prepareRebalance(now, s, g)
}

// completeIfJoined ends the join phase if it waited only for somebody who is gone now, also that of a first rebalance.
func (m *Machine) completeIfJoined(now time.Time, s *step, g *group) {
	if g.state == preparing && g.allJoined() {
		m.completeJoin(now, s, g)
	}
}

// expect keeps a place for a member id that was just given out.
func (m *Machine) expect(now time.Time, g *group, id string, session time.Duration) {
	t := &timer{fire: func(now time.Time, s *step) {
		delete(g.pending, id)
		m.completeIfJoined(now, s, g)
	}}
	if g.pending == nil {
		g.pending = make(map[string]*timer)
	}
	g.pending[id] = t
	m.timers.start(t, now.Add(session))
}

// forget gives up the place of a pending member.
func (m *Machine) forget(g *group, id string) {
	m.timers.stop(g.pending[id])
	delete(g.pending, id)
}

// expel makes room in a group that is too large: whoever asks to join it loses the place it had.
func (m *Machine) expel(now time.Time, s *step, g *group, id string) {
	if g.pending[id] != nil {
		m.forget(g, id)
	}
	if member := g.members.get(id); member != nil {
		m.removeMember(s, g, member)
	}
	if g.state == preparing {
		m.rebalance(now, s, g) // nobody else may be missing
	}
}

// removeMember takes a member out and ends its calls. A client that is still there joins again with a new id.
func (m *Machine) removeMember(s *step, g *group, member *member) {
	m.release(s, g, member, protocol.UnknownMemberID)
	m.timers.stop(&member.session)
	g.members.remove(member)
	if g.leader != member.id {
		return
	}
	g.leader = ""
	if g.members.len() > 0 {
		g.leader = g.members.list[0].id
	}
}

// release ends the calls that a member has parked.
func (m *Machine) release(s *step, g *group, member *member, code protocol.Code) {
	if call := member.join; call != nil {
		id := member.id
		if code == protocol.UnknownMemberID {
			id = ""
		}
		call.Answer(s, JoinError(id, code))
		member.join = nil
		g.members.joining--
	}
	if call := member.sync; call != nil {
		call.Answer(s, SyncError(code))
		member.sync = nil
	}
}
