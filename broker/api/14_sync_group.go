// SyncGroup, key 14, versions 0–5: the leader brings the assignment of a generation, the others come for theirs.
//
//	v1  throttle time     v3  instance id (KIP-345)     v4  flexible     v5  protocol type and name, to be sure of both
//
// Errors: GROUP_AUTHORIZATION_FAILED, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
// INCONSISTENT_GROUP_PROTOCOL, REBALANCE_IN_PROGRESS, UNKNOWN_SERVER_ERROR for an assignment that is too large to be
// stored, and those of a coordinator that is not here.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// syncNamesProtocol is the first version of SyncGroup that must name the protocol.
const syncNamesProtocol = 5

// SyncGroup serves key 14.
func SyncGroup(s *Server, r *Request) {
	req := r.Message.(*kmsg.SyncGroupRequest)
	call := &group.SyncCall{
		Reply: func(answer *kmsg.SyncGroupResponse) { r.Reply(answer) },
		Fail:  func(code protocol.Code) { r.Reply(group.SyncError(code)) },
	}
	switch {
	case !s.Allowed(r, security.Read, security.Group, req.Group):
		call.Fail(protocol.GroupAuthorizationFailed)
		return
	case r.Version() >= syncNamesProtocol && (req.ProtocolType == nil || req.Protocol == nil):
		call.Fail(protocol.InconsistentGroupProtocol)
		return
	}
	s.onGroup(req.Group, call.Fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.Sync(now, call, req)
	})
}
