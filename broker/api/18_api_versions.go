// ApiVersions, key 18, versions 0–4: what this broker speaks, and which features are finalized.
//
//	v3  client software name and version; features (KIP-511, KIP-584)
//	v4  a feature's lowest version may be 0 (KAFKA-17011)
//
// Errors: UNSUPPORTED_VERSION for a newer version, answered at version 0 so that any client can read it (KIP-511);
// INVALID_REQUEST for a client name or version that is no identifier. It is answered before authentication and lists every
// API regardless of authorization.

package api

import (
	"regexp"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
)

// Served is an API with its versions, as ApiVersions shows it.
type Served struct {
	Key      protocol.Key
	Min, Max int16
}

var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

// ApiVersions serves key 18.
func ApiVersions(s *Server, r *Request) {
	req := r.Message.(*kmsg.ApiVersionsRequest)
	resp := kmsg.NewPtrApiVersionsResponse()
	if r.Version() >= 3 {
		if !softwareName.MatchString(req.ClientSoftwareName) || !softwareName.MatchString(req.ClientSoftwareVersion) {
			resp.ErrorCode = int16(protocol.InvalidRequest)
			r.Reply(resp)
			return
		}
		r.Conn.ClientSoftware = req.ClientSoftwareName + " " + req.ClientSoftwareVersion
	}
	for _, api := range s.Apis {
		resp.ApiKeys = append(resp.ApiKeys, apiKey(api))
	}
	s.addFeatures(resp, r.Version())
	r.Reply(resp)
}

func apiKey(a Served) kmsg.ApiVersionsResponseApiKey {
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = int16(a.Key), a.Min, a.Max
	return k
}

// ApiVersionsDowngrade answers a version that we do not know: at version 0, with our own range of this API alone.
func ApiVersionsDowngrade() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.SetVersion(0)
	resp.ErrorCode = int16(protocol.UnsupportedVersion)
	resp.ApiKeys = append(resp.ApiKeys, apiKey(Served{
		Key: protocol.ApiVersionsKey, Min: protocol.MinVersion(protocol.ApiVersionsKey), Max: protocol.MaxVersion(protocol.ApiVersionsKey),
	}))
	return resp
}
