package broker

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/logstore"
)

// cleanerConfig is what compaction may take.
func cleanerConfig(c *config.Broker) logstore.CleanerConfig {
	return logstore.CleanerConfig{
		Threads:           c.Int(config.LogCleanerThreads),
		DedupeBufferBytes: c.Int64(config.LogCleanerDedupeBufferSize),
		LoadFactor:        c.Float(config.LogCleanerIOBufferLoadFactor),
		IOBufferBytes:     c.Int(config.LogCleanerIOBufferSize),
		MaxBytesPerSecond: c.Float(config.LogCleanerIOMaxBytesPerSecond),
		Backoff:           c.Millis(config.LogCleanerBackoffMs),
	}
}

// newCleaner makes what compacts the logs of all data directories, nil with log.cleaner.enable=false.
func (b *Broker) newCleaner() *logstore.Cleaner {
	if !b.static.Bool(config.LogCleanerEnable) {
		return nil
	}
	return logstore.NewCleaner(cleanerConfig(b.static))
}

// compactionMetrics is what compaction counts.
type compactionMetrics struct {
	read, written, seconds, records prometheus.Counter
}

func newCompactionMetrics(reg prometheus.Registerer) *compactionMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &compactionMetrics{
		read:    counter("ottla_compaction_read_bytes_total", "Bytes of segments that compaction went over, the pass over their keys not counted."),
		written: counter("ottla_compaction_written_bytes_total", "Bytes of the segments that compaction put in their place."),
		seconds: counter("ottla_compaction_seconds_total", "Seconds that rounds of compaction took, of all threads."),
		records: counter("ottla_compaction_dropped_records_total", "Records that compaction dropped."),
	}
	reg.MustRegister(m.read, m.written, m.seconds, m.records)
	return m
}

// compactionEvents adds what happens to compacted logs.
func (b *Broker) compactionEvents(e *logstore.Events) {
	m := newCompactionMetrics(b.registry)
	e.Compacted = func(tp logstore.TopicPartition, s logstore.CompactionStats) {
		m.read.Add(float64(s.BytesRead))
		m.written.Add(float64(s.BytesWritten))
		m.seconds.Add(s.Took.Seconds())
		m.records.Add(float64(s.RecordsRead - s.RecordsKept))
		b.log.Info("compacted a log", at(tp), "from", s.From, "to", s.To, "segments", s.Segments, "bytesRead", s.BytesRead, "bytesWritten", s.BytesWritten,
			"records", s.RecordsRead, "recordsKept", s.RecordsKept, "withoutKey", s.Keyless, "leftAlone", s.LeftAlone, "tookMs", s.Took.Milliseconds())
	}
	e.Uncleanable = func(tp logstore.TopicPartition, err error) {
		b.log.Error("a log cannot be compacted, and will grow; it is tried again after a restart", at(tp), "error", err)
	}
}

func (b *Broker) uncleanablePartitions() (n float64) {
	for _, l := range b.dirs.All() {
		if l.Uncleanable() != nil {
			n++
		}
	}
	return n
}
