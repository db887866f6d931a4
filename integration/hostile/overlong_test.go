package hostile

import (
	"math"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
)

// Strings of more than 32767 bytes fit requests of newer versions, but neither older answers nor records. As in Kafka, a
// request with one ends its connection; nothing of it is kept.
func TestOverlongStrings(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	coordinatorOf(t, b.dial(t), "g")
	overlong := strings.Repeat("x", math.MaxInt16+1)
	for name, r := range map[string]kmsg.Request{
		"group":         at(8, &kmsg.OffsetCommitRequest{Group: overlong, Generation: -1, Topics: []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: make([]kmsg.OffsetCommitRequestTopicPartition, 1)}}}),
		"group to join": at(6, &kmsg.JoinGroupRequest{Group: overlong, SessionTimeoutMillis: 10_000, ProtocolType: "consumer", Protocols: []kmsg.JoinGroupRequestProtocol{{Name: "range"}}}),
		"protocol":      at(6, &kmsg.JoinGroupRequest{Group: "g", SessionTimeoutMillis: 10_000, InstanceID: &[]string{"i"}[0], ProtocolType: "consumer", Protocols: []kmsg.JoinGroupRequestProtocol{{Name: overlong}}}),
		"topic":         at(9, &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: &overlong}}, AllowAutoTopicCreation: true}),
		"config": at(1, &kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: 2, ResourceName: "t",
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "leader.replication.throttled.replicas", Value: &overlong}}}}}),
	} {
		p := b.dial(t)
		if err := p.send(r); err != nil {
			t.Fatal(err)
		}
		if err := p.ended(); err != nil {
			t.Errorf("%s of 32768 bytes: %v", name, err)
		}
	}
}

func at(version int16, r kmsg.Request) kmsg.Request {
	r.SetVersion(version)
	return r
}

// A member whose client id is as long as can be is a member like others: its id fits every answer and record.
func TestMemberOfALongName(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	p := b.dial(t)
	coordinatorOf(t, p, "g")
	long := strings.Repeat("x", math.MaxInt16)
	named := kmsg.NewRequestFormatter(kmsg.FormatterClientID(long))
	for _, instance := range []*string{nil, &long} {
		join := kmsg.NewPtrJoinGroupRequest()
		join.SetVersion(5)
		join.Group, join.ProtocolType, join.InstanceID = "g", "consumer", instance
		join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 10_000, 10_000
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0}}}
		joined := &kmsg.JoinGroupResponse{}
		for joined.Generation <= 0 {
			if err := p.write(named.AppendRequest(nil, join, 1)); err != nil {
				t.Fatal(err)
			}
			_, body, err := p.receive()
			if err != nil {
				t.Fatal(err)
			}
			resp, err := decode(join, body)
			if err != nil {
				t.Fatal(err)
			}
			joined = resp.(*kmsg.JoinGroupResponse)
			if code := protocol.Code(joined.ErrorCode); code != protocol.None && code != protocol.MemberIDRequired {
				t.Fatal(code)
			}
			join.MemberID = joined.MemberID
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.SetVersion(3)
		sync.Group, sync.Generation, sync.MemberID, sync.InstanceID = "g", joined.Generation, joined.MemberID, instance
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: []byte("mine")}}
		if got := mustAsk[*kmsg.SyncGroupResponse](t, p, sync); got.ErrorCode != 0 || string(got.MemberAssignment) != "mine" {
			t.Errorf("sync: %s, %q", protocol.Code(got.ErrorCode), got.MemberAssignment)
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.SetVersion(3)
		leave.Group = "g"
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: joined.MemberID, InstanceID: instance}}
		if got := mustAsk[*kmsg.LeaveGroupResponse](t, p, leave); got.ErrorCode != 0 || got.Members[0].ErrorCode != 0 {
			t.Errorf("leave: %s, %+v", protocol.Code(got.ErrorCode), got.Members)
		}
	}
}
