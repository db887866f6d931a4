package compact

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/ottla/ottla/protocol/record"
)

// The twin of a round is a list of records that knows what became of each transaction. It is too simple to be wrong,
// and knows what must be left after every round, to the batch.
//
//	COMPACT_SEED=17 go test ./logstore/compact -run TestAgainstTwin

type twinRecord struct {
	offset, ms int64
	key, value []byte
	gone       bool
}

type twinBatch struct {
	bytes      record.Batch // as it was appended
	records    []twinRecord
	pid        int64
	epoch      int16
	txn        int // its transaction, 0 for none
	marker     bool
	horizon    int64 // -1 while there is none
	gone       bool
	goneMarker bool
}

type twinTxn struct {
	pid         int64
	first, last int64
	aborted     bool
}

type twin struct {
	rand    *rand.Rand
	batches []*twinBatch
	txns    []twinTxn // from 1 on
	last    map[int64]LastRecord
	seq     map[int64]int32
	open    map[int64]int
	epoch   map[int64]int16
	end     int64
	nowMs   int64
}

func newTwin(r *rand.Rand) *twin {
	return &twin{rand: r, txns: make([]twinTxn, 1), last: map[int64]LastRecord{}, seq: map[int64]int32{}, open: map[int64]int{}, epoch: map[int64]int16{}, nowMs: 1_700_000_000_000}
}

// append makes the next batch.
func (w *twin) append() {
	pid := int64(w.rand.IntN(6)) - 1
	if pid >= 3 && w.open[pid] > 0 && w.rand.IntN(3) == 0 {
		w.end1(pid)
		return
	}
	w.data(pid)
}

func (w *twin) data(pid int64) {
	o := record.NewOptions()
	o.BaseOffset, o.LeaderEpoch, o.Codec = w.end, int32(w.end/50), record.Codec(w.rand.IntN(5))
	if w.rand.IntN(3) > 0 {
		o.Codec = record.None
	}
	t := &twinBatch{pid: pid, horizon: -1, epoch: -1}
	if pid >= 0 {
		t.epoch = w.epoch[pid]
		o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = pid, t.epoch, w.seq[pid], pid >= 3
	}
	if pid >= 3 {
		if w.open[pid] == 0 {
			w.open[pid] = len(w.txns)
			w.txns = append(w.txns, twinTxn{pid: pid, first: w.end})
		}
		t.txn = w.open[pid]
	}
	b := record.NewBuilder(o)
	for range 1 + w.rand.IntN(5) {
		w.nowMs += w.rand.Int64N(20)
		r := twinRecord{offset: w.end, ms: w.nowMs - w.rand.Int64N(40)}
		r.key = strconv.AppendInt([]byte("key"), int64(w.rand.IntN(30)), 10)
		switch w.rand.IntN(12) {
		case 0:
			r.key = nil
		case 1:
			r.key = []byte{}
		}
		if w.rand.IntN(4) > 0 {
			r.value = append(strconv.AppendInt(nil, w.end, 10), make([]byte, w.rand.IntN(50))...)
		}
		b.Add(r.ms, r.key, r.value, record.Header{Key: "h", Value: []byte("v")})
		t.records = append(t.records, r)
		w.end++
	}
	t.bytes = b.Batch()
	if pid >= 0 {
		w.seq[pid] = t.bytes.LastSequence() + 1
		w.last[pid] = LastRecord{w.end - 1, t.epoch}
	}
	w.batches = append(w.batches, t)
}

// end1 ends a producer's transaction, sometimes with a newer epoch, as a coordinator does after a time-out.
func (w *twin) end1(pid int64) {
	x := &w.txns[w.open[pid]]
	x.last, x.aborted = w.end, w.rand.IntN(2) == 0
	if w.rand.IntN(3) == 0 {
		w.epoch[pid]++
		w.seq[pid] = 0
		w.last[pid] = LastRecord{-1, w.epoch[pid]}
	}
	m := record.EndTxn{Commit: !x.aborted, CoordinatorEpoch: 3}.Batch(w.nowMs, pid, w.epoch[pid])
	m.SetBaseOffset(w.end)
	m.SetLeaderEpoch(int32(w.end / 50))
	w.batches = append(w.batches, &twinBatch{bytes: m, pid: pid, epoch: w.epoch[pid], txn: w.open[pid], marker: true, horizon: -1})
	w.open[pid] = 0
	w.end++
}

