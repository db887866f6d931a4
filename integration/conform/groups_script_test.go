package conform

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	scripts["group-life"] = groupLifeScript
	scripts["group-errors"] = groupErrorsScript
	scripts["group-pair"] = groupPairScript
	scripts["group-static"] = groupStaticScript
	scripts["group-admin"] = groupAdminScript
	scripts["offsets"] = offsetsScript
}

func join(group, member string) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Group, r.MemberID, r.ProtocolType = group, member, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 60_000, 60_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscription("group-topic")}}
	return r
}

// subscription is a ConsumerProtocolSubscription version 0.
func subscription(topics ...string) []byte {
	b := []byte{0, 0, 0, 0, 0, byte(len(topics))}
	for _, t := range topics {
		b = append(append(b, 0, byte(len(t))), t...)
	}
	return append(b, 0, 0, 0, 0)
}

func syncGroup(group, member string, generation int32, assigned ...string) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Group, r.MemberID, r.Generation = group, member, generation
	kind, name := "consumer", "range"
	r.ProtocolType, r.Protocol = &kind, &name
	for _, m := range assigned {
		r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: []byte("for a member")})
	}
	return r
}

func heartbeat(group, member string, generation int32) *kmsg.HeartbeatRequest {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.Generation = group, member, generation
	return r
}

func leave(group string, members ...string) *kmsg.LeaveGroupRequest {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Group = group
	for _, m := range members {
		r.MemberID = m
		r.Members = append(r.Members, kmsg.LeaveGroupRequestMember{MemberID: m})
	}
	return r
}

func at[R kmsg.Request](version int16, r R) R {
	r.SetVersion(version)
	return r
}

// joined brings one member into a group and to Stable, unrecorded.
func (s *session) joined(group string) (member string, generation int32) {
	s.coordinator(group)
	resp := s.quiet(join(group, "")).(*kmsg.JoinGroupResponse)
	resp = s.quiet(join(group, resp.MemberID)).(*kmsg.JoinGroupResponse)
	s.quiet(syncGroup(group, resp.MemberID, resp.Generation, resp.MemberID))
	return resp.MemberID, resp.Generation
}

// groupLifeScript takes one member through a group's life, in every version of each request.
func groupLifeScript(s *session) {
	s.coordinator("life")
	for v := int16(0); v <= 9; v++ {
		group := fmt.Sprintf("life-%d", v)
		step := func(what string) string { return fmt.Sprintf("%s, life %d", what, v) }
		resp, _ := s.ask(step("join"), at(v, join(group, ""))).(*kmsg.JoinGroupResponse)
		if resp != nil && resp.ErrorCode == 79 {
			resp, _ = s.ask(step("join with the id given"), at(v, join(group, resp.MemberID))).(*kmsg.JoinGroupResponse)
		}
		if resp == nil {
			continue
		}
		m, g := resp.MemberID, resp.Generation
		s.ask(step("heartbeat before sync"), at(min(v, 4), heartbeat(group, m, g)))
		s.ask(step("sync"), at(min(v, 5), syncGroup(group, m, g, m)))
		s.ask(step("sync again"), at(min(v, 5), syncGroup(group, m, g)))
		s.ask(step("heartbeat"), at(min(v, 4), heartbeat(group, m, g)))
		s.ask(step("describe"), at(min(v, 6), &kmsg.DescribeGroupsRequest{Groups: []string{group}}))
		s.ask(step("rejoin of the leader"), at(v, join(group, m)))
		s.ask(step("heartbeat with the old generation"), at(min(v, 4), heartbeat(group, m, g)))
		s.ask(step("sync with the old generation"), at(min(v, 5), syncGroup(group, m, g, m)))
		s.ask(step("leave"), at(min(v, 5), leave(group, m)))
		s.ask(step("leave again"), at(min(v, 5), leave(group, m)))
		s.ask(step("heartbeat after it"), at(min(v, 4), heartbeat(group, m, g)))
		s.ask(step("describe after it"), at(min(v, 6), &kmsg.DescribeGroupsRequest{Groups: []string{group}}))
	}
}

