package crash

import (
	"strings"
	"testing"
)

// TestTheCheckSees breaks each promise once.
func TestTheCheckSees(t *testing.T) {
	at := func(partition int32, offset int64, producer int, number int64) record {
		return record{place{partition, offset}, producer, number}
	}
	good := func() map[int32][]record {
		return map[int32][]record{0: {at(0, 0, 1, 0), at(0, 1, 2, 0), at(0, 2, 1, 1)}, 1: {at(1, 0, 1, 0)}}
	}
	seen := func() *history {
		h := newHistory()
		h.ack(at(0, 0, 1, 0))
		h.ack(at(0, 2, 1, 1))
		h.ack(at(0, 1, 2, 0))
		h.deliver(at(0, 0, 1, 0))
		h.commit(0, 2)
		return h
	}
	if broken := seen().check(good()); len(broken) > 0 {
		t.Fatalf("nothing is wrong, but: %q", broken)
	}
	for name, c := range map[string]struct {
		change func(h *history, logs map[int32][]record)
		want   string
	}{
		"lost at the end":    {func(h *history, l map[int32][]record) { l[0] = l[0][:2] }, "is lost"},
		"lost in the middle": {func(h *history, l map[int32][]record) { l[0] = append(l[0][:1:1], l[0][2]) }, "stands at"},
		"twice":              {func(h *history, l map[int32][]record) { l[0] = append(l[0], at(0, 3, 1, 1)) }, "expected 2"},
		"out of order":       {func(h *history, l map[int32][]record) { l[0][0].number, l[0][2].number = 1, 0 }, "expected 0"},
		"elsewhere":          {func(h *history, l map[int32][]record) { h.acked[stream{2, 0}][0] = 0 }, "is there"},
		"read what is not":   {func(h *history, l map[int32][]record) { h.deliver(at(1, 7, 1, 9)) }, "read"},
		"read differently":   {func(h *history, l map[int32][]record) { h.deliver(at(0, 0, 2, 0)) }, "then as"},
		"committed too far":  {func(h *history, l map[int32][]record) { h.commit(1, 2) }, "past the end"},
		"acked out of order": {func(h *history, l map[int32][]record) { h.ack(at(0, 3, 1, 5)) }, "acknowledged after"},
	} {
		h, logs := seen(), good()
		c.change(h, logs)
		if broken := strings.Join(h.check(logs), "\n"); !strings.Contains(broken, c.want) {
			t.Errorf("%s went unseen: %q", name, broken)
		}
	}
}