// round is what a round over [from, to) leaves that covered so much. groupEnds are the last batches of new segments.
func (w *twin) round(from, to, covered, retentionMs int64, groupEnds map[int64]bool) {
	newest := map[string]int64{}
	for _, b := range w.batches {
		for _, r := range b.records {
			if !b.gone && !r.gone && r.offset >= from && r.offset <= covered && r.key != nil && !w.txns[b.txn].aborted {
				newest[string(r.key)] = r.offset
			}
		}
	}
	hasData := map[int]bool{}
	for _, b := range w.batches {
		if b.gone || b.bytes.BaseOffset() >= to {
			continue
		}
		left, tombstone := 0, false
		if b.marker {
			if b.goneMarker {
			} else if hasData[b.txn] {
				left = 1
			} else if b.horizon < 0 {
				b.horizon, left = w.nowMs+retentionMs, 1
			} else if w.nowMs < b.horizon {
				left = 1
			}
			b.goneMarker = left == 0
		} else if b.txn > 0 {
			hasData[b.txn] = true
		}
		for i := range b.records {
			r := &b.records[i]
			at, known := newest[string(r.key)]
			switch {
			case r.gone:
			case w.txns[b.txn].aborted:
				r.gone = true
			case r.offset > covered:
			case r.key == nil || known && r.offset < at:
				r.gone = true
			case r.value == nil && b.horizon >= 0 && w.nowMs >= b.horizon:
				r.gone = true
			}
			if !r.gone {
				left++
				tombstone = tombstone || r.value == nil
			}
		}
		if tombstone && b.horizon < 0 && b.bytes.LastOffset() <= covered {
			b.horizon = w.nowMs + retentionMs
		}
		if left > 0 {
			continue
		}
		b.horizon = -1 // an emptied batch has none
		last, known := w.last[b.pid]
		ofProducer := b.pid >= 0 && known && (b.bytes.LastOffset() == last.DataOffset || last.DataOffset < 0 && b.marker && b.epoch == last.Epoch)
		b.gone = !ofProducer && !groupEnds[b.bytes.LastOffset()]
	}
}

// check compares batches with what the twin has.
func (w *twin) check(got []record.Batch) error {
	var present []*twinBatch
	for _, b := range w.batches {
		if !b.gone {
			present = append(present, b)
		}
	}
	for i, b := range got {
		if err := b.CheckCRC(); err != nil {
			return err
		}
		if i >= len(present) {
			return fmt.Errorf("batch at %d is too many", b.BaseOffset())
		}
		if err := present[i].check(b); err != nil {
			return fmt.Errorf("batch %d at offset %d, of [%d, %d]: %w", i, b.BaseOffset(), present[i].bytes.BaseOffset(), present[i].bytes.LastOffset(), err)
		}
	}
	if len(got) != len(present) {
		return fmt.Errorf("%d batches, want %d", len(got), len(present))
	}
	return nil
}

func (t *twinBatch) check(b record.Batch) error {
	o := t.bytes
	type fields struct {
		base, last, pid      int64
		leaderEpoch, seq     int32
		epoch                int16
		txn, control, append bool
	}
	of := func(b record.Batch) fields {
		return fields{b.BaseOffset(), b.LastOffset(), b.ProducerID(), b.LeaderEpoch(), b.BaseSequence(), b.ProducerEpoch(), b.IsTransactional(), b.IsControl(), b.IsLogAppendTime()}
	}
	if of(b) != of(o) {
		return fmt.Errorf("header %+v, want %+v", of(b), of(o))
	}
	horizon, ok := b.DeleteHorizon()
	if ok != (t.horizon >= 0) || ok && horizon != t.horizon {
		return fmt.Errorf("horizon %d (%t), want %d", horizon, ok, t.horizon)
	}
	if t.marker {
		if (b.Count() == 0) != t.goneMarker {
			return fmt.Errorf("%d records, gone %t", b.Count(), t.goneMarker)
		}
		if b.Count() > 0 {
			_, isMarker, err := b.EndTxn()
			if err != nil || !isMarker {
				return fmt.Errorf("no marker any more: %v", err)
			}
		}
		return nil
	}
	want := slices.DeleteFunc(slices.Clone(t.records), func(r twinRecord) bool { return r.gone })
	if len(want) > 0 && b.Codec() != o.Codec() {
		return fmt.Errorf("codec %s, want %s", b.Codec(), o.Codec())
	}
	if len(want) == len(t.records) && t.horizon < 0 && !bytes.Equal(b, o) {
		return fmt.Errorf("the bytes of a batch changed that lost nothing")
	}
	i, newest := 0, int64(-1)
	for r, err := range b.Records(0) {
		if err != nil {
			return err
		}
		if i == len(want) || r.Offset != want[i].offset || r.Timestamp != want[i].ms || !bytes.Equal(r.Key, want[i].key) || !bytes.Equal(r.Value, want[i].value) || (r.Value == nil) != (want[i].value == nil) {
			return fmt.Errorf("record %+v, want %+v", r, want[min(i, len(want)-1)])
		}
		if h, err := r.Headers(); err != nil || len(h) != 1 || h[0].Key != "h" {
			return fmt.Errorf("headers %v, %v", h, err)
		}
		newest = max(newest, r.Timestamp)
		i++
	}
	if i != len(want) || i > 0 && newest != b.MaxTimestamp() {
		return fmt.Errorf("%d records, newest %d of %d; want %d", i, newest, b.MaxTimestamp(), len(want))
	}
	return nil
}

