package config

// Ottla's own keys, which Kafka does not have.
const (
	AllowAnonymous Key = "allow.anonymous"
	ClusterID      Key = "cluster.id"
	HTTPListen     Key = "http.listen"
	LogDurability  Key = "log.durability"
	LoggingFormat  Key = "logging.format"
	LoggingLevel   Key = "logging.level"
)

var oursRows = []Row{
	{AllowAnonymous, Boolean, "false", nil, ReadOnly, Served, "Whether clients may connect without authentication on a listener that other machines reach."},
	{ClusterID, String, None, nonEmpty, ReadOnly, Served, "The cluster id to take at the first start; later it must be the data directory's."},
	{HTTPListen, String, "localhost:9404", hostPortOrEmpty, ReadOnly, Served, "HOST:PORT of health, readiness and metrics; empty for none."},
	{LogDurability, String, "fsync", oneOf("fsync", "pagecache"), ClusterWide, Served, "When a write counts as durable: fsync once it is on disk, pagecache once the operating system has it, as Kafka does."},
	{LoggingFormat, String, "text", oneOf("text", "json"), ReadOnly, Served, "How log lines are written."},
	{LoggingLevel, String, "info", oneOf("debug", "info", "warn", "error"), ReadOnly, Served, "The lowest level of log lines that are written."},
}
