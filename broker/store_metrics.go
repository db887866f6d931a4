package broker

import "github.com/prometheus/client_golang/prometheus"

// storeMetrics is what the data directory counts.
type storeMetrics struct {
	flushes  prometheus.Histogram
	failures prometheus.Counter
	deleted  prometheus.Counter
	cut      prometheus.Counter
	damaged  prometheus.Counter
}

func newStoreMetrics(reg prometheus.Registerer) *storeMetrics {
	m := &storeMetrics{
		flushes: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ottla_log_flush_seconds",
			Help: "Seconds that one flush of one log took. Acks wait for it with log.durability=fsync.", Buckets: prometheus.ExponentialBuckets(0.0001, 3, 10)}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_store_failures_total",
			Help: "Writes beside the logs themselves that failed and are tried again: checkpoints, indexes, removals."}),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_log_deleted_bytes_total", Help: "Bytes of segments given up to retention or DeleteRecords."}),
		cut:     prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_log_cut_bytes_total", Help: "Bytes cut off the ends of logs: torn tails at start."}),
		damaged: prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_corrupt_batches_total",
			Help: "Damaged places that readers, compaction or the scrub have come upon, each counted once. Anything but 0 needs a person."}),
	}
	reg.MustRegister(m.flushes, m.failures, m.deleted, m.cut, m.damaged)
	return m
}

// registerGauges registers what is looked up in the open store when somebody asks.
func (b *Broker) registerGauges() {
	b.registry.MustRegister(
		gauge("ottla_partitions", "Partitions that this broker holds.", func() float64 { return float64(len(b.dirs.All())) }),
		gauge("ottla_offline_partitions", "Partitions whose log cannot be trusted and answers KAFKA_STORAGE_ERROR. Anything but 0 needs a person.", b.offlinePartitions),
		gauge("ottla_offline_log_dirs", "Data directories that cannot be used. Anything but 0 needs a person.", b.offlineDirs),
		gauge("ottla_retention_clock_ahead_seconds", "Seconds that the wall clock is ahead of the time that retention believes, 0 while it believes it.", b.clockAhead),
		gauge("ottla_uncleanable_partitions", "Partitions that compaction has given up on until a restart. Anything but 0 needs a person.", b.uncleanablePartitions),
		gauge("ottla_log_bytes", "Bytes of all segments.", b.logBytes),
	)
	b.registry.MustRegister(b.spaceGauges()...)
}

func gauge(name, help string, f func() float64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
}

func (b *Broker) offlinePartitions() (n float64) {
	for _, l := range b.dirs.All() {
		if l.Err() != nil {
			n++
		}
	}
	return n
}

func (b *Broker) offlineDirs() (n float64) {
	for _, d := range b.dirs.Each() {
		if d.Err() != nil {
			n++
		}
	}
	return n
}

func (b *Broker) logBytes() (n float64) {
	for _, l := range b.dirs.All() {
		n += float64(l.Size())
	}
	return n
}
