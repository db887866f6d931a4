package group

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// line is one command: a verb, words, and options of the form name=value.
type line struct {
	w       *world
	verb    string
	words   []string
	options map[string]string
}

// verbs are the commands of a script.
var verbs = map[string]func(l *line){
	"config": config, "join": doJoin, "sync": doSync, "beat": doBeat, "leave": doLeave, "commit": doCommit, "fetch": doFetch,
	"delete": doDelete, "delete-offsets": doDeleteOffsets, "delete-topics": doDeleteTopics, "describe": doDescribe,
	"list": doList, "tick": doTick, "reload": doReload, "compact": doCompact, "txn-commit": doTxnCommit, "marker": doMarker,
}

// run plays one command and returns what it prints.
func (w *world) run(text string) string {
	l := &line{w: w, options: make(map[string]string)}
	for _, word := range strings.Fields(text) {
		name, value, ok := strings.Cut(word, "=")
		switch {
		case l.verb == "":
			l.verb = word
		case ok && !strings.Contains(name, ":"):
			l.options[name] = value
		default:
			l.words = append(l.words, word)
		}
	}
	do := verbs[l.verb]
	if do == nil {
		w.t.Fatalf("no verb %q", l.verb)
	}
	before := w.out.Len()
	w.newest = ""
	do(l)
	if w.waits[w.newest] {
		w.printf("parked\n")
	}
	if l.verb != "config" && len(l.words) > 0 {
		w.printState(l.words[0])
	}
	return w.out.String()[before:]
}

// printState tells where the command's group stands and when the machine wants to be woken.
func (w *world) printState(id string) {
	g := w.m.groups[id]
	if g == nil {
		return
	}
	w.printf("  %v", g.state)
	if next := w.nextOf(g); !next.IsZero() {
		w.printf(" wake=+%v", next.Sub(w.now))
	}
	w.printf("\n")
}

// nextOf is the earliest timer of one group.
func (w *world) nextOf(g *group) time.Time {
	var next time.Time
	for _, t := range g.timers() {
		if t.running() && (next.IsZero() || t.at.Before(next)) {
			next = t.at
		}
	}
	return next
}

func (l *line) group() string {
	if len(l.words) == 0 {
		return ""
	}
	return strings.Trim(l.words[0], `"`)
}

func (l *line) text(name, otherwise string) string {
	if v, ok := l.options[name]; ok {
		return v
	}
	return otherwise
}

func (l *line) number(name string, otherwise int) int {
	v, ok := l.options[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		l.w.t.Fatal(err)
	}
	return n
}

func (l *line) duration(name string, otherwise time.Duration) time.Duration {
	v, ok := l.options[name]
	if !ok {
		return otherwise
	}
	return l.parse(v)
}

func (l *line) parse(v string) time.Duration {
	d, err := time.ParseDuration(strings.TrimPrefix(v, "+"))
	if err != nil {
		l.w.t.Fatal(err)
	}
	return d
}

func (l *line) pointer(name string) *string {
	if v, ok := l.options[name]; ok {
		return &v
	}
	return nil
}

// label is what the answer is printed under.
func (l *line) label() string {
	return l.text("as", strings.Trim(l.verb+" "+l.text("member", l.text("instance", "")), " "))
}

// config begins anew with other limits.
func config(l *line) {
	w := l.w
	w.finish()
	c := w.limits()
	c.InitialRebalanceDelay = l.duration("initial-delay", c.InitialRebalanceDelay)
	c.MaxSize = l.number("max-size", c.MaxSize)
	c.RecordBytesMax = l.number("record-max", c.RecordBytesMax)
	c.MetadataMax = l.number("metadata-max", c.MetadataMax)
	c.OffsetsRetention = l.duration("retention", c.OffsetsRetention)
	c.RetentionCheckInterval = l.duration("retention-check", c.RetentionCheckInterval)
	w.begin(c)
}

