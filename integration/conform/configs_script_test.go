package conform

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() {
	scripts["describeconfigs"] = describeConfigsScript
	scripts["alterconfigs"] = alterConfigsScript
	scripts["admin"] = adminScript
}

func describeConfigs(kind kmsg.ConfigResourceType, name string, keys ...string) *kmsg.DescribeConfigsRequest {
	r := kmsg.NewPtrDescribeConfigsRequest()
	q := kmsg.NewDescribeConfigsRequestResource()
	q.ResourceType, q.ResourceName, q.ConfigNames = kind, name, keys
	r.Resources = append(r.Resources, q)
	return r
}

func describeConfigsScript(s *session) {
	s.topic("configs", 1, "retention.ms", "5000", "cleanup.policy", "compact")
	first, last := s.versions(32)
	for _, c := range []struct {
		step string
		kind kmsg.ConfigResourceType
		name string
	}{
		{"topic", kmsg.ConfigResourceTypeTopic, "configs"},
		{"broker", kmsg.ConfigResourceTypeBroker, "1"},
	} {
		full := describeConfigs(c.kind, c.name)
		full.IncludeSynonyms, full.IncludeDocumentation = true, true
		s.ask("all of a "+c.step, s.newest(full))
	}
	ask := func(step string, r *kmsg.DescribeConfigsRequest) {
		s.sweepFrom(step, first, last, func(int16) kmsg.Request { return r })
	}
	ask("some keys", describeConfigs(kmsg.ConfigResourceTypeTopic, "configs", "retention.ms", "min.insync.replicas", "no.such.key"))
	withSynonyms := describeConfigs(kmsg.ConfigResourceTypeTopic, "configs", "retention.ms", "compression.type", "segment.bytes")
	withSynonyms.IncludeSynonyms = true
	ask("some keys with synonyms", withSynonyms)
	none := describeConfigs(kmsg.ConfigResourceTypeTopic, "configs")
	none.Resources[0].ConfigNames = []string{}
	ask("no keys", none)
	ask("unknown topic", describeConfigs(kmsg.ConfigResourceTypeTopic, "configs-none"))
	ask("bad topic name", describeConfigs(kmsg.ConfigResourceTypeTopic, "a b"))
	ask("empty topic name", describeConfigs(kmsg.ConfigResourceTypeTopic, ""))
	ask("cluster default", describeConfigs(kmsg.ConfigResourceTypeBroker, ""))
	ask("another broker", describeConfigs(kmsg.ConfigResourceTypeBroker, "7"))
	ask("broker that is no number", describeConfigs(kmsg.ConfigResourceTypeBroker, "one"))
	ask("broker, some keys", describeConfigs(kmsg.ConfigResourceTypeBroker, "1", "num.partitions", "node.id", "ssl.keystore.password", "no.such.key"))
	ask("logger of another broker", describeConfigs(kmsg.ConfigResourceTypeBrokerLogger, "7"))
	ask("group", describeConfigs(32, "configs-group"))
	ask("empty group", describeConfigs(32, ""))
	ask("client metrics", describeConfigs(16, "configs-metrics"))
	ask("empty client metrics", describeConfigs(16, ""))
	ask("unknown type", describeConfigs(99, "x"))
	ask("type 0", describeConfigs(0, "x"))
	twice := describeConfigs(kmsg.ConfigResourceTypeTopic, "configs", "retention.ms")
	twice.Resources = append(twice.Resources, twice.Resources[0])
	ask("twice", twice)
	ask("nothing", kmsg.NewPtrDescribeConfigsRequest())
	s.sweep("list of resources", func(int16) kmsg.Request {
		r := kmsg.NewPtrListConfigResourcesRequest()
		r.ResourceTypes = []int8{16, 32}
		return r
	})
	for _, kind := range []int8{0, 2, 4, 8, 99} {
		r := kmsg.NewPtrListConfigResourcesRequest()
		r.ResourceTypes = []int8{kind}
		if kind == 2 {
			continue // every topic of every script
		}
		s.ask(fmt.Sprintf("list of type %d", kind), s.newest(r))
	}
}

const (
	opSet      = kmsg.IncrementalAlterConfigOpSet
	opDelete   = kmsg.IncrementalAlterConfigOpDelete
	opAppend   = kmsg.IncrementalAlterConfigOpAppend
	opSubtract = kmsg.IncrementalAlterConfigOpSubtract
)

