package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/quorum"
)

// Handler serves one API. See Request for when it returns and how it answers.
type Handler func(s *Server, r *Request)

// Server is what handlers stand on. The broker fills it once, before the first request.
type Server struct {
	NodeID     int32
	Authorizer security.Authorizer
	Log        *slog.Logger
	Now        func() time.Time

	// Cluster is the metadata log: the image of it as applied here, and the way to propose a change.
	Cluster Cluster
	// ClusterID names the cluster to clients.
	ClusterID string
	// Apis are the APIs that the broker serves, by key.
	Apis []Served

	ClusterService
	GroupsService
	ConfigService
	Data

	// Endpoint is where a client of connection c reaches a broker: the same answer in Metadata, DescribeCluster,
	// FindCoordinator and every NodeEndpoints. False where that broker has no such listener or is not registered.
	Endpoint func(c *Conn, node int32) (Endpoint, bool)
}

// Cluster is the metadata log as handlers use it; *quorum.Quorum is one.
type Cluster interface {
	Image() *cluster.Image
	Propose(ctx context.Context, decide quorum.Decide) (*cluster.Image, error)
}

// Endpoint is an address that a client is told.
type Endpoint struct {
	Host string
	Port int32
	// Rack is nil where the broker has none.
	Rack *string
}

// Allowed asks the authorizer for the request's principal and host.
func (s *Server) Allowed(r *Request, op security.Operation, on security.ResourceType, name string) bool {
	return s.Authorizer.Allowed(security.Subject{Principal: r.Conn.Principal, Host: r.Conn.Host()}, op, on, name)
}

// AuthorizedOperations is the bit field of what the request's principal may do to a resource: bit i is operation i.
func (s *Server) AuthorizedOperations(r *Request, on security.ResourceType, name string) int32 {
	var bits int32
	for _, op := range security.OperationsOn(on) {
		if s.Allowed(r, op, on, name) {
			bits |= 1 << op
		}
	}
	return bits
}
