package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSimulation lets consumers that behave as real ones do share the partitions of a topic, while they come, crash, leave
// and lose answers, and while the coordinator moves. Whoever holds a partition in a generation holds it alone; offsets never
// go back; and when the storms are over, all who live share everything in one Stable generation.
func TestSimulation(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := &simulation{t: t, rand: rand.New(rand.NewPCG(seed, 2)), world: newWorld(t), owners: map[string]string{}}
			s.world.brisk = true
			s.run()
		})
	}
}

const partitions = 5

type simulation struct {
	t         *testing.T
	rand      *rand.Rand
	world     *world
	consumers []*consumer
	storm     bool
	owners    map[string]string // generation and partition → member
	highest   [partitions]int64 // committed
	story     []string
}

// consumer is a client of the classic protocol: it joins, assigns if it leads, reads, commits, and does what it is told.
type consumer struct {
	s           *simulation
	name        string
	instance    *string
	alive       bool
	incarnation int // answers to an earlier process are lost

	memberID   string
	generation int32
	waiting    bool // for an answer to JoinGroup or SyncGroup
	askedAt    time.Time
	joined     bool
	holds      []int
	nextBeat   time.Time
}

func (s *simulation) say(format string, args ...any) {
	s.story = append(s.story, s.world.now.Sub(began).String()+" "+fmt.Sprintf(format, args...))
}

func (s *simulation) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(s.story, "\n"))
}

func (s *simulation) run() {
	for i := range 6 {
		c := &consumer{s: s, name: fmt.Sprintf("c%d", i)}
		if i%3 == 0 {
			c.instance = ptr("i" + c.name)
		}
		s.consumers = append(s.consumers, c)
	}
	s.storm = true
	for range 600 {
		s.weather()
		s.pass(time.Duration(100+s.rand.IntN(900)) * time.Millisecond)
	}
	s.storm = false
	s.say("the storm is over")
	for range 400 {
		s.pass(500 * time.Millisecond)
	}
	s.calm()
}

// weather makes something happen to somebody.
func (s *simulation) weather() {
	c := s.consumers[s.rand.IntN(len(s.consumers))]
	switch n := s.rand.IntN(40); {
	case n < 4 && !c.alive:
		*c = consumer{s: s, name: c.name, instance: c.instance, incarnation: c.incarnation + 1, alive: true}
		s.say("%s starts", c.name)
	case n == 4 && c.alive:
		c.alive = false
		s.say("%s crashes", c.name)
	case n == 5 && c.alive && c.instance == nil && c.memberID != "":
		c.alive = false
		s.say("%s leaves", c.name)
		s.step(s.world.m.Leave(s.world.now, &LeaveCall{Reply: func([]protocol.Code) {}, Fail: func(protocol.Code) {}}, "g", []Leaver{{MemberID: c.memberID}}))
	case n == 6:
		s.say("the coordinator moves")
		s.world.check()
		for _, a := range s.world.m.Abandon() {
			a.Send()
		}
		s.world.m = s.world.replayed()
		s.step(s.world.m.Loaded(s.world.now))
	}
}

func (s *simulation) step(step coordinator.Step) { s.world.apply(step) }

// pass lets time go by and everybody act.
func (s *simulation) pass(d time.Duration) {
	s.world.advance(d)
	s.world.out.Reset()
	for _, c := range s.consumers {
		if c.alive {
			c.act()
		}
	}
}

// calm is what must be true when nothing has happened for long.
func (s *simulation) calm() {
	g := s.world.m.groups["g"]
	var living, held []string
	for _, c := range s.consumers {
		if !c.alive {
			continue
		}
		living = append(living, c.memberID)
		for _, p := range c.holds {
			held = append(held, fmt.Sprint(p))
		}
	}
	if len(living) == 0 {
		if g != nil && g.state != empty {
			s.fail("nobody lives, the group is %v", g.state)
		}
		return
	}
	var ids []string
	for _, m := range g.members.list {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	slices.Sort(living)
	slices.Sort(held)
	if g.state != stable || fmt.Sprint(ids) != fmt.Sprint(living) || fmt.Sprint(held) != "[0 1 2 3 4]" {
		s.fail("the group is %v with %v, living are %v, held are %v", g.state, ids, living, held)
	}
}

// lost reports whether an answer does not arrive.
func (c *consumer) lost(incarnation int) bool {
	return !c.alive || incarnation != c.incarnation || c.s.storm && c.s.rand.IntN(20) == 0
}

func (c *consumer) act() {
	now := c.s.world.now
	switch {
	case c.waiting && now.Sub(c.askedAt) > 70*time.Second:
		c.waiting, c.joined = false, false // the client's own time-out
	case c.waiting:
	case !c.joined:
		c.join()
	case !now.Before(c.nextBeat):
		c.nextBeat = now.Add(3 * time.Second)
		c.beat()
		c.commit()
	}
}

func (c *consumer) join() {
	w := c.s.world
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.ProtocolType = 9, "g", c.memberID, c.instance, consumerType
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 60_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscriptionOf("t")}}
	c.waiting, c.askedAt, c.holds = true, w.now, nil
	incarnation := c.incarnation
	call := &JoinCall{
		Reply: func(a *kmsg.JoinGroupResponse) {
			if !c.lost(incarnation) {
				c.onJoined(a)
			}
		},
		Fail: func(protocol.Code) { c.waiting = c.waiting && c.incarnation != incarnation },
	}
	c.s.step(w.m.Join(w.now, call, Client{ID: c.name, Host: "/h"}, r))
}

