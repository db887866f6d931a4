package crash

import (
	"fmt"
	"sync"
)

// place is where a record stands.
type place struct {
	partition int32
	offset    int64
}

// stream is what one producer sends to one partition: the numbers 0, 1, 2, …
type stream struct {
	producer  int
	partition int32
}

// record is a record's place and what it says of itself.
type record struct {
	place
	producer int
	number   int64
}

// history is what clients have seen, and what the checks need of it.
type history struct {
	mu        sync.Mutex
	acked     map[stream][]int64 // offsets by number: the broker has promised them
	delivered map[place]record   // what group members have read
	committed map[int32]int64    // the highest offset whose commit was acknowledged, by partition
	reread    int                // records read more than once
	broken    []string           // what was seen to be wrong while it happened
}

func newHistory() *history {
	return &history{acked: map[stream][]int64{}, delivered: map[place]record{}, committed: map[int32]int64{}}
}

func (h *history) complain(format string, args ...any) {
	if len(h.broken) < 20 {
		h.broken = append(h.broken, fmt.Sprintf(format, args...))
	}
}

// ack takes down that a record was acknowledged. Acknowledgements of a stream come in the order of its numbers.
func (h *history) ack(r record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := stream{r.producer, r.partition}
	if r.number != int64(len(h.acked[s])) {
		h.complain("producer %d, partition %d: %d acknowledged after %d", s.producer, s.partition, r.number, len(h.acked[s])-1)
		return
	}
	h.acked[s] = append(h.acked[s], r.offset)
}

// deliver takes down what a group member has read. A record read again must be the same.
func (h *history) deliver(r record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if before, ok := h.delivered[r.place]; ok {
		h.reread++
		if before != r {
			h.complain("partition %d offset %d: read as %+v, then as %+v", r.partition, r.offset, before, r)
		}
		return
	}
	h.delivered[r.place] = r
}

// commit takes down an acknowledged commit.
func (h *history) commit(partition int32, offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.committed[partition] = max(h.committed[partition], offset)
}

// fail takes down what a client was told and must never be.
func (h *history) fail(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.complain(format, args...)
}

// promisedCommits is what a coordinator that has just come back must know.
func (h *history) promisedCommits() map[int32]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	promised := make(map[int32]int64, len(h.committed))
	for p, o := range h.committed {
		promised[p] = o
	}
	return promised
}

// check compares the history with the whole content of the logs, each partition's records in offset order.
func (h *history) check(logs map[int32][]record) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := map[place]record{}
	next := map[stream]int64{}
	for partition, records := range logs {
		for i, r := range records {
			if r.offset != int64(i) {
				h.complain("partition %d: offset %d stands at %d", partition, r.offset, i)
				break
			}
			s := stream{r.producer, partition}
			if r.number != next[s] {
				h.complain("partition %d offset %d: producer %d's number %d, expected %d", partition, r.offset, r.producer, r.number, next[s])
			}
			next[s] = r.number + 1
			at[r.place] = r
		}
	}
	for s, offsets := range h.acked {
		for number, offset := range offsets {
			want := record{place{s.partition, offset}, s.producer, int64(number)}
			if got, ok := at[want.place]; !ok {
				h.complain("acknowledged %+v is lost", want)
			} else if got != want {
				h.complain("acknowledged %+v, but %+v is there", want, got)
			}
		}
	}
	for p, r := range h.delivered {
		if at[p] != r {
			h.complain("read %+v, but %+v is there", r, at[p])
		}
	}
	for partition, offset := range h.committed {
		if offset > int64(len(logs[partition])) {
			h.complain("partition %d: committed %d past the end %d", partition, offset, len(logs[partition]))
		}
	}
	return h.broken
}
