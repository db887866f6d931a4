package api

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/quorum"
	crecord "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
)

// clusterWorld is a broker's cluster side: a real quorum of one, in memory, and the handlers on it.
type clusterWorld struct {
	*Server
	t    testing.TB
	q    *quorum.Quorum
	auth *ruledAuthorizer
}

func newClusterWorld(t testing.TB, settings ...string) *clusterWorld {
	t.Helper()
	static := map[config.Key]string{config.DefaultReplicationFactor: "1"}
	for n := 0; n < len(settings); n += 2 {
		static[config.Key(settings[n])] = settings[n+1]
	}
	conf, err := config.New(static)
	if err != nil {
		t.Fatal(err)
	}
	mem := vfs.NewMem(nil)
	store, err := logstore.Open("/data", logstore.Options{FS: mem, NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	q, err := quorum.Open(context.Background(), quorum.Options{Store: store, FS: mem, NodeID: 1, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close(); store.Close() })
	w := &clusterWorld{t: t, q: q, auth: &ruledAuthorizer{denied: map[string]bool{}}}
	w.Server = &Server{NodeID: 1, Authorizer: w.auth, Now: time.Now, Cluster: q,
		ClusterService: ClusterService{Config: func() *config.Broker { return conf }, QuorumStatus: q.Status}}
	w.change(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return i.StartBroker(cluster.Registration{ID: 1, LogDirs: [][16]byte{{1}}})
	})
	return w
}

// change makes a change that no request makes.
func (w *clusterWorld) change(decide quorum.Decide) {
	w.t.Helper()
	if _, err := w.q.Propose(context.Background(), decide); err != nil {
		w.t.Fatal(err)
	}
}

func (w *clusterWorld) records(records ...cluster.Record) {
	w.t.Helper()
	w.change(func(*cluster.Image, time.Time) ([]cluster.Record, error) { return records, nil })
}

// make creates a topic.
func (w *clusterWorld) make(name string, partitions int32) {
	w.t.Helper()
	w.change(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, made := i.CreateTopics([]cluster.NewTopic{{Name: name, Partitions: partitions, ReplicationFactor: 1}}, w.creation())
		return records, made[0].Err
	})
}

// answerTo hands a request to a handler as the connection does: encoded, walked and decoded at its version. The handler must
// have answered when it returns: the connection's next request may build on what this one changed.
func answerTo[T kmsg.Response](w *clusterWorld, h Handler, version int16, req kmsg.Request) T {
	w.t.Helper()
	req.SetVersion(version)
	header := protocol.RequestHeader{Key: protocol.Key(req.Key()), Version: version, CorrelationID: 7}
	message, err := protocol.Decode(header, req.AppendTo(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	a := &answer{t: w.t, came: make(chan struct{}), header: header, request: message}
	conn := &Conn{Listener: "PLAINTEXT", Principal: security.Anonymous,
		Local: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092}, Remote: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000}}
	h(w.Server, NewRequest(header, message, 0, time.Now(), conn, a))
	if !a.ready() {
		w.t.Fatalf("%s v%d: returned without an answer", header.Key, version)
	}
	return await[T](w.t, a)
}

func (w *clusterWorld) deny(op security.Operation, on security.ResourceType, name string) {
	w.auth.deny(op, on, name)
}

// outcomeOf shows a code and whether a message came with it.
func outcomeOf(code int16, message *string) string {
	text := protocol.Code(code).String()
	if message != nil && *message != "" {
		text += "!"
	}
	return text
}

func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}

func topicNames(i *cluster.Image) (names []string) {
	for t := range i.Topics() {
		names = append(names, t.Name)
	}
	return names
}

func createRequest(topics ...kmsg.CreateTopicsRequestTopic) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 5000
	req.Topics = topics
	return req
}

func creatable(name string, partitions int32, factor int16, configs ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, factor
	for n := 0; n+1 < len(configs); n += 2 {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: configs[n], Value: &configs[n+1]})
	}
	return t
}

