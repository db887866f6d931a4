package api

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// TestGroupLife takes a member through a group's life, each request in every version that there is.
func TestGroupLife(t *testing.T) {
	g := newGroupWorld(t)
	if c := g.found("g"); c.ErrorCode != 0 || c.NodeID != testNode || c.Host != "host1" {
		t.Fatalf("%+v", c)
	}
	versions(t, protocol.JoinGroupKey, func(t *testing.T, v int16) {
		id := "life-" + string(rune('0'+v))
		j := ask[*kmsg.JoinGroupResponse](g.dataWorld, joinRequest(v, id, ""))
		if j.ErrorCode == int16(protocol.MemberIDRequired) && v >= 4 {
			j = ask[*kmsg.JoinGroupResponse](g.dataWorld, joinRequest(v, id, j.MemberID))
		}
		if j.ErrorCode != 0 || j.Generation != 1 || !strings.HasPrefix(j.MemberID, "test-") || len(j.MemberID) != len("test-")+36 ||
			j.LeaderID != j.MemberID || len(j.Members) != 1 || (v >= 7) != (j.ProtocolType != nil) {
			t.Fatalf("joined %+v", j)
		}
		beat := func(want protocol.Code) {
			t.Helper()
			r := kmsg.NewPtrHeartbeatRequest()
			r.SetVersion(min(v, 4))
			r.Group, r.MemberID, r.Generation = id, j.MemberID, j.Generation
			if resp := ask[*kmsg.HeartbeatResponse](g.dataWorld, r); resp.ErrorCode != int16(want) {
				t.Fatalf("heartbeat: %v", protocol.Code(resp.ErrorCode))
			}
		}
		beat(protocol.None)
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.SetVersion(min(v, 5))
		sync.Group, sync.MemberID, sync.Generation = id, j.MemberID, j.Generation
		sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
		sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: j.MemberID, MemberAssignment: []byte("all")}}
		if s := ask[*kmsg.SyncGroupResponse](g.dataWorld, sync); s.ErrorCode != 0 || string(s.MemberAssignment) != "all" {
			t.Fatalf("synced %+v", s)
		}
		beat(protocol.None)

		d := kmsg.NewPtrDescribeGroupsRequest()
		d.SetVersion(min(v, 6))
		d.Groups, d.IncludeAuthorizedOperations = []string{id, "none"}, true
		described := ask[*kmsg.DescribeGroupsResponse](g.dataWorld, d)
		first, none := described.Groups[0], described.Groups[1]
		if first.State != "Stable" || first.Protocol != "range" || len(first.Members) != 1 || first.Members[0].ClientHost != "/127.0.0.1" ||
			first.Members[0].ClientID != "test" || string(first.Members[0].MemberAssignment) != "all" || len(first.Members[0].ProtocolMetadata) == 0 {
			t.Fatalf("described %+v", first)
		}
		if none.State != "Dead" || (v >= 6) != (none.ErrorCode == int16(protocol.GroupIDNotFound)) || (v >= 3) != (first.AuthorizedOperations > 0) {
			t.Fatalf("described none %+v, operations %d", none, first.AuthorizedOperations)
		}

		l := kmsg.NewPtrListGroupsRequest()
		l.SetVersion(min(v, 5))
		l.StatesFilter = []string{"stable"}
		listed := ask[*kmsg.ListGroupsResponse](g.dataWorld, l)
		if listed.ErrorCode != 0 || len(listed.Groups) == 0 {
			t.Fatalf("listed %+v", listed)
		}

		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.SetVersion(min(v, 5))
		leave.Group, leave.MemberID = id, j.MemberID
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: j.MemberID}, {MemberID: "nobody"}}
		left := ask[*kmsg.LeaveGroupResponse](g.dataWorld, leave)
		if left.ErrorCode != 0 || v >= 3 && (len(left.Members) != 2 || left.Members[0].ErrorCode != 0 || left.Members[1].ErrorCode != int16(protocol.UnknownMemberID)) {
			t.Fatalf("left %+v", left)
		}
		beat(protocol.UnknownMemberID)
		left = ask[*kmsg.LeaveGroupResponse](g.dataWorld, leave)
		if v < 3 && left.ErrorCode != int16(protocol.UnknownMemberID) || v >= 3 && left.Members[0].ErrorCode != int16(protocol.UnknownMemberID) {
			t.Fatalf("left again %+v", left)
		}

		remove := kmsg.NewPtrDeleteGroupsRequest()
		remove.SetVersion(min(v, 2))
		remove.Groups = []string{id, "none", id}
		removed := ask[*kmsg.DeleteGroupsResponse](g.dataWorld, remove)
		if len(removed.Groups) != 2 || removed.Groups[0].ErrorCode != 0 || removed.Groups[1].ErrorCode != int16(protocol.GroupIDNotFound) {
			t.Fatalf("deleted %+v", removed)
		}
	})
}

