package config

// Copies of partitions on other nodes.
const (
	ReplicaLagTimeMaxMs                      Key = "replica.lag.time.max.ms"
	ReplicaSocketTimeoutMs                   Key = "replica.socket.timeout.ms"
	ReplicaSocketReceiveBufferBytes          Key = "replica.socket.receive.buffer.bytes"
	ReplicaFetchMaxBytes                     Key = "replica.fetch.max.bytes"
	ReplicaFetchWaitMaxMs                    Key = "replica.fetch.wait.max.ms"
	ReplicaFetchBackoffMs                    Key = "replica.fetch.backoff.ms"
	ReplicaFetchMinBytes                     Key = "replica.fetch.min.bytes"
	ReplicaFetchResponseMaxBytes             Key = "replica.fetch.response.max.bytes"
	NumReplicaFetchers                       Key = "num.replica.fetchers"
	ReplicaHighWatermarkCheckpointIntervalMs Key = "replica.high.watermark.checkpoint.interval.ms"
	ReplicaSelectorClass                     Key = "replica.selector.class"
	FollowerFetchLastTieredOffsetEnable      Key = "follower.fetch.last.tiered.offset.enable"
	AutoLeaderRebalanceEnable                Key = "auto.leader.rebalance.enable"
	LeaderImbalanceCheckIntervalSeconds      Key = "leader.imbalance.check.interval.seconds"
	UncleanLeaderElectionIntervalMs          Key = "unclean.leader.election.interval.ms"
	ControllerSocketTimeoutMs                Key = "controller.socket.timeout.ms"
	AddPartitionsToTxnRetryBackoffMs         Key = "add.partitions.to.txn.retry.backoff.ms"
	AddPartitionsToTxnRetryBackoffMaxMs      Key = "add.partitions.to.txn.retry.backoff.max.ms"
)

var replicationRows = []Row{
	{ReplicaLagTimeMaxMs, Long, "30000", nil, ReadOnly, NoEffect, "How long a follower may lag before it leaves the in-sync replicas."},
	{ReplicaSocketTimeoutMs, Int, "30000", nil, ReadOnly, NoEffect, "How long a follower waits for its leader's answer."},
	{ReplicaSocketReceiveBufferBytes, Int, "65536", nil, ReadOnly, NoEffect, "SO_RCVBUF of a follower's connection to its leader."},
	{ReplicaFetchMaxBytes, Int, "1048576", atLeast(0), ReadOnly, NoEffect, "Bytes of one partition that a follower asks for."},
	{ReplicaFetchWaitMaxMs, Int, "500", nil, ReadOnly, NoEffect, "How long a leader may hold a follower's fetch while there is nothing new."},
	{ReplicaFetchBackoffMs, Int, "1000", atLeast(0), ReadOnly, NoEffect, "How long a follower rests after a failed fetch."},
	{ReplicaFetchMinBytes, Int, "1", nil, ReadOnly, NoEffect, "Bytes that a leader waits for before it answers a follower."},
	{ReplicaFetchResponseMaxBytes, Int, "10485760", atLeast(0), ReadOnly, NoEffect, "Bytes of one answer to a follower."},
	{NumReplicaFetchers, Int, "1", atLeast(1), ClusterWide, NoEffect, "Connections over which a follower fetches from one leader."},
	{ReplicaHighWatermarkCheckpointIntervalMs, Long, "5000", nil, ReadOnly, NoEffect, "How often high watermarks are written to disk; here with recovery points."},
	{ReplicaSelectorClass, String, None, nil, ReadOnly, NoEffect, "A plug-in that sends consumers to a follower; here they read from the leader."},
	{FollowerFetchLastTieredOffsetEnable, Boolean, "false", nil, ClusterWide, NoEffect, "Whether a new follower begins at the last tiered offset."},
	{AutoLeaderRebalanceEnable, Boolean, "true", nil, ReadOnly, NoEffect, "Whether leadership goes back to the preferred replicas by itself."},
	{LeaderImbalanceCheckIntervalSeconds, Long, "300", atLeast(1), ReadOnly, NoEffect, "How often leadership is checked for that."},
	{ControllerSocketTimeoutMs, Int, "30000", nil, ReadOnly, NoEffect, "How long the controller waits for a broker's answer."},
	{AddPartitionsToTxnRetryBackoffMs, Int, "20", atLeast(1), ReadOnly, NoEffect, "How long the check of a transaction rests before its first retry."},
	{AddPartitionsToTxnRetryBackoffMaxMs, Int, "100", atLeast(0), ReadOnly, NoEffect, "The longest that the check of a transaction rests between retries."},
}

// Keys that Kafka accepts and does not list.
var replicationInternalRows = []Row{
	{UncleanLeaderElectionIntervalMs, Long, "300000", atLeast(1), ReadOnly, NoEffect, "How often partitions without a leader are looked at for an unclean election."},
}

// Keys that can be set on a running broker, and nowhere else. Source: KIP-73, KIP-113.
const (
	LeaderReplicationThrottledRate         Key = "leader.replication.throttled.rate"
	FollowerReplicationThrottledRate       Key = "follower.replication.throttled.rate"
	ReplicaAlterLogDirsIOMaxBytesPerSecond Key = "replica.alter.log.dirs.io.max.bytes.per.second"
)

var dynamicOnlyRows = []Row{
	{LeaderReplicationThrottledRate, Long, maxLong, atLeast(0), ClusterWide, NoEffect, "Bytes a second that throttled replicas are sent at most."},
	{FollowerReplicationThrottledRate, Long, maxLong, atLeast(0), ClusterWide, NoEffect, "Bytes a second that throttled replicas fetch at most."},
	{ReplicaAlterLogDirsIOMaxBytesPerSecond, Long, maxLong, atLeast(0), ClusterWide, Served, "Bytes a second that moves between directories of one broker take at most."},
}
