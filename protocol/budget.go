package protocol

import (
	"cmp"
	"errors"
	"slices"
	"sync"
)

// Budget counts the bytes that connections hold in memory: frames in flight and responses not yet sent. Reading waits
// for room, so that a flood ends as back-pressure on sockets. Sending never waits: what holds memory can always end.
//
// A frame takes its bytes in steps, as they arrive, and so may wait for room while it holds some. Two rules keep that
// from becoming a deadlock, and let a frame pass that is larger than the whole budget:
//   - Where nothing is held, anything is admitted.
//   - One frame at a time lies beyond the total: the overdraft. It ends when that frame is released.
//
// Two more keep those who want much from shutting out those who ask for little:
//   - A connection that holds no more than its floor waits for nobody.
//   - Room goes to the frames that ask for least; the overdraft to the one that has waited longest.
//
// So what is held stays below total + one frame + a floor for each connection + the responses to the requests admitted.
type Budget struct {
	total, floor int64

	mu struct { // guards the fields below, and the counts in every account and hold
		sync.Mutex
		used      int64
		overdraft *hold
		// growing wait and hold part of a frame, those first that want least; fresh wait for the first bytes of one, in
		// order. Growing are served first.
		growing, fresh []*waiter
		// arrivals counts waiters.
		arrivals int
	}
}

// Account is one connection's part of a budget.
type Account struct {
	budget *Budget
	// max is what the connection may hold before its next frame waits. A frame larger than it is admitted alone.
	max  int64
	held int64
}

// hold is what one frame has of its account.
type hold struct {
	account *Account
	bytes   int64
	waits   int // how often it found no room; its frame's goroutine owns that
}

// waiter is a hold that found no room for n more bytes.
type waiter struct {
	hold    *hold
	n       int64
	arrival int
	granted chan struct{} // closed when the bytes are taken
}

// ErrClosing ends a wait for room when the connection does.
var ErrClosing = errors.New("connection is closing")

// floors is how many floors are as much as the total: of 256 MiB, one is 16 KiB, which is more than most requests.
const floors = 16 << 10

// NewBudget is a budget of total bytes.
func NewBudget(total int64) *Budget { return &Budget{total: total, floor: total / floors} }

// Open makes an account that may hold max bytes.
func (b *Budget) Open(max int64) *Account { return &Account{budget: b, max: max} }

// Used is the number of bytes that all accounts hold.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.used
}

// Held is the number of bytes that the account holds.
func (a *Account) Held() int64 {
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	return a.held
}

// Pressed reports whether others wait for room while this account holds more than its floor, and how much that is.
func (a *Account) Pressed() (held int64, pressed bool) {
	b := a.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.held <= b.floor {
		return a.held, false
	}
	waits := func(w *waiter) bool { return w.hold.account != a && !w.hold.atLimit(w.n) }
	return a.held, slices.ContainsFunc(b.mu.growing, waits) || slices.ContainsFunc(b.mu.fresh, waits)
}

// Charge takes n bytes without waiting, for a response: what must go on cannot wait for what waits for it.
func (a *Account) Charge(n int64) {
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	a.budget.mu.used += n
	a.held += n
}

// Release gives back n bytes that were charged.
func (a *Account) Release(n int64) {
	a.budget.mu.Lock()
	defer a.budget.mu.Unlock()
	a.giveBack(n)
}

// try takes n more bytes for the frame if they are there at once.
func (h *hold) try(n int64) bool {
	b := h.account.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.mu.growing)+len(b.mu.fresh) > 0 && !h.small(n) || !b.fits(h, n) && !b.lend(h, n) {
		return false
	}
	b.take(h, n)
	return true
}

