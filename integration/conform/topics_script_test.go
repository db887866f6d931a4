package conform

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	scripts["createtopics"] = createTopicsScript
	scripts["createpartitions"] = createPartitionsScript
	scripts["deletetopics"] = deleteTopicsScript
}

// newTopic is a topic to be made with one partition; change makes it another.
func newTopic(name string, change ...func(*kmsg.CreateTopicsRequestTopic)) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, 1, 1
	for _, c := range change {
		c(&t)
	}
	return t
}

func createTopicsScript(s *session) {
	type topic = kmsg.CreateTopicsRequestTopic
	first, last := s.versions(19)
	ask := func(step string, from int16, topics ...topic) {
		s.sweepFrom(step, from, last, func(v int16) kmsg.Request {
			r := kmsg.NewPtrCreateTopicsRequest()
			r.TimeoutMillis = 5000
			r.ValidateOnly = true
			r.Topics = topics
			return r
		})
	}
	shape := func(partitions int32, factor int16) func(*topic) {
		return func(t *topic) { t.NumPartitions, t.ReplicationFactor = partitions, factor }
	}
	config := func(name string, value *string) func(*topic) {
		return func(t *topic) {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = name, value
			t.Configs = append(t.Configs, c)
		}
	}
	assign := func(replicas ...[]int32) func(*topic) {
		return func(t *topic) {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			for p, r := range replicas {
				a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
				a.Partition, a.Replicas = int32(p), r
				t.ReplicaAssignment = append(t.ReplicaAssignment, a)
			}
		}
	}
	text := func(s string) *string { return &s }

	s.topic("ct.there", 1)
	ask("good", first, newTopic("ct-good", shape(3, 1)))
	ask("none", first)
	ask("defaults", first, newTopic("ct-defaults", shape(-1, -1)))
	ask("exists", first, newTopic("ct.there"))
	ask("collides", first, newTopic("ct_there"))
	ask("twice", first, newTopic("ct-twice"), newTopic("ct-twice"), newTopic("ct-once"))
	for _, bad := range badNames {
		ask("bad name "+bad.is, first, newTopic(bad.name))
	}
	ask("cluster metadata", first, newTopic("__cluster_metadata"))
	ask("consumer offsets", first, newTopic("__transaction_state"))
	for _, n := range []int32{0, -2, -1000} {
		ask(fmt.Sprintf("%d partitions", n), first, newTopic("ct-p", shape(n, 1)))
	}
	for _, n := range []int16{0, -2, 2, 32767} {
		ask(fmt.Sprintf("%d replicas", n), first, newTopic("ct-r", shape(1, n)))
	}
	ask("assigned", first, newTopic("ct-as", assign([]int32{1}, []int32{1})))
	ask("assigned and counted", first, newTopic("ct-as", assign([]int32{1}), shape(1, -1)))
	ask("assigned and factored", first, newTopic("ct-as", assign([]int32{1}), shape(-1, 1)))
	ask("assigned to an unknown broker", first, newTopic("ct-as", assign([]int32{7})))
	ask("assigned twice to one broker", first, newTopic("ct-as", assign([]int32{1, 1})))
	ask("assigned to nobody", first, newTopic("ct-as", assign([]int32{})))
	ask("assigned unevenly", first, newTopic("ct-as", assign([]int32{1}, []int32{1, 1})))
	ask("assigned with a gap", first, newTopic("ct-as", assign([]int32{1}), func(t *topic) { t.ReplicaAssignment[0].Partition = 1 }))
	ask("assigned a partition twice", first, newTopic("ct-as", assign([]int32{1}, []int32{1}), func(t *topic) { t.ReplicaAssignment[1].Partition = 0 }))
	ask("config", first, newTopic("ct-c", config("retention.ms", text("1000")), config("cleanup.policy", text("compact,delete"))))
	ask("config with spaces", first, newTopic("ct-c", config("retention.ms", text(" 1000 ")), config("cleanup.policy", text(" compact , delete"))))
	ask("config null", first, newTopic("ct-c", config("retention.ms", nil)))
	ask("config empty", first, newTopic("ct-c", config("retention.ms", text(""))))
	ask("config unknown", first, newTopic("ct-c", config("no.such.key", text("1"))))
	ask("config twice", first, newTopic("ct-c", config("retention.ms", text("1")), config("retention.ms", text("2"))))
	for _, kv := range [][2]string{
		{"retention.ms", "abc"}, {"retention.ms", "-2"}, {"retention.ms", "9223372036854775808"}, {"cleanup.policy", "wash"},
		{"cleanup.policy", ""}, {"cleanup.policy", "compact,compact"}, {"compression.type", "rar"}, {"compression.type", "none"},
		{"min.insync.replicas", "0"}, {"min.insync.replicas", "2"}, {"segment.bytes", "1048575"}, {"segment.bytes", "14"},
		{"max.message.bytes", "-1"}, {"min.cleanable.dirty.ratio", "1.1"}, {"message.timestamp.type", "Sometimes"},
		{"preallocate", "yes"}, {"preallocate", "TRUE"}, {"unclean.leader.election.enable", "maybe"}, {"compression.gzip.level", "10"},
		{"compression.gzip.level", "-1"}, {"compression.zstd.level", "23"}, {"compression.lz4.level", "0"},
		{"message.format.version", "3.0"}, {"message.downconversion.enable", "true"}, {"message.timestamp.difference.max.ms", "1"},
		{"leader.replication.throttled.replicas", "*"}, {"leader.replication.throttled.replicas", "1"}, {"flush.messages", "0"},
		{"retention.bytes", "-1"}, {"retention.bytes", "-2"}, {"local.retention.ms", "-2"}, {"remote.storage.enable", "true"},
		{"index.interval.bytes", "-1"}, {"segment.index.bytes", "3"}, {"file.delete.delay.ms", "-1"}, {"max.compaction.lag.ms", "0"},
		{"min.compaction.lag.ms", "10"}, {"segment.ms", "0"}, {"segment.jitter.ms", "-1"}, {"delete.retention.ms", "-1"},
	} {
		s.ask(fmt.Sprintf("config %s=%s", kv[0], kv[1]), s.newest(&kmsg.CreateTopicsRequest{
			TimeoutMillis: 5000, ValidateOnly: true, Topics: []topic{newTopic("ct-kv", config(kv[0], text(kv[1])))},
		}))
	}
	s.sweepFrom("made", first, last, func(v int16) kmsg.Request {
		r := kmsg.NewPtrCreateTopicsRequest()
		r.TimeoutMillis = 5000
		r.Topics = []topic{newTopic(fmt.Sprintf("ct-made-%d", v), shape(2, 1), config("retention.ms", text("5000")))}
		return r
	})
	s.ask("made without waiting", s.newest(&kmsg.CreateTopicsRequest{TimeoutMillis: 0, Topics: []topic{newTopic("ct-made-now")}}))
	s.ask("made with a negative time-out", s.newest(&kmsg.CreateTopicsRequest{TimeoutMillis: -1, Topics: []topic{newTopic("ct-made-neg")}}))
	s.ask("one good, one bad", s.newest(&kmsg.CreateTopicsRequest{TimeoutMillis: 5000, Topics: []topic{newTopic("ct-made-one"), newTopic("ct/bad")}}))
}