func (c *consumer) onJoined(a *kmsg.JoinGroupResponse) {
	c.waiting = false
	switch protocol.Code(a.ErrorCode) {
	case protocol.None:
	case protocol.MemberIDRequired:
		c.memberID = a.MemberID
		return
	case protocol.RebalanceInProgress:
		return
	case protocol.UnknownMemberID:
		c.memberID = ""
		return
	case protocol.FencedInstanceID:
		c.alive = false // another process has this instance's name
		return
	default:
		c.s.fail("%s: join: %v", c.name, protocol.Code(a.ErrorCode))
	}
	c.memberID, c.generation = a.MemberID, a.Generation
	c.s.say("%s joins generation %d as %s, leader %s", c.name, a.Generation, a.MemberID, a.LeaderID)
	c.sync(a)
}

// sync assigns round robin if the consumer leads, and asks for its part.
func (c *consumer) sync(a *kmsg.JoinGroupResponse) {
	w := c.s.world
	r := kmsg.NewPtrSyncGroupRequest()
	r.Group, r.MemberID, r.InstanceID, r.Generation = "g", c.memberID, c.instance, c.generation
	if !a.SkipAssignment {
		parts := make([][]byte, len(a.Members))
		for p := range partitions * min(1, len(a.Members)) {
			parts[p%len(parts)] = append(parts[p%len(parts)], byte('0'+p))
		}
		for i, m := range a.Members {
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: parts[i]})
		}
	}
	c.waiting, c.askedAt = true, w.now
	incarnation := c.incarnation
	call := &SyncCall{
		Reply: func(a *kmsg.SyncGroupResponse) {
			if !c.lost(incarnation) {
				c.onSynced(a)
			}
		},
		Fail: func(protocol.Code) { c.waiting = c.waiting && c.incarnation != incarnation },
	}
	c.s.step(w.m.Sync(w.now, call, r))
}

func (c *consumer) onSynced(a *kmsg.SyncGroupResponse) {
	c.waiting = false
	if a.ErrorCode != 0 {
		c.told(protocol.Code(a.ErrorCode))
		return
	}
	c.joined, c.holds, c.nextBeat = true, nil, c.s.world.now
	for _, b := range a.MemberAssignment {
		p := int(b - '0')
		c.holds = append(c.holds, p)
		key := fmt.Sprintf("%d:%d", c.generation, p)
		holder := c.memberID
		if c.instance != nil {
			holder = *c.instance // its next process holds what it held
		}
		if other := c.s.owners[key]; other != "" && other != holder {
			c.s.fail("partition %d of generation %d belongs to %s and %s", p, c.generation, other, holder)
		}
		c.s.owners[key] = holder
	}
	c.s.say("%s holds %v in generation %d", c.name, c.holds, c.generation)
}

// told does what an error asks for.
func (c *consumer) told(code protocol.Code) {
	c.joined = false
	switch code {
	case protocol.RebalanceInProgress, protocol.IllegalGeneration:
	case protocol.UnknownMemberID:
		c.memberID = ""
	case protocol.FencedInstanceID:
		c.alive = false
	default:
		c.s.fail("%s is told %v", c.name, code)
	}
}

func (c *consumer) beat() {
	w := c.s.world
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.InstanceID, r.Generation = "g", c.memberID, c.instance, c.generation
	call := &BeatCall{Fail: func(protocol.Code) {}, Reply: func(code protocol.Code) {
		if code != protocol.None && !c.lost(c.incarnation) {
			c.told(code)
		}
	}}
	c.s.step(w.m.Beat(w.now, call, r))
}

// commit moves the consumer's partitions on. The group takes it from whoever holds them in this generation alone, so
// offsets never go back.
func (c *consumer) commit() {
	w := c.s.world
	if !c.joined || len(c.holds) == 0 {
		return
	}
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation, r.RetentionTimeMillis = 9, "g", c.memberID, c.instance, c.generation, -1
	topic := kmsg.OffsetCommitRequestTopic{Topic: "t"}
	for _, p := range c.holds {
		o, _ := w.m.offsets.stable.get(spot{"g", "t", int32(p)})
		at := kmsg.NewOffsetCommitRequestTopicPartition()
		at.Partition, at.Offset = int32(p), o.offset+1
		topic.Partitions = append(topic.Partitions, at)
	}
	r.Topics = append(r.Topics, topic)
	call := &CommitCall{Fail: func(protocol.Code) {}, Reply: func(a *kmsg.OffsetCommitResponse) {
		if code := protocol.Code(a.Topics[0].Partitions[0].ErrorCode); code != protocol.None {
			if !c.lost(c.incarnation) {
				c.told(code)
			}
			return
		}
		for _, at := range topic.Partitions {
			if at.Offset <= c.s.highest[at.Partition] {
				c.s.fail("partition %d goes back from %d to %d", at.Partition, c.s.highest[at.Partition], at.Offset)
			}
			c.s.highest[at.Partition] = at.Offset
		}
	}}
	c.s.step(w.m.Commit(w.now, call, r))
}
