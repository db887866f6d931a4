package logstore

import (
	"sync"
	"sync/atomic"
	"time"
)

// flusher makes appends durable: group commit. A log waits in the queue at most once. One sync of a log serves every
// append that was in its files when the sync began; those that come meanwhile wait for the next one, together. Logs are
// synced in parallel by workers, which exist only while the queue is not empty: an idle store has none. Where many wait,
// one worker syncs them all together, by one sync of the file system; those that come meanwhile gather for the next.
//
// A log in page-cache mode is not queued by its appends. It waits, with others of its kind, until maxLazyBytes of it,
// maxLazyTotal of all, or a second has gathered.
type flusher struct {
	max     int
	sync    func(*Log)
	syncAll func([]*Log)
	now     func() time.Time
	timers  *timers
	workers sync.WaitGroup

	mu      sync.Mutex // the last lock taken
	queue   []*Log
	running int
	round   bool // a worker syncs many together
	choice  syncChoice
	// volume is the file system, nil where it cannot be synced as a whole. Only a worker in a round uses it.
	volume *volume
	lazy   []*Log
	armed  bool // a timer will queue the lazy ones

	lazyTotal atomic.Int64 // bytes appended to lazy logs since they were last queued all together
}

// flushState is where a log is in its flusher.
type flushState int8

const (
	flushIdle    flushState = iota
	flushQueued             // in queue
	flushRunning            // a worker syncs it
	flushAgain              // a worker syncs it, and there is more already
)

// syncWhen is what an append asks of the flusher.
type syncWhen int8

const (
	syncNow   syncWhen = iota
	syncSoon           // within a second; the log is not in flusher.lazy yet
	syncLater          // with the others in flusher.lazy
)

// Bounds of what page-cache mode leaves unsynced, which is what a restart after a kill may have to read.
const (
	maxLazyBytes = 32 << 20
	maxLazyTotal = 128 << 20
	maxLazyDelay = time.Second
)

// enqueue asks for a sync of what the log holds now.
func (f *flusher) enqueue(l *Log) {
	f.mu.Lock()
	f.push(l)
	f.mu.Unlock()
}

// push is enqueue under mu.
func (f *flusher) push(l *Log) {
	switch l.flush {
	case flushRunning:
		l.flush = flushAgain
	case flushIdle:
		l.flush = flushQueued
		f.queue = append(f.queue, l)
		if f.running < f.max && !f.round {
			f.start()
		}
	}
}

func (f *flusher) start() {
	f.running++
	f.workers.Add(1)
	go f.work()
}

// work syncs logs until none waits, or another worker takes all. Started by push, awaited by Store.Close.
func (f *flusher) work() {
	defer f.workers.Done()
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) > 0 && !f.round {
		if f.volume != nil && f.choice.together(len(f.queue), f.now(), f.volume.Pending) {
			f.workRound()
		} else {
			f.workOne()
		}
	}
	f.running--
}

func (f *flusher) workOne() {
	l := f.queue[0]
	f.queue[0] = nil
	if f.queue = f.queue[1:]; len(f.queue) == 0 {
		f.queue = nil
	}
	l.flush = flushRunning
	began, crowded := f.now(), f.running == f.max
	f.mu.Unlock()
	f.sync(l)
	took := f.now().Sub(began)
	f.mu.Lock()
	if crowded && f.running == f.max && !f.round {
		f.choice.tookAlone(took, f.max)
	}
}

// workRound syncs all that wait together. Nobody else begins anything meanwhile: it would be in each other's way on the
// disk.
func (f *flusher) workRound() {
	logs := f.queue
	f.queue, f.round = nil, true
	for _, l := range logs {
		l.flush = flushRunning
	}
	f.mu.Unlock()
	f.syncAll(logs)
	f.mu.Lock()
	f.round = false
	for n := len(f.queue) - 1; n > 0 && f.running < f.max; n-- { // this one goes on itself
		f.start()
	}
}

// synced is called by a worker that has synced the log, before it tells anybody: the next sync begins meanwhile.
func (f *flusher) synced(l *Log) {
	f.mu.Lock()
	defer f.mu.Unlock()
	again := l.flush == flushAgain
	l.flush = flushIdle
	if again {
		f.push(l)
	}
}

// enqueueSoon asks for a sync within maxLazyDelay of a log that nobody waits for. Log.lazy has just been set.
func (f *flusher) enqueueSoon(l *Log) {
	l.mu.Lock()
	delay := min(maxLazyDelay, time.Duration(min(l.config.FlushMs, maxLazyDelay.Milliseconds()))*time.Millisecond)
	l.mu.Unlock()
	f.mu.Lock()
	f.lazy = append(f.lazy, l)
	arm := !f.armed
	f.armed = true
	f.mu.Unlock()
	if arm {
		f.timers.after(delay, f.enqueueLazy)
	}
}

// lazyAppended counts bytes of logs that wait for their second.
func (f *flusher) lazyAppended(bytes int) {
	if f.lazyTotal.Add(int64(bytes)) > maxLazyTotal {
		f.enqueueLazy()
	}
}

// enqueueLazy queues all logs that wait for their second.
func (f *flusher) enqueueLazy() {
	f.mu.Lock()
	lazy := f.lazy
	f.lazy, f.armed = nil, false
	f.mu.Unlock()
	f.lazyTotal.Store(0)
	for _, l := range lazy {
		l.mu.Lock()
		l.lazy = false
		l.mu.Unlock()
		f.enqueue(l)
	}
}
