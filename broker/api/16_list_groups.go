// ListGroups, key 16, versions 0–5: the groups that this broker coordinates.
//
//	v1  throttle time     v3  flexible     v4  states, as a filter too (KIP-518)     v5  types, as a filter too (KIP-848)
//
// Errors: COORDINATOR_LOAD_IN_PROGRESS and others of a coordinator. A client that may not describe the cluster hears of the
// groups that it may describe, without an error.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// listed are the groups of one partition, or why there are none.
type listed struct {
	groups []kmsg.ListGroupsResponseGroup
	code   protocol.Code
}

// ListGroups serves key 16.
func ListGroups(s *Server, r *Request) {
	req := r.Message.(*kmsg.ListGroupsRequest)
	partitions := s.Groups.Partitions()
	answers := newGather(len(partitions), func(list []listed) { r.Reply(s.listResponse(r, list)) })
	for i, p := range partitions {
		call := &group.ListCall{
			Reply: func(groups []kmsg.ListGroupsResponseGroup) { answers.set(i, listed{groups: groups}) },
			Fail:  func(code protocol.Code) { answers.set(i, listed{code: code}) },
		}
		s.Groups.Do(p, call.Fail, func(m *group.Machine, now time.Time) coordinator.Step {
			return m.List(now, call, req.StatesFilter, req.TypesFilter)
		})
	}
}

func (s *Server) listResponse(r *Request, list []listed) *kmsg.ListGroupsResponse {
	resp := kmsg.NewPtrListGroupsResponse()
	all := s.Allowed(r, security.Describe, security.Cluster, security.ClusterName)
	for _, part := range list {
		switch part.code {
		case protocol.None:
		case protocol.NotCoordinator: // led elsewhere since: that broker lists it
			continue
		default:
			resp.ErrorCode, resp.Groups = int16(part.code), nil
			return resp
		}
		for _, g := range part.groups {
			if all || s.Allowed(r, security.Describe, security.Group, g.Group) {
				resp.Groups = append(resp.Groups, g)
			}
		}
	}
	return resp
}
