package config

// The consumer group protocol (KIP-848).
const (
	GroupConsumerSessionTimeoutMs        Key = "group.consumer.session.timeout.ms"
	GroupConsumerMinSessionTimeoutMs     Key = "group.consumer.min.session.timeout.ms"
	GroupConsumerMaxSessionTimeoutMs     Key = "group.consumer.max.session.timeout.ms"
	GroupConsumerHeartbeatIntervalMs     Key = "group.consumer.heartbeat.interval.ms"
	GroupConsumerMinHeartbeatIntervalMs  Key = "group.consumer.min.heartbeat.interval.ms"
	GroupConsumerMaxHeartbeatIntervalMs  Key = "group.consumer.max.heartbeat.interval.ms"
	GroupConsumerMaxSize                 Key = "group.consumer.max.size"
	GroupConsumerAssignors               Key = "group.consumer.assignors"
	GroupConsumerMigrationPolicy         Key = "group.consumer.migration.policy"
	GroupConsumerAssignmentIntervalMs    Key = "group.consumer.assignment.interval.ms"
	GroupConsumerMinAssignmentIntervalMs Key = "group.consumer.min.assignment.interval.ms"
	GroupConsumerMaxAssignmentIntervalMs Key = "group.consumer.max.assignment.interval.ms"
	GroupConsumerRegexRefreshIntervalMs  Key = "group.consumer.regex.refresh.interval.ms"
)

var groupConsumerRows = []Row{
	{GroupConsumerSessionTimeoutMs, Int, "45000", atLeast(1), ReadOnly, NoEffect, "Session time-out of consumer groups."},
	{GroupConsumerMinSessionTimeoutMs, Int, "45000", atLeast(1), ReadOnly, NoEffect, "The shortest session time-out that a group may be set to."},
	{GroupConsumerMaxSessionTimeoutMs, Int, "60000", atLeast(1), ReadOnly, NoEffect, "The longest session time-out that a group may be set to."},
	{GroupConsumerHeartbeatIntervalMs, Int, "5000", atLeast(1), ReadOnly, NoEffect, "How often members of consumer groups send heartbeats."},
	{GroupConsumerMinHeartbeatIntervalMs, Int, "5000", atLeast(1), ReadOnly, NoEffect, "The shortest heartbeat interval that a group may be set to."},
	{GroupConsumerMaxHeartbeatIntervalMs, Int, "15000", atLeast(1), ReadOnly, NoEffect, "The longest heartbeat interval that a group may be set to."},
	{GroupConsumerMaxSize, Int, "2147483647", atLeast(1), ReadOnly, NoEffect, "Members that a consumer group may have."},
	{GroupConsumerAssignors, List, "uniform,range", list(), ReadOnly, NoEffect, "Assignors that the broker offers, the first by default."},
	{GroupConsumerMigrationPolicy, String, "bidirectional", oneOfFold("BIDIRECTIONAL", "DISABLED", "DOWNGRADE", "UPGRADE"), ReadOnly, NoEffect, "Whether groups move between the classic and the consumer protocol while they run."},
	{GroupConsumerAssignmentIntervalMs, Int, "1000", atLeast(0), ClusterWide, NoEffect, "The shortest time between two assignments of one group."},
	{GroupConsumerMinAssignmentIntervalMs, Int, "0", atLeast(0), ReadOnly, NoEffect, "The least that a group may set its assignment interval to."},
	{GroupConsumerMaxAssignmentIntervalMs, Int, "15000", atLeast(0), ReadOnly, NoEffect, "The most that a group may set its assignment interval to."},
}

// Keys that Kafka accepts and does not list.
var groupConsumerInternalRows = []Row{
	{GroupConsumerRegexRefreshIntervalMs, Int, "600000", atLeast(10000), ReadOnly, NoEffect, "How often subscribed regular expressions are matched again."},
}