func createPartitionsScript(s *session) {
	s.topic("cp-two", 2)
	first, last := s.versions(37)
	ask := func(step string, topics ...kmsg.CreatePartitionsRequestTopic) {
		s.sweepFrom(step, first, last, func(v int16) kmsg.Request {
			r := kmsg.NewPtrCreatePartitionsRequest()
			r.TimeoutMillis, r.ValidateOnly, r.Topics = 5000, true, topics
			return r
		})
	}
	to := func(name string, count int32, assignment ...[]int32) kmsg.CreatePartitionsRequestTopic {
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = name, count
		for _, replicas := range assignment {
			a := kmsg.NewCreatePartitionsRequestTopicAssignment()
			a.Replicas = replicas
			t.Assignment = append(t.Assignment, a)
		}
		return t
	}
	ask("more", to("cp-two", 3))
	ask("as many", to("cp-two", 2))
	ask("fewer", to("cp-two", 1))
	ask("none", to("cp-two", 0))
	ask("below none", to("cp-two", -1))
	ask("unknown", to("cp-none", 3))
	ask("empty name", to("", 3))
	ask("twice", to("cp-two", 3), to("cp-two", 4))
	ask("assigned", to("cp-two", 3, []int32{1}))
	ask("assigned too few", to("cp-two", 4, []int32{1}))
	ask("assigned too many", to("cp-two", 3, []int32{1}, []int32{1}))
	ask("assigned to an unknown broker", to("cp-two", 3, []int32{7}))
	ask("assigned to nobody", to("cp-two", 3, []int32{}))
	ask("assigned twice to one broker", to("cp-two", 3, []int32{1, 1}))
	ask("internal topic", to("__cluster_metadata", 9))
	real := kmsg.NewPtrCreatePartitionsRequest()
	real.TimeoutMillis, real.Topics = 5000, []kmsg.CreatePartitionsRequestTopic{to("cp-two", 4)}
	s.ask("made", s.newest(real))
	s.until("4 partitions", func() bool {
		return len(s.quiet(metadataOf("cp-two")).(*kmsg.MetadataResponse).Topics[0].Partitions) == 4
	})
	s.ask("seen", s.newest(metadataOf("cp-two")))
}

