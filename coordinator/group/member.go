package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type (
	// JoinCall is a JoinGroup, parked until everybody has joined.
	JoinCall = coordinator.Call[*kmsg.JoinGroupResponse]
	// SyncCall is a SyncGroup, parked until the leader has assigned.
	SyncCall = coordinator.Call[*kmsg.SyncGroupResponse]
)

// protocolMetadata is one way to assign partitions that a member offers, and what it says about itself under it.
type protocolMetadata struct {
	name     string
	metadata []byte
}

// member is one member of a group.
type member struct {
	id         string
	instanceID *string // of a static member (KIP-345)
	clientID   string
	clientHost string

	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []protocolMetadata // in the member's order of preference, names distinct
	assignment       []byte

	// join and sync are the parked calls, nil when none waits. See G5 and G6.
	join *JoinCall
	sync *SyncCall
	// isNew is set until the first generation that has the member: its session then runs even while its call is parked.
	isNew bool
	// owesSync is set from the answer to JoinGroup until SyncGroup comes.
	owesSync bool
	session  timer
}

// parked reports whether the member's call waits here, which is as good as a heartbeat. The first JoinGroup of a new member
// is not: a client that gave up may have left it behind.
func (m *member) parked() bool {
	return !m.isNew && (m.join != nil || m.sync != nil)
}

// metadata is what the member offered under a protocol.
func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.name == protocol {
			return p.metadata
		}
	}
	return nil
}

// offers reports whether the member's protocols are those given, in the same order.
func (m *member) offers(protocols []protocolMetadata) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b protocolMetadata) bool {
		return a.name == b.name && bytes.Equal(a.metadata, b.metadata)
	})
}

// members are a group's members, in the order in which they came.
type members struct {
	list   []*member
	byID   map[string]*member
	static map[string]*member // by instance id
	// support counts the members that offer each protocol.
	support map[string]int
	joining int // members whose JoinGroup is parked
	owing   int // members that owe a SyncGroup
}

func (ms *members) len() int { return len(ms.list) }

func (ms *members) get(id string) *member { return ms.byID[id] }

// allSupport reports whether every member offers the protocol.
func (ms *members) allSupport(protocol string) bool { return ms.support[protocol] == len(ms.list) }

// add takes in a member whose id is not taken.
func (ms *members) add(m *member) {
	if ms.byID == nil {
		ms.byID = make(map[string]*member)
		ms.support = make(map[string]int)
	}
	ms.list = append(ms.list, m)
	ms.byID[m.id] = m
	if m.instanceID != nil {
		if ms.static == nil {
			ms.static = make(map[string]*member)
		}
		ms.static[*m.instanceID] = m
	}
	ms.count(m, 1)
}

// remove takes out a member, whose calls have been answered.
func (ms *members) remove(m *member) {
	ms.list = slices.DeleteFunc(ms.list, func(other *member) bool { return other == m })
	delete(ms.byID, m.id)
	if m.instanceID != nil {
		delete(ms.static, *m.instanceID)
	}
	ms.count(m, -1)
	ms.syncs(m, false)
}

// rename gives a static member the id of its new process.
func (ms *members) rename(m *member, id string) {
	delete(ms.byID, m.id)
	m.id = id
	ms.byID[id] = m
}

// offer replaces a member's protocols.
func (ms *members) offer(m *member, protocols []protocolMetadata) {
	ms.count(m, -1)
	m.protocols = protocols
	ms.count(m, 1)
}

// syncs notes whether the member owes a SyncGroup.
func (ms *members) syncs(m *member, owes bool) {
	if m.owesSync == owes {
		return
	}
	m.owesSync = owes
	if owes {
		ms.owing++
	} else {
		ms.owing--
	}
}

func (ms *members) count(m *member, by int) {
	for _, p := range m.protocols {
		if ms.support[p.name] += by; ms.support[p.name] == 0 {
			delete(ms.support, p.name)
		}
	}
}

// rebalanceTimeout is the longest of the members'.
func (ms *members) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, m := range ms.list {
		longest = max(longest, m.rebalanceTimeout)
	}
	return longest
}