func TestCreateTopics(t *testing.T) {
	versions(t, protocol.CreateTopicsKey, func(t *testing.T, v int16) {
		w := newClusterWorld(t, "num.partitions", "3")
		create := func(req *kmsg.CreateTopicsRequest) map[string]kmsg.CreateTopicsResponseTopic {
			answers := map[string]kmsg.CreateTopicsResponseTopic{}
			for _, a := range answerTo[*kmsg.CreateTopicsResponse](w, CreateTopics, v, req).Topics {
				if _, again := answers[a.Topic]; again {
					t.Errorf("%s is answered twice", a.Topic)
				}
				answers[a.Topic] = a
			}
			return answers
		}
		// v2 and v3 say nothing of defaults, but Kafka takes -1 there too.
		got := create(createRequest(creatable("good", 2, 1, "retention.ms", "5"), creatable("default", -1, -1)))
		for _, name := range []string{"good", "default"} {
			wantSame(t, name, outcomeOf(got[name].ErrorCode, got[name].ErrorMessage), "NONE")
			topic := w.q.Image().Topic(name)
			if v >= 7 && got[name].TopicID != topic.ID {
				t.Errorf("%s has id %x, told %x", name, topic.ID, got[name].TopicID)
			}
			if v >= 5 && (got[name].NumPartitions != int32(len(topic.Partitions)) || got[name].ReplicationFactor != 1 || len(got[name].Configs) < 20) {
				t.Errorf("%s: told %+v", name, got[name])
			}
		}
		wantSame(t, "partitions", len(w.q.Image().Topic("default").Partitions), 3)
		wantSame(t, "configs", w.q.Image().Configs(cluster.TopicResource, "good"), map[string]string{"retention.ms": "5"})
		for _, c := range got["good"].Configs {
			if c.Name == "retention.ms" && (*c.Value != "5" || c.Source != 1) {
				t.Errorf("retention.ms is told as %+v", c)
			}
			if c.Name == "min.insync.replicas" && *c.Value != "1" {
				t.Errorf("min.insync.replicas is told as %s", *c.Value)
			}
		}

		// What is refused does not hold up the rest, and is told once.
		null := creatable("null", 1, 1)
		null.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}}
		long := strings.Repeat("x", 32767)
		got = create(createRequest(creatable("twice", 1, 1), creatable("good", 1, 1), creatable("..", 1, 1), creatable("__cluster_metadata", 1, 1),
			creatable("many", 20000, 1), creatable("none", 0, 1), creatable("copies", 1, 3), creatable("wrong", 1, 1, "retention.ms", "x"),
			creatable("unknown", 1, 1, "no.such.key", "x"), null, creatable("twice", 2, 1), creatable(long, 1, 1), creatable("last", 1, 1)))
		for name, want := range map[string]string{"twice": "INVALID_REQUEST!", "good": "TOPIC_ALREADY_EXISTS!", "..": "INVALID_TOPIC_EXCEPTION!",
			"__cluster_metadata": "INVALID_REQUEST!", "many": "POLICY_VIOLATION!", "none": "INVALID_PARTITIONS!", "copies": "INVALID_REPLICATION_FACTOR!",
			"wrong": "INVALID_CONFIG!", "unknown": "INVALID_CONFIG!", "null": "INVALID_CONFIG!", long: "INVALID_TOPIC_EXCEPTION!", "last": "NONE"} {
			wantSame(t, name[:min(20, len(name))], outcomeOf(got[name].ErrorCode, got[name].ErrorMessage), want)
		}
		wantSame(t, "topics", topicNames(w.q.Image()), []string{"default", "good", "last"})

		// Validate only; no time.
		dry := createRequest(creatable("dry", 4, 1), creatable("good", 1, 1))
		dry.ValidateOnly = true
		got = create(dry)
		wantSame(t, "dry", outcomeOf(got["dry"].ErrorCode, got["dry"].ErrorMessage), "NONE")
		wantSame(t, "dry", outcomeOf(got["good"].ErrorCode, got["good"].ErrorMessage), "TOPIC_ALREADY_EXISTS!")
		hasty := createRequest(creatable("hasty", 1, 1))
		hasty.TimeoutMillis = 0
		wantSame(t, "hasty", outcomeOf(create(hasty)["hasty"].ErrorCode, nil), "REQUEST_TIMED_OUT")
		wantSame(t, "topics", topicNames(w.q.Image()), []string{"default", "good", "last"})

		// CREATE on the cluster, or else on the topic; DESCRIBE_CONFIGS to be told what came of it.
		w.deny(security.DescribeConfigs, security.Topic, "a")
		w.deny(security.Create, security.Topic, "b")
		got = create(createRequest(creatable("a", 1, 1), creatable("b", 1, 1)))
		wantSame(t, "a", outcomeOf(got["a"].ErrorCode, got["a"].ErrorMessage), "NONE")
		wantSame(t, "b", outcomeOf(got["b"].ErrorCode, got["b"].ErrorMessage), "NONE")
		if a := got["a"]; v >= 5 && (a.ConfigErrorCode != int16(protocol.TopicAuthorizationFailed) || a.NumPartitions != -1 || a.ReplicationFactor != -1 || len(a.Configs) > 0) {
			t.Errorf("a: told %+v", a)
		}
		w.deny(security.Create, security.Cluster, security.ClusterName)
		w.deny(security.Create, security.Topic, "d")
		got = create(createRequest(creatable("c", 1, 1), creatable("d", 1, 1)))
		wantSame(t, "c", outcomeOf(got["c"].ErrorCode, got["c"].ErrorMessage), "NONE")
		wantSame(t, "d", outcomeOf(got["d"].ErrorCode, got["d"].ErrorMessage), "TOPIC_AUTHORIZATION_FAILED!")
	})
}

func TestDeleteTopics(t *testing.T) {
	versions(t, protocol.DeleteTopicsKey, func(t *testing.T, v int16) {
		w := newClusterWorld(t)
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			w.make(name, 1)
		}
		id := func(name string) [16]byte { return w.q.Image().Topic(name).ID }
		remove := func(topics ...any) (answers []string) { // names and ids, or both in a pair
			req := kmsg.NewPtrDeleteTopicsRequest()
			req.TimeoutMillis = 5000
			for _, what := range topics {
				rt := kmsg.NewDeleteTopicsRequestTopic()
				switch what := what.(type) {
				case string:
					rt.Topic = &what
					req.TopicNames = append(req.TopicNames, what)
				case [16]byte:
					rt.TopicID = what
				case kmsg.DeleteTopicsRequestTopic:
					rt = what
				}
				req.Topics = append(req.Topics, rt)
			}
			for _, a := range answerTo[*kmsg.DeleteTopicsResponse](w, DeleteTopics, v, req).Topics {
				name, shown := "-", ""
				if a.Topic != nil {
					name = *a.Topic
				}
				if v >= 6 && a.TopicID != ([16]byte{}) {
					shown = "#"
				}
				answers = append(answers, name+shown+" "+protocol.Code(a.ErrorCode).String())
			}
			return answers
		}
		hash := ""
		if v >= 6 {
			hash = "#"
		}
		wantSame(t, "by name", remove("a", "none", "b", "..", "b"),
			[]string{"a" + hash + " NONE", "none UNKNOWN_TOPIC_OR_PARTITION", "b INVALID_REQUEST", ".. UNKNOWN_TOPIC_OR_PARTITION"})
		wantSame(t, "left", topicNames(w.q.Image()), []string{"b", "c", "d", "e", "f"})
		if v >= 6 {
			b, both := "b", kmsg.NewDeleteTopicsRequestTopic()
			both.Topic, both.TopicID = &b, id("b")
			wantSame(t, "by id", remove(id("b"), [16]byte{9}, [16]byte{9}, [16]byte{}, both),
				[]string{"b# NONE", "-# INVALID_REQUEST", "- INVALID_REQUEST", "b# INVALID_REQUEST"})
			wantSame(t, "by unknown id", remove([16]byte{9}), []string{"-# UNKNOWN_TOPIC_ID"})
			wantSame(t, "name and id", remove(id("c"), "c"), []string{"c# NONE", "c# INVALID_REQUEST"})
			// Without DESCRIBE the id keeps its name to itself.
			w.deny(security.Delete, security.Topic, "d")
			w.deny(security.Delete, security.Topic, "e")
			w.deny(security.Describe, security.Topic, "e")
			wantSame(t, "denied by id", remove(id("d"), id("e")), []string{"d# TOPIC_AUTHORIZATION_FAILED", "-# TOPIC_AUTHORIZATION_FAILED"})
		}
		w.deny(security.Delete, security.Topic, "d")
		w.deny(security.Delete, security.Topic, "no-such")
		wantSame(t, "denied by name", remove("d", "no-such"), []string{"d TOPIC_AUTHORIZATION_FAILED", "no-such TOPIC_AUTHORIZATION_FAILED"})
		if w.q.Image().Topic("d") == nil || w.q.Image().Topic("e") == nil {
			t.Error("what was refused is gone")
		}

		off := newClusterWorld(t, "delete.topic.enable", "false")
		off.make("kept", 1)
		w = off
		want := "kept TOPIC_DELETION_DISABLED"
		if v < 3 {
			want = "kept INVALID_REQUEST"
		}
		wantSame(t, "disabled", remove("kept"), []string{want})
		wantSame(t, "kept", topicNames(off.q.Image()), []string{"kept"})
	})
}

