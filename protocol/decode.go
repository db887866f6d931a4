package protocol

import "github.com/twmb/franz-go/pkg/kmsg"

// Decode reads the body that follows a header, if Walk lets it through. Strings are copied; byte slices alias the body.
// h is one that ParseHeader returned without an error.
func Decode(h RequestHeader, body []byte) (kmsg.Request, error) {
	r, _, err := decode(h, body)
	return r, err
}

// decode is Decode. It also returns about how much memory the request takes beyond the body.
func decode(h RequestHeader, body []byte) (r kmsg.Request, decoded int64, err error) {
	decoded, err = walk(h.Key, h.Version, body)
	if err != nil {
		return nil, 0, err
	}
	r = kmsg.RequestForKey(int16(h.Key))
	r.SetVersion(h.Version)
	if err := r.ReadFrom(body); err != nil {
		return nil, 0, Errorf(InvalidRequest, "%s version %d: %v", h.Key, h.Version, err)
	}
	return r, decoded, nil
}
