// InitProducerId, key 22, versions 0–5: an id for an idempotent producer.
//
//	v2  flexible
//	v3  the producer's present id and epoch (KIP-360)
//	v4  PRODUCER_FENCED is known (KIP-588)
//	v5  TRANSACTION_ABORTABLE is known (KIP-890)
//
// Errors: CLUSTER_AUTHORIZATION_FAILED (neither IDEMPOTENT_WRITE on the cluster nor WRITE on any topic),
// TRANSACTIONAL_ID_AUTHORIZATION_FAILED, INVALID_REQUEST (an empty transactional id; an id without an epoch or the reverse),
// COORDINATOR_LOAD_IN_PROGRESS (no id could be had now).
//
// What differs from Kafka: a transactional id is UNSUPPORTED_VERSION, since this build has no transactions. That is what
// clients take for final; with a code to try again on they would hang.

package api

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/singleflight"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// InitProducerID serves key 22.
func InitProducerID(s *Server, r *Request) {
	req := r.Message.(*kmsg.InitProducerIDRequest)
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	err := s.refusesProducer(r, req)
	if err == nil {
		if resp.ProducerID, err = s.ProducerIDs.Next(); err == nil {
			resp.ProducerEpoch = 0
		}
	}
	resp.ErrorCode = int16(protocol.CodeOf(err))
	r.Reply(resp)
}

func (s *Server) refusesProducer(r *Request, req *kmsg.InitProducerIDRequest) error {
	id := req.TransactionalID
	switch {
	case id != nil && !s.Allowed(r, security.Write, security.TransactionalID, *id):
		return protocol.TransactionalIDAuthorizationFailed
	case id == nil && !s.mayBeIdempotent(r):
		return protocol.ClusterAuthorizationFailed
	case r.Version() >= 3 && (req.ProducerID == -1) != (req.ProducerEpoch == -1):
		return protocol.InvalidRequest
	case id != nil && *id == "":
		return protocol.InvalidRequest
	case id != nil:
		return protocol.UnsupportedVersion
	}
	return nil
}

// mayBeIdempotent: who may write to any topic needs no more (KIP-679).
func (s *Server) mayBeIdempotent(r *Request) bool {
	who := security.Subject{Principal: r.Conn.Principal, Host: r.Conn.Host()}
	return s.Allowed(r, security.IdempotentWrite, security.Cluster, security.ClusterName) ||
		s.Authorizer.AllowedAny(who, security.Write, security.Topic)
}

// ProducerIDs hands out producer ids from blocks that the metadata log gives to this broker: one proposal for many ids. An
// id is never given twice; what is left of a block when the broker ends is lost.
type ProducerIDs struct {
	cluster Cluster
	nodeID  int32
	refill  singleflight.Group

	mu struct { // guards the fields below
		sync.Mutex
		next, end int64 // ids left: [next, end)
	}
}

// NewProducerIDs hands out ids for a broker.
func NewProducerIDs(c Cluster, nodeID int32) *ProducerIDs {
	return &ProducerIDs{cluster: c, nodeID: nodeID}
}

// blockWait is how long a request for an id waits for the metadata log.
const blockWait = 10 * time.Second

// Next is an id that nobody has. It waits for the metadata log where the block is used up, once for all who ask meanwhile.
// Error: CoordinatorLoadInProgress, for the client to try again.
func (p *ProducerIDs) Next() (int64, error) {
	for {
		if id, ok := p.take(); ok {
			return id, nil
		}
		if _, err, _ := p.refill.Do("", p.newBlock); err != nil {
			return -1, protocol.Errorf(protocol.CoordinatorLoadInProgress, "No producer id could be had: %v", err)
		}
	}
}

func (p *ProducerIDs) take() (id int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.next == p.mu.end {
		return 0, false
	}
	p.mu.next++
	return p.mu.next - 1, true
}

func (p *ProducerIDs) left() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.end - p.mu.next
}

// newBlock runs once at a time.
func (p *ProducerIDs) newBlock() (any, error) {
	if p.left() > 0 {
		return nil, nil // it came between take and here
	}
	ctx, cancel := context.WithTimeout(context.Background(), blockWait)
	defer cancel()
	var first int64
	_, err := p.cluster.Propose(ctx, func(image *cluster.Image, now time.Time) (records []cluster.Record, err error) {
		b := image.Broker(p.nodeID)
		if b == nil {
			return nil, protocol.Errorf(protocol.BrokerIDNotRegistered, "broker %d is not registered", p.nodeID)
		}
		records, first, err = image.AllocateProducerIDs(p.nodeID, b.Epoch)
		return records, err
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.next, p.mu.end = first, first+cluster.ProducerIDBlock
	return nil, nil
}