func TestCreatePartitions(t *testing.T) {
	versions(t, protocol.CreatePartitionsKey, func(t *testing.T, v int16) {
		w := newClusterWorld(t)
		for _, name := range []string{"a", "b", "c", "d"} {
			w.make(name, 2)
		}
		w.deny(security.Alter, security.Topic, "d")
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.TimeoutMillis = 5000
		more := func(name string, count int32, replicas ...int32) {
			rt := kmsg.NewCreatePartitionsRequestTopic()
			rt.Topic, rt.Count = name, count
			if len(replicas) > 0 {
				rt.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{{Replicas: replicas}}
			}
			req.Topics = append(req.Topics, rt)
		}
		more("twice", 3)
		more("a", 4)
		more("b", 3, 1)
		more("c", 2)
		more("d", 9)
		more("none", 3)
		more("twice", 4)
		more(strings.Repeat("n", 32767), 3)
		ask := func() (answers []string) {
			for _, a := range answerTo[*kmsg.CreatePartitionsResponse](w, CreatePartitions, v, req).Topics {
				answers = append(answers, fmt.Sprint(a.Topic[:min(9, len(a.Topic))], " ", outcomeOf(a.ErrorCode, a.ErrorMessage)))
			}
			return answers
		}
		want := []string{"twice INVALID_REQUEST!", "a NONE", "b NONE", "c INVALID_PARTITIONS!", "d TOPIC_AUTHORIZATION_FAILED",
			"none UNKNOWN_TOPIC_OR_PARTITION!", "nnnnnnnnn UNKNOWN_TOPIC_OR_PARTITION!"}
		req.ValidateOnly = true
		wantSame(t, "dry", ask(), want)
		wantSame(t, "partitions", w.q.Image().PartitionCount(), 8)
		req.ValidateOnly = false
		wantSame(t, "wet", ask(), want)
		wantSame(t, "partitions", w.q.Image().PartitionCount(), 11)
		req.TimeoutMillis = -1
		req.Topics = req.Topics[1:2]
		wantSame(t, "hasty", ask(), []string{"a REQUEST_TIMED_OUT"})
	})
}

func TestElectLeaders(t *testing.T) {
	versions(t, protocol.ElectLeadersKey, func(t *testing.T, v int16) {
		w := newClusterWorld(t)
		w.make("a", 2)
		w.make("b", 1)
		req := kmsg.NewPtrElectLeadersRequest()
		req.TimeoutMillis = 5000
		ask := func() (answers []string) {
			resp := answerTo[*kmsg.ElectLeadersResponse](w, ElectLeaders, v, req)
			if v >= 1 {
				answers = append(answers, protocol.Code(resp.ErrorCode).String())
			}
			for _, rt := range resp.Topics {
				answers = append(answers, rt.Topic)
				for _, p := range rt.Partitions {
					answers = append(answers, fmt.Sprint(p.Partition, " ", outcomeOf(p.ErrorCode, p.ErrorMessage)))
				}
			}
			return answers
		}
		top := func(code string, rest ...string) []string {
			if v == 0 {
				return rest
			}
			return append([]string{code}, rest...)
		}
		wantSame(t, "all", ask(), top("NONE", "a", "b"))
		// Broker 1 is said to be gone: what it led has no leader, and nobody to elect.
		b := w.q.Image().Broker(1)
		change := crecord.NewPartitionChangeRecord()
		change.TopicID, change.PartitionID, change.Leader = w.q.Image().Topic("a").ID, 1, cluster.NoLeader
		fence := crecord.NewBrokerRegistrationChangeRecord()
		fence.BrokerID, fence.BrokerEpoch, fence.Fenced = 1, b.Epoch, 1
		w.records(&change, &fence)
		wantSame(t, "all, one without a leader", ask(), top("NONE", "a", "1 PREFERRED_LEADER_NOT_AVAILABLE!", "b"))
		fence.Fenced = -1
		w.records(&fence)
		req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: []int32{0, 1, 7, -1}}, {Topic: "none", Partitions: []int32{0}}}
		wantSame(t, "some", ask(), top("NONE", "a", "0 ELECTION_NOT_NEEDED!", "1 NONE", "7 UNKNOWN_TOPIC_OR_PARTITION!",
			"-1 UNKNOWN_TOPIC_OR_PARTITION!", "none", "0 UNKNOWN_TOPIC_OR_PARTITION!"))
		if p := w.q.Image().Partition("a", 1); p.Leader != 1 || p.LeaderEpoch != 2 {
			t.Errorf("elected %+v", *p)
		}
		req.Topics = req.Topics[:1]
		req.Topics[0].Partitions = []int32{0}
		if v >= 1 {
			req.ElectionType = 2
			wantSame(t, "type 2", ask(), top("INVALID_REQUEST", "a", "0 INVALID_REQUEST!"))
			req.ElectionType = 1
			wantSame(t, "unclean", ask(), top("NONE", "a", "0 ELECTION_NOT_NEEDED!"))
		}
		req.TimeoutMillis = 0
		wantSame(t, "hasty", ask(), top("REQUEST_TIMED_OUT", "a", "0 REQUEST_TIMED_OUT"))
		req.TimeoutMillis = 5000
		w.deny(security.Alter, security.Cluster, security.ClusterName)
		wantSame(t, "denied", ask(), top("CLUSTER_AUTHORIZATION_FAILED", "a", "0 CLUSTER_AUTHORIZATION_FAILED!"))
		req.Topics = nil
		wantSame(t, "denied all", ask(), top("CLUSTER_AUTHORIZATION_FAILED"))
	})
}

