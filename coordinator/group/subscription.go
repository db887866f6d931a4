package group

import "encoding/binary"

// readSubscription adds the topics of a ConsumerProtocolSubscription to topics. It reads what every version begins with,
// the way the first did, so that no later version needs to be known here. False: these bytes are no subscription.
//
// Layout: version int16 · count int32 · count × {length int16 · topic} · more
func readSubscription(b []byte, topics map[string]struct{}) bool {
	if len(b) < 6 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return false
	}
	count := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	if count < 0 || int(count) > len(b)/2 {
		return false
	}
	for range count {
		if len(b) < 2 {
			return false
		}
		n := int(int16(binary.BigEndian.Uint16(b)))
		b = b[2:]
		if n < 0 || n > len(b) {
			return false
		}
		topics[string(b[:n])] = struct{}{}
		b = b[n:]
	}
	return true
}
