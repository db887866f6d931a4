package logstore

import (
	"iter"

	"github.com/ottla/ottla/protocol/record"
)

// TopicPartition names a log.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Log is one partition's records: a row of segment files, their indexes, what is known of producers, and the leader
// epochs. Its methods may be called by many goroutines.
type Log struct {
	tp TopicPartition
}

// Origin says who appends, and so what is checked.
type Origin int8

const (
	// Client: sequence numbers, producer epochs and duplicates are checked.
	Client Origin = iota
	// Coordinator: producer and coordinator epochs are checked; markers come from here.
	Coordinator
	// Replication: the leader has checked; the batch keeps its offsets and its leader epoch.
	Replication
)

// AppendOptions go with an append.
type AppendOptions struct {
	LeaderEpoch int32 // stamped on the batch unless Origin is Replication
	Origin      Origin
}

// Appended says where a batch went.
type Appended struct {
	FirstOffset, LastOffset int64
	LogAppendTimeMs         int64 // -1 under CreateTime; of a duplicate, the original's timestamp
	LogStart                int64
	// Duplicate: the batch is one of the producer's last five, which stands at these offsets; nothing was appended.
	// The answer waits until the original is below the high watermark.
	Duplicate bool
}

// Append writes a batch that record.Validate has passed. It patches base offset and leader epoch in place, checks the
// producer's state (kafka-surface §3.3 15–20) as Origin asks, and returns with the bytes in the file and the log queued
// for the flusher: OnFlushed tells when they are on disk. The batch may be reused when Append returns.
//
// Errors: OutOfOrderSequenceNumber, InvalidProducerEpoch, InvalidTxnState, TransactionCoordinatorFenced,
// KafkaStorageError (nothing was appended; once offline, for good), and for Replication OffsetOutOfRange when the batch
// does not begin at or after End.
func (l *Log) Append(batch record.Batch, o AppendOptions) (Appended, error) { panic("soon") }

// TopicPartition names the log.
func (l *Log) TopicPartition() TopicPartition { return l.tp }

// TopicID is the id in partition.metadata; zero if the directory has none.
func (l *Log) TopicID() [16]byte { panic("soon") }

// SetConfig takes effect with the next append, retention run or segment.
func (l *Log) SetConfig(c LogConfig) { panic("soon") }

// LogStart is the first offset that may be read.
func (l *Log) LogStart() int64 { panic("soon") }

// LocalLogStart is the first offset held here: LogStart, until tiering comes.
func (l *Log) LocalLogStart() int64 { panic("soon") }

// End is the offset that the next record gets.
func (l *Log) End() int64 { panic("soon") }

// Flushed is one past the last record that may be shown to anybody: what is on disk, or End in page-cache mode.
func (l *Log) Flushed() int64 { panic("soon") }

// OnFlushed sets the function that hears of Flushed moving. In fsync mode the flusher calls it, after each sync that
// covers this log; in page-cache mode Append does, before it returns. No lock of the log is held, and two calls may
// come in either order: take the larger. With an error the log is offline and flushed is where it stopped.
func (l *Log) OnFlushed(f func(flushed int64, err error)) { panic("soon") }

// Flush returns when everything appended before it is on disk, in either mode.
func (l *Log) Flush() error { panic("soon") }

// SetHighWatermark tells the log how far it is replicated: nothing at or above hw is deleted by retention, and the last
// stable offset is held below it. It is kept in replication-offset-checkpoint. It may go back.
func (l *Log) SetHighWatermark(hw int64) { panic("soon") }

// HighWatermark is what SetHighWatermark was last told; after Open, what the checkpoint says, within [LogStart, End].
func (l *Log) HighWatermark() int64 { panic("soon") }

// Batches iterates over the whole batches from the one that contains from, while their base offset is below upTo, with
// checksums checked. A batch is valid until the next one. It ends after an error.
func (l *Log) Batches(from, upTo int64) iter.Seq2[record.Batch, error] { panic("soon") }

// OffsetForTimestamp finds the first record in [LogStart, upTo) with a timestamp of at least ts.
func (l *Log) OffsetForTimestamp(ts, upTo int64) (offset, timestamp int64, leaderEpoch int32, ok bool, err error) {
	panic("soon")
}

// MaxTimestamp finds the first record in [LogStart, upTo) with the largest timestamp.
func (l *Log) MaxTimestamp(upTo int64) (offset, timestamp int64, leaderEpoch int32, ok bool, err error) {
	panic("soon")
}

// EndOffsetForEpoch is the largest epoch known that is not above epoch, and where it ended (KIP-101, KIP-279);
// -1, -1 if there is nothing to say.
func (l *Log) EndOffsetForEpoch(epoch int32) (largest int32, endOffset int64) { panic("soon") }

// LatestEpoch is the last appended leader epoch, -1 if none.
func (l *Log) LatestEpoch() int32 { panic("soon") }

// EpochAt is the leader epoch of an offset in [LogStart, End], -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 { panic("soon") }

// AdvanceLogStart gives up everything below to (DeleteRecords), durably. It never moves back: a smaller to does nothing.
// Above the high watermark it is OffsetOutOfRange. Segments wholly below go with the next retention run.
func (l *Log) AdvanceLogStart(to int64) error { panic("soon") }

// TruncateTo cuts off everything at or above offset, durably. Above End it does nothing.
func (l *Log) TruncateTo(offset int64) error { panic("soon") }

// TruncateFullyAndStartAt gives up all records and begins again, empty, at offset, durably.
func (l *Log) TruncateFullyAndStartAt(offset int64) error { panic("soon") }

// ApplyRetention rolls and deletes what retention.ms, retention.bytes and LogStart allow, and forgets expired producers.
func (l *Log) ApplyRetention(nowMs int64) error { panic("soon") }

// AbortedTxn is an aborted transaction: [FirstOffset, LastOffset] of its producer's records are not to be shown to a
// read_committed consumer. LastOffset is the marker's.
type AbortedTxn struct {
	ProducerID              int64
	FirstOffset, LastOffset int64
	LastStableOffset        int64 // when the marker was written
}

// AbortedTransactions are those that overlap [from, upTo), by first offset.
func (l *Log) AbortedTransactions(from, upTo int64) ([]AbortedTxn, error) { panic("soon") }

// LastStableOffset is one past the last record that a read_committed consumer may see: the first offset of the oldest
// transaction that is open, or decided above the high watermark, and never above the high watermark.
func (l *Log) LastStableOffset() int64 { panic("soon") }

// Producer is what is known of a producer (DescribeProducers).
type Producer struct {
	ProducerID       int64
	Epoch            int16
	LastSequence     int32 // -1 if none
	LastTimestamp    int64
	CoordinatorEpoch int32 // -1 if none
	TxnFirstOffset   int64 // of its open transaction, -1 if none
}

// ActiveProducers lists the producers, by id.
func (l *Log) ActiveProducers() []Producer { panic("soon") }

// OngoingTransaction is the first offset of the producer's open transaction.
func (l *Log) OngoingTransaction(producerID int64) (firstOffset int64, ok bool) { panic("soon") }

// Size is the bytes of all segments.
func (l *Log) Size() int64 { panic("soon") }

// Err is why the log is offline, nil while it is not.
func (l *Log) Err() error { panic("soon") }
