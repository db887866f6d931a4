// Heartbeat, key 12, versions 0–4: a member is alive, and hears whether its group rebalances.
//
//	v1  throttle time     v3  instance id (KIP-345)     v4  flexible
//
// Errors: GROUP_AUTHORIZATION_FAILED, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION,
// REBALANCE_IN_PROGRESS, and those of a coordinator that is not here. While the group is loaded the answer is NONE: its
// members get a whole session afterwards.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// Heartbeat serves key 12.
func Heartbeat(s *Server, r *Request) {
	req := r.Message.(*kmsg.HeartbeatRequest)
	reply := func(code protocol.Code) {
		answer := kmsg.NewPtrHeartbeatResponse()
		answer.ErrorCode = int16(code)
		r.Reply(answer)
	}
	if !s.Allowed(r, security.Read, security.Group, req.Group) {
		reply(protocol.GroupAuthorizationFailed)
		return
	}
	call := &group.BeatCall{Reply: reply, Fail: func(code protocol.Code) {
		if code == protocol.CoordinatorLoadInProgress {
			code = protocol.None
		}
		reply(code)
	}}
	s.onGroup(req.Group, call.Fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.Beat(now, call, req)
	})
}
