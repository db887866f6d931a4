package broker

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/logstore"
)

// spaceLimits are how much of a data directory's disk stays free.
func spaceLimits(c *config.Broker) logstore.SpaceLimits {
	return logstore.SpaceLimits{Min: c.Int64(config.LogDirFreeMinBytes), Warn: c.Int64(config.LogDirFreeWarnBytes), UsedPercent: c.Int(config.LogRetentionDiskPercent)}
}

// spaceChanged turns the free space of a data directory into a log line.
func (b *Broker) spaceChanged(dir string, s logstore.SpaceStatus) {
	numbers := []any{"dir", dir, "free", s.Free, "total", s.Total, "log.dir.free.min.bytes", s.Min, "log.dir.free.warn.bytes", s.Warn}
	switch s.State {
	case logstore.SpaceShort:
		b.log.Error(fmt.Sprintf("the disk is full: produced records are refused until %d bytes are free; reads, committed offsets and deletions go on", s.Min),
			append(numbers, "refused", s.Refused)...)
	case logstore.SpaceLow:
		b.log.Warn("the disk is filling up: delete topics or records, lower a retention, or make room", numbers...)
	default:
		b.log.Info("the disk has room again", numbers...)
	}
}

// spaceGauges are looked up when somebody asks.
func (b *Broker) spaceGauges() []prometheus.Collector {
	var all []prometheus.Collector
	for _, dir := range b.dirs.Each() {
		of := prometheus.Labels{"dir": dir.Path()}
		all = append(all,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ottla_log_dir_free_bytes", Help: "Bytes that are free for the data directory.", ConstLabels: of},
				func() float64 {
					_, free, _ := dir.DiskUsage()
					return float64(free)
				}),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ottla_log_dir_space_state", ConstLabels: of,
				Help: "0 with enough free space, 1 below log.dir.free.warn.bytes, 2 below log.dir.free.min.bytes, where produced records are refused."},
				func() float64 { return float64(dir.Space().State) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ottla_appends_refused_disk_full_total", ConstLabels: of,
				Help: "Batches of clients that were refused because the disk is full."}, func() float64 { return float64(dir.Space().Refused) }))
	}
	return all
}
