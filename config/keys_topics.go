package config

// What topics get that say nothing else, and what requests about them may ask.
const (
	NumPartitions                  Key = "num.partitions"
	DefaultReplicationFactor       Key = "default.replication.factor"
	AutoCreateTopicsEnable         Key = "auto.create.topics.enable"
	DeleteTopicEnable              Key = "delete.topic.enable"
	MaxRequestPartitionSizeLimit   Key = "max.request.partition.size.limit"
	CreateTopicPolicyClassName     Key = "create.topic.policy.class.name"
	AlterConfigPolicyClassName     Key = "alter.config.policy.class.name"
	CompressionType                Key = "compression.type"
	CompressionGzipLevel           Key = "compression.gzip.level"
	CompressionLz4Level            Key = "compression.lz4.level"
	CompressionZstdLevel           Key = "compression.zstd.level"
	MessageMaxBytes                Key = "message.max.bytes"
	LogMessageTimestampType        Key = "log.message.timestamp.type"
	LogMessageTimestampBeforeMaxMs Key = "log.message.timestamp.before.max.ms"
	LogMessageTimestampAfterMaxMs  Key = "log.message.timestamp.after.max.ms"
	MinInsyncReplicas              Key = "min.insync.replicas"
	UncleanLeaderElectionEnable    Key = "unclean.leader.election.enable"
)

var topicsRows = []Row{
	{NumPartitions, Int, "1", atLeast(1), ReadOnly, Served, "Partitions of a topic created without a count."},
	{DefaultReplicationFactor, Int, "1", nil, ReadOnly, Served, "Replicas of a partition created without a count."},
	{AutoCreateTopicsEnable, Boolean, "true", nil, ReadOnly, Served, "Whether a client that asks for an unknown topic creates it."},
	{DeleteTopicEnable, Boolean, "true", nil, ReadOnly, Served, "Whether topics may be deleted."},
	{MaxRequestPartitionSizeLimit, Int, "2000", atLeast(1), ReadOnly, Served, "Partitions that one DescribeTopicPartitions answer holds at most."},
	{CreateTopicPolicyClassName, Class, None, nil, ReadOnly, Refused, "A plug-in that may refuse to create a topic."},
	{AlterConfigPolicyClassName, Class, None, nil, ReadOnly, Refused, "A plug-in that may refuse a change of configuration."},
	{CompressionType, String, "producer", oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), ClusterWide, Served, "The codec that batches are stored with; producer keeps the one they came with."},
	{CompressionGzipLevel, Int, "-1", gzipLevel, ClusterWide, Served, "The level where compression.type is gzip, -1 for gzip's own."},
	{CompressionLz4Level, Int, "9", between(1, 17), ClusterWide, Served, "The level where compression.type is lz4."},
	{CompressionZstdLevel, Int, "3", between(-131072, 22), ClusterWide, Served, "The level where compression.type is zstd."},
	{MessageMaxBytes, Int, "1048588", atLeast(0), ClusterWide, Served, "The largest record batch, after compression."},
	{LogMessageTimestampType, String, "CreateTime", oneOf("CreateTime", "LogAppendTime"), ClusterWide, Served, "Whether a record keeps its producer's time or gets the time of its append."},
	{LogMessageTimestampBeforeMaxMs, Long, "9223372036854775807", atLeast(0), ClusterWide, Served, "How far a record's time may lie before the broker's."},
	{LogMessageTimestampAfterMaxMs, Long, "3600000", atLeast(0), ClusterWide, Served, "How far a record's time may lie after the broker's."},
	{MinInsyncReplicas, Int, "1", atLeast(1), ClusterWide, Served, "In-sync replicas that an acks=all write needs."},
	{UncleanLeaderElectionEnable, Boolean, "false", nil, ClusterWide, NoEffect, "Whether a replica that may lack records can become leader, losing them."},
}
