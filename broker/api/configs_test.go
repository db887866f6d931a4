package api

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/quorum"
	"github.com/ottla/ottla/protocol"
)

var rewriteConfigs = flag.Bool("rewrite-configs", false, "write what the scripts of configs give into testdata")

// TestConfigScript runs testdata/configs.txt: commands, a line of dashes, and the answers to them. They are made on a
// cluster of one broker, number 1, with the topics t and u; Apache Kafka 4.3.1's own answers to most of them stand in
// integration/conform.
//
//	alter [dry] TYPE/NAME KEY=VALUE +LIST=ENTRY -LIST=ENTRY !KEY KEY ?9KEY=VALUE …    IncrementalAlterConfigs: set, append,
//	                           subtract, delete, set to null, operation 9; several TYPE/NAME are several resources
//	replace [dry] TYPE/NAME KEY=VALUE …           AlterConfigs
//	describe [synonyms] [all] TYPE/NAME KEY …     DescribeConfigs; all shows what is at its default too
//	list [vN] TYPE …                              ListConfigResources
//	deny OPERATION             from now on the principal may not do that to anything; deny alone allows all again
//	down                       from now on there is no controller
func TestConfigScript(t *testing.T) {
	const file = "testdata/configs.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newConfigScene(t)
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		commands, _, _ := strings.Cut(block, "\n----")
		fmt.Fprintf(&out, "%s\n----\n", commands)
		for command := range strings.Lines(commands) {
			if !strings.HasPrefix(command, "#") {
				out.WriteString(s.run(strings.TrimSpace(command)))
			}
		}
		out.WriteByte('\n')
	}
	got := strings.TrimSpace(out.String()) + "\n"
	if *rewriteConfigs {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(text) {
		t.Errorf("%s gives something else; run with -rewrite-configs and read the difference", file)
		want, have := strings.Split(string(text), "\n"), strings.Split(got, "\n")
		for i := range min(len(want), len(have)) {
			if want[i] != have[i] {
				t.Fatalf("line %d:\n  want %s\n  have %s", i+1, want[i], have[i])
			}
		}
	}
}

// configScene is a server whose cluster is an image and nothing else.
type configScene struct {
	t      *testing.T
	server *Server
	image  *cluster.Image
	static *config.Broker
	config *config.Broker // static and what the image sets
	denied string
	down   bool
	answer kmsg.Response
}

func newConfigScene(t *testing.T) *configScene {
	s := &configScene{t: t, image: cluster.Empty(), static: config.Default()}
	s.server = &Server{
		NodeID: 1, Authorizer: s, Log: slog.New(slog.DiscardHandler), Now: time.Now, Cluster: s,
		ClusterService: ClusterService{Config: func() *config.Broker { return s.config }},
		ConfigService:  ConfigService{Loggers: &Loggers{Root: new(slog.LevelVar)}},
	}
	s.must(func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return image.StartBroker(cluster.Registration{ID: 1, Incarnation: [16]byte{1}, LogDirs: [][16]byte{{1}}})
	})
	s.must(func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		one := func(name string) cluster.NewTopic {
			return cluster.NewTopic{Name: name, Partitions: 1, ReplicationFactor: 1}
		}
		records, _ := image.CreateTopics([]cluster.NewTopic{one("t"), one("u")},
			cluster.Creation{Partitions: 1, ReplicationFactor: 1, Rand: rand.New(rand.NewPCG(1, 2))})
		return records, nil
	})
	return s
}

func (s *configScene) must(decide quorum.Decide) {
	s.t.Helper()
	if _, err := s.Propose(context.Background(), decide); err != nil {
		s.t.Fatal(err)
	}
}

func (s *configScene) Image() *cluster.Image { return s.image }

func (s *configScene) Propose(_ context.Context, decide quorum.Decide) (*cluster.Image, error) {
	if s.down {
		return nil, protocol.Errorf(protocol.NotController, "There is no controller.")
	}
	records, err := decide(s.image, time.Time{})
	if err != nil {
		return nil, err
	}
	s.image, _, err = s.image.Apply(s.image.Offset()+1, 1, records)
	s.config = s.static.WithDynamic(s.image.Configs(cluster.BrokerResource, ""), s.image.Configs(cluster.BrokerResource, "1"))
	return s.image, err
}

