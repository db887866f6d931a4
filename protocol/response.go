package protocol

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AppendResponse appends a whole response frame: length prefix, header, and resp at the version that it is set to. resp
// loses what the version lacks.
func AppendResponse(dst []byte, correlationID int32, resp kmsg.Response) []byte {
	dropNewerTags(resp)
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

// dropNewerTags clears the tagged fields that came after the first flexible version: where the leaders are now (KIP-951).
// kmsg writes a tagged field in every version, and a Java client that is older than the field closes the connection.
func dropNewerTags(resp kmsg.Response) {
	switch r := resp.(type) {
	case *kmsg.ProduceResponse:
		if r.Version >= 10 {
			return
		}
		r.Brokers = nil
		for i := range r.Topics {
			for j := range r.Topics[i].Partitions {
				r.Topics[i].Partitions[j].CurrentLeader = kmsg.NewProduceResponseTopicPartitionCurrentLeader()
			}
		}
	case *kmsg.FetchResponse:
		if r.Version < 16 {
			r.Brokers = nil
		}
	}
}
