package config

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestTopicTakesTheBrokersValues(t *testing.T) {
	b, err := New(map[Key]string{
		LogRetentionHours: "24", LogRollHours: "2", LogRollJitterHours: "1", LogFlushSchedulerIntervalMs: "7", LogDurability: "pagecache",
		MessageMaxBytes: "5", LogMessageTimestampType: "LogAppendTime", LogCleanupPolicy: "compact, delete", MinInsyncReplicas: "2",
	})
	if err != nil {
		t.Fatal(err)
	}
	topic, err := NewTopic(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Topic{
		SegmentBytes: 1 << 30, SegmentMs: 2 * hourMs, SegmentJitterMs: hourMs, SegmentIndexBytes: 10485760, IndexIntervalBytes: 4096,
		FileDeleteDelayMs: 60000, FlushMessages: math.MaxInt64, FlushMs: 7, PageCache: true, RetentionBytes: -1, RetentionMs: 24 * hourMs,
		Delete: true, Compact: true, DeleteRetentionMs: 86400000, MaxCompactionLagMs: math.MaxInt64, MinCleanableDirtyRatio: 0.5,
		MaxMessageBytes: 5, CompressionType: "producer", CompressionGzipLevel: -1, CompressionLz4Level: 9, CompressionZstdLevel: 3,
		LogAppendTime: true, MessageTimestampBeforeMaxMs: math.MaxInt64, MessageTimestampAfterMaxMs: 3600000, MinInsyncReplicas: 2,
		LocalRetentionMs: -2, LocalRetentionBytes: -2,
	}
	if !reflect.DeepEqual(topic, want) {
		t.Errorf("\n%+v, want\n%+v", topic, want)
	}
	// What is set on all brokers, on this one, and on the topic: each beats the one before.
	for _, c := range []struct {
		all, one, set map[string]string
		want          int64
	}{
		{nil, nil, nil, 24 * hourMs},
		{map[string]string{"log.retention.ms": "3"}, nil, nil, 3},
		{map[string]string{"log.retention.ms": "3"}, map[string]string{"log.retention.ms": "4"}, nil, 4},
		{map[string]string{"log.retention.ms": "3"}, map[string]string{"log.retention.ms": "4"}, map[string]string{"retention.ms": "-1"}, -1},
		{map[string]string{"log.retention.ms": "bad"}, nil, nil, 24 * hourMs},
	} {
		topic, err := NewTopic(b.WithDynamic(c.all, c.one), c.set)
		if err != nil || topic.RetentionMs != c.want {
			t.Errorf("%v %v %v: %d, want %d, %v", c.all, c.one, c.set, topic.RetentionMs, c.want, err)
		}
	}
}

// TestEveryTopicKeyReachesItsField: setting any key changes the Topic, unless this build has no use for it at all.
func TestEveryTopicKeyReachesItsField(t *testing.T) {
	b := Default()
	for _, d := range TopicDefs {
		if d.Internal || d.Key == RemoteStorageEnable { // refused when true
			continue
		}
		value := map[Type]string{Boolean: "true", Int: "1048577", Long: "12345", Double: "0.25", List: "compact", String: "gzip"}[d.Type]
		switch d.Key {
		case CompressionGzipLevel, CompressionLz4Level, CompressionZstdLevel:
			value = "7"
		case LeaderReplicationThrottledReplicas, FollowerReplicationThrottledReplicas:
			value = "0:1,1:2"
		case MessageTimestampType:
			value = "LogAppendTime"
		case Durability:
			value = "pagecache"
		}
		topic, err := NewTopic(b, map[string]string{string(d.Key): value})
		if err != nil {
			t.Errorf("%s=%s: %v", d.Key, value, err)
			continue
		}
		if plain, _ := NewTopic(b, nil); reflect.DeepEqual(topic, plain) {
			t.Errorf("%s=%s changes nothing", d.Key, value)
		}
	}
}

func TestTopicRefusals(t *testing.T) {
	b := Default()
	for _, c := range []struct {
		set  map[string]string
		want string
	}{
		{map[string]string{"no.such": "1"}, "Unknown topic config name: no.such"},
		{map[string]string{"message.format.version": "2.0"}, "Unknown topic config name: message.format.version"},
		{map[string]string{"segment.bytes": "1048575"}, "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576"},
		{map[string]string{"preallocate": "yes"}, "Expected value to be either true or false"},
		{map[string]string{"cleanup.policy": "wash"}, "String must be one of: compact, delete"},
		{map[string]string{"max.message.bytes": "99999999999"}, "Not a number of type INT"},
		{map[string]string{"min.cleanable.dirty.ratio": "2"}, "Value must be no more than 1"},
		{map[string]string{"compression.gzip.level": "0"}, "between 1 and 9 or equal to -1"},
		{map[string]string{"leader.replication.throttled.replicas": "1-2"}, "[partitionId]:[brokerId]"},
		{map[string]string{"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}, "conflict topic config setting"},
		{map[string]string{"remote.storage.enable": "true"}, "Tiered Storage functionality is disabled"},
		{map[string]string{"cleanup.policy": ""}, ""},
		{map[string]string{"cleanup.policy": "delete,delete"}, ""},
		{map[string]string{"leader.replication.throttled.replicas": "*"}, ""},
		{map[string]string{"retention.bytes": " 7000 "}, ""},
	} {
		topic, err := NewTopic(b, c.set)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.set, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, ErrInvalid)):
			t.Errorf("%v: %v, want %q", c.set, err, c.want)
		case topic.SegmentBytes < 1<<20:
			t.Errorf("%v: beside its error stands a topic that cannot be used: %+v", c.set, topic)
		}
	}
	if topic, _ := NewTopic(b, map[string]string{"cleanup.policy": ""}); topic.Delete || topic.Compact {
		t.Error("no policy is one")
	}
	if err := ValidateTopic(b, map[string]string{"retention.ms": "1"}); err != nil {
		t.Error(err)
	}
}

func TestTimesNeverOverflow(t *testing.T) {
	for _, c := range [][3]int64{{2, 3, 6}, {-1, hourMs, -1}, {math.MaxInt64, hourMs, math.MaxInt64}, {math.MaxInt32, hourMs, math.MaxInt32 * hourMs}, {0, 5, 0}} {
		if got := times(c[0], c[1]); got != c[2] {
			t.Errorf("%d × %d = %d, want %d", c[0], c[1], got, c[2])
		}
	}
	if Millis(math.MaxInt64) <= 0 || Millis(math.MinInt64) >= 0 || Millis(5).Milliseconds() != 5 {
		t.Error("a duration overflows")
	}
}

func BenchmarkNewTopic(b *testing.B) {
	c := Default()
	set := map[string]string{"retention.ms": "5", "cleanup.policy": "compact"}
	b.ReportAllocs()
	for b.Loop() {
		NewTopic(c, set)
	}
}

func BenchmarkInt(b *testing.B) {
	c := Default()
	b.ReportAllocs()
	for b.Loop() {
		c.Int(FetchMaxBytes)
	}
}
