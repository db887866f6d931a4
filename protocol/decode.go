package protocol

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Decode reads the body that follows a header. Strings are copied; byte slices alias the body.
// h is one that ParseHeader returned without an error.
func Decode(h RequestHeader, body []byte) (kmsg.Request, error) {
	r := kmsg.RequestForKey(int16(h.Key))
	r.SetVersion(h.Version)
	if err := r.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%s version %d: %w", h.Key, h.Version, Errorf(InvalidRequest, "%v", err))
	}
	return r, nil
}
