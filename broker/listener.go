package broker

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// bind opens the sockets of one listener. The name localhost is both loopback addresses on one port, so that a client
// finds the broker whichever its resolver gives first; an empty host, 0.0.0.0 and :: are every address of both families,
// as in Java. Port 0 picks a free one.
func bind(host string, port int) ([]net.Listener, error) {
	switch host {
	case "localhost":
		return bindLoopback(port)
	case "0.0.0.0", "::", "[::]":
		host = ""
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, explain(err)
	}
	return []net.Listener{l}, nil
}

// bindLoopback binds 127.0.0.1 and, where the machine has IPv6, ::1. A port picked for the first may be taken on the
// second: then another is picked.
func bindLoopback(port int) ([]net.Listener, error) {
	const tries = 16
	for try := 1; ; try++ {
		four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, explain(err)
		}
		got := four.Addr().(*net.TCPAddr).Port
		six, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(got)))
		if err == nil {
			return []net.Listener{four, six}, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return []net.Listener{four}, nil // no IPv6 here
		}
		four.Close()
		if port != 0 || try == tries {
			return nil, explain(err)
		}
	}
}

// explain says what to do about a port that cannot be had.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w: another process listens there; stop it, or choose another address with --listen HOST:PORT", err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w: ports below 1024 need a privilege; choose another with --listen HOST:PORT", err)
	}
	return err
}
