package hostile

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Members that say much about themselves, and may stay for half an hour: what no record of a group could hold is not kept.
func TestLargeGroupMetadata(t *testing.T) {
	b := attack(t, nil)
	p := b.dial(t)
	coordinatorOf(t, p, "g")
	b.works("before the attack")
	g := b.watchMemory()
	const members = 40
	for i := range members {
		join := kmsg.NewPtrJoinGroupRequest()
		join.SetVersion(3)
		join.Group, join.ProtocolType = fmt.Sprintf("group-%d", i), "consumer"
		join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 1_800_000, 1_800_000
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, 20<<20)}}
		if code := mustAsk[*kmsg.JoinGroupResponse](t, p, join).ErrorCode; code == 0 {
			t.Fatal("a member with 20 MiB of metadata was let in")
		}
	}
	g.below(t, 256<<20, fmt.Sprintf("%d members with 20 MiB of metadata each", members))
}
