package hostile

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
)

const apiVersions = 18

// Every key from 0 to 127 in every version from -1 to two beyond the newest: what is advertised is answered, everything
// else ends the connection without an answer. ApiVersions alone answers versions that it does not know, as version 0.
func TestEveryKeyAndVersion(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	asking := kmsg.NewPtrApiVersionsRequest()
	served := map[int16]kmsg.ApiVersionsResponseApiKey{}
	for _, k := range mustAsk[*kmsg.ApiVersionsResponse](t, b.dial(t), asking).ApiKeys {
		served[k.ApiKey] = k
	}
	answered, closed := 0, 0
	for key := range int16(128) {
		highest := int16(3)
		if k, ok := served[key]; ok {
			highest = k.MaxVersion
		} else if r := kmsg.RequestForKey(key); r != nil {
			highest = r.MaxVersion()
		}
		for version := int16(-1); version <= highest+2; version++ {
			k, ok := served[key]
			ok = ok && version >= k.MinVersion && version <= k.MaxVersion
			if key == 0 && version < 3 {
				ok = false // advertised for librdkafka's sake, as in Kafka
			}
			p := b.dial(t)
			switch {
			case ok:
				answered++
				r := kmsg.RequestForKey(key)
				r.SetVersion(version)
				if produce, is := r.(*kmsg.ProduceRequest); is {
					produce.Acks = -1
				}
				if _, err := p.ask(r); err != nil {
					t.Errorf("key %d version %d is advertised, but %v", key, version, err)
				}
			case key == apiVersions:
				answered++
				p.write(bare(key, version))
				_, body, err := p.receive()
				asking.SetVersion(0)
				resp, unreadable := decode(asking, body)
				if err != nil || unreadable != nil {
					t.Fatalf("ApiVersions %d: %v, %v", version, err, unreadable)
				}
				if v := resp.(*kmsg.ApiVersionsResponse); v.ErrorCode != int16(protocol.UnsupportedVersion) || len(v.ApiKeys) != 1 || v.ApiKeys[0].ApiKey != apiVersions || v.ApiKeys[0].MaxVersion != served[apiVersions].MaxVersion {
					t.Errorf("ApiVersions %d: %+v", version, v)
				}
			default:
				closed++
				p.write(bare(key, version))
				if err := p.ended(); err != nil {
					t.Errorf("key %d version %d is not advertised, but %v", key, version, err)
				}
			}
			p.Close()
		}
	}
	t.Logf("FIGURE of all keys and versions %d are answered, %d end the connection", answered, closed)
}

// bare is a request of a key and version that nobody knows: a header, and zeros, which are a body of sorts.
func bare(key, version int16) []byte {
	b := binary.BigEndian.AppendUint32(nil, 30)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 1)
	return append(b, make([]byte, 22)...)
}