// TestCommitAndFetch: offsets come back as they were committed, in every version of both, by name and by id.
func TestCommitAndFetch(t *testing.T) {
	g := newGroupWorld(t)
	id := g.topic("t", 2)
	g.found("g")
	versions(t, protocol.OffsetCommitKey, func(t *testing.T, v int16) {
		at := spot{"t", id, 0}
		group := "commit-" + string(rune('a'+v))
		member, generation := g.joined(group)
		resp := ask[*kmsg.OffsetCommitResponse](g.dataWorld, commitRequest(v, group, member, generation, at))
		if v < 10 && commitCodes(resp) != "t:0 NONE, " || v >= 10 && (resp.Topics[0].TopicID != id || resp.Topics[0].Partitions[0].ErrorCode != 0) {
			t.Fatalf("%+v", resp)
		}
		versions(t, protocol.OffsetFetchKey, func(t *testing.T, f int16) {
			epoch := "-1"
			if v >= 6 && f >= 5 {
				epoch = "3"
			}
			want := "t:0=10/" + epoch + "/note NONE, t:1=-1/-1/ NONE, NONE"
			if got := g.fetched(f, group, at, spot{"t", id, 1}); got != want {
				t.Errorf("v%d: %s, want %s", f, got, want)
			}
			if f < 2 {
				return
			}
			name := "t"
			if f >= 10 {
				name = "id " + hex(id)
			}
			if got, want := g.fetched(f, group), name+":0=10/"+epoch+"/note NONE, NONE"; got != want {
				t.Errorf("all, v%d: %s, want %s", f, got, want)
			}
		})
	})
}

func hex(id cluster.TopicID) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[id[0]>>4], digits[id[0]&15], digits[id[1]>>4], digits[id[1]&15]})
}

// TestOffsetsOfWhatIsNotThere: unknown and forbidden topics and partitions are answered each for itself, the rest is done.
func TestOffsetsOfWhatIsNotThere(t *testing.T) {
	g := newGroupWorld(t)
	id, secret := g.topic("t", 1), g.topic("secret", 1)
	g.found("g")
	g.rules.deny(security.Read, security.Topic, "secret")
	g.rules.deny(security.Describe, security.Topic, "secret")
	places := []spot{{"t", id, 7}, {"none", cluster.TopicID{1}, 0}, {"secret", secret, 0}, {"t", id, 0}, {"t", id, -1}}
	versions(t, protocol.OffsetCommitKey, func(t *testing.T, v int16) {
		resp := ask[*kmsg.OffsetCommitResponse](g.dataWorld, commitRequest(v, "g", "", -1, places...))
		got := ""
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				got += protocol.Code(p.ErrorCode).String() + " "
			}
		}
		unknown := "UNKNOWN_TOPIC_OR_PARTITION "
		if v >= 10 {
			unknown = "UNKNOWN_TOPIC_ID "
		}
		// Kafka names what it refuses first; topics of the request that are one topic stay apart when refused.
		want := []string{"UNKNOWN_TOPIC_OR_PARTITION ", unknown, "TOPIC_AUTHORIZATION_FAILED ", "UNKNOWN_TOPIC_OR_PARTITION ", "NONE "}
		if got != strings.Join(want, "") {
			t.Errorf("%s", got)
		}
	})
	versions(t, protocol.OffsetFetchKey, func(t *testing.T, v int16) {
		want := "t:7=-1/-1/ NONE, none:0=-1/-1/ NONE, t:0=13/3/note NONE, t:-1=-1/-1/ NONE, secret:0=-1/-1/ TOPIC_AUTHORIZATION_FAILED, NONE"
		if v < 5 {
			want = strings.Replace(want, "13/3", "13/-1", 1)
		}
		if v >= 10 {
			want = "t:7=-1/-1/ NONE, t:0=13/3/note NONE, t:-1=-1/-1/ NONE, none:0=-1/-1/ UNKNOWN_TOPIC_ID, secret:0=-1/-1/ TOPIC_AUTHORIZATION_FAILED, NONE"
		}
		if got := g.fetched(v, "g", places...); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	})
	r := kmsg.NewPtrOffsetDeleteRequest()
	r.Group = "g"
	for _, p := range places {
		r.Topics = append(r.Topics, kmsg.OffsetDeleteRequestTopic{Topic: p.topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: p.partition}}})
	}
	resp := ask[*kmsg.OffsetDeleteResponse](g.dataWorld, r)
	got := protocol.Code(resp.ErrorCode).String()
	if n := len(resp.Topics); n != 4 {
		t.Errorf("%d topics: %+v", n, resp.Topics)
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			got += " " + protocol.Code(p.ErrorCode).String()
		}
	}
	if got != "NONE UNKNOWN_TOPIC_OR_PARTITION UNKNOWN_TOPIC_OR_PARTITION TOPIC_AUTHORIZATION_FAILED UNKNOWN_TOPIC_OR_PARTITION NONE" {
		t.Error(got)
	}
	if got := g.fetched(7, "g"); got != "NONE" {
		t.Errorf("after the deletion: %s", got)
	}
}

