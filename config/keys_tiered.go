package config

// Tiered storage (KIP-405).
const (
	RemoteLogStorageSystemEnable                Key = "remote.log.storage.system.enable"
	RemoteLogStorageManagerClassName            Key = "remote.log.storage.manager.class.name"
	RemoteLogStorageManagerClassPath            Key = "remote.log.storage.manager.class.path"
	RemoteLogStorageManagerImplPrefix           Key = "remote.log.storage.manager.impl.prefix"
	RemoteLogMetadataManagerClassName           Key = "remote.log.metadata.manager.class.name"
	RemoteLogMetadataManagerClassPath           Key = "remote.log.metadata.manager.class.path"
	RemoteLogMetadataManagerImplPrefix          Key = "remote.log.metadata.manager.impl.prefix"
	RemoteLogMetadataManagerListenerName        Key = "remote.log.metadata.manager.listener.name"
	RemoteLogMetadataCustomMetadataMaxBytes     Key = "remote.log.metadata.custom.metadata.max.bytes"
	RemoteLogIndexFileCacheTotalSizeBytes       Key = "remote.log.index.file.cache.total.size.bytes"
	RemoteLogIndexFileCacheTTLMs                Key = "remote.log.index.file.cache.ttl.ms"
	RemoteLogManagerThreadPoolSize              Key = "remote.log.manager.thread.pool.size"
	RemoteLogManagerCopierThreadPoolSize        Key = "remote.log.manager.copier.thread.pool.size"
	RemoteLogManagerExpirationThreadPoolSize    Key = "remote.log.manager.expiration.thread.pool.size"
	RemoteLogManagerFollowerThreadPoolSize      Key = "remote.log.manager.follower.thread.pool.size"
	RemoteLogManagerTaskIntervalMs              Key = "remote.log.manager.task.interval.ms"
	RemoteLogManagerTaskRetryBackoffMs          Key = "remote.log.manager.task.retry.backoff.ms"
	RemoteLogManagerTaskRetryBackoffMaxMs       Key = "remote.log.manager.task.retry.backoff.max.ms"
	RemoteLogManagerTaskRetryJitter             Key = "remote.log.manager.task.retry.jitter"
	RemoteLogReaderThreads                      Key = "remote.log.reader.threads"
	RemoteLogReaderMaxPendingTasks              Key = "remote.log.reader.max.pending.tasks"
	RemoteLogManagerCopyMaxBytesPerSecond       Key = "remote.log.manager.copy.max.bytes.per.second"
	RemoteLogManagerCopyQuotaWindowNum          Key = "remote.log.manager.copy.quota.window.num"
	RemoteLogManagerCopyQuotaWindowSizeSeconds  Key = "remote.log.manager.copy.quota.window.size.seconds"
	RemoteLogManagerFetchMaxBytesPerSecond      Key = "remote.log.manager.fetch.max.bytes.per.second"
	RemoteLogManagerFetchQuotaWindowNum         Key = "remote.log.manager.fetch.quota.window.num"
	RemoteLogManagerFetchQuotaWindowSizeSeconds Key = "remote.log.manager.fetch.quota.window.size.seconds"
	RemoteFetchMaxWaitMs                        Key = "remote.fetch.max.wait.ms"
	RemoteListOffsetsRequestTimeoutMs           Key = "remote.list.offsets.request.timeout.ms"
	LogLocalRetentionMs                         Key = "log.local.retention.ms"
	LogLocalRetentionBytes                      Key = "log.local.retention.bytes"
)

