package partition

import (
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
)

// Reader says on whose behalf records are read, which bounds what may be read.
type Reader int8

// The readers.
const (
	// Uncommitted is a consumer with isolation level read_uncommitted: up to the high watermark.
	Uncommitted Reader = iota
	// Committed is a consumer with read_committed: up to the last stable offset.
	Committed
	// Follower is another replica: up to the flushed end.
	Follower
)

// Access is what a client says of itself when it asks a partition.
type Access struct {
	// CurrentLeaderEpoch is the leader epoch that the client knows, -1 for none: another one is refused (KIP-320).
	CurrentLeaderEpoch int32
	// AnyReplica lets a replica answer that does not lead.
	AnyReplica bool
}

// ReadRequest is one partition of a Fetch.
type ReadRequest struct {
	Access
	Reader Reader
	// ReplicaID is the follower's node id, and ReplicaLogStart its log start. A follower that fetches from an offset has
	// everything below it on disk.
	ReplicaID       int32
	ReplicaLogStart int64
	// Offset is where to begin; the batch that contains it comes whole.
	Offset int64
	// LastFetchedEpoch is the leader epoch of the client's last record, -1 for none: where it diverges from our log, the
	// answer says so and holds no records.
	LastFetchedEpoch int32
	MaxBytes         int
	// AtLeastOne returns the first batch although it is larger than MaxBytes.
	AtLeastOne bool
}

// ReadResult is what a partition answers to a Fetch. The slice in it must be released.
type ReadResult struct {
	Slice         logstore.Slice
	HighWatermark int64
	LastStable    int64
	LogStart      int64
	// Bound is where the reader must stop: its slice ends there or before.
	Bound int64
	// Epoch is the leader epoch in which this was so: Watch takes it.
	Epoch int32
	// Aborted are the aborted transactions that overlap the slice, by first offset. Nil but for Committed readers.
	Aborted []logstore.AbortedTxn
	// Diverging is set where the client's last records are not ours: it truncates to there and asks again (KIP-595).
	Diverging *EpochEnd
}

// EpochEnd is a leader epoch and one past the last offset that was written in it. -1 and -1 where nobody knows.
type EpochEnd struct {
	Epoch     int32
	EndOffset int64
}

// view is what a reader needs of the replica's state, taken at once.
type view struct {
	leads         bool
	epoch         int32
	epochStart    int64
	highWatermark int64
	flushed       int64
	recovered     bool
}

// view lets a client in, or tells why not. Errors: FencedLeaderEpoch, UnknownLeaderEpoch, NotLeaderForPartition,
// KafkaStorageError.
func (p *Partition) view(a Access) (view, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.mu.replica
	v := view{leads: r.role == leading, epoch: r.epoch, epochStart: r.epochStart, highWatermark: r.highWatermark,
		flushed: r.end, recovered: r.role != leading || r.recovered()}
	if p.mu.gone != nil {
		return v, p.mu.gone
	}
	if err := r.checkEpoch(a.CurrentLeaderEpoch); err != nil {
		return v, err
	}
	if !v.leads && !a.AnyReplica {
		return v, protocol.NotLeaderForPartition
	}
	return v, nil
}

// Read returns records by reference.
//
// Errors: OffsetOutOfRange, FencedLeaderEpoch, UnknownLeaderEpoch, NotLeaderForPartition, CorruptMessage, KafkaStorageError.
func (p *Partition) Read(r ReadRequest) (ReadResult, error) {
	v, err := p.view(r.Access)
	if err == nil && r.Reader == Follower {
		err = p.knows(r)
	}
	if err != nil {
		return ReadResult{}, err
	}
	result, err := onLog(p, func(l *logstore.Log) (ReadResult, error) { return p.read(l, r, v) })
	switch {
	case err != nil && !p.still(v):
		// Truncated under us as a follower: the offset is not out of range, it is not ours to judge any more.
		return ReadResult{}, protocol.NotLeaderForPartition
	case err == nil && r.Reader == Follower && result.Diverging == nil:
		p.fetched(r)
	}
	return result, err
}

// knows tells whether a fetch comes from a replica of the partition. One that knows of leader epochs tries again with the
// next; it may know of a reassignment that this leader does not.
func (p *Partition) knows(r ReadRequest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mu.follower(r.ReplicaID) != nil:
		return nil
	case r.CurrentLeaderEpoch >= 0:
		return protocol.UnknownLeaderEpoch
	}
	return protocol.NotLeaderForPartition
}

// fetched counts what a follower has. The ISR that the replica asks for is for the controller: nobody carries it there
// while there is one broker.
func (p *Partition) fetched(r ReadRequest) {
	p.change(func(now time.Time) { _, _ = p.mu.fetched(r.ReplicaID, r.Offset, r.ReplicaLogStart, now) }).tell()
}

func (p *Partition) read(l *logstore.Log, r ReadRequest, v view) (ReadResult, error) {
	result := ReadResult{HighWatermark: v.highWatermark, LogStart: l.LogStart(), Epoch: v.epoch}
	result.LastStable = min(l.LastStableOffset(), v.highWatermark)
	result.Bound = v.highWatermark
	switch r.Reader {
	case Committed:
		result.Bound = result.LastStable
	case Follower:
		result.Bound = v.flushed
	}
	if r.LastFetchedEpoch >= 0 {
		diverging, err := p.divergence(r, v)
		if err != nil || diverging != nil {
			result.Diverging = diverging
			return result, err
		}
	}
	if r.Offset < result.LogStart || r.Offset > l.End() {
		return ReadResult{}, protocol.OffsetOutOfRange
	}
	if r.Offset >= result.Bound {
		return result, nil
	}
	var err error
	if result.Slice, err = l.Read(r.Offset, r.MaxBytes, result.Bound, r.AtLeastOne); err != nil {
		return ReadResult{}, err
	}
	if r.Reader != Committed || result.Slice.Bytes == 0 {
		return result, nil
	}
	result.Aborted, err = l.AbortedTransactions(r.Offset, result.Slice.NextOffset)
	if p.log.Load() != l {
		err = logstore.ErrMoved // its transaction index was on the way
	}
	if err != nil {
		result.Slice.Release()
		return ReadResult{}, err
	}
	return result, nil
}

// divergence compares the end of the client's log with ours (KIP-595). Source: kafka.cluster.Partition.readRecords.
func (p *Partition) divergence(r ReadRequest, v view) (*EpochEnd, error) {
	ours := p.epochEnd(r.LastFetchedEpoch, v)
	switch {
	case ours.Epoch < 0 || r.Offset < p.log.Load().LogStart():
		return nil, protocol.OffsetOutOfRange
	case ours.Epoch < r.LastFetchedEpoch || ours.EndOffset < r.Offset:
		return &ours, nil
	}
	return nil, nil
}

// still tells whether the partition is what it was.
func (p *Partition) still(v view) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.gone == nil && p.mu.epoch == v.epoch && (p.mu.role == leading) == v.leads
}
