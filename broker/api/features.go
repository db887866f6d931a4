package api

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/coordinator/cluster"
)

// addFeatures adds the features that this build supports and those that the cluster has finalized (KIP-584). Their epoch
// is the offset of the metadata log: it rises with every change and is the same on every node, as Java's clients want it.
func (s *Server) addFeatures(resp *kmsg.ApiVersionsResponse, version int16) {
	if version < 3 {
		return
	}
	supported := cluster.SupportedFeatures()
	for _, name := range slices.Sorted(maps.Keys(supported)) {
		f := kmsg.NewApiVersionsResponseSupportedFeature()
		f.Name, f.MinVersion, f.MaxVersion = name, supported[name].Min, supported[name].Max
		if version < 4 && f.MinVersion == 0 {
			continue // older Java clients reject 0 (KAFKA-17011)
		}
		resp.SupportedFeatures = append(resp.SupportedFeatures, f)
	}
	image := s.Cluster.Image()
	resp.FinalizedFeaturesEpoch = image.Offset()
	features := image.Features()
	for _, name := range slices.Sorted(maps.Keys(features)) {
		f := kmsg.NewApiVersionsResponseFinalizedFeature()
		f.Name, f.MinVersionLevel, f.MaxVersionLevel = name, features[name], features[name]
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, f)
	}
}