func alterConfigsScript(s *session) {
	s.topic("alter", 1, "retention.ms", "5000")
	type op = kmsg.IncrementalAlterConfigsRequestResourceConfig
	change := func(o kmsg.IncrementalAlterConfigOp, key, value string) op {
		return op{Name: key, Op: o, Value: &value}
	}
	alter := func(kind kmsg.ConfigResourceType, name string, ops ...op) *kmsg.IncrementalAlterConfigsRequest {
		r := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name, Configs: ops}}
		return r
	}
	ask := func(step string, r *kmsg.IncrementalAlterConfigsRequest) {
		s.sweep(step, func(int16) kmsg.Request { return r })
	}
	topic, broker := kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	t := func(ops ...op) *kmsg.IncrementalAlterConfigsRequest { return alter(topic, "alter", ops...) }
	ask("set", t(change(opSet, "retention.ms", "6000")))
	ask("set, to spaces and all", t(change(opSet, "retention.bytes", " 7000 ")))
	ask("set null", t(op{Name: "retention.ms", Op: opSet}))
	ask("set bad", t(change(opSet, "retention.ms", "soon")))
	ask("set out of range", t(change(opSet, "retention.ms", "-2")))
	ask("set unknown", t(change(opSet, "no.such.key", "1")))
	ask("set empty key", t(change(opSet, "", "1")))
	ask("set segment.bytes small", t(change(opSet, "segment.bytes", "1048575")))
	ask("delete", t(op{Name: "retention.bytes", Op: opDelete}))
	ask("delete unset", t(op{Name: "segment.ms", Op: opDelete}))
	ask("delete unknown", t(op{Name: "no.such.key", Op: opDelete}))
	ask("append", t(change(opAppend, "cleanup.policy", "compact")))
	ask("append what is there", t(change(opAppend, "cleanup.policy", "compact")))
	ask("append bad", t(change(opAppend, "cleanup.policy", "wash")))
	ask("append to a number", t(change(opAppend, "retention.ms", "1")))
	ask("append null", t(op{Name: "cleanup.policy", Op: opAppend}))
	ask("subtract", t(change(opSubtract, "cleanup.policy", "compact")))
	ask("subtract what is not there", t(change(opSubtract, "cleanup.policy", "compact")))
	ask("subtract all", t(change(opSubtract, "cleanup.policy", "delete")))
	ask("subtract from a number", t(change(opSubtract, "retention.ms", "1")))
	ask("unknown operation", t(change(9, "retention.ms", "1")))
	ask("same key twice", t(change(opSet, "retention.ms", "1"), change(opSet, "retention.ms", "2")))
	ask("no changes", t())
	ask("one good, one bad", t(change(opSet, "retention.ms", "7000"), change(opSet, "segment.ms", "x")))
	ask("unknown topic", alter(topic, "alter-none", change(opSet, "retention.ms", "1")))
	ask("bad topic name", alter(topic, "a b", change(opSet, "retention.ms", "1")))
	ask("empty topic name", alter(topic, "", change(opSet, "retention.ms", "1")))
	twice := t(change(opSet, "retention.ms", "1"))
	twice.Resources = append(twice.Resources, twice.Resources[0])
	ask("same resource twice", twice)
	two := t(change(opSet, "retention.ms", "8000"))
	two.Resources = append(two.Resources, alter(topic, "alter-none", change(opSet, "retention.ms", "1")).Resources...)
	ask("two resources, one unknown", two)
	ask("unknown type", alter(99, "x", change(opSet, "a", "b")))
	ask("nothing", kmsg.NewPtrIncrementalAlterConfigsRequest())
	dry := t(change(opSet, "retention.ms", "9000"))
	dry.ValidateOnly = true
	ask("validate only", dry)
	s.ask("what came of it", s.newest(describeConfigs(topic, "alter", "retention.ms", "retention.bytes", "cleanup.policy", "segment.ms")))

	ask("broker, dynamic", alter(broker, "1", change(opSet, "log.cleaner.threads", "2")))
	ask("broker, read-only", alter(broker, "1", change(opSet, "node.id", "2")))
	ask("broker, cluster-wide only", alter(broker, "1", change(opSet, "message.max.bytes", "2000000")))
	ask("broker, unknown", alter(broker, "1", change(opSet, "no.such.key", "2")))
	ask("broker, bad", alter(broker, "1", change(opSet, "log.cleaner.threads", "x")))
	ask("another broker", alter(broker, "7", change(opSet, "log.cleaner.threads", "2")))
	ask("broker that is no number", alter(broker, "one", change(opSet, "log.cleaner.threads", "2")))
	ask("cluster default", alter(broker, "", change(opSet, "log.retention.ms", "86400000")))
	ask("cluster default, per-broker only", alter(broker, "", change(opSet, "listeners", "PLAINTEXT://:1")))
	withSynonyms := describeConfigs(topic, "alter", "retention.ms", "segment.ms")
	withSynonyms.IncludeSynonyms = true
	s.ask("topic below it", s.newest(withSynonyms))
	b := describeConfigs(broker, "1", "log.retention.ms", "log.cleaner.threads", "message.max.bytes")
	b.IncludeSynonyms = true
	s.ask("broker below it", s.newest(b))
	s.ask("cluster default described", s.newest(describeConfigs(broker, "")))
	ask("cluster default deleted", alter(broker, "", op{Name: "log.retention.ms", Op: opDelete}))
	ask("broker's own deleted", alter(broker, "1", op{Name: "message.max.bytes", Op: opDelete}))
	ask("broker deleted", alter(broker, "1", op{Name: "log.cleaner.threads", Op: opDelete}))
	ask("group", alter(32, "alter-group", change(opSet, "consumer.session.timeout.ms", "50000")))
	ask("group, bad", alter(32, "alter-group", change(opSet, "consumer.session.timeout.ms", "1")))
	ask("group, unknown", alter(32, "alter-group", change(opSet, "no.such.key", "1")))
	ask("group, empty", alter(32, "", change(opSet, "consumer.session.timeout.ms", "50000")))
	s.until("the group's config is known", func() bool { // Apache Kafka's controller answers before its broker knows
		known := s.quiet(describeConfigs(32, "alter-group")).(*kmsg.DescribeConfigsResponse)
		for _, c := range known.Resources[0].Configs {
			if c.Name == "consumer.session.timeout.ms" {
				return c.Value != nil && *c.Value == "50000"
			}
		}
		return false
	})
	s.ask("group described", s.newest(describeConfigs(32, "alter-group")))

	type entry = kmsg.AlterConfigsRequestResourceConfig
	replace := func(step string, kind kmsg.ConfigResourceType, name string, entries ...entry) {
		s.sweep("replace "+step, func(int16) kmsg.Request {
			r := kmsg.NewPtrAlterConfigsRequest()
			r.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: kind, ResourceName: name, Configs: entries}}
			return r
		})
	}
	e := func(key, value string) entry { return entry{Name: key, Value: &value} }
	replace("good", topic, "alter", e("segment.ms", "60000"))
	replace("null", topic, "alter", entry{Name: "segment.ms"})
	replace("bad", topic, "alter", e("segment.ms", "x"))
	replace("unknown", topic, "alter", e("no.such.key", "x"))
	replace("unknown topic", topic, "alter-none", e("segment.ms", "60000"))
	s.ask("what came of replacing", s.newest(describeConfigs(topic, "alter", "retention.ms", "segment.ms", "cleanup.policy")))
	replace("nothing", topic, "alter")
	s.ask("what came of replacing by nothing", s.newest(describeConfigs(topic, "alter", "retention.ms", "segment.ms", "cleanup.policy")))
}

