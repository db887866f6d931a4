// DescribeLogDirs, key 35, versions 1–5: the data directories and the sizes of the partitions in them.
//
//	v2  flexible
//	v3  an error code for the whole
//	v4  size of the file system and what is left of it (KIP-827)
//	v5  whether the directory is cordoned (KIP-1066)
//
// A partition on its way to another directory is in both: in the new one as a future replica, whose lag is what is not yet
// there.
//
// Errors: CLUSTER_AUTHORIZATION_FAILED (v3+; before, an empty answer). For a directory: KAFKA_STORAGE_ERROR, it is
// offline; its partitions are not listed.

package api

import (
	"slices"
	"strings"

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
	for _, m := range s.Dirs.Moving() {
		p, err := s.Partitions.Find(m.Topic, m.Partition)
		if i, ok := at[m.Dir]; ok && err == nil && wanted(p) {
			dp := dirPartition(&resp.Dirs[i], m.Topic)
			dp.Partition, dp.Size, dp.OffsetLag, dp.IsFuture = m.Partition, m.Bytes, m.Lag, true
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

func addDirPartition(dir *kmsg.DescribeLogDirsResponseDir, p *partition.Partition) {
	dp := dirPartition(dir, p.Topic().Name)
	dp.Partition, dp.Size, dp.OffsetLag = p.Index(), p.Size(), max(0, p.Committed()-p.End())
}

// dirPartition adds a partition to the directory's topics. They come by name, those on their way after the others.
func dirPartition(dir *kmsg.DescribeLogDirsResponseDir, topic string) *kmsg.DescribeLogDirsResponseDirTopicPartition {
	at, ok := slices.BinarySearchFunc(dir.Topics, topic, func(t kmsg.DescribeLogDirsResponseDirTopic, name string) int {
		return strings.Compare(t.Topic, name)
	})
	if !ok {
		t := kmsg.NewDescribeLogDirsResponseDirTopic()
		t.Topic = topic
		dir.Topics = slices.Insert(dir.Topics, at, t)
	}
	t := &dir.Topics[at]
	t.Partitions = append(t.Partitions, kmsg.NewDescribeLogDirsResponseDirTopicPartition())
	return &t.Partitions[len(t.Partitions)-1]
}