func groupErrorsScript(s *session) {
	m, g := s.joined("errors")
	joins := func(step string, from int16, change func(*kmsg.JoinGroupRequest)) {
		s.sweepFrom("join "+step, from, 9, func(v int16) kmsg.Request {
			// A group of its own, so that nobody waits for another to rejoin.
			r := join(fmt.Sprintf("errors-join %s %d", step, v), "")
			change(r)
			return r
		})
	}
	type J = *kmsg.JoinGroupRequest
	joins("empty group", 0, func(r J) { r.Group = "" })
	joins("session time-out too short", 0, func(r J) { r.SessionTimeoutMillis = 5999 })
	joins("session time-out too long", 0, func(r J) { r.SessionTimeoutMillis = 1800001 })
	joins("unknown member", 0, func(r J) { r.MemberID = "nobody" })
	joins("unknown member of a group with others", 0, func(r J) { r.Group, r.MemberID = "errors", "nobody" })
	joins("no protocols", 0, func(r J) { r.Protocols = nil })
	joins("no protocol type", 0, func(r J) { r.ProtocolType = "" })
	joins("another protocol type", 0, func(r J) { r.Group, r.ProtocolType = "errors", "connect" })
	joins("another protocol", 0, func(r J) { r.Group, r.Protocols[0].Name = "errors", "other" })
	joins("empty protocol name", 4, func(r J) { r.Protocols[0].Name = "" })
	empty, static := "", "static instance/with odd characters"
	joins("empty instance id", 5, func(r J) { r.InstanceID = &empty })
	joins("odd instance id", 5, func(r J) { r.InstanceID = &static })

	syncs := func(step string, from int16, change func(*kmsg.SyncGroupRequest)) {
		s.sweepFrom("sync "+step, from, 5, func(int16) kmsg.Request {
			r := syncGroup("errors", m, g)
			change(r)
			return r
		})
	}
	type S = *kmsg.SyncGroupRequest
	other := "other"
	syncs("good", 0, func(S) {})
	syncs("empty group", 0, func(r S) { r.Group = "" })
	syncs("unknown group", 0, func(r S) { r.Group = "errors-none" })
	syncs("unknown member", 0, func(r S) { r.MemberID = "nobody" })
	syncs("empty member", 0, func(r S) { r.MemberID = "" })
	syncs("generation too high", 0, func(r S) { r.Generation = g + 1 })
	syncs("generation -1", 0, func(r S) { r.Generation = -1 })
	syncs("another protocol type", 5, func(r S) { r.ProtocolType = &other })
	syncs("another protocol", 5, func(r S) { r.Protocol = &other })
	syncs("no protocol", 5, func(r S) { r.Protocol = nil })
	syncs("no protocol type", 5, func(r S) { r.ProtocolType = nil })
	syncs("unknown instance", 3, func(r S) { r.InstanceID = &other })

	beats := func(step string, from int16, change func(*kmsg.HeartbeatRequest)) {
		s.sweepFrom("heartbeat "+step, from, 4, func(int16) kmsg.Request {
			r := heartbeat("errors", m, g)
			change(r)
			return r
		})
	}
	type H = *kmsg.HeartbeatRequest
	beats("good", 0, func(H) {})
	beats("empty group", 0, func(r H) { r.Group = "" })
	beats("unknown group", 0, func(r H) { r.Group = "errors-none" })
	beats("unknown member", 0, func(r H) { r.MemberID = "nobody" })
	beats("generation too high", 0, func(r H) { r.Generation = g + 1 })
	beats("generation -1", 0, func(r H) { r.Generation = -1 })
	beats("unknown instance", 3, func(r H) { r.InstanceID = &other })

	leaves := func(step string, from int16, r *kmsg.LeaveGroupRequest) {
		s.sweepFrom("leave "+step, from, 5, func(int16) kmsg.Request { return r })
	}
	leaves("empty group", 0, leave("", "x"))
	leaves("unknown group", 0, leave("errors-none", "x"))
	leaves("unknown member", 0, leave("errors", "nobody"))
	leaves("empty member", 0, leave("errors", ""))
	leaves("several unknown", 3, leave("errors", "nobody", "somebody"))
	leaves("nobody at all", 3, leave("errors"))
	instance := leave("errors", "")
	instance.Members[0].InstanceID = &other
	leaves("unknown instance", 3, instance)
}

