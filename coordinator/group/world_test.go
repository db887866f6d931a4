package group

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// world is a machine, its clock and its log: what the runtime is to it, without waiting for anything.
type world struct {
	t      testing.TB
	config Config
	m      *Machine
	now    time.Time
	log    []logged
	end    int64 // of the log
	ids    int
	waits  map[string]bool // labels of calls that have no answer yet
	newest string          // label of the newest call
	brisk  bool            // the log is not replayed after each step
	out    strings.Builder
	wake   time.Time
}

// logged is a record as it stands in the log; a marker ends a transaction.
type logged struct {
	offset     int64
	producerID int64
	key, value []byte
	marker     *bool // commit
}

var began = time.UnixMilli(1_000_000_000_000)

func newWorld(t testing.TB) *world {
	w := &world{t: t, waits: make(map[string]bool)}
	w.begin(w.limits())
	return w
}

// limits are Kafka's defaults.
func (w *world) limits() Config {
	return Config{
		MinSessionTimeout:      6 * time.Second,
		MaxSessionTimeout:      30 * time.Minute,
		InitialRebalanceDelay:  3 * time.Second,
		MaxSize:                1000,
		MetadataMax:            4096,
		OffsetsRetention:       7 * 24 * time.Hour,
		RetentionCheckInterval: 10 * time.Minute,
		RecordBytesMax:         1 << 20,
		NewID:                  func() string { w.ids++; return strconv.Itoa(w.ids) },
	}
}

// begin makes an empty log and a machine.
func (w *world) begin(c Config) {
	w.config, w.now, w.log, w.end, w.ids = c, began, nil, 0, 0
	w.m = New(c)
	w.apply(w.m.Loaded(w.now))
}

// apply does to a step what the runtime does.
func (w *world) apply(s coordinator.Step) {
	for _, r := range s.Records {
		l := logged{offset: w.end, producerID: -1, key: record.AppendKey(nil, r.Key)}
		if r.Value != nil {
			l.value = record.AppendValue(nil, r.Value, r.Version)
		}
		w.printf("log %s\n", printRecord(r))
		w.m.Replay(coordinator.Position{Offset: l.offset, ProducerID: -1}, r)
		w.append(l)
	}
	for _, a := range s.Answers {
		a.Send()
	}
	w.wake = s.Wake
	switch {
	case w.brisk:
		w.checkMachine()
	case len(s.Records)+len(s.Answers) > 0:
		w.check()
	}
}

func (w *world) checkMachine() {
	w.t.Helper()
	if err := w.m.check(); err != nil {
		w.t.Fatalf("%s: %v\n%s", w.now.Sub(began), err, w.out.String())
	}
}

func (w *world) append(l logged) {
	w.log = append(w.log, l)
	w.end++
}

// check holds the machine to its invariants, and to the log: replayed into a fresh machine it gives the same.
func (w *world) check() {
	w.t.Helper()
	w.checkMachine()
	fresh := w.replayed()
	if live, loaded := durable(w.m, w.m), durable(fresh, w.m); live != loaded {
		w.t.Fatalf("the log tells otherwise:\n--- live\n%s--- replayed\n%s", live, loaded)
	}
}

// replayed is a fresh machine with the log in it.
func (w *world) replayed() *Machine {
	m := New(w.config)
	for _, l := range w.log {
		if l.marker != nil {
			m.ReplayMarker(l.producerID, *l.marker)
			continue
		}
		r, err := m.Decode(l.key, l.value)
		if err != nil {
			w.t.Fatal(err)
		}
		m.Replay(coordinator.Position{Offset: l.offset, ProducerID: l.producerID}, r)
	}
	return m
}

