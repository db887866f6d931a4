package config

// Ottla's own keys, which Kafka does not have.
const (
	AllowAnonymous          Key = "allow.anonymous"
	ClusterID               Key = "cluster.id"
	HTTPListen              Key = "http.listen"
	LogDirFreeMinBytes      Key = "log.dir.free.min.bytes"
	LogDirFreeWarnBytes     Key = "log.dir.free.warn.bytes"
	LogDurability           Key = "log.durability"
	LogRetentionDiskPercent Key = "log.retention.disk.percent"
	LogScrubBytesPerSecond  Key = "log.scrub.bytes.per.second"
	LogScrubIntervalHours   Key = "log.scrub.interval.hours"
	LoggingFormat           Key = "logging.format"
	LoggingLevel            Key = "logging.level"
)

var oursRows = []Row{
	{AllowAnonymous, Boolean, "false", nil, ReadOnly, Served, "Whether clients may connect without authentication on a listener that other machines reach."},
	{ClusterID, String, None, nonEmpty, ReadOnly, Served, "The cluster id to take at the first start; later it must be the data directory's."},
	{HTTPListen, String, "localhost:9404", hostPortOrEmpty, ReadOnly, Served, "HOST:PORT of health, readiness and metrics; empty for none."},
	{LogDirFreeMinBytes, Long, "-1", atLeast(-1), ClusterWide, Served, "Free bytes of a data directory's disk below which produced records are refused, so that all else goes on; -1 for 5 %, at most 1 GiB; 0 for no limit."},
	{LogDirFreeWarnBytes, Long, "-1", atLeast(-1), ClusterWide, Served, "Free bytes below which the log warns; -1 for twice what log.dir.free.min.bytes keeps; 0 for never."},
	{LogDurability, String, "fsync", oneOf("fsync", "pagecache"), ClusterWide, Served, "When a write counts as durable: fsync once it is on disk, pagecache once the operating system has it, as Kafka does."},
	{LogRetentionDiskPercent, Int, "0", between(0, 99), ClusterWide, Served, "Percentage of a data directory's disk that may be in use: beyond it the oldest segments of all topics with cleanup.policy=delete go; 0 for no such bound."},
	{LogScrubBytesPerSecond, Long, "4194304", atLeast(0), ReadOnly, Served, "Bytes of each data directory that are read and verified each second in search of damage, while a round goes on; 0 for no search."},
	{LogScrubIntervalHours, Int, "168", atLeast(0), ReadOnly, Served, "Hours between two such rounds over all records; 0 for none."},
	{LoggingFormat, String, "text", oneOf("text", "json"), ReadOnly, Served, "How log lines are written."},
	{LoggingLevel, String, "info", oneOf("debug", "info", "warn", "error"), ReadOnly, Served, "The lowest level of log lines that are written."},
}
