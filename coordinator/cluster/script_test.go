package cluster

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts give into testdata")

// TestScripts runs testdata/*.txt: commands, a line of dashes, and what comes of them. A command is decided on the image
// that the ones before left; its records are printed and applied. After every command the invariants are checked.
func TestScripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newScript(t)
			var out strings.Builder
			for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
				commands, _, _ := strings.Cut(block, "\n----")
				fmt.Fprintf(&out, "%s\n----\n%s\n", strings.TrimRight(commands, "\n"), s.run(commands))
			}
			got := strings.TrimRight(out.String(), "\n") + "\n"
			if *rewrite {
				os.WriteFile(file, []byte(got), 0o644)
			} else if got != string(text) {
				t.Errorf("%s: got\n%s", file, difference(string(text), got))
			}
		})
	}
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for n := range min(len(w), len(g)) {
		if w[n] != g[n] {
			return fmt.Sprintf("line %d\n  want %s\n  got  %s", n+1, w[n], g[n])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

type script struct {
	t     *testing.T
	image *Image
	log   [][]Record
	rand  *rand.Rand
	ids   map[TopicID]string // shown instead of random ids
}

func newScript(t *testing.T) *script {
	return &script{t: t, image: Empty(), rand: rand.New(rand.NewPCG(1, 2)), ids: map[TopicID]string{}}
}

func (s *script) run(commands string) string {
	var out strings.Builder
	for line := range strings.SplitSeq(commands, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			s.command(&out, line)
		}
	}
	return out.String()
}

func (s *script) command(out *strings.Builder, line string) {
	words := strings.Fields(line)
	c, ok := scriptCommands[words[0]]
	if !ok {
		s.t.Fatalf("no command %q", line)
	}
	records := c(s, out, words[1:])
	if len(records) == 0 {
		return
	}
	offset := int64(len(s.log))
	for _, r := range records {
		if r, ok := r.(*record.TopicRecord); ok && s.ids[r.TopicID] == "" {
			s.ids[r.TopicID] = fmt.Sprintf("id%d", len(s.ids)+1)
		}
	}
	s.print(out, records)
	after, delta, err := s.image.Apply(offset, 1, records)
	if err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	s.log = append(s.log, records)
	checkInvariants(s.t, s.image, after, delta)
	s.image = after
}

// print shows records, the first ones of very many.
func (s *script) print(out *strings.Builder, records []Record) {
	for n, r := range records {
		if n == 20 {
			fmt.Fprintf(out, "… %d records\n", len(records))
			return
		}
		fmt.Fprintln(out, s.show(r))
	}
}

func (s *script) show(r Record) string {
	list := func(name string, ids []int32) string {
		if ids == nil || len(ids) == 0 && strings.HasPrefix(name, " el") {
			return ""
		}
		return fmt.Sprintf("%s=%v", name, ids)
	}
	switch r := r.(type) {
	case *record.TopicRecord:
		return fmt.Sprintf("topic %s %s", r.Name, s.ids[r.TopicID])
	case *record.RemoveTopicRecord:
		return "remove " + s.ids[r.TopicID]
	case *record.PartitionRecord:
		return fmt.Sprintf("partition %s-%d replicas=%v isr=%v leader=%d epoch=%d/%d", s.ids[r.TopicID], r.PartitionID,
			r.Replicas, r.ISR, r.Leader, r.LeaderEpoch, r.PartitionEpoch)
	case *record.PartitionChangeRecord:
		text := fmt.Sprintf("change %s-%d%s%s", s.ids[r.TopicID], r.PartitionID, list(" isr", r.ISR), list(" replicas", r.Replicas))
		if r.Leader != leaderAsBefore {
			text += fmt.Sprintf(" leader=%d", r.Leader)
		}
		if r.LeaderRecoveryState != recoveryAsBefore {
			text += fmt.Sprintf(" recovering=%d", r.LeaderRecoveryState)
		}
		return text
	case *record.ConfigRecord:
		if r.Value == nil {
			return fmt.Sprintf("config %d %q %s removed", r.ResourceType, r.ResourceName, r.Name)
		}
		return fmt.Sprintf("config %d %q %s=%s", r.ResourceType, r.ResourceName, r.Name, *r.Value)
	case *record.RegisterBrokerRecord:
		return fmt.Sprintf("register %d epoch=%d fenced=%v features=%v", r.BrokerID, r.BrokerEpoch, r.Fenced, r.Features)
	case *record.BrokerRegistrationChangeRecord:
		return fmt.Sprintf("broker %d epoch=%d fenced=%d shutdown=%d", r.BrokerID, r.BrokerEpoch, r.Fenced, r.InControlledShutdown)
	case *record.UnregisterBrokerRecord:
		return fmt.Sprintf("unregister %d epoch=%d", r.BrokerID, r.BrokerEpoch)
	case *record.FeatureLevelRecord:
		return fmt.Sprintf("feature %s=%d", r.Name, r.FeatureLevel)
	case *record.ProducerIdsRecord:
		return fmt.Sprintf("producer ids broker=%d epoch=%d next=%d", r.BrokerID, r.BrokerEpoch, r.NextProducerID)
	}
	return fmt.Sprintf("%T", r)
}

// scriptCommands print answers and return records.
var scriptCommands = map[string]func(s *script, out *strings.Builder, args []string) []Record{
	"bootstrap": func(*script, *strings.Builder, []string) []Record { return Bootstrap() },
	// start ID [rack=R]
	"start": func(s *script, out *strings.Builder, args []string) []Record {
		id := number(args[0])
		r := Registration{ID: id, Incarnation: [16]byte{1, byte(len(s.log))}, LogDirs: [][16]byte{{9, byte(id)}}}
		for _, a := range args[1:] {
			switch key, value, _ := strings.Cut(a, "="); key {
			case "rack":
				r.Rack = &value
			case "dir":
				r.LogDirs = [][16]byte{{9, byte(number(value))}}
			}
		}
		records, err := s.image.StartBroker(r)
		printError(out, "start", err)
		return records
	},
	// fence ID | shutdown ID: what the controller will do to a broker that is silent or leaves
	"fence": func(s *script, _ *strings.Builder, args []string) []Record {
		b := s.image.Broker(number(args[0]))
		return append(s.image.leave(b.ID), &record.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: 1})
	},
	"shutdown": func(s *script, _ *strings.Builder, args []string) []Record {
		b := s.image.Broker(number(args[0]))
		return []Record{&record.BrokerRegistrationChangeRecord{BrokerID: b.ID, BrokerEpoch: b.Epoch, InControlledShutdown: 1}}
	},
	"unregister": func(s *script, out *strings.Builder, args []string) []Record {
		records, err := s.image.UnregisterBroker(number(args[0]))
		printError(out, "unregister", err)
		return records
	},
	// create NAME [partitions=N] [factor=N] [assign=P:1,2;P:2,3] [config KEY=VALUE ...] [+ NAME ...]
	"create": func(s *script, out *strings.Builder, args []string) []Record {
		var topics []NewTopic
		for part := range strings.SplitSeq(strings.Join(args, " "), " + ") {
			topics = append(topics, newTopicOf(strings.Fields(part)))
		}
		records, created := s.image.CreateTopics(topics, Creation{Partitions: 2, ReplicationFactor: 1, Rand: s.rand,
			Validate: func(c map[string]string) error {
				if _, bad := c["bad"]; bad {
					return errors.New("bad is not a config")
				}
				return nil
			}})
		for _, c := range created {
			if c.Err != nil {
				printError(out, clip(c.Name), c.Err)
			} else {
				fmt.Fprintf(out, "%s: partitions=%d factor=%d configs=%v\n", clip(c.Name), c.Partitions, c.ReplicationFactor, c.Configs)
			}
		}
		return records
	},
	"delete": func(s *script, out *strings.Builder, args []string) []Record {
		var ids []TopicID
		for _, name := range args {
			if t := s.image.Topic(name); t != nil {
				ids = append(ids, t.ID)
			} else {
				ids = append(ids, TopicID{1})
			}
		}
		records, errs := s.image.DeleteTopics(ids)
		for n, err := range errs {
			printError(out, args[n], err)
		}
		return records
	},
	// grow NAME COUNT [1,2;2,3]
	"grow": func(s *script, out *strings.Builder, args []string) []Record {
		more := MorePartitions{Topic: args[0], Count: number(args[1])}
		if len(args) > 2 {
			more.Assignments = [][]int32{}
			for a := range strings.SplitSeq(args[2], ";") {
				more.Assignments = append(more.Assignments, numbers(a))
			}
		}
		records, errs := s.image.CreatePartitions([]MorePartitions{more}, s.rand)
		printError(out, args[0], errs[0])
		return records
	},
	// elect preferred|unclean NAME-P ...
	"elect": func(s *script, out *strings.Builder, args []string) []Record {
		kind := PreferredElection
		if args[0] == "unclean" {
			kind = UncleanElection
		}
		var tps []TopicPartition
		for _, a := range args[1:] {
			at := strings.LastIndex(a, "-")
			tps = append(tps, TopicPartition{a[:at], number(a[at+1:])})
		}
		records, errs := s.image.ElectLeaders(kind, tps)
		for n, err := range errs {
			printError(out, args[n+1], err)
		}
		return records
	},
	// features NAME=LEVEL:TYPE ...
	"features": func(s *script, out *strings.Builder, args []string) []Record {
		var updates []FeatureUpdate
		for _, a := range args {
			name, rest, _ := strings.Cut(a, "=")
			level, kind, _ := strings.Cut(rest, ":")
			updates = append(updates, FeatureUpdate{name, int16(number(level)), FeatureUpgrade(number(kind))})
		}
		records, err := s.image.UpdateFeatures(updates)
		printError(out, "features", err)
		return records
	},
	// producerids BROKER EPOCH
	"producerids": func(s *script, out *strings.Builder, args []string) []Record {
		records, first, err := s.image.AllocateProducerIDs(number(args[0]), int64(number(args[1])))
		printError(out, fmt.Sprintf("first=%d", first), err)
		return records
	},
	// isr BROKER BROKER-EPOCH NAME-P LEADER-EPOCH/PARTITION-EPOCH 1@EPOCH,2@EPOCH [recovering]
	"isr": func(s *script, out *strings.Builder, args []string) []Record {
		at := strings.LastIndex(args[2], "-")
		c := ISRChange{Index: number(args[2][at+1:]), Recovering: len(args) > 5, Topic: TopicID{1}}
		if t := s.image.Topic(args[2][:at]); t != nil {
			c.Topic = t.ID
		}
		leader, partition, _ := strings.Cut(args[3], "/")
		c.LeaderEpoch, c.PartitionEpoch = number(leader), number(partition)
		for member := range strings.SplitSeq(args[4], ",") {
			if id, epoch, ok := strings.Cut(member, "@"); ok {
				c.ISR = append(c.ISR, InSync{number(id), int64(number(epoch))})
			}
		}
		change, err := s.image.AlterPartition(number(args[0]), int64(number(args[1])), c)
		printError(out, args[2], err)
		if err != nil {
			return nil
		}
		return []Record{change}
	},
	// configs topic|broker NAME set k=v del k app k=v sub k=v   (NAME - is empty); replace k=v ... sets all
	"configs": func(s *script, out *strings.Builder, args []string) []Record {
		r := Resource{map[string]ResourceType{"topic": TopicResource, "broker": BrokerResource}[args[0]], strings.Trim(args[1], "-")}
		rules := ConfigRules{
			IsList:  func(_ ResourceType, name string) bool { return name == "cleanup.policy" },
			Default: func(ResourceType, string) string { return "delete" },
			Validate: func(_ Resource, c map[string]string) error {
				if _, bad := c["bad"]; bad {
					return errors.New("bad is not a config")
				}
				return nil
			},
		}
		var records []Record
		var err error
		if args[2] == "replace" {
			var given []ConfigValue
			for _, a := range args[3:] {
				given = append(given, valueOf(a))
			}
			records, err = s.image.AlterConfigs(r, given, rules)
		} else {
			var changes []ConfigChange
			ops := map[string]ConfigOp{"set": SetConfig, "del": DeleteConfig, "app": AppendConfig, "sub": SubtractConfig, "wat": 9}
			for n := 2; n+1 < len(args); n += 2 {
				v := valueOf(args[n+1])
				changes = append(changes, ConfigChange{ops[args[n]], v.Name, v.Value})
			}
			records, err = s.image.IncrementalAlterConfigs(r, changes, rules)
		}
		printError(out, "configs", err)
		return records
	},
	"image": func(s *script, out *strings.Builder, _ []string) []Record {
		out.WriteString(s.dump(s.image))
		return nil
	},
}

