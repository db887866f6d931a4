package config

// Partition logs: segments, flushing, retention.
const (
	LogSegmentBytes                         Key = "log.segment.bytes"
	LogRollMs                               Key = "log.roll.ms"
	LogRollHours                            Key = "log.roll.hours"
	LogRollJitterMs                         Key = "log.roll.jitter.ms"
	LogRollJitterHours                      Key = "log.roll.jitter.hours"
	LogRetentionMs                          Key = "log.retention.ms"
	LogRetentionMinutes                     Key = "log.retention.minutes"
	LogRetentionHours                       Key = "log.retention.hours"
	LogRetentionBytes                       Key = "log.retention.bytes"
	LogRetentionCheckIntervalMs             Key = "log.retention.check.interval.ms"
	LogCleanupPolicy                        Key = "log.cleanup.policy"
	LogIndexSizeMaxBytes                    Key = "log.index.size.max.bytes"
	LogIndexIntervalBytes                   Key = "log.index.interval.bytes"
	LogSegmentDeleteDelayMs                 Key = "log.segment.delete.delay.ms"
	LogPreallocate                          Key = "log.preallocate"
	LogFlushIntervalMessages                Key = "log.flush.interval.messages"
	LogFlushIntervalMs                      Key = "log.flush.interval.ms"
	LogFlushSchedulerIntervalMs             Key = "log.flush.scheduler.interval.ms"
	LogFlushOffsetCheckpointIntervalMs      Key = "log.flush.offset.checkpoint.interval.ms"
	LogFlushStartOffsetCheckpointIntervalMs Key = "log.flush.start.offset.checkpoint.interval.ms"
	LogInitialTaskDelayMs                   Key = "log.initial.task.delay.ms"
	LogDirFailureTimeoutMs                  Key = "log.dir.failure.timeout.ms"
	LogCleanerEnable                        Key = "log.cleaner.enable"
	LogCleanerThreads                       Key = "log.cleaner.threads"
	LogCleanerIOMaxBytesPerSecond           Key = "log.cleaner.io.max.bytes.per.second"
	LogCleanerDedupeBufferSize              Key = "log.cleaner.dedupe.buffer.size"
	LogCleanerIOBufferSize                  Key = "log.cleaner.io.buffer.size"
	LogCleanerIOBufferLoadFactor            Key = "log.cleaner.io.buffer.load.factor"
	LogCleanerBackoffMs                     Key = "log.cleaner.backoff.ms"
	LogCleanerMinCleanableRatio             Key = "log.cleaner.min.cleanable.ratio"
	LogCleanerDeleteRetentionMs             Key = "log.cleaner.delete.retention.ms"
	LogCleanerMinCompactionLagMs            Key = "log.cleaner.min.compaction.lag.ms"
	LogCleanerMaxCompactionLagMs            Key = "log.cleaner.max.compaction.lag.ms"
	ProducerIDExpirationMs                  Key = "producer.id.expiration.ms"
	ProducerIDExpirationCheckIntervalMs     Key = "producer.id.expiration.check.interval.ms"
)