// TestGroupAuthorization: every handler asks, and answers as Kafka does when it may not.
func TestGroupAuthorization(t *testing.T) {
	g := newGroupWorld(t)
	id := g.topic("t", 1)
	g.found("g")
	g.joined("g")
	const denied = int16(protocol.GroupAuthorizationFailed)
	for name, c := range map[string]struct {
		op  security.Operation
		ask func() int16
	}{
		"join": {security.Read, func() int16 {
			return ask[*kmsg.JoinGroupResponse](g.dataWorld, joinRequest(9, "g", "")).ErrorCode
		}},
		"sync": {security.Read, func() int16 {
			r := kmsg.NewPtrSyncGroupRequest()
			r.Group = "g"
			return ask[*kmsg.SyncGroupResponse](g.dataWorld, r).ErrorCode
		}},
		"heartbeat": {security.Read, func() int16 {
			r := kmsg.NewPtrHeartbeatRequest()
			r.Group = "g"
			return ask[*kmsg.HeartbeatResponse](g.dataWorld, r).ErrorCode
		}},
		"leave": {security.Read, func() int16 {
			r := kmsg.NewPtrLeaveGroupRequest()
			r.Group = "g"
			return ask[*kmsg.LeaveGroupResponse](g.dataWorld, r).ErrorCode
		}},
		"commit": {security.Read, func() int16 {
			return ask[*kmsg.OffsetCommitResponse](g.dataWorld, commitRequest(9, "g", "", -1, spot{"t", id, 0})).Topics[0].Partitions[0].ErrorCode
		}},
		"fetch": {security.Describe, func() int16 {
			r := kmsg.NewPtrOffsetFetchRequest()
			r.SetVersion(8)
			r.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g"}}
			return ask[*kmsg.OffsetFetchResponse](g.dataWorld, r).Groups[0].ErrorCode
		}},
		"fetch, version 1": {security.Describe, func() int16 {
			r := kmsg.NewPtrOffsetFetchRequest()
			r.SetVersion(1)
			r.Group = "g"
			r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
			return ask[*kmsg.OffsetFetchResponse](g.dataWorld, r).Topics[0].Partitions[0].ErrorCode
		}},
		"find": {security.Describe, func() int16 { return g.found("g").ErrorCode }},
		"describe": {security.Describe, func() int16 {
			r := kmsg.NewPtrDescribeGroupsRequest()
			r.Groups = []string{"g"}
			return ask[*kmsg.DescribeGroupsResponse](g.dataWorld, r).Groups[0].ErrorCode
		}},
		"delete": {security.Delete, func() int16 {
			r := kmsg.NewPtrDeleteGroupsRequest()
			r.Groups = []string{"g"}
			return ask[*kmsg.DeleteGroupsResponse](g.dataWorld, r).Groups[0].ErrorCode
		}},
		"delete offsets": {security.Delete, func() int16 {
			r := kmsg.NewPtrOffsetDeleteRequest()
			r.Group = "g"
			return ask[*kmsg.OffsetDeleteResponse](g.dataWorld, r).ErrorCode
		}},
	} {
		g.rules.denied = map[string]bool{}
		if code := c.ask(); code == denied {
			t.Errorf("%s: denied without a rule", name)
		}
		g.rules.deny(c.op, security.Group, "g")
		if code := c.ask(); code != denied {
			t.Errorf("%s: %v", name, protocol.Code(code))
		}
	}
	list := func() int {
		r := kmsg.NewPtrListGroupsRequest()
		r.SetVersion(4)
		return len(ask[*kmsg.ListGroupsResponse](g.dataWorld, r).Groups)
	}
	g.rules.denied = map[string]bool{}
	g.joined("h")
	all := list()
	g.rules.deny(security.Describe, security.Group, "g")
	if all < 2 || list() != all {
		t.Errorf("who may describe the cluster hears of %d groups, then %d", all, list())
	}
	g.rules.deny(security.Describe, security.Cluster, security.ClusterName)
	if list() != all-1 {
		t.Errorf("who may not hears of %d", list())
	}
}

