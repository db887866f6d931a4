package partition

import (
	"iter"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// Partition is one partition that this broker holds a replica of. Its methods may be called by many goroutines.
type Partition struct {
	topic *Topic
	index int32
	log   *logstore.Log
}

// Topic is the topic that the partition belongs to.
func (p *Partition) Topic() *Topic { return p.topic }

// Index is the partition's number.
func (p *Partition) Index() int32 { return p.index }

// Produce appends a batch of a client, which record.Validate has passed, as the leader. It returns with the batch written,
// not flushed: whoever promised acks=all watches for the high watermark to reach LastOffset+1, of a duplicate too.
//
// Errors: NotLeaderForPartition, NotEnoughReplicas (acks=all and fewer in-sync replicas than min.insync.replicas asks
// for), KafkaStorageError, RecordListTooLarge, and those of logstore.Log.Append. Nothing was appended then.
func (p *Partition) Produce(b record.Batch, acksAll bool) (logstore.Appended, error) { panic("soon") }

// Append appends a coordinator's batch as the leader of that epoch, with the demands of acks=all, and returns the offset
// of its last record. It returns with the batch written, not flushed: see OnCommitted.
func (p *Partition) Append(b record.Batch, leaderEpoch int32) (lastOffset int64, err error) {
	panic("soon")
}

// MaxBatchBytes is the largest batch that the topic takes (max.message.bytes).
func (p *Partition) MaxBatchBytes() int { return p.topic.Config().MaxMessageBytes }

// LogStart is the first offset that may be read.
func (p *Partition) LogStart() int64 { return p.log.LogStart() }

// End is the offset that the next record gets.
func (p *Partition) End() int64 { return p.log.End() }

// Committed is the high watermark: everything below it is on disk on every in-sync replica.
func (p *Partition) Committed() int64 { panic("soon") }

// OnCommitted calls f with the high watermark each time that it rises, until cancel is called. f runs on the goroutine
// that made it rise, with no lock held; two calls may come in either order, so the larger counts. f must be quick.
func (p *Partition) OnCommitted(f func(highWatermark int64)) (cancel func()) { panic("soon") }

// Batches reads the batches of [from, upTo), as logstore.Log.Batches does.
func (p *Partition) Batches(from, upTo int64) iter.Seq2[record.Batch, error] {
	return p.log.Batches(from, upTo)
}

// Leader is the node that leads the partition, as far as this broker knows, and its epoch; -1 for none.
func (p *Partition) Leader() (node, epoch int32) { panic("soon") }

// Leads reports whether this broker leads the partition.
func (p *Partition) Leads() bool { panic("soon") }

// Watch arms w to fire when the high watermark reaches at, or when the partition can no longer tell. It returns false,
// and will not fire, where that is so already: then w.Err says which of the two.
func (p *Partition) Watch(w *Watch, at int64) (armed bool) { panic("soon") }

// Unwatch disarms w. It returns false if w has fired: then Notice was or will be called.
func (p *Partition) Unwatch(w *Watch) bool { panic("soon") }

type waiters struct{}
