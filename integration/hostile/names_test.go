package hostile

import (
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/protocol"
)

// legal is Kafka's rule for names of topics.
var legal = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func isLegal(name string) bool { return legal.MatchString(name) && name != "." && name != ".." }

// legalButOdd are names that a topic may have.
var legalButOdd = []string{"-", "_x", "...", "..a", "a..", "-0", "x-0", "x-0-delete", "x.0123456789abcdef0123456789abcdef-delete", "meta.properties",
	".lock", ".kafka_cleanshutdown", "recovery-point-offset-checkpoint", "00000000000000000000.log", "CON", "nul", "~", "a.b.c",
	strings.Repeat("a", 249), strings.Repeat(".", 249), strings.Repeat("-", 248) + "0"}

// hostileNames are n names, few of them legal. A file of any name would have "escape" in its own.
func hostileNames(random *rand.Rand, dir string, n int) []string {
	pieces := []string{"..", "/", ".", "\\", "\x00", "escape", "%2e%2e%2f", "~", "$HOME", "*", " ", "\n", "\r", "\t", "\x7f", "\xff", "\xc0\xae", "ä", "\u202e",
		"\U0001F4A9", ":", "a", "-0", "_", "con", "|", "`", "'", "\"", ";", "&&", "<", ">", "%s%n", "{}", "\x1b[2J", strings.Repeat("b", 100)}
	names := []string{"", ".", "..", "/", "//", "escape/", "/escape", "../escape", "../../escape", "../../../escape", "../../../../../../../escape",
		dir + "/escape", "a/../../escape", "./escape", "escape/.", "a\x00/../escape", strings.Repeat("a", 250), strings.Repeat("../", 80) + "escape",
		strings.Repeat("a", math.MaxInt16), strings.Repeat("/", math.MaxInt16)}
	for len(names) < n {
		var b strings.Builder
		for range 1 + random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		names = append(names, b.String())
	}
	return names
}

// Names that want to be paths, or that no name may be: none gets further than an error code.
func TestHostileTopicNames(t *testing.T) {
	b, dir := attackBelow(t)
	random, _ := seeded(t)
	p := b.dial(t)
	names := hostileNames(random, dir, scale(11_500, 2000, 1_000_000))
	illegal := 0
	for len(names) > 0 {
		n := min(100, len(names))
		some := names[:n]
		names = names[n:]
		illegal += refusedByAll(t, p, some)
	}
	for _, name := range legalButOdd {
		if code := created(t, p, name); code != protocol.None && isLegal(name) {
			t.Errorf("%q is a legal name, but %s", name, code)
		}
	}
	for _, taken := range []struct{ name, by string }{{"a_b_c", "a.b.c"}, {"a.b_c", "a.b.c"}, {"__cluster_metadata", "the metadata log"}} {
		if code := created(t, p, taken.name); code == protocol.None {
			t.Errorf("%s is a topic now, which clashes with %s", taken.name, taken.by)
		}
	}
	t.Logf("FIGURE %d illegal names of topics refused by 7 APIs", illegal)
	checkSandbox(t, b, dir)
}