func (s *configScene) Allowed(_ security.Subject, op security.Operation, _ security.ResourceType, name string) bool {
	names := map[security.Operation]string{security.AlterConfigs: "ALTER_CONFIGS", security.DescribeConfigs: "DESCRIBE_CONFIGS"}
	return s.denied == "" || names[op] != s.denied && s.denied != name
}

func (s *configScene) AllowedAny(who security.Subject, op security.Operation, on security.ResourceType) bool {
	return s.Allowed(who, op, on, "")
}

func (s *configScene) Reply(resp kmsg.Response)                { s.answer = resp }
func (s *configScene) ReplyParts([]protocol.Part, int, func()) { s.t.Error("parts") }
func (s *configScene) NoReply()                                { s.t.Error("no reply") }
func (s *configScene) Close(why error)                         { s.t.Errorf("closed: %v", why) }

// ask has a request answered, and reads the answer as it would come off the wire.
func (s *configScene) ask(h Handler, req kmsg.Request, version int16) kmsg.Response {
	s.t.Helper()
	req.SetVersion(version)
	s.answer = nil
	h(s.server, NewRequest(protocol.RequestHeader{Key: protocol.Key(req.Key()), Version: version}, req, 0, time.Time{},
		&Conn{Principal: security.Anonymous, Remote: &net.TCPAddr{}}, s))
	if s.answer == nil {
		s.t.Fatal("no answer")
	}
	read := req.ResponseKind()
	read.SetVersion(version)
	if err := read.ReadFrom(s.answer.AppendTo(nil)); err != nil {
		s.t.Fatalf("the answer of version %d cannot be read: %v", version, err)
	}
	return read
}

var resourceTypes = map[string]kmsg.ConfigResourceType{"topic": 2, "broker": 4, "logger": 8, "metrics": 16, "group": 32, "planet": 99, "none": 0}

func typeName(t int8) string {
	for name, code := range resourceTypes {
		if int8(code) == t {
			return name
		}
	}
	return strconv.Itoa(int(t))
}

func resource(word string) (kmsg.ConfigResourceType, string, bool) {
	kind, name, ok := strings.Cut(word, "/")
	code, known := resourceTypes[kind]
	return code, name, ok && known
}

func (s *configScene) run(command string) string {
	words := strings.Fields(command)
	verb, words := words[0], words[1:]
	flags := map[string]bool{}
	for len(words) > 0 && slices.Contains([]string{"dry", "all", "synonyms", "v0", "v1"}, words[0]) {
		flags[words[0]], words = true, words[1:]
	}
	switch verb {
	case "alter":
		return s.alter(words, flags["dry"])
	case "replace":
		return s.replace(words, flags["dry"])
	case "describe":
		return s.describe(words, flags)
	case "list":
		return s.list(words, flags["v0"])
	case "deny":
		s.denied = strings.Join(words, " ")
		return ""
	case "down":
		s.down = true
		return ""
	}
	s.t.Fatalf("no such command: %s", command)
	return ""
}

func (s *configScene) alter(words []string, dry bool) string {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.ValidateOnly = dry
	for _, w := range words {
		if kind, name, ok := resource(w); ok {
			req.Resources = append(req.Resources, kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kind, ResourceName: name})
			continue
		}
		last := &req.Resources[len(req.Resources)-1]
		last.Configs = append(last.Configs, operation(w))
	}
	// Both versions say the same. The first is only tried, so that the second finds what the first found.
	req.ValidateOnly = true
	first := s.ask(IncrementalAlterConfigs, req, 0).(*kmsg.IncrementalAlterConfigsResponse)
	req.ValidateOnly = dry
	resp := s.ask(IncrementalAlterConfigs, req, 1).(*kmsg.IncrementalAlterConfigsResponse)
	var out strings.Builder
	for i, r := range resp.Resources {
		if !s.down && first.Resources[i].ErrorCode != r.ErrorCode {
			s.t.Errorf("version 0 answers %d, version 1 %d", first.Resources[i].ErrorCode, r.ErrorCode)
		}
		out.WriteString(outcome(int8(r.ResourceType), r.ResourceName, r.ErrorCode, r.ErrorMessage))
	}
	return out.String()
}

