package logstore

import (
	"maps"
	"slices"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// producerState is what a log knows of the idempotent and transactional producers that wrote to it: enough to refuse a
// gap, to recognise a repetition of each one's last five batches, and to fence old epochs. It is the result of applying
// every batch below end in order, whether as it is appended or when a log is opened; check only asks.
//
// Guarded by Log.appendMu. Source: org.apache.kafka.storage.internals.log.ProducerAppendInfo.
type producerState struct {
	producers map[int64]*producer
	// end is one past the last offset applied.
	end int64
}

// retainedBatches is how many batches of a producer are recognised when repeated: what it may have in flight.
const retainedBatches = 5

type producer struct {
	epoch            int16
	coordinatorEpoch int32 // of the last marker, -1 if none
	lastTimestamp    int64
	txnFirstOffset   int64 // of the open transaction, -1 if none
	// batches are the last ones of this epoch, oldest first. There is room for one until a second comes: a log may know a
	// million producers that wrote once.
	batches []producedBatch
}

type producedBatch struct {
	lastSequence int32
	offsetDelta  int32
	lastOffset   int64
	timestamp    int64
}

func (b producedBatch) firstOffset() int64 { return b.lastOffset - int64(b.offsetDelta) }

// firstSequence undoes record.AddSequence.
func (b producedBatch) firstSequence() int32 {
	return int32((int64(b.lastSequence) - int64(b.offsetDelta)) & 0x7fffffff)
}

func newProducer() *producer {
	return &producer{epoch: record.NoProducerEpoch, coordinatorEpoch: -1, lastTimestamp: record.NoTimestamp, txnFirstOffset: -1}
}

func newProducerState(end int64) *producerState {
	return &producerState{producers: map[int64]*producer{}, end: end}
}

// lastSequence is NoSequence where the epoch has no batch yet: the next one is then 0.
func (p *producer) lastSequence() int32 {
	if len(p.batches) == 0 {
		return record.NoSequence
	}
	return p.last().lastSequence
}

func (p *producer) last() producedBatch { return p.batches[len(p.batches)-1] }

func (p *producer) add(b producedBatch) {
	switch len(p.batches) {
	case 1:
		p.batches = slices.Grow(p.batches, retainedBatches-1)
	case retainedBatches:
		p.batches = slices.Delete(p.batches, 0, 1)
	}
	p.batches = append(p.batches, b)
}

func (p *producer) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.batches = epoch, p.batches[:0]
	}
}

// duplicate finds the batch among the last ones.
func (p *producer) duplicate(b record.Batch) (producedBatch, bool) {
	if b.ProducerEpoch() != p.epoch {
		return producedBatch{}, false
	}
	first, last := b.BaseSequence(), b.LastSequence()
	for _, known := range p.batches {
		if known.lastSequence == last && known.firstSequence() == first {
			return known, true
		}
	}
	return producedBatch{}, false
}

// check says whether a batch may be appended at offset, or that it has been.
func (s *producerState) check(b record.Batch, m marker, o AppendOptions, offset int64) (duplicate producedBatch, isDuplicate bool, err error) {
	id := b.ProducerID()
	p := s.producers[id]
	if p == nil || o.Origin == Replication {
		return duplicate, false, nil // anything goes for a producer that is new, or was forgotten
	}
	if o.Origin == Client {
		if known, ok := p.duplicate(b); ok {
			return known, true, nil
		}
	}
	if b.ProducerEpoch() < p.epoch {
		return duplicate, false, protocol.Errorf(protocol.InvalidProducerEpoch,
			"producer %d has epoch %d at offset %d, and epoch %d has been seen: another producer with its id took over",
			id, b.ProducerEpoch(), offset, p.epoch)
	}
	if b.IsControl() {
		return duplicate, false, p.checkMarker(b, m, o.TransactionVersion, id)
	}
	if o.Origin == Client {
		if err := p.checkSequence(b, id, offset); err != nil {
			return duplicate, false, err
		}
	}
	if p.txnFirstOffset >= 0 && !b.IsTransactional() {
		return duplicate, false, protocol.Errorf(protocol.InvalidTxnState,
			"producer %d has a transaction open since offset %d: its batches must be transactional until it ends", id, p.txnFirstOffset)
	}
	return duplicate, false, nil
}

