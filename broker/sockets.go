package broker

import (
	"fmt"
	"net"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/config"
)

// socket is a bound listening socket of a named listener. A listener on localhost has two.
type socket struct {
	net.Listener
	name string
}

// bindListeners binds every listener and settles what each tells its clients. Nothing is accepted before serve.
func (b *Broker) bindListeners() error {
	b.advertiser = &advertiser{nodeID: b.static.NodeID(), gateway: containerGateway(), listeners: map[string]listenerAddress{}}
	if rack := b.static.String(config.BrokerRack); rack != "" {
		b.advertiser.rack = &rack
	}
	advertised := b.static.Advertised()
	for _, l := range b.static.Listeners() {
		bound, err := bind(l.Host, l.Port)
		if err != nil {
			return fmt.Errorf("listener %s: %w", l, err)
		}
		for _, s := range bound {
			b.sockets = append(b.sockets, socket{s, l.Name})
		}
		address := listenerAddress{bothFamilies: len(bound) > 1 || everyAddress(bound[0])}
		if to, ok := advertised[l.Name]; ok {
			address.advertised = api.Endpoint{Host: to.Host, Port: int32(to.Port)}
			if to.Port == 0 { // advertise the port that was picked
				address.advertised.Port = int32(port(bound[0]))
			}
		}
		b.advertiser.listeners[l.Name] = address
	}
	return nil
}

// everyAddress reports whether a socket answers on every address of the machine.
func everyAddress(l net.Listener) bool {
	tcp, ok := l.Addr().(*net.TCPAddr)
	return ok && tcp.IP.IsUnspecified()
}

func port(l net.Listener) int {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return 0
}

func (b *Broker) closeSockets() {
	for _, s := range b.sockets {
		s.Close()
	}
}
