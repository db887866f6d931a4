package partition

import "github.com/ottla/ottla/logstore"

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

// ReadRequest is one partition of a Fetch.
type ReadRequest struct {
	Reader Reader
	// ReplicaID is the follower's node id, -1 for a consumer.
	ReplicaID int32
	// Offset is where to begin; the batch that contains it comes whole.
	Offset int64
	// CurrentLeaderEpoch is the leader epoch that the client knows, -1 for none: another one is refused (KIP-320).
	CurrentLeaderEpoch int32
	// LastFetchedEpoch is the leader epoch of the client's last record, -1 for none: where it diverges from our log, the
	// answer says so and holds no records.
	LastFetchedEpoch int32
	MaxBytes         int
	// AtLeastOne returns the first batch although it is larger than MaxBytes.
	AtLeastOne bool
	// FollowerReads allows the answer to come from a replica that does not lead (KIP-392).
	FollowerReads bool
}

// ReadResult is what a partition answers to a Fetch. The slice in it must be released.
type ReadResult struct {
	Slice         logstore.Slice
	HighWatermark int64
	LastStable    int64
	LogStart      int64
	// Aborted are the aborted transactions that overlap the slice, by first offset. Nil but for Committed readers.
	Aborted []logstore.AbortedTxn
	// Diverging is set where the client's last records are not ours: it truncates to there and asks again (KIP-595).
	Diverging *EpochEnd
}

// EpochEnd is a leader epoch and one past the last offset that was written in it.
type EpochEnd struct {
	Epoch     int32
	EndOffset int64
}

// Read returns records by reference.
//
// Errors: OffsetOutOfRange, FencedLeaderEpoch, UnknownLeaderEpoch, NotLeaderForPartition, KafkaStorageError.
func (p *Partition) Read(r ReadRequest) (ReadResult, error) { panic("soon") }