// checkMarker: one of an older coordinator is refused. So is one of an epoch that its transaction must have raised, unless
// no transaction is open: then it is the same marker again, which the coordinator writes when it is not sure.
func (p *producer) checkMarker(b record.Batch, m marker, version int16, id int64) error {
	switch {
	case m.kind == markerNone:
		return nil
	case version >= transactionVersion2 && b.ProducerEpoch() == p.epoch && p.txnFirstOffset >= 0:
		return protocol.Errorf(protocol.InvalidProducerEpoch,
			"marker for producer %d is of epoch %d, in which a transaction is open: its end must have raised it", id, p.epoch)
	case m.coordinatorEpoch < p.coordinatorEpoch:
		return protocol.Errorf(protocol.TransactionCoordinatorFenced,
			"marker for producer %d is of coordinator epoch %d, and epoch %d has been seen", id, m.coordinatorEpoch, p.coordinatorEpoch)
	}
	return nil
}

// transactionVersion2 is the level of the feature transaction.version since which epochs rise with each transaction.
const transactionVersion2 = 2

// checkSequence: one after the last of the same epoch, from 2³¹-1 to 0; a new epoch begins at 0.
func (p *producer) checkSequence(b record.Batch, id, offset int64) error {
	first := b.BaseSequence()
	if b.ProducerEpoch() != p.epoch {
		if first == 0 || p.epoch == record.NoProducerEpoch {
			return nil
		}
		return protocol.Errorf(protocol.OutOfOrderSequenceNumber,
			"producer %d begins epoch %d with sequence %d at offset %d: it must begin with 0", id, b.ProducerEpoch(), first, offset)
	}
	if expected := record.AddSequence(p.lastSequence(), 1); first != expected && p.epoch != record.NoProducerEpoch {
		return protocol.Errorf(protocol.OutOfOrderSequenceNumber,
			"producer %d sends sequence %d at offset %d after %d: %d is missing or was repeated too late", id, first, offset, p.lastSequence(), expected)
	}
	return nil
}

// apply takes note of a batch that was appended. b may be its header only. The transaction it begins or ends is noted
// in txns; ended is the one that a marker ended, with records of its own.
func (s *producerState) apply(b record.Batch, m marker, txns *transactions) (ended endedTxn, isEnd bool) {
	s.end = b.NextOffset()
	if !b.HasProducerID() || b.IsControl() && m.kind == markerNone {
		return ended, false
	}
	id := b.ProducerID()
	p := s.producers[id]
	if p == nil {
		p = newProducer()
		s.producers[id] = p
	}
	p.setEpoch(b.ProducerEpoch())
	p.lastTimestamp = b.MaxTimestamp()
	if !b.IsControl() {
		p.add(producedBatch{b.LastSequence(), b.LastOffsetDelta(), b.LastOffset(), b.MaxTimestamp()})
		if b.IsTransactional() && p.txnFirstOffset < 0 {
			p.txnFirstOffset = b.BaseOffset()
			txns.begin(id, p.txnFirstOffset)
		}
		return ended, false
	}
	p.coordinatorEpoch = m.coordinatorEpoch
	if ended, isEnd = s.ends(b, m, txns); isEnd {
		p.txnFirstOffset = -1
		txns.end(ended.FirstOffset, ended.LastOffset)
	}
	return ended, isEnd
}

// ends is the transaction that a batch will end when it is applied: a marker does, unless there are no records to it.
func (s *producerState) ends(b record.Batch, m marker, txns *transactions) (ended endedTxn, isEnd bool) {
	p := s.producers[b.ProducerID()]
	if p == nil || !b.IsControl() || m.kind == markerNone || p.txnFirstOffset < 0 {
		return ended, false
	}
	id := b.ProducerID()
	return endedTxn{
		AbortedTxn: AbortedTxn{id, p.txnFirstOffset, b.BaseOffset(), txns.stableWithout(id, b.BaseOffset())},
		aborted:    m.kind == markerAbort,
	}, true
}

// expire forgets producers that have been silent for so long; a repetition of their last batch would be taken for new.
func (s *producerState) expire(nowMs, expirationMs int64) {
	maps.DeleteFunc(s.producers, func(_ int64, p *producer) bool { return p.expired(nowMs, expirationMs) })
}

func (p *producer) expired(nowMs, expirationMs int64) bool {
	return p.txnFirstOffset < 0 && nowMs-p.lastTimestamp >= expirationMs
}

func (s *producerState) list() []Producer {
	out := make([]Producer, 0, len(s.producers))
	for _, id := range slices.Sorted(maps.Keys(s.producers)) {
		out = append(out, s.producers[id].view(id))
	}
	return out
}

func (p *producer) view(id int64) Producer {
	return Producer{id, p.epoch, p.lastSequence(), p.lastTimestamp, p.coordinatorEpoch, p.txnFirstOffset}
}