// durable prints what of a machine must survive. Of a group that rebalances in live that is only that it exists.
func durable(m, live *Machine) string {
	var lines []string
	for id, g := range m.groups {
		l := live.groups[id]
		line := fmt.Sprintf("group %q", id)
		if l != nil && (l.state == empty || l.state == stable) {
			line += fmt.Sprintf(" %v generation=%d type=%q protocol=%s leader=%q", g.state, g.generation, g.protocolType, deref(g.protocol), g.leader)
			if g.state == empty {
				line += fmt.Sprintf(" since=%d", g.since)
			}
			for _, member := range g.members.list {
				line += fmt.Sprintf(" %s/%s/%s/%v/%v/%q", member.id, deref(member.instanceID), member.clientHost, member.sessionTimeout, member.rebalanceTimeout, member.assignment)
			}
		}
		lines = append(lines, line)
	}
	m.offsets.stable.each(func(at spot, o committed) { lines = append(lines, fmt.Sprintf("offset %v %+v", at, o)) })
	for id, pending := range m.offsets.open {
		pending.each(func(at spot, o committed) { lines = append(lines, fmt.Sprintf("open %d %v %+v", id, at, o)) })
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n") + "\n"
}

func deref(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// check is the list of invariants in the package documentation.
func (m *Machine) check() error {
	for id, g := range m.groups {
		if err := g.check(m); err != nil {
			return fmt.Errorf("group %q, %v: %w", id, g.state, err)
		}
	}
	if owned := m.countTimers(); owned != len(m.timers.heap) {
		return fmt.Errorf("%d timers run, %d belong to somebody", len(m.timers.heap), owned)
	}
	for i, t := range m.timers.heap {
		if t.place != i+1 {
			return fmt.Errorf("timer %d thinks it is %d", i, t.place)
		}
	}
	m.offsets.stable.each(func(at spot, _ committed) {
		if m.groups[at.group] == nil {
			panic(fmt.Sprintf("O1: an offset of group %q, which there is not", at.group))
		}
	})
	return nil
}

// countTimers counts the running timers of everything that has some.
func (m *Machine) countTimers() int {
	own := []*timer{&m.expiry}
	for _, g := range m.groups {
		own = append(own, g.timers()...)
	}
	n := 0
	for _, t := range own {
		if t.running() {
			n++
		}
	}
	return n
}

func (g *group) timers() []*timer {
	own := []*timer{&g.joinTimer, &g.syncTimer}
	for _, m := range g.members.list {
		own = append(own, &m.session)
	}
	for _, t := range g.pending {
		own = append(own, t)
	}
	return own
}

func (g *group) check(m *Machine) error {
	ms := &g.members
	leader := ms.get(g.leader)
	switch {
	case g.state == empty && (ms.len() != 0 || g.leader != ""):
		return fmt.Errorf("G2: %d members, leader %q", ms.len(), g.leader)
	case (g.state == completing || g.state == stable) && (leader == nil || g.protocol == nil):
		return fmt.Errorf("G2: leader %q, protocol %v", g.leader, g.protocol)
	case ms.len() > 0 && leader == nil:
		return fmt.Errorf("leader %q is no member", g.leader)
	case g.state == preparing && !g.joinTimer.running():
		return fmt.Errorf("G9: no join timer")
	case g.state != preparing && g.joinTimer.running():
		return fmt.Errorf("G9: join timer")
	case len(ms.byID) != ms.len():
		return fmt.Errorf("%d members, %d by id", ms.len(), len(ms.byID))
	}
	joining, owing, support := 0, 0, make(map[string]int)
	for _, member := range ms.list {
		if member.join != nil {
			joining++
		}
		if member.owesSync {
			owing++
		}
		for _, p := range member.protocols {
			support[p.name]++
		}
		if err := member.check(g); err != nil {
			return fmt.Errorf("member %q: %w", member.id, err)
		}
	}
	if joining != ms.joining || owing != ms.owing || fmt.Sprint(support) != fmt.Sprint(ms.support) && ms.len() > 0 {
		return fmt.Errorf("counts: joining %d/%d owing %d/%d support %v/%v", joining, ms.joining, owing, ms.owing, support, ms.support)
	}
	if owing > 0 && !g.syncTimer.running() {
		return fmt.Errorf("G9: %d owe a sync, no timer", owing)
	}
	common := ms.len() == 0
	for _, n := range support {
		common = common || n == ms.len()
	}
	if !common {
		return fmt.Errorf("G4: %v for %d members", support, ms.len())
	}
	for id, t := range g.pending {
		if ms.get(id) != nil || !t.running() {
			return fmt.Errorf("G7: pending %q", id)
		}
	}
	return nil
}

func (m *member) check(g *group) error {
	switch {
	case g.members.get(m.id) != m:
		return fmt.Errorf("not found by its id")
	case m.instanceID != nil && g.members.static[*m.instanceID] != m:
		return fmt.Errorf("G7: instance %q is another's", *m.instanceID)
	case m.join != nil && g.state != preparing, m.sync != nil && g.state != completing:
		return fmt.Errorf("G5: parked join %t sync %t", m.join != nil, m.sync != nil)
	case m.join != nil && m.sync != nil:
		return fmt.Errorf("G6")
	case !m.session.running() && m.join == nil && m.sync == nil && m.session.fire != nil && !g.loaded():
		return fmt.Errorf("G8: nothing would notice its end")
	}
	return nil
}

// loaded reports whether no timer of the group was ever started: it was only replayed.
func (g *group) loaded() bool {
	for _, m := range g.members.list {
		if m.session.order != 0 {
			return false
		}
	}
	return true
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.out, format, args...) }

// call makes a Call that prints its answer under a label, and may be answered once.
func call[T any](w *world, label string, print func(T) string) *coordinator.Call[T] {
	for w.waits[label] {
		label += "'"
	}
	w.waits[label], w.newest = true, label
	answered := ""
	answer := func(text string) {
		if answered != "" {
			w.t.Fatalf("%s was answered twice: %s, then %s", label, answered, text)
		}
		answered = text
		delete(w.waits, label)
		w.printf("%s <- %s\n", label, text)
	}
	return &coordinator.Call[T]{
		Reply: func(v T) { answer(print(v)) },
		Fail:  func(code protocol.Code) { answer("fails: " + code.String()) },
	}
}

// finish abandons the machine: whoever still waits hears of it.
func (w *world) finish() {
	for _, a := range w.m.Abandon() {
		a.Send()
	}
	for label := range w.waits {
		w.t.Errorf("%s was never answered", label)
	}
}

// advance lets time pass, and runs timers at their times.
func (w *world) advance(d time.Duration) {
	until := w.now.Add(d)
	for !w.wake.IsZero() && !w.wake.After(until) {
		if w.wake.After(w.now) {
			w.now = w.wake
		}
		before := w.out.Len()
		w.apply(w.m.Wake(w.now))
		if text := w.out.String()[before:]; text != "" {
			rest := w.out.String()[:before]
			w.out.Reset()
			w.out.WriteString(rest + "at " + w.now.Sub(began).String() + "\n" + text)
		}
	}
	w.now = until
}

func printRecord(r coordinator.Record) string {
	switch key := r.Key.(type) {
	case *record.OffsetCommitKey:
		at := fmt.Sprintf("offset %s %s:%d", key.Group, key.Topic, key.Partition)
		v, ok := r.Value.(*record.OffsetCommitValue)
		if !ok {
			return at + " gone"
		}
		s := fmt.Sprintf("%s = %d v%d", at, v.Offset, r.Version)
		if v.LeaderEpoch != -1 {
			s += fmt.Sprintf(" epoch=%d", v.LeaderEpoch)
		}
		if v.Metadata != "" {
			s += fmt.Sprintf(" metadata=%q", v.Metadata)
		}
		if v.ExpireTimestamp != -1 {
			s += fmt.Sprintf(" expires=+%v", time.UnixMilli(v.ExpireTimestamp).Sub(time.UnixMilli(v.CommitTimestamp)))
		}
		return s
	case *record.GroupMetadataKey:
		v, ok := r.Value.(*record.GroupMetadataValue)
		if !ok {
			return "group " + key.Group + " gone"
		}
		s := fmt.Sprintf("group %s generation=%d type=%q protocol=%s leader=%s", key.Group, v.Generation, v.ProtocolType, deref(v.Protocol), deref(v.Leader))
		for _, member := range v.Members {
			s += fmt.Sprintf(" %s=%q", member.MemberID, member.Assignment)
		}
		return s
	}
	return fmt.Sprintf("%T", r.Key)
}

func printJoin(a *kmsg.JoinGroupResponse) string {
	if a.ErrorCode != 0 {
		return fmt.Sprintf("%v member=%q", protocol.Code(a.ErrorCode), a.MemberID)
	}
	s := fmt.Sprintf("generation=%d protocol=%s leader=%s member=%s", a.Generation, deref(a.Protocol), a.LeaderID, a.MemberID)
	if a.SkipAssignment {
		s += " skip-assignment"
	}
	if len(a.Members) > 0 {
		s += " members="
		for i, m := range a.Members {
			if i > 0 {
				s += ","
			}
			s += m.MemberID
		}
	}
	return s
}

func printSync(a *kmsg.SyncGroupResponse) string {
	if a.ErrorCode != 0 {
		return protocol.Code(a.ErrorCode).String()
	}
	return fmt.Sprintf("assignment=%q protocol=%s", a.MemberAssignment, deref(a.Protocol))
}
