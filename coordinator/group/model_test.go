package group

import (
	"testing"

	"github.com/ottla/ottla/coordinator"
	"pgregory.net/rapid"
)

func at(offset int64) coordinator.Position {
	return coordinator.Position{Offset: offset, ProducerID: -1}
}

// TestVote compares the vote with its definition, worked out the long way.
func TestVote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup("g", 0)
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 4)
		common := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "common")
		for i := range rapid.IntRange(1, 6).Draw(t, "members") {
			var offered []protocolMetadata
			seen := map[string]bool{}
			list := names.Draw(t, "protocols")
			where := rapid.IntRange(0, len(list)).Draw(t, "where")
			list = append(list[:where:where], append([]string{common}, list[where:]...)...)
			for _, p := range list {
				if !seen[p] {
					offered = append(offered, protocolMetadata{name: p})
				}
				seen[p] = true
			}
			g.members.add(&member{id: string(rune('0' + i)), protocols: offered})
		}
		if got, want := g.vote(), slowVote(g.members.list); got != want {
			t.Fatalf("vote %q, want %q", got, want)
		}
	})
}

// slowVote is the vote by its words: of the protocols that all offer, each member votes for its first; the most votes win,
// and of equals the one whose first vote came first.
func slowVote(list []*member) string {
	offers := func(m *member, p string) bool {
		for _, o := range m.protocols {
			if o.name == p {
				return true
			}
		}
		return false
	}
	all := func(p string) bool {
		for _, m := range list {
			if !offers(m, p) {
				return false
			}
		}
		return true
	}
	var order []string
	votes := map[string]int{}
	for _, m := range list {
		for _, p := range m.protocols {
			if all(p.name) {
				if votes[p.name] == 0 {
					order = append(order, p.name)
				}
				votes[p.name]++
				break
			}
		}
	}
	best := order[0]
	for _, p := range order {
		if votes[p] > votes[best] {
			best = p
		}
	}
	return best
}

// TestTimers compares the timers with a list that is searched.
func TestTimers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ts timers
		all := make([]timer, 6)
		type entry struct{ at, order int }
		twin := map[int]entry{}
		for i := range 40 {
			k := rapid.IntRange(0, len(all)-1).Draw(t, "timer")
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0:
				when := rapid.IntRange(0, 9).Draw(t, "at")
				ts.start(&all[k], began.Add(millis(int32(when))))
				twin[k] = entry{when, i}
			case 1:
				ts.stop(&all[k])
				delete(twin, k)
			default:
				now := rapid.IntRange(0, 9).Draw(t, "now")
				want := -1
				for j, e := range twin {
					if e.at <= now && (want == -1 || e.at < twin[want].at || e.at == twin[want].at && e.order < twin[want].order) {
						want = j
					}
				}
				got := ts.due(began.Add(millis(int32(now))))
				switch {
				case want == -1 && got != nil, want >= 0 && got != &all[want]:
					t.Fatalf("due %p, want timer %d", got, want)
				}
				delete(twin, want)
			}
			if len(ts.heap) != len(twin) {
				t.Fatalf("%d run, want %d", len(ts.heap), len(twin))
			}
		}
	})
}
