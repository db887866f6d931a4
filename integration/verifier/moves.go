package verifier

import (
	"context"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kadm"
)

// MoveAll begins to move every partition of a broker to one of its data directories, each to any of them.
func MoveAll(ctx context.Context, admin *kadm.Client, dirs []string, r *rand.Rand) error {
	topics, err := admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return err
	}
	var req kadm.AlterReplicaLogDirsReq
	for _, t := range topics {
		for p := range t.Partitions {
			req.Add(dirs[r.IntN(len(dirs))], kadm.TopicsSet{t.Topic: {p: {}}})
		}
	}
	_, err = admin.AlterBrokerReplicaLogDirs(ctx, 1, req)
	return err
}
