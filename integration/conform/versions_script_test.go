package conform

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() { scripts["apiversions"] = apiVersionsScript }

func apiVersions(name, version string) *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = name, version
	return req
}

func apiVersionsScript(s *session) {
	s.sweep("every version", func(v int16) kmsg.Request { return apiVersions("conform", "1.0") })
	for _, tooNew := range []int16{5, 6, 100, 32767} { // KIP-511: answered at version 0, with one key
		req := apiVersions("conform", "1.0")
		req.SetVersion(tooNew)
		s.ask("newer than the broker knows", req)
	}
	for i, names := range [][2]string{
		{"", ""}, {"", "1"}, {"a", ""}, {"-a", "1"}, {"a-", "1"}, {"a b", "1"}, {"a.b-c", "1.2-3"}, {"a", "1_2"}, {"ä", "1"},
		{"a", "1."}, {".", "1"}, {"0", "0"}, {"a\n", "1"},
	} {
		req := apiVersions(names[0], names[1])
		req.SetVersion(3)
		s.ask(fmt.Sprintf("software %d: %q %q", i, names[0], names[1]), req)
	}
	negative := apiVersions("conform", "1.0")
	negative.SetVersion(-1)
	s.ask("version -1", negative)
}
