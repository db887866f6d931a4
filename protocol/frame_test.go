package protocol

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A frame that decodes to many times its size is counted as what it takes, until it is released.
func TestFrameCountsWhatItDecodesTo(t *testing.T) {
	r := kmsg.NewPtrDescribeGroupsRequest()
	r.SetVersion(5)
	r.Groups = make([]string, 3000)
	frame := kmsg.NewRequestFormatter().AppendRequest(nil, r, 1)
	l := testLimits()
	fr := NewFrameReader(bytes.NewReader(frame), l)
	f := readFrame(t, fr)
	counted := l.Budget.Used()
	h, body, err := ParseHeader(f.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Decode(h, body); err != nil {
		t.Fatal(err)
	}
	if more := l.Budget.Used() - counted; more < 3000*16 {
		t.Errorf("%d bytes are counted for 3000 strings", more)
	}
	f.Release()
	if used := l.Budget.Used(); used != 0 {
		t.Errorf("%d bytes leaked", used)
	}
}
