// Package verifier puts a broker under load, takes down what its clients were promised, and checks that after a crash all
// of it is true: every acknowledged record is there once and in order, offsets are dense, nobody has read what is not there,
// committed offsets never go back, topics that were made exist and those that were deleted stay away.
package verifier

import (
	"fmt"
	"sync"
	"time"
)

// Partition is one of a topic.
type Partition struct {
	Topic string
	ID    int32
}

// Place is where a record stands.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p Place) partition() Partition { return Partition{p.Topic, p.Partition} }

// Record is a record's place and what it says of itself.
type Record struct {
	Place
	Producer int
	Number   int64
}

// stream is what one producer sends to one partition: the numbers 0, 1, 2, …
type stream struct {
	producer  int
	partition Partition
}

// ack is one acknowledgement.
type ack struct {
	offset int64
	at     time.Time
}

// History is what clients have seen, and what the checks need of it.
type History struct {
	mu        sync.Mutex
	acked     map[stream][]ack    // by number: the broker has promised them
	delivered map[Place]Record    // what group members have read
	committed map[Partition]int64 // the highest offset whose commit was acknowledged
	topics    map[string]fate
	trimmed   string   // a topic of which the beginning may be missing
	keyed     string   // a topic of which each key's last record must be there
	reread    int      // records read more than once
	broken    []string // what was seen to be wrong while it happened
}

// fate is what is known of a topic that comes or goes.
type fate int

const (
	asked    fate = iota // created or deleted, without an answer so far: it may be there
	made                 // its creation was acknowledged
	unwanted             // its deletion was acknowledged
)

// NewHistory is a history of work in which nothing has happened.
func NewHistory(w Work) *History {
	return &History{trimmed: w.Trimmed, keyed: w.Keyed, acked: map[stream][]ack{}, delivered: map[Place]Record{}, committed: map[Partition]int64{}, topics: map[string]fate{}}
}

func (h *History) complain(format string, args ...any) {
	if len(h.broken) < 20 {
		h.broken = append(h.broken, fmt.Sprintf(format, args...))
	}
}

// ack takes down that a record was acknowledged. Acknowledgements of a stream come in the order of its numbers.
func (h *History) ack(r Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := stream{r.Producer, r.partition()}
	if r.Number != int64(len(h.acked[s])) {
		h.complain("producer %d, %s-%d: %d acknowledged after %d", r.Producer, r.Topic, r.Partition, r.Number, len(h.acked[s])-1)
		return
	}
	h.acked[s] = append(h.acked[s], ack{r.Offset, time.Now()})
}

// deliver takes down what a group member has read. A record read again must be the same.
func (h *History) deliver(r Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, ok := h.delivered[r.Place]; ok {
		h.reread++
		if before != r {
			h.complain("read as %s, then as %s", before, r)
		}
		return
	}
	h.delivered[r.Place] = r
}

// commit takes down an acknowledged commit.
func (h *History) commit(p Partition, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.committed[p] = max(h.committed[p], offset)
}

// topic takes down what becomes of a topic.
func (h *History) topic(name string, f fate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.topics[name] = f
}

// fail takes down what a client was told and must never be.
func (h *History) fail(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.complain(format, args...)
}

// Acked is how many records were acknowledged.
func (h *History) Acked() (records int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, acks := range h.acked {
		records += int64(len(acks))
	}
	return records
}

// Promises is what a broker that has just come back must know at once.
type Promises struct {
	commits map[Partition]int64
	topics  map[string]fate
}

// Promises is what was promised so far.
func (h *History) Promises() Promises {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := Promises{map[Partition]int64{}, map[string]fate{}}
	for partition, offset := range h.committed {
		p.commits[partition] = offset
	}
	for name, f := range h.topics {
		p.topics[name] = f
	}
	return p
}

// Logs is the whole content of partitions, each in offset order.
type Logs map[Partition][]Record

// Check compares the history with the logs. It tells what is wrong.
func (h *History) Check(logs Logs) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := (Partition{h.trimmed, 0}); len(logs[p]) > 0 {
		logs[p] = fromLastGap(logs[p])
	}
	at := h.checkLogs(logs)
	for s, acks := range h.acked {
		for number, a := range acks {
			want := Record{Place{s.partition.Topic, s.partition.ID, a.offset}, s.producer, int64(number)}
			if got, ok := at[want.Place]; !ok && h.mayBeGone(want, logs[s.partition], len(acks)) {
				continue
			} else if !ok {
				h.complain("acknowledged, and lost: %s", want)
			} else if got != want {
				h.complain("acknowledged %s, but there is %s", want, got)
			}
		}
	}
	for place, r := range h.delivered {
		if got, ok := at[place]; !ok {
			h.complain("read, and not there: %s", r)
		} else if got != r {
			h.complain("read %s, but there is %s", r, got)
		}
	}
	for p, offset := range h.committed {
		if offset > int64(len(logs[p])) {
			h.complain("%s-%d: committed %d past the end %d", p.Topic, p.ID, offset, len(logs[p]))
		}
	}
	return h.broken
}

// fromLastGap is what retention has left while the log was read: it overtook the reader where offsets are missing.
func fromLastGap(records []Record) []Record {
	for i := len(records) - 1; i > 0; i-- {
		if records[i].Offset != records[i-1].Offset+1 {
			return records[i:]
		}
	}
	return records
}

// mayBeGone: retention takes what lies before the first record that is left, compaction what a later one of the same key
// replaces. acked is how many records of the stream are acknowledged.
func (h *History) mayBeGone(r Record, left []Record, acked int) bool {
	switch r.Topic {
	case h.trimmed:
		return len(left) > 0 && r.Offset < left[0].Offset
	case h.keyed:
		return r.Number+keys < int64(acked)
	}
	return false
}

// checkLogs checks that offsets are dense and that each stream's numbers are there from 0, in order and once.
func (h *History) checkLogs(logs Logs) map[Place]Record {
	at := map[Place]Record{}
	next := map[stream]int64{}
	for partition, records := range logs {
		for i, r := range records {
			s := stream{r.Producer, partition}
			switch {
			case partition.Topic == h.keyed && i > 0 && r.Offset > records[i-1].Offset && r.Number > records[i-1].Number:
				next[s] = r.Number // others of their keys were between
			case i == 0 && (partition.Topic == h.keyed || partition.Topic == h.trimmed):
				next[s] = r.Number
			case i > 0 && r.Offset != records[i-1].Offset+1 || i == 0 && r.Offset != 0:
				h.complain("%s: stands after %d others", r, i)
				return at
			}
			if r.Number != next[s] {
				h.complain("%s: expected %d", r, next[s])
			}
			next[s] = r.Number + 1
			at[r.Place] = r
		}
	}
	return at
}

// CheckWindow compares the history with logs that may have lost their ends: what was acknowledged before the time given is
// there, each log is a prefix of what was sent, and what stands where an acknowledged record stood is that record. It
// returns how many acknowledged records are missing.
func (h *History) CheckWindow(logs Logs, before time.Time) (lost int64, broken []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.checkLogs(logs)
	for s, acks := range h.acked {
		for number, a := range acks {
			want := Record{Place{s.partition.Topic, s.partition.ID, a.offset}, s.producer, int64(number)}
			switch got, ok := at[want.Place]; {
			case ok && got != want:
				h.complain("acknowledged %s, but there is %s", want, got)
			case !ok && a.at.Before(before):
				h.complain("lost %v before the window: %s", before.Sub(a.at), want)
			case !ok:
				lost++
			}
		}
	}
	return lost, h.broken
}