var tieredRows = []Row{
	{RemoteLogStorageSystemEnable, Boolean, "false", nil, ReadOnly, NoEffect, "Whether tiered storage can be used."},
	{RemoteLogStorageManagerClassName, String, None, nonEmpty, ReadOnly, NoEffect, "The plug-in that stores segments elsewhere."},
	{RemoteLogStorageManagerClassPath, String, None, nil, ReadOnly, NoEffect, "Where that plug-in lies."},
	{RemoteLogStorageManagerImplPrefix, String, "rsm.config.", nonEmpty, ReadOnly, NoEffect, "Prefix of that plug-in's own keys."},
	{RemoteLogMetadataManagerClassName, String, "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager", nonEmpty, ReadOnly, NoEffect, "The plug-in that keeps metadata of tiered segments."},
	{RemoteLogMetadataManagerClassPath, String, None, nil, ReadOnly, NoEffect, "Where that plug-in lies."},
	{RemoteLogMetadataManagerImplPrefix, String, "rlmm.config.", nonEmpty, ReadOnly, NoEffect, "Prefix of that plug-in's own keys."},
	{RemoteLogMetadataManagerListenerName, String, None, nonEmpty, ReadOnly, NoEffect, "The listener by which that plug-in reaches brokers."},
	{RemoteLogMetadataCustomMetadataMaxBytes, Int, "128", atLeast(0), ReadOnly, NoEffect, "The most that a storage plug-in may note about one segment."},
	{RemoteLogIndexFileCacheTotalSizeBytes, Long, "1073741824", atLeast(1), ClusterWide, NoEffect, "Disk space for indexes fetched from tiered storage."},
	{RemoteLogManagerThreadPoolSize, Int, "2", atLeast(1), ReadOnly, NoEffect, "Threads for other tiering work."},
	{RemoteLogManagerCopierThreadPoolSize, Int, "10", atLeast(1), ClusterWide, NoEffect, "Threads that copy segments out."},
	{RemoteLogManagerExpirationThreadPoolSize, Int, "10", atLeast(1), ClusterWide, NoEffect, "Threads that delete expired segments."},
	{RemoteLogManagerFollowerThreadPoolSize, Int, "2", atLeast(1), ClusterWide, NoEffect, "Threads that follow tiering on followers."},
	{RemoteLogManagerTaskIntervalMs, Long, "30000", atLeast(1), ReadOnly, NoEffect, "How often tiering looks for work."},
	{RemoteLogReaderThreads, Int, "10", atLeast(1), ClusterWide, NoEffect, "Threads that read tiered segments."},
	{RemoteLogReaderMaxPendingTasks, Int, "100", atLeast(1), ReadOnly, NoEffect, "Reads of tiered segments that may wait."},
	{RemoteLogManagerCopyMaxBytesPerSecond, Long, "9223372036854775807", atLeast(1), ClusterWide, NoEffect, "Bytes a second that are copied out at most."},
	{RemoteLogManagerCopyQuotaWindowNum, Int, "11", atLeast(1), ReadOnly, NoEffect, "Samples over which copying is measured."},
	{RemoteLogManagerCopyQuotaWindowSizeSeconds, Int, "1", atLeast(1), ReadOnly, NoEffect, "Length of each of those samples."},
	{RemoteLogManagerFetchMaxBytesPerSecond, Long, "9223372036854775807", atLeast(1), ClusterWide, NoEffect, "Bytes a second that are read back at most."},
	{RemoteLogManagerFetchQuotaWindowNum, Int, "11", atLeast(1), ReadOnly, NoEffect, "Samples over which reading back is measured."},
	{RemoteLogManagerFetchQuotaWindowSizeSeconds, Int, "1", atLeast(1), ReadOnly, NoEffect, "Length of each of those samples."},
	{RemoteFetchMaxWaitMs, Int, "500", atLeast(1), ClusterWide, NoEffect, "How long a fetch waits for tiered storage."},
	{RemoteListOffsetsRequestTimeoutMs, Long, "30000", atLeast(1), ClusterWide, NoEffect, "How long a search for an offset waits for tiered storage."},
	{LogLocalRetentionMs, Long, "-2", atLeast(-2), ClusterWide, NoEffect, "Age at which tiered segments leave this disk, -2 for log.retention.ms."},
	{LogLocalRetentionBytes, Long, "-2", atLeast(-2), ClusterWide, NoEffect, "Bytes of a partition above which tiered segments leave this disk, -2 for log.retention.bytes."},
}

// Keys that Kafka accepts and does not list.
var tieredInternalRows = []Row{
	{RemoteLogIndexFileCacheTTLMs, Long, "900000", atLeast(-1), ReadOnly, NoEffect, "How long a fetched index stays unused."},
	{RemoteLogManagerTaskRetryBackoffMs, Long, "500", atLeast(1), ReadOnly, NoEffect, "How long a failed task rests at first."},
	{RemoteLogManagerTaskRetryBackoffMaxMs, Long, "30000", atLeast(1), ReadOnly, NoEffect, "The longest that a failed task rests."},
	{RemoteLogManagerTaskRetryJitter, Double, "0.2", between(0, 0.5), ReadOnly, NoEffect, "Share of that rest that is random."},
}