func operation(word string) kmsg.IncrementalAlterConfigsRequestResourceConfig {
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	switch word[0] {
	case '+':
		c.Op, word = kmsg.IncrementalAlterConfigOpAppend, word[1:]
	case '-':
		c.Op, word = kmsg.IncrementalAlterConfigOpSubtract, word[1:]
	case '!':
		c.Op, word = kmsg.IncrementalAlterConfigOpDelete, word[1:]
	case '?':
		c.Op, word = kmsg.IncrementalAlterConfigOp(word[1]-'0'), word[2:]
	}
	name, value, ok := strings.Cut(word, "=")
	c.Name = name
	if ok {
		c.Value = &value
	}
	return c
}

func (s *configScene) replace(words []string, dry bool) string {
	req := kmsg.NewPtrAlterConfigsRequest()
	req.ValidateOnly = dry
	for _, w := range words {
		if kind, name, ok := resource(w); ok {
			req.Resources = append(req.Resources, kmsg.AlterConfigsRequestResource{ResourceType: kind, ResourceName: name})
			continue
		}
		name, value, ok := strings.Cut(w, "=")
		c := kmsg.AlterConfigsRequestResourceConfig{Name: name}
		if ok {
			c.Value = &value
		}
		last := &req.Resources[len(req.Resources)-1]
		last.Configs = append(last.Configs, c)
	}
	var out strings.Builder
	for version := range int16(3) {
		out.Reset()
		for _, r := range s.ask(AlterConfigs, req, version).(*kmsg.AlterConfigsResponse).Resources {
			out.WriteString(outcome(int8(r.ResourceType), r.ResourceName, r.ErrorCode, r.ErrorMessage))
		}
	}
	return out.String()
}

func outcome(kind int8, name string, code int16, message *string) string {
	said := ""
	if message != nil && *message != "" {
		said = ": " + *message
	}
	what := "ok"
	if code != 0 {
		what = protocol.Code(code).String()
	}
	return fmt.Sprintf("%s/%s %s%s\n", typeName(kind), name, what, said)
}

func (s *configScene) describe(words []string, flags map[string]bool) string {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms, req.IncludeDocumentation = flags["synonyms"], true
	for _, w := range words {
		if kind, name, ok := resource(w); ok {
			req.Resources = append(req.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kind, ResourceName: name})
			continue
		}
		last := &req.Resources[len(req.Resources)-1]
		last.ConfigNames = append(last.ConfigNames, w)
	}
	var out strings.Builder
	for version := int16(1); version <= 4; version++ {
		out.Reset()
		for i, r := range s.ask(DescribeConfigs, req, version).(*kmsg.DescribeConfigsResponse).Resources {
			if r.ErrorMessage == nil {
				s.t.Error("a message is left out; Java's Admin can take that, Kafka never does it")
			}
			out.WriteString(outcome(int8(r.ResourceType), r.ResourceName, r.ErrorCode, r.ErrorMessage))
			for _, c := range r.Configs {
				if c.Source == kmsg.ConfigSourceDefaultConfig && !flags["all"] && len(req.Resources[i].ConfigNames) == 0 {
					continue
				}
				out.WriteString(shown(c))
				known := c.Source != kmsg.ConfigSourceDynamicBrokerLoggerConfig && !(c.IsSensitive && c.ConfigType == 0)
				if version >= 3 && known && (c.Documentation == nil || c.ConfigType == 0) {
					s.t.Errorf("%s has no documentation or no type in version %d", c.Name, version)
				}
			}
		}
	}
	return out.String()
}

