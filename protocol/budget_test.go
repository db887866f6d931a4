package protocol

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// take acquires in the background and reports when it is granted.
func take(h *hold, n int64, done <-chan struct{}) *atomic.Bool {
	var granted atomic.Bool
	go func() { granted.Store(h.acquire(n, done) == nil) }()
	return &granted
}

func TestBudgetWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		a1, a2 := b.Open(1000), b.Open(1000)
		first, second, third := &hold{account: a1}, &hold{account: a2}, &hold{account: a2}
		if err := first.acquire(90, nil); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		granted := take(second, 20, nil)
		dropped := take(third, 20, done)
		synctest.Wait()
		if granted.Load() || b.Used() != 90 {
			t.Fatalf("20 bytes were admitted where 10 of 100 are left: used %d", b.Used())
		}
		close(done)
		synctest.Wait()
		first.release()
		synctest.Wait()
		if !granted.Load() || dropped.Load() || b.Used() != 20 {
			t.Fatalf("granted %v, dropped %v, used %d; want true, false, 20", granted.Load(), dropped.Load(), b.Used())
		}
	})
}

func TestBudgetAdmitsAnythingAlone(t *testing.T) {
	done := make(chan struct{})
	close(done)
	b := NewBudget(10)
	large, next := &hold{account: b.Open(1)}, &hold{account: b.Open(1)}
	if err := large.acquire(100, done); err != nil {
		t.Errorf("a frame larger than the whole budget: %v", err)
	}
	if err := next.acquire(1, done); err != ErrClosing || b.Used() != 100 {
		t.Errorf("the frame after it: %v, used %d", err, b.Used())
	}
}

func TestBudgetChargeNeverWaits(t *testing.T) {
	b := NewBudget(10)
	a := b.Open(10)
	a.Charge(1000)
	if a.Held() != 1000 || b.Used() != 1000 {
		t.Fatal("a response was not counted")
	}
	a.Release(1000)
	if b.Used() != 0 {
		t.Fatal("a response was not given back")
	}
}

func TestBudgetAccountLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1000)
		a, other := b.Open(100), b.Open(100)
		large, next, elsewhere := &hold{account: a}, &hold{account: a}, &hold{account: other}
		if err := large.acquire(150, nil); err != nil { // alone in its connection
			t.Fatal(err)
		}
		waiting := take(next, 10, nil)
		synctest.Wait()
		if waiting.Load() {
			t.Fatal("a connection went past its limit")
		}
		if err := elsewhere.acquire(50, nil); err != nil {
			t.Fatal("one connection's limit held up another")
		}
		large.release()
		synctest.Wait()
		if !waiting.Load() {
			t.Fatal("the connection was not let on")
		}
	})
}

func TestBudgetOneOverdraft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		first, second := &hold{account: b.Open(1000)}, &hold{account: b.Open(1000)}
		first.acquire(50, nil)
		second.acquire(50, nil)
		if err := first.acquire(500, nil); err != nil { // both hold half: one must go on
			t.Fatal(err)
		}
		waiting := take(second, 500, nil)
		synctest.Wait()
		if waiting.Load() {
			t.Fatal("a second frame went beyond the total")
		}
		first.release()
		synctest.Wait()
		if !waiting.Load() || b.Used() != 550 {
			t.Fatalf("the overdraft did not move on: used %d", b.Used())
		}
	})
}

