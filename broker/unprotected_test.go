package broker

import (
	"strings"
	"testing"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	metadata "github.com/ottla/ottla/coordinator/record"
)

// TestMetadataWithACLsIsNotServedToEverybody: nobody enforces them, so that is said, unless it is meant.
func TestMetadataWithACLsIsNotServedToEverybody(t *testing.T) {
	acl := &metadata.AccessControlEntryRecord{ID: [16]byte{1}, ResourceType: 2, ResourceName: "t", PatternType: 3, Principal: "User:a", Host: "*", Operation: 3, PermissionType: 3}
	with, _, err := cluster.Empty().Apply(0, 0, []cluster.Record{acl})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		image     *cluster.Image
		anonymous string
		refused   bool
	}{{with, "false", true}, {with, "true", false}, {cluster.Empty(), "false", false}} {
		b := newBroker(Options{Config: configOf(t, "data", map[config.Key]string{config.AllowAnonymous: c.anonymous})})
		if err := b.mayServeUnprotected(c.image); (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "allow.anonymous=true") {
			t.Errorf("allow.anonymous=%s: %v", c.anonymous, err)
		}
	}
}
