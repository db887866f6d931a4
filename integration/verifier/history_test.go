package verifier

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "t"

func at(partition int32, offset int64, producer int, number int64) Record {
	return Record{Place{topic, partition, offset}, producer, number}
}

func goodLogs() Logs {
	return Logs{{topic, 0}: {at(0, 0, 1, 0), at(0, 1, 2, 0), at(0, 2, 1, 1)}, {topic, 1}: {at(1, 0, 1, 0)}}
}

func seen() *History {
	h := NewHistory(Work{})
	h.ack(at(0, 0, 1, 0))
	h.ack(at(0, 2, 1, 1))
	h.ack(at(0, 1, 2, 0))
	h.deliver(at(0, 0, 1, 0))
	h.commit(Partition{topic, 0}, 2)
	return h
}

// TestTheCheckSees breaks each promise once.
func TestTheCheckSees(t *testing.T) {
	if broken := seen().Check(goodLogs()); len(broken) > 0 {
		t.Fatalf("nothing is wrong, but: %q", broken)
	}
	p0 := Partition{topic, 0}
	for name, c := range map[string]struct {
		change func(h *History, logs Logs)
		want   string
	}{
		"lost at the end":    {func(h *History, l Logs) { l[p0] = l[p0][:2] }, "and lost"},
		"lost in the middle": {func(h *History, l Logs) { l[p0] = append(l[p0][:1:1], l[p0][2]) }, "stands after"},
		"twice":              {func(h *History, l Logs) { l[p0] = append(l[p0], at(0, 3, 1, 1)) }, "expected 2"},
		"out of order":       {func(h *History, l Logs) { l[p0][0].Number, l[p0][2].Number = 1, 0 }, "expected 0"},
		"damaged":            {func(h *History, l Logs) { l[p0][1] = at(0, 1, -1, -1) }, "damaged"},
		"elsewhere":          {func(h *History, l Logs) { h.acked[stream{2, p0}][0].offset = 0 }, "but there is"},
		"read what is not":   {func(h *History, l Logs) { h.deliver(at(1, 7, 1, 9)) }, "read"},
		"read differently":   {func(h *History, l Logs) { h.deliver(at(0, 0, 2, 0)) }, "then as"},
		"committed too far":  {func(h *History, l Logs) { h.commit(Partition{topic, 1}, 2) }, "past the end"},
		"acked out of order": {func(h *History, l Logs) { h.ack(at(0, 3, 1, 5)) }, "acknowledged after"},
	} {
		h, logs := seen(), goodLogs()
		c.change(h, logs)
		if broken := strings.Join(h.Check(logs), "\n"); !strings.Contains(broken, c.want) {
			t.Errorf("%s went unseen: %q", name, broken)
		}
	}
}

// TestTrimmedAndCompacted: what retention and compaction may take is not missed, and the rest is.
func TestTrimmedAndCompacted(t *testing.T) {
	h := func() *History {
		h := NewHistory(Work{Trimmed: "trimmed", Keyed: "keyed"})
		for n := range int64(2 * keys) {
			h.ack(Record{Place{"trimmed", 0, n}, 0, n})
			h.ack(Record{Place{"keyed", 0, n}, 0, n})
		}
		return h
	}
	logs := func() Logs {
		l := Logs{}
		for n := range int64(2 * keys) {
			if n > 20 && n != 30 { // read up to 29, when the start went past it
				l[Partition{"trimmed", 0}] = append(l[Partition{"trimmed", 0}], Record{Place{"trimmed", 0, n}, 0, n})
			}
			if n%3 == 0 || n >= keys {
				l[Partition{"keyed", 0}] = append(l[Partition{"keyed", 0}], Record{Place{"keyed", 0, n}, 0, n})
			}
		}
		return l
	}
	if broken := h().Check(logs()); len(broken) > 0 {
		t.Errorf("nothing is wrong, but: %q", broken)
	}
	for _, topic := range []string{"trimmed", "keyed"} {
		l := logs()
		p := Partition{topic, 0}
		l[p] = l[p][:len(l[p])-1]
		if broken := h().Check(l); len(broken) == 0 {
			t.Errorf("%s: the last record is missing, unseen", topic)
		}
	}
}

// TestTheWindowIsSeen: a lost end is counted, unless it was acknowledged too long ago.
func TestTheWindowIsSeen(t *testing.T) {
	short := func() Logs {
		logs := goodLogs()
		logs[Partition{topic, 0}] = logs[Partition{topic, 0}][:1]
		return logs
	}
	if lost, broken := seen().CheckWindow(short(), time.Now().Add(-time.Hour)); lost != 2 || len(broken) > 0 {
		t.Errorf("%d lost, %q", lost, broken)
	}
	if _, broken := seen().CheckWindow(short(), time.Now().Add(time.Hour)); len(broken) == 0 {
		t.Error("what was lost before the window went unseen")
	}
	logs := short()
	logs[Partition{topic, 0}][0].Producer = 2
	if _, broken := seen().CheckWindow(logs, time.Now().Add(-time.Hour)); len(broken) == 0 {
		t.Error("another record in its place went unseen")
	}
}

// TestValues: what a record says of itself is read back, and any flipped byte is seen.
func TestValues(t *testing.T) {
	v := value(3, 70_000)
	r := &kgo.Record{Topic: topic, Partition: 2, Offset: 9, Value: v}
	if got := recordOf(r); got != at(2, 9, 3, 70_000) {
		t.Errorf("%s", got)
	}
	for i := range v {
		v[i] ^= 4
		if got := recordOf(r); got.Number >= 0 {
			t.Errorf("byte %d flipped: %s", i, got)
		}
		v[i] ^= 4
	}
	r.Value = v[:100]
	if got := recordOf(r); got.Number >= 0 {
		t.Errorf("cut short: %s", got)
	}
}
