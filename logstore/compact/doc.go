// Package compact decides what compaction does: which log is worth it (choose.go), which segments become one
// (group.go), and what stays of each batch (round.go), by the newest offset of every key (offset_map.go) and by what is
// known of transactions (transactions.go). It has no files, clocks, locks or goroutines; logstore has them.
//
// The rules are Apache Kafka's (4.3.1: LogCleaner, LogCleanerManager, Cleaner, CleanedTransactionMetadata). A round
// covers the dirty offsets [firstDirty, end): it reads their keys into the map, and then goes over all segments below
// end and keeps
//
//   - a record with the newest offset that the map knows for its key, or above what the map covers;
//   - of those, one without a value only until its batch's delete horizon: the time of the first round that it
//     survived, and delete.retention.ms. The horizon is written into the batch (KIP-534);
//   - no record of an aborted transaction, and no record without a key;
//   - a transaction's marker while a batch of the transaction stands before it, and from the round that finds none on
//     until a horizon of its own;
//   - other control records always;
//   - of a batch without any record left its header, if the batch is the last of an active producer, which goes on from
//     its sequence numbers, or the last of a new segment, which says where the segment ends.
//
// Offsets never change. Where this differs from Kafka: it keeps the last batch of every segment that it makes, not only
// of the round, so that segments always follow each other without a hole; it gives no horizon to tombstones above what
// the map covers, whose older values are still there; and it leaves alone messages of the formats v0 and v1, and
// batches that decompress to more than the bound: their keys supersede nothing, and nothing supersedes them.
package compact
