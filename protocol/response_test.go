package protocol

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAppendResponse(t *testing.T) {
	for _, c := range []struct {
		resp kmsg.Response
		want []byte
	}{
		{&kmsg.HeartbeatResponse{Version: 3, ErrorCode: 7}, []byte{0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 0, 0, 7}},
		{&kmsg.HeartbeatResponse{Version: 4, ErrorCode: 7}, []byte{0, 0, 0, 12, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 7, 0}},
		// Header version 0, although the body is flexible.
		{&kmsg.ApiVersionsResponse{Version: 3, FinalizedFeaturesEpoch: -1}, []byte{0, 0, 0, 12, 0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 0, 0}},
	} {
		if got := AppendResponse([]byte("before"), 9, c.resp); !bytes.Equal(got, append([]byte("before"), c.want...)) {
			t.Errorf("%T: %x, want %x", c.resp, got, c.want)
		}
	}
}

// Every response can be written at every version, empty and with an element in each array, every other field at its
// default, and is read back as the same: kmsg has a form for whatever a handler leaves out.
func TestDefaultResponses(t *testing.T) {
	eachRequest(func(key Key, version int16) {
		for elements := range 2 {
			name := fmt.Sprintf("%s version %d", key, version)
			resp := kmsg.ResponseForKey(int16(key))
			extend(reflect.ValueOf(resp).Elem(), elements)
			resp.SetVersion(version)
			frame := AppendResponse(nil, 7, resp)
			if int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
				t.Fatalf("%s: length prefix %d for %d bytes", name, binary.BigEndian.Uint32(frame), len(frame)-4)
			}
			body := frame[8:]
			if resp.IsFlexible() && key != ApiVersionsKey {
				body = body[1:]
			}
			read := kmsg.ResponseForKey(int16(key))
			read.SetVersion(version)
			if err := read.ReadFrom(body); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if again := AppendResponse(nil, 7, read); !bytes.Equal(again, frame) {
				t.Errorf("%s: wrote\n%x, then\n%x", name, frame, again)
			}
		}
	})
}

// extend sets the defaults of a struct of kmsg's, and gives its arrays of structs that many elements.
func extend(v reflect.Value, elements int) {
	switch {
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[kmsg.Tags]():
		if d, ok := v.Addr().Interface().(interface{ Default() }); ok {
			d.Default()
		}
		for i := range v.NumField() {
			extend(v.Field(i), elements)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		v.Set(reflect.MakeSlice(v.Type(), elements, elements))
		for i := range elements {
			extend(v.Index(i), elements)
		}
	}
}

// Java's clients refuse a tag that their version lacks.
func TestNewerTagsAreDropped(t *testing.T) {
	for version := int16(9); version <= MaxVersion(ProduceKey); version++ {
		r := kmsg.NewPtrProduceResponse()
		extend(reflect.ValueOf(r).Elem(), 1)
		r.Version = version
		r.Topics[0].Partitions[0].CurrentLeader.LeaderID = 3
		body := AppendResponse(nil, 7, r)[9:]
		read := kmsg.NewPtrProduceResponse()
		read.Version = version
		if err := read.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		has := len(read.Brokers) > 0 && read.Topics[0].Partitions[0].CurrentLeader.LeaderID == 3
		hasNot := len(read.Brokers) == 0 && read.Topics[0].Partitions[0].CurrentLeader.LeaderID == -1
		if version >= 10 && !has || version < 10 && !hasNot {
			t.Errorf("Produce version %d: brokers %v, leader %v", version, read.Brokers, read.Topics[0].Partitions[0].CurrentLeader)
		}
	}
	for version := int16(12); version <= MaxVersion(FetchKey); version++ {
		r := kmsg.NewPtrFetchResponse()
		r.Version = version
		r.Brokers = make([]kmsg.FetchResponseBroker, 1)
		if AppendResponse(nil, 7, r); (len(r.Brokers) > 0) != (version >= 16) {
			t.Errorf("Fetch version %d: brokers %v", version, r.Brokers)
		}
	}
}
