package logstore

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ottla/ottla/protocol/record"
)

// transactions are those that hold back a read_committed consumer: open ones, and ended ones whose marker is not below
// the high watermark yet.
type transactions struct {
	mu    sync.Mutex // the last lock taken
	open  []openTxn  // by first offset
	ended []decision // by first offset
	// unstable is the least first offset of both, math.MaxInt64 if there is none. Written under mu.
	unstable atomic.Int64
}

type openTxn struct{ firstOffset, producerID int64 }

type decision struct{ firstOffset, markerOffset int64 }

// endedTxn is a transaction with records that a marker ended. Its AbortedTxn is what the transaction index gets if it
// was aborted.
type endedTxn struct {
	AbortedTxn
	aborted bool
}

func newTransactions() *transactions {
	t := &transactions{}
	t.settle()
	return t
}

func (t *transactions) begin(producerID, firstOffset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.settle()
	at, _ := slices.BinarySearchFunc(t.open, firstOffset, func(o openTxn, offset int64) int { return compareOffsets(o.firstOffset, offset) })
	t.open = slices.Insert(t.open, at, openTxn{firstOffset, producerID})
}

func (t *transactions) end(firstOffset, markerOffset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.settle()
	t.open = slices.DeleteFunc(t.open, func(o openTxn) bool { return o.firstOffset == firstOffset })
	at, _ := slices.BinarySearchFunc(t.ended, firstOffset, func(d decision, offset int64) int { return compareOffsets(d.firstOffset, offset) })
	t.ended = slices.Insert(t.ended, at, decision{firstOffset, markerOffset})
}

// stableWithout is the last stable offset once the producer's transaction has ended at marker.
func (t *transactions) stableWithout(producerID, marker int64) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.open {
		if o.producerID != producerID {
			return o.firstOffset
		}
	}
	return marker + 1
}

// replicatedTo forgets ended transactions whose marker is below the high watermark.
func (t *transactions) replicatedTo(highWatermark int64) {
	if t.unstable.Load() >= highWatermark {
		return // every marker lies above its transaction's first offset
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.settle()
	t.ended = slices.DeleteFunc(t.ended, func(d decision) bool { return d.markerOffset < highWatermark })
}

func (t *transactions) settle() {
	first := int64(math.MaxInt64)
	if len(t.open) > 0 {
		first = t.open[0].firstOffset
	}
	if len(t.ended) > 0 {
		first = min(first, t.ended[0].firstOffset)
	}
	t.unstable.Store(first)
}

// replace takes over what another has, which is not used any more.
func (t *transactions) replace(other *transactions) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open, t.ended = other.open, other.ended
	t.settle()
}

// openOf is the first offset of the producer's open transaction.
func (t *transactions) openOf(producerID int64) (firstOffset int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.open {
		if o.producerID == producerID {
			return o.firstOffset, true
		}
	}
	return 0, false
}

func compareOffsets(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// marker is what a control batch says about a transaction.
type marker struct {
	kind             markerKind
	coordinatorEpoch int32
}

type markerKind int8

const (
	markerNone markerKind = iota // another kind of control record, or one that compaction emptied
	markerAbort
	markerCommit
)

// parseMarker reads a whole control batch.
func parseMarker(b record.Batch) (marker, error) {
	if b.Count() == 0 {
		return marker{}, nil
	}
	end, ok, err := b.EndTxn()
	if err != nil || !ok {
		return marker{}, err
	}
	kind := markerAbort
	if end.Commit {
		kind = markerCommit
	}
	return marker{kind, end.CoordinatorEpoch}, nil
}
