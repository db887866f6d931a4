package config

// Serving fetches.
const (
	FetchMaxBytes                               Key = "fetch.max.bytes"
	MaxIncrementalFetchSessionCacheSlots        Key = "max.incremental.fetch.session.cache.slots"
	FetchPurgatoryPurgeIntervalRequests         Key = "fetch.purgatory.purge.interval.requests"
	ProducerPurgatoryPurgeIntervalRequests      Key = "producer.purgatory.purge.interval.requests"
	DeleteRecordsPurgatoryPurgeIntervalRequests Key = "delete.records.purgatory.purge.interval.requests"
	ShareFetchPurgatoryPurgeIntervalRequests    Key = "share.fetch.purgatory.purge.interval.requests"
)

var fetchRows = []Row{
	{FetchMaxBytes, Int, "57671680", atLeast(1024), ReadOnly, Served, "Bytes of one fetch response at most."},
	{MaxIncrementalFetchSessionCacheSlots, Int, "1000", atLeast(0), ReadOnly, Served, "Fetch sessions that are kept at once."},
	{FetchPurgatoryPurgeIntervalRequests, Int, "1000", nil, ReadOnly, NoEffect, "How often fetches that wait are swept; here they leave by themselves."},
	{ProducerPurgatoryPurgeIntervalRequests, Int, "1000", nil, ReadOnly, NoEffect, "How often produces that wait are swept; here they leave by themselves."},
	{DeleteRecordsPurgatoryPurgeIntervalRequests, Int, "1", nil, ReadOnly, NoEffect, "How often deletions that wait are swept; here they leave by themselves."},
	{ShareFetchPurgatoryPurgeIntervalRequests, Int, "1000", nil, ReadOnly, NoEffect, "How often share fetches that wait are swept; here they leave by themselves."},
}