// join G [client=c] [member=] [instance=] [v=9] [session=10s] [rebalance=60s] [type=consumer] [protocols=range:t1+t2,other:]
func doJoin(l *line) {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version = int16(l.number("v", 9))
	r.Group, r.MemberID, r.InstanceID = l.group(), l.text("member", ""), l.pointer("instance")
	r.SessionTimeoutMillis = int32(l.duration("session", 10*time.Second).Milliseconds())
	r.RebalanceTimeoutMillis = int32(l.duration("rebalance", time.Minute).Milliseconds())
	r.ProtocolType = l.text("type", consumerType)
	for _, p := range strings.Split(l.text("protocols", "range:t"), ",") {
		if p == "" {
			continue
		}
		name, topics, _ := strings.Cut(p, ":")
		r.Protocols = append(r.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: subscriptionOf(topics)})
	}
	client := l.text("client", "c")
	c := call(l.w, l.text("as", strings.TrimSpace("join "+l.text("member", l.text("instance", client)))), printJoin)
	l.w.apply(l.w.m.Join(l.w.now, c, Client{ID: client, Host: "/10.0.0.1"}, r))
}

// subscriptionOf is a ConsumerProtocolSubscription of topics joined by +; "garbage" is none.
func subscriptionOf(topics string) []byte {
	if topics == "garbage" {
		return []byte{0, 1, 0xff}
	}
	list := strings.FieldsFunc(topics, func(r rune) bool { return r == '+' })
	b := binary.BigEndian.AppendUint32([]byte{0, 1}, uint32(len(list)))
	for _, t := range list {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(t))), t...)
	}
	return append(b, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
}

// sync G member=ID generation=N [instance=] [type=] [protocol=] [assign=id:text,id:text]
func doSync(l *line) {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Group, r.MemberID, r.InstanceID = l.group(), l.text("member", ""), l.pointer("instance")
	r.Generation = int32(l.number("generation", 1))
	r.ProtocolType, r.Protocol = l.pointer("type"), l.pointer("protocol")
	for _, a := range strings.FieldsFunc(l.text("assign", ""), func(r rune) bool { return r == ',' }) {
		id, assignment, _ := strings.Cut(a, ":")
		r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(assignment)})
	}
	l.w.apply(l.w.m.Sync(l.w.now, call(l.w, l.label(), printSync), r))
}

func printCode(c protocol.Code) string { return c.String() }

// beat G member=ID generation=N [instance=]
func doBeat(l *line) {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.InstanceID = l.group(), l.text("member", ""), l.pointer("instance")
	r.Generation = int32(l.number("generation", 1))
	l.w.apply(l.w.m.Beat(l.w.now, call(l.w, l.label(), printCode), r))
}

// leave G member… instance:I…
func doLeave(l *line) {
	var leavers []Leaver
	for _, word := range l.words[1:] {
		id, instance, both := strings.Cut(word, ":")
		leaver := Leaver{MemberID: strings.Trim(id, "-")}
		if leaver.MemberID != "" {
			leaver.MemberID = id
		}
		if both {
			leaver.InstanceID = &instance
		}
		leavers = append(leavers, leaver)
	}
	c := call(l.w, l.label(), func(codes []protocol.Code) string { return fmt.Sprint(codes) })
	l.w.apply(l.w.m.Leave(l.w.now, c, l.group(), leavers))
}

// place is topic:partition, or topic:partition=offset/epoch/metadata.
func (l *line) place(word string) (topic string, partition int32, rest []string) {
	at, value, _ := strings.Cut(word, "=")
	topic, p, _ := strings.Cut(at, ":")
	n, err := strconv.Atoi(p)
	if err != nil {
		l.w.t.Fatalf("%q: %v", word, err)
	}
	return topic, int32(n), strings.Split(value, "/")
}

// idOf is the id of a topic: its number=, or none.
func (l *line) id() (id [16]byte) {
	id[15] = byte(l.number("topic-id", 0))
	return id
}