func TestListPartitionReassignments(t *testing.T) {
	w := newClusterWorld(t)
	w.make("a", 2)
	w.make("b", 1)
	change := crecord.NewPartitionChangeRecord()
	change.TopicID, change.PartitionID = w.q.Image().Topic("a").ID, 1
	change.Replicas, change.AddingReplicas = []int32{1, 2}, []int32{2}
	w.records(&change)
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	ask := func() string {
		resp := answerTo[*kmsg.ListPartitionReassignmentsResponse](w, ListPartitionReassignments, 0, req)
		text := outcomeOf(resp.ErrorCode, resp.ErrorMessage)
		for _, rt := range resp.Topics {
			for _, p := range rt.Partitions {
				text += fmt.Sprintf(" %s-%d %v +%v -%v", rt.Topic, p.Partition, p.Replicas, p.AddingReplicas, p.RemovingReplicas)
			}
		}
		return text
	}
	wantSame(t, "all", ask(), "NONE a-1 [1 2] +[2] -[]")
	req.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "a", Partitions: []int32{0, 1, 9}}, {Topic: "none", Partitions: []int32{0}}}
	wantSame(t, "some", ask(), "NONE a-1 [1 2] +[2] -[]")
	req.Topics = req.Topics[1:]
	wantSame(t, "none", ask(), "NONE")
	w.deny(security.Describe, security.Cluster, security.ClusterName)
	wantSame(t, "denied", ask(), "CLUSTER_AUTHORIZATION_FAILED!")
}

func TestDescribeClientQuotas(t *testing.T) {
	versions(t, protocol.DescribeClientQuotasKey, func(t *testing.T, v int16) {
		w := newClusterWorld(t)
		req := kmsg.NewPtrDescribeClientQuotasRequest()
		ask := func() string {
			resp := answerTo[*kmsg.DescribeClientQuotasResponse](w, DescribeClientQuotas, v, req)
			text := outcomeOf(resp.ErrorCode, resp.ErrorMessage)
			if resp.ErrorCode == 0 && (resp.Entries == nil || resp.ErrorMessage == nil) {
				t.Error("a success has null entries or a null message")
			}
			for _, e := range resp.Entries {
				for _, part := range e.Entity {
					name := "default"
					if part.Name != nil {
						name = *part.Name
					}
					text += fmt.Sprintf(" %s=%s", part.Type, name)
				}
				for _, value := range e.Values {
					text += fmt.Sprintf(" %s:%v", value.Key, value.Value)
				}
			}
			return text
		}
		wantSame(t, "none yet", ask(), "NONE")
		u := "u"
		w.records(&crecord.ClientQuotaRecord{Key: "producer_byte_rate", Value: 1.5, Entity: []crecord.ClientQuotaEntityData{
			{EntityType: "user", EntityName: &u}, {EntityType: "client-id"}}})
		wantSame(t, "one", ask(), "NONE client-id=default user=u producer_byte_rate:1.5")
		req.Components = []kmsg.DescribeClientQuotasRequestComponent{{EntityType: "user", MatchType: 2}}
		wantSame(t, "of any user", ask(), "NONE client-id=default user=u producer_byte_rate:1.5")
		req.Strict = true
		wantSame(t, "of any user alone", ask(), "NONE")
		req.Components = append(req.Components, req.Components[0])
		wantSame(t, "twice", ask(), "INVALID_REQUEST!")
		req.Components = []kmsg.DescribeClientQuotasRequestComponent{{EntityType: strings.Repeat("p", 32767), MatchType: 2}}
		wantSame(t, "unknown", ask(), "UNSUPPORTED_VERSION!")
		w.deny(security.DescribeConfigs, security.Cluster, security.ClusterName)
		wantSame(t, "denied", ask(), "CLUSTER_AUTHORIZATION_FAILED!")
	})
}

