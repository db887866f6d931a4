package group

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type (
	// DescribeCall is one group of a DescribeGroups.
	DescribeCall = coordinator.Call[kmsg.DescribeGroupsResponseGroup]
	// ListCall is a ListGroups, as far as this partition's groups go.
	ListCall = coordinator.Call[[]kmsg.ListGroupsResponseGroup]
)

// describeKnowsGroupIDNotFound is the version of DescribeGroups that says of a group that there is none (KIP-1043).
const describeKnowsGroupIDNotFound = 6

// classicType is the type of all groups here, as ListGroups names it.
const classicType = "classic"

// Describe tells of a group. Only in Stable is there a protocol and what members said under it. Errors: GroupIDNotFound.
// Source: DescribeGroups, key 15; GroupMetadataManager.describeGroups.
func (m *Machine) Describe(_ time.Time, c *DescribeCall, groupID string, version int16) coordinator.Step {
	var s step
	answer := DescribeError(groupID, protocol.None)
	g := m.groups[groupID]
	switch {
	case g == nil && version >= describeKnowsGroupIDNotFound:
		answer.State = dead
		answer.ErrorCode = int16(protocol.GroupIDNotFound)
		answer.ErrorMessage = ptr("Group " + groupID + " not found.")
	case g == nil:
		answer.State = dead
	default:
		g.describe(&answer)
	}
	c.Answer(&s, answer)
	return m.done(&s)
}

func (g *group) describe(answer *kmsg.DescribeGroupsResponseGroup) {
	answer.State = g.state.String()
	answer.ProtocolType = g.protocolType
	if g.state == stable {
		answer.Protocol = *g.protocol
	}
	for _, member := range g.members.list {
		described := kmsg.NewDescribeGroupsResponseGroupMember()
		described.MemberID = member.id
		described.InstanceID = member.instanceID
		described.ClientID = member.clientID
		described.ClientHost = member.clientHost
		described.MemberAssignment = member.assignment
		if g.state == stable {
			described.ProtocolMetadata = member.metadata(*g.protocol)
		}
		answer.Members = append(answer.Members, described)
	}
}

// DescribeError is the description of a group that cannot be described.
func DescribeError(groupID string, code protocol.Code) kmsg.DescribeGroupsResponseGroup {
	answer := kmsg.NewDescribeGroupsResponseGroup()
	answer.Group = groupID
	answer.ErrorCode = int16(code)
	answer.Members = []kmsg.DescribeGroupsResponseGroupMember{}
	return answer
}

// List tells which groups there are, of the states and types asked for, or all.
// Source: ListGroups, key 16; GroupMetadataManager.listGroups.
func (m *Machine) List(_ time.Time, c *ListCall, states, types []string) coordinator.Step {
	var s step
	var list []kmsg.ListGroupsResponseGroup
	if matches(types, classicType) {
		for _, id := range slices.Sorted(maps.Keys(m.groups)) {
			g := m.groups[id]
			if !matches(states, g.state.String()) {
				continue
			}
			listed := kmsg.NewListGroupsResponseGroup()
			listed.Group, listed.ProtocolType = id, g.protocolType
			listed.GroupState, listed.GroupType = g.state.String(), classicType
			list = append(list, listed)
		}
	}
	c.Answer(&s, list)
	return m.done(&s)
}

// matches reports whether a filter lets a name through: an empty one does, and case does not matter.
func matches(filter []string, name string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool {
		return strings.EqualFold(strings.TrimSpace(f), name)
	})
}
