package protocol

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AppendResponse appends a whole response frame: length prefix, header, and resp at the version that it is set to.
func AppendResponse(dst []byte, correlationID int32, resp kmsg.Response) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = appendResponseHeader(dst, correlationID, resp)
	dst = resp.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// appendResponseHeader appends response header version 0, the correlation id, or version 1, which adds tagged fields.
// ApiVersions has version 0 always: its client may not yet know what we speak (KIP-511).
func appendResponseHeader(dst []byte, correlationID int32, resp kmsg.Response) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if resp.IsFlexible() && Key(resp.Key()) != ApiVersionsKey {
		dst = append(dst, 0)
	}
	return dst
}
