package config

// Streams groups (KIP-1071).
const (
	GroupStreamsSessionTimeoutMs        Key = "group.streams.session.timeout.ms"
	GroupStreamsMinSessionTimeoutMs     Key = "group.streams.min.session.timeout.ms"
	GroupStreamsMaxSessionTimeoutMs     Key = "group.streams.max.session.timeout.ms"
	GroupStreamsHeartbeatIntervalMs     Key = "group.streams.heartbeat.interval.ms"
	GroupStreamsMinHeartbeatIntervalMs  Key = "group.streams.min.heartbeat.interval.ms"
	GroupStreamsMaxHeartbeatIntervalMs  Key = "group.streams.max.heartbeat.interval.ms"
	GroupStreamsMaxSize                 Key = "group.streams.max.size"
	GroupStreamsNumStandbyReplicas      Key = "group.streams.num.standby.replicas"
	GroupStreamsMaxStandbyReplicas      Key = "group.streams.max.standby.replicas"
	GroupStreamsInitialRebalanceDelayMs Key = "group.streams.initial.rebalance.delay.ms"
	GroupStreamsAssignmentIntervalMs    Key = "group.streams.assignment.interval.ms"
	GroupStreamsMinAssignmentIntervalMs Key = "group.streams.min.assignment.interval.ms"
	GroupStreamsMaxAssignmentIntervalMs Key = "group.streams.max.assignment.interval.ms"
)

var groupStreamsRows = []Row{
	{GroupStreamsSessionTimeoutMs, Int, "45000", atLeast(1), ReadOnly, NoEffect, "Session time-out of streams groups."},
	{GroupStreamsMinSessionTimeoutMs, Int, "45000", atLeast(1), ReadOnly, NoEffect, "The shortest session time-out that a group may be set to."},
	{GroupStreamsMaxSessionTimeoutMs, Int, "60000", atLeast(1), ReadOnly, NoEffect, "The longest session time-out that a group may be set to."},
	{GroupStreamsHeartbeatIntervalMs, Int, "5000", atLeast(1), ReadOnly, NoEffect, "How often members of streams groups send heartbeats."},
	{GroupStreamsMinHeartbeatIntervalMs, Int, "5000", atLeast(1), ReadOnly, NoEffect, "The shortest heartbeat interval that a group may be set to."},
	{GroupStreamsMaxHeartbeatIntervalMs, Int, "15000", atLeast(1), ReadOnly, NoEffect, "The longest heartbeat interval that a group may be set to."},
	{GroupStreamsMaxSize, Int, "2147483647", atLeast(1), ReadOnly, NoEffect, "Members that a streams group may have."},
	{GroupStreamsNumStandbyReplicas, Int, "0", atLeast(0), ReadOnly, NoEffect, "Standby copies of each task's state."},
	{GroupStreamsMaxStandbyReplicas, Int, "2", atLeast(0), ReadOnly, NoEffect, "The most standby copies that a group may be set to."},
	{GroupStreamsInitialRebalanceDelayMs, Int, "3000", atLeast(0), ReadOnly, NoEffect, "How long a new streams group waits for more members."},
	{GroupStreamsAssignmentIntervalMs, Int, "1000", atLeast(0), ClusterWide, NoEffect, "The shortest time between two assignments of one group."},
	{GroupStreamsMinAssignmentIntervalMs, Int, "0", atLeast(0), ReadOnly, NoEffect, "The least that a group may set its assignment interval to."},
	{GroupStreamsMaxAssignmentIntervalMs, Int, "15000", atLeast(0), ReadOnly, NoEffect, "The most that a group may set its assignment interval to."},
}
