package broker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ottla/ottla/protocol"
)

// metrics is what the network side counts. Every metric has a sentence and a unit.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	received prometheus.Counter
	out      prometheus.Counter
	accepted *prometheus.CounterVec
	closed   *prometheus.CounterVec
	open     prometheus.Gauge
	panics   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, table map[protocol.Key]*row) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ottla_requests_total", Help: "Requests answered, by API."}, []string{"api"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ottla_request_seconds",
			Help: "Seconds from a request read whole to its answer known, waits included, by API.", Buckets: prometheus.ExponentialBuckets(0.00005, 4, 10)}, []string{"api"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_received_bytes_total", Help: "Bytes of request frames received."}),
		out:      prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_sent_bytes_total", Help: "Bytes of responses sent."}),
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ottla_connections_accepted_total", Help: "Connections accepted, by listener."}, []string{"listener"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ottla_connections_closed_total",
			Help: "Connections closed, by reason: client, timeout, protocol (bytes that are no request), refused, limit, error."}, []string{"reason"}),
		open:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "ottla_connections", Help: "Connections open."}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "ottla_handler_panics_total", Help: "Requests whose handler panicked. Anything but 0 is a bug."}),
	}
	reg.MustRegister(m.requests, m.seconds, m.received, m.out, m.accepted, m.closed, m.open, m.panics)
	for _, row := range table {
		row.requests = m.requests.WithLabelValues(row.key.String())
		row.seconds = m.seconds.WithLabelValues(row.key.String())
	}
	return m
}

// answered counts one request.
func (m *metrics) answered(r *row, took time.Duration, bytes int) {
	r.requests.Inc()
	r.seconds.Observe(took.Seconds())
}

func (m *metrics) sent(bytes int) { m.out.Add(float64(bytes)) }
