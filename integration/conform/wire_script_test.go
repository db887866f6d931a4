package conform

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() { scripts["wire"] = wireScript }

// frame is a request by hand: header version 1, or 2 with an empty tag section where flexible is set.
func frame(key, version int16, flexible bool, body ...byte) []byte {
	b := make([]byte, 4, 32)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 9, 0, 1, 'c') // correlation id, client id
	if flexible {
		b = append(b, 0)
	}
	b = append(b, body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// wireScript is what stands below requests: frames, headers, keys, versions.
func wireScript(s *session) {
	alone := func(step string, version int16, bytes []byte) { // each on a connection of its own
		s.hangUp()
		s.raw(step, version, bytes)
		s.hangUp()
	}
	for _, key := range []int16{-1, 4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 71, 72, 73, 82, 93, 94, 127, 1000, 32767} {
		alone(fmt.Sprintf("key %d", key), 0, frame(key, 0, false, 0, 0, 0, 0))
	}
	for _, k := range []struct {
		key      int16
		versions []int16
	}{
		{0, []int16{-1, 0, 1, 2, 14}}, {1, []int16{0, 3, 19}}, {2, []int16{0, 12}}, {3, []int16{-1, 14}}, {8, []int16{0, 1, 11}},
		{9, []int16{0, 11}}, {19, []int16{1, 8}}, {22, []int16{6, 7}}, {32, []int16{0, 5}},
	} {
		for _, v := range k.versions {
			alone(fmt.Sprintf("key %d version %d", k.key, v), v, frame(k.key, v, v > 8, 0, 0, 0, 0, 0, 0, 0, 0))
		}
	}
	alone("length 0", 0, []byte{0, 0, 0, 0})
	alone("length 1", 0, []byte{0, 0, 0, 1, 0})
	alone("length negative", 0, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	alone("length above the limit", 0, []byte{0x06, 0x40, 0x00, 0x01, 0, 3, 0, 1})
	alone("length 2^31-1", 0, []byte{0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 1})
	alone("half a header", 0, []byte{0, 0, 0, 6, 0, 3, 0, 1, 0, 0})
	alone("no body", 1, frame(3, 1, false))
	alone("body cut short", 1, frame(3, 1, false, 0, 0, 0, 1, 0, 5, 'a'))
	alone("array longer than the frame", 1, frame(3, 1, false, 0x7f, 0xff, 0xff, 0xff))
	alone("array of -2", 1, frame(3, 1, false, 0xff, 0xff, 0xff, 0xfe))
	alone("string of -2", 1, frame(3, 1, false, 0, 0, 0, 1, 0xff, 0xfe))
	alone("null where no null may be", 1, frame(3, 1, false, 0, 0, 0, 1, 0xff, 0xff))
	alone("one trailing byte", 1, frame(3, 1, false, 0, 0, 0, 0, 0))
	alone("many trailing bytes", 1, frame(3, 1, false, append([]byte{0, 0, 0, 0}, make([]byte, 100)...)...))
	alone("trailing bytes, flexible", 9, frame(3, 9, true, 1, 0, 0, 0, 0, 7))
	alone("unknown tag in the body", 9, frame(3, 9, true, 1, 0, 0, 0, 1, 100, 2, 'a', 'b'))
	alone("tags out of order", 9, frame(3, 9, true, 1, 0, 0, 0, 2, 101, 0, 100, 0))
	alone("the same tag twice", 9, frame(3, 9, true, 1, 0, 0, 0, 2, 100, 0, 100, 0))
	alone("tag longer than the frame", 9, frame(3, 9, true, 1, 0, 0, 0, 1, 100, 0xff, 0xff, 0xff, 0xff, 0x0f))
	alone("more tags than the frame has bytes", 9, frame(3, 9, true, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f))
	alone("varint of six bytes", 9, frame(3, 9, true, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01))
	alone("HTTP", 0, []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))

	tagged := frame(3, 9, false, 1, 5, 1, 'x') // header tags: one, number 5, of one byte
	tagged = append(tagged, 1, 0, 0, 0, 0)
	binary.BigEndian.PutUint32(tagged, uint32(len(tagged)-4))
	alone("unknown tag in the header", 9, tagged)

	noClient := kmsg.NewRequestFormatter().AppendRequest(nil, metadataRequest(1), 1)
	alone("null client id", 1, noClient)
	s.hangUp()
	two := append(frame(18, 0, false), frame(18, 0, false)...)
	s.raw("two requests in one write", 0, two)
}

func metadataRequest(version int16) kmsg.Request {
	req := kmsg.NewPtrMetadataRequest()
	req.SetVersion(version)
	req.Topics = []kmsg.MetadataRequestTopic{}
	return req
}
