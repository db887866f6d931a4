// Package partition is what this broker does for one partition that it holds: it appends as the leader of an epoch, says
// how far records may be read, and wakes who waits for that. A Set is all the partitions of this broker; it follows the
// image of the cluster's metadata.
//
//	replica.go    replica: role, leader epoch, ISR, end offsets, high watermark; pure
//	partition.go  Partition: the shell around it, with its locks, its log and its end
//	append.go     how records get in: from clients (Produce) and from coordinators (Append)
//	read.go       how they get out: Read, for consumers and followers
//	lookup.go     offsets by time stamp, by leader epoch; the log start
//	watch.go      Watch: who waits for the high watermark
//	topic.go      Topic: what its partitions share, and its configuration
//	set.go        Set: partitions by topic; created, changed and deleted in the order of the metadata log
//
// # What may be read
//
// Offsets of a partition stand in this order:
//
//	logStart ≤ lastStable ≤ highWatermark ≤ flushed ≤ end
//
// A replica's end offset, as the in-sync replicas and the high watermark see it, is its flushed end: what a power cut
// leaves. So a consumer never reads, and never commits, past what is on disk on every in-sync replica. In page-cache mode
// flushed is end.
//
// # Locks
//
// Partition.appending is taken first: it is held while a batch is appended and while the role changes, so an append never
// straddles two leader epochs. Then the log's own locks, down to those that are held over files. Then Partition.mu, which
// guards the replica's state and the waiters; of the log it calls only SetHighWatermark and, when it is replaced, SetConfig, OnFlushed
// and OnMoved. Watchers, and functions given to OnCommitted, are called with none of these held.
//
// A log that moves to another data directory replaces Partition.log while it holds appends back, so what is appended goes
// to one or the other; a reader that fails in the old one asks the new.
package partition
