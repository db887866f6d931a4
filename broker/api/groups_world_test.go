package api

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/coordinator/quorum"
	"github.com/ottla/ottla/protocol"
)

func init() {
	for key, h := range map[protocol.Key]Handler{
		protocol.OffsetCommitKey: OffsetCommit, protocol.OffsetFetchKey: OffsetFetch, protocol.FindCoordinatorKey: FindCoordinator,
		protocol.JoinGroupKey: JoinGroup, protocol.HeartbeatKey: Heartbeat, protocol.LeaveGroupKey: LeaveGroup,
		protocol.SyncGroupKey: SyncGroup, protocol.DescribeGroupsKey: DescribeGroups, protocol.ListGroupsKey: ListGroups,
		protocol.DeleteGroupsKey: DeleteGroups, protocol.OffsetDeleteKey: OffsetDelete,
	} {
		handlers[key] = h
	}
}

// groupWorld is a dataWorld that coordinates groups.
type groupWorld struct {
	*dataWorld
	coordinator *GroupCoordinator
}

// newGroupWorld is a broker without delay of first rebalances. __consumer_offsets is there when somebody asks for it.
func newGroupWorld(t *testing.T, settings ...string) *groupWorld {
	return coordinate(t, newDataWorld(t, append([]string{"group.initial.rebalance.delay.ms", "0"}, settings...)...))
}

// coordinate adds a group coordinator to a broker, and leads what there is to lead.
func coordinate(t *testing.T, w *dataWorld) *groupWorld {
	g := &groupWorld{dataWorld: w}
	g.coordinator = &GroupCoordinator{
		NodeID: testNode,
		Log: func(p int32) (coordinator.Log, bool) {
			log, err := w.Partitions.Find(cluster.ConsumerOffsets, p)
			return log, err == nil
		},
		Runtime: coordinator.NewRuntime(coordinator.Options[*group.Machine]{
			New: func(int32) *group.Machine { return group.New(GroupConfig(w.config)) },
			Now: time.Now, CommitTimeout: 5 * time.Second,
		}),
	}
	t.Cleanup(g.coordinator.Runtime.Close)
	w.Server.Groups = g.coordinator.Runtime
	w.Server.Cluster = g
	g.coordinator.Apply(cluster.Difference(cluster.Empty(), w.Image()))
	return g
}

// Propose has the coordinator follow what the partitions have followed.
func (g *groupWorld) Propose(ctx context.Context, decide quorum.Decide) (*cluster.Image, error) {
	before := g.Image()
	after, err := g.dataWorld.Propose(ctx, decide)
	if err == nil {
		g.coordinator.Apply(cluster.Difference(before, after))
	}
	return after, err
}

// found asks who coordinates, which creates __consumer_offsets.
func (g *groupWorld) found(key string) *kmsg.FindCoordinatorResponse {
	r := kmsg.NewPtrFindCoordinatorRequest()
	r.SetVersion(2)
	r.CoordinatorKey = key
	return ask[*kmsg.FindCoordinatorResponse](g.dataWorld, r)
}

func joinRequest(version int16, group, member string) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.SetVersion(version)
	r.Group, r.MemberID, r.ProtocolType = group, member, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 60_000
	subscription := []byte{0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 0}
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscription}}
	return r
}

// joined brings one member into a Stable group.
func (g *groupWorld) joined(group string) (member string, generation int32) {
	j := ask[*kmsg.JoinGroupResponse](g.dataWorld, joinRequest(3, group, ""))
	s := kmsg.NewPtrSyncGroupRequest()
	s.Group, s.MemberID, s.Generation = group, j.MemberID, j.Generation
	s.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: j.MemberID, MemberAssignment: []byte("all")}}
	ask[*kmsg.SyncGroupResponse](g.dataWorld, s)
	return j.MemberID, j.Generation
}

// spot is a topic and one of its partitions, as requests name them.
type spot struct {
	topic     string
	id        cluster.TopicID
	partition int32
}

func commitRequest(version int16, group, member string, generation int32, places ...spot) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.SetVersion(version)
	r.Group, r.MemberID, r.Generation = group, member, generation
	note := "note"
	for i, p := range places {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic, t.TopicID = p.topic, p.id
		at := kmsg.NewOffsetCommitRequestTopicPartition()
		at.Partition, at.Offset, at.LeaderEpoch, at.Metadata = p.partition, int64(10+i), 3, &note
		t.Partitions = append(t.Partitions, at)
		r.Topics = append(r.Topics, t)
	}
	return r
}

// codes are a response's codes, in the order of its topics and partitions.
func commitCodes(resp *kmsg.OffsetCommitResponse) string {
	s := ""
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			s += fmt.Sprintf("%s:%d %v, ", t.Topic, p.Partition, protocol.Code(p.ErrorCode))
		}
	}
	return s
}

// fetched asks for offsets of places, or for all, and prints what the version says of them.
func (g *groupWorld) fetched(version int16, group string, places ...spot) string {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.SetVersion(version)
	r.Group = group
	several := kmsg.NewOffsetFetchRequestGroup()
	several.Group = group
	for _, p := range places {
		r.Topics = append(r.Topics, kmsg.OffsetFetchRequestTopic{Topic: p.topic, Partitions: []int32{p.partition}})
		several.Topics = append(several.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: p.topic, TopicID: p.id, Partitions: []int32{p.partition}})
	}
	r.Groups = append(r.Groups, several)
	resp := ask[*kmsg.OffsetFetchResponse](g.dataWorld, r)
	s := ""
	add := func(topic string, id cluster.TopicID, partition int32, offset int64, epoch int32, metadata *string, code int16) {
		for _, p := range places {
			if topic == "" && p.id == id {
				topic = p.topic
			}
		}
		if topic == "" {
			topic = fmt.Sprintf("id %x", id[:2])
		}
		s += fmt.Sprintf("%s:%d=%d/%d/%s %v, ", topic, partition, offset, epoch, *metadata, protocol.Code(code))
	}
	if version < 8 {
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				add(t.Topic, cluster.TopicID{}, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode)
			}
		}
		return s + protocol.Code(resp.ErrorCode).String()
	}
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			add(t.Topic, t.TopicID, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode)
		}
	}
	return s + protocol.Code(resp.Groups[0].ErrorCode).String()
}
