package api

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol"
)

// GroupsService is what the handlers of groups and committed offsets stand on.
type GroupsService struct {
	Groups Groups
}

// Groups are the machines of the partitions of __consumer_offsets that are led here; *coordinator.Runtime is one.
type Groups interface {
	// Do runs one step of a partition's machine and returns when it is ordered. fail takes the code if there is none here.
	Do(partition int32, fail func(protocol.Code), step func(m *group.Machine, now time.Time) coordinator.Step)
	// Partitions are those that are led here.
	Partitions() []int32
}

// onGroup runs one step of the machine that coordinates a group.
func (s *Server) onGroup(groupID string, fail func(protocol.Code), step func(m *group.Machine, now time.Time) coordinator.Step) {
	topic := s.Cluster.Image().Topic(cluster.ConsumerOffsets)
	if topic == nil {
		fail(protocol.NotCoordinator) // nobody is, until somebody asks who
		return
	}
	s.Groups.Do(coordinator.PartitionFor(groupID, int32(len(topic.Partitions))), fail, step)
}

// GroupConfig are the limits of group machines as the broker is configured.
func GroupConfig(b *config.Broker) group.Config {
	return group.Config{
		MinSessionTimeout:      b.Millis(config.GroupMinSessionTimeoutMs),
		MaxSessionTimeout:      b.Millis(config.GroupMaxSessionTimeoutMs),
		InitialRebalanceDelay:  b.Millis(config.GroupInitialRebalanceDelayMs),
		MaxSize:                b.Int(config.GroupMaxSize),
		MetadataMax:            b.Int(config.OffsetMetadataMaxBytes),
		OffsetsRetention:       config.Millis(b.Int64(config.OffsetsRetentionMinutes) * time.Minute.Milliseconds()),
		RetentionCheckInterval: b.Millis(config.OffsetsRetentionCheckIntervalMs),
		RecordBytesMax:         b.Int(config.MessageMaxBytes),
		NewID:                  newUUID,
	}
}

// newUUID is a random UUID (version 4), as Java prints one.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: the process ends instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// GroupCoordinator leads and resigns the partitions of __consumer_offsets as the cluster's image says.
type GroupCoordinator struct {
	Runtime *coordinator.Runtime[*group.Machine]
	NodeID  int32
	// Log is a partition of __consumer_offsets that this broker leads, false if it does not hold it (any more).
	Log func(partition int32) (coordinator.Log, bool)
}

// Apply follows one change of the image. It is called with every change in order, after the broker's partitions have
// followed it.
func (c *GroupCoordinator) Apply(d *cluster.Delta) {
	for _, t := range d.Deleted {
		if t.Name == cluster.ConsumerOffsets {
			for i, p := range t.Partitions {
				c.Runtime.Resign(int32(i), p.LeaderEpoch)
			}
		}
	}
	for _, t := range d.Created {
		if t.Name == cluster.ConsumerOffsets {
			for i, p := range t.Partitions {
				c.follow(int32(i), p)
			}
		}
	}
	for _, change := range d.Changed {
		if change.Topic.Name == cluster.ConsumerOffsets {
			c.follow(change.Index, change.After)
		}
	}
	c.forgetOffsets(d.Deleted)
}

// follow leads the partition or resigns from it. A partition whose leader epoch is still the same stays as it is.
func (c *GroupCoordinator) follow(partition int32, p *cluster.Partition) {
	if p.Leader == c.NodeID {
		if log, ok := c.Log(partition); ok {
			c.Runtime.Lead(partition, p.LeaderEpoch, log)
			return
		}
	}
	c.Runtime.Resign(partition, p.LeaderEpoch)
}

// forgetOffsets deletes what groups committed for topics that are gone. Offsets in a partition that is being loaded stay:
// they carry the topic's id, so that a topic of the same name does not inherit them.
func (c *GroupCoordinator) forgetOffsets(gone []*cluster.Topic) {
	if len(gone) == 0 {
		return
	}
	topics := make([]group.DeletedTopic, len(gone))
	for i, t := range gone {
		topics[i] = group.DeletedTopic{Name: t.Name, ID: t.ID}
	}
	for _, p := range c.Runtime.Partitions() {
		c.Runtime.Do(p, func(protocol.Code) {}, func(m *group.Machine, now time.Time) coordinator.Step {
			return m.DeleteTopics(now, topics)
		})
	}
}

// gather collects the answers of several calls, which come from any goroutine, and hands them on when all are there.
type gather[T any] struct {
	left    atomic.Int32
	results []T
	done    func([]T)
}

// newGather waits for n answers; done gets them in the order of their places.
func newGather[T any](n int, done func([]T)) *gather[T] {
	g := &gather[T]{results: make([]T, n), done: done}
	g.left.Store(int32(n))
	if n == 0 {
		done(g.results)
	}
	return g
}

func (g *gather[T]) set(place int, result T) {
	g.results[place] = result
	if g.left.Add(-1) == 0 {
		g.done(g.results)
	}
}
