package config

// Share groups (KIP-932).
const (
	GroupShareSessionTimeoutMs                       Key = "group.share.session.timeout.ms"
	GroupShareMinSessionTimeoutMs                    Key = "group.share.min.session.timeout.ms"
	GroupShareMaxSessionTimeoutMs                    Key = "group.share.max.session.timeout.ms"
	GroupShareHeartbeatIntervalMs                    Key = "group.share.heartbeat.interval.ms"
	GroupShareMinHeartbeatIntervalMs                 Key = "group.share.min.heartbeat.interval.ms"
	GroupShareMaxHeartbeatIntervalMs                 Key = "group.share.max.heartbeat.interval.ms"
	GroupShareMaxSize                                Key = "group.share.max.size"
	GroupShareAssignors                              Key = "group.share.assignors"
	GroupShareAssignmentIntervalMs                   Key = "group.share.assignment.interval.ms"
	GroupShareMinAssignmentIntervalMs                Key = "group.share.min.assignment.interval.ms"
	GroupShareMaxAssignmentIntervalMs                Key = "group.share.max.assignment.interval.ms"
	GroupShareInitializeRetryIntervalMs              Key = "group.share.initialize.retry.interval.ms"
	GroupShareDeliveryCountLimit                     Key = "group.share.delivery.count.limit"
	GroupShareMinDeliveryCountLimit                  Key = "group.share.min.delivery.count.limit"
	GroupShareMaxDeliveryCountLimit                  Key = "group.share.max.delivery.count.limit"
	GroupShareRecordLockDurationMs                   Key = "group.share.record.lock.duration.ms"
	GroupShareMinRecordLockDurationMs                Key = "group.share.min.record.lock.duration.ms"
	GroupShareMaxRecordLockDurationMs                Key = "group.share.max.record.lock.duration.ms"
	GroupSharePartitionMaxRecordLocks                Key = "group.share.partition.max.record.locks"
	GroupShareMinPartitionMaxRecordLocks             Key = "group.share.min.partition.max.record.locks"
	GroupShareMaxPartitionMaxRecordLocks             Key = "group.share.max.partition.max.record.locks"
	GroupShareMaxShareSessions                       Key = "group.share.max.share.sessions"
	GroupSharePersisterClassName                     Key = "group.share.persister.class.name"
	ShareCoordinatorStateTopicNumPartitions          Key = "share.coordinator.state.topic.num.partitions"
	ShareCoordinatorStateTopicReplicationFactor      Key = "share.coordinator.state.topic.replication.factor"
	ShareCoordinatorStateTopicMinISR                 Key = "share.coordinator.state.topic.min.isr"
	ShareCoordinatorStateTopicSegmentBytes           Key = "share.coordinator.state.topic.segment.bytes"
	ShareCoordinatorStateTopicCompressionCodec       Key = "share.coordinator.state.topic.compression.codec"
	ShareCoordinatorStateTopicPruneIntervalMs        Key = "share.coordinator.state.topic.prune.interval.ms"
	ShareCoordinatorThreads                          Key = "share.coordinator.threads"
	ShareCoordinatorSnapshotUpdateRecordsPerSnapshot Key = "share.coordinator.snapshot.update.records.per.snapshot"
	ShareCoordinatorColdPartitionSnapshotIntervalMs  Key = "share.coordinator.cold.partition.snapshot.interval.ms"
	ShareCoordinatorLoadBufferSize                   Key = "share.coordinator.load.buffer.size"
	ShareCoordinatorAppendLingerMs                   Key = "share.coordinator.append.linger.ms"
	ShareCoordinatorWriteTimeoutMs                   Key = "share.coordinator.write.timeout.ms"
	ShareCoordinatorCachedBufferMaxBytes             Key = "share.coordinator.cached.buffer.max.bytes"
)

