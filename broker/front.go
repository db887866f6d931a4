package broker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
)

// limits bounds what clients may make the broker hold.
type limits struct {
	// IdleTimeout ends a connection without a request. Source: connections.max.idle.ms.
	IdleTimeout time.Duration
	// InFlight is how many requests of one connection may be unanswered or unsent before its socket is not read.
	InFlight int
	// Connections says how many may be open.
	Connections connectionLimits
}

// connectionLimits bounds the connections that are open. They can change while the broker runs.
// Source: max.connections, max.connections.per.ip, max.connections.per.ip.overrides.
type connectionLimits struct {
	Total, PerIP int
	// PerIPOf goes before PerIP for single addresses.
	PerIPOf map[string]int
}

func (l connectionLimits) of(ip string) int {
	if n, ok := l.PerIPOf[ip]; ok {
		return n
	}
	return l.PerIP
}

// front is the network side: the listeners' accept loops, the connections, and the way from a frame to its handler.
type front struct {
	server    *api.Server
	table     map[protocol.Key]*row
	limits    limits
	frames    protocol.FrameLimits
	principal security.Principal
	metrics   *metrics
	log       *slog.Logger
	now       func() time.Time
	// strangers and panics limit what clients can make the log say.
	strangers, panics complaints

	// draining: requests that are being served are answered, no new one is read.
	draining atomic.Bool
	accepts  sync.WaitGroup
	serves   sync.WaitGroup

	mu struct { // guards the fields below
		sync.Mutex
		conns  map[*conn]struct{}
		perIP  map[string]int
		limits connectionLimits
	}
}

func newFront(s *api.Server, table map[protocol.Key]*row, l limits, frames protocol.FrameLimits, reg prometheus.Registerer) *front {
	f := &front{server: s, table: table, limits: l, frames: frames, principal: security.Anonymous,
		metrics: newMetrics(reg, table), log: slog.Default(), now: time.Now}
	f.mu.conns = map[*conn]struct{}{}
	f.mu.perIP = map[string]int{}
	f.mu.limits = l.Connections
	return f
}

// setConnectionLimits takes other limits. Connections beyond them stay; no more are let in.
func (f *front) setConnectionLimits(l connectionLimits) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.limits = l
}

// dropParked answers what is parked for a connection that ended: nobody waits for it any more.
func (f *front) dropParked(c *api.Conn) {
	if f.server.Purgatory != nil {
		f.server.Purgatory.Drop(c)
	}
}

// accept serves the clients of a listener until it is closed. One goroutine a socket, awaited by drain.
func (f *front) accept(l net.Listener, name string) {
	f.accepts.Add(1)
	go func() {
		defer f.accepts.Done()
		backOff := 5 * time.Millisecond
		for {
			nc, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // out of descriptors, or the client is gone already: try again, and slower each time
				f.complain(&f.strangers, slog.LevelWarn, "accept failed", "listener", name, "error", err, "retryMs", backOff.Milliseconds())
				time.Sleep(backOff)
				backOff = min(2*backOff, time.Second)
				continue
			}
			backOff = 5 * time.Millisecond
			f.start(nc, name)
		}
	}()
}

func (f *front) start(nc net.Conn, listener string) {
	c := newConn(f, nc, listener)
	if !f.admit(c) {
		f.metrics.closed.WithLabelValues("limit").Inc()
		if !f.draining.Load() {
			f.complain(&f.strangers, slog.LevelWarn, "connection refused: too many are open", "client", nc.RemoteAddr().String(), "listener", listener)
		}
		nc.Close()
		return
	}
	f.metrics.accepted.WithLabelValues(listener).Inc()
	go func() {
		defer f.serves.Done()
		c.serve()
	}()
}

// admit counts a connection in, unless a limit is reached or the broker is going down.
func (f *front) admit(c *conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	host := c.info.Host()
	if f.draining.Load() || len(f.mu.conns) >= f.mu.limits.Total || f.mu.perIP[host] >= f.mu.limits.of(host) {
		return false
	}
	f.mu.conns[c] = struct{}{}
	f.mu.perIP[host]++
	f.serves.Add(1)
	f.metrics.open.Set(float64(len(f.mu.conns)))
	return true
}

// complain logs what a client caused. Debug lines are all written: who asks for them wants them.
func (f *front) complain(limit *complaints, level slog.Level, what string, args ...any) {
	if !f.log.Enabled(context.Background(), level) {
		return
	}
	if level > slog.LevelDebug {
		leftOut, ok := limit.take(f.now())
		if !ok {
			return
		}
		if leftOut > 0 {
			args = append(args, "leftOut", leftOut)
		}
	}
	f.log.Log(context.Background(), level, what, args...)
}

// ended counts a connection out.
func (f *front) ended(c *conn, why error) {
	reason, level := closeReason(why)
	f.metrics.closed.WithLabelValues(reason).Inc()
	f.complain(&f.strangers, level, "connection closed", "client", c.info.Remote.String(), "listener", c.info.Listener, "why", why)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mu.conns, c)
	host := c.info.Host()
	if f.mu.perIP[host]--; f.mu.perIP[host] <= 0 {
		delete(f.mu.perIP, host)
	}
	f.metrics.open.Set(float64(len(f.mu.conns)))
}

// drain lets the requests that are being served finish, as long as ctx allows, and then ends every connection.
func (f *front) drain(ctx context.Context) {
	f.draining.Store(true)
	f.accepts.Wait()
	for _, c := range f.open() {
		c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes those that wait for a frame; idleDeadline keeps it so
	}
	idle := make(chan struct{})
	go func() { f.serves.Wait(); close(idle) }()
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	for _, c := range f.open() {
		c.end(net.ErrClosed)
	}
	<-idle
}

func (f *front) open() []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	conns := make([]*conn, 0, len(f.mu.conns))
	for c := range f.mu.conns {
		conns = append(conns, c)
	}
	return conns
}
