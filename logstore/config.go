package logstore

import (
	"math"
	"time"
)

// LogConfig is what a topic's configuration says to its logs. Times are milliseconds; a negative retention is none.
type LogConfig struct {
	SegmentBytes       int64 // segment.bytes: a segment that would grow past it is rolled
	SegmentMs          int64 // segment.ms: by record time, from a segment's first batch
	SegmentJitterMs    int64 // segment.jitter.ms: each segment rolls up to so much earlier, so that logs do not roll together
	SegmentIndexBytes  int64 // segment.index.bytes: an index that has reached it rolls the segment
	IndexIntervalBytes int64 // index.interval.bytes: one index entry for so many bytes
	RetentionMs        int64 // retention.ms
	RetentionBytes     int64 // retention.bytes
	FileDeleteDelayMs  int64 // file.delete.delay.ms: between a file's renaming and its removal
	Delete             bool  // cleanup.policy contains delete: retention applies

	Compact                bool    // cleanup.policy contains compact
	Internal               bool    // a topic of the cluster's own, which is not given up for log.retention.disk.percent
	MinCleanableDirtyRatio float64 // min.cleanable.dirty.ratio: of the log's bytes, so many must not be compacted yet
	MinCompactionLagMs     int64   // min.compaction.lag.ms: by record time, for how long a segment stays as it is
	MaxCompactionLagMs     int64   // max.compaction.lag.ms: by record time, when a segment is due whatever the ratio
	DeleteRetentionMs      int64   // delete.retention.ms: how long a tombstone and a marker outlive what they end

	// PageCache answers an append once the kernel has it (durability=pagecache). Otherwise nothing counts as flushed,
	// and nothing may be read, before an fdatasync.
	PageCache bool
	// FlushMessages and FlushMs (flush.messages, flush.ms) bound what PageCache leaves unsynced.
	// FlushMessages 1 is the same as no PageCache.
	FlushMessages int64
	FlushMs       int64
}

// DefaultLogConfig is Kafka's defaults, with durable appends.
func DefaultLogConfig() LogConfig {
	return LogConfig{
		SegmentBytes:       1 << 30,
		SegmentMs:          7 * 24 * 3600 * 1000,
		SegmentIndexBytes:  10 << 20,
		IndexIntervalBytes: 4096,
		RetentionMs:        7 * 24 * 3600 * 1000,
		RetentionBytes:     -1,
		FileDeleteDelayMs:  60_000,
		Delete:             true,
		FlushMessages:      math.MaxInt64,
		FlushMs:            math.MaxInt64,

		MinCleanableDirtyRatio: 0.5,
		MaxCompactionLagMs:     math.MaxInt64,
		DeleteRetentionMs:      24 * 3600 * 1000,
	}
}

// withDefaults fills what a caller left at zero and cannot mean.
func (c LogConfig) withDefaults() LogConfig {
	d := DefaultLogConfig()
	fill := func(v *int64, or int64) {
		if *v <= 0 {
			*v = or
		}
	}
	fill(&c.SegmentBytes, d.SegmentBytes)
	fill(&c.SegmentMs, d.SegmentMs)
	fill(&c.SegmentIndexBytes, d.SegmentIndexBytes)
	fill(&c.FlushMessages, d.FlushMessages)
	fill(&c.FlushMs, d.FlushMs)
	fill(&c.MaxCompactionLagMs, d.MaxCompactionLagMs)
	c.SegmentBytes = min(c.SegmentBytes, math.MaxInt32) // index entries hold positions as int32
	return c
}

func (c LogConfig) fileDeleteDelay() time.Duration {
	return time.Duration(max(c.FileDeleteDelayMs, 0)) * time.Millisecond
}

// durable tells whether an append counts only once it is synced.
func (c LogConfig) durable() bool { return !c.PageCache || c.FlushMessages <= 1 }
