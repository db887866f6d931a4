// DeleteGroups, key 42, versions 0–2: deletes groups without members, and their offsets.
//
//	v1  throttle time is sent before the delay     v2  flexible
//
// Errors, per group: GROUP_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, and those of a coordinator that is not
// here. A group that is named twice is answered once.

package api

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// DeleteGroups serves key 42.
func DeleteGroups(s *Server, r *Request) {
	req := r.Message.(*kmsg.DeleteGroupsRequest)
	seen := make(map[string]bool, len(req.Groups))
	ids := slices.DeleteFunc(req.Groups, func(id string) bool {
		twice := seen[id]
		seen[id] = true
		return twice
	})
	answers := newGather(len(ids), func(codes []protocol.Code) {
		resp := kmsg.NewPtrDeleteGroupsResponse()
		for i, code := range codes {
			resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: ids[i], ErrorCode: int16(code)})
		}
		r.Reply(resp)
	})
	for i, id := range ids {
		done := func(code protocol.Code) { answers.set(i, code) }
		if !s.Allowed(r, security.Delete, security.Group, id) {
			done(protocol.GroupAuthorizationFailed)
			continue
		}
		call := &group.DeleteCall{Reply: done, Fail: done}
		s.onGroup(id, done, func(m *group.Machine, now time.Time) coordinator.Step {
			return m.Delete(now, call, id)
		})
	}
}
