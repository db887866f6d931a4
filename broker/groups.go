package broker

import (
	"time"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/group"
	"github.com/ottla/ottla/protocol/record"
)

// newGroups is the coordinator of the consumer groups whose partitions of __consumer_offsets this broker leads.
func (b *Broker) newGroups() *api.GroupCoordinator {
	return &api.GroupCoordinator{
		NodeID: b.static.NodeID(),
		Log:    b.offsetsLog,
		Runtime: coordinator.NewRuntime(coordinator.Options[*group.Machine]{
			New:           func(int32) *group.Machine { return group.New(b.groupConfig()) },
			Now:           b.now,
			CommitTimeout: b.static.Millis(config.OffsetsCommitTimeoutMs),
			Codec:         record.Codec(b.static.Int(config.OffsetsTopicCompressionCodec)),
			Events:        b.groupEvents(),
		}),
	}
}

func (b *Broker) groupConfig() group.Config {
	c := api.GroupConfig(b.config.Load())
	if b.retentionClock != nil {
		c.RetentionNow = b.retentionClock.Now
	}
	return c
}

// offsetsLog is a partition of __consumer_offsets, false where this broker does not hold it.
func (b *Broker) offsetsLog(index int32) (coordinator.Log, bool) {
	p, err := b.partitions.Find(cluster.ConsumerOffsets, index)
	return p, err == nil
}

// groupEvents turns what happens to coordinators into log lines.
func (b *Broker) groupEvents() coordinator.Events {
	var refused complaints
	return coordinator.Events{
		Loaded: func(p int32, records int, took time.Duration) {
			b.log.Debug("loaded groups", "partition", p, "records", records, "tookMs", took.Milliseconds())
		},
		LoadFailed: func(p int32, err error) {
			b.log.Error("the groups of a partition cannot be served: its log does not replay", "partition", p, "error", err)
		},
		AppendFailed: func(p int32, err error) {
			if leftOut, ok := refused.take(b.now()); ok {
				b.log.Warn("a group's change was refused by its log", "partition", p, "error", err, "leftOut", leftOut)
			}
		},
	}
}
