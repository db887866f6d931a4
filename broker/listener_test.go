package broker

import (
	"net"
	"testing"
)

func TestLocalhostListensOnBothFamiliesAndOnePort(t *testing.T) {
	sockets, err := bind("localhost", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(sockets)
	port := sockets[0].Addr().(*net.TCPAddr).Port
	for _, l := range sockets {
		if got := l.Addr().(*net.TCPAddr).Port; got != port {
			t.Errorf("%s: port %d, the first socket has %d", l.Addr(), got, port)
		}
	}
	if six, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		six.Close()
		if len(sockets) != 2 {
			t.Errorf("%d sockets on a machine with IPv6, want 2", len(sockets))
		}
	}
}

func TestTakenPortIsExplained(t *testing.T) {
	first, err := bind("localhost", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(first)
	second, err := bind("localhost", first[0].Addr().(*net.TCPAddr).Port)
	if err == nil {
		closeAll(second)
		t.Fatal("two listeners on one port")
	}
	t.Log(err)
}

func closeAll(sockets []net.Listener) {
	for _, l := range sockets {
		l.Close()
	}
}
