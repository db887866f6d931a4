package broker

import (
	"context"
	"crypto/rand"
	"net"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
)

// register makes this broker known in the metadata log and begins a new leader epoch of every partition that it leads,
// in one entry: nothing that was said in its last life counts for this one.
func (b *Broker) register() error {
	r := cluster.Registration{ID: b.static.NodeID(), Endpoints: b.endpoints(), Rack: b.advertiser.rack, LogDirs: b.dirs.DirectoryIDs()}
	rand.Read(r.Incarnation[:]) // never fails: the process ends instead
	ctx, cancel := context.WithTimeout(context.Background(), quorumTimeout)
	defer cancel()
	_, err := b.quorum.Propose(ctx, func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return image.StartBroker(r)
	})
	return err
}

// endpoints are what the registration says of the listeners. While the advertised address is automatic it is the bound
// one: other brokers, which would need a fixed one, are not there.
func (b *Broker) endpoints() []cluster.Endpoint {
	var list []cluster.Endpoint
	seen := map[string]bool{}
	for _, s := range b.sockets {
		if seen[s.name] {
			continue
		}
		seen[s.name] = true
		e := b.advertiser.listeners[s.name].advertised
		if e.Host == "" {
			e.Host, e.Port = boundHost(s), int32(port(s))
		}
		list = append(list, cluster.Endpoint{Name: s.name, Host: e.Host, Port: uint16(e.Port)})
	}
	return list
}

func boundHost(s socket) string {
	tcp, ok := s.Addr().(*net.TCPAddr)
	if !ok || tcp.IP.IsUnspecified() || tcp.IP.IsLoopback() {
		return "localhost"
	}
	return tcp.IP.String()
}
