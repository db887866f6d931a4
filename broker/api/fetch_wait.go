package api

import (
	"time"

	"github.com/ottla/ottla/broker/partition"
)

// watched is a partition's watch. One that is armed is not touched until it fires or is disarmed.
type watched struct {
	partition.Watch
	armed bool
}

// look reads what there is, and answers if that will do. Otherwise it parks the request, and ends. What is read lies in
// files: to look again costs no copy.
func (f *fetch) look() {
	for {
		bytes, enough := f.readAll()
		enough = enough || bytes >= f.minBytes || f.req.MaxWaitMillis <= 0
		if !enough && f.park(f.minBytes-bytes) {
			return
		}
		if enough || f.timeIsUp() {
			f.finish()
			return
		}
	}
}

// park lets the request wait until it needs no more bytes. It returns false where there is news already: the caller looks
// again.
func (f *fetch) park(need int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.need, f.mu.news = need, false
	if f.mu.watches == nil {
		f.mu.watches = make([]watched, len(f.items))
	}
	for i := range f.items {
		if it := &f.items[i]; it.partition != nil && !f.mu.watches[i].armed {
			f.arm(i, it)
		}
		f.items[i].read.Slice.Release()
	}
	if !f.mu.entered && !f.mu.news {
		deadline := f.server.Now().Add(time.Duration(f.req.MaxWaitMillis) * time.Millisecond)
		f.mu.entered = f.server.Purgatory.Enter(&f.wait, f, f.r.Conn, deadline)
		f.mu.over, f.mu.gone = !f.mu.entered, !f.mu.entered
	}
	f.mu.parked = !f.mu.news && !f.mu.over
	return f.mu.parked
}

// arm watches for more than was there to read. mu is held: the watch fires on another goroutine at once, or not at all.
func (f *fetch) arm(i int, it *fetched) {
	w := &f.mu.watches[i]
	w.Owner, w.Index = f, i
	mark, at := partition.HighWatermark, it.read.HighWatermark
	if f.reader == partition.Follower {
		mark, at = partition.FlushedEnd, it.read.Bound
	}
	w.armed = it.partition.Watch(&w.Watch, mark, at+1, it.read.Epoch)
	f.mu.news = f.mu.news || !w.armed
}

// Notice hears of a partition that has more to read, or has ended. Whoever completes what the client wants looks again.
func (f *fetch) Notice(w *partition.Watch) {
	f.mu.Lock()
	f.mu.watches[w.Index].armed = false
	if !f.mu.parked { // whoever looks will find it, or is done
		f.mu.Unlock()
		return
	}
	if f.mu.need -= min(w.Bytes, f.mu.need); w.Err == nil && f.mu.need > 0 {
		f.again(w)
	} else {
		f.mu.news = true
	}
	f.lookUnlocked(f.mu.news)
}

// again arms a watch that has fired, for what comes next. mu is held.
func (f *fetch) again(w *partition.Watch) {
	armed := f.items[w.Index].partition.WatchOn(w)
	f.mu.watches[w.Index].armed = armed
	f.mu.news = f.mu.news || !armed
}

// Over ends the wait: what there is by now is answered.
func (f *fetch) Over(gone bool) {
	f.mu.Lock()
	f.mu.over, f.mu.gone = true, gone
	f.lookUnlocked(!f.mu.done)
}

// lookUnlocked lets go of mu, and looks again if there is reason to and nobody else does.
func (f *fetch) lookUnlocked(reason bool) {
	look := reason && f.mu.parked
	if look {
		f.mu.parked = false
	}
	f.mu.Unlock()
	if look {
		f.look()
	}
}

func (f *fetch) timeIsUp() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.over
}

// finish answers. Only who looks comes here, and only once.
func (f *fetch) finish() {
	f.mu.Lock()
	f.mu.done = true
	entered, gone := f.mu.entered, f.mu.gone
	for i := range f.mu.watches {
		if w := &f.mu.watches[i]; w.armed {
			f.items[i].partition.Unwatch(&w.Watch)
		}
	}
	f.mu.Unlock()
	if entered {
		f.server.Purgatory.Leave(&f.wait)
	}
	if gone {
		f.visit.abandon()
		f.release()
		f.r.Close(errConnGone)
		return
	}
	f.answer()
}

// release lets go of the files.
func (f *fetch) release() {
	for i := range f.items {
		f.items[i].read.Slice.Release()
	}
}