// refusedByAll asks for names by every API that could make something of one. It returns how many were illegal.
func refusedByAll(t *testing.T, p *peer, names []string) (illegal int) {
	t.Helper()
	expect := func(what, name string, code int16, want ...protocol.Code) {
		t.Helper()
		for _, w := range want {
			if protocol.Code(code) == w {
				return
			}
		}
		t.Errorf("%s of %.60q: %s, want %v", what, name, protocol.Code(code), want)
	}
	var bad []string
	seen := map[string]bool{}
	for _, name := range names {
		if !isLegal(name) && !seen[name] {
			bad = append(bad, name)
			seen[name] = true
		}
	}
	metadata := metadataOf(bad...)
	metadata.AllowAutoTopicCreation = true
	for _, topic := range mustAsk[*kmsg.MetadataResponse](t, p, metadata).Topics {
		expect("metadata", *topic.Topic, topic.ErrorCode, protocol.InvalidTopicException)
	}
	create := kmsg.NewPtrCreateTopicsRequest()
	create.SetVersion(7)
	create.TimeoutMillis = int32(patience.Milliseconds())
	produce, fetch := produceTo("", batchOf(1)), fetchFrom("", 0, 0, 1)
	produce.Topics, fetch.Topics = nil, nil
	configs, alter := kmsg.NewPtrDescribeConfigsRequest(), kmsg.NewPtrIncrementalAlterConfigsRequest()
	configs.SetVersion(4)
	alter.SetVersion(1)
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.SetVersion(8)
	commit.Group, commit.Generation = "g", -1
	for _, name := range bad {
		create.Topics = append(create.Topics, kmsg.CreateTopicsRequestTopic{Topic: name, NumPartitions: 1, ReplicationFactor: 1})
		produce.Topics = append(produce.Topics, kmsg.ProduceRequestTopic{Topic: name, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: batchOf(1)}}})
		fetch.Topics = append(fetch.Topics, kmsg.FetchRequestTopic{Topic: name, Partitions: []kmsg.FetchRequestTopicPartition{kmsg.NewFetchRequestTopicPartition()}})
		configs.Resources = append(configs.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name})
		value := "1000"
		alter.Resources = append(alter.Resources, kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: name,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: &value}}})
		commit.Topics = append(commit.Topics, kmsg.OffsetCommitRequestTopic{Topic: name, Partitions: []kmsg.OffsetCommitRequestTopicPartition{kmsg.NewOffsetCommitRequestTopicPartition()}})
	}
	for _, topic := range mustAsk[*kmsg.CreateTopicsResponse](t, p, create).Topics {
		expect("creation", topic.Topic, topic.ErrorCode, protocol.InvalidTopicException)
	}
	for _, topic := range mustAsk[*kmsg.ProduceResponse](t, p, produce).Topics {
		expect("produce", topic.Topic, topic.Partitions[0].ErrorCode, protocol.UnknownTopicOrPartition, protocol.InvalidTopicException)
	}
	for _, topic := range mustAsk[*kmsg.FetchResponse](t, p, fetch).Topics {
		expect("fetch", topic.Topic, topic.Partitions[0].ErrorCode, protocol.UnknownTopicOrPartition)
	}
	for _, r := range mustAsk[*kmsg.DescribeConfigsResponse](t, p, configs).Resources {
		expect("configs", r.ResourceName, r.ErrorCode, protocol.InvalidTopicException)
	}
	for _, r := range mustAsk[*kmsg.IncrementalAlterConfigsResponse](t, p, alter).Resources {
		expect("new configs", r.ResourceName, r.ErrorCode, protocol.InvalidTopicException, protocol.InvalidRequest)
	}
	for _, topic := range mustAsk[*kmsg.OffsetCommitResponse](t, p, commit).Topics {
		expect("commit", topic.Topic, topic.Partitions[0].ErrorCode, protocol.UnknownTopicOrPartition)
	}
	return len(bad)
}

func created(t *testing.T, p *peer, name string) protocol.Code {
	t.Helper()
	r := kmsg.NewPtrCreateTopicsRequest()
	r.SetVersion(7)
	r.TimeoutMillis = int32(patience.Milliseconds())
	r.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: name, NumPartitions: 1, ReplicationFactor: 1}}
	return protocol.Code(mustAsk[*kmsg.CreateTopicsResponse](t, p, r).Topics[0].ErrorCode)
}

// Group ids may be any string: none of them is a path, and each group has its own offsets, after a restart too.
func TestHostileGroupIDs(t *testing.T) {
	b, dir := attackBelow(t)
	random, _ := seeded(t)
	b.create("t", 1, nil)
	p := b.dial(t)
	coordinatorOf(t, p, "g")
	groups := map[string]int64{}
	for _, id := range hostileNames(random, dir, scale(14_000, 1000, 200_000)) {
		if id != "" && len(groups) < 1<<20 {
			groups[id] = int64(len(groups))
		}
	}
	commit := func(id string, offset int64) *kmsg.OffsetCommitRequest {
		r := kmsg.NewPtrOffsetCommitRequest()
		r.SetVersion(8)
		r.Group, r.Generation = id, -1
		partition := kmsg.NewOffsetCommitRequestTopicPartition()
		partition.Offset = offset
		r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{partition}}}
		return r
	}
	for id, offset := range groups {
		if code := mustAsk[*kmsg.OffsetCommitResponse](t, p, commit(id, offset)).Topics[0].Partitions[0].ErrorCode; code != 0 {
			t.Errorf("commit for group %.60q of %d bytes: %s", id, len(id), protocol.Code(code))
		}
	}
	join := kmsg.NewPtrJoinGroupRequest()
	join.SetVersion(3)
	join.SessionTimeoutMillis, join.ProtocolType = 10_000, "consumer"
	if code := mustAsk[*kmsg.JoinGroupResponse](t, p, join).ErrorCode; code != int16(protocol.InvalidGroupID) {
		t.Errorf("a group without a name: %s", protocol.Code(code))
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	p = b.dial(t)
	coordinatorOf(t, p, "g")
	for id, offset := range groups {
		r := kmsg.NewPtrOffsetFetchRequest()
		r.SetVersion(5)
		r.Group = id
		r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
		got := mustAsk[*kmsg.OffsetFetchResponse](t, p, r).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.Offset != offset {
			t.Errorf("group %.60q of %d bytes is at %d after a restart, want %d", id, len(id), got.Offset, offset)
		}
	}
	t.Logf("FIGURE %d hostile group ids kept their offsets over a restart", len(groups))
	checkSandbox(t, b, dir)
}

