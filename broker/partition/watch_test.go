package partition

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// waiter counts what its watches were told.
type waiter struct {
	mu    sync.Mutex
	told  int
	bytes int64
	err   error
	then  func(*Watch)
}

func (n *waiter) Notice(w *Watch) {
	n.mu.Lock()
	n.told++
	n.bytes, n.err = w.Bytes, w.Err
	n.mu.Unlock()
	if n.then != nil {
		n.then(w)
	}
}

// TestNoWakeUpIsLost appends from several goroutines while the flusher runs: whoever waits for his batch must be told,
// however the flush and the append's own accounting interleave.
func TestNoWakeUpIsLost(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 500 {
				a, err := p.Produce(batch("x"), true)
				if err != nil {
					t.Error(err)
					return
				}
				told := make(chan struct{})
				watch := Watch{Owner: &waiter{then: func(*Watch) { close(told) }}}
				if !p.Watch(&watch, HighWatermark, a.LastOffset+1, a.Epoch) {
					continue
				}
				select {
				case <-told:
				case <-time.After(10 * time.Second):
					t.Errorf("nobody told of offset %d; the high watermark is %d", a.LastOffset, p.Committed())
					return
				}
			}
		})
	}
	writers.Wait()
}

// TestWatchModel holds watches against a dumb twin: each fires once, exactly when its mark comes, with the bytes passed
// since it was armed.
func TestWatchModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, "log.durability", "pagecache")
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	type armed struct {
		watch  Watch
		waiter waiter
		at     int64
		bytes  int64 // passed when armed
		left   bool
	}
	var all []*armed
	passed := int64(0)
	for step := range 5000 {
		switch rnd.IntN(3) {
		case 0:
			b := batch(make([]string, 1+rnd.IntN(3))...)
			passed += int64(len(b))
			before := p.Committed()
			if _, err := p.Produce(b, true); err != nil {
				t.Fatal(err)
			}
			for _, a := range all {
				fires := !a.left && a.at > before && a.at <= p.Committed()
				if fires && (a.waiter.told != 1 || a.waiter.bytes != passed-a.bytes || a.waiter.err != nil) {
					t.Fatalf("step %d: at %d of %d: told %d times of %d bytes, want %d", step, a.at, p.Committed(), a.waiter.told, a.waiter.bytes, passed-a.bytes)
				}
			}
		case 1:
			a := &armed{at: p.Committed() + int64(rnd.IntN(6)), bytes: passed}
			a.watch.Owner = &a.waiter
			if p.Watch(&a.watch, HighWatermark, a.at, 0) != (a.at > p.Committed()) {
				t.Fatalf("step %d: armed at %d of %d", step, a.at, p.Committed())
			}
			all = append(all, a)
		default:
			if len(all) == 0 {
				continue
			}
			a := all[rnd.IntN(len(all))]
			waits := !a.left && a.at > p.Committed()
			if p.Unwatch(&a.watch) != waits {
				t.Fatalf("step %d: unwatched at %d of %d", step, a.at, p.Committed())
			}
			a.left = a.left || waits
		}
		for _, a := range all {
			if done := !a.left && a.at <= p.Committed() && a.waiter.told <= 1; !done && a.waiter.told > 0 {
				t.Fatalf("step %d: told %d times at %d of %d, left %v", step, a.waiter.told, a.at, p.Committed(), a.left)
			}
		}
	}
}

func TestSizesAreBounded(t *testing.T) {
	var s sizes
	for i := range int64(10 * sizesMax) {
		s.push(i+1, 1)
	}
	if len(s.batches) > sizesMax {
		t.Errorf("%d batches kept", len(s.batches))
	}
	if got := s.pop(10) + s.pop(10*sizesMax); got != 10*sizesMax {
		t.Errorf("%d bytes came out", got)
	}
	for i := range int64(100_000) { // it does not grow while it is drained
		s.push(i+1, 1)
		s.push(i+2, 1)
		s.pop(i)
	}
	if cap(s.batches) > 2*sizesMax {
		t.Errorf("capacity %d", cap(s.batches))
	}
}