// adminScript is the rest of what tools ask a cluster.
func adminScript(s *session) {
	id := s.topic("admin", 2)
	s.fill("admin", id, bytesOf(batch("a", "b")))
	dirs := func(step string, topics []kmsg.DescribeLogDirsRequestTopic) {
		s.sweep("log dirs "+step, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeLogDirsRequest()
			r.Topics = topics
			return r
		})
	}
	dirs("of a topic", []kmsg.DescribeLogDirsRequestTopic{{Topic: "admin", Partitions: []int32{0, 1}}})
	dirs("of an unknown topic", []kmsg.DescribeLogDirsRequestTopic{{Topic: "admin-none", Partitions: []int32{0}}})
	dirs("of an unknown partition", []kmsg.DescribeLogDirsRequestTopic{{Topic: "admin", Partitions: []int32{9}}})
	dirs("of nothing", []kmsg.DescribeLogDirsRequestTopic{})

	elect := func(step string, from int16, kind int8, topics []kmsg.ElectLeadersRequestTopic) {
		s.sweepFrom("elect "+step, from, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrElectLeadersRequest()
			r.TimeoutMillis, r.ElectionType, r.Topics = 5000, kind, topics
			return r
		})
	}
	elect("preferred", 0, 0, []kmsg.ElectLeadersRequestTopic{{Topic: "admin", Partitions: []int32{0, 9}}, {Topic: "admin-none", Partitions: []int32{0}}})
	elect("unclean", 1, 1, []kmsg.ElectLeadersRequestTopic{{Topic: "admin", Partitions: []int32{0, 9}}})
	elect("everything", 0, 0, nil)
	elect("nothing", 0, 0, []kmsg.ElectLeadersRequestTopic{})
	elect("type 2", 1, 2, []kmsg.ElectLeadersRequestTopic{{Topic: "admin", Partitions: []int32{0}}})

	reassigned := func(step string, topics []kmsg.ListPartitionReassignmentsRequestTopic) {
		r := kmsg.NewPtrListPartitionReassignmentsRequest()
		r.TimeoutMillis, r.Topics = 5000, topics
		s.ask("reassignments "+step, r)
	}
	reassigned("of all", nil)
	reassigned("of one", []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "admin", Partitions: []int32{0}}})
	reassigned("of an unknown", []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "admin-none", Partitions: []int32{0}}})

	quotas := func(step string, strict bool, parts ...kmsg.DescribeClientQuotasRequestComponent) {
		s.sweep("quotas "+step, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeClientQuotasRequest()
			r.Components, r.Strict = parts, strict
			return r
		})
	}
	part := func(kind string, match int8, name *string) kmsg.DescribeClientQuotasRequestComponent {
		return kmsg.DescribeClientQuotasRequestComponent{EntityType: kind, MatchType: kmsg.QuotasMatchType(match), Match: name}
	}
	user := "u"
	quotas("of all", false)
	quotas("strict of all", true)
	quotas("of a user", false, part("user", 0, &user))
	quotas("of the default user", false, part("user", 1, nil))
	quotas("of any client", false, part("client-id", 2, nil))
	quotas("of an ip", false, part("ip", 0, kmsg.StringPtr("127.0.0.1")))
	quotas("of an unknown type", false, part("planet", 0, &user))
	quotas("of an empty type", false, part("", 0, &user))
	quotas("of a type twice", false, part("user", 0, &user), part("user", 1, nil))
	quotas("exact without a name", false, part("user", 0, nil))
	quotas("default with a name", false, part("user", 1, &user))
	quotas("of match type 3", false, part("user", 3, nil))
	quotas("of ip and user", false, part("ip", 2, nil), part("user", 2, nil))

	scram := func(step string, users ...string) {
		r := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
		for _, u := range users {
			r.Users = append(r.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: u})
		}
		s.ask("scram "+step, r)
	}
	scram("of all")
	scram("of an unknown user", "u")
	scram("of a user twice", "u", "u", "v")
	scram("of an empty user", "")

	quorum := func(step string, topics ...kmsg.DescribeQuorumRequestTopic) {
		s.sweep("quorum "+step, func(int16) kmsg.Request {
			r := kmsg.NewPtrDescribeQuorumRequest()
			r.Topics = topics
			return r
		})
	}
	metadataPartition := kmsg.DescribeQuorumRequestTopicPartition{}
	quorum("of the metadata", kmsg.DescribeQuorumRequestTopic{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{metadataPartition}})
	quorum("of another topic", kmsg.DescribeQuorumRequestTopic{Topic: "admin", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{metadataPartition}})
	quorum("of nothing")

	features := func(step string, dry bool, updates ...kmsg.UpdateFeaturesRequestFeatureUpdate) {
		s.sweepFrom("features "+step, 1, 2, func(int16) kmsg.Request {
			r := kmsg.NewPtrUpdateFeaturesRequest()
			r.TimeoutMillis, r.ValidateOnly, r.FeatureUpdates = 5000, dry, updates
			return r
		})
	}
	update := func(name string, level int16, kind int8) kmsg.UpdateFeaturesRequestFeatureUpdate {
		return kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: name, MaxVersionLevel: level, UpgradeType: kind}
	}
	features("none", true)
	features("unknown", true, update("no.such.feature", 1, 1))
	features("the same level", true, update("metadata.version", 30, 1))
	features("too high", true, update("metadata.version", 99, 1))
	features("lower by an upgrade", true, update("metadata.version", 29, 1))
	features("too low", true, update("metadata.version", 1, 2))
	features("negative", true, update("metadata.version", -1, 2))
	features("type 0", true, update("metadata.version", 30, 0))
	features("twice", true, update("metadata.version", 30, 1), update("metadata.version", 30, 1))
	features("empty name", true, update("", 1, 1))

	for _, broker := range []int32{7, -1} {
		s.ask(fmt.Sprintf("unregister %d", broker), &kmsg.UnregisterBrokerRequest{BrokerID: broker})
	}
}
