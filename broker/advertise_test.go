package broker

import (
	"net"
	"net/netip"
	"testing"

	"github.com/ottla/ottla/broker/api"
)

func TestAdvertisedAddresses(t *testing.T) {
	auto := listenerAddress{bothFamilies: true}
	oneFamily := listenerAddress{}
	fixed := listenerAddress{advertised: api.Endpoint{Host: "kafka.example", Port: 443}}
	tests := []struct {
		name          string
		listener      listenerAddress
		gateway       string
		local, remote string
		want          string
	}{
		{"loopback on both families", auto, "", "127.0.0.1:9092", "127.0.0.1:50000", "localhost:9092"},
		{"loopback over IPv6", auto, "", "[::1]:9092", "[::1]:50000", "localhost:9092"},
		{"loopback, mapped address", auto, "", "[::ffff:127.0.0.1]:9092", "[::ffff:127.0.0.1]:50000", "localhost:9092"},
		{"loopback bound on one family only", oneFamily, "", "127.0.0.1:9092", "127.0.0.1:50000", "127.0.0.1:9092"},
		{"sibling container", auto, "172.17.0.1", "172.17.0.2:9092", "172.17.0.3:50000", "172.17.0.2:9092"},
		{"host's client, through the gateway", auto, "172.17.0.1", "172.17.0.2:9092", "172.17.0.1:50000", "localhost:9092"},
		{"same addresses outside a container", auto, "", "172.17.0.2:9092", "172.17.0.1:50000", "172.17.0.2:9092"},
		{"a zone is of no use to a client", auto, "", "[fe80::2%eth0]:9092", "[fe80::3%eth0]:50000", "[fe80::2]:9092"},
		{"configured", fixed, "172.17.0.1", "172.17.0.2:9092", "172.17.0.1:50000", "kafka.example:443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := advertiser{nodeID: 1, listeners: map[string]listenerAddress{"PLAINTEXT": tt.listener}}
			if tt.gateway != "" {
				a.gateway = netip.MustParseAddr(tt.gateway)
			}
			c := &api.Conn{Listener: "PLAINTEXT", Local: tcpAddr(tt.local), Remote: tcpAddr(tt.remote)}
			got, ok := a.endpoint(c, 1)
			if gotAddr := joinEndpoint(got); !ok || gotAddr != tt.want {
				t.Errorf("told %s, %v; want %s", gotAddr, ok, tt.want)
			}
			if _, ok := a.endpoint(c, 2); ok {
				t.Error("told where a broker is that nobody registered")
			}
		})
	}
}

func tcpAddr(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