// aborted are the entries that transaction indexes get, by marker.
func (w *twin) aborted() (out []AbortedTxn) {
	for _, b := range w.batches {
		if x := w.txns[b.txn]; b.marker && x.aborted {
			out = append(out, AbortedTxn{x.pid, x.first, x.last, x.last + 1})
		}
	}
	return out
}

func TestAgainstTwin(t *testing.T) {
	from, n := uint64(0), uint64(150)
	if s := os.Getenv("COMPACT_SEED"); s != "" {
		from, _ = strconv.ParseUint(s, 10, 64)
		n = 1
	}
	for seed := from; seed < from+n; seed++ {
		if err := compare(rand.New(rand.NewPCG(seed, 1))); err != nil {
			t.Fatalf("COMPACT_SEED=%d: %v", seed, err)
		}
	}
}

func compare(r *rand.Rand) error {
	w := newTwin(r)
	var log []record.Batch
	index, ended := map[AbortedTxn]bool{}, 0
	for dirty := int64(0); len(w.batches) < 400; {
		for range 1 + r.IntN(60) {
			w.append()
			log = append(log, w.batches[len(w.batches)-1].bytes)
		}
		stable := w.end
		for _, x := range w.open {
			if x > 0 {
				stable = min(stable, w.txns[x].first)
			}
		}
		for _, a := range w.aborted()[ended:] {
			index[a] = true
			ended++
		}
		to := stable
		for _, b := range log { // a segment ends with a batch
			if b.BaseOffset() < to && b.LastOffset() >= to {
				to = b.BaseOffset()
			}
		}
		if to <= dirty {
			continue
		}
		w.nowMs += r.Int64N(500)
		next, covered, err := roundOver(w, r, log, index, dirty, to)
		if err != nil {
			return err
		}
		log = next
		if err := w.check(log); err != nil {
			return fmt.Errorf("after a round over [%d, %d) that covered %d: %w", dirty, to, covered, err)
		}
		if err := explained(w, log, index); err != nil {
			return err
		}
		dirty = covered + 1
	}
	return nil
}

// roundOver makes a round with a map that may be too small, and has the twin make it.
func roundOver(w *twin, r *rand.Rand, log []record.Batch, index map[AbortedTxn]bool, from, to int64) (next []record.Batch, covered int64, err error) {
	const retentionMs = 300
	known := func() *Transactions {
		t := NewTransactions()
		for a := range index {
			t.Add([]AbortedTxn{a})
		}
		return t
	}
	round := Round{
		Keys: NewOffsetMap(int64(1+r.IntN(60))*EntryBytes, 0.9, 1000), Txns: known(), NowMs: w.nowMs, DeleteRetentionMs: retentionMs,
		MaxInflated: 1 << 20, LastOf: func(id int64) (LastRecord, bool) { l, ok := w.last[id]; return l, ok },
	}
	round.Keys.Cover(from - 1)
	for _, b := range log {
		if b.BaseOffset() >= to {
			break
		}
		more, err := round.Learn(b, from)
		if err != nil {
			return nil, 0, err
		}
		if !more {
			break
		}
	}
	covered = round.Keys.Covered()
	round.Txns = known()
	groupEnds := map[int64]bool{}
	var out []byte
	var kept []record.Batch
	for i, b := range log {
		if b.BaseOffset() >= to {
			next = append(next, b)
			continue
		}
		last := i+1 == len(log) || log[i+1].BaseOffset() >= to || r.IntN(20) == 0
		groupEnds[b.LastOffset()] = last
		at := len(out)
		if out, err = round.Append(out, b, last); err != nil {
			return nil, 0, err
		}
		if len(out) > at {
			kept = append(kept, bytes.Clone(out[at:]))
		}
	}
	for a := range index {
		if a.LastOffset < to {
			delete(index, a)
		}
	}
	for _, a := range round.Txns.TakeRetained() {
		index[a] = true
	}
	w.round(from, to, covered, retentionMs, groupEnds)
	return append(kept, next...), covered, nil
}

// explained: of every aborted record that is still there, the transaction index knows.
func explained(w *twin, log []record.Batch, index map[AbortedTxn]bool) error {
	for i, b := range w.batches {
		if b.gone || b.marker || !w.txns[b.txn].aborted || w.txns[b.txn].last == 0 {
			continue
		}
		x := w.txns[b.txn]
		if !index[AbortedTxn{x.pid, x.first, x.last, x.last + 1}] {
			return fmt.Errorf("batch %d at %d is of an aborted transaction that the index has lost", i, b.bytes.BaseOffset())
		}
	}
	return nil
}