// TestFindCoordinator: the first question creates the topic; what nobody coordinates says so.
func TestFindCoordinator(t *testing.T) {
	versions(t, protocol.FindCoordinatorKey, func(t *testing.T, v int16) {
		g := newGroupWorld(t)
		find := func(kind int8, keys ...string) []kmsg.FindCoordinatorResponseCoordinator {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.SetVersion(v)
			r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = kind, keys[0], keys
			resp := ask[*kmsg.FindCoordinatorResponse](g.dataWorld, r)
			if v >= 4 {
				return resp.Coordinators
			}
			return []kmsg.FindCoordinatorResponseCoordinator{{
				Key: keys[0], NodeID: resp.NodeID, Host: resp.Host, Port: resp.Port, ErrorCode: resp.ErrorCode, ErrorMessage: resp.ErrorMessage,
			}}
		}
		g.refuse = errors.New("the metadata log is away")
		if c := find(groupKeyType, "g")[0]; c.ErrorCode != int16(protocol.CoordinatorNotAvailable) || c.NodeID != -1 || c.Port != -1 {
			t.Errorf("no topic: %+v", c)
		}
		g.refuse = nil
		for i, c := range find(groupKeyType, "g", "h") {
			if c.ErrorCode != 0 || c.NodeID != testNode || c.Host != "host1" || c.Port != 9092 || c.Key != []string{"g", "h"}[i] {
				t.Errorf("%+v", c)
			}
		}
		if n := len(g.Image().Topic(cluster.ConsumerOffsets).Partitions); n != 50 {
			t.Errorf("%d partitions", n)
		}
		if v == 0 {
			return
		}
		for kind, want := range map[int8]protocol.Code{
			transactionKeyType: protocol.UnsupportedVersion, 3: protocol.InvalidRequest, -1: protocol.InvalidRequest,
		} {
			if c := find(kind, "x")[0]; c.ErrorCode != int16(want) || c.NodeID != -1 || *c.ErrorMessage == "" {
				t.Errorf("type %d: %+v", kind, c)
			}
		}
		want := protocol.UnsupportedVersion
		if v < findShareKeys {
			want = protocol.InvalidRequest
		}
		if c := find(shareKeyType, "g:AAAAAAAAAAAAAAAAAAAAAA:0")[0]; c.ErrorCode != int16(want) {
			t.Errorf("share: %+v", c)
		}
	})
}

// failing is a group coordinator that has only a code to offer.
type failing protocol.Code

func (f failing) Do(_ int32, fail func(protocol.Code), _ func(*group.Machine, time.Time) coordinator.Step) {
	fail(protocol.Code(f))
}

func (failing) Partitions() []int32 { return []int32{0, 1} }

