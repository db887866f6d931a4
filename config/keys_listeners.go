package config

// The sockets: where clients reach the node, and what one connection may cost.
const (
	Listeners                             Key = "listeners"
	AdvertisedListeners                   Key = "advertised.listeners"
	ListenerSecurityProtocolMap           Key = "listener.security.protocol.map"
	InterBrokerListenerName               Key = "inter.broker.listener.name"
	SecurityInterBrokerProtocol           Key = "security.inter.broker.protocol"
	ControllerListenerNames               Key = "controller.listener.names"
	SocketSendBufferBytes                 Key = "socket.send.buffer.bytes"
	SocketReceiveBufferBytes              Key = "socket.receive.buffer.bytes"
	SocketRequestMaxBytes                 Key = "socket.request.max.bytes"
	SocketListenBacklogSize               Key = "socket.listen.backlog.size"
	MaxConnectionsPerIP                   Key = "max.connections.per.ip"
	MaxConnectionsPerIPOverrides          Key = "max.connections.per.ip.overrides"
	MaxConnections                        Key = "max.connections"
	MaxConnectionCreationRate             Key = "max.connection.creation.rate"
	ConnectionsMaxIdleMs                  Key = "connections.max.idle.ms"
	ConnectionFailedAuthenticationDelayMs Key = "connection.failed.authentication.delay.ms"
	QueuedMaxRequests                     Key = "queued.max.requests"
	QueuedMaxRequestBytes                 Key = "queued.max.request.bytes"
)

var listenersRows = []Row{
	{Listeners, List, "PLAINTEXT://localhost:9092", list(), ReadOnly, Served, "Where to listen, as NAME://HOST:PORT. No host means every interface, port 0 picks a free one."},
	{AdvertisedListeners, List, "auto", list(), ReadOnly, Served, "The addresses that clients are told, as NAME://HOST:PORT; auto answers with what the client reached."},
	{ListenerSecurityProtocolMap, String, "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", nil, ReadOnly, Served, "The protocol of each listener name, as NAME:PROTOCOL. This build serves PLAINTEXT."},
	{InterBrokerListenerName, String, None, nil, ReadOnly, Served, "The listener by which other brokers reach this one."},
	{SecurityInterBrokerProtocol, String, "PLAINTEXT", oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), ReadOnly, Refused, "The protocol between brokers, where inter.broker.listener.name names no listener."},
	{ControllerListenerNames, List, "CONTROLLER", list(), ReadOnly, Served, "Listeners that only the metadata quorum uses; not opened while there is one node."},
	{SocketSendBufferBytes, Int, "102400", nil, ReadOnly, NoEffect, "SO_SNDBUF of client sockets; here the operating system sizes it by itself."},
	{SocketReceiveBufferBytes, Int, "102400", nil, ReadOnly, NoEffect, "SO_RCVBUF of client sockets; here the operating system sizes it by itself."},
	{SocketRequestMaxBytes, Int, "104857600", atLeast(1), ReadOnly, Served, "The largest request that is read."},
	{SocketListenBacklogSize, Int, "50", atLeast(1), ReadOnly, NoEffect, "Connections that may wait to be accepted; here the operating system's own limit holds."},
	{MaxConnectionsPerIP, Int, "2147483647", atLeast(0), ClusterWide, Served, "Connections from one address, more are closed at once."},
	{MaxConnectionsPerIPOverrides, String, "", nil, ClusterWide, Served, "Other limits for single addresses, as ADDRESS:COUNT."},
	{MaxConnections, Int, "2147483647", atLeast(0), ClusterWide, Served, "Connections in all, more wait to be accepted."},
	{MaxConnectionCreationRate, Int, "2147483647", atLeast(0), ClusterWide, NoEffect, "New connections a second, more wait to be accepted."},
	{ConnectionsMaxIdleMs, Long, "600000", nil, ReadOnly, Served, "A connection without a request for this long is closed."},
	{ConnectionFailedAuthenticationDelayMs, Int, "100", atLeast(0), ReadOnly, NoEffect, "How long a failed authentication waits for its answer, to slow down guessing."},
	{QueuedMaxRequests, Int, "500", atLeast(1), ReadOnly, NoEffect, "Requests that may wait for a thread; here bytes are counted instead."},
	{QueuedMaxRequestBytes, Long, "-1", nil, ReadOnly, Served, "Bytes of requests not yet answered and of responses not yet sent, over all connections; -1 is 256 MiB."},
}