func deleteTopicsScript(s *session) {
	first, last := s.versions(20)
	name := func(n string) kmsg.DeleteTopicsRequestTopic {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = &n
		return t
	}
	ask := func(step string, from int16, topics ...kmsg.DeleteTopicsRequestTopic) {
		s.sweepFrom(step, from, last, func(v int16) kmsg.Request {
			r := kmsg.NewPtrDeleteTopicsRequest()
			r.TimeoutMillis, r.Topics = 5000, topics
			for _, t := range topics {
				if t.Topic != nil {
					r.TopicNames = append(r.TopicNames, *t.Topic)
				}
			}
			return r
		})
	}
	s.sweepFrom("there", first, last, func(v int16) kmsg.Request {
		made := fmt.Sprintf("dt-%d", v)
		s.topic(made, 1)
		r := kmsg.NewPtrDeleteTopicsRequest()
		r.TimeoutMillis, r.Topics, r.TopicNames = 5000, []kmsg.DeleteTopicsRequestTopic{name(made)}, []string{made}
		return r
	})
	ask("unknown", first, name("dt-none"))
	ask("none", first)
	ask("bad name", first, name("dt none"))
	ask("empty name", first, name(""))
	ask("unknown twice", first, name("dt-none"), name("dt-none"))
	ask("unknown id", 6, kmsg.DeleteTopicsRequestTopic{TopicID: someID})
	ask("neither name nor id", 6, kmsg.DeleteTopicsRequestTopic{})
	ask("cluster metadata", first, name("__cluster_metadata"))
	id := s.topic("dt-both", 1)
	both := name("dt-both")
	both.TopicID = id
	ask("name and id", 6, both)
	ask("name and another's id", 6, kmsg.DeleteTopicsRequestTopic{Topic: both.Topic, TopicID: someID})
	ask("twice", 6, name("dt-both"), name("dt-both"))
	ask("name, then id of the same", 6, name("dt-both"), kmsg.DeleteTopicsRequestTopic{TopicID: id})
	id = s.topic("dt-id", 1)
	ask("by id", 6, kmsg.DeleteTopicsRequestTopic{TopicID: id})
}
