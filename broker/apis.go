package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/protocol"
)

// row is what the broker knows of an API before it looks at a body.
type row struct {
	key protocol.Key
	// min is the lowest version that is served. The highest is the protocol package's ceiling.
	min     int16
	handler api.Handler
	// shownMin is the lowest version that ApiVersions names, where that differs: librdkafka decides by Produce v0 whether
	// it may compress (KAFKA-18659).
	shownMin int16

	requests prometheus.Counter
	seconds  prometheus.Observer
}

func (r *row) max() int16 { return protocol.MaxVersion(r.key) }

// THE API table: every API that is served, and so advertised. What is not here is not.
func newTable() map[protocol.Key]*row {
	table := make(map[protocol.Key]*row)
	for _, r := range []row{
		{key: protocol.ProduceKey, handler: api.Produce},
		{key: protocol.FetchKey, handler: api.Fetch},
		{key: protocol.ListOffsetsKey, handler: api.ListOffsets},
		{key: protocol.MetadataKey, handler: api.Metadata},
		{key: protocol.OffsetCommitKey, handler: api.OffsetCommit},
		{key: protocol.OffsetFetchKey, handler: api.OffsetFetch},
		{key: protocol.FindCoordinatorKey, handler: api.FindCoordinator},
		{key: protocol.JoinGroupKey, handler: api.JoinGroup},
		{key: protocol.HeartbeatKey, handler: api.Heartbeat},
		{key: protocol.LeaveGroupKey, handler: api.LeaveGroup},
		{key: protocol.SyncGroupKey, handler: api.SyncGroup},
		{key: protocol.DescribeGroupsKey, handler: api.DescribeGroups},
		{key: protocol.ListGroupsKey, handler: api.ListGroups},
		{key: protocol.ApiVersionsKey, handler: api.ApiVersions},
		{key: protocol.CreateTopicsKey, handler: api.CreateTopics},
		{key: protocol.DeleteTopicsKey, handler: api.DeleteTopics},
		{key: protocol.DeleteRecordsKey, handler: api.DeleteRecords},
		{key: protocol.InitProducerIDKey, handler: api.InitProducerID},
		{key: protocol.OffsetForLeaderEpochKey, handler: api.OffsetForLeaderEpoch},
		{key: protocol.DescribeConfigsKey, handler: api.DescribeConfigs},
		{key: protocol.AlterConfigsKey, handler: api.AlterConfigs},
		{key: protocol.AlterReplicaLogDirsKey, handler: api.AlterReplicaLogDirs},
		{key: protocol.DescribeLogDirsKey, handler: api.DescribeLogDirs},
		{key: protocol.CreatePartitionsKey, handler: api.CreatePartitions},
		{key: protocol.DeleteGroupsKey, handler: api.DeleteGroups},
		{key: protocol.ElectLeadersKey, handler: api.ElectLeaders},
		{key: protocol.IncrementalAlterConfigsKey, handler: api.IncrementalAlterConfigs},
		{key: protocol.AlterPartitionAssignmentsKey, handler: api.AlterPartitionReassignments},
		{key: protocol.ListPartitionReassignmentsKey, handler: api.ListPartitionReassignments},
		{key: protocol.OffsetDeleteKey, handler: api.OffsetDelete},
		{key: protocol.DescribeClientQuotasKey, handler: api.DescribeClientQuotas},
		{key: protocol.DescribeUserSCRAMCredentialsKey, handler: api.DescribeUserScramCredentials},
		{key: protocol.DescribeQuorumKey, handler: api.DescribeQuorum},
		{key: protocol.UpdateFeaturesKey, handler: api.UpdateFeatures},
		{key: protocol.DescribeClusterKey, handler: api.DescribeCluster},
		{key: protocol.UnregisterBrokerKey, handler: api.UnregisterBroker},
		{key: protocol.ListConfigResourcesKey, handler: api.ListConfigResources},
		{key: protocol.DescribeTopicPartitionsKey, handler: api.DescribeTopicPartitions},
	} {
		r.min = protocol.MinVersion(r.key)
		r.shownMin = r.min
		if r.key == protocol.ProduceKey {
			r.shownMin = 0
		}
		table[r.key] = &r
	}
	return table
}

// served is the table as ApiVersions shows it.
func served(table map[protocol.Key]*row) []api.Served {
	var list []api.Served
	for key := range protocol.KeyLimit {
		if r, ok := table[key]; ok {
			list = append(list, api.Served{Key: key, Min: r.shownMin, Max: r.max()})
		}
	}
	return list
}
