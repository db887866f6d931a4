// LeaveGroup, key 13, versions 0–5: members leave, or an administrator removes them.
//
//	v1  throttle time     v3  several members, static ones by instance id (KIP-345)     v4  flexible     v5  reason (KIP-800)
//
// Errors: GROUP_AUTHORIZATION_FAILED, INVALID_GROUP_ID, and those of a coordinator that is not here; per member (v0–v2
// top-level): UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// leaveSeveral is the first version of LeaveGroup that names several members.
const leaveSeveral = 3

// LeaveGroup serves key 13.
func LeaveGroup(s *Server, r *Request) {
	req := r.Message.(*kmsg.LeaveGroupRequest)
	fail := func(code protocol.Code) {
		answer := kmsg.NewPtrLeaveGroupResponse()
		answer.ErrorCode = int16(code)
		r.Reply(answer)
	}
	switch {
	case !s.Allowed(r, security.Read, security.Group, req.Group):
		fail(protocol.GroupAuthorizationFailed)
		return
	case req.Group == "":
		fail(protocol.InvalidGroupID)
		return
	}
	leavers := []group.Leaver{{MemberID: req.MemberID}}
	if r.Version() >= leaveSeveral {
		leavers = make([]group.Leaver, len(req.Members))
		for i, m := range req.Members {
			leavers[i] = group.Leaver{MemberID: m.MemberID, InstanceID: m.InstanceID}
		}
	}
	call := &group.LeaveCall{Fail: fail, Reply: func(codes []protocol.Code) {
		if r.Version() < leaveSeveral {
			fail(codes[0])
			return
		}
		answer := kmsg.NewPtrLeaveGroupResponse()
		for i, l := range leavers {
			answer.Members = append(answer.Members, kmsg.LeaveGroupResponseMember{
				MemberID: l.MemberID, InstanceID: l.InstanceID, ErrorCode: int16(codes[i]),
			})
		}
		r.Reply(answer)
	}}
	s.onGroup(req.Group, fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.Leave(now, call, req.Group, leavers)
	})
}
