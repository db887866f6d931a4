// DescribeLogDirs, key 35, versions 1–5: the data directories and the sizes of the partitions in them.
//
//	v2  flexible
//	v3  an error code for the whole
//	v4  size of the file system and what is left of it (KIP-827)
//	v5  whether the directory is cordoned (KIP-1066)
//
// Errors: CLUSTER_AUTHORIZATION_FAILED (v3+; before, an empty answer). For a directory: KAFKA_STORAGE_ERROR, it is
// offline; its partitions are not listed.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/logstore"
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
	at := map[string]int{} // places in resp.Dirs of those that are not offline
	for i, d := range s.Dirs.Each() {
		dir := s.describeDir(d)
		if dir.ErrorCode == 0 {
			at[dir.Dir] = i
		}
		resp.Dirs = append(resp.Dirs, dir)
	}
	wanted := wantedDirs(req)
	for p := range s.Partitions.All() {
		if i, ok := at[p.Dir()]; ok && wanted(p) {
			addDirPartition(&resp.Dirs[i], p)
		}
	}
	r.Reply(resp)
}

func (s *Server) describeDir(d *logstore.Dir) kmsg.DescribeLogDirsResponseDir {
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir, dir.IsCordoned = d.Path(), s.Dirs.Cordoned(d.Path())
	if d.Err() != nil {
		dir.ErrorCode = int16(protocol.KafkaStorageError)
		return dir
	}
	if total, usable, err := d.DiskUsage(); err == nil {
		dir.TotalBytes, dir.UsableBytes = total, usable
	}
	return dir
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