// Who holds much does not shut out who asks for little, and can be told that others wait for what it holds.
func TestBudgetFloor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10 * floors) // a floor of 10
		greedy, modest, other := b.Open(1<<40), b.Open(1000), b.Open(1000)
		greedy.Charge(100 * floors)
		if _, pressed := greedy.Pressed(); pressed {
			t.Error("pressed where nobody waits")
		}
		waiting := &hold{account: other}
		granted := take(waiting, 11, nil)
		synctest.Wait()
		if granted.Load() {
			t.Fatal("more than a floor was admitted beyond the total")
		}
		if held, pressed := greedy.Pressed(); !pressed || held != 100*floors {
			t.Errorf("who holds %d, and all there is, is pressed: %v", held, pressed)
		}
		small := &hold{account: modest}
		for range 10 { // although others were there before
			if err := small.acquire(1, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, pressed := modest.Pressed(); pressed {
			t.Error("who holds its floor is pressed")
		}
		beyond := take(&hold{account: modest}, 1, nil)
		synctest.Wait()
		if beyond.Load() {
			t.Error("admitted beyond the floor")
		}
		greedy.Release(100 * floors)
		synctest.Wait()
		if !granted.Load() || !beyond.Load() {
			t.Error("not admitted where there is room again")
		}
	})
}

// Room goes to who asks for least, the overdraft to who has waited longest, and its room to others.
func TestBudgetOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		grown := func(n int64) *hold {
			h := &hold{account: b.Open(1000)}
			h.acquire(n, nil)
			return h
		}
		first, large, small, other, holder := grown(10), grown(10), grown(10), grown(10), grown(60)
		take(first, 500, nil) // the overdraft: of the total there are 10 left
		synctest.Wait()
		largeIn := take(large, 70, nil)
		synctest.Wait()
		otherIn := take(other, 30, nil)
		smallIn := take(small, 11, nil)
		synctest.Wait()
		if largeIn.Load() || smallIn.Load() || otherIn.Load() {
			t.Fatal("admitted where there is no room")
		}
		first.release()
		synctest.Wait()
		if !largeIn.Load() || !smallIn.Load() || otherIn.Load() {
			t.Fatalf("large admitted: %v, want the overdraft; small: %v, want the room that this leaves; other: %v", largeIn.Load(), smallIn.Load(), otherIn.Load())
		}
		holder.release()
		synctest.Wait()
		if !otherIn.Load() {
			t.Fatal("not admitted where there is room")
		}
	})
}

// A connection that waits for its own unsent answers presses nobody.
func TestBudgetOwnLimitIsNoPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10 * floors)
		full, other := b.Open(100), b.Open(100)
		full.Charge(100)
		other.Charge(50)
		done := make(chan struct{})
		take(&hold{account: full}, 10, done)
		synctest.Wait()
		if _, pressed := other.Pressed(); pressed {
			t.Error("pressed by a connection that waits for itself")
		}
		close(done)
	})
}

// Frames of all sizes, up to three times the total, read in steps by many connections that also charge responses: all
// of them pass (synctest fails when every goroutine waits), within total + one frame + the responses.
func TestBudgetCannotDeadlock(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		const total, frameMax, response, conns = 1000, 3000, 10, 50
		b := NewBudget(total)
		var wg sync.WaitGroup
		for c := range conns {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			wg.Go(func() {
				a := b.Open(500)
				for range 40 {
					h := &hold{account: a}
					size := rng.Int64N(frameMax) + 1
					for n := int64(0); n < size; {
						step := min(size-n, max(4, 3*n))
						if err := h.acquire(step, nil); err != nil {
							t.Error(err)
						}
						n += step
						if used := b.Used(); used > total+frameMax+conns*response {
							t.Errorf("%d bytes used", used)
						}
						if rng.IntN(4) == 0 {
							time.Sleep(time.Duration(rng.IntN(1000))) // the next bytes are on their way
						}
					}
					a.Charge(response)
					time.Sleep(time.Duration(rng.IntN(1000))) // being served
					h.release()
					a.Release(response)
				}
			})
		}
		wg.Wait()
		if b.Used() != 0 {
			t.Errorf("%d bytes are still used", b.Used())
		}
	})
}

func BenchmarkBudget(b *testing.B) {
	budget := NewBudget(1 << 30)
	b.RunParallel(func(pb *testing.PB) {
		h := &hold{account: budget.Open(1 << 20)}
		for pb.Next() {
			h.acquire(512, nil)
			h.release()
		}
	})
}
