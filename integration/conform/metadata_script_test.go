package conform

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	scripts["metadata"] = metadataScript
	scripts["describecluster"] = describeClusterScript
	scripts["describetopicpartitions"] = describeTopicPartitionsScript
	scripts["findcoordinator"] = findCoordinatorScript
}

func metadataScript(s *session) {
	id := s.topic("metadata-three", 3)
	sweep := func(step string, build func(r *kmsg.MetadataRequest)) {
		s.sweep(step, func(v int16) kmsg.Request {
			r := kmsg.NewPtrMetadataRequest()
			r.AllowAutoTopicCreation = false
			r.Topics = []kmsg.MetadataRequestTopic{}
			build(r)
			return r
		})
	}
	topic := func(name string) func(*kmsg.MetadataRequest) {
		return func(r *kmsg.MetadataRequest) { r.Topics = metadataOf(name).Topics }
	}
	s.sweepFrom("no topics", 1, 13, func(v int16) kmsg.Request { return metadataRequest(v) }) // version 0: all topics
	sweep("one topic", topic("metadata-three"))
	s.sweepFrom("unknown topic, not to be made", 4, 13, func(v int16) kmsg.Request { return metadataOf("metadata-none") })
	s.sweepFrom("same topic twice", 1, 13, func(v int16) kmsg.Request {
		return metadataOf("metadata-three", "metadata-three")
	})
	s.sweepFrom("several, one unknown", 4, 13, func(v int16) kmsg.Request {
		return metadataOf("metadata-none", "metadata-three", "metadata-naught")
	})
	s.sweepFrom("allowed operations", 8, 13, func(v int16) kmsg.Request {
		r := metadataOf("metadata-three")
		r.IncludeClusterAuthorizedOperations, r.IncludeTopicAuthorizedOperations = v <= 10, true
		return r
	})
	byID := func(id [16]byte, name *string) func(int16) kmsg.Request {
		return func(int16) kmsg.Request {
			r := metadataOf()
			t := kmsg.NewMetadataRequestTopic()
			t.TopicID, t.Topic = id, name
			r.Topics = append(r.Topics, t)
			return r
		}
	}
	s.sweepFrom("by id", 12, 13, byID(id, nil))
	s.sweepFrom("by unknown id", 12, 13, byID(someID, nil))
	s.sweepFrom("by zero id", 12, 13, byID([16]byte{}, nil))
	s.sweepFrom("by id too early", 10, 11, byID(id, nil))
	s.hangUp()
	three, other := "metadata-three", "metadata-other"
	s.sweepFrom("by id and name", 12, 13, byID(id, &three))
	s.sweepFrom("by id and another's name", 12, 13, byID(id, &other))
	for _, bad := range badNames {
		s.sweepFrom("bad name "+bad.is, 1, 13, func(v int16) kmsg.Request {
			r := metadataOf(bad.name)
			r.AllowAutoTopicCreation = true
			return r
		})
	}
	s.sweepFrom("two names, one bad", 4, 13, func(v int16) kmsg.Request { return metadataOf("metadata-three", "metadata three") })
	auto := metadataOf("metadata-auto")
	auto.AllowAutoTopicCreation = true
	s.ask("made on the way", s.newest(auto))
	early := metadataOf("metadata-auto-early")
	early.SetVersion(1)
	s.ask("made on the way, by an old client", early)
	internal := metadataOf("__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata")
	s.ask("internal topics, not to be made", s.newest(internal))
	s.learnTopics("metadata-auto", "metadata-auto-early")
}

// badNames are topic names that are not allowed, and what they are.
var badNames = []struct{ is, name string }{
	{"empty", ""}, {"dot", "."}, {"dots", ".."}, {"slash", "a/b"}, {"space", "a b"}, {"nul", "a\x00b"}, {"umlaut", "ä"},
	{"250 long", strings.Repeat("n", 250)}, {"up", "../up"},
}

func describeClusterScript(s *session) {
	ask := func(step string, first int16, change func(*kmsg.DescribeClusterRequest)) {
		s.sweepFrom(step, first, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeClusterRequest()
			change(r)
			return r
		})
	}
	ask("plain", 0, func(*kmsg.DescribeClusterRequest) {})
	ask("allowed operations", 0, func(r *kmsg.DescribeClusterRequest) { r.IncludeClusterAuthorizedOperations = true })
	for _, endpoint := range []int8{0, 2, 3, -1} {
		ask(fmt.Sprintf("endpoint type %d", endpoint), 1, func(r *kmsg.DescribeClusterRequest) { r.EndpointType = endpoint })
	}
	ask("fenced too", 2, func(r *kmsg.DescribeClusterRequest) { r.IncludeFencedBrokers = true })
}

func describeTopicPartitionsScript(s *session) {
	s.topic("dtp-a", 3)
	s.topic("dtp-b", 2)
	ask := func(step string, limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, topics ...string) {
		r := kmsg.NewPtrDescribeTopicPartitionsRequest()
		r.ResponsePartitionLimit, r.Cursor = limit, cursor
		for _, name := range topics {
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = name
			r.Topics = append(r.Topics, t)
		}
		s.ask(step, r)
	}
	at := func(topic string, partition int32) *kmsg.DescribeTopicPartitionsRequestCursor {
		c := kmsg.NewDescribeTopicPartitionsRequestCursor()
		c.Topic, c.Partition = topic, partition
		return &c
	}
	ask("two, out of order", 100, nil, "dtp-b", "dtp-a")
	ask("unknown", 100, nil, "dtp-none", "dtp-a")
	ask("bad name", 100, nil, "dtp a")
	ask("empty name", 100, nil, "")
	ask("twice", 100, nil, "dtp-a", "dtp-a")
	ask("limit 4", 4, nil, "dtp-a", "dtp-b")
	ask("limit 3", 3, nil, "dtp-a", "dtp-b")
	ask("limit 0", 0, nil, "dtp-a")
	ask("limit -1", -1, nil, "dtp-a")
	ask("cursor", 100, at("dtp-a", 2), "dtp-a", "dtp-b")
	ask("cursor past the partitions", 100, at("dtp-a", 7), "dtp-a", "dtp-b")
	ask("cursor between", 100, at("dtp-aa", 0), "dtp-a", "dtp-b")
	ask("cursor past all", 100, at("dtp-c", 0), "dtp-a", "dtp-b")
	ask("cursor below zero", 100, at("dtp-a", -1), "dtp-a")
	ask("cursor on unknown topic", 100, at("dtp-none", 1), "dtp-none")
}

func findCoordinatorScript(s *session) {
	first, last := s.versions(10)
	build := func(kind int8, keys ...string) func(int16) kmsg.Request {
		return func(int16) kmsg.Request {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorType, r.CoordinatorKeys = kind, keys
			if len(keys) > 0 {
				r.CoordinatorKey = keys[0]
			}
			return r
		}
	}
	s.coordinator("findcoordinator")
	s.sweepFrom("a group", first, last, build(0, "findcoordinator"))
	s.sweepFrom("an empty group id", first, last, build(0, ""))
	s.sweepFrom("several groups", 4, last, build(0, "a", "b", "a"))
	s.sweepFrom("no keys", 4, last, build(0))
	s.sweepFrom("type 3", 1, last, build(3, "a"))
	s.sweepFrom("type -1", 1, last, build(-1, "a"))
	s.sweepFrom("share, too early", 1, 5, build(2, "g:AAAAAAAAAAAAAAAAAAAAAA:0"))
	s.sweepFrom("share, key of one part", 6, last, build(2, "g"))
	s.sweepFrom("an empty transactional id", 1, last, build(1, ""))
}
