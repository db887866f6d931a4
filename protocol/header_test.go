package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// header is the start of a request frame, with what follows it.
func header(key Key, version int16, clientID *string, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 1, 2, 3, 4)
	if clientID == nil {
		b = append(b, 0xff, 0xff)
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(len(*clientID)))
		b = append(b, *clientID...)
	}
	return append(b, rest...)
}

func TestParseHeader(t *testing.T) {
	id, empty := "client", ""
	for _, c := range []struct {
		name  string
		frame []byte
		want  RequestHeader
		body  string
		code  Code
	}{
		{"classic", header(ProduceKey, 3, &id, 'b'), RequestHeader{ProduceKey, 3, 0x01020304, &id}, "b", None},
		{"null client id", header(FetchKey, 4, nil), RequestHeader{FetchKey, 4, 0x01020304, nil}, "", None},
		{"empty client id", header(FetchKey, 4, &empty, 'b'), RequestHeader{FetchKey, 4, 0x01020304, &empty}, "b", None},
		{"flexible", header(ProduceKey, 9, &id, 0, 'b'), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "b", None},
		{"tags", header(ProduceKey, 9, &id, 2, 9, 1, 'x', 5, 0, 'b'), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "b", None},
		{"never flexible", header(SASLHandshakeKey, 1, &id, 'b'), RequestHeader{SASLHandshakeKey, 1, 0x01020304, &id}, "b", None},
		{"ApiVersions newer than known", header(ApiVersionsKey, 99, &id, 0, 'b'), RequestHeader{ApiVersionsKey, 99, 0x01020304, &id}, "", UnsupportedVersion},
		{"negative version", header(ApiVersionsKey, -1, &id, 'b'), RequestHeader{ApiVersionsKey, -1, 0x01020304, &id}, "", UnsupportedVersion},
		{"removed version", header(ProduceKey, 2, &id, 'b'), RequestHeader{ProduceKey, 2, 0x01020304, &id}, "", UnsupportedVersion},
		{"unstable version", header(InitProducerIDKey, 6, &id, 0), RequestHeader{InitProducerIDKey, 6, 0x01020304, &id}, "", UnsupportedVersion},
		{"removed API", header(LeaderAndISRKey, 4, &id, 0), RequestHeader{LeaderAndISRKey, 4, 0x01020304, nil}, "", InvalidRequest},
		{"unknown API", header(200, 0, &id, 0), RequestHeader{200, 0, 0x01020304, nil}, "", InvalidRequest},
		{"negative API", header(-1, 0, &id, 0), RequestHeader{-1, 0, 0x01020304, nil}, "", InvalidRequest},
		{"client id one byte beyond the frame", header(FetchKey, 4, &id)[: 8+2+5 : 8+2+5], RequestHeader{FetchKey, 4, 0x01020304, nil}, "", InvalidRequest},
		{"too short", header(FetchKey, 4, nil)[:9], RequestHeader{}, "", InvalidRequest},
		{"tags at the limit", header(ProduceKey, 9, &id, slices.Concat(binary.AppendUvarint(nil, tagsMax), make([]byte, 2*tagsMax), []byte("b"))...), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "b", None},
		{"tags beyond the limit", header(ProduceKey, 9, &id, append(binary.AppendUvarint(nil, tagsMax+1), make([]byte, 2*tagsMax+2)...)...), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "", InvalidRequest},
		{"a count of more than 32 bits", header(ProduceKey, 9, &id, 0x80, 0x80, 0x80, 0x80, 0x70), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "", InvalidRequest},
		{"no tags", header(ProduceKey, 9, &id), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "", InvalidRequest},
		{"a million tags", header(ProduceKey, 9, &id, 0xc0, 0x84, 0x3d, 0), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "", InvalidRequest},
		{"tag beyond the frame", header(ProduceKey, 9, &id, 1, 0, 5, 'x'), RequestHeader{ProduceKey, 9, 0x01020304, &id}, "", InvalidRequest},
	} {
		h, body, err := ParseHeader(c.frame)
		if CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %v", c.name, err, c.code)
		}
		if (h.ClientID == nil) != (c.want.ClientID == nil) || (h.ClientID != nil && *h.ClientID != *c.want.ClientID) {
			t.Errorf("%s: client id %v, want %v", c.name, h.ClientID, c.want.ClientID)
		}
		h.ClientID = c.want.ClientID
		if h != c.want || string(body) != c.body {
			t.Errorf("%s: %+v and %q, want %+v and %q", c.name, h, body, c.want, c.body)
		}
	}
}

// kmsg writes request headers for its clients: what it writes is what is read here.
func TestParseHeaderOfKmsg(t *testing.T) {
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("client"))
	eachRequest(func(key Key, version int16) {
		r := newRequest(key, version)
		frame := formatter.AppendRequest(nil, r, 7)[4:]
		h, body, err := ParseHeader(frame)
		if err != nil || h.Key != key || h.Version != version || h.CorrelationID != 7 || *h.ClientID != "client" {
			t.Errorf("%s version %d: %+v %v", key, version, h, err)
		}
		if !bytes.Equal(body, r.AppendTo(nil)) {
			t.Errorf("%s version %d: body %x, want %x", key, version, body, r.AppendTo(nil))
		}
	})
}

