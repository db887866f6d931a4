package partition

import (
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Appended says where a batch went, and in which leader epoch: what is waited for is waited for in that.
type Appended struct {
	logstore.Appended
	Epoch int32
}

// Produce appends a batch of a client, which record.Validate has passed, as the leader. It returns with the batch written,
// not flushed: whoever promised acks=all watches for the high watermark to reach LastOffset+1, of a duplicate too.
//
// Errors: NotLeaderForPartition, NotEnoughReplicas (acks=all and fewer in-sync replicas than min.insync.replicas asks
// for), KafkaStorageError, RecordListTooLarge, and those of logstore.Log.Append. Nothing was appended then.
func (p *Partition) Produce(b record.Batch, acksAll bool) (Appended, error) {
	return p.append(b, logstore.Client, acksAll, anyEpoch)
}

// Append appends a coordinator's batch as the leader of that epoch, with the demands of acks=all, and returns the offset
// of its last record. It returns with the batch written, not flushed: see OnCommitted.
func (p *Partition) Append(b record.Batch, leaderEpoch int32) (lastOffset int64, err error) {
	a, err := p.append(b, logstore.Coordinator, true, leaderEpoch)
	return a.LastOffset, err
}

// MaxBatchBytes is the largest batch that the topic takes (max.message.bytes).
func (p *Partition) MaxBatchBytes() int { return p.topic.Config().MaxMessageBytes }

const anyEpoch int32 = -1

func (p *Partition) append(b record.Batch, origin logstore.Origin, acksAll bool, inEpoch int32) (Appended, error) {
	if segment := p.topic.Config().SegmentBytes; int64(len(b)) > segment {
		return Appended{}, protocol.Errorf(protocol.RecordListTooLarge,
			"The batch has %d bytes and a segment at most %d: send smaller batches or raise segment.bytes.", len(b), segment)
	}
	p.appending.Lock()
	a, n, err := p.write(b, origin, acksAll, inEpoch)
	p.appending.Unlock()
	n.tell()
	return a, err
}

// write appends and accounts for it. appending is held.
func (p *Partition) write(b record.Batch, origin logstore.Origin, acksAll bool, inEpoch int32) (a Appended, n news, err error) {
	if a.Epoch, err = p.mayAppend(acksAll, inEpoch); err != nil {
		return a, n, err
	}
	a.Appended, err = onLog(p, func(l *logstore.Log) (logstore.Appended, error) {
		return l.Append(b, logstore.AppendOptions{LeaderEpoch: a.Epoch, Origin: origin})
	})
	if err != nil || a.Duplicate {
		return a, n, err
	}
	n = p.change(func(now time.Time) {
		p.mu.logEnd = a.LastOffset + 1
		p.mu.unread.push(p.mu.logEnd, int64(len(b)))
		// Asked for now, under mu: the flusher may have told of this batch before it was accounted for.
		p.mu.flushed(min(p.log.Load().Flushed(), p.mu.logEnd), now)
	})
	return a, n, nil
}

// mayAppend tells in which leader epoch a batch may be appended now.
func (p *Partition) mayAppend(acksAll bool, inEpoch int32) (epoch int32, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mu.gone != nil:
		return 0, p.mu.gone
	case p.mu.role != leading, inEpoch != anyEpoch && inEpoch != p.mu.epoch:
		return 0, protocol.NotLeaderForPartition
	case acksAll && p.mu.underMinISR():
		return 0, protocol.Errorf(protocol.NotEnoughReplicas,
			"%d replicas are in sync and min.insync.replicas asks for %d.", len(p.mu.isr), p.mu.minISR())
	}
	return p.mu.epoch, nil
}

// EnoughInSync reports whether as many replicas are in sync as acks=all asks for.
func (p *Partition) EnoughInSync() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.mu.underMinISR()
}
