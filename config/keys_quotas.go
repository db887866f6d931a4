package config

// Quotas, metrics and telemetry.
const (
	QuotaWindowNum                                Key = "quota.window.num"
	QuotaWindowSizeSeconds                        Key = "quota.window.size.seconds"
	ControllerQuotaWindowNum                      Key = "controller.quota.window.num"
	ControllerQuotaWindowSizeSeconds              Key = "controller.quota.window.size.seconds"
	ReplicationQuotaWindowNum                     Key = "replication.quota.window.num"
	ReplicationQuotaWindowSizeSeconds             Key = "replication.quota.window.size.seconds"
	AlterLogDirsReplicationQuotaWindowNum         Key = "alter.log.dirs.replication.quota.window.num"
	AlterLogDirsReplicationQuotaWindowSizeSeconds Key = "alter.log.dirs.replication.quota.window.size.seconds"
	ClientQuotaCallbackClass                      Key = "client.quota.callback.class"
	MetricsNumSamples                             Key = "metrics.num.samples"
	MetricsSampleWindowMs                         Key = "metrics.sample.window.ms"
	MetricsRecordingLevel                         Key = "metrics.recording.level"
	MetricReporters                               Key = "metric.reporters"
	KafkaMetricsReporters                         Key = "kafka.metrics.reporters"
	KafkaMetricsPollingIntervalSecs               Key = "kafka.metrics.polling.interval.secs"
	TelemetryMaxBytes                             Key = "telemetry.max.bytes"
)

var quotasRows = []Row{
	{QuotaWindowNum, Int, "11", atLeast(1), ReadOnly, NoEffect, "Samples over which client quotas are measured."},
	{QuotaWindowSizeSeconds, Int, "1", atLeast(1), ReadOnly, NoEffect, "Length of each of those samples."},
	{ControllerQuotaWindowNum, Int, "11", atLeast(1), ReadOnly, NoEffect, "Samples over which quotas on topic changes are measured."},
	{ControllerQuotaWindowSizeSeconds, Int, "1", atLeast(1), ReadOnly, NoEffect, "Length of each of those samples."},
	{ReplicationQuotaWindowNum, Int, "11", atLeast(1), ReadOnly, NoEffect, "Samples over which replication quotas are measured."},
	{ReplicationQuotaWindowSizeSeconds, Int, "1", atLeast(1), ReadOnly, NoEffect, "Length of each of those samples."},
	{AlterLogDirsReplicationQuotaWindowNum, Int, "11", atLeast(1), ReadOnly, NoEffect, "Samples over which quotas on moves between directories are measured."},
	{AlterLogDirsReplicationQuotaWindowSizeSeconds, Int, "1", atLeast(1), ReadOnly, NoEffect, "Length of each of those samples."},
	{ClientQuotaCallbackClass, Class, None, nil, ReadOnly, Refused, "A plug-in that decides quotas."},
	{MetricsNumSamples, Int, "2", atLeast(1), ReadOnly, NoEffect, "Samples over which Kafka's own metrics are measured; metrics here are Prometheus counters."},
	{MetricsSampleWindowMs, Long, "30000", atLeast(1), ReadOnly, NoEffect, "Length of each of those samples."},
	{MetricsRecordingLevel, String, "INFO", nil, ReadOnly, NoEffect, "How detailed Kafka's own metrics are."},
	{MetricReporters, List, "org.apache.kafka.common.metrics.JmxReporter", listOrEmpty(), ClusterWide, NoEffect, "Plug-ins that take metrics; here they are read from /metrics."},
	{KafkaMetricsReporters, List, "", listOrEmpty(), ReadOnly, NoEffect, "Older plug-ins that take metrics; here they are read from /metrics."},
	{KafkaMetricsPollingIntervalSecs, Int, "10", atLeast(1), ReadOnly, NoEffect, "How often those plug-ins are given metrics."},
	{TelemetryMaxBytes, Int, "1048576", atLeast(1), ReadOnly, NoEffect, "The largest push of metrics that a client may send."},
}
