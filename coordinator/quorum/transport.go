package quorum

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// newTransport is how voters reach each other. A voter's raft address is its node id: where that node listens is asked
// when a connection is made (addresses), so a node may move. While this node is the only voter nothing listens: the only
// connection is one to itself, inside the process.
func newTransport(self raft.ServerID, log hclog.Logger) *raft.NetworkTransport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: addresses{self},
		Stream:                &inside{self: self, dialed: make(chan net.Conn), closed: make(chan struct{})},
		MaxPool:               2,
		Timeout:               10 * time.Second,
		Logger:                log,
	})
}

// addresses says where a voter listens.
type addresses struct{ self raft.ServerID }

func (a addresses) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if id == a.self {
		return raft.ServerAddress(id), nil
	}
	return "", fmt.Errorf("no controller listener is known of node %s", id)
}

// inside is a raft.StreamLayer within the process: dialing it gives a pipe, whose other end is accepted.
type inside struct {
	self   raft.ServerID
	dialed chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (s *inside) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if to != raft.ServerAddress(s.self) {
		return nil, fmt.Errorf("node %s cannot be reached: the controller listener is not open", to)
	}
	ours, theirs := net.Pipe()
	select {
	case s.dialed <- theirs:
		return ours, nil
	case <-s.closed:
		return nil, net.ErrClosed
	case <-time.After(timeout):
		return nil, fmt.Errorf("node %s does not answer", to)
	}
}

func (s *inside) Accept() (net.Conn, error) {
	select {
	case c := <-s.dialed:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *inside) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *inside) Addr() net.Addr { return nodeAddr(s.self) }

// nodeAddr is a node id as a net.Addr.
type nodeAddr raft.ServerID

func (a nodeAddr) Network() string { return "node" }
func (a nodeAddr) String() string  { return string(a) }
