package config

// The keys of topics. compression.type and its levels, min.insync.replicas and unclean.leader.election.enable are
// constants of the broker's tables: the names are the same.
const (
	SegmentBytes                         Key = "segment.bytes"
	SegmentMs                            Key = "segment.ms"
	SegmentJitterMs                      Key = "segment.jitter.ms"
	SegmentIndexBytes                    Key = "segment.index.bytes"
	FlushMessages                        Key = "flush.messages"
	FlushMs                              Key = "flush.ms"
	RetentionBytes                       Key = "retention.bytes"
	RetentionMs                          Key = "retention.ms"
	MaxMessageBytes                      Key = "max.message.bytes"
	IndexIntervalBytes                   Key = "index.interval.bytes"
	DeleteRetentionMs                    Key = "delete.retention.ms"
	MinCompactionLagMs                   Key = "min.compaction.lag.ms"
	MaxCompactionLagMs                   Key = "max.compaction.lag.ms"
	FileDeleteDelayMs                    Key = "file.delete.delay.ms"
	MinCleanableDirtyRatio               Key = "min.cleanable.dirty.ratio"
	CleanupPolicy                        Key = "cleanup.policy"
	Preallocate                          Key = "preallocate"
	MessageTimestampType                 Key = "message.timestamp.type"
	MessageTimestampBeforeMaxMs          Key = "message.timestamp.before.max.ms"
	MessageTimestampAfterMaxMs           Key = "message.timestamp.after.max.ms"
	LeaderReplicationThrottledReplicas   Key = "leader.replication.throttled.replicas"
	FollowerReplicationThrottledReplicas Key = "follower.replication.throttled.replicas"
	RemoteStorageEnable                  Key = "remote.storage.enable"
	LocalRetentionMs                     Key = "local.retention.ms"
	LocalRetentionBytes                  Key = "local.retention.bytes"
	RemoteLogCopyDisable                 Key = "remote.log.copy.disable"
	RemoteLogDeleteOnDisable             Key = "remote.log.delete.on.disable"
	InternalSegmentBytes                 Key = "internal.segment.bytes"
	Durability                           Key = "durability"
)

const maxLong = "9223372036854775807"

// topicRow is what the table of topic keys writes.
type topicRow struct {
	Key     Key
	Type    Type
	Default string
	Check   *Check
	Effect  Effect
	From    []Fallback // the broker keys that it is taken from, best first
	Doc     string
}

func from(k Key) []Fallback { return []Fallback{{k, 1}} }

