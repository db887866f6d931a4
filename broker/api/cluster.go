package api

import (
	"context"
	crand "crypto/rand"
	"errors"
	"math/rand/v2"
	"time"
	"unicode/utf8"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/quorum"
	"github.com/ottla/ottla/protocol"
)

// ClusterService is what the handlers that ask about or change the cluster stand on, beside Server.Cluster.
type ClusterService struct {
	// Config is the broker's effective config at this moment.
	Config func() *config.Broker
	// QuorumStatus is the state of the metadata log's quorum.
	QuorumStatus func() quorum.Status
}

// propose proposes a change and waits for it, for at most the time that the client gave. As with Kafka, a client that
// gives no time gets REQUEST_TIMED_OUT and no change. The connection's next request waits meanwhile: it may build on this.
func (s *Server) propose(timeoutMs int32, decide quorum.Decide) error {
	if timeoutMs <= 0 {
		return protocol.RequestTimedOut
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(timeoutMs)*time.Millisecond)
	defer cancel()
	_, err := s.Cluster.Propose(ctx, decide)
	return err
}

// mayOnCluster asks for a cluster operation.
func (s *Server) mayOnCluster(r *Request, op security.Operation) bool {
	return s.Allowed(r, op, security.Cluster, security.ClusterName)
}

// clusterDenied is the answer to a principal that may not do op to the cluster.
func clusterDenied(op string) error {
	return protocol.Errorf(protocol.ClusterAuthorizationFailed, "This needs %s on the cluster.", op)
}

// newRand is randomness for one decision, seeded by the operating system.
func newRand() *rand.Rand {
	var seed [32]byte
	crand.Read(seed[:]) // never fails: the process ends instead
	return rand.New(rand.NewChaCha8(seed))
}

// messageBytesMax bounds an error message in an answer: a message repeats what a client sent, and must fit a string of
// 32767 bytes however long that was.
const messageBytesMax = 2048

// codeAndMessage is what answers an error: its code and, where there is one, its message.
func codeAndMessage(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	code := protocol.CodeOf(err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		code = protocol.RequestTimedOut
	}
	message := protocol.MessageOf(err)
	if message != nil && len(*message) > messageBytesMax {
		cut := messageBytesMax
		for cut > 0 && !utf8.RuneStart((*message)[cut]) {
			cut--
		}
		short := (*message)[:cut] + " …"
		message = &short
	}
	return int16(code), message
}

// duplicates are the values that stand more than once in a list.
func duplicates[T any, K comparable](list []T, key func(T) K) map[K]bool {
	seen := make(map[K]bool, len(list))
	twice := map[K]bool{}
	for _, v := range list {
		k := key(v)
		if seen[k] {
			twice[k] = true
		}
		seen[k] = true
	}
	return twice
}
