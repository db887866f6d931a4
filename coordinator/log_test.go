package coordinator

import (
	"io"
	"iter"
	"sync"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// memLog is a partition in memory. What is appended is committed when the test says so, or at once.
type memLog struct {
	mu        sync.Mutex
	bytes     []byte
	end       int64
	committed int64
	epoch     int32
	appends   int
	watchers  map[int]func(int64)
	nextWatch int

	inline   bool          // commit within Append, as a log that does not flush
	maxBytes int           // of a batch
	refuse   error         // what Append answers
	broken   error         // what Batches answers
	gate     chan struct{} // holds Batches back until it is closed, and gateEnd its end
	gateEnd  chan struct{}
	dirty    chan struct{} // told of appends, for a flusher
}

func newMemLog() *memLog { return &memLog{maxBytes: 1 << 20, watchers: make(map[int]func(int64))} }

func (l *memLog) Append(b record.Batch, leaderEpoch int32) (int64, error) {
	l.mu.Lock()
	switch {
	case l.refuse != nil:
		defer l.mu.Unlock()
		return 0, l.refuse
	case leaderEpoch != l.epoch:
		defer l.mu.Unlock()
		return 0, protocol.NotLeaderForPartition
	case len(b) > l.maxBytes:
		defer l.mu.Unlock()
		return 0, protocol.MessageTooLarge
	}
	b.SetBaseOffset(l.end)
	if err := b.CheckCRC(); err != nil {
		panic(err)
	}
	l.bytes = append(l.bytes, b...)
	l.end = b.NextOffset()
	l.appends++
	last, inline := b.LastOffset(), l.inline
	l.mu.Unlock()
	select {
	case l.dirty <- struct{}{}:
	default:
	}
	if inline {
		l.commit(last + 1)
	}
	return last, nil
}

// commit moves the high watermark, as the flusher does.
func (l *memLog) commit(upTo int64) {
	l.mu.Lock()
	l.committed = max(l.committed, upTo)
	watchers := make([]func(int64), 0, len(l.watchers))
	for _, f := range l.watchers {
		watchers = append(watchers, f)
	}
	l.mu.Unlock()
	for _, f := range watchers {
		f(upTo)
	}
}

func (l *memLog) commitAll() { l.commit(l.End()) }

func (l *memLog) MaxBatchBytes() int { return l.maxBytes }

func (l *memLog) LogStart() int64 { return 0 }

func (l *memLog) End() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

func (l *memLog) Committed() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.committed
}

func (l *memLog) OnCommitted(f func(int64)) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.nextWatch
	l.nextWatch++
	l.watchers[id] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, id)
	}
}

func (l *memLog) Batches(from, upTo int64) iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		l.mu.Lock()
		rest, gate, gateEnd, broken := l.bytes, l.gate, l.gateEnd, l.broken
		l.mu.Unlock()
		if gate != nil {
			<-gate
		}
		for {
			b, more, err := record.Next(rest)
			if err == io.EOF || err == nil && b.BaseOffset() >= upTo {
				break
			}
			if !yield(b, err) || err != nil {
				return
			}
			rest = more
		}
		if gateEnd != nil {
			<-gateEnd
		}
		if broken != nil {
			yield(nil, broken)
		}
	}
}
