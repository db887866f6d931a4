package coordinator

import (
	"iter"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Log is a partition of an internal topic on its leader. A *partition.Partition is one.
type Log interface {
	// Append appends a batch as the leader of that epoch, and returns the offset of its last record. It returns with the
	// bytes written, not flushed. Errors wrap a protocol code, such as NotLeaderForPartition, NotEnoughReplicas,
	// MessageTooLarge or KafkaStorageError; then nothing of the batch was appended.
	Append(b record.Batch, leaderEpoch int32) (lastOffset int64, err error)
	// MaxBatchBytes is the largest batch that Append takes (max.message.bytes).
	MaxBatchBytes() int
	// LogStart and End are the first offset and one past the last.
	LogStart() int64
	End() int64
	// Committed is the high watermark.
	Committed() int64
	// OnCommitted calls f with the high watermark each time that it rises, until cancel is called. f may be called from
	// within Append and from any goroutine; it does not call back into the partition.
	OnCommitted(f func(highWatermark int64)) (cancel func())
	// Batches reads the batches of [from, upTo), committed or not; it may wait for the disk. A batch is valid until the next
	// one is asked for.
	Batches(from, upTo int64) iter.Seq2[record.Batch, error]
}

// codeFor is the code that a client of a coordinator hears for what its partition's log said.
// Source: CoordinatorOperationExceptionHelper.handleOperationException.
func codeFor(err error) protocol.Code {
	switch code := protocol.CodeOf(err); code {
	case protocol.NetworkException:
		return protocol.CoordinatorLoadInProgress
	case protocol.UnknownTopicOrPartition, protocol.NotEnoughReplicas, protocol.RequestTimedOut:
		return protocol.CoordinatorNotAvailable
	case protocol.NotLeaderForPartition, protocol.KafkaStorageError:
		return protocol.NotCoordinator
	case protocol.MessageTooLarge, protocol.RecordListTooLarge, protocol.InvalidFetchSize:
		return protocol.UnknownServerError
	default:
		return code
	}
}
