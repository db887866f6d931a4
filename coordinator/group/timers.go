package group

import (
	"container/heap"
	"time"
)

// timer is something to do at a time: one member's session, one group's join phase, the retention of offsets.
// Its zero value is stopped.
type timer struct {
	fire func(now time.Time, s *step)

	at    time.Time
	order uint64 // of start: timers of one instant fire in the order in which they were started
	place int    // in the heap, from 1; 0 when stopped
}

func (t *timer) running() bool { return t.place != 0 }

// timers are the running timers, the earliest first.
type timers struct {
	heap    timerHeap
	started uint64
}

// start sets t to fire at the given time, whether it runs or not.
func (ts *timers) start(t *timer, at time.Time) {
	ts.started++
	t.at, t.order = at, ts.started
	if t.running() {
		heap.Fix(&ts.heap, t.place-1)
		return
	}
	heap.Push(&ts.heap, t)
}

func (ts *timers) stop(t *timer) {
	if t.running() {
		heap.Remove(&ts.heap, t.place-1)
	}
}

// due takes away the earliest timer if its time has come.
func (ts *timers) due(now time.Time) *timer {
	if len(ts.heap) == 0 || ts.heap[0].at.After(now) {
		return nil
	}
	return heap.Pop(&ts.heap).(*timer)
}

// next is when the earliest timer fires, zero if none runs.
func (ts *timers) next() time.Time {
	if len(ts.heap) == 0 {
		return time.Time{}
	}
	return ts.heap[0].at
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
	}
	return h[i].at.Before(h[j].at)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.place = len(*h)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.place = 0
	return t
}
