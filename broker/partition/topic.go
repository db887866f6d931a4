package partition

import (
	"sync/atomic"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
)

// Topic is what the partitions of one incarnation of a topic share.
type Topic struct {
	Name string
	ID   [16]byte

	config atomic.Pointer[config.Topic]
}

// Config is the topic's effective configuration. It changes at any time; take it once for what must agree with itself.
func (t *Topic) Config() *config.Topic { return t.config.Load() }

// logConfig is what the topic's configuration says to its logs.
func (t *Topic) logConfig() logstore.LogConfig {
	c := t.Config()
	return logstore.LogConfig{
		SegmentBytes:       c.SegmentBytes,
		SegmentMs:          c.SegmentMs,
		SegmentJitterMs:    c.SegmentJitterMs,
		SegmentIndexBytes:  c.SegmentIndexBytes,
		IndexIntervalBytes: c.IndexIntervalBytes,
		RetentionMs:        c.RetentionMs,
		RetentionBytes:     c.RetentionBytes,
		FileDeleteDelayMs:  c.FileDeleteDelayMs,
		Delete:             c.Delete,
		Internal:           cluster.IsInternal(t.Name),
		PageCache:          c.PageCache,
		FlushMessages:      c.FlushMessages,
		FlushMs:            c.FlushMs,

		Compact:                c.Compact,
		MinCleanableDirtyRatio: c.MinCleanableDirtyRatio,
		MinCompactionLagMs:     c.MinCompactionLagMs,
		MaxCompactionLagMs:     c.MaxCompactionLagMs,
		DeleteRetentionMs:      c.DeleteRetentionMs,
	}
}