func newTopicOf(words []string) NewTopic {
	t := NewTopic{Name: words[0], Partitions: -1, ReplicationFactor: -1}
	if n, ok := strings.CutPrefix(t.Name, "long:"); ok {
		t.Name = strings.Repeat("x", int(number(n)))
	}
	if t.Name == `""` {
		t.Name = ""
	}
	for n, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "partitions":
			t.Partitions = number(value)
		case "factor":
			t.ReplicationFactor = int16(number(value))
		case "assign":
			for a := range strings.SplitSeq(value, ";") {
				p, ids, _ := strings.Cut(a, ":")
				t.Assignments = append(t.Assignments, Assignment{number(p), numbers(ids)})
			}
		case "config":
			for _, c := range words[n+2:] {
				t.Configs = append(t.Configs, valueOf(c))
			}
			return t
		}
	}
	return t
}

// valueOf reads k=v, or k for a null value.
func valueOf(text string) ConfigValue {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return ConfigValue{Name: name}
	}
	return ConfigValue{name, &value}
}

func printError(out *strings.Builder, what string, err error) {
	if err == nil {
		fmt.Fprintf(out, "%s: ok\n", what)
		return
	}
	message := ""
	if m := protocol.MessageOf(err); m != nil {
		message = " " + *m
	}
	fmt.Fprintf(out, "%s: %s%s\n", what, protocol.CodeOf(err), message)
}