// coordinatorOf waits until the coordinator of groups is there.
func coordinatorOf(t *testing.T, p *peer, group string) {
	t.Helper()
	r := kmsg.NewPtrFindCoordinatorRequest()
	r.SetVersion(2)
	r.CoordinatorKey = group
	eventually(t, "no coordinator", func() bool { return mustAsk[*kmsg.FindCoordinatorResponse](t, p, r).ErrorCode == 0 })
	describe := kmsg.NewPtrListGroupsRequest()
	describe.SetVersion(3)
	eventually(t, "the coordinator loads", func() bool { return mustAsk[*kmsg.ListGroupsResponse](t, p, describe).ErrorCode == 0 })
}

// A client's name for itself goes into logs, members' ids and descriptions: whatever it is, answers stay readable and the
// log stays the broker's.
func TestHostileClientIDs(t *testing.T) {
	b := attack(t, map[string]string{"group.min.session.timeout.ms": "1"})
	p := b.dial(t)
	coordinatorOf(t, p, "g")
	ids := append([]string{"", "a\nlevel=ERROR msg=forged\n", "\x1b[2J", "\x00", "\xff\xfe", "../../x"}, strings.Repeat("x", math.MaxInt16), strings.Repeat("\n", math.MaxInt16))
	for _, id := range ids {
		named := kmsg.NewRequestFormatter(kmsg.FormatterClientID(id))
		for version := range int16(10) {
			for _, instance := range []*string{nil, &id} {
				join := kmsg.NewPtrJoinGroupRequest()
				join.SetVersion(version)
				join.Group, join.ProtocolType = "g", "consumer"
				join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 50, 1
				join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0}}}
				join.InstanceID = instance
				p := b.dial(t)
				if err := p.write(named.AppendRequest(nil, join, 1)); err != nil {
					t.Fatal(err)
				}
				_, body, err := p.receive()
				if err != nil {
					t.Errorf("client id of %d bytes, JoinGroup version %d: %v", len(id), version, err)
					continue
				}
				if _, err := decode(join, body); err != nil {
					t.Errorf("client id of %d bytes, JoinGroup version %d: the answer cannot be read: %v", len(id), version, err)
				}
				for describing := range int16(7) {
					r := kmsg.NewPtrDescribeGroupsRequest()
					r.SetVersion(describing)
					r.Groups = []string{"g"}
					if _, err := p.ask(r); err != nil {
						t.Errorf("client id of %d bytes, DescribeGroups version %d: %v", len(id), describing, err)
					}
				}
				p.write([]byte{0xff, 0xff, 0xff, 0xff}) // and to the log with it
				p.Close()
			}
		}
	}
	for _, line := range b.Said() {
		if line != "" && !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, "\x00") {
			t.Errorf("a line of the log that the broker did not write: %q", line)
		}
	}
}

// attackBelow starts a broker some folders below one that nothing else is in.
func attackBelow(t *testing.T) (b *target, root string) {
	t.Helper()
	if launch.Against() == "kafka" {
		t.Skip("these bounds are ours")
	}
	root = t.TempDir()
	b = &target{launch.Start(t, launch.Options{Dir: filepath.Join(root, "a", "b", "c"), Set: map[string]string{
		"group.initial.rebalance.delay.ms": "0", "log.durability": "pagecache", "offsets.topic.num.partitions": "3",
	}}), t}
	t.Cleanup(b.examine)
	return b, root
}

// checkSandbox fails for any file that hostile names have made, above the data directory or in it.
func checkSandbox(t *testing.T, b *target, root string) {
	t.Helper()
	filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if strings.HasPrefix(path, b.DataDir) {
			if strings.Contains(e.Name(), "escape") {
				t.Errorf("a hostile name in the data directory: %q", path)
			}
			return nil
		}
		rel, _ := filepath.Rel(root, path)
		if !e.IsDir() && path != b.LogFile {
			t.Errorf("outside the data directory: %q", rel)
		}
		if e.IsDir() && !strings.HasPrefix(b.DataDir, path) {
			t.Errorf("outside the data directory: %q", rel)
		}
		return nil
	})
	for _, above := range []string{"/escape", filepath.Join(filepath.Dir(root), "escape")} {
		if found, _ := filepath.Glob(above + "*"); len(found) > 0 {
			t.Errorf("outside the data directory: %q", found)
		}
	}
	checkNames(t, b.DataDir)
}
