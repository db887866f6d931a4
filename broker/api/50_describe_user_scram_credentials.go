// DescribeUserScramCredentials, key 50, version 0: mechanisms and iterations of users' SCRAM credentials, no more.
//
// Errors: CLUSTER_AUTHORIZATION_FAILED; per user: RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE.

package api

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// DescribeUserScramCredentials serves key 50.
func DescribeUserScramCredentials(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeUserSCRAMCredentialsRequest)
	resp := kmsg.NewPtrDescribeUserSCRAMCredentialsResponse()
	if !s.mayOnCluster(r, security.Describe) {
		resp.ErrorCode, resp.ErrorMessage = codeAndMessage(clusterDenied("DESCRIBE"))
		r.Reply(resp)
		return
	}
	resp.ErrorMessage = new(string) // Kafka's success has an empty message
	image := s.Cluster.Image()
	if len(req.Users) == 0 { // all
		for c := range image.Scrams() {
			if n := len(resp.Results); n == 0 || resp.Results[n-1].User != c.User {
				resp.Results = append(resp.Results, scramOf(image, c.User))
			}
		}
		r.Reply(resp)
		return
	}
	name := func(u kmsg.DescribeUserSCRAMCredentialsRequestUser) string { return u.Name }
	twice := duplicates(req.Users, name)
	slices.SortFunc(req.Users, func(a, b kmsg.DescribeUserSCRAMCredentialsRequestUser) int { return strings.Compare(a.Name, b.Name) })
	for n, u := range req.Users {
		if n > 0 && req.Users[n-1].Name == u.Name {
			continue
		}
		result := scramOf(image, u.Name)
		if twice[u.Name] {
			result = kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
			result.User = u.Name
			result.ErrorCode, result.ErrorMessage = codeAndMessage(
				protocol.Errorf(protocol.DuplicateResource, "The user is named more than once in the request."))
		}
		resp.Results = append(resp.Results, result)
	}
	r.Reply(resp)
}

// scramOf is what is told of one user.
func scramOf(image *cluster.Image, user string) kmsg.DescribeUserSCRAMCredentialsResponseResult {
	result := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
	result.User = user
	for c := range image.ScramsOf(user) {
		info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
		info.Mechanism, info.Iterations = int8(c.Mechanism), c.Iterations
		result.CredentialInfos = append(result.CredentialInfos, info)
	}
	if len(result.CredentialInfos) == 0 {
		result.ErrorCode, result.ErrorMessage = codeAndMessage(
			protocol.Errorf(protocol.ResourceNotFound, "The user has no SCRAM credentials."))
	}
	return result
}
