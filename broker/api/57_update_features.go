// UpdateFeatures, key 57, versions 0–2: finalize other levels of features, all that are asked for or none.
//
//	v1  the kind of update instead of a flag, validate only   v2  no results per feature
//
// Errors, for all: CLUSTER_AUTHORIZATION_FAILED, INVALID_UPDATE_VERSION, REQUEST_TIMED_OUT, NOT_CONTROLLER,
// KAFKA_STORAGE_ERROR.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
)

// UpdateFeatures serves key 57.
func UpdateFeatures(s *Server, r *Request) {
	req := r.Message.(*kmsg.UpdateFeaturesRequest)
	resp := kmsg.NewPtrUpdateFeaturesResponse()
	if err := s.updateFeatures(r, req); err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndMessage(err)
		r.Reply(resp)
		return
	}
	if r.Version() < 2 {
		for _, u := range req.FeatureUpdates {
			result := kmsg.NewUpdateFeaturesResponseResult()
			result.Feature = u.Feature
			result.ErrorMessage = kmsg.StringPtr("NONE") // what Kafka calls no error
			resp.Results = append(resp.Results, result)
		}
	}
	r.Reply(resp)
}

func (s *Server) updateFeatures(r *Request, req *kmsg.UpdateFeaturesRequest) error {
	if !s.mayOnCluster(r, security.Alter) {
		return clusterDenied("ALTER")
	}
	updates := make([]cluster.FeatureUpdate, len(req.FeatureUpdates))
	for n, u := range req.FeatureUpdates {
		updates[n] = cluster.FeatureUpdate{Name: u.Feature, Level: u.MaxVersionLevel, Upgrade: cluster.FeatureUpgrade(u.UpgradeType)}
		if r.Version() == 0 {
			updates[n].Upgrade = cluster.Upgrade // Kafka, too, takes no notice of v0's flag
		}
	}
	return s.propose(req.TimeoutMillis, func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, err := image.UpdateFeatures(updates)
		if req.ValidateOnly {
			records = nil
		}
		return records, err
	})
}
