package partition

import (
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
)

// The time stamps that ask for a position instead of a time. Source: org.apache.kafka.common.requests.ListOffsetsRequest.
const (
	Latest         int64 = -1
	Earliest       int64 = -2
	LargestTime    int64 = -3
	EarliestLocal  int64 = -4
	LatestTiered   int64 = -5
	EarliestUpload int64 = -6
)

// Position is a record's place: its offset, time stamp and leader epoch, each -1 where there is none.
type Position struct {
	Offset      int64
	Timestamp   int64
	LeaderEpoch int32
}

var nowhere = Position{Offset: -1, Timestamp: -1, LeaderEpoch: -1}

// Lookup finds where a time stamp, or one of the positions above, lies for a reader.
//
// Errors: OffsetNotAvailable while the high watermark has not reached the leader's epoch, and those of Read.
func (p *Partition) Lookup(timestamp int64, reader Reader, a Access) (Position, error) {
	v, err := p.view(a)
	if err != nil {
		return nowhere, err
	}
	upTo := v.highWatermark
	switch reader {
	case Committed:
		upTo = min(p.log.Load().LastStableOffset(), upTo)
	case Follower:
		upTo = v.flushed
	}
	found, err := p.lookup(timestamp, upTo, v)
	if err == nil && !v.recovered && reader != Follower && (timestamp == Latest || found == nowhere) {
		// What the predecessor committed may lie above our high watermark: neither "the end" nor "not there" is known.
		return nowhere, protocol.OffsetNotAvailable
	}
	return found, err
}

func (p *Partition) lookup(timestamp, upTo int64, v view) (Position, error) {
	switch timestamp {
	case Latest:
		return Position{Offset: upTo, Timestamp: -1, LeaderEpoch: v.epoch}, nil
	case Earliest, EarliestLocal: // the same until records move to tiers
		return p.earliest(v), nil
	case LatestTiered, EarliestUpload:
		return nowhere, nil
	}
	return onLog(p, func(l *logstore.Log) (Position, error) {
		find := func() (int64, int64, int32, bool, error) { return l.OffsetForTimestamp(timestamp, upTo) }
		if timestamp == LargestTime {
			find = func() (int64, int64, int32, bool, error) { return l.MaxTimestamp(upTo) }
		}
		offset, found, epoch, ok, err := find()
		if err != nil || !ok {
			return nowhere, err
		}
		return Position{Offset: offset, Timestamp: found, LeaderEpoch: epoch}, nil
	})
}

func (p *Partition) earliest(v view) Position {
	l := p.log.Load()
	start := l.LogStart()
	epoch := l.EpochAt(start)
	if v.leads && start >= v.epochStart {
		epoch = v.epoch // the log learns of an epoch with its first append
	}
	return Position{Offset: start, Timestamp: -1, LeaderEpoch: epoch}
}

// EpochEnd tells where a leader epoch ended: the largest epoch that is not above it, and one past that one's last offset.
// Errors: as Read.
func (p *Partition) EpochEnd(epoch int32, a Access) (EpochEnd, error) {
	v, err := p.view(a)
	if err != nil {
		return unknownEpoch, err
	}
	return p.epochEnd(epoch, v), nil
}

var unknownEpoch = EpochEnd{Epoch: -1, EndOffset: -1}

// epochEnd counts the leader's own epoch, of which the log learns with its first append.
func (p *Partition) epochEnd(epoch int32, v view) EpochEnd {
	l := p.log.Load()
	latest, end := l.LatestEpoch(), l.End()
	switch {
	case epoch == -1 || v.leads && epoch > v.epoch:
		return unknownEpoch
	case epoch < 0:
		return EpochEnd{epoch, l.LogStart()} // as Kafka: it takes it for one older than all
	case v.leads && epoch == v.epoch:
		return EpochEnd{epoch, end}
	case v.leads && latest >= 0 && epoch >= latest:
		return EpochEnd{latest, v.epochStart}
	case v.leads && latest < 0:
		return EpochEnd{epoch, v.epochStart} // older than all that is known: it ended where that begins (KIP-279)
	}
	largest, endOffset := l.EndOffsetForEpoch(epoch)
	return EpochEnd{largest, endOffset}
}

// Deletion is what became of DeleteRecords: the low watermark rises to Offset, at once or when followers follow.
type Deletion struct {
	Offset       int64
	LowWatermark int64
	Epoch        int32 // for Watch
}

// DeleteRecords gives up everything below offset, Latest for all that is committed, durably. Below the log start it does
// nothing.
//
// Errors: OffsetOutOfRange below 0 or above the high watermark, PolicyViolation on a topic without cleanup.policy=delete,
// and those of Read.
func (p *Partition) DeleteRecords(offset int64) (Deletion, error) {
	v, err := p.view(Access{CurrentLeaderEpoch: -1})
	if err != nil {
		return Deletion{}, err
	}
	if !p.topic.Config().Delete {
		return Deletion{}, protocol.Errorf(protocol.PolicyViolation,
			"Records of topic %s can only be deleted with cleanup.policy=delete.", p.topic.Name)
	}
	if offset == Latest {
		offset = v.highWatermark
	}
	if offset < 0 || offset > v.highWatermark {
		return Deletion{}, protocol.OffsetOutOfRange
	}
	if _, err := onLog(p, func(l *logstore.Log) (any, error) { return nil, l.AdvanceLogStart(offset) }); err != nil {
		return Deletion{}, err
	}
	d := Deletion{Offset: offset, Epoch: v.epoch}
	p.change(func(time.Time) {
		p.mu.deleted(p.log.Load().LogStart())
		d.LowWatermark = p.mu.lowWatermark()
	}).tell()
	return d, nil
}

// LowWatermark is where the log begins on every replica.
func (p *Partition) LowWatermark() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.lowWatermark()
}
