package protocol

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// versionRange holds the versions of an API: [min, max], and the first that is flexible (KIP-482).
type versionRange struct{ min, max, flexible int16 }

// never is the first flexible version of an API that has none.
const never = math.MaxInt16

// versions is what the whole program goes by: Kafka's stable versions, cut where kmsg ends.
var versions = cutVersions()

// KeyLimit is one past the highest known key.
const KeyLimit = Key(len(kafkaVersions))

func cutVersions() [len(kafkaVersions)]versionRange {
	cut := kafkaVersions
	for key := range cut {
		r := kmsg.RequestForKey(int16(key))
		if r == nil {
			cut[key] = none
			continue
		}
		cut[key].max = min(cut[key].max, r.MaxVersion())
	}
	return cut
}

// none is the range of a key that no release in our reach speaks.
var none = versionRange{min: 0, max: -1, flexible: never}

func (k Key) known() bool {
	return k >= 0 && k < KeyLimit && versions[k].max >= versions[k].min
}

// MinVersion is the oldest version of an API that Kafka 4 speaks. That it stands here does not say that we serve it.
func MinVersion(k Key) int16 {
	if !k.known() {
		return none.min
	}
	return versions[k].min
}

// MaxVersion is the newest version of an API: the lower of kmsg's and the newest stable one of the Kafka release that
// the tables were generated from. It is -1 for an unknown key.
func MaxVersion(k Key) int16 {
	if !k.known() {
		return none.max
	}
	return versions[k].max
}

// FlexibleFrom is the first version of an API whose messages have compact lengths and tagged fields (KIP-482),
// math.MaxInt16 where there is none.
func FlexibleFrom(k Key) int16 {
	if !k.known() {
		return never
	}
	return versions[k].flexible
}