var groupShareRows = []Row{
	{GroupShareSessionTimeoutMs, Int, "45000", atLeast(1), ReadOnly, NoEffect, "Session time-out of share groups."},
	{GroupShareMinSessionTimeoutMs, Int, "45000", atLeast(1), ReadOnly, NoEffect, "The shortest session time-out that a group may be set to."},
	{GroupShareMaxSessionTimeoutMs, Int, "60000", atLeast(1), ReadOnly, NoEffect, "The longest session time-out that a group may be set to."},
	{GroupShareHeartbeatIntervalMs, Int, "5000", atLeast(1), ReadOnly, NoEffect, "How often members of share groups send heartbeats."},
	{GroupShareMinHeartbeatIntervalMs, Int, "5000", atLeast(1), ReadOnly, NoEffect, "The shortest heartbeat interval that a group may be set to."},
	{GroupShareMaxHeartbeatIntervalMs, Int, "15000", atLeast(1), ReadOnly, NoEffect, "The longest heartbeat interval that a group may be set to."},
	{GroupShareMaxSize, Int, "200", between(1, 1000), ReadOnly, NoEffect, "Members that a share group may have."},
	{GroupShareAssignors, List, "simple", list(), ReadOnly, NoEffect, "The assignor of share groups."},
	{GroupShareAssignmentIntervalMs, Int, "1000", atLeast(0), ClusterWide, NoEffect, "The shortest time between two assignments of one group."},
	{GroupShareMinAssignmentIntervalMs, Int, "0", atLeast(0), ReadOnly, NoEffect, "The least that a group may set its assignment interval to."},
	{GroupShareMaxAssignmentIntervalMs, Int, "15000", atLeast(0), ReadOnly, NoEffect, "The most that a group may set its assignment interval to."},
	{GroupShareDeliveryCountLimit, Int, "5", between(2, 10), ReadOnly, NoEffect, "How often a record is delivered before it is given up."},
	{GroupShareMinDeliveryCountLimit, Int, "2", between(2, 5), ReadOnly, NoEffect, "The least that a group may set its delivery limit to."},
	{GroupShareMaxDeliveryCountLimit, Int, "10", between(5, 25), ReadOnly, NoEffect, "The most that a group may set its delivery limit to."},
	{GroupShareRecordLockDurationMs, Int, "30000", between(1000, 3600000), ReadOnly, NoEffect, "How long a delivered record stays locked for its consumer."},
	{GroupShareMinRecordLockDurationMs, Int, "15000", between(1000, 30000), ReadOnly, NoEffect, "The least that a group may set its lock duration to."},
	{GroupShareMaxRecordLockDurationMs, Int, "60000", between(30000, 3600000), ReadOnly, NoEffect, "The most that a group may set its lock duration to."},
	{GroupSharePartitionMaxRecordLocks, Int, "2000", between(100, 10000), ReadOnly, NoEffect, "Records of one partition that may be locked at once."},
	{GroupShareMinPartitionMaxRecordLocks, Int, "100", between(100, 2000), ReadOnly, NoEffect, "The least that a group may set its locks per partition to."},
	{GroupShareMaxPartitionMaxRecordLocks, Int, "4000", between(2000, 10000), ReadOnly, NoEffect, "The most that a group may set its locks per partition to."},
	{GroupShareMaxShareSessions, Int, "2000", atLeast(1), ReadOnly, NoEffect, "Share sessions that are kept at once."},
	{ShareCoordinatorStateTopicNumPartitions, Int, "50", atLeast(1), ReadOnly, NoEffect, "Partitions of __share_group_state. Fixed once the topic exists."},
	{ShareCoordinatorStateTopicReplicationFactor, Short, "auto", autoOr(1), ReadOnly, NoEffect, "Replicas of __share_group_state; auto is min(3, brokers)."},
	{ShareCoordinatorStateTopicMinISR, Short, "auto", autoOr(1), ReadOnly, NoEffect, "In-sync replicas that writes to __share_group_state need; auto is min(2, replicas)."},
	{ShareCoordinatorStateTopicSegmentBytes, Int, "104857600", atLeast(1), ReadOnly, NoEffect, "Segment size of __share_group_state."},
	{ShareCoordinatorStateTopicCompressionCodec, Int, "0", between(0, 4), ReadOnly, NoEffect, "The codec of __share_group_state: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."},
	{ShareCoordinatorThreads, Int, "1", atLeast(1), ReadOnly, NoEffect, "Threads that run share state; here each shard runs under its own lock."},
	{ShareCoordinatorSnapshotUpdateRecordsPerSnapshot, Int, "500", between(0, 500), ReadOnly, NoEffect, "Updates after which share state is written whole."},
	{ShareCoordinatorLoadBufferSize, Int, "5242880", atLeast(1), ReadOnly, NoEffect, "Bytes that are read at once when share state is loaded."},
	{ShareCoordinatorAppendLingerMs, Int, "-1", atLeast(-1), ReadOnly, NoEffect, "How long the share coordinator collects records before it writes, -1 to decide by load."},
	{ShareCoordinatorWriteTimeoutMs, Int, "5000", atLeast(1), ReadOnly, NoEffect, "How long a write of share state may take."},
	{ShareCoordinatorCachedBufferMaxBytes, Int, "1048588", atLeast(524288), ClusterWide, NoEffect, "The largest write buffer that the share coordinator keeps for the next write."},
}

// Keys that Kafka accepts and does not list.
var groupShareInternalRows = []Row{
	{GroupShareInitializeRetryIntervalMs, Int, "30000", atLeast(1), ReadOnly, NoEffect, "How often the initial state of a share partition is asked for again."},
	{GroupSharePersisterClassName, String, "org.apache.kafka.server.share.persister.DefaultStatePersister", nil, ReadOnly, NoEffect, "A plug-in that keeps share state."},
	{ShareCoordinatorStateTopicPruneIntervalMs, Int, "300000", atLeast(1), ReadOnly, NoEffect, "How often state that nobody needs any more is deleted."},
	{ShareCoordinatorColdPartitionSnapshotIntervalMs, Int, "300000", atLeast(1), ReadOnly, NoEffect, "How often share state that rests is written whole."},
}