func clip(name string) string {
	if len(name) > 20 {
		return fmt.Sprintf("%s…(%d)", name[:5], len(name))
	}
	return name
}

func number(s string) int32 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		panic(err)
	}
	return int32(n)
}

func numbers(s string) []int32 {
	list := []int32{}
	for n := range strings.SplitSeq(s, ",") {
		if n != "" {
			list = append(list, number(n))
		}
	}
	return list
}

// dump shows an image.
func (s *script) dump(i *Image) string {
	var out strings.Builder
	for _, b := range i.Brokers() {
		rack := ""
		if b.Rack != nil {
			rack = " rack=" + *b.Rack
		}
		fmt.Fprintf(&out, "broker %d epoch=%d fenced=%v shutdown=%v%s\n", b.ID, b.Epoch, b.Fenced, b.InControlledShutdown, rack)
	}
	for t := range i.Topics() {
		fmt.Fprintf(&out, "%s %s\n", t.Name, s.ids[t.ID])
		for n, p := range t.Partitions {
			fmt.Fprintf(&out, "  %d leader=%d epoch=%d/%d replicas=%v isr=%v", n, p.Leader, p.LeaderEpoch, p.PartitionEpoch, p.Replicas, p.ISR)
			if p.Recovering {
				out.WriteString(" recovering")
			}
			out.WriteString("\n")
		}
	}
	for key, c := range i.configs.prefixed("") {
		r := resourceOf(key)
		for _, name := range slices.Sorted(maps.Keys(c)) {
			fmt.Fprintf(&out, "config %d %q %s=%s\n", r.Type, r.Name, name, c[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.Features())) {
		fmt.Fprintf(&out, "feature %s=%d\n", name, i.features[name])
	}
	fmt.Fprintf(&out, "next producer id %d\n", i.NextProducerID())
	return out.String()
}

// checkInvariants looks at C2 to C4 and at the delta.
func checkInvariants(t *testing.T, before, after *Image, d *Delta) {
	t.Helper()
	partitions := 0
	for topic := range after.Topics() {
		if after.TopicByID(topic.ID) != topic || after.Topic(topic.Name) != topic {
			t.Errorf("C2: name and id of %s name different topics", topic.Name)
		}
		partitions += len(topic.Partitions)
		for n, p := range topic.Partitions {
			if why := p.broken(); why != "" {
				t.Errorf("C3: %s-%d %s", topic.Name, n, why)
			}
			for _, list := range [][]int32{p.Replicas, p.ISR, p.Adding, p.Removing, p.ELR, p.LastKnownELR} {
				if list == nil {
					t.Errorf("%s-%d has a nil list", topic.Name, n)
				}
			}
			was := before.TopicByID(topic.ID).Partition(int32(n))
			if was == nil || was == p {
				continue
			}
			if p.PartitionEpoch != was.PartitionEpoch+1 || p.LeaderEpoch < was.LeaderEpoch ||
				p.Leader != was.Leader && p.LeaderEpoch == was.LeaderEpoch {
				t.Errorf("C4: %s-%d went from %+v to %+v", topic.Name, n, was, p)
			}
		}
	}
	if partitions != after.PartitionCount() {
		t.Errorf("%d partitions counted as %d", partitions, after.PartitionCount())
	}
	// The delta, found record by record, must tell what a comparison of the two images finds.
	other := Difference(before, after)
	if !sameChanges(d, other) {
		t.Errorf("delta %+v\ndifference %+v", d, other)
	}
}

func sameChanges(a, b *Delta) bool {
	var x, y bytes.Buffer
	for _, v := range []struct {
		d   *Delta
		out *bytes.Buffer
	}{{a, &x}, {b, &y}} {
		var lines []string
		for _, t := range v.d.Deleted {
			lines = append(lines, "deleted "+t.Name)
		}
		for _, t := range v.d.Created {
			lines = append(lines, "created "+t.Name)
		}
		for _, c := range v.d.Changed {
			lines = append(lines, fmt.Sprintf("changed %s-%d %v %v", c.Topic.Name, c.Index, c.Before, c.After))
		}
		slices.Sort(lines)
		fmt.Fprintln(v.out, strings.Join(lines, "\n"), v.d.Features)
	}
	return x.String() == y.String()
}