// groupPairScript is a rebalance with two members.
func groupPairScript(s *session) {
	id := s.topic("group-topic", 1)
	one, g := s.joined("pair")
	first := s.quiet(join("pair", "")).(*kmsg.JoinGroupResponse)
	two := first.MemberID
	second := s.later("second joins", s.newest(join("pair", two)))
	s.until("a rebalance", func() bool {
		return s.quiet(heartbeat("pair", one, g)).(*kmsg.HeartbeatResponse).ErrorCode == 27
	})
	s.ask("heartbeat in a rebalance", s.newest(heartbeat("pair", one, g)))
	s.ask("sync in a rebalance", s.newest(syncGroup("pair", one, g)))
	s.ask("describe in a rebalance", s.newest(&kmsg.DescribeGroupsRequest{Groups: []string{"pair"}}))
	s.ask("commit in a rebalance", s.newest(commit("pair", one, g, "group-topic", id, 0, 1)))
	resp := s.ask("first rejoins", s.newest(join("pair", one))).(*kmsg.JoinGroupResponse)
	second()
	g = resp.Generation
	s.ask("heartbeat before the assignment", s.newest(heartbeat("pair", two, g)))
	s.ask("describe before the assignment", s.newest(&kmsg.DescribeGroupsRequest{Groups: []string{"pair"}}))
	s.ask("commit before the assignment", s.newest(commit("pair", two, g, "group-topic", id, 0, 1)))
	follower := s.later("second syncs", s.newest(syncGroup("pair", two, g)))
	s.ask("first syncs, forgetting the second", s.newest(syncGroup("pair", one, g, one)))
	follower()
	s.ask("follower rejoins unchanged", s.newest(join("pair", two)))
	changed := join("pair", two)
	changed.Protocols[0].Metadata = subscription("group-topic", "another")
	wait := s.later("follower rejoins changed", s.newest(changed))
	s.until("a rebalance", func() bool {
		return s.quiet(heartbeat("pair", one, g)).(*kmsg.HeartbeatResponse).ErrorCode == 27
	})
	s.ask("leader leaves", s.newest(leave("pair", one)))
	wait()
	s.ask("list", s.newest(&kmsg.ListGroupsRequest{StatesFilter: []string{"completingREBALANCE", "nonsense"}}))
	s.ask("follower leaves", s.newest(leave("pair", two)))
}

func groupStaticScript(s *session) {
	s.coordinator("static")
	id := s.topic("group-topic-static", 1)
	instance, second := "instance-1", "instance-2"
	as := func(member string, instance *string) *kmsg.JoinGroupRequest {
		r := join("static", member)
		r.InstanceID = instance
		return r
	}
	resp, _ := s.ask("join", s.newest(as("", &instance))).(*kmsg.JoinGroupResponse)
	if resp == nil {
		return
	}
	old := resp.MemberID
	sync := syncGroup("static", old, resp.Generation, old)
	sync.InstanceID = &instance
	s.ask("sync", s.newest(sync))
	again, _ := s.ask("join again as the instance", s.newest(as("", &instance))).(*kmsg.JoinGroupResponse)
	if again == nil {
		return
	}
	fenced := heartbeat("static", old, resp.Generation)
	s.ask("heartbeat of the old member without instance", s.newest(fenced))
	fenced.InstanceID = &instance
	s.ask("heartbeat of the old member", s.newest(fenced))
	s.ask("join of the old member", s.newest(as(old, &instance)))
	sync.InstanceID = &instance
	s.ask("sync of the old member", s.newest(sync))
	c := commit("static", old, resp.Generation, "group-topic-static", id, 0, 1)
	c.InstanceID = &instance
	s.ask("commit of the old member", s.newest(c))
	now := heartbeat("static", again.MemberID, again.Generation)
	now.InstanceID = &second
	s.ask("heartbeat as another instance", s.newest(now))
	s.ask("describe", s.newest(&kmsg.DescribeGroupsRequest{Groups: []string{"static"}}))
	for v := int16(5); v < 9; v++ {
		s.ask("join again as the instance, before KIP-814", at(v, as("", &instance)))
	}
	gone := leave("static", "")
	gone.Members[0].InstanceID = &instance
	s.ask("leave by instance", s.newest(gone))
	s.ask("leave by instance again", s.newest(gone))
}

