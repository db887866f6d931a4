package group

import (
	"math"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Client is who sent a request, as it stands in a member's description.
type Client struct {
	ID   string
	Host string // as Java prints an address: a slash and the address
}

// versions of JoinGroup that behave differently
const (
	joinKnowsMemberID       = 4 // KIP-394: a new member must come back with the id it was given
	joinKnowsSkipAssignment = 9 // KIP-814
)

// Join is a member that joins or comes back. Errors: InvalidGroupID, InvalidSessionTimeout, UnknownMemberID,
// MemberIDRequired, InconsistentGroupProtocol, GroupMaxSizeReached, FencedInstanceID, RebalanceInProgress,
// UnknownServerError (metadata too large for a record). Source: JoinGroup, key 11; GroupMetadataManager.classicGroupJoinToClassicGroup.
func (m *Machine) Join(now time.Time, c *JoinCall, from Client, r *kmsg.JoinGroupRequest) coordinator.Step {
	var s step
	j := join{machine: m, now: now, s: &s, call: c, from: from, request: r, protocols: protocolsOf(r)}
	switch session := millis(r.SessionTimeoutMillis); {
	case r.Group == "":
		j.refuse(r.MemberID, protocol.InvalidGroupID)
	case session < m.config.MinSessionTimeout || session > m.config.MaxSessionTimeout:
		j.refuse(r.MemberID, protocol.InvalidSessionTimeout)
	case j.bytes() > m.config.RecordBytesMax:
		j.refuse(r.MemberID, protocol.UnknownServerError) // as SyncGroup would: what no record can hold is not kept
	default:
		j.run(m.groups[r.Group])
	}
	return m.done(&s)
}

// join is one JoinGroup on its way through a group.
type join struct {
	machine   *Machine
	now       time.Time
	s         *step
	call      *JoinCall
	from      Client
	request   *kmsg.JoinGroupRequest
	protocols []protocolMetadata
}

// bytes is what the member says about itself, under all protocols.
func (j *join) bytes() (n int) {
	for _, p := range j.protocols {
		n += len(p.name) + len(p.metadata)
	}
	return n
}

func (j *join) run(g *group) {
	r := j.request
	created := g == nil
	if created {
		if r.MemberID != "" {
			j.refuse(r.MemberID, protocol.UnknownMemberID)
			return
		}
		g = newGroup(r.Group, j.now.UnixMilli())
	}
	switch {
	case !g.hasRoom(r.MemberID, j.machine.config.MaxSize):
		j.refuse("", protocol.GroupMaxSizeReached)
		j.machine.expel(j.now, j.s, g, r.MemberID)
	case !g.accepts(r.ProtocolType, j.protocols):
		j.refuse(r.MemberID, protocol.InconsistentGroupProtocol)
	case r.MemberID == "":
		if created {
			// The group begins with a record of its own, an empty generation 0, before anybody hears of it.
			j.machine.groups[g.id] = g
			j.machine.write(j.s, g.emptyRecord(0, j.now.UnixMilli()))
		}
		j.newMember(g)
	case g.pending[r.MemberID] != nil:
		j.pendingMember(g)
	default:
		j.knownMember(g)
	}
}

// newMember serves a client without a member id.
func (j *join) newMember(g *group) {
	r := j.request
	if r.InstanceID != nil {
		id := j.newID(*r.InstanceID)
		if old := g.members.static[*r.InstanceID]; old != nil {
			j.replace(g, old, id)
			return
		}
		j.add(g, id)
		return
	}
	id := j.newID(j.from.ID)
	if r.Version >= joinKnowsMemberID {
		j.machine.expect(j.now, g, id, millis(r.SessionTimeoutMillis))
		j.refuse(id, protocol.MemberIDRequired)
		return
	}
	j.add(g, id)
}

// newID is an id for a member, which begins with its name for itself, as far as there is room for that: answers and
// records have room for 32767 bytes.
func (j *join) newID(name string) string {
	random := "-" + j.machine.config.NewID()
	return name[:min(len(name), math.MaxInt16-len(random))] + random
}

// pendingMember serves a client that comes back with the id it was given.
func (j *join) pendingMember(g *group) {
	if j.request.InstanceID != nil {
		j.refuse(j.request.MemberID, protocol.UnknownMemberID) // ids are given out to dynamic members only
		return
	}
	j.machine.forget(g, j.request.MemberID)
	j.add(g, j.request.MemberID)
}

// knownMember serves a member that comes back: to rebalance, or because an answer was lost.
func (j *join) knownMember(g *group) {
	r := j.request
	member, code := g.find(r.MemberID, r.InstanceID)
	if code != protocol.None {
		j.refuse(r.MemberID, code)
		return
	}
	unchanged := member.offers(j.protocols)
	switch {
	case g.state == completing && unchanged,
		g.state == stable && unchanged && g.leader != member.id:
		j.call.Answer(j.s, g.joined(member))
	default:
		// In Stable a leader's return is its way to ask for a rebalance, for topics that grew say.
		j.update(g, member)
		j.machine.rebalance(j.now, j.s, g)
	}
}

// add takes the client in as a member and parks its call.
func (j *join) add(g *group, id string) {
	r := j.request
	member := &member{
		id:         id,
		instanceID: r.InstanceID,
		clientID:   j.from.ID,
		clientHost: j.from.Host,
		isNew:      true,
	}
	j.machine.own(g, member)
	if g.state == preparing && g.initial {
		g.newcomer = true
	}
	if g.members.len() == 0 {
		g.protocolType = r.ProtocolType
	}
	g.members.add(member)
	if g.leader == "" {
		g.leader = id
	}
	j.update(g, member)
	j.machine.timers.start(&member.session, j.now.Add(newMemberJoinTimeout))
	j.machine.rebalance(j.now, j.s, g)
}

// update notes what the member says of itself and parks its call.
func (j *join) update(g *group, member *member) {
	j.machine.release(j.s, g, member, protocol.RebalanceInProgress) // an older call that its client has given up
	member.sessionTimeout, member.rebalanceTimeout = timeouts(j.request)
	g.members.offer(member, j.protocols)
	member.join = j.call
	g.members.joining++
}

// replace puts a static member's new process in the place of its old one, which is fenced (KIP-345).
func (j *join) replace(g *group, member *member, id string) {
	m := j.machine
	oldLeader := g.leader
	m.release(j.s, g, member, protocol.FencedInstanceID)
	if g.leader == member.id {
		g.leader = id
	}
	g.members.rename(member, id)
	member.clientID, member.clientHost, member.isNew = j.from.ID, j.from.Host, false
	member.sessionTimeout, member.rebalanceTimeout = timeouts(j.request)
	g.members.offer(member, j.protocols)
	m.startSession(j.now, g, member)

	if g.state != stable || g.vote() != *g.protocol {
		member.join = j.call
		g.members.joining++
		m.rebalance(j.now, j.s, g)
		return
	}
	// The assignment stays as it is, so nobody needs to rebalance: the group goes on with the new id.
	record := g.record(heldAssignment)
	if m.tooLarge(record) {
		j.refuse(id, protocol.UnknownServerError)
		m.prepareRebalance(j.now, j.s, g)
		return
	}
	m.write(j.s, record)
	answer := g.joined(member)
	if j.request.Version >= joinKnowsSkipAssignment {
		answer.SkipAssignment = g.leader == id
	} else {
		// A client that cannot be told to skip the assignment is told that somebody else leads.
		answer.LeaderID, answer.Members = oldLeader, []kmsg.JoinGroupResponseMember{}
	}
	j.call.Answer(j.s, answer)
}

// refuse answers with a code and the member id that goes with it.
func (j *join) refuse(memberID string, code protocol.Code) {
	j.call.Answer(j.s, JoinError(memberID, code))
}

// JoinError is the answer to a JoinGroup that failed.
func JoinError(memberID string, code protocol.Code) *kmsg.JoinGroupResponse {
	answer := kmsg.NewPtrJoinGroupResponse()
	answer.ErrorCode = int16(code)
	answer.Generation = -1
	answer.MemberID = memberID
	answer.Members = []kmsg.JoinGroupResponseMember{}
	return answer
}

// joined is the answer that takes a member into the current generation. Only the leader hears of the others.
func (g *group) joined(to *member) *kmsg.JoinGroupResponse {
	answer := JoinError(to.id, protocol.None)
	answer.Generation = g.generation
	answer.ProtocolType, answer.Protocol = ptr(g.protocolType), g.protocol
	answer.LeaderID = g.leader
	if g.leader != to.id {
		return answer
	}
	answer.Members = make([]kmsg.JoinGroupResponseMember, len(g.members.list))
	for i, member := range g.members.list {
		answer.Members[i] = kmsg.JoinGroupResponseMember{
			MemberID:         member.id,
			InstanceID:       member.instanceID,
			ProtocolMetadata: member.metadata(*g.protocol),
		}
	}
	return answer
}

// find is the member that a request names, or why it may not speak for it: UnknownMemberID, FencedInstanceID.
func (g *group) find(memberID string, instanceID *string) (*member, protocol.Code) {
	if instanceID != nil {
		current := g.members.static[*instanceID]
		if current == nil {
			return nil, protocol.UnknownMemberID
		}
		if current.id != memberID {
			return nil, protocol.FencedInstanceID
		}
	}
	member := g.members.get(memberID)
	if member == nil {
		return nil, protocol.UnknownMemberID
	}
	return member, protocol.None
}

// protocolsOf are the protocols that a member offers, each name once.
func protocolsOf(r *kmsg.JoinGroupRequest) []protocolMetadata {
	protocols := make([]protocolMetadata, 0, len(r.Protocols))
	seen := make(map[string]struct{}, len(r.Protocols))
	for _, p := range r.Protocols {
		if _, ok := seen[p.Name]; ok {
			continue
		}
		seen[p.Name] = struct{}{}
		protocols = append(protocols, protocolMetadata{p.Name, p.Metadata})
	}
	return protocols
}

// timeouts are a member's session and rebalance time-outs. Version 0 knows only the first.
func timeouts(r *kmsg.JoinGroupRequest) (session, rebalance time.Duration) {
	session = millis(r.SessionTimeoutMillis)
	if r.Version == 0 {
		return session, session
	}
	return session, millis(r.RebalanceTimeoutMillis)
}

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }

func ptr[T any](v T) *T { return &v }
