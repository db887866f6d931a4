package broker

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/logstore"
)

// storeEvents turns what happens to files into metrics and log lines.
func (b *Broker) storeEvents() logstore.Events {
	m := newStoreMetrics(b.registry)
	return logstore.Events{
		Flushed: func(_ logstore.TopicPartition, _ int64, took time.Duration) {
			m.flushes.Observe(took.Seconds())
		},
		Recovered: func(tp logstore.TopicPartition, recoveryPoint, end, bytes int64) {
			b.log.Debug("recovered", at(tp), "recoveryPoint", recoveryPoint, "end", end, "bytesRead", bytes)
		},
		Decided: func(tp logstore.TopicPartition, file, row, do, why string) {
			b.log.Warn("found at the start", "file", file, "row", row, "do", do, "why", why, at(tp))
		},
		Truncated: func(tp logstore.TopicPartition, end, bytes int64, why string) {
			m.cut.Add(float64(bytes))
			level := slog.LevelWarn
			if bytes == 0 {
				level = slog.LevelDebug
			}
			b.log.Log(context.Background(), level, "cut off the end of a log", at(tp), "end", end, "bytes", bytes, "why", why)
		},
		Rolled: func(tp logstore.TopicPartition, base int64) {
			b.log.Debug("rolled a segment", at(tp), "baseOffset", base)
		},
		Deleted: func(tp logstore.TopicPartition, segments int, bytes, start int64, why string) {
			m.deleted.Add(float64(bytes))
			b.log.Info("deleted segments", at(tp), "segments", segments, "bytes", bytes, "logStart", start, "why", why)
		},
		IndexRebuilt: func(tp logstore.TopicPartition, file, why string) {
			b.log.Info("made an index again from the log", at(tp), "file", file, "why", why)
		},
		Offline: func(tp logstore.TopicPartition, err error) {
			b.log.Error("partition is offline; its files are kept", at(tp), "error", err)
		},
		Moved: func(tp logstore.TopicPartition, from, to string, bytes int64, took time.Duration) {
			b.log.Info("moved a partition to another data directory", at(tp), "from", from, "to", to, "bytes", bytes, "tookMs", took.Milliseconds())
		},
		MoveFailed: func(tp logstore.TopicPartition, to string, err error) {
			b.log.Error("could not move a partition; it stays where it is", at(tp), "to", to, "error", err)
		},
		DirOffline: func(dir string, err error) {
			b.log.Error("data directory is offline, with all partitions in it; its files are kept", "dir", dir, "error", err)
		},
		Lost: func(err error) { b.failed <- err }, // once, and there is room
		Damaged: func(tp logstore.TopicPartition, d logstore.Damage) {
			m.damaged.Inc()
			b.log.Error("records are damaged; who reads them is answered CORRUPT_MESSAGE, all others are served", at(tp),
				"file", d.File, "position", d.Position, "offset", d.Offset, "error", d.Error())
		},
		Scrubbed: func(dir string, s logstore.ScrubStats) {
			b.log.Info("verified all records", "dir", dir, "partitions", s.Logs, "bytes", s.Bytes, "damagedSegments", s.Damages, "tookMs", s.Took.Milliseconds())
		},
		Unreadable: func(tp logstore.TopicPartition, err error) {
			b.log.Error("the disk does not give a partition's records", at(tp), "error", err)
		},
		Foreign: func(path string) {
			b.log.Warn("left alone what is not ours in the data directory", "path", path)
		},
		Space: b.spaceChanged,
		Failed: func(what string, err error) {
			m.failures.Inc()
			b.log.Error("could not write; trying again later, no record is at risk", "what", what, "error", err)
		},
	}
}

// partitionEvents turns what happens to partitions into log lines.
func (b *Broker) partitionEvents() partition.Events {
	return partition.Events{
		Led: func(p *partition.Partition, epoch int32) {
			b.log.Debug("leads a partition", "topic", p.Topic().Name, "partition", p.Index(), "leaderEpoch", epoch)
		},
		Failed: func(tp logstore.TopicPartition, err error) {
			b.log.Error("partition cannot be served", at(tp), "error", err)
		},
		Stray: func(tp logstore.TopicPartition) {
			b.log.Warn("put aside a partition that the metadata does not know; nothing was deleted", at(tp))
		},
	}
}

// scrubConfig is how the data directories are looked over for damage.
func scrubConfig(c *config.Broker) logstore.ScrubConfig {
	return logstore.ScrubConfig{BytesPerSecond: c.Int64(config.LogScrubBytesPerSecond),
		Interval: time.Duration(c.Int64(config.LogScrubIntervalHours)) * time.Hour}
}

func at(tp logstore.TopicPartition) slog.Attr {
	return slog.Group("", "topic", tp.Topic, "partition", tp.Partition)
}

// logReady is the one line that says that the broker serves, where, and what it tells its clients.
func (b *Broker) logReady() {
	bound := map[string][]string{}
	for _, s := range b.sockets {
		bound[s.name] = append(bound[s.name], s.Addr().String())
	}
	var listeners []any
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		listeners = append(listeners, slog.Group(name,
			"bound", strings.Join(bound[name], " "), "advertised", b.advertiser.listeners[name].describe(b.sockets, name)))
	}
	b.log.Info("ready", slog.Group("listeners", listeners...), "nodeId", b.static.NodeID(), "clusterId", b.ClusterID(),
		"durability", b.durability(), "tookMs", float64(b.now().Sub(b.began).Microseconds())/1000)
}

func (b *Broker) durability() string {
	if b.static.PageCache() {
		return "pagecache"
	}
	return "fsync"
}
