package api

import (
	"slices"
	"time"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Data is what the handlers that write and read records stand on. Server embeds it.
type Data struct {
	// Partitions are those that this broker holds.
	Partitions *partition.Set
	// Purgatory holds the requests that wait. The broker tells it when a connection ends.
	Purgatory *Purgatory
	// FetchSessions remember what consumers read (KIP-227).
	FetchSessions *FetchSessions
	// ProducerIDs hands out producer ids.
	ProducerIDs *ProducerIDs
	// FetchMaxBytes bounds the records of one Fetch response (fetch.max.bytes).
	FetchMaxBytes int
	// Dirs are the data directories.
	Dirs *logstore.Dirs
}

// findPartition is a partition as a request names it: by topic id where byID is set, by name otherwise.
func (s *Server) findPartition(topic string, id cluster.TopicID, byID bool, index int32) (*partition.Partition, error) {
	if byID {
		return s.Partitions.FindByID(id, index)
	}
	return s.Partitions.Find(topic, index)
}

// topicName is the name of a topic that a request names by its id, empty if there is none.
func (s *Server) topicName(id cluster.TopicID) string {
	if t := s.Partitions.TopicByID(id); t != nil {
		return t.Name
	}
	return ""
}

// leaderOf is who leads a partition, as far as this broker knows, and in which epoch; -1 and -1 for nobody.
func (s *Server) leaderOf(topic string, index int32) (node, epoch int32) {
	p := s.Cluster.Image().Partition(topic, index)
	if p == nil {
		return -1, -1
	}
	return p.Leader, p.LeaderEpoch
}

// leaders gathers the addresses of leaders that an answer names (KIP-951), each once.
type leaders struct {
	nodes     []int32
	endpoints []Endpoint
}

func (l *leaders) add(s *Server, r *Request, node int32) {
	if node < 0 || slices.Contains(l.nodes, node) {
		return
	}
	if e, ok := s.Endpoint(r.Conn, node); ok {
		l.nodes = append(l.nodes, node)
		l.endpoints = append(l.endpoints, e)
	}
}

// storageErrorFor is the code for a log that is offline as clients of a version know it: before KIP-112, it was a leader
// that is not there.
func storageErrorFor(code protocol.Code, known bool) protocol.Code {
	if code == protocol.KafkaStorageError && !known {
		return protocol.NotLeaderForPartition
	}
	return code
}

// rulesFor is what Produce checks of a batch for a topic.
func rulesFor(t *partition.Topic, version int16, now time.Time) record.Rules {
	c := t.Config()
	r := record.Rules{
		MaxBytes:          c.MaxMessageBytes,
		ProduceVersion:    version,
		NowMs:             now.UnixMilli(),
		LogAppendTime:     c.LogAppendTime,
		TimestampBeforeMs: c.MessageTimestampBeforeMaxMs,
		TimestampAfterMs:  c.MessageTimestampAfterMaxMs,
		Compacted:         c.Compact,
		Level:             record.DefaultLevel,
	}
	if c.CompressionType == "producer" {
		return r // as it came
	}
	codec, err := record.ParseCodec(c.CompressionType)
	r.Recompress, r.Codec = err == nil, codec // config knows no other names
	switch codec {
	case record.Gzip:
		r.Level = c.CompressionGzipLevel
	case record.LZ4:
		r.Level = c.CompressionLz4Level
	case record.Zstd:
		r.Level = c.CompressionZstdLevel
	}
	return r
}

// requestPartitionsMax bounds how many partitions one request may name. What it costs to answer for one is many times what
// it costs to name one.
const requestPartitionsMax = 200_000

func tooManyPartitions(total int) error {
	return protocol.Errorf(protocol.InvalidRequest, "a request names %d partitions, more than %d", total, requestPartitionsMax)
}
