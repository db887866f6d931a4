package broker

import (
	"math"
	"net"
	"strings"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/protocol"
)

// frameMemory bounds the frames in flight and the answers not yet sent: of all connections together, unless
// queued.max.request.bytes says another number, and of one.
const (
	frameMemory           = 256 << 20
	connectionFrameMemory = 32 << 20
)

// inFlightMax is how many requests of one connection may be unanswered. Clients pipeline five; tools a few hundred.
const inFlightMax = 512

// build makes what requests run through, with nothing in it yet: the partitions, the coordinators, the handlers' server
// and the network side.
func (b *Broker) build() error {
	b.assigner = b.newAssigner()
	b.partitions = partition.NewSet(partition.Options{
		Dirs: b.dirs, NodeID: b.static.NodeID(), Config: b.config.Load, Events: b.partitionEvents(),
		Placed: b.assigner.placed,
	})
	b.registerGauges()
	b.groups = b.newGroups()
	table := newTable()
	b.server = b.newServer(table)
	b.front = newFront(b.server, table, b.limits(), protocol.FrameLimits{
		FrameBytesMax:      b.static.Int(config.SocketRequestMaxBytes),
		ConnectionBytesMax: connectionFrameMemory,
		Budget:             protocol.NewBudget(b.frameMemory()),
	}, b.registry)
	b.front.log, b.front.now = b.log, b.now
	return nil
}

func (b *Broker) frameMemory() int64 {
	if n := b.static.Int64(config.QueuedMaxRequestBytes); n >= 0 {
		return n
	}
	return frameMemory
}

// serve lets clients in, and goes on with what the end of the last process interrupted.
func (b *Broker) serve() error {
	b.dirs.OnAssign(b.assigner.moving)
	b.dirs.Resume()
	for _, s := range b.sockets {
		b.front.accept(s, s.name)
	}
	return nil
}

func (b *Broker) newServer(table map[protocol.Key]*row) *api.Server {
	return &api.Server{
		NodeID:     b.static.NodeID(),
		ClusterID:  b.ClusterID(),
		Authorizer: security.AllowAll{},
		Log:        b.log,
		Now:        b.now,
		Cluster:    b.quorum,
		Apis:       served(table),
		Endpoint:   b.advertiser.endpoint,
		ClusterService: api.ClusterService{
			Config:       b.config.Load,
			QuorumStatus: b.quorum.Status,
		},
		ConfigService: api.ConfigService{Loggers: &api.Loggers{Root: b.level}},
		GroupsService: api.GroupsService{Groups: b.groups.Runtime},
		Data: api.Data{
			Partitions:    b.partitions,
			Purgatory:     api.NewPurgatory(b.now),
			FetchSessions: api.NewFetchSessions(b.static.Int(config.MaxIncrementalFetchSessionCacheSlots), b.now),
			ProducerIDs:   api.NewProducerIDs(b.quorum, b.static.NodeID()),
			FetchMaxBytes: b.static.Int(config.FetchMaxBytes),
			Dirs:          b.dirs,
		},
	}
}

// limits are the broker's keys for connections.
func (b *Broker) limits() limits {
	idle := b.static.Millis(config.ConnectionsMaxIdleMs)
	if idle <= 0 {
		idle = math.MaxInt64 / 4 // never
	}
	return limits{IdleTimeout: idle, InFlight: inFlightMax, Connections: connectionLimitsOf(b.config.Load())}
}

// connectionLimitsOf are the limits that a configuration sets. Descriptors are kept back for the files of the log: a
// client more is worth less than a segment that cannot be opened.
func connectionLimitsOf(c *config.Broker) connectionLimits {
	total := c.Int(config.MaxConnections)
	if descriptors := descriptorMax(); descriptors > 0 {
		_, sockets := splitDescriptors(descriptors)
		total = min(total, sockets)
	}
	l := connectionLimits{Total: total, PerIP: c.Int(config.MaxConnectionsPerIP), PerIPOf: map[string]int{}}
	overrides, _ := c.ConnectionsPerIPOverrides() // config has checked it
	for host, n := range overrides {
		for _, ip := range resolve(host) {
			l.PerIPOf[ip] = n
		}
	}
	return l
}

// resolve is the addresses of a host named in max.connections.per.ip.overrides, none where it cannot be found.
func resolve(host string) []string {
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		return []string{ip.String()}
	}
	addresses, err := net.LookupHost(host)
	if err != nil {
		return nil
	}
	return addresses
}