// acquire takes n more bytes for the frame. It waits for room until done is closed; then it takes nothing and returns
// ErrClosing.
func (h *hold) acquire(n int64, done <-chan struct{}) error {
	if h.try(n) {
		return nil
	}
	b := h.account.budget
	b.mu.Lock()
	h.waits++
	b.mu.arrivals++
	w := &waiter{hold: h, n: n, arrival: b.mu.arrivals, granted: make(chan struct{})}
	if h.bytes > 0 {
		at, _ := slices.BinarySearchFunc(b.mu.growing, n+1, func(o *waiter, n int64) int { return cmp.Compare(o.n, n) })
		b.mu.growing = slices.Insert(b.mu.growing, at, w)
	} else {
		b.mu.fresh = append(b.mu.fresh, w)
	}
	b.serve()
	b.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-done:
		b.withdraw(w)
		return ErrClosing
	}
}

// charge takes n more bytes without waiting.
func (h *hold) charge(n int64) {
	b := h.account.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take(h, n)
}

// release gives back all bytes of the frame.
func (h *hold) release() {
	b := h.account.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.overdraft == h {
		b.mu.overdraft = nil
	}
	n := h.bytes
	h.bytes = 0
	h.account.giveBack(n)
}

// fits reports whether there is room for n more bytes of h. b.mu is held.
func (b *Budget) fits(h *hold, n int64) bool {
	used := b.mu.used
	if b.mu.overdraft != nil {
		used -= b.mu.overdraft.bytes // it has left its room to others
	}
	return !h.atLimit(n) && (b.mu.used == 0 || used+n <= b.total || b.mu.overdraft == h || h.small(n))
}

// lend gives h the overdraft, if that is free and h may have it. b.mu is held.
func (b *Budget) lend(h *hold, n int64) bool {
	if h.bytes == 0 || b.mu.overdraft != nil || h.atLimit(n) {
		return false
	}
	b.mu.overdraft = h
	return true
}

// take counts n more bytes of h. b.mu is held.
func (b *Budget) take(h *hold, n int64) {
	b.mu.used += n
	h.account.held += n
	h.bytes += n
}

// atLimit reports whether n more bytes for h wait for what its own connection holds besides. The budget's mu is held.
func (h *hold) atLimit(n int64) bool {
	a := h.account
	return a.held > h.bytes && a.held+n > a.max
}

// small reports whether the connection stays within its floor with n more bytes. The budget's mu is held.
func (h *hold) small(n int64) bool { return h.account.held+n <= h.account.budget.floor }

// giveBack returns n bytes to the budget and serves who waits for them. The budget's mu is held.
func (a *Account) giveBack(n int64) {
	a.held -= n
	a.budget.mu.used -= n
	if n < 0 || a.held < 0 || a.budget.mu.used < 0 {
		panic("protocol: more bytes given back than were taken")
	}
	a.budget.serve()
}

// serve lends the overdraft, and admits those waiters that then find room. b.mu is held.
func (b *Budget) serve() {
	var oldest *waiter
	for _, w := range b.mu.growing {
		if (oldest == nil || w.arrival < oldest.arrival) && !w.hold.atLimit(w.n) {
			oldest = w
		}
	}
	if oldest != nil && !b.fits(oldest.hold, oldest.n) {
		b.lend(oldest.hold, oldest.n)
	}
	admitted := func(w *waiter) bool {
		if !b.fits(w.hold, w.n) {
			return false
		}
		b.take(w.hold, w.n)
		close(w.granted)
		return true
	}
	b.mu.growing = slices.DeleteFunc(b.mu.growing, admitted)
	b.mu.fresh = slices.DeleteFunc(b.mu.fresh, admitted)
}

// withdraw ends a wait, and undoes it if it was granted in the meantime.
func (b *Budget) withdraw(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	same := func(o *waiter) bool { return o == w }
	b.mu.growing = slices.DeleteFunc(b.mu.growing, same)
	b.mu.fresh = slices.DeleteFunc(b.mu.fresh, same)
	select {
	case <-w.granted:
		w.hold.bytes -= w.n
		w.hold.account.giveBack(w.n)
	default:
	}
}
