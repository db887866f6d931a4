package config

// The node itself: who it is, where its data lies, what it opens at start.
const (
	NodeID                            Key = "node.id"
	BrokerID                          Key = "broker.id"
	BrokerRack                        Key = "broker.rack"
	ProcessRoles                      Key = "process.roles"
	LogDir                            Key = "log.dir"
	LogDirs                           Key = "log.dirs"
	CordonedLogDirs                   Key = "cordoned.log.dirs"
	MetadataLogDir                    Key = "metadata.log.dir"
	NumRecoveryThreadsPerDataDir      Key = "num.recovery.threads.per.data.dir"
	NumIOThreads                      Key = "num.io.threads"
	NumNetworkThreads                 Key = "num.network.threads"
	BackgroundThreads                 Key = "background.threads"
	NumReplicaAlterLogDirsThreads     Key = "num.replica.alter.log.dirs.threads"
	ConfigProviders                   Key = "config.providers"
	EarlyStartListeners               Key = "early.start.listeners"
	ServerMaxStartupTimeMs            Key = "server.max.startup.time.ms"
	UnstableAPIVersionsEnable         Key = "unstable.api.versions.enable"
	UnstableFeatureVersionsEnable     Key = "unstable.feature.versions.enable"
	RequestTimeoutMs                  Key = "request.timeout.ms"
	SocketConnectionSetupTimeoutMs    Key = "socket.connection.setup.timeout.ms"
	SocketConnectionSetupTimeoutMaxMs Key = "socket.connection.setup.timeout.max.ms"
	ControlledShutdownEnable          Key = "controlled.shutdown.enable"
)

var nodeRows = []Row{
	{NodeID, Int, "1", atLeast(0), ReadOnly, Served, "The id of this node, its own in the cluster."},
	{BrokerID, Int, "1", nil, ReadOnly, Served, "Older name of node.id; where both are set they must be equal."},
	{BrokerRack, String, None, nil, ReadOnly, Served, "The rack or zone of this node, told to clients and used to spread replicas."},
	{ProcessRoles, List, "broker,controller", list("broker", "controller"), ReadOnly, Served, "What this process does: broker, controller, or both. One node must be both."},
	{LogDir, List, "./data", list(), ReadOnly, Served, "The data directory, where log.dirs names none."},
	{LogDirs, List, None, list(), ReadOnly, Served, "The data directories, best on a disk each; a new partition goes to the one with the fewest. One that fails is offline, and the others go on."},
	{CordonedLogDirs, List, "", listOrEmpty(), PerBroker, Served, "Data directories that take no new partitions; * is all of them."},
	{MetadataLogDir, String, None, nonEmpty, ReadOnly, Served, "Where the metadata log lies; without it, in the first of the data directories."},
	{NumRecoveryThreadsPerDataDir, Int, "2", atLeast(1), ClusterWide, NoEffect, "Threads that recover logs at start; here as many as there are processors."},
	{NumIOThreads, Int, "8", atLeast(1), ClusterWide, NoEffect, "Threads that handle requests; here each connection has its own goroutine."},
	{NumNetworkThreads, Int, "3", atLeast(1), ClusterWide, NoEffect, "Threads that read and write sockets; here each connection has its own goroutine."},
	{BackgroundThreads, Int, "10", atLeast(1), ClusterWide, NoEffect, "Threads for background work; Go schedules it here."},
	{NumReplicaAlterLogDirsThreads, Int, None, nil, ReadOnly, Served, "Threads that move replicas between directories of one node."},
	{ConfigProviders, List, "", listOrEmpty(), ClusterWide, Refused, "Names of plug-ins that fetch values from elsewhere; values here are never fetched."},
	{EarlyStartListeners, List, None, listOrEmpty(), ReadOnly, NoEffect, "Listeners that accept before the node is ready; here none does."},
	{RequestTimeoutMs, Int, "30000", nil, ReadOnly, NoEffect, "How long this node waits for another's answer."},
	{SocketConnectionSetupTimeoutMs, Long, "10000", nil, ReadOnly, NoEffect, "How long a connection to another node may take to open, at first."},
	{SocketConnectionSetupTimeoutMaxMs, Long, "30000", nil, ReadOnly, NoEffect, "The longest a connection to another node may take to open."},
	{ControlledShutdownEnable, Boolean, "true", nil, ReadOnly, NoEffect, "Whether leadership is handed over before the node stops."},
}

// Keys that Kafka accepts and does not list.
var nodeInternalRows = []Row{
	{ServerMaxStartupTimeMs, Long, "9223372036854775807", atLeast(0), ReadOnly, NoEffect, "How long a start may take before it is given up."},
	{UnstableAPIVersionsEnable, Boolean, "false", nil, ReadOnly, NoEffect, "Whether versions of APIs still in development are served."},
	{UnstableFeatureVersionsEnable, Boolean, "false", nil, ReadOnly, NoEffect, "Whether levels of features still in development may be finalized."},
}
