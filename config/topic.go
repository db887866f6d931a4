package config

import "slices"

// Topic is the effective configuration of one topic: what was set on it, over the broker's values, over the defaults.
// Times are in milliseconds, -1 and MaxInt64 as Kafka uses them.
type Topic struct {
	SegmentBytes       int64
	SegmentMs          int64
	SegmentJitterMs    int64
	SegmentIndexBytes  int64
	IndexIntervalBytes int64
	FileDeleteDelayMs  int64
	Preallocate        bool

	FlushMessages int64
	FlushMs       int64
	PageCache     bool // durability=pagecache

	RetentionBytes int64 // -1 for no bound
	RetentionMs    int64 // -1 for never
	Delete         bool  // cleanup.policy has delete
	Compact        bool  // cleanup.policy has compact

	DeleteRetentionMs      int64
	MinCompactionLagMs     int64
	MaxCompactionLagMs     int64
	MinCleanableDirtyRatio float64

	MaxMessageBytes             int
	CompressionType             string // uncompressed, zstd, lz4, snappy, gzip or producer
	CompressionGzipLevel        int
	CompressionLz4Level         int
	CompressionZstdLevel        int
	LogAppendTime               bool // message.timestamp.type=LogAppendTime
	MessageTimestampBeforeMaxMs int64
	MessageTimestampAfterMaxMs  int64

	MinInsyncReplicas           int
	UncleanLeaderElectionEnable bool

	LeaderThrottledReplicas   []string
	FollowerThrottledReplicas []string

	RemoteStorageEnable      bool
	LocalRetentionMs         int64 // -2 for RetentionMs
	LocalRetentionBytes      int64 // -2 for RetentionBytes
	RemoteLogCopyDisable     bool
	RemoteLogDeleteOnDisable bool
}

// NewTopic is the configuration of a topic on which overrides were set. The Topic beside an error can be used all the
// same: where an override cannot be read, the broker's value holds.
func NewTopic(b *Broker, overrides map[string]string) (Topic, error) {
	v, err := b.topicValues(overrides)
	t := Topic{
		SegmentBytes:       v.long(SegmentBytes),
		SegmentMs:          v.long(SegmentMs),
		SegmentJitterMs:    v.long(SegmentJitterMs),
		SegmentIndexBytes:  v.long(SegmentIndexBytes),
		IndexIntervalBytes: v.long(IndexIntervalBytes),
		FileDeleteDelayMs:  v.long(FileDeleteDelayMs),
		Preallocate:        v.bool(Preallocate),

		FlushMessages: v.long(FlushMessages),
		FlushMs:       v.long(FlushMs),
		PageCache:     v.text(Durability) == "pagecache",

		RetentionBytes: v.long(RetentionBytes),
		RetentionMs:    v.long(RetentionMs),
		Delete:         slices.Contains(v.list(CleanupPolicy), "delete"),
		Compact:        slices.Contains(v.list(CleanupPolicy), "compact"),

		DeleteRetentionMs:      v.long(DeleteRetentionMs),
		MinCompactionLagMs:     v.long(MinCompactionLagMs),
		MaxCompactionLagMs:     v.long(MaxCompactionLagMs),
		MinCleanableDirtyRatio: v[MinCleanableDirtyRatio].(float64),

		MaxMessageBytes:             int(v.long(MaxMessageBytes)),
		CompressionType:             v.text(CompressionType),
		CompressionGzipLevel:        int(v.long(CompressionGzipLevel)),
		CompressionLz4Level:         int(v.long(CompressionLz4Level)),
		CompressionZstdLevel:        int(v.long(CompressionZstdLevel)),
		LogAppendTime:               v.text(MessageTimestampType) == "LogAppendTime",
		MessageTimestampBeforeMaxMs: v.long(MessageTimestampBeforeMaxMs),
		MessageTimestampAfterMaxMs:  v.long(MessageTimestampAfterMaxMs),

		MinInsyncReplicas:           int(v.long(MinInsyncReplicas)),
		UncleanLeaderElectionEnable: v.bool(UncleanLeaderElectionEnable),

		LeaderThrottledReplicas:   v.list(LeaderReplicationThrottledReplicas),
		FollowerThrottledReplicas: v.list(FollowerReplicationThrottledReplicas),

		RemoteStorageEnable:      v.bool(RemoteStorageEnable),
		LocalRetentionMs:         v.long(LocalRetentionMs),
		LocalRetentionBytes:      v.long(LocalRetentionBytes),
		RemoteLogCopyDisable:     v.bool(RemoteLogCopyDisable),
		RemoteLogDeleteOnDisable: v.bool(RemoteLogDeleteOnDisable),
	}
	if err == nil {
		err = t.check()
	}
	return t, err
}

// ValidateTopic checks what somebody wants to set on a topic: the error is for the client, with code INVALID_CONFIG.
func ValidateTopic(b *Broker, overrides map[string]string) error {
	_, err := NewTopic(b, overrides)
	return err
}

// check is what must hold between values of a topic.
func (t *Topic) check() error {
	if t.MinCompactionLagMs > t.MaxCompactionLagMs {
		return invalidf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)",
			t.MinCompactionLagMs, t.MaxCompactionLagMs)
	}
	if t.RemoteStorageEnable {
		return invalidf("Tiered Storage functionality is disabled in the broker. " +
			"Topic cannot be configured with remote log storage: this build does not have it")
	}
	return nil
}

// values are parsed values by key.
type values map[Key]any

func (v values) long(k Key) int64    { return v[k].(int64) }
func (v values) bool(k Key) bool     { return v[k].(bool) }
func (v values) text(k Key) string   { return v[k].(string) }
func (v values) list(k Key) []string { l, _ := v[k].([]string); return l }

// topicValues computes every topic key's value, and the first thing that is wrong with overrides.
func (b *Broker) topicValues(overrides map[string]string) (values, error) {
	var firstErr error
	for _, name := range sortedKeys(byKey(overrides)) {
		if TopicDef(name) == nil {
			firstErr = invalidf("Unknown topic config name: %s", name)
			break
		}
	}
	v := make(values, len(TopicDefs))
	for _, d := range TopicDefs {
		if text, ok := overrides[string(d.Key)]; ok {
			parsed, err := d.Parse(text)
			if err == nil {
				v[d.Key] = parsed
				continue
			}
			if firstErr == nil {
				firstErr = invalidf("%v", err)
			}
		}
		if inherited, ok := b.inherit(d); ok {
			v[d.Key] = inherited
		} else if d.HasDefault() {
			v[d.Key], _ = d.Parse(d.Default)
		}
	}
	return v, firstErr
}

// inherit is a topic or group key's value as the broker's keys give it.
func (b *Broker) inherit(d *Def) (any, bool) {
	if n, ok := b.first(d.Fallbacks); ok {
		return n, true
	}
	for _, f := range d.Fallbacks {
		if v, ok := b.values[f.Key]; ok {
			return v, true
		}
	}
	return nil, false
}

// byKey turns names that came over the wire or out of the metadata into keys.
func byKey(m map[string]string) map[Key]string {
	keys := make(map[Key]string, len(m))
	for k, v := range m {
		keys[Key(k)] = v
	}
	return keys
}
