package group

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
)

// Config are the limits and delays of a Machine, each under the broker key that sets it.
type Config struct {
	MinSessionTimeout      time.Duration // group.min.session.timeout.ms
	MaxSessionTimeout      time.Duration // group.max.session.timeout.ms
	InitialRebalanceDelay  time.Duration // group.initial.rebalance.delay.ms
	MaxSize                int           // group.max.size: members of a group
	MetadataMax            int           // offset.metadata.max.bytes, which Kafka counts in UTF-16 units
	OffsetsRetention       time.Duration // offsets.retention.minutes
	RetentionCheckInterval time.Duration // offsets.retention.check.interval.ms
	RecordBytesMax         int           // max.message.bytes of __consumer_offsets: a group's record must fit

	// RetentionNow is the time that OffsetsRetention is counted by, where that is not the wall clock's, which may jump:
	// offsets that expire cannot be had back. Nil goes by the time that comes with a call.
	RetentionNow func() time.Time

	// NewID makes the random part of a member id, a UUID. It is handed in so that scripts repeat.
	NewID func() string
}

// newMemberJoinTimeout is how long a member whose first JoinGroup is parked may be away: it does not know its id yet, so it
// cannot send heartbeats. Source: GroupCoordinatorConfig.CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS.
const newMemberJoinTimeout = 5 * time.Minute

// step is what one call of a Machine collects.
type step = coordinator.Step

// Machine coordinates the groups of one partition of __consumer_offsets. See the package documentation.
type Machine struct {
	config  Config
	groups  map[string]*group
	offsets offsets
	timers  timers
	loading bool
	expiry  timer
}

var _ coordinator.Machine = (*Machine)(nil)

// New is a Machine before anything is replayed.
func New(c Config) *Machine {
	m := &Machine{config: c, groups: make(map[string]*group), loading: true}
	m.offsets.init()
	m.expiry.fire = m.expireOffsets
	return m
}

// Loaded sets the timers going. Members that were loaded get a whole session to send a heartbeat.
func (m *Machine) Loaded(now time.Time) coordinator.Step {
	var s step
	m.loading = false
	for _, g := range m.inUse() {
		for _, member := range g.members.list {
			m.startSession(now, g, member)
		}
		if g.members.len() > m.config.MaxSize {
			// group.max.size was lowered: a rebalance sheds the surplus, and gives members a chance to commit.
			m.prepareRebalance(now, &s, g)
		}
	}
	m.timers.start(&m.expiry, now.Add(m.config.RetentionCheckInterval))
	return m.done(&s)
}

// inUse are the groups that have members, by id, so that a run repeats.
func (m *Machine) inUse() []*group {
	var list []*group
	for _, g := range m.groups {
		if g.members.len() > 0 {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *group) int { return strings.Compare(a.id, b.id) })
	return list
}

// Wake runs the earliest timer that is due, if one is.
func (m *Machine) Wake(now time.Time) coordinator.Step {
	var s step
	if t := m.timers.due(now); t != nil {
		t.fire(now, &s)
	}
	return m.done(&s)
}

// Abandon gives back the parked calls. Source: GroupMetadataManager.onUnloaded.
func (m *Machine) Abandon() []coordinator.Answer {
	var answers []coordinator.Answer
	for _, g := range m.inUse() {
		for _, member := range g.members.list {
			if member.join != nil {
				answers = append(answers, member.join.Refuse(protocol.NotCoordinator))
			}
			if member.sync != nil {
				answers = append(answers, member.sync.Refuse(protocol.NotCoordinator))
			}
		}
	}
	m.groups, m.timers = nil, timers{}
	return answers
}

// done ends a call of the machine.
func (m *Machine) done(s *step) coordinator.Step {
	s.Wake = m.timers.next()
	return *s
}

// remove takes a group away for good. Only an Empty group is removed, so nobody waits in it.
func (m *Machine) remove(g *group) {
	if g.members.len() != 0 {
		panic(fmt.Sprintf("group %q: removed with %d members", g.id, g.members.len()))
	}
	m.timers.stop(&g.joinTimer)
	m.timers.stop(&g.syncTimer)
	for id := range g.pending {
		m.forget(g, id)
	}
	delete(m.groups, g.id)
}
