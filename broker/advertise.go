package broker

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/ottla/ottla/broker/api"
)

// advertiser knows where clients reach the brokers: one answer for Metadata, DescribeCluster, FindCoordinator and every
// NodeEndpoints.
//
// With advertised.listeners=auto, which one node can afford, the answer depends on how the client came, so that nobody has
// to configure anything: over loopback it is localhost; to a container's default gateway, behind which the host's own
// clients appear, it is localhost too; to any other client it is the address at which it reached the socket.
type advertiser struct {
	nodeID int32
	rack   *string
	// gateway is the container's default gateway, invalid outside a container.
	gateway   netip.Addr
	listeners map[string]listenerAddress
	// others finds another broker's registered endpoint on a listener. Nil while there is one node.
	others func(node int32, listener string) (api.Endpoint, bool)
}

// listenerAddress is one listener as clients see it.
type listenerAddress struct {
	// advertised is what advertised.listeners says; an empty host stands for auto.
	advertised api.Endpoint
	// bothFamilies: the socket answers on 127.0.0.1 and on ::1, so localhost reaches it whatever it resolves to.
	bothFamilies bool
}

// endpoint is api.Server.Endpoint.
func (a *advertiser) endpoint(c *api.Conn, node int32) (api.Endpoint, bool) {
	if node != a.nodeID {
		if a.others == nil {
			return api.Endpoint{}, false
		}
		return a.others(node, c.Listener)
	}
	l, ok := a.listeners[c.Listener]
	if !ok {
		return api.Endpoint{}, false
	}
	e := l.advertised
	if e.Host == "" {
		e = a.reached(c, l)
	}
	e.Rack = a.rack
	return e, true
}

// reached is the automatic answer.
func (a *advertiser) reached(c *api.Conn, l listenerAddress) api.Endpoint {
	local, ok := addrPort(c.Local)
	if !ok {
		return api.Endpoint{Host: c.Local.String()}
	}
	e := api.Endpoint{Host: local.Addr().WithZone("").String(), Port: int32(local.Port())}
	remote, _ := addrPort(c.Remote)
	fromHost := a.gateway.IsValid() && remote.Addr() == a.gateway
	if fromHost || (local.Addr().IsLoopback() && l.bothFamilies) {
		e.Host = "localhost"
	}
	return e
}

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), true
}

// describe says what clients of a listener will be told.
func (l listenerAddress) describe(sockets []socket, name string) string {
	if l.advertised.Host != "" {
		return joinEndpoint(l.advertised)
	}
	for _, s := range sockets {
		tcp, ok := s.Addr().(*net.TCPAddr)
		switch {
		case s.name != name || !ok:
		case tcp.IP.IsLoopback() && l.bothFamilies:
			return joinEndpoint(api.Endpoint{Host: "localhost", Port: int32(tcp.Port)})
		case tcp.IP.IsUnspecified():
			return "auto: localhost to clients over loopback or a container's gateway, else the address that they reached"
		default:
			return tcp.String()
		}
	}
	return ""
}

// joinEndpoint is HOST:PORT.
func joinEndpoint(e api.Endpoint) string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }
