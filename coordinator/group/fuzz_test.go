package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// FuzzEvents plays scripts that bytes make up. world holds the machine to its invariants and to its log after each step;
// here, every call is answered once, and offsets are what was committed last. A failure prints the script, which may be put
// into testdata as it is.
func FuzzEvents(f *testing.F) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := make([]byte, 160)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := &events{bytes: b, twin: make(map[string]string)}
		e.play(t)
	})
}

// events turns bytes into commands.
type events struct {
	bytes  []byte
	script []string
	twin   map[string]string // what was committed: group topic:partition → offset
}

func (e *events) next(n int) int {
	if len(e.bytes) == 0 {
		return 0
	}
	b := e.bytes[0]
	e.bytes = e.bytes[1:]
	return int(b) % n
}

func (e *events) pick(of ...string) string { return of[e.next(len(of))] }

func (e *events) play(t *testing.T) {
	w := newWorld(t)
	defer func() {
		if t.Failed() || recover() != nil {
			t.Fatalf("after:\n%s", strings.Join(e.script, "\n\n"))
		}
	}()
	e.run(w, fmt.Sprintf("config initial-delay=%s max-size=%s retention=240h", e.pick("0s", "3s"), e.pick("1000", "3")))
	for len(e.bytes) > 0 && len(e.script) < 120 {
		e.run(w, e.command(w))
	}
	w.finish()
}

func (e *events) run(w *world, command string) {
	e.script = append(e.script, command)
	out := w.run(command)
	e.follow(command, out)
	e.compare(w)
	if w.out.Len() > 1<<16 {
		w.out.Reset()
	}
}

// command is the next one. Members are named by what the machine has given out, right or wrong.
func (e *events) command(w *world) string {
	g := e.pick("g", "h")
	member, instance := e.member(w, g), e.pick("", "", "", " instance=i", " instance=j")
	generation := int32(0)
	if live := w.m.groups[g]; live != nil {
		generation = live.generation
	}
	generation += int32(e.next(8) / 7)
	switch e.next(16) {
	case 0, 1:
		return fmt.Sprintf("join %s client=%s v=%s%s protocols=%s", g, e.pick("a", "b"), e.pick("3", "9"), instance, e.protocols())
	case 2, 3, 4:
		return fmt.Sprintf("join %s member=%s v=%s%s protocols=%s session=%s rebalance=%s", g, member, e.pick("8", "9"), instance, e.protocols(), e.pick("6s", "30s"), e.pick("0s", "9s", "60s"))
	case 5, 6, 7:
		return fmt.Sprintf("sync %s member=%s generation=%d%s assign=%s:x", g, member, generation, instance, e.member(w, g))
	case 8:
		return fmt.Sprintf("beat %s member=%s generation=%d%s", g, member, generation, instance)
	case 9:
		return fmt.Sprintf("leave %s %s%s", g, member, e.pick("", ":i", " -:j"))
	case 10, 11:
		return fmt.Sprintf("commit %s member=%s generation=%d%s t:%d=%d", g, e.pick(member, ""), e.pickInt(generation, -1), instance, e.next(3), e.next(9))
	case 12:
		return fmt.Sprintf("delete-offsets %s t:%d u:0", g, e.next(3))
	case 13:
		return fmt.Sprintf("%s %s", e.pick("delete", "describe", "fetch"), g)
	case 14:
		return e.pick("reload", "reload", "list", "delete-topics u", "reload max-size=2", "reload max-size=1000")
	default:
		return "tick +" + e.pick("1s", "3s", "6s", "20s", "60s", "11m")
	}
}

func (e *events) pickInt(of ...int32) int32 { return of[e.next(len(of))] }

func (e *events) protocols() string {
	return e.pick("range:t", "range:t+u", "range:garbage", "x:t,range:t", "range:t,x", "x", "y,x,y")
}

// member is somebody that the group has or had.
func (e *events) member(w *world, g string) string {
	var ids []string
	if live := w.m.groups[g]; live != nil {
		for _, m := range live.members.list {
			ids = append(ids, m.id)
		}
		for id := range live.pending {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	ids = append(ids, "nobody", "a-1")
	return ids[e.next(len(ids))]
}

// follow notes in the twin what a command's answer says.
func (e *events) follow(command, out string) {
	words := strings.Fields(command)
	for _, l := range strings.Split(out, "\n") {
		at, ok := strings.CutPrefix(l, "log offset ")
		if !ok {
			continue
		}
		f := strings.Fields(at)
		if f[2] == "gone" {
			delete(e.twin, f[0]+" "+f[1])
		}
	}
	if words[0] != "commit" || !strings.Contains(out, " NONE") {
		return
	}
	at, offset, _ := strings.Cut(words[len(words)-1], "=")
	e.twin[words[1]+" "+at] = offset
}

// compare holds the machine's offsets to the twin.
func (e *events) compare(w *world) {
	got := make(map[string]string)
	w.m.offsets.stable.each(func(at spot, o committed) {
		got[fmt.Sprintf("%s %s:%d", at.group, at.topic, at.partition)] = fmt.Sprint(o.offset)
	})
	if fmt.Sprint(got) != fmt.Sprint(e.twin) {
		w.t.Fatalf("offsets %v, committed were %v", got, e.twin)
	}
}

// FuzzDecode reads records that anybody may have written: it refuses or replays them, and never fails otherwise.
func FuzzDecode(f *testing.F) {
	w := newWorld(f)
	w.run("join g v=3 client=a")
	w.run("tick +3s")
	w.run("sync g member=a-1 assign=a-1:x")
	w.run("commit g member=a-1 generation=1 t:0=1//note")
	w.run("commit s v=4 retention=1h t:0=1")
	for _, l := range w.log {
		f.Add(l.key, l.value, l.key, []byte(nil))
		f.Add(l.key, []byte(nil), l.key, l.value)
	}
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		m := New(w.config)
		for i, r := range [][2][]byte{{k1, v1}, {k2, v2}, {k1, v2}, {k1, nil}} {
			value := r[1]
			if len(value) == 0 {
				value = nil
			}
			decoded, err := m.Decode(r[0], value)
			if err != nil {
				continue
			}
			m.Replay(at(int64(i)), decoded)
		}
		m.Loaded(began)
	})
}

// FuzzSubscription reads metadata that any client may have sent.
func FuzzSubscription(f *testing.F) {
	f.Add(subscriptionOf("t+u"))
	f.Add(subscriptionOf(""))
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 1, 'a'})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics := make(map[string]struct{})
		if readSubscription(b, topics) && len(topics) > len(b) {
			t.Fatalf("%d topics in %d bytes", len(topics), len(b))
		}
	})
}