func shown(c kmsg.DescribeConfigsResponseResourceConfig) string {
	value := func(v *string) string {
		if v == nil {
			return "null"
		}
		return strconv.Quote(*v)
	}
	text := fmt.Sprintf("  %s=%s %s", c.Name, value(c.Value), c.Source)
	if c.ReadOnly {
		text += " read-only"
	}
	if c.IsSensitive {
		text += " sensitive"
	}
	for _, s := range c.ConfigSynonyms {
		text += fmt.Sprintf("\n    %s=%s %s", s.Name, value(s.Value), s.Source)
	}
	return text + "\n"
}

func (s *configScene) list(words []string, v0 bool) string {
	req := kmsg.NewPtrListConfigResourcesRequest()
	for _, w := range words {
		req.ResourceTypes = append(req.ResourceTypes, int8(resourceTypes[w]))
	}
	version := int16(1)
	if v0 {
		version = 0
	}
	resp := s.ask(ListConfigResources, req, version).(*kmsg.ListConfigResourcesResponse)
	if resp.ErrorCode != 0 {
		return protocol.Code(resp.ErrorCode).String() + "\n"
	}
	var out bytes.Buffer
	for _, r := range resp.ConfigResources {
		fmt.Fprintf(&out, "%s/%s\n", typeName(r.Type), r.Name)
	}
	return out.String()
}

// TestNoControllerChangesNothing: an outcome that is not known is never told as success.
func TestNoControllerChangesNothing(t *testing.T) {
	s := newConfigScene(t)
	changes := []alteration{
		{resource: cluster.Resource{Type: cluster.TopicResource, Name: "t"}, decide: func(*cluster.Image) ([]cluster.Record, error) { return nil, nil }},
		{err: errors.New("refused before"), done: true},
	}
	s.down = true
	results := s.server.alter(changes, false)
	if protocol.CodeOf(results[0]) != protocol.NotController || results[1] != changes[1].err {
		t.Errorf("%v", results)
	}
}

// TestDescribingIsBounded: a request of a few bytes a resource cannot ask for gigabytes. What is left out says so.
func TestDescribingIsBounded(t *testing.T) {
	s := newConfigScene(t)
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms, req.IncludeDocumentation = true, true
	const resources = 2_000 // 340 keys of a broker each, with documentation
	for range resources {
		req.Resources = append(req.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "1"})
	}
	resp := s.ask(DescribeConfigs, req, 4).(*kmsg.DescribeConfigsResponse)
	if len(resp.Resources) != resources {
		t.Fatalf("%d answers", len(resp.Resources))
	}
	entries, refused := 0, 0
	for _, r := range resp.Resources {
		entries += len(r.Configs)
		if r.ErrorCode == int16(protocol.InvalidRequest) {
			refused++
		}
	}
	if refused == 0 || entries > describedBytesMax/describedEntryBytes+400 {
		t.Errorf("%d entries are shown, %d resources refused", entries, refused)
	}
}

// TestAlteringIsBounded: one request cannot put more into the metadata log than that takes.
func TestAlteringIsBounded(t *testing.T) {
	s := newConfigScene(t)
	alter := func(groups, valueBytes int) int16 {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		value := "50000" + strings.Repeat(" ", valueBytes)
		for i := range groups {
			req.Resources = append(req.Resources, kmsg.IncrementalAlterConfigsRequestResource{
				ResourceType: 32, ResourceName: "g" + strconv.Itoa(i),
				Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "consumer.session.timeout.ms", Value: &value}},
			})
		}
		resp := s.ask(IncrementalAlterConfigs, req, 1).(*kmsg.IncrementalAlterConfigsResponse)
		return resp.Resources[0].ErrorCode
	}
	before := s.image.Offset()
	for _, c := range []struct{ groups, bytes int }{{configRecordsMax + 1, 0}, {9, 1 << 20}} {
		if code := alter(c.groups, c.bytes); code != int16(protocol.PolicyViolation) || s.image.Offset() != before {
			t.Errorf("%d groups with %d bytes each: %s", c.groups, c.bytes, protocol.Code(code))
		}
	}
	if code := alter(configRecordsMax, 0); code != 0 {
		t.Errorf("as many as are allowed: %s", protocol.Code(code))
	}
}
