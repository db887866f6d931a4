// AlterReplicaLogDirs, key 34, versions 1–2 (v2 flexible): move partitions that are on this broker to other data
// directories of it (KIP-113). The answer says that a move has begun; DescribeLogDirs shows how far it is. Moving a
// partition to where it is ends its move. Of a partition that is named twice the last directory counts.
//
// Errors, each for a partition: CLUSTER_AUTHORIZATION_FAILED; LOG_DIR_NOT_FOUND; KAFKA_STORAGE_ERROR, the directory or the
// partition is offline; INVALID_REPLICA_ASSIGNMENT, the directory is cordoned (KIP-1066); INVALID_TOPIC_EXCEPTION, the name
// is too long; UNKNOWN_TOPIC_OR_PARTITION; REPLICA_NOT_AVAILABLE, the partition is on other brokers only. With the last two
// the directory is remembered: should the partition come to be here, it will be in that.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
)

// AlterReplicaLogDirs serves key 34.
func AlterReplicaLogDirs(s *Server, r *Request) {
	req := r.Message.(*kmsg.AlterReplicaLogDirsRequest)
	resp := kmsg.NewPtrAlterReplicaLogDirsResponse()
	allowed := s.Allowed(r, security.Alter, security.Cluster, security.ClusterName)
	wishes := wishedDirs(req)
	topics := map[string]int{} // places in resp.Topics
	for _, tp := range wishes.order {
		at, ok := topics[tp.Topic]
		if !ok {
			at = len(resp.Topics)
			topics[tp.Topic] = at
			rt := kmsg.NewAlterReplicaLogDirsResponseTopic()
			rt.Topic = tp.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		p := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
		p.Partition, p.ErrorCode = tp.Partition, int16(protocol.ClusterAuthorizationFailed)
		if allowed {
			p.ErrorCode = int16(protocol.CodeOf(s.moveReplica(tp, wishes.dirs[tp])))
		}
		resp.Topics[at].Partitions = append(resp.Topics[at].Partitions, p)
	}
	r.Reply(resp)
}

// dirWishes are where partitions are to go, in the order of the request.
type dirWishes struct {
	order []logstore.TopicPartition
	dirs  map[logstore.TopicPartition]string
}

func wishedDirs(req *kmsg.AlterReplicaLogDirsRequest) dirWishes {
	w := dirWishes{dirs: map[logstore.TopicPartition]string{}}
	for i := range req.Dirs {
		for j := range req.Dirs[i].Topics {
			t := &req.Dirs[i].Topics[j]
			for _, index := range t.Partitions {
				tp := logstore.TopicPartition{Topic: t.Topic, Partition: index}
				if _, twice := w.dirs[tp]; !twice {
					w.order = append(w.order, tp)
				}
				w.dirs[tp] = req.Dirs[i].Dir
			}
		}
	}
	return w
}

func (s *Server) moveReplica(tp logstore.TopicPartition, dir string) error {
	err := s.Dirs.Move(tp, dir)
	if protocol.CodeOf(err) == protocol.ReplicaNotAvailable && s.Cluster.Image().Partition(tp.Topic, tp.Partition) == nil {
		return protocol.UnknownTopicOrPartition
	}
	return err
}