func TestDescribeUserScramCredentials(t *testing.T) {
	w := newClusterWorld(t)
	req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
	ask := func(users ...string) string {
		req.Users = nil
		for _, u := range users {
			req.Users = append(req.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: u})
		}
		resp := answerTo[*kmsg.DescribeUserSCRAMCredentialsResponse](w, DescribeUserScramCredentials, 0, req)
		text := outcomeOf(resp.ErrorCode, resp.ErrorMessage)
		for _, r := range resp.Results {
			text += fmt.Sprintf(" %s:%s", r.User, outcomeOf(r.ErrorCode, r.ErrorMessage))
			for _, c := range r.CredentialInfos {
				text += fmt.Sprintf("(%d %d)", c.Mechanism, c.Iterations)
			}
		}
		return text
	}
	wantSame(t, "none yet", ask(), "NONE")
	wantSame(t, "nobody", ask("u"), "NONE u:RESOURCE_NOT_FOUND!")
	for mechanism := int8(1); mechanism <= 2; mechanism++ {
		w.records(&crecord.UserScramCredentialRecord{Name: "u", Mechanism: mechanism, Iterations: 4096 * int32(mechanism), Salt: []byte("salt")},
			&crecord.UserScramCredentialRecord{Name: "v", Mechanism: 1, Iterations: 5000})
	}
	wantSame(t, "all", ask(), "NONE u:NONE(1 4096)(2 8192) v:NONE(1 5000)")
	wantSame(t, "some", ask("v", "x", "", "u", "x"), "NONE :RESOURCE_NOT_FOUND! u:NONE(1 4096)(2 8192) v:NONE(1 5000) x:DUPLICATE_RESOURCE!")
	w.deny(security.Describe, security.Cluster, security.ClusterName)
	wantSame(t, "denied", ask("u"), "CLUSTER_AUTHORIZATION_FAILED!")
}

func TestDescribeQuorum(t *testing.T) {
	versions(t, protocol.DescribeQuorumKey, func(t *testing.T, v int16) {
		w := newClusterWorld(t)
		ask := func(topic string, partitions ...int32) *kmsg.DescribeQuorumResponse {
			req := kmsg.NewPtrDescribeQuorumRequest()
			rt := kmsg.NewDescribeQuorumRequestTopic()
			rt.Topic = topic
			for _, p := range partitions {
				rt.Partitions = append(rt.Partitions, kmsg.DescribeQuorumRequestTopicPartition{Partition: p})
			}
			req.Topics = append(req.Topics, rt)
			return answerTo[*kmsg.DescribeQuorumResponse](w, DescribeQuorum, v, req)
		}
		p := ask(cluster.MetadataTopic, 0).Topics[0].Partitions[0]
		s := w.q.Status()
		if p.ErrorCode != 0 || p.LeaderID != 1 || p.LeaderEpoch != s.Epoch || p.HighWatermark != s.HighWatermark || len(p.CurrentVoters) != 1 {
			t.Errorf("%+v", p)
		}
		if voter := p.CurrentVoters[0]; voter.ReplicaID != 1 || voter.LogEndOffset != s.HighWatermark || (v >= 1) != (voter.LastFetchTimestamp > 0) {
			t.Errorf("%+v", voter)
		}
		for _, p := range append(ask(cluster.MetadataTopic, 1, 0).Topics[0].Partitions, ask("other", 0).Topics[0].Partitions...) {
			wantSame(t, "another partition", protocol.Code(p.ErrorCode), protocol.UnknownTopicOrPartition)
		}
		w.deny(security.Describe, security.Cluster, security.ClusterName)
		wantSame(t, "denied", protocol.Code(ask(cluster.MetadataTopic, 0).ErrorCode), protocol.ClusterAuthorizationFailed)
	})
}