// Source of the fallbacks: org.apache.kafka.server.config.ServerTopicConfigSynonyms.
var topicRows = []topicRow{
	{SegmentBytes, Int, "1073741824", atLeast(1 << 20), Served, from(LogSegmentBytes), "Bytes of a segment file at which the next is begun."},
	{SegmentMs, Long, "604800000", atLeast(1), Served, brokerFallbacks[LogRollMs], "Age of a segment at which the next is begun."},
	{SegmentJitterMs, Long, "0", atLeast(0), Served, brokerFallbacks[LogRollJitterMs], "The most by which that age is shortened at random."},
	{SegmentIndexBytes, Int, "10485760", atLeast(4), Served, from(LogIndexSizeMaxBytes), "The largest offset or time index; the segment rolls when one is full."},
	{FlushMessages, Long, maxLong, atLeast(1), Served, from(LogFlushIntervalMessages), "Records after which the log is flushed, with durability=pagecache."},
	{FlushMs, Long, maxLong, atLeast(0), Served, brokerFallbacks[LogFlushIntervalMs], "Age of unflushed records at which the log is flushed, with durability=pagecache."},
	{RetentionBytes, Long, "-1", nil, Served, from(LogRetentionBytes), "Bytes of a partition above which its oldest segments go, -1 for no bound."},
	{RetentionMs, Long, "604800000", atLeast(-1), Served, brokerFallbacks[LogRetentionMs], "Age at which records go, -1 for never."},
	{MaxMessageBytes, Int, "1048588", atLeast(0), Served, from(MessageMaxBytes), "The largest record batch, after compression."},
	{IndexIntervalBytes, Int, "4096", atLeast(0), Served, from(LogIndexIntervalBytes), "Bytes of records between two index entries."},
	{DeleteRetentionMs, Long, "86400000", atLeast(0), Served, from(LogCleanerDeleteRetentionMs), "How long a tombstone stays after compaction."},
	{MinCompactionLagMs, Long, "0", atLeast(0), Served, from(LogCleanerMinCompactionLagMs), "How long a record stays uncompacted at least."},
	{MaxCompactionLagMs, Long, maxLong, atLeast(1), Served, from(LogCleanerMaxCompactionLagMs), "How long a record may stay uncompacted at most."},
	{FileDeleteDelayMs, Long, "60000", atLeast(0), Served, from(LogSegmentDeleteDelayMs), "How long a deleted segment's files stay on disk."},
	{MinCleanableDirtyRatio, Double, "0.5", between(0, 1), Served, from(LogCleanerMinCleanableRatio), "Share of the log that must be uncompacted before compaction begins."},
	{CleanupPolicy, List, "delete", listOrEmpty("compact", "delete"), Served, from(LogCleanupPolicy), "What becomes of old records: delete, compact, both, or neither."},
	{UncleanLeaderElectionEnable, Boolean, "false", nil, NoEffect, from(UncleanLeaderElectionEnable), "Whether a replica that may lack records can become leader, losing them."},
	{MinInsyncReplicas, Int, "1", atLeast(1), Served, from(MinInsyncReplicas), "In-sync replicas that an acks=all write needs."},
	{CompressionType, String, "producer", oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), Served, from(CompressionType), "The codec that batches are stored with; producer keeps the one they came with."},
	{CompressionGzipLevel, Int, "-1", gzipLevel, Served, from(CompressionGzipLevel), "The level where compression.type is gzip, -1 for gzip's own."},
	{CompressionLz4Level, Int, "9", between(1, 17), Served, from(CompressionLz4Level), "The level where compression.type is lz4."},
	{CompressionZstdLevel, Int, "3", between(-131072, 22), Served, from(CompressionZstdLevel), "The level where compression.type is zstd."},
	{Preallocate, Boolean, "false", nil, NoEffect, from(LogPreallocate), "Whether a new segment's space is reserved at once."},
	{MessageTimestampType, String, "CreateTime", oneOf("CreateTime", "LogAppendTime"), Served, from(LogMessageTimestampType), "Whether a record keeps its producer's time or gets the time of its append."},
	{MessageTimestampBeforeMaxMs, Long, maxLong, atLeast(0), Served, from(LogMessageTimestampBeforeMaxMs), "How far a record's time may lie before the broker's."},
	{MessageTimestampAfterMaxMs, Long, "3600000", atLeast(0), Served, from(LogMessageTimestampAfterMaxMs), "How far a record's time may lie after the broker's."},
	{LeaderReplicationThrottledReplicas, List, "", throttledReplicas, NoEffect, nil, "Replicas whose leader sends within its throttled rate: PARTITION:BROKER, or *."},
	{FollowerReplicationThrottledReplicas, List, "", throttledReplicas, NoEffect, nil, "Replicas that fetch within their broker's throttled rate: PARTITION:BROKER, or *."},
	{RemoteStorageEnable, Boolean, "false", nil, NoEffect, nil, "Whether segments are copied to tiered storage."},
	{LocalRetentionMs, Long, "-2", atLeast(-2), NoEffect, from(LogLocalRetentionMs), "Age at which tiered segments leave this disk, -2 for retention.ms."},
	{LocalRetentionBytes, Long, "-2", atLeast(-2), NoEffect, from(LogLocalRetentionBytes), "Bytes above which tiered segments leave this disk, -2 for retention.bytes."},
	{RemoteLogCopyDisable, Boolean, "false", nil, NoEffect, nil, "Whether tiered data is read-only."},
	{RemoteLogDeleteOnDisable, Boolean, "false", nil, NoEffect, nil, "Whether tiered data goes when tiered storage is turned off."},
	{InternalSegmentBytes, Int, None, nil, NoEffect, nil, "A segment size below the allowed one, for Kafka's own tests."},
	{Durability, String, "fsync", oneOf("fsync", "pagecache"), Served, from(LogDurability), "When a write counts as durable: fsync once it is on disk, pagecache once the operating system has it, as Kafka does."},
}

func topicDefs() []*Def {
	defs := make([]*Def, len(topicRows))
	for i, r := range topicRows {
		defs[i] = &Def{
			Row:       Row{r.Key, r.Type, r.Default, r.Check, ClusterWide, r.Effect, r.Doc},
			Ours:      r.Key == Durability,
			Internal:  r.Key == InternalSegmentBytes,
			Fallbacks: r.From,
		}
	}
	return defs
}
