package compact

import (
	"errors"
	"math"

	"github.com/ottla/ottla/protocol/record"
)

// LastRecord is where an active producer stands.
type LastRecord struct {
	DataOffset int64 // of its last record that is no marker, -1 if none is known
	Epoch      int16
}

// Round is one compaction of a log.
type Round struct {
	Keys              *OffsetMap
	Txns              *Transactions
	NowMs             int64
	DeleteRetentionMs int64 // delete.retention.ms
	MaxInflated       int   // what a compressed batch may become
	// LastOf is where an active producer stands, if it is one. It is asked only for batches that would vanish.
	LastOf func(producerID int64) (LastRecord, bool)

	Stats Stats

	selection record.Selection
	batch     record.Batch // that is looked at
	horizon   int64        // of batch
	hasOne    bool
}

// Stats counts what a round met.
type Stats struct {
	RecordsRead, RecordsKept int64
	Keyless                  int64 // records without a key, which are dropped
	LeftAlone                int64 // batches that cannot be looked into, which are kept whole
}

// Learn puts the keys of a batch that begins the round, from offset from on, into the map. It says no when the map is
// full: the round ends within the batch.
func (r *Round) Learn(b record.Batch, from int64) (more bool, err error) {
	if b.IsControl() {
		_, err := r.Txns.Control(b)
		r.cover(b, err == nil)
		return true, err
	}
	if r.Txns.Data(b) {
		r.cover(b, true) // aborted records supersede nothing
		return true, nil
	}
	if b.LastOffset() < from {
		return true, nil
	}
	more = true
	err = r.selection.Select(b, r.MaxInflated, func(rec record.Record) bool {
		if more && rec.Key != nil && rec.Offset >= from {
			more = r.Keys.Put(rec.Key, rec.Offset)
		}
		return false
	})
	if errors.Is(err, record.ErrTooLarge) {
		err = nil
	}
	r.cover(b, more && err == nil)
	return more, err
}

func (r *Round) cover(b record.Batch, yes bool) {
	if yes {
		r.Keys.Cover(b.LastOffset())
	}
}

// Append appends to dst what stays of a batch; dst comes back as it was if nothing does. last says that the batch is
// the last of the new segment.
func (r *Round) Append(dst []byte, b record.Batch, last bool) ([]byte, error) {
	r.Stats.RecordsRead += int64(b.Count())
	drop, needless, err := r.discards(b)
	if err != nil {
		return dst, err
	}
	keep := r.keeps
	switch {
	case drop:
		keep = nil
	case b.IsControl():
		keep = everything
	case b.BaseOffset() > r.Keys.Covered():
		r.Stats.RecordsKept += int64(b.Count())
		return append(dst, b...), nil
	}
	if keep != nil {
		r.batch = b
		r.horizon, r.hasOne = b.DeleteHorizon()
		err := r.selection.Select(b, r.MaxInflated, keep)
		if errors.Is(err, record.ErrTooLarge) {
			r.Stats.LeftAlone++
			r.Stats.RecordsKept += int64(b.Count())
			return append(dst, b...), nil
		}
		if err != nil {
			return dst, err
		}
		if r.selection.Count() > 0 {
			return r.appendKept(dst, b, needless), nil
		}
	}
	if last || r.isLastOfProducer(b) {
		return record.AppendEmptied(dst, b), nil
	}
	return dst, nil
}

func everything(record.Record) bool { return true }

// discards tells whether the batch goes without a look at its records; needless is a control batch that goes once its
// horizon is passed.
func (r *Round) discards(b record.Batch) (drop, needless bool, err error) {
	if !b.IsControl() {
		return r.Txns.Data(b), false, nil
	}
	if needless, err = r.Txns.Control(b); err != nil || !needless {
		return false, false, err
	}
	horizon, ok := b.DeleteHorizon()
	return ok && horizon <= r.NowMs, true, nil
}

// keeps tells whether a record of r.batch stays.
func (r *Round) keeps(rec record.Record) bool {
	if rec.Offset > r.Keys.Covered() {
		return true
	}
	if rec.Key == nil {
		r.Stats.Keyless++
		return false
	}
	if rec.Offset < r.Keys.Newest(rec.Key) {
		return false
	}
	return rec.Value != nil || !r.hasOne || r.NowMs < r.horizon
}

// appendKept appends the selection: the batch itself where nothing goes and no horizon comes.
func (r *Round) appendKept(dst []byte, b record.Batch, needless bool) []byte {
	r.Stats.RecordsKept += int64(r.selection.Count())
	horizon := record.NoDeleteHorizon
	if _, has := b.DeleteHorizon(); !has && (needless || r.selection.HasTombstone() && !b.IsControl() && b.LastOffset() <= r.Keys.Covered()) {
		horizon = r.NowMs + min(r.DeleteRetentionMs, math.MaxInt64-r.NowMs)
	}
	if r.selection.All() && horizon == record.NoDeleteHorizon {
		return append(dst, b...)
	}
	return r.selection.AppendTo(dst, horizon)
}

// isLastOfProducer tells whether an active producer's next batch is checked against this one: its last data, or the
// marker that raised its epoch where it has none.
func (r *Round) isLastOfProducer(b record.Batch) bool {
	if !b.HasProducerID() {
		return false
	}
	l, ok := r.LastOf(b.ProducerID())
	if !ok {
		return false
	}
	if l.DataOffset >= 0 {
		return b.LastOffset() == l.DataOffset
	}
	return b.IsControl() && b.ProducerEpoch() == l.Epoch
}