// commit G [member=] [generation=-1] [instance=] [v=10] [retention=] t:0=5/epoch/metadata …
func doCommit(l *line) {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version = int16(l.number("v", 10))
	r.Group, r.MemberID, r.InstanceID = l.group(), l.text("member", ""), l.pointer("instance")
	r.Generation = int32(l.number("generation", -1))
	r.RetentionTimeMillis = -1
	if d := l.duration("retention", -1); d >= 0 {
		r.RetentionTimeMillis = d.Milliseconds()
	}
	for _, word := range l.words[1:] {
		topic, partition, rest := l.place(word)
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition = partition
		p.Offset, _ = strconv.ParseInt(rest[0], 10, 64)
		p.LeaderEpoch = -1
		if len(rest) > 1 && rest[1] != "" {
			e, _ := strconv.Atoi(rest[1])
			p.LeaderEpoch = int32(e)
		}
		if len(rest) > 2 {
			p.Metadata = &rest[2]
		}
		r.Topics = append(r.Topics, kmsg.OffsetCommitRequestTopic{
			Topic: topic, TopicID: l.id(), Partitions: []kmsg.OffsetCommitRequestTopicPartition{p},
		})
	}
	c := call(l.w, l.label(), func(a *kmsg.OffsetCommitResponse) string {
		var list []string
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				list = append(list, fmt.Sprintf("%s:%d %v", t.Topic, p.Partition, protocol.Code(p.ErrorCode)))
			}
		}
		return strings.Join(list, ", ")
	})
	l.w.apply(l.w.m.Commit(l.w.now, c, r))
}

// fetch G [stable=true] [t:0 …]
func doFetch(l *line) {
	r := kmsg.NewOffsetFetchRequestGroup()
	r.Group = l.group()
	for _, word := range l.words[1:] {
		topic, partition, _ := l.place(word)
		r.Topics = append(r.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, TopicID: l.id(), Partitions: []int32{partition}})
	}
	c := call(l.w, l.label(), func(a kmsg.OffsetFetchResponseGroup) string {
		list := []string{}
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				s := fmt.Sprintf("%s:%d=%d", t.Topic, p.Partition, p.Offset)
				if p.LeaderEpoch != -1 {
					s += fmt.Sprintf(" epoch=%d", p.LeaderEpoch)
				}
				if *p.Metadata != "" {
					s += fmt.Sprintf(" metadata=%q", *p.Metadata)
				}
				if p.ErrorCode != 0 {
					s += " " + protocol.Code(p.ErrorCode).String()
				}
				list = append(list, s)
			}
		}
		return "[" + strings.Join(list, ", ") + "]"
	})
	l.w.apply(l.w.m.Fetch(l.w.now, c, &r, l.text("stable", "") != ""))
}

func doDelete(l *line) {
	l.w.apply(l.w.m.Delete(l.w.now, call(l.w, l.label(), printCode), l.group()))
}

// delete-offsets G t:0 …
func doDeleteOffsets(l *line) {
	r := kmsg.NewPtrOffsetDeleteRequest()
	r.Group = l.group()
	for _, word := range l.words[1:] {
		topic, partition, _ := l.place(word)
		r.Topics = append(r.Topics, kmsg.OffsetDeleteRequestTopic{
			Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: partition}},
		})
	}
	c := call(l.w, l.label(), func(a *kmsg.OffsetDeleteResponse) string {
		list := []string{protocol.Code(a.ErrorCode).String()}
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				list = append(list, fmt.Sprintf("%s:%d %v", t.Topic, p.Partition, protocol.Code(p.ErrorCode)))
			}
		}
		return strings.Join(list, ", ")
	})
	l.w.apply(l.w.m.DeleteOffsets(l.w.now, c, r))
}

