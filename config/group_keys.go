package config

// The keys of groups.
const (
	ConsumerSessionTimeoutMs       Key = "consumer.session.timeout.ms"
	ConsumerHeartbeatIntervalMs    Key = "consumer.heartbeat.interval.ms"
	ConsumerAssignmentIntervalMs   Key = "consumer.assignment.interval.ms"
	ShareSessionTimeoutMs          Key = "share.session.timeout.ms"
	ShareHeartbeatIntervalMs       Key = "share.heartbeat.interval.ms"
	ShareRecordLockDurationMs      Key = "share.record.lock.duration.ms"
	ShareDeliveryCountLimit        Key = "share.delivery.count.limit"
	SharePartitionMaxRecordLocks   Key = "share.partition.max.record.locks"
	ShareAutoOffsetReset           Key = "share.auto.offset.reset"
	ShareIsolationLevel            Key = "share.isolation.level"
	ShareRenewAcknowledgeEnable    Key = "share.renew.acknowledge.enable"
	ShareAssignmentIntervalMs      Key = "share.assignment.interval.ms"
	StreamsSessionTimeoutMs        Key = "streams.session.timeout.ms"
	StreamsHeartbeatIntervalMs     Key = "streams.heartbeat.interval.ms"
	StreamsNumStandbyReplicas      Key = "streams.num.standby.replicas"
	StreamsInitialRebalanceDelayMs Key = "streams.initial.rebalance.delay.ms"
	StreamsAssignmentIntervalMs    Key = "streams.assignment.interval.ms"
)

// groupRow is what the table of group keys writes. Min and Max name the broker keys that bound the value; empty for no
// bound. Source: org.apache.kafka.coordinator.group.GroupConfig.
type groupRow struct {
	Key      Key
	Type     Type
	Default  string
	Check    *Check
	From     Key // the broker key that it is taken from
	Min, Max Key
	Doc      string
}

var groupRows = []groupRow{
	{ConsumerSessionTimeoutMs, Int, "45000", atLeast(1), GroupConsumerSessionTimeoutMs, GroupConsumerMinSessionTimeoutMs, GroupConsumerMaxSessionTimeoutMs, "Session time-out of a consumer group's members."},
	{ConsumerHeartbeatIntervalMs, Int, "5000", atLeast(1), GroupConsumerHeartbeatIntervalMs, GroupConsumerMinHeartbeatIntervalMs, GroupConsumerMaxHeartbeatIntervalMs, "How often a consumer group's members send heartbeats."},
	{ConsumerAssignmentIntervalMs, Int, "1000", atLeast(0), GroupConsumerAssignmentIntervalMs, GroupConsumerMinAssignmentIntervalMs, GroupConsumerMaxAssignmentIntervalMs, "The shortest time between two assignments of a consumer group."},
	{ShareSessionTimeoutMs, Int, "45000", atLeast(1), GroupShareSessionTimeoutMs, GroupShareMinSessionTimeoutMs, GroupShareMaxSessionTimeoutMs, "Session time-out of a share group's members."},
	{ShareHeartbeatIntervalMs, Int, "5000", atLeast(1), GroupShareHeartbeatIntervalMs, GroupShareMinHeartbeatIntervalMs, GroupShareMaxHeartbeatIntervalMs, "How often a share group's members send heartbeats."},
	{ShareRecordLockDurationMs, Int, "30000", atLeast(1000), GroupShareRecordLockDurationMs, GroupShareMinRecordLockDurationMs, GroupShareMaxRecordLockDurationMs, "How long a delivered record stays locked for its consumer."},
	{ShareDeliveryCountLimit, Int, "5", atLeast(2), GroupShareDeliveryCountLimit, GroupShareMinDeliveryCountLimit, GroupShareMaxDeliveryCountLimit, "How often a record is delivered before it is given up."},
	{SharePartitionMaxRecordLocks, Int, "2000", atLeast(100), GroupSharePartitionMaxRecordLocks, GroupShareMinPartitionMaxRecordLocks, GroupShareMaxPartitionMaxRecordLocks, "Records of one partition that may be locked at once."},
	{ShareAutoOffsetReset, String, "latest", offsetReset, "", "", "", "Where a share group begins that has no state: latest, earliest, or by_duration: and how far back."},
	{ShareIsolationLevel, String, "read_uncommitted", oneOf("read_committed", "read_uncommitted"), "", "", "", "Whether a share group sees records of open and aborted transactions."},
	{ShareRenewAcknowledgeEnable, Boolean, "true", nil, "", "", "", "Whether consumers may prolong the lock of a record."},
	{ShareAssignmentIntervalMs, Int, "1000", atLeast(0), GroupShareAssignmentIntervalMs, GroupShareMinAssignmentIntervalMs, GroupShareMaxAssignmentIntervalMs, "The shortest time between two assignments of a share group."},
	{StreamsSessionTimeoutMs, Int, "45000", atLeast(1), GroupStreamsSessionTimeoutMs, GroupStreamsMinSessionTimeoutMs, GroupStreamsMaxSessionTimeoutMs, "Session time-out of a streams group's members."},
	{StreamsHeartbeatIntervalMs, Int, "5000", atLeast(1), GroupStreamsHeartbeatIntervalMs, GroupStreamsMinHeartbeatIntervalMs, GroupStreamsMaxHeartbeatIntervalMs, "How often a streams group's members send heartbeats."},
	{StreamsNumStandbyReplicas, Int, "0", atLeast(0), GroupStreamsNumStandbyReplicas, "", GroupStreamsMaxStandbyReplicas, "Standby copies of each task's state."},
	{StreamsInitialRebalanceDelayMs, Int, "3000", atLeast(0), GroupStreamsInitialRebalanceDelayMs, "", "", "How long a new streams group waits for more members."},
	{StreamsAssignmentIntervalMs, Int, "1000", atLeast(0), GroupStreamsAssignmentIntervalMs, GroupStreamsMinAssignmentIntervalMs, GroupStreamsMaxAssignmentIntervalMs, "The shortest time between two assignments of a streams group."},
}

func groupDefs() []*Def {
	defs := make([]*Def, len(groupRows))
	for i, r := range groupRows {
		d := &Def{Row: Row{r.Key, r.Type, r.Default, r.Check, ClusterWide, NoEffect, r.Doc}}
		if r.From != "" {
			d.Fallbacks = from(r.From)
		}
		defs[i] = d
	}
	return defs
}

// The keys of client metrics subscriptions. Source: KIP-714.
const (
	Metrics    Key = "metrics"
	IntervalMs Key = "interval.ms"
	Match      Key = "match"
)

func clientMetricsDefs() []*Def {
	return defsOf([]Row{
		{Metrics, List, "", listOrEmpty(), ClusterWide, NoEffect, "Prefixes of the metrics that clients push; empty for none, * for all."},
		{IntervalMs, Int, "300000", nil, ClusterWide, NoEffect, "How often clients push."},
		{Match, List, "", listOrEmpty(), ClusterWide, NoEffect, "The clients that are asked, as NAME=REGULAR EXPRESSION."},
	}, Def{})
}
