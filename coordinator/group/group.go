package group

import "fmt"

// state is where a group stands; Dead is the state of a group that there is not.
type state uint8

const (
	empty state = iota
	preparing
	completing
	stable
)

// String is Kafka's name of the state, which tools print.
func (s state) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}[s]
}

// dead is what DescribeGroups calls a group that there is not.
const dead = "Dead"

// consumerType is the protocol type whose subscriptions the coordinator reads.
const consumerType = "consumer"

// group is one classic group. What its record holds is durable and set by settle; the rest lives between two generations
// and is lost with the machine.
type group struct {
	id    string
	state state
	// since is when the state was entered, ms, -1 if a record of an old version did not say.
	since int64
	// initial is set while the group prepares its first rebalance after Empty, which waits for members to gather.
	initial bool

	generation   int32
	protocolType string  // empty: no member has ever joined
	protocol     *string // chosen for the generation, nil while there were no members; what it points to never changes
	leader       string  // member id, empty for none

	members members
	// pending are the member ids given out with MEMBER_ID_REQUIRED that have not come back.
	pending map[string]*timer
	// topics are the topics that the members of a consumer group subscribe to, nil where that is not known.
	topics map[string]struct{}

	// joinTimer ends the join phase, syncTimer the wait for every member's SyncGroup.
	joinTimer, syncTimer timer
	// newcomer is set when a member joined an initial rebalance that is already being waited for.
	newcomer bool
}

func newGroup(id string, sinceMs int64) *group {
	return &group{id: id, since: sinceMs}
}

// enter moves the group to a state. G1 says from where to where.
func (g *group) enter(to state, nowMs int64) {
	ok := false
	switch to {
	case empty:
		ok = g.state == preparing
	case preparing:
		ok = g.state != preparing
	case completing:
		ok = g.state == preparing
	case stable:
		ok = g.state == completing
	}
	if !ok {
		panic(fmt.Sprintf("group %q: from %v to %v (G1)", g.id, g.state, to))
	}
	if to == preparing {
		g.initial = g.state == empty
		g.newcomer = false
	}
	g.state, g.since = to, nowMs
}

// accepts reports whether a member of that type with those protocols may be in the group: it shares one with all members.
func (g *group) accepts(protocolType string, protocols []protocolMetadata) bool {
	if g.state == empty {
		return protocolType != "" && len(protocols) > 0
	}
	if protocolType != g.protocolType {
		return false
	}
	for _, p := range protocols {
		if g.members.allSupport(p.name) {
			return true
		}
	}
	return false
}

// hasRoom reports whether the member may join under group.max.size. While a rebalance is prepared those that wait are
// counted, so that a group above the limit sheds the last to come back.
func (g *group) hasRoom(memberID string, maxSize int) bool {
	member := g.members.get(memberID)
	switch g.state {
	case empty:
		return true
	case preparing:
		return member != nil && member.join != nil || g.members.joining < maxSize
	default:
		return member != nil || g.members.len() < maxSize
	}
}

// allJoined reports whether the join phase has nobody left to wait for.
func (g *group) allJoined() bool {
	return g.members.joining == g.members.len() && len(g.pending) == 0
}

// electLeader keeps the leader if it has joined, or else makes the first member that has joined the leader. False: nobody
// has joined.
func (g *group) electLeader() bool {
	if l := g.members.get(g.leader); l != nil && l.join != nil {
		return true
	}
	for _, member := range g.members.list {
		if member.join != nil {
			g.leader = member.id
			return true
		}
	}
	return false
}

// vote is the protocol of the next generation: each member votes for the first of its protocols that all support, and the
// most votes win; among equals, the protocol that got its first vote first.
func (g *group) vote() string {
	votes := make(map[string]int)
	for _, member := range g.members.list {
		votes[g.voteOf(member)]++
	}
	best := ""
	for _, member := range g.members.list {
		if p := g.voteOf(member); votes[p] > votes[best] {
			best = p
		}
	}
	return best
}

func (g *group) voteOf(member *member) string {
	for _, p := range member.protocols {
		if g.members.allSupport(p.name) {
			return p.name
		}
	}
	panic(fmt.Sprintf("group %q: member %q shares no protocol with the others (G4)", g.id, member.id))
}

// subscribed reports whether an offset of that topic is in use by the group. A consumer group whose subscriptions cannot
// be read counts as subscribed to everything.
func (g *group) subscribed(topic string) bool {
	if g.topics == nil {
		return g.protocolType == consumerType
	}
	_, ok := g.topics[topic]
	return ok
}

// readTopics computes topics from the members' metadata under the chosen protocol.
func (g *group) readTopics() {
	g.topics = nil
	if g.protocolType != consumerType {
		return
	}
	topics := make(map[string]struct{})
	for _, member := range g.members.list {
		if g.protocol == nil || !readSubscription(member.metadata(*g.protocol), topics) {
			return
		}
	}
	g.topics = topics
}
