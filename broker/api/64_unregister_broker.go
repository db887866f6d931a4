// UnregisterBroker, key 64, version 0: forget a broker that will not come back.
//
// Errors: CLUSTER_AUTHORIZATION_FAILED, BROKER_ID_NOT_REGISTERED, REQUEST_TIMED_OUT, NOT_CONTROLLER, KAFKA_STORAGE_ERROR.
//
// Like Kafka's, it does not spare a broker that is alive: what it leads is without a leader until it starts again.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
)

// unregisterTimeoutMs is how long to wait for the change: the request does not say.
const unregisterTimeoutMs = 30_000

// UnregisterBroker serves key 64.
func UnregisterBroker(s *Server, r *Request) {
	req := r.Message.(*kmsg.UnregisterBrokerRequest)
	err := clusterDenied("ALTER")
	if s.mayOnCluster(r, security.Alter) {
		err = s.propose(unregisterTimeoutMs, func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
			return image.UnregisterBroker(req.BrokerID)
		})
	}
	resp := kmsg.NewPtrUnregisterBrokerResponse()
	resp.ErrorCode, resp.ErrorMessage = codeAndMessage(err)
	if err == nil {
		resp.ErrorMessage = new(string) // Kafka's success has an empty message
	}
	r.Reply(resp)
}
