// JoinGroup, key 11, versions 0–9: a member joins a group or comes back to it, and is answered when all have.
//
//	v1  rebalance time-out (v0: the session time-out counts)     v2  throttle time
//	v4  a new member is given an id and must come back with it (KIP-394)
//	v5  instance id (KIP-345)     v6  flexible     v7  protocol type in the answer, protocol may be null
//	v8  reason (KIP-800)          v9  skip assignment (KIP-814)
//
// Errors: GROUP_AUTHORIZATION_FAILED, INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, UNKNOWN_MEMBER_ID, MEMBER_ID_REQUIRED,
// INCONSISTENT_GROUP_PROTOCOL, GROUP_MAX_SIZE_REACHED, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS, and those of a coordinator
// that is not here. What differs from Kafka stands in coordinator/group.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// JoinGroup serves key 11.
func JoinGroup(s *Server, r *Request) {
	req := r.Message.(*kmsg.JoinGroupRequest)
	call := &group.JoinCall{
		Reply: func(answer *kmsg.JoinGroupResponse) { r.Reply(answer) },
		Fail:  func(code protocol.Code) { r.Reply(group.JoinError("", code)) },
	}
	if !s.Allowed(r, security.Read, security.Group, req.Group) {
		call.Fail(protocol.GroupAuthorizationFailed)
		return
	}
	from := group.Client{ID: r.ClientID(), Host: "/" + r.Conn.Host()} // as Java prints an address
	s.onGroup(req.Group, call.Fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.Join(now, call, from, req)
	})
}
