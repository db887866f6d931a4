package config

// The metadata log and its quorum.
const (
	ControllerQuorumVoters                    Key = "controller.quorum.voters"
	ControllerQuorumBootstrapServers          Key = "controller.quorum.bootstrap.servers"
	ControllerQuorumAutoJoinEnable            Key = "controller.quorum.auto.join.enable"
	ControllerQuorumElectionTimeoutMs         Key = "controller.quorum.election.timeout.ms"
	ControllerQuorumFetchTimeoutMs            Key = "controller.quorum.fetch.timeout.ms"
	ControllerQuorumElectionBackoffMaxMs      Key = "controller.quorum.election.backoff.max.ms"
	ControllerQuorumAppendLingerMs            Key = "controller.quorum.append.linger.ms"
	ControllerQuorumRequestTimeoutMs          Key = "controller.quorum.request.timeout.ms"
	ControllerQuorumRetryBackoffMs            Key = "controller.quorum.retry.backoff.ms"
	ControllerQuorumFetchMaxBytes             Key = "controller.quorum.fetch.max.bytes"
	ControllerQuorumFetchSnapshotMaxBytes     Key = "controller.quorum.fetch.snapshot.max.bytes"
	SASLMechanismControllerProtocol           Key = "sasl.mechanism.controller.protocol"
	MetadataLogSegmentBytes                   Key = "metadata.log.segment.bytes"
	MetadataLogSegmentMs                      Key = "metadata.log.segment.ms"
	MetadataLogMaxRecordBytesBetweenSnapshots Key = "metadata.log.max.record.bytes.between.snapshots"
	MetadataLogMaxSnapshotIntervalMs          Key = "metadata.log.max.snapshot.interval.ms"
	MetadataMaxRetentionBytes                 Key = "metadata.max.retention.bytes"
	MetadataMaxRetentionMs                    Key = "metadata.max.retention.ms"
	MetadataMaxIdleIntervalMs                 Key = "metadata.max.idle.interval.ms"
	InternalMetadataLogSegmentBytes           Key = "internal.metadata.log.segment.bytes"
	InternalMetadataMaxBatchSizeInBytes       Key = "internal.metadata.max.batch.size.in.bytes"
	InternalMetadataDeleteDelayMillis         Key = "internal.metadata.delete.delay.millis"
	BrokerHeartbeatIntervalMs                 Key = "broker.heartbeat.interval.ms"
	BrokerSessionTimeoutMs                    Key = "broker.session.timeout.ms"
	InitialBrokerRegistrationTimeoutMs        Key = "initial.broker.registration.timeout.ms"
	ControllerPerformanceSamplePeriodMs       Key = "controller.performance.sample.period.ms"
	ControllerPerformanceAlwaysLogThresholdMs Key = "controller.performance.always.log.threshold.ms"
)

var quorumRows = []Row{
	{ControllerQuorumVoters, List, "", nil, ReadOnly, NoEffect, "The fixed voters, as ID@HOST:PORT. One node needs none."},
	{ControllerQuorumBootstrapServers, List, "", nil, ReadOnly, NoEffect, "Nodes to ask for the quorum, as HOST:PORT. One node needs none."},
	{ControllerQuorumAutoJoinEnable, Boolean, "false", nil, ReadOnly, NoEffect, "Whether a new controller joins the voters by itself."},
	{ControllerQuorumElectionTimeoutMs, Int, "1000", atLeast(0), ReadOnly, NoEffect, "How long voters wait for an answer before an election."},
	{ControllerQuorumFetchTimeoutMs, Int, "2000", atLeast(0), ReadOnly, NoEffect, "How long a voter goes without its leader before it calls an election."},
	{ControllerQuorumElectionBackoffMaxMs, Int, "1000", atLeast(0), ReadOnly, NoEffect, "The longest rest between two elections."},
	{ControllerQuorumAppendLingerMs, Int, "25", atLeast(0), ReadOnly, NoEffect, "How long the leader collects records before it writes."},
	{ControllerQuorumRequestTimeoutMs, Int, "2000", atLeast(0), ReadOnly, NoEffect, "How long a voter waits for another's answer."},
	{ControllerQuorumRetryBackoffMs, Int, "20", atLeast(0), ReadOnly, NoEffect, "How long a voter rests before it asks again."},
	{ControllerQuorumFetchMaxBytes, Int, "1048576", atLeast(1), ReadOnly, NoEffect, "Bytes that one fetch of the metadata log asks for."},
	{ControllerQuorumFetchSnapshotMaxBytes, Int, "1048576", atLeast(1), ReadOnly, NoEffect, "Bytes that one fetch of a metadata snapshot asks for."},
	{SASLMechanismControllerProtocol, String, "GSSAPI", nil, ReadOnly, Refused, "The SASL mechanism between controllers."},
	{MetadataLogSegmentBytes, Int, "1073741824", atLeast(8388608), ReadOnly, NoEffect, "Segment size of the metadata log."},
	{MetadataLogSegmentMs, Long, "604800000", nil, ReadOnly, NoEffect, "Age of a segment of the metadata log at which the next is begun."},
	{MetadataLogMaxRecordBytesBetweenSnapshots, Long, "20971520", atLeast(1), ReadOnly, NoEffect, "Bytes of metadata records after which a snapshot is written."},
	{MetadataLogMaxSnapshotIntervalMs, Long, "3600000", atLeast(0), ReadOnly, NoEffect, "The longest time between two metadata snapshots."},
	{MetadataMaxRetentionBytes, Long, "104857600", nil, ReadOnly, NoEffect, "Bytes of metadata log and snapshots above which old ones go."},
	{MetadataMaxRetentionMs, Long, "604800000", nil, ReadOnly, NoEffect, "Age at which metadata log and snapshots go."},
	{MetadataMaxIdleIntervalMs, Int, "500", atLeast(0), ReadOnly, NoEffect, "How often an idle controller writes an empty record."},
	{BrokerHeartbeatIntervalMs, Int, "2000", nil, ReadOnly, NoEffect, "How often a broker sends its controller a heartbeat."},
	{BrokerSessionTimeoutMs, Int, "9000", nil, ReadOnly, NoEffect, "How long a broker without heartbeat counts as alive."},
	{InitialBrokerRegistrationTimeoutMs, Int, "60000", nil, ReadOnly, NoEffect, "How long a broker tries to register at start."},
}

// Keys that Kafka accepts and does not list.
var quorumInternalRows = []Row{
	{InternalMetadataLogSegmentBytes, Int, None, nil, ReadOnly, NoEffect, "A segment size below the allowed one, for tests."},
	{InternalMetadataMaxBatchSizeInBytes, Int, "8388608", nil, ReadOnly, NoEffect, "The largest batch of the metadata log, for tests."},
	{InternalMetadataDeleteDelayMillis, Long, "60000", nil, ReadOnly, NoEffect, "How long deleted metadata files stay, for tests."},
	{ControllerPerformanceSamplePeriodMs, Long, "60000", atLeast(100), ReadOnly, NoEffect, "How often the controller reports its slowest events."},
	{ControllerPerformanceAlwaysLogThresholdMs, Long, "2000", atLeast(0), ReadOnly, NoEffect, "Events of the controller slower than this are always logged."},
}