var logRows = []Row{
	{LogSegmentBytes, Int, "1073741824", atLeast(1048576), ClusterWide, Served, "Bytes of a segment file at which the next is begun."},
	{LogRollMs, Long, None, nil, ClusterWide, Served, "Age of a segment at which the next is begun; unset, log.roll.hours decides."},
	{LogRollHours, Int, "168", atLeast(1), ReadOnly, Served, "Age of a segment, in hours, at which the next is begun."},
	{LogRollJitterMs, Long, None, nil, ClusterWide, Served, "The most by which that age is shortened at random; unset, log.roll.jitter.hours decides."},
	{LogRollJitterHours, Int, "0", atLeast(0), ReadOnly, Served, "The most by which that age is shortened at random, in hours."},
	{LogRetentionMs, Long, None, nil, ClusterWide, Served, "Age at which records go, -1 for never; unset, log.retention.minutes decides."},
	{LogRetentionMinutes, Int, None, nil, ReadOnly, Served, "Age in minutes at which records go; unset, log.retention.hours decides."},
	{LogRetentionHours, Int, "168", nil, ReadOnly, Served, "Age in hours at which records go."},
	{LogRetentionBytes, Long, "-1", nil, ClusterWide, Served, "Bytes of a partition above which its oldest segments go, -1 for no bound."},
	{LogRetentionCheckIntervalMs, Long, "300000", atLeast(1), ReadOnly, Served, "How often logs are searched for segments to delete."},
	{LogCleanupPolicy, List, "delete", listOrEmpty("compact", "delete"), ClusterWide, Served, "What becomes of old records: delete, compact, both, or neither."},
	{LogIndexSizeMaxBytes, Int, "10485760", atLeast(4), ClusterWide, Served, "The largest offset or time index; the segment rolls when one is full."},
	{LogIndexIntervalBytes, Int, "4096", atLeast(0), ClusterWide, Served, "Bytes of records between two index entries."},
	{LogSegmentDeleteDelayMs, Long, "60000", atLeast(0), ClusterWide, Served, "How long a deleted segment's files stay on disk."},
	{LogPreallocate, Boolean, "false", nil, ClusterWide, NoEffect, "Whether a new segment's space is reserved at once."},
	{LogFlushIntervalMessages, Long, "9223372036854775807", atLeast(1), ClusterWide, Served, "Records after which a log is flushed, in pagecache mode."},
	{LogFlushIntervalMs, Long, None, nil, ClusterWide, Served, "Age of unflushed records at which a log is flushed, in pagecache mode; unset, log.flush.scheduler.interval.ms decides."},
	{LogFlushSchedulerIntervalMs, Long, "9223372036854775807", nil, ReadOnly, Served, "How often logs are checked for a flush that is due."},
	{LogFlushOffsetCheckpointIntervalMs, Int, "60000", atLeast(0), ReadOnly, NoEffect, "How often recovery points are written; here after 64 MiB or a second."},
	{LogFlushStartOffsetCheckpointIntervalMs, Int, "60000", atLeast(0), ReadOnly, NoEffect, "How often log start offsets are written; here at once."},
	{LogDirFailureTimeoutMs, Long, "30000", atLeast(1), ReadOnly, NoEffect, "How long a node lives on that cannot report a failed data directory."},
	{LogCleanerEnable, Boolean, "true", nil, ReadOnly, Served, "Whether compacted topics are compacted."},
	{LogCleanerThreads, Int, "1", atLeast(0), ClusterWide, Served, "Threads that compact."},
	{LogCleanerIOMaxBytesPerSecond, Double, "1.7976931348623157E308", nil, ClusterWide, Served, "Bytes a second that compaction reads and writes at most."},
	{LogCleanerDedupeBufferSize, Long, "134217728", nil, ClusterWide, Served, "Memory of compaction's key table, over all threads."},
	{LogCleanerIOBufferSize, Int, "524288", atLeast(0), ClusterWide, Served, "Memory of compaction's read and write buffers, over all threads."},
	{LogCleanerIOBufferLoadFactor, Double, "0.9", nil, ClusterWide, Served, "How full the key table may get."},
	{LogCleanerBackoffMs, Long, "15000", atLeast(0), ClusterWide, Served, "How long compaction rests when no log needs it."},
	{LogCleanerMinCleanableRatio, Double, "0.5", between(0, 1), ClusterWide, Served, "Share of a log that must be uncompacted before compaction begins."},
	{LogCleanerDeleteRetentionMs, Long, "86400000", atLeast(0), ClusterWide, Served, "How long a tombstone stays after compaction."},
	{LogCleanerMinCompactionLagMs, Long, "0", atLeast(0), ClusterWide, Served, "How long a record stays uncompacted at least."},
	{LogCleanerMaxCompactionLagMs, Long, "9223372036854775807", atLeast(1), ClusterWide, Served, "How long a record may stay uncompacted at most."},
	{ProducerIDExpirationMs, Int, "86400000", atLeast(1), ClusterWide, Served, "How long a partition remembers a producer that has gone silent."},
}

// Keys that Kafka accepts and does not list.
var logInternalRows = []Row{
	{LogInitialTaskDelayMs, Long, "30000", atLeast(0), ReadOnly, NoEffect, "How long background work on logs waits after a start."},
	{ProducerIDExpirationCheckIntervalMs, Int, "600000", atLeast(1), ReadOnly, NoEffect, "How often silent producers are looked for."},
}