func TestUpdateFeatures(t *testing.T) {
	versions(t, protocol.UpdateFeaturesKey, func(t *testing.T, v int16) {
		w := newClusterWorld(t)
		ask := func(timeoutMs int32, updates ...kmsg.UpdateFeaturesRequestFeatureUpdate) string {
			req := kmsg.NewPtrUpdateFeaturesRequest()
			req.TimeoutMillis, req.FeatureUpdates = timeoutMs, updates
			resp := answerTo[*kmsg.UpdateFeaturesResponse](w, UpdateFeatures, v, req)
			text := outcomeOf(resp.ErrorCode, resp.ErrorMessage)
			for _, r := range resp.Results {
				text += fmt.Sprintf(" %s:%s", r.Feature, outcomeOf(r.ErrorCode, nil))
			}
			return text
		}
		update := func(name string, level int16, kind int8) kmsg.UpdateFeaturesRequestFeatureUpdate {
			return kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: name, MaxVersionLevel: level, UpgradeType: kind}
		}
		ok := "NONE"
		if v < 2 {
			ok = "NONE metadata.version:NONE"
		}
		wantSame(t, "none", ask(5000), "NONE")
		wantSame(t, "the same", ask(5000, update("metadata.version", 30, 1)), ok)
		wantSame(t, "higher", ask(5000, update("metadata.version", 31, 1)), "INVALID_UPDATE_VERSION!")
		wantSame(t, "lower", ask(5000, update("metadata.version", 29, 2)), "INVALID_UPDATE_VERSION!")
		wantSame(t, "unknown", ask(5000, update("metadata.version", 30, 1), update(strings.Repeat("f", 32767), 1, 1)), "INVALID_UPDATE_VERSION!")
		if v >= 1 {
			wantSame(t, "a kind of none", ask(5000, update("metadata.version", 30, 7)), "INVALID_UPDATE_VERSION!")
		}
		wantSame(t, "hasty", ask(0, update("metadata.version", 30, 1)), "REQUEST_TIMED_OUT")
		w.deny(security.Alter, security.Cluster, security.ClusterName)
		wantSame(t, "denied", ask(5000, update("metadata.version", 30, 1)), "CLUSTER_AUTHORIZATION_FAILED!")
	})
}

func TestUnregisterBroker(t *testing.T) {
	w := newClusterWorld(t)
	w.make("a", 1)
	ask := func(id int32) string {
		req := kmsg.NewPtrUnregisterBrokerRequest()
		req.BrokerID = id
		resp := answerTo[*kmsg.UnregisterBrokerResponse](w, UnregisterBroker, 0, req)
		return outcomeOf(resp.ErrorCode, resp.ErrorMessage)
	}
	wantSame(t, "unknown", ask(7), "BROKER_ID_NOT_REGISTERED!")
	w.deny(security.Alter, security.Cluster, security.ClusterName)
	wantSame(t, "denied", ask(1), "CLUSTER_AUTHORIZATION_FAILED!")
	w.auth.denied = map[string]bool{}
	wantSame(t, "alive", ask(1), "NONE")
	if p := w.q.Image().Partition("a", 0); w.q.Image().Broker(1) != nil || p.Leader != cluster.NoLeader {
		t.Errorf("broker %+v, partition %+v", w.q.Image().Broker(1), *p)
	}
	// It is whole again when it starts again.
	w.change(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return i.StartBroker(cluster.Registration{ID: 1, LogDirs: [][16]byte{{1}}})
	})
	wantSame(t, "leader", w.q.Image().Partition("a", 0).Leader, 1)
}

