// Package mutant names the invariants of the log that can be broken on purpose, so that the tests can be tested: a build
// with the tag "mutant" breaks the one that the environment's OTTLA_MUTANT names, and a test must notice. Any other build
// breaks none, and the compiler removes the question.
package mutant

// Name is an invariant that is broken.
type Name string

// The mutants. All says what each does and which test notices.
const (
	// SkipDirSync leaves out the sync of a partition's directory.
	SkipDirSync Name = "skip-dir-sync"
	// AckBeforeSync calls an append flushed before it is.
	AckBeforeSync Name = "ack-before-sync"
	// IgnoreVolumeError takes a failed sync of the file system for a good one.
	IgnoreVolumeError Name = "ignore-volume-error"
	// ForgetVolumeError asks the file system about lost bytes after it has told of them.
	ForgetVolumeError Name = "forget-volume-error"
	// ForgetEarlierBatches keeps one batch of each producer in snapshots.
	ForgetEarlierBatches Name = "forget-earlier-batches"
	// SkipMoveSync leaves out the sync between a moved partition's new directory and the removal of the old one.
	SkipMoveSync Name = "skip-move-sync"
	// SkipCRC takes every checksum for right.
	SkipCRC Name = "skip-crc"
	// AckBeforeWrite acknowledges an append whether or not its bytes could be written.
	AckBeforeWrite Name = "ack-before-write"
	// PointAheadOfSync writes recovery points that the syncs have not reached.
	PointAheadOfSync Name = "point-ahead-of-sync"
	// DeleteBeforeLogStart deletes segments before the log start behind them is durable.
	DeleteBeforeLogStart Name = "delete-before-log-start"
	// RetentionIgnoresHighWatermark gives up records that are not replicated.
	RetentionIgnoresHighWatermark Name = "retention-ignores-high-watermark"
	// SkipTxnIndexSync lets the recovery point pass entries of transaction indexes that are not durable.
	SkipTxnIndexSync Name = "skip-txn-index-sync"
	// SkipSnapshotCRC takes every producer snapshot's checksum for right.
	SkipSnapshotCRC Name = "skip-snapshot-crc"
	// IgnoreReserve lets clients append below the reserve of free space.
	IgnoreReserve Name = "ignore-reserve"
	// LeaveHalfABatch does not cut off what a write to a full disk has left.
	LeaveHalfABatch Name = "leave-half-a-batch"
	// BelieveTheClock holds ages against the wall clock, wherever it jumps.
	BelieveTheClock Name = "believe-the-clock"
	// SwapWithoutSync puts a compacted segment in the place of others before its bytes are durable.
	SwapWithoutSync Name = "swap-without-sync"
	// SwapBeforeNamed takes the old segments away before the name that says that the new one holds is durable.
	SwapBeforeNamed Name = "swap-before-named"
	// SkipContinuity takes every batch to follow the one before it.
	SkipContinuity Name = "skip-continuity"
	// SkipFirstFetch shows batches that nobody has looked at.
	SkipFirstFetch Name = "skip-first-fetch"
	// SkipSyncFailedMark forgets over a restart that a sync has failed.
	SkipSyncFailedMark Name = "skip-sync-failed-mark"
	// IgnoreSyncFailed believes the page cache after a sync has failed.
	IgnoreSyncFailed Name = "ignore-sync-failed"
	// BelieveEmptiness makes a log again whose directory is gone.
	BelieveEmptiness Name = "believe-emptiness"
	// NewerIsDamage takes a newer version of a file for a damaged one.
	NewerIsDamage Name = "newer-is-damage"
	// CutPromised cuts off damage below the recovery point, too.
	CutPromised Name = "cut-promised"
	// SkipCheckpointSync gives checkpoints their names before their content is durable.
	SkipCheckpointSync Name = "skip-checkpoint-sync"
)

// Mutant says what is broken, and which test of which package must fail.
type Mutant struct {
	Name    Name
	Breaks  string
	Package string // below the module
	Test    string // for go test -run
}

// All are the mutants that are built in.
var All = []Mutant{
	{SkipDirSync, "a new segment's name is not synced before its records are acknowledged", "logstore", "TestCrashAtEveryOperation"},
	{SkipMoveSync, "a moved partition's new directory is not synced before the old one goes", "logstore", "TestCrashDuringMoves"},
	{AckBeforeSync, "records are acknowledged that are not on disk", "logstore", "TestCrashAtEveryOperation"},
	{AckBeforeWrite, "records are acknowledged that are not in the file", "logstore", "TestFailEveryOperation"},
	{SkipCRC, "records are served that are not those that were written", "logstore", "TestTornTail"},
	{SwapWithoutSync, "records are lost that compaction kept", "logstore", "TestCrashInCompaction"},
	{SwapBeforeNamed, "a power cut leaves neither the old segments nor the new one", "logstore", "TestCrashInCompaction"},
	{SkipContinuity, "batches are served that do not follow each other", "logstore", "TestOffsetsThatDoNotFollow"},
	{PointAheadOfSync, "a start trusts what a power cut tore", "logstore", "TestRecoveryPointStaysBehindSync"},
	{DeleteBeforeLogStart, "given-up records come back, or their producers' state is lost", "logstore", "TestGivenUpSegmentsThatComeBack"},
	{RetentionIgnoresHighWatermark, "records are deleted that followers lack", "logstore", "TestRetentionStaysBelowHighWatermark"},
	{SkipTxnIndexSync, "aborted records are shown to read_committed consumers after a power cut", "logstore", "TestAbortedTransactionsAreDurable"},
	{SkipSnapshotCRC, "a torn snapshot is believed", "logstore", "TestSnapshotRoundTripAndDamage"},
	{IgnoreReserve, "clients fill the disk up", "logstore", "TestFullDiskAndBack"},
	{LeaveHalfABatch, "a disk that was full leaves a log that does not read", "logstore", "TestFullDiskAtEveryWrite"},
	{BelieveTheClock, "a clock set wrong deletes everything", "logstore", "TestJumpingClockDeletesNothing"},
	{SkipFirstFetch, "batches are shown that nobody has looked at", "logstore", "TestFlipsAreFound"},
	{IgnoreVolumeError, "a failed sync of the file system counts as a good one", "logstore", "TestFailedSyncTogether"},
	{ForgetVolumeError, "the bytes of a log are lost while others are synced, and it never hears of it", "logstore", "TestLossInTheRoundOfOthers"},
	{ForgetEarlierBatches, "what a producer repeats after a start is appended again", "logstore", "TestBatchesOnTheirWayAreKnownAfterAStart"},
	{SkipSyncFailedMark, "a start believes in pages that the kernel only calls written", "logstore", "TestFailedSyncIsRemembered"},
	{IgnoreSyncFailed, "records are shown after a failed sync that a power cut takes back", "logstore", "TestFailedSync"},
	{CutPromised, "records that were acknowledged are cut off without a word", "logstore", "TestDamageBelowRecoveryPoint"},
	{BelieveEmptiness, "a log whose files were lost begins again at offset 0", "logstore", "TestLostDirectory"},
	{NewerIsDamage, "what newer software wrote is thrown away", "logstore", "TestNewerVersions"},
	{SkipCheckpointSync, "after a power cut a checkpoint is empty, and what it said is not known", "logstore", "TestCrashAtEveryOperation"},
}
