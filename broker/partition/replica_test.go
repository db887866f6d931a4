package partition

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/protocol"
)

var update = flag.Bool("update", false, "write what the scripts print into testdata")

// TestReplicaScripts runs testdata/*.txt: steps, one a line, each with the state that it leaves. Times are seconds.
//
//	lead epoch=5 isr=1,2 replicas=1,2,3 end=10
//	----
//	leading epoch=5/0 hw=0 end=10 start=10 isr=1,2
func TestReplicaScripts(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	if len(files) == 0 {
		t.Fatal("no scripts")
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(text))
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("the script prints now:\n%s", diff(string(text), got))
			}
		})
	}
}

// diff shows the lines from the first that differs on.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	from := max(0, i-4)
	return strings.Join(g[from:min(len(g), i+4)], "\n")
}

func runScript(t *testing.T, text string) string {
	r := newReplica(1)
	var out strings.Builder
	answers := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "----":
			answers = true
		case line == "" && answers:
			answers = false
		case line == "" || strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		case !answers:
			said := r.step(t, line)
			r.check(t, line)
			fmt.Fprintf(&out, "%s\n----\n%s%s\n\n", line, said, r)
		}
	}
	return out.String()
}

// scripted is a replica and what the last step left, to compare with.
type scripted struct {
	replica
	before replica
}

func newReplica(self int32) *scripted {
	return &scripted{replica: replica{self: self, leader: -1, epoch: -1, partitionEpoch: -1, minInsync: 1, lagMax: 30 * time.Second}}
}

var epoch0 = time.Unix(1_000_000, 0)

func (r *scripted) step(t *testing.T, line string) (said string) {
	r.before = r.replica
	words := strings.Fields(line)
	args := map[string]string{}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		args[key] = value
	}
	number := func(key string) int64 {
		if args[key] == "" {
			return 0
		}
		n, err := strconv.ParseInt(args[key], 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return n
	}
	ids := func(key string) (list []int32) {
		for _, w := range strings.FieldsFunc(args[key], func(c rune) bool { return c == ',' }) {
			n, _ := strconv.Atoi(w)
			list = append(list, int32(n))
		}
		return list
	}
	now := epoch0.Add(time.Duration(number("t")) * time.Second)
	a := assignment{leader: 1, epoch: int32(number("epoch")), partitionEpoch: int32(number("partition")),
		replicas: ids("replicas"), isr: ids("isr")}
	var asked proposal
	switch words[0] {
	case "lead":
		r.lead(a, number("end"), now)
	case "follow":
		a.leader = int32(number("leader"))
		r.follow(a)
	case "resign":
		r.resign()
	case "flushed":
		r.flushed(number("end"), now)
	case "truncated":
		r.truncated(number("end"))
	case "fetched":
		var err error
		if asked, err = r.fetched(int32(number("by")), number("offset"), number("start"), now); err != nil {
			return err.Error() + "\n"
		}
	case "tick":
		asked = r.tick(now)
	case "refused":
		r.refusedISR(now)
	case "leaderHW":
		r.leaderHW(number("hw"))
	case "minISR":
		r.minInsync = int(number("n"))
		r.advance(now)
	case "check":
		if err := r.checkEpoch(int32(number("epoch"))); err != nil {
			return err.Error() + "\n"
		}
	default:
		t.Fatalf("unknown step %q", line)
	}
	if asked.isr != nil {
		return fmt.Sprintf("ask for isr=%s on %d/%d\n", list(asked.isr), asked.epoch, asked.partitionEpoch)
	}
	return ""
}

func (r *scripted) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s epoch=%d/%d hw=%d end=%d", [...]string{"idle", "leading", "following"}[r.role], r.epoch, r.partitionEpoch,
		r.highWatermark, r.end)
	if r.role == leading {
		fmt.Fprintf(&s, " start=%d isr=%s", r.epochStart, list(r.isr))
		if r.proposed != nil {
			fmt.Fprintf(&s, " proposed=%s", list(r.proposed))
		}
		if r.underMinISR() {
			s.WriteString(" under-min-isr")
		}
		if !r.recovered() {
			s.WriteString(" behind-its-epoch")
		}
		for _, f := range r.followers {
			fmt.Fprintf(&s, " %d@%d", f.id, f.end)
		}
	}
	return s.String()
}

func list(ids []int32) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(ids), "[]"), " ", ",")
}

// check holds the invariants of replica.go against what the last step did.
func (r *scripted) check(t *testing.T, line string) {
	t.Helper()
	b := r.before
	if r.highWatermark > r.end {
		t.Errorf("P1 after %q: %s", line, r)
	}
	if r.role == leading && b.role == leading && (r.highWatermark < b.highWatermark || r.end < b.end) || r.epoch < b.epoch {
		t.Errorf("P2 after %q: %s", line, r)
	}
	rose := r.role == leading && r.highWatermark > b.highWatermark
	for _, f := range r.followers {
		if rose && (slices.Contains(r.isr, f.id) || slices.Contains(r.proposed, f.id)) && f.end < r.highWatermark {
			t.Errorf("P3 after %q: %s", line, r)
		}
	}
	if rose && len(r.isr) < min(r.minInsync, len(r.replicas)) {
		t.Errorf("P4 after %q: %s", line, r)
	}
}

// TestReplicaRandomly walks through random steps of a leader with two followers and holds the invariants, among them P5:
// a proposal is only made when none is out.
func TestReplicaRandomly(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		r := newReplica(1)
		r.minInsync = 1 + rnd.IntN(3)
		r.lead(assignment{leader: 1, epoch: 1, replicas: []int32{1, 2, 3}, isr: []int32{1, 2, 3}}, 0, epoch0)
		now, partitionEpoch := epoch0, int32(0)
		for range 60 {
			now = now.Add(time.Duration(rnd.IntN(20)) * time.Second)
			r.before = r.replica
			var asked proposal
			var line string
			switch rnd.IntN(6) {
			case 0, 1:
				r.flushed(r.end+int64(rnd.IntN(3)), now)
				line = "flushed"
			case 2, 3:
				id := int32(2 + rnd.IntN(2))
				to := min(r.end, max(0, r.follower(id).end)+int64(rnd.IntN(3)))
				asked, _ = r.fetched(id, to, 0, now)
				line = "fetched"
			case 4:
				asked = r.tick(now)
				line = "tick"
			default:
				line = "answered"
				switch {
				case r.proposed == nil:
				case rnd.IntN(3) == 0:
					r.refusedISR(now)
				default:
					partitionEpoch++
					r.lead(assignment{leader: 1, epoch: 1, partitionEpoch: partitionEpoch, replicas: r.replicas, isr: r.proposed}, 0, now)
				}
			}
			if asked.isr != nil && r.before.proposed != nil {
				t.Fatalf("P5 after %q: %s", line, r)
			}
			r.check(t, line)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}

func TestEpochChecks(t *testing.T) {
	r := newReplica(1)
	r.lead(assignment{leader: 1, epoch: 5, replicas: []int32{1}, isr: []int32{1}}, 0, epoch0)
	for known, want := range map[int32]error{-1: nil, 5: nil, 4: protocol.FencedLeaderEpoch, 0: protocol.FencedLeaderEpoch,
		6: protocol.UnknownLeaderEpoch} {
		if got := r.checkEpoch(known); got != want {
			t.Errorf("epoch %d: %v, want %v", known, got, want)
		}
	}
}