func groupAdminScript(s *session) {
	s.coordinator("admin-empty")
	s.topic("group-admin", 2)
	id := s.quiet(metadataOf("group-admin")).(*kmsg.MetadataResponse).Topics[0].TopicID
	describe := func(step string, groups ...string) {
		s.sweep("describe "+step, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeGroupsRequest()
			r.Groups = groups
			return r
		})
	}
	describe("unknown", "admin-none")
	describe("empty id", "")
	describe("nothing")
	describe("twice", "admin-none", "admin-none")
	s.quiet(commit("admin-simple", "", -1, "group-admin", id, 0, 5))
	describe("simple", "admin-simple")
	m, _ := s.joined("admin-member")
	describe("with a member", "admin-member")
	allowed := kmsg.NewPtrDescribeGroupsRequest()
	allowed.Groups, allowed.IncludeAuthorizedOperations = []string{"admin-member"}, true
	s.ask("describe allowed operations", s.newest(allowed))

	list := func(step string, from int16, change func(*kmsg.ListGroupsRequest)) {
		s.sweepFrom("list "+step, from, 5, func(int16) kmsg.Request {
			r := kmsg.NewPtrListGroupsRequest()
			change(r)
			return r
		})
	}
	type L = *kmsg.ListGroupsRequest
	list("unknown state", 4, func(r L) { r.StatesFilter = []string{"Sleeping"} })
	list("unknown type", 5, func(r L) { r.TypesFilter = []string{"club"} })
	list("share", 5, func(r L) { r.TypesFilter = []string{"share"} })
	list("dead", 4, func(r L) { r.StatesFilter = []string{"Dead"} })

	remove := func(step string, groups ...string) {
		s.sweep("delete "+step, func(int16) kmsg.Request {
			r := kmsg.NewPtrDeleteGroupsRequest()
			r.Groups = groups
			return r
		})
	}
	offsets := func(step, group string, partitions ...int32) {
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = group
		t := kmsg.NewOffsetDeleteRequestTopic()
		t.Topic = "group-admin"
		for _, p := range partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
		}
		r.Topics = append(r.Topics, t)
		s.ask("offsets "+step, r)
	}
	offsets("of an unknown group", "admin-none", 0)
	offsets("of an empty group id", "", 0)
	offsets("never committed", "admin-simple", 1)
	offsets("of an unknown partition", "admin-simple", 9)
	offsets("committed", "admin-simple", 0)
	subscribed := join("admin-subscribed", "")
	subscribed.Protocols[0].Metadata = subscription("group-admin")
	first := s.quiet(subscribed).(*kmsg.JoinGroupResponse)
	subscribed.MemberID = first.MemberID
	joined := s.quiet(subscribed).(*kmsg.JoinGroupResponse)
	s.quiet(syncGroup("admin-subscribed", joined.MemberID, joined.Generation, joined.MemberID))
	offsets("of a subscribed topic", "admin-subscribed", 0)
	offsets("of a topic not subscribed", "admin-member", 0)
	remove("unknown", "admin-none")
	remove("empty id", "")
	remove("with a member", "admin-member")
	remove("nothing")
	remove("unknown twice", "admin-none", "admin-none")
	s.quiet(leave("admin-member", m))
	for v := int16(0); v <= 2; v++ {
		group := fmt.Sprintf("admin-gone-%d", v)
		s.quiet(commit(group, "", -1, "group-admin", id, 0, 5))
		s.ask("delete simple", at(v, &kmsg.DeleteGroupsRequest{Groups: []string{group}}))
		s.ask("describe deleted "+group, at(6, &kmsg.DescribeGroupsRequest{Groups: []string{group}}))
	}
	s.ask("delete left", s.newest(&kmsg.DeleteGroupsRequest{Groups: []string{"admin-member"}}))
}

