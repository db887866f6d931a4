// Package logstore keeps partitions' records in a data directory, in Apache Kafka's own file formats (FORMAT.md has
// every byte).
//
// A Store is a data directory, a Log one partition in it, a segment one file of batches with its indexes. Dirs are several
// Stores as one: log.dirs.
//
//	store.go open.go           the directory: lock, identity, creation and deletion of partitions, clean close
//	dirs.go dirs_open.go       several directories: where a partition goes, what must hold between them
//	moves.go move_copy.go move_exchange.go   from one directory to another while the partition is served
//	health.go                  from a file's error to its partition, or its whole directory, offline
//	log.go                     a log's offsets, and what is asked of them
//	append.go segment.go       the path of a batch: check, roll, write, publish
//	flusher.go sync.go         group commit: when and how what was appended becomes durable
//	sync_choice.go volume.go   ... of many logs: by one sync of the file system, or each by itself
//	checkpointer.go settle.go  recovery points, and all that is written off the path of acknowledgements
//	read.go locate.go          references to whole batches; finding an offset's place
//	verify.go                  what a good batch is
//	scrub.go doctor.go examine.go   looking for damage: in a store, in a directory at rest
//	verified.go damage.go      what this process has looked at; what it found
//	batches.go timestamps.go   iterating; searching by time
//	retention.go truncate.go   giving up the beginning; cutting off the end
//	retention_disk.go          log.retention.disk.percent
//	retention_clock.go         the time that ages are held against: not the wall clock's where that has jumped
//	space.go removals.go       how full the disk is; files to be removed later, or at once when it is full
//	cleaner.go throttle.go     compaction: when, of which log, how fast (compact/ decides what stays)
//	compaction.go cleaned.go   ... one round on one log, and the segment that it makes
//	swap.go                    ... which takes the place of those that it was made of, and what a crash leaves of that
//	recovery_*.go              inspect → plan → apply, by the tables of RECOVERY.md (recovery_rows.go)
//	recovery_show.go           PlanOf: what a start would do
//	index_prefix.go            what of an index is taken over
//	index.go repair.go txn_repair.go   offset and time index, and making them and the transaction index again
//	txn_index.go txn_verify.go transactions.go producer_state.go producer_snapshot.go   producers and transactions
//	leader_epochs.go checkpoints.go meta_properties.go names.go atomic_file.go   small files
//	scanner.go handle.go patient_fs.go timers.go   walking over batches, open files, things to do later
//	views.go                   what tools may read of the files (cmd/ottla/dump)
//
// # What is durable when
//
// An append is in the page cache when it returns. The flusher syncs the segment, and its directory if that is new;
// then flushed moves, and only what is below it may be read. Where many logs wait, one sync of the file system does it for
// all. In page-cache mode flushed moves with the append, and the sync comes within a second or 32 MiB a log, 128 MiB in
// all.
//
// A start checks batches above the recovery point, and trusts those below. The point is written a second after a sync,
// or after 32 MiB of a log, 64 MiB in all. Leader epochs and transaction indexes are synced before the point passes
// them: above it they are found in the batches. The offset and time index and the producer snapshots are never waited
// for. Who uses one checks it, against the segment or by its checksum, and makes it again. A segment is deleted only
// when the log start behind it, and the producers' state there, are durable.
//
// A write or sync that fails takes the log offline at what was flushed, until a restart, which reads what lies above past
// the page cache and writes it into new files (recovery_sync_failed.go). Only a full disk does not: the half-written
// batch is cut off again and the caller told. Each such error has the directory probed with a small file: if
// that fails, too, the whole directory is offline. A Store of Dirs that is, or could not be opened, does not stop the
// others; but for the one with the metadata log.
//
// # A full disk
//
// Clients' appends may not touch the reserve (SpaceLimits): below it they are refused, and everything else goes on:
// reads, coordinators' and the metadata log's appends, deletions, checkpoints, the shutdown. What can be given up is, at
// once. Appends go on by themselves when there is room again.
//
// # What is verified when
//
// One verifier (verify.go) says what a good batch is: its checksum is right, and base offset, length, magic and leader
// epoch, which the checksum does not cover, agree with the batches beside it and the leader-epoch checkpoint. Recovery asks
// it of every batch above the recovery point; compaction of every batch that it reads; Log.Read of every batch that nobody
// has looked at since the start, also of what this process has appended itself. After that a batch is sent to readers by the
// kernel, unseen: what goes wrong in the page cache or on the wire is found by the client's own check of the checksum.
//
// The scrub goes over everything once in log.scrub.interval.hours, at log.scrub.bytes.per.second, and `ottla doctor --scrub`
// over a directory that nobody uses.
//
// A transaction index, which has no checksum, is held against the batches at its first use (txn_verify.go), and against its
// sum from then on; of what compaction has been through, only the markers are left to hold it against.
//
// Damage is answered with CORRUPT_MESSAGE where a read would begin with it; a read that begins before it ends before it,
// and one behind it is served. Nothing is cut off or repaired but indexes: they are checked at every use, and made again.
//
// # Locks
//
// In this order; what is not said to be held over file operations is not:
//
//	Dirs.placing            creation of partitions; held over their file operations
//	Log.compacting          a compaction of the log, or what may not meet one: truncation, deletion, Close. Held over
//	                        everything; who waits for it makes the compaction give up
//	Store.retaining         one run of retention over the whole store
//	Store.naming            creation and deletion of partitions; held over their file operations. Of two, by path
//	Log.appendMu            all changes of one log; held over writes, and over syncs only while truncating
//	checkpointer.writing    what the checkpoints say; held over their files
//	Store.mu                the map of logs
//	Log.mu                  one log's segments, index tails, epochs and what is unsynced
//	handle.mu handlePool.mu one segment's file (held over opening it); which are open
//	transactions.mu flusher.mu checkpointer.mu timers.mu removals.mu RetentionClock.mu Cleaner.mu throttle.mu scrubber.mu   taken last
//	space.mu                taken while no other is held; held over statfs
//
// # Goroutines
//
//	flusher.work            while logs wait for a sync, at most MaxParallelSyncs; one of them alone syncs many logs
//	                        together; awaited by Close
//	moves.work              while partitions are moved, at most one for each directory; awaited by Dirs.Close
//	timers                  one for each thing that is due: checkpoints, the second of page-cache mode, a sync of the names
//	                        of deleted partitions, removal of deleted files, retention, files that are idle, a look at a
//	                        disk that is filling up, a step of the scrub; awaited by Close
//	Cleaner.work            while compacted logs are due, at most log.cleaner.threads of all stores; awaited by
//	                        Cleaner.Close, and log by log by Store.Close. Between two looks there is a timer, as long as
//	                        a compacted log has a sealed segment that is dirty
//
// An idle store has none.
package logstore
