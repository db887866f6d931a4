package compact

import (
	"container/heap"

	"github.com/ottla/ottla/protocol/record"
)

// AbortedTxn is a transaction of the transaction index: its producer's batches in [FirstOffset, LastOffset] were
// aborted by the marker at LastOffset.
type AbortedTxn struct {
	ProducerID              int64
	FirstOffset, LastOffset int64
	LastStableOffset        int64
}

// Transactions follows a walk over batches in the order of offsets, and knows at each whether it belongs to an aborted
// transaction, and whether a marker still has batches of its transaction before it. Every transaction in the walk is
// decided: it ends below the last stable offset.
//
// Source: org.apache.kafka.storage.internals.log.CleanedTransactionMetadata.
type Transactions struct {
	waiting   abortedByFirst               // that the walk has not reached
	aborted   map[int64]*abortedInProgress // by producer
	committed map[int64]struct{}           // producers with a batch since their last marker
	retained  []AbortedTxn                 // since the last TakeRetained
}

type abortedInProgress struct {
	AbortedTxn
	hasBatch bool
}

// NewTransactions begins a walk.
func NewTransactions() *Transactions {
	return &Transactions{aborted: map[int64]*abortedInProgress{}, committed: map[int64]struct{}{}}
}

// Add tells of aborted transactions before the walk reaches them. One may be told of more than once, as long as its
// first batch has not been passed the first time when its marker is.
func (t *Transactions) Add(txns []AbortedTxn) {
	for _, a := range txns {
		heap.Push(&t.waiting, a)
	}
}

// Data takes note of a batch that is no control batch, and tells whether it was aborted.
func (t *Transactions) Data(b record.Batch) (aborted bool) {
	t.reach(b.LastOffset())
	if !b.IsTransactional() {
		return false
	}
	if a := t.aborted[b.ProducerID()]; a != nil {
		a.hasBatch = true
		return true
	}
	t.committed[b.ProducerID()] = struct{}{}
	return false
}

// Control takes note of a control batch, and tells whether nothing needs it any more. A marker is needed while a batch
// of its transaction stands before it.
func (t *Transactions) Control(b record.Batch) (needless bool, err error) {
	t.reach(b.LastOffset())
	if b.Count() == 0 {
		return true, nil // compaction has emptied it
	}
	end, isMarker, err := b.EndTxn()
	if err != nil || !isMarker {
		return false, err
	}
	id := b.ProducerID()
	if end.Commit {
		_, hasBatch := t.committed[id]
		delete(t.committed, id)
		return !hasBatch, nil
	}
	a := t.aborted[id]
	delete(t.aborted, id)
	if a == nil || !a.hasBatch {
		return true, nil
	}
	t.retained = append(t.retained, a.AbortedTxn)
	return false, nil
}

// TakeRetained are the aborted transactions whose markers were passed since the last call and stay: the transaction
// index of the new segment.
func (t *Transactions) TakeRetained() []AbortedTxn {
	r := t.retained
	t.retained = nil
	return r
}

// reach begins the aborted transactions that have begun at offset.
func (t *Transactions) reach(offset int64) {
	for len(t.waiting) > 0 && t.waiting[0].FirstOffset <= offset {
		a := heap.Pop(&t.waiting).(AbortedTxn)
		if t.aborted[a.ProducerID] == nil {
			t.aborted[a.ProducerID] = &abortedInProgress{AbortedTxn: a}
		}
	}
}

// abortedByFirst is a heap.
type abortedByFirst []AbortedTxn

func (h abortedByFirst) Len() int           { return len(h) }
func (h abortedByFirst) Less(i, j int) bool { return h[i].FirstOffset < h[j].FirstOffset }
func (h abortedByFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *abortedByFirst) Push(x any)        { *h = append(*h, x.(AbortedTxn)) }
func (h *abortedByFirst) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