// delete-topics [topic-id=N] t…
func doDeleteTopics(l *line) {
	var topics []DeletedTopic
	for _, name := range l.words {
		topics = append(topics, DeletedTopic{Name: name, ID: l.id()})
	}
	l.w.apply(l.w.m.DeleteTopics(l.w.now, topics))
}

// describe G [v=5]
func doDescribe(l *line) {
	c := call(l.w, l.label(), func(a kmsg.DescribeGroupsResponseGroup) string {
		s := fmt.Sprintf("%s type=%q protocol=%q", a.State, a.ProtocolType, a.Protocol)
		if a.ErrorCode != 0 {
			s = fmt.Sprintf("%v %q ", protocol.Code(a.ErrorCode), deref(a.ErrorMessage)) + s
		}
		for _, m := range a.Members {
			s += fmt.Sprintf(" %s(%s %s %s metadata=%t assignment=%q)", m.MemberID, deref(m.InstanceID), m.ClientID, m.ClientHost, len(m.ProtocolMetadata) > 0, m.MemberAssignment)
		}
		return s
	})
	l.w.apply(l.w.m.Describe(l.w.now, c, l.group(), int16(l.number("v", 5))))
}

// list [states=a,b] [types=a,b]
func doList(l *line) {
	split := func(name string) []string {
		return strings.FieldsFunc(l.text(name, ""), func(r rune) bool { return r == ',' })
	}
	c := call(l.w, l.label(), func(a []kmsg.ListGroupsResponseGroup) string {
		list := []string{}
		for _, g := range a {
			list = append(list, fmt.Sprintf("%s %s %q %s", g.Group, g.GroupState, g.ProtocolType, g.GroupType))
		}
		return "[" + strings.Join(list, ", ") + "]"
	})
	l.w.apply(l.w.m.List(l.w.now, c, split("states"), split("types")))
}

// tick +3s [G]: time passes.
func doTick(l *line) {
	l.w.advance(l.parse(l.words[0]))
	l.words = l.words[1:]
}

// reload [max-size=N]: the coordinator moves. Another machine takes over from the log.
func doReload(l *line) {
	w := l.w
	for _, a := range w.m.Abandon() {
		a.Send()
	}
	w.config.MaxSize = l.number("max-size", w.config.MaxSize)
	w.m = w.replayed()
	w.apply(w.m.Loaded(w.now))
	for _, id := range l.words {
		w.printState(id)
	}
	l.words = nil
}

// compact: the cleaner keeps the last record of each key, and then what is deleted vanishes.
func doCompact(l *line) {
	w := l.w
	last := make(map[string]int)
	for i, r := range w.log {
		last[string(r.key)] = i
	}
	var kept []logged
	for i, r := range w.log {
		if last[string(r.key)] == i && r.value != nil {
			kept = append(kept, r)
		}
	}
	w.log = kept
}

// txn-commit G producer=N t:0=5: a transaction's commit is in the log.
func doTxnCommit(l *line) {
	for _, word := range l.words[1:] {
		topic, partition, rest := l.place(word)
		offset, _ := strconv.ParseInt(rest[0], 10, 64)
		key := &record.OffsetCommitKey{Group: l.group(), Topic: topic, Partition: partition}
		value := record.NewOffsetCommitValue()
		value.Offset, value.CommitTimestamp = offset, l.w.now.UnixMilli()
		at := coordinator.Position{Offset: l.w.end, ProducerID: int64(l.number("producer", 1))}
		l.w.m.Replay(at, coordinator.Record{Key: key, Value: &value})
		l.w.append(logged{at.Offset, at.ProducerID, record.AppendKey(nil, key), record.AppendValue(nil, &value, offsetValueVersion), nil})
	}
	l.w.check()
}

// marker commit|abort producer=N
func doMarker(l *line) {
	commit := slices.Contains(l.words, "commit")
	id := int64(l.number("producer", 1))
	l.w.m.ReplayMarker(id, commit)
	l.w.append(logged{producerID: id, marker: &commit})
	l.words = nil
	l.w.check()
}
