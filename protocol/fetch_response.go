package protocol

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FetchParts encodes a whole Fetch response frame, versions 4 to 18, as parts: what is written here, and between that
// the records, which are never copied. records names those of a partition by its place in resp, in the order of resp, and
// how many bytes they are in all; resp's own RecordBatches are not looked at. Records are never null, as in Kafka.
//
// What resp holds is only written to versions that have it. size counts all bytes.
func FetchParts(correlationID int32, resp *kmsg.FetchResponse, records func(topic, partition int) (parts []Part, bytes int32)) (parts []Part, size int) {
	w := fetchWriter{version: resp.Version, flexible: resp.IsFlexible(), records: records}
	bytes, cuts := estimate(resp)
	w.buf, w.parts = make([]byte, 4, bytes), make([]Part, 0, cuts)
	w.buf = appendResponseHeader(w.buf, correlationID, resp)
	w.response(resp)
	w.cut()
	for _, p := range w.parts {
		size += int(p.Size())
	}
	binary.BigEndian.PutUint32(w.parts[0].Bytes, uint32(size-4))
	return w.parts, size
}

// fetchWriter writes what stands around the records.
type fetchWriter struct {
	version  int16
	flexible bool
	records  func(topic, partition int) ([]Part, int32)

	parts []Part
	// buf holds what was written since the last part.
	buf []byte
}

// estimate is about how many bytes and how many parts the response takes, with one part of records a partition.
func estimate(resp *kmsg.FetchResponse) (bytes, parts int) {
	bytes, parts = 64, 1
	for i := range resp.Topics {
		t := &resp.Topics[i]
		bytes += 32 + len(t.Topic) + 64*len(t.Partitions)
		parts += 2 * len(t.Partitions)
	}
	return bytes, parts
}

// cut ends the part that is being written.
func (w *fetchWriter) cut() {
	if len(w.buf) > 0 {
		w.parts = append(w.parts, Part{Bytes: w.buf[:len(w.buf):len(w.buf)]})
		w.buf = w.buf[len(w.buf):]
	}
}

func (w *fetchWriter) response(resp *kmsg.FetchResponse) {
	w.int32(resp.ThrottleMillis)
	if w.version >= 7 {
		w.int16(resp.ErrorCode)
		w.int32(resp.SessionID)
	}
	w.count(len(resp.Topics))
	for i := range resp.Topics {
		w.topic(i, &resp.Topics[i])
	}
	if w.flexible {
		w.brokers(resp.Brokers)
	}
}

func (w *fetchWriter) topic(i int, t *kmsg.FetchResponseTopic) {
	if w.version >= 13 {
		w.buf = append(w.buf, t.TopicID[:]...)
	} else {
		w.string(t.Topic)
	}
	w.count(len(t.Partitions))
	for j := range t.Partitions {
		p := &t.Partitions[j]
		w.partition(p)
		parts, bytes := w.records(i, j)
		w.length(int(bytes))
		w.splice(parts, bytes)
		if w.flexible {
			w.partitionTags(p)
		}
	}
	w.noTags()
}

// splice puts records between what is written before and after them.
func (w *fetchWriter) splice(parts []Part, bytes int32) {
	rest := int64(bytes)
	for _, p := range parts {
		rest -= p.Size()
	}
	if rest != 0 {
		panic("protocol: records are not as long as their length says")
	}
	if bytes > 0 {
		w.cut()
		w.parts = append(w.parts, parts...)
	}
}

// partition writes what stands before the records.
func (w *fetchWriter) partition(p *kmsg.FetchResponseTopicPartition) {
	w.int32(p.Partition)
	w.int16(p.ErrorCode)
	w.int64(p.HighWatermark)
	w.int64(p.LastStableOffset)
	if w.version >= 5 {
		w.int64(p.LogStartOffset)
	}
	if p.AbortedTransactions == nil {
		w.null()
	} else {
		w.count(len(p.AbortedTransactions))
	}
	for _, a := range p.AbortedTransactions {
		w.int64(a.ProducerID)
		w.int64(a.FirstOffset)
		w.noTags()
	}
	if w.version >= 11 {
		w.int32(p.PreferredReadReplica)
	}
}

// partitionTags writes what differs from the defaults: where a follower diverges, who leads now, and from which snapshot
// to read.
func (w *fetchWriter) partitionTags(p *kmsg.FetchResponseTopicPartition) {
	diverging := p.DivergingEpoch.Epoch != -1 || p.DivergingEpoch.EndOffset != -1
	leader := p.CurrentLeader.LeaderID != -1 || p.CurrentLeader.LeaderEpoch != -1
	snapshot := p.SnapshotID.EndOffset != -1 || p.SnapshotID.Epoch != -1
	w.buf = append(w.buf, bit(diverging)+bit(leader)+bit(snapshot))
	if diverging {
		w.tag(0, 4+8+1)
		w.int32(p.DivergingEpoch.Epoch)
		w.int64(p.DivergingEpoch.EndOffset)
		w.noTags()
	}
	if leader {
		w.tag(1, 4+4+1)
		w.int32(p.CurrentLeader.LeaderID)
		w.int32(p.CurrentLeader.LeaderEpoch)
		w.noTags()
	}
	if snapshot {
		w.tag(2, 8+4+1)
		w.int64(p.SnapshotID.EndOffset)
		w.int32(p.SnapshotID.Epoch)
		w.noTags()
	}
}

// brokers writes the response's tags: where the current leaders are (KIP-951).
func (w *fetchWriter) brokers(brokers []kmsg.FetchResponseBroker) {
	if len(brokers) == 0 || w.version < 16 {
		w.noTags()
		return
	}
	inner := fetchWriter{version: w.version, flexible: true}
	inner.count(len(brokers))
	for _, b := range brokers {
		inner.int32(b.NodeID)
		inner.string(b.Host)
		inner.int32(b.Port)
		if b.Rack == nil {
			inner.null()
		} else {
			inner.string(*b.Rack)
		}
		inner.noTags()
	}
	w.buf = append(w.buf, 1)
	w.tag(0, len(inner.buf))
	w.buf = append(w.buf, inner.buf...)
}

func (w *fetchWriter) int16(v int16) { w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(v)) }
func (w *fetchWriter) int32(v int32) { w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(v)) }
func (w *fetchWriter) int64(v int64) { w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(v)) }

// count writes the count of an array, and length that of bytes, which are alike.
func (w *fetchWriter) count(n int) {
	if w.flexible {
		w.buf = binary.AppendUvarint(w.buf, uint64(n)+1)
	} else {
		w.int32(int32(n))
	}
}

func (w *fetchWriter) length(n int) { w.count(n) }

// null writes a null array, or in a flexible version a null string.
func (w *fetchWriter) null() { w.count(-1) }

func (w *fetchWriter) string(s string) {
	if w.flexible {
		w.count(len(s))
	} else {
		w.int16(int16(len(s)))
	}
	w.buf = append(w.buf, s...)
}

func (w *fetchWriter) tag(number byte, bytes int) {
	w.buf = append(w.buf, number)
	w.buf = binary.AppendUvarint(w.buf, uint64(bytes))
}

func (w *fetchWriter) noTags() {
	if w.flexible {
		w.buf = append(w.buf, 0)
	}
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
