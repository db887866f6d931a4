package partition

import "math"

// Watcher is told when what it waits for on a partition has come, or never will.
type Watcher interface {
	// Notice is called once for each time that w was armed and fired, with no lock of the partition held. Watches fire on
	// the goroutine that made it true: the flusher's, or another client's. w may be armed again from here on.
	Notice(w *Watch)
}

// Mark is a position in the log that moves and that can be waited for.
type Mark int8

// The marks.
const (
	// HighWatermark is what consumers and acks=all wait for.
	HighWatermark Mark = iota
	// FlushedEnd is what followers wait for.
	FlushedEnd
	// LowWatermark is what DeleteRecords waits for.
	LowWatermark
	marks
)

// Watch is a place among those who wait on a partition. It lies in its owner: arming one allocates nothing.
type Watch struct {
	Owner Watcher
	// Index is the owner's word for which of its watches this is.
	Index int

	// What the partition has to say when the watch has fired, or was not armed.

	// Bytes is how many bytes the high watermark has passed since the watch was armed; math.MaxInt64 where nobody counted.
	Bytes int64
	// Err is why what is waited for will not come: NotLeaderForPartition, UnknownTopicOrPartition, KafkaStorageError.
	Err error

	mark       Mark
	epoch      int32
	at         int64
	reached    int64 // where the mark stood when the watch fired
	passed     int64 // Partition.mu.passed when armed
	in         *waiters
	prev, next *Watch
}

// Watch arms w to fire when the mark reaches at, or when the partition stops to be what it was in that leader epoch. It
// returns false, and will not fire, where that is so already: w.Err is then nil, or says why it cannot come.
func (p *Partition) Watch(w *Watch, m Mark, at int64, epoch int32) (armed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Bytes, w.Err = math.MaxInt64, p.notIn(epoch)
	position := p.position(m)
	if w.Err != nil || position >= at {
		return false
	}
	w.mark, w.epoch, w.at, w.passed = m, epoch, at, p.mu.passed
	p.mu.queues[m].add(w, position)
	return true
}

// WatchOn arms w again, when it has fired without an error, for the next rise of the same mark in the same leader epoch.
func (p *Partition) WatchOn(w *Watch) (armed bool) {
	return p.Watch(w, w.mark, w.reached+1, w.epoch)
}

// Unwatch disarms w. It returns false if w is not armed, because it has fired: then Notice was or will be called.
func (p *Partition) Unwatch(w *Watch) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.in == nil {
		return false
	}
	w.in.remove(w)
	return true
}

// Waiting is how many watches are armed.
func (p *Partition) Waiting() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := range p.mu.queues {
		n += p.mu.queues[m].soon.count() + p.mu.queues[m].later.count()
	}
	return n
}

func (l *waiters) count() (n int) {
	for w := l.first; w != nil; w = w.next {
		n++
	}
	return n
}

// queue is who waits for one mark.
type queue struct {
	soon  waiters // for the very next offset: long polls
	later waiters // for a certain offset, least first: produces
}

func (q *queue) add(w *Watch, position int64) {
	if w.at == position+1 {
		q.soon.insert(w, q.soon.last)
		return
	}
	before := q.later.last // offsets come nearly in order: search from the end
	for before != nil && before.at > w.at {
		before = before.prev
	}
	q.later.insert(w, before)
}

// fire takes out who waits for an offset up to position.
func (q *queue) fire(position int64) (fired waiters) {
	if q.soon.first != nil && q.soon.first.at <= position { // all of soon wait for the same rise
		fired = q.soon.takeAll()
	}
	for q.later.first != nil && q.later.first.at <= position {
		w := q.later.first
		q.later.remove(w)
		fired.push(w)
	}
	for w := fired.first; w != nil; w = w.next {
		w.reached = position
	}
	return fired
}

// waiters is a list of watches, linked through them.
type waiters struct{ first, last *Watch }

// insert puts w behind before, or first where before is nil.
func (l *waiters) insert(w, before *Watch) {
	w.in, w.prev = l, before
	after := l.first
	if before != nil {
		after = before.next
		before.next = w
	} else {
		l.first = w
	}
	w.next = after
	if after != nil {
		after.prev = w
	} else {
		l.last = w
	}
}

func (l *waiters) remove(w *Watch) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.last = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
}

// push appends a watch that has fired: it is linked, but in no list that it could be removed from.
func (l *waiters) push(w *Watch) {
	if l.last != nil {
		l.last.next = w
	} else {
		l.first = w
	}
	l.last = w
}

// takeAll empties the list. What it returns has fired.
func (l *waiters) takeAll() (fired waiters) {
	fired = *l
	*l = waiters{}
	for w := fired.first; w != nil; w = w.next {
		w.in, w.prev = nil, nil
	}
	return fired
}

// join appends another list of fired watches.
func (l *waiters) join(more waiters) {
	switch {
	case more.first == nil:
	case l.first == nil:
		*l = more
	default:
		l.last.next = more.first
		l.last = more.last
	}
}

// sizes knows how many bytes lie between the high watermark and the end: the batches appended there, oldest first.
type sizes struct {
	batches []sized
	head    int
}

type sized struct{ end, bytes int64 }

// sizesMax bounds the queue. Beyond it batches are counted together, while a stuck high watermark lets them pile up.
const sizesMax = 4096

func (s *sizes) push(end, bytes int64) {
	if n := len(s.batches); n-s.head >= sizesMax {
		s.batches[n-1].end = end
		s.batches[n-1].bytes += bytes
		return
	}
	if s.head > 0 && len(s.batches) == cap(s.batches) {
		s.batches = s.batches[:copy(s.batches, s.batches[s.head:])]
		s.head = 0
	}
	s.batches = append(s.batches, sized{end, bytes})
}

// pop is the bytes of the batches that end at or below position, which are forgotten.
func (s *sizes) pop(position int64) (bytes int64) {
	for s.head < len(s.batches) && s.batches[s.head].end <= position {
		bytes += s.batches[s.head].bytes
		s.head++
	}
	if s.head == len(s.batches) {
		s.batches, s.head = s.batches[:0], 0
	}
	return bytes
}