func TestDescribeTopicPartitions(t *testing.T) {
	w := newClusterWorld(t, "max.request.partition.size.limit", "6")
	for name, partitions := range map[string]int32{"a": 3, "b": 2, "c": 1, "secret": 1, cluster.ConsumerOffsets: 1} {
		w.make(name, partitions)
	}
	w.deny(security.Describe, security.Topic, "secret")
	ask := func(limit int32, cursor string, topics ...string) string {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit = limit
		for _, name := range topics {
			req.Topics = append(req.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: name})
		}
		if cursor != "" {
			c := kmsg.NewDescribeTopicPartitionsRequestCursor()
			name, index, _ := strings.Cut(cursor, ":")
			c.Topic = name
			fmt.Sscan(index, &c.Partition)
			req.Cursor = &c
		}
		resp := answerTo[*kmsg.DescribeTopicPartitionsResponse](w, DescribeTopicPartitions, 0, req)
		var parts []string
		for _, rt := range resp.Topics {
			text := *rt.Topic
			if rt.ErrorCode != 0 {
				text += " " + protocol.Code(rt.ErrorCode).String()
			} else if rt.TopicID != w.q.Image().Topic(*rt.Topic).ID || rt.IsInternal != cluster.IsInternal(*rt.Topic) {
				t.Errorf("%+v", rt)
			}
			for _, p := range rt.Partitions {
				text += fmt.Sprint(" ", p.Partition)
				if p.EligibleLeaderReplicas == nil || p.LastKnownELR == nil {
					t.Error("eligible replicas are null")
				}
				if p.LeaderID != 1 || len(p.Replicas) != 1 || len(p.ISR) != 1 || len(p.OfflineReplicas) != 0 {
					t.Errorf("%+v", p)
				}
			}
			if asked := rt.ErrorCode != int16(protocol.InvalidRequest) && rt.ErrorCode != int16(protocol.TopicAuthorizationFailed); asked != (rt.AuthorizedOperations > 0) {
				t.Errorf("%s: operations %d", text, rt.AuthorizedOperations)
			}
			parts = append(parts, text)
		}
		if resp.NextCursor != nil {
			parts = append(parts, fmt.Sprintf("next %s:%d", resp.NextCursor.Topic, resp.NextCursor.Partition))
		}
		return strings.Join(parts, "; ")
	}
	for _, c := range []struct {
		limit        int32
		cursor       string
		topics, want string
	}{
		{2000, "", "", "__consumer_offsets 0; a 0 1 2; b 0 1; next c:0"}, // the broker's limit is 6
		{2000, "c:0", "", "c 0"},
		{2000, "b:1", "", "b 1; c 0"},
		{2000, "bb:7", "", "c 0"}, // a topic that is gone
		{2000, "zzz:0", "", ""},
		{3, "", "a b", "a 0 1 2; next b:0"},
		{4, "", "b a b", "a 0 1 2; b 0; next b:1"},
		{4, "b:1", "a b c", "b 1; c 0"},
		{0, "", "a", "a 0; next a:1"},
		{-1, "", "a", "a 0; next a:1"},
		{2000, "a:3", "a b", "a; b 0 1"},
		{2000, "a:100", "a", "a"},
		{2000, "a:-1", "a", "a INVALID_REQUEST"},
		{2000, "ab:0", "a b", "a INVALID_REQUEST; b INVALID_REQUEST"},
		{2000, "none:0", "none", "none UNKNOWN_TOPIC_OR_PARTITION"},
		{2000, "", "none secret c x/y", "c 0; none UNKNOWN_TOPIC_OR_PARTITION; secret TOPIC_AUTHORIZATION_FAILED; x/y INVALID_TOPIC_EXCEPTION"},
	} {
		wantSame(t, fmt.Sprintf("limit %d cursor %q topics %q", c.limit, c.cursor, c.topics), ask(c.limit, c.cursor, strings.Fields(c.topics)...), c.want)
	}
	if slices.Contains(topicNames(w.q.Image()), "none") {
		t.Error("it created a topic")
	}
	// All topics, page by page.
	var pages []string
	for cursor, n := "", 0; n < 10; n++ {
		page := ask(1, cursor)
		before, next, more := strings.Cut(page, "; next ")
		pages = append(pages, before)
		if !more {
			break
		}
		cursor = next
	}
	wantSame(t, "pages", strings.Join(pages, "|"), "__consumer_offsets 0|a 0|a 1|a 2|b 0|b 1|c 0")
}

// TestAutoCreate: internal topics come with partitions and configs of their own, and auto factors fit one broker.
func TestAutoCreate(t *testing.T) {
	w := newClusterWorld(t, "num.partitions", "2", "offsets.topic.num.partitions", "5")
	failed := w.AutoCreate(context.Background(), []string{"plain", cluster.ConsumerOffsets, cluster.TransactionState, cluster.ShareGroupState, "a/b", cluster.MetadataTopic})
	wantSame(t, "failed", len(failed), 2)
	wantSame(t, "bad name", protocol.CodeOf(failed["a/b"]), protocol.InvalidTopicException)
	image := w.q.Image()
	for name, want := range map[string]string{
		"plain":                 "2 map[]",
		cluster.ConsumerOffsets: "5 map[cleanup.policy:compact compression.type:producer segment.bytes:104857600]",
		cluster.TransactionState: "50 map[cleanup.policy:compact compression.type:uncompressed min.insync.replicas:1 " +
			"segment.bytes:104857600 unclean.leader.election.enable:false]",
		cluster.ShareGroupState: "50 map[cleanup.policy:delete compression.type:producer min.insync.replicas:1 retention.ms:-1 segment.bytes:104857600]",
	} {
		topic := image.Topic(name)
		if topic == nil {
			t.Errorf("%s is not there: %v", name, failed[name])
			continue
		}
		wantSame(t, name, fmt.Sprint(len(topic.Partitions), " ", map[string]string(image.Configs(cluster.TopicResource, name))), want)
		wantSame(t, name+" replicas", topic.Partitions[0].Replicas, []int32{1})
	}
	if failed := w.AutoCreate(context.Background(), []string{"plain"}); failed != nil {
		t.Errorf("a topic that is there: %v", failed)
	}
	if !w.AutoCreateEnabled() {
		t.Error("topics are not created by default")
	}
}