// TestCoordinatorElsewhere: what a client hears of a coordinator that is loading, elsewhere, or gone.
func TestCoordinatorElsewhere(t *testing.T) {
	g := newGroupWorld(t)
	id := g.topic("t", 1)
	beat := func() protocol.Code {
		r := kmsg.NewPtrHeartbeatRequest()
		r.Group = "g"
		return protocol.Code(ask[*kmsg.HeartbeatResponse](g.dataWorld, r).ErrorCode)
	}
	if code := beat(); code != protocol.NotCoordinator {
		t.Errorf("before there is a topic: %v", code)
	}
	g.found("g")
	for code, want := range map[protocol.Code]struct{ beat, join, fetch, list protocol.Code }{
		protocol.CoordinatorLoadInProgress: {protocol.None, protocol.CoordinatorLoadInProgress, protocol.CoordinatorLoadInProgress, protocol.CoordinatorLoadInProgress},
		protocol.NotCoordinator:            {protocol.NotCoordinator, protocol.NotCoordinator, protocol.NotCoordinator, protocol.None},
		protocol.CoordinatorNotAvailable:   {protocol.CoordinatorNotAvailable, protocol.CoordinatorNotAvailable, protocol.NotCoordinator, protocol.CoordinatorNotAvailable},
	} {
		g.Server.Groups = failing(code)
		if got := beat(); got != want.beat {
			t.Errorf("%v: heartbeat %v", code, got)
		}
		if got := ask[*kmsg.JoinGroupResponse](g.dataWorld, joinRequest(9, "g", "")).ErrorCode; got != int16(want.join) {
			t.Errorf("%v: join %v", code, protocol.Code(got))
		}
		for v := int16(2); v <= 10; v++ {
			if got := g.fetched(v, "g", spot{"t", id, 0}); got != want.fetch.String() {
				t.Errorf("%v: fetch v%d %s", code, v, got)
			}
		}
		if got := g.fetched(1, "g", spot{"t", id, 0}); got != "t:0=-1/-1/ "+want.fetch.String()+", NONE" {
			t.Errorf("%v: fetch v1 %s", code, got)
		}
		if got := commitCodes(ask[*kmsg.OffsetCommitResponse](g.dataWorld, commitRequest(9, "g", "", -1, spot{"t", id, 0}))); got != "t:0 "+code.String()+", " {
			t.Errorf("%v: commit %s", code, got)
		}
		if got := ask[*kmsg.ListGroupsResponse](g.dataWorld, kmsg.NewPtrListGroupsRequest()).ErrorCode; got != int16(want.list) {
			t.Errorf("%v: list %v", code, protocol.Code(got))
		}
	}
}

// TestCommittedOffsetsSurviveAPowerCut: what was acknowledged is on disk.
func TestCommittedOffsetsSurviveAPowerCut(t *testing.T) {
	g := newGroupWorld(t)
	id := g.topic("t", 1)
	g.found("g")
	member, generation := g.joined("g")
	ask[*kmsg.OffsetCommitResponse](g.dataWorld, commitRequest(9, "g", member, generation, spot{"t", id, 0}))
	after := coordinate(t, g.powerCut(rand.New(rand.NewPCG(1, 1)), 0))
	for !settled(after) {
		time.Sleep(time.Millisecond) // the partition is loaded in the background
	}
	if got := after.fetched(9, "g", spot{"t", id, 0}); got != "t:0=10/3/note NONE, NONE" {
		t.Error(got)
	}
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.Generation = "g", member, generation
	if resp := ask[*kmsg.HeartbeatResponse](after.dataWorld, r); resp.ErrorCode != 0 {
		t.Errorf("its member hears %v", protocol.Code(resp.ErrorCode))
	}
}

func settled(g *groupWorld) bool {
	r := kmsg.NewPtrListGroupsRequest()
	return ask[*kmsg.ListGroupsResponse](g.dataWorld, r).ErrorCode == 0
}

// TestDeletedTopicsLoseTheirOffsets, and a topic of the same name does not inherit any.
func TestDeletedTopicsLoseTheirOffsets(t *testing.T) {
	g := newGroupWorld(t)
	g.found("g")
	create := func() cluster.TopicID {
		if failed := g.AutoCreate(t.Context(), []string{"t"}); failed != nil {
			t.Fatal(failed)
		}
		return g.Image().Topic("t").ID
	}
	id := create()
	ask[*kmsg.OffsetCommitResponse](g.dataWorld, commitRequest(9, "g", "", -1, spot{"t", id, 0}))
	_, err := g.Propose(t.Context(), func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, errs := i.DeleteTopics([]cluster.TopicID{id})
		return records, errs[0]
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := g.fetched(9, "g"); got != "NONE" {
		t.Errorf("after the deletion: %s", got)
	}
	if again := create(); again == id {
		t.Error("the topic has its old id")
	}
	if got := g.fetched(9, "g", spot{"t", id, 0}); got != "t:0=-1/-1/ NONE, NONE" {
		t.Errorf("of the new topic: %s", got)
	}

	// The coordinator did not hear of a deletion: the offset's topic id tells.
	id = g.Image().Topic("t").ID
	ask[*kmsg.OffsetCommitResponse](g.dataWorld, commitRequest(9, "g", "", -1, spot{"t", id, 0}))
	g.deleteTopic(id)
	if got := g.fetched(10, "g", spot{"t", create(), 0}); got != "t:0=-1/-1/ NONE, NONE" {
		t.Errorf("of the newest topic: %s", got)
	}
}