func commit(group, member string, generation int32, topic string, id [16]byte, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.MemberID, r.Generation = group, member, generation
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func offsetsScript(s *session) {
	id := s.topic("offsets", 3)
	s.coordinator("offsets")
	first, last := s.versions(8)
	type C = *kmsg.OffsetCommitRequest
	commits := func(step string, from int16, change func(r C)) {
		s.sweepFrom("commit "+step, from, last, func(int16) kmsg.Request {
			r := commit("offsets-simple", "", -1, "offsets", id, 0, 5)
			change(r)
			return r
		})
	}
	text := func(n int) *string { t := string(make([]byte, n)); return &t }
	commits("simple", first, func(C) {})
	commits("with metadata", first, func(r C) { r.Topics[0].Partitions[0].Metadata = kmsg.StringPtr("note") })
	commits("metadata of 4096", first, func(r C) { r.Topics[0].Partitions[0].Metadata = text(4096) })
	commits("metadata of 4097", first, func(r C) { r.Topics[0].Partitions[0].Metadata = text(4097) })
	commits("empty group", first, func(r C) { r.Group = "" })
	commits("unknown topic", first, func(r C) { r.Topics[0].Topic, r.Topics[0].TopicID = "offsets-none", someID })
	commits("unknown partition", first, func(r C) { r.Topics[0].Partitions[0].Partition = 3 })
	commits("negative partition", first, func(r C) { r.Topics[0].Partitions[0].Partition = -1 })
	commits("negative offset", first, func(r C) { r.Topics[0].Partitions[0].Partition, r.Topics[0].Partitions[0].Offset = 2, -7 })
	commits("no topics", first, func(r C) { r.Topics = nil })
	commits("leader epoch", 6, func(r C) { r.Topics[0].Partitions[0].Partition, r.Topics[0].Partitions[0].LeaderEpoch = 1, 3 })
	commits("generation of no group", first, func(r C) { r.Group, r.Generation, r.MemberID = "offsets-none", 3, "m" })
	commits("member without generation", first, func(r C) { r.Group, r.MemberID = "offsets-none-2", "m" })
	commits("good and unknown", first, func(r C) {
		p := r.Topics[0].Partitions[0]
		p.Partition = 9
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, p)
	})
	m, g := s.joined("offsets-member")
	member := func(step string, from int16, member string, generation int32) {
		commits(step, from, func(r C) { r.Group, r.MemberID, r.Generation = "offsets-member", member, generation })
	}
	member("of a member", first, m, g)
	member("of an unknown member", first, "nobody", g)
	member("of a later generation", first, m, g+1)
	member("of an earlier generation", first, m, g-1)
	member("simple into a group with members", first, "", -1)
	other := "other"
	commits("unknown instance", 7, func(r C) { r.Group, r.MemberID, r.Generation, r.InstanceID = "offsets-member", m, g, &other })

	fetches := func(step string, from int16, all bool, group string, partitions ...int32) {
		s.sweepFrom("fetch "+step, from, 10, func(v int16) kmsg.Request {
			r := kmsg.NewPtrOffsetFetchRequest()
			r.Group = group
			q := kmsg.NewOffsetFetchRequestGroup()
			q.Group = group
			r.Topics, q.Topics = nil, nil
			if !all {
				r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "offsets", Partitions: partitions}}
				q.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "offsets", TopicID: id, Partitions: partitions}}
			}
			r.Groups = append(r.Groups, q)
			return r
		})
	}
	fetches("named", 1, false, "offsets-simple", 0, 1, 2)
	fetches("all", 2, true, "offsets-simple")
	fetches("unknown partition", 1, false, "offsets-simple", 9)
	fetches("unknown group", 1, false, "offsets-nowhere", 0)
	fetches("all of an unknown group", 2, true, "offsets-nowhere")
	fetches("empty group id", 1, false, "", 0)
	fetches("of a group with members", 1, false, "offsets-member", 0)
	fetches("no partitions", 1, false, "offsets-simple")
	one := func(change func(*kmsg.OffsetFetchRequest, *kmsg.OffsetFetchRequestGroup)) kmsg.Request {
		r := kmsg.NewPtrOffsetFetchRequest()
		q := kmsg.NewOffsetFetchRequestGroup()
		q.Group = "offsets-member"
		q.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "offsets", TopicID: id, Partitions: []int32{0}}}
		change(r, &q)
		r.Groups = append(r.Groups, q)
		return s.newest(r)
	}
	s.ask("fetch stable", one(func(r *kmsg.OffsetFetchRequest, q *kmsg.OffsetFetchRequestGroup) { r.RequireStable = true }))
	s.ask("fetch as a member", one(func(r *kmsg.OffsetFetchRequest, q *kmsg.OffsetFetchRequestGroup) { q.MemberID, q.MemberEpoch = &m, g }))
	s.ask("fetch as an unknown member", one(func(r *kmsg.OffsetFetchRequest, q *kmsg.OffsetFetchRequestGroup) {
		q.MemberID, q.MemberEpoch = &other, g
	}))
	s.ask("fetch unknown id", one(func(r *kmsg.OffsetFetchRequest, q *kmsg.OffsetFetchRequestGroup) { q.Topics[0].TopicID = someID }))
	s.ask("fetch several groups", one(func(r *kmsg.OffsetFetchRequest, q *kmsg.OffsetFetchRequestGroup) {
		r.Groups = append(r.Groups, kmsg.OffsetFetchRequestGroup{Group: "offsets-simple", MemberEpoch: -1}, kmsg.OffsetFetchRequestGroup{Group: "offsets-nowhere", MemberEpoch: -1})
	}))
	s.ask("fetch no groups", s.newest(kmsg.NewPtrOffsetFetchRequest()))
}
