// DescribeLogDirs, key 35, versions 1–5: the data directory and the sizes of the partitions in it.
//
//	v2  flexible
//	v3  an error code for the whole
//	v4  size of the file system and what is left of it (KIP-827)
//	v5  whether the directory is cordoned (KIP-1066): here never
//
// Errors: CLUSTER_AUTHORIZATION_FAILED (v3+; before, an empty answer). For a directory: KAFKA_STORAGE_ERROR.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
)

// DescribeLogDirs serves key 35.
func DescribeLogDirs(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeLogDirsRequest)
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	if !s.Allowed(r, security.Describe, security.Cluster, security.ClusterName) {
		resp.ErrorCode = int16(protocol.ClusterAuthorizationFailed)
		r.Reply(resp)
		return
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = s.LogDir.Path
	dir.TotalBytes, dir.UsableBytes = s.LogDir.Usage()
	wanted := wantedDirs(req)
	for p := range s.Partitions.All() {
		if wanted(p) {
			addDirPartition(&dir, p)
		}
	}
	resp.Dirs = append(resp.Dirs, dir)
	r.Reply(resp)
}

// wantedDirs tells which partitions are asked for: all where the list is null.
func wantedDirs(req *kmsg.DescribeLogDirsRequest) func(*partition.Partition) bool {
	if req.Topics == nil {
		return func(*partition.Partition) bool { return true }
	}
	type key struct {
		topic string
		index int32
	}
	named := make(map[key]bool)
	for i := range req.Topics {
		for _, index := range req.Topics[i].Partitions {
			named[key{req.Topics[i].Topic, index}] = true
		}
	}
	return func(p *partition.Partition) bool { return named[key{p.Topic().Name, p.Index()}] }
}

// addDirPartition adds a partition to the directory's topics, of which the last is the one before it by name.
func addDirPartition(dir *kmsg.DescribeLogDirsResponseDir, p *partition.Partition) {
	if n := len(dir.Topics); n == 0 || dir.Topics[n-1].Topic != p.Topic().Name {
		t := kmsg.NewDescribeLogDirsResponseDirTopic()
		t.Topic = p.Topic().Name
		dir.Topics = append(dir.Topics, t)
	}
	t := &dir.Topics[len(dir.Topics)-1]
	dp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
	dp.Partition, dp.Size, dp.OffsetLag = p.Index(), p.Size(), max(0, p.Committed()-p.End())
	t.Partitions = append(t.Partitions, dp)
}
