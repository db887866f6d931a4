// DescribeGroups, key 15, versions 0–6: states and members of classic groups.
//
//	v1  throttle time     v3  authorized operations     v4  instance ids (KIP-345)     v5  flexible
//	v6  GROUP_ID_NOT_FOUND and a message (KIP-1043); before, a group that there is not is Dead without an error
//
// Errors, per group: GROUP_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND, and those of a coordinator that is not here.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// DescribeGroups serves key 15.
func DescribeGroups(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeGroupsRequest)
	answers := newGather(len(req.Groups), func(list []kmsg.DescribeGroupsResponseGroup) {
		resp := kmsg.NewPtrDescribeGroupsResponse()
		resp.Groups = list
		r.Reply(resp)
	})
	for i, id := range req.Groups {
		s.describeGroup(r, id, req.IncludeAuthorizedOperations, func(g kmsg.DescribeGroupsResponseGroup) { answers.set(i, g) })
	}
}

func (s *Server) describeGroup(r *Request, id string, operations bool, done func(kmsg.DescribeGroupsResponseGroup)) {
	fail := func(code protocol.Code) { done(group.DescribeError(id, code)) }
	if !s.Allowed(r, security.Describe, security.Group, id) {
		fail(protocol.GroupAuthorizationFailed)
		return
	}
	call := &group.DescribeCall{Fail: fail, Reply: func(g kmsg.DescribeGroupsResponseGroup) {
		if operations && g.ErrorCode == 0 {
			g.AuthorizedOperations = s.AuthorizedOperations(r, security.Group, id)
		}
		done(g)
	}}
	s.onGroup(id, fail, func(m *group.Machine, now time.Time) coordinator.Step {
		return m.Describe(now, call, id, r.Version())
	})
}
