package cluster

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// MetadataVersion is the feature that names the format of the metadata, and MetadataVersionLevel the level that this
// build writes: Kafka 4.3 (4.3-IV0).
const (
	MetadataVersion            = "metadata.version"
	MetadataVersionLevel int16 = 30
)

// SupportedFeatures are the levels of features that this build serves. A feature comes in with the code that serves it.
func SupportedFeatures() map[string]VersionRange {
	return map[string]VersionRange{MetadataVersion: {MetadataVersionLevel, MetadataVersionLevel}}
}

// CheckFeatures refuses an image that this build cannot serve: one with a feature finalized at a level that is not among
// SupportedFeatures, which a newer build wrote.
func (i *Image) CheckFeatures() error {
	supported := SupportedFeatures()
	for _, name := range slices.Sorted(maps.Keys(i.features)) {
		if r := supported[name]; !r.contains(i.features[name]) {
			return fmt.Errorf("the feature %s is finalized at level %d; this build serves %d to %d", name, i.features[name], r.Min, r.Max)
		}
	}
	return nil
}

// FeatureUpgrade says in which direction an update may go. Source: org.apache.kafka.clients.admin.FeatureUpdate.UpgradeType.
type FeatureUpgrade int8

// The kinds of update.
const (
	Upgrade         FeatureUpgrade = 1
	SafeDowngrade   FeatureUpgrade = 2
	UnsafeDowngrade FeatureUpgrade = 3
)

// FeatureUpdate asks for a feature to be finalized at a level; level 0 takes it out.
type FeatureUpdate struct {
	Name    string
	Level   int16
	Upgrade FeatureUpgrade
}

// UpdateFeatures decides on new levels, all or none: the first update that is refused refuses them all.
func (i *Image) UpdateFeatures(updates []FeatureUpdate) ([]Record, error) {
	var records []Record
	for _, u := range updates {
		if why := i.refuseUpdate(u); why != "" {
			return nil, protocol.Errorf(protocol.InvalidUpdateVersion,
				"No feature was updated, since %s cannot be set to level %d: %s", u.Name, u.Level, why)
		}
		if u.Level != i.features[u.Name] {
			records = append(records, &record.FeatureLevelRecord{Name: u.Name, FeatureLevel: u.Level})
		}
	}
	return records, nil
}

// refuseUpdate says why an update cannot be, "" if it can.
func (i *Image) refuseUpdate(u FeatureUpdate) string {
	current := i.features[u.Name]
	supported, known := SupportedFeatures()[u.Name]
	switch {
	case u.Upgrade != Upgrade && u.Upgrade != SafeDowngrade && u.Upgrade != UnsafeDowngrade:
		return "the kind of update must be 1 (upgrade), 2 (safe downgrade) or 3 (unsafe downgrade)."
	case u.Level < 0:
		return "a level cannot be negative."
	case !known:
		return "this broker does not serve the feature."
	case !supported.contains(u.Level):
		return supported.String()
	case u.Level < current && u.Upgrade == Upgrade:
		return "that is a downgrade, which must be asked for as one, safe or unsafe."
	case u.Level > current && u.Upgrade != Upgrade:
		return "that is an upgrade, which must be asked for as one."
	}
	for _, b := range i.Brokers() {
		if r, ok := b.Features[u.Name]; u.Level != 0 && (!ok || !r.contains(u.Level)) {
			return "broker " + itoa(b.ID) + " does not serve that level."
		}
	}
	return ""
}

func (r VersionRange) contains(level int16) bool { return r.Min <= level && level <= r.Max }

func (r VersionRange) String() string {
	return "this broker serves the levels " + itoa(int32(r.Min)) + " to " + itoa(int32(r.Max)) + "."
}