// What Apache Kafka 4.3.1 was seen to do with frames that are odd, and where we differ.
func TestOddFramesAsKafka(t *testing.T) {
	id := "c"
	fetch12 := func(tags ...byte) []byte {
		fields := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 1, 1}
		return header(FetchKey, 12, &id, append(append([]byte{0}, fields...), tags...)...)
	}
	apiVersions3 := func(rest ...byte) []byte {
		return header(ApiVersionsKey, 3, &id, append([]byte{0, 2, 'a', 2, '1'}, rest...)...)
	}
	for _, c := range []struct {
		name    string
		frame   []byte
		answers bool
	}{
		{"no tags", apiVersions3(0), true},
		{"unknown tags", apiVersions3(2, 5, 2, 'x', 'x', 9, 0), true},
		{"unordered tags", apiVersions3(2, 9, 2, 'x', 'x', 5, 0), true},
		{"a tag twice", apiVersions3(2, 5, 1, 'x', 5, 1, 'y'), true},
		{"a count of five bytes for 0", apiVersions3(0x80, 0x80, 0x80, 0x80, 0), true},
		{"a count of six bytes for 0", apiVersions3(0x80, 0x80, 0x80, 0x80, 0x80, 0), false},
		{"trailing bytes, flexible", apiVersions3(0, 'z', 'z'), true},
		{"trailing bytes, classic", header(ApiVersionsKey, 0, &id, 'z', 'z'), true},
		{"client id of length -2", []byte{0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xfe}, true},
		{"client id beyond the frame", []byte{0, 18, 0, 0, 0, 0, 0, 7, 0, 100}, false},
		{"null array of length -2", header(MetadataKey, 1, &id, 0xff, 0xff, 0xff, 0xfe), true},
		{"null name that must not be", header(MetadataKey, 1, &id, 0, 0, 0, 1, 0xff, 0xff), false},
		{"a boolean of 7", header(MetadataKey, 4, &id, 0, 0, 0, 0, 7), true},
		{"a known tag", fetch12(1, 0, 4, 4, 'a', 'b', 'c'), true},
		{"a known tag twice", fetch12(2, 0, 4, 4, 'a', 'b', 'c', 0, 4, 4, 'a', 'b', 'c'), true},
		{"a known tag after an unknown one", fetch12(2, 5, 1, 'q', 0, 4, 4, 'a', 'b', 'c'), true},
		{"a known tag of another version", fetch12(1, 1, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), false},
		{"a known tag longer than its field", fetch12(1, 0, 6, 4, 'a', 'b', 'c', 'x', 'x'), true},
		// Kafka does not look at a known tag's size and answers this one. No client sends it.
		{"a known tag shorter than its field", fetch12(1, 0, 2, 4, 'a', 'b', 'c'), false},
		// Kafka drops the bits above the 32nd and answers this one. No client sends it.
		{"a count of more than 32 bits", apiVersions3(0x80, 0x80, 0x80, 0x80, 0x70), false},
	} {
		h, body, err := ParseHeader(c.frame)
		if err == nil {
			_, err = Decode(h, body)
		}
		if (err == nil) != c.answers || (err != nil && !errors.Is(err, InvalidRequest)) {
			t.Errorf("%s: %v, Kafka answers: %v", c.name, err, c.answers)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		key                Key
		min, max, flexible int16
	}{
		{ProduceKey, 3, 13, 9}, {FetchKey, 4, 18, 12}, {JoinGroupKey, 0, 9, 6}, {SASLHandshakeKey, 0, 1, never},
		{InitProducerIDKey, 0, 5, 2},        // 6 is unstable in Kafka
		{ApiVersionsKey, 0, 4, 3},           // kmsg has 5
		{TxnOffsetCommitKey, 0, 5, 3},       // kmsg has 6
		{StreamsGroupHeartbeatKey, 0, 0, 0}, // kmsg has 1
		{LeaderAndISRKey, 0, -1, never}, {94, 0, -1, never}, {-1, 0, -1, never}, {1000, 0, -1, never},
	} {
		if MinVersion(c.key) != c.min || MaxVersion(c.key) != c.max || FlexibleFrom(c.key) != c.flexible {
			t.Errorf("%v: %d to %d, flexible from %d; want %+v", c.key, MinVersion(c.key), MaxVersion(c.key), FlexibleFrom(c.key), c)
		}
	}
	eachRequest(func(key Key, version int16) {
		r := newRequest(key, version)
		if version > r.MaxVersion() || r.IsFlexible() != (version >= FlexibleFrom(key)) {
			t.Errorf("%s version %d: kmsg goes to %d, flexible %v", key, version, r.MaxVersion(), r.IsFlexible())
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	id := "c"
	f.Add(header(ApiVersionsKey, 3, &id, 0, 2, 'a', 2, '1', 0))
	f.Add(header(FetchKey, 4, nil, 0, 0, 0))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseHeader(frame)
		if err != nil {
			if code := CodeOf(err); code != InvalidRequest && code != UnsupportedVersion {
				t.Fatal(err)
			}
			return
		}
		if !bytes.HasSuffix(frame, body) || Walk(h.Key, h.Version, body) == nil != (func() bool { _, err := Decode(h, body); return err == nil })() {
			t.Fatal("walk and decoder differ")
		}
	})
}
