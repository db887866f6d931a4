package config

// The classic group protocol and stored offsets.
const (
	GroupCoordinatorRebalanceProtocols   Key = "group.coordinator.rebalance.protocols"
	GroupCoordinatorThreads              Key = "group.coordinator.threads"
	GroupCoordinatorBackgroundThreads    Key = "group.coordinator.background.threads"
	GroupCoordinatorAppendLingerMs       Key = "group.coordinator.append.linger.ms"
	GroupCoordinatorCachedBufferMaxBytes Key = "group.coordinator.cached.buffer.max.bytes"
	GroupMinSessionTimeoutMs             Key = "group.min.session.timeout.ms"
	GroupMaxSessionTimeoutMs             Key = "group.max.session.timeout.ms"
	GroupInitialRebalanceDelayMs         Key = "group.initial.rebalance.delay.ms"
	GroupMaxSize                         Key = "group.max.size"
	OffsetMetadataMaxBytes               Key = "offset.metadata.max.bytes"
	OffsetsCommitTimeoutMs               Key = "offsets.commit.timeout.ms"
	OffsetsLoadBufferSize                Key = "offsets.load.buffer.size"
	OffsetsRetentionMinutes              Key = "offsets.retention.minutes"
	OffsetsRetentionCheckIntervalMs      Key = "offsets.retention.check.interval.ms"
	OffsetsTopicNumPartitions            Key = "offsets.topic.num.partitions"
	OffsetsTopicReplicationFactor        Key = "offsets.topic.replication.factor"
	OffsetsTopicSegmentBytes             Key = "offsets.topic.segment.bytes"
	OffsetsTopicCompressionCodec         Key = "offsets.topic.compression.codec"
)

var groupsRows = []Row{
	{GroupCoordinatorRebalanceProtocols, List, "classic,consumer,streams", list("consumer", "classic", "share", "streams"), ReadOnly, NoEffect, "The group protocols that are served; this build serves classic."},
	{GroupCoordinatorThreads, Int, "4", atLeast(1), ReadOnly, NoEffect, "Threads that run groups; here each shard runs under its own lock."},
	{GroupCoordinatorBackgroundThreads, Int, "2", atLeast(1), ReadOnly, NoEffect, "Threads for a coordinator's background work; Go schedules it here."},
	{GroupCoordinatorAppendLingerMs, Int, "-1", atLeast(-1), ReadOnly, NoEffect, "How long a coordinator collects records before it writes, -1 to decide by load."},
	{GroupCoordinatorCachedBufferMaxBytes, Int, "1048588", atLeast(524288), ClusterWide, NoEffect, "The largest write buffer that a coordinator keeps for the next write."},
	{GroupMinSessionTimeoutMs, Int, "6000", nil, ReadOnly, Served, "The shortest session time-out that a member may ask for."},
	{GroupMaxSessionTimeoutMs, Int, "1800000", nil, ReadOnly, Served, "The longest session time-out that a member may ask for."},
	{GroupInitialRebalanceDelayMs, Int, "3000", nil, ReadOnly, Served, "How long a new group waits for more members before its first generation."},
	{GroupMaxSize, Int, "2147483647", atLeast(1), ReadOnly, Served, "Members that a classic group may have."},
	{OffsetMetadataMaxBytes, Int, "4096", nil, ReadOnly, Served, "The largest metadata text of a committed offset."},
	{OffsetsCommitTimeoutMs, Int, "5000", atLeast(1), ReadOnly, Served, "How long a commit may wait for its copies."},
	{OffsetsLoadBufferSize, Int, "5242880", atLeast(1), ReadOnly, NoEffect, "Bytes that are read at once when offsets are loaded."},
	{OffsetsRetentionMinutes, Int, "10080", atLeast(1), ReadOnly, Served, "How long the offsets of an empty group are kept."},
	{OffsetsRetentionCheckIntervalMs, Long, "600000", atLeast(1), ReadOnly, Served, "How often expired offsets are looked for."},
	{OffsetsTopicNumPartitions, Int, "50", atLeast(1), ReadOnly, Served, "Partitions of __consumer_offsets. Fixed once the topic exists."},
	{OffsetsTopicReplicationFactor, Short, "auto", autoOr(1), ReadOnly, Served, "Replicas of __consumer_offsets; auto is min(3, brokers)."},
	{OffsetsTopicSegmentBytes, Int, "104857600", atLeast(1), ReadOnly, Served, "Segment size of __consumer_offsets."},
	{OffsetsTopicCompressionCodec, Int, "0", between(0, 4), ReadOnly, Served, "The codec of __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."},
}
