package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/protocol"
)

// answer tells what was read, all of it or what the session has not told yet, and gives the files to the connection.
func (f *fetch) answer() {
	a := fetchAnswer{fetch: f}
	var include []bool
	a.resp.SessionID, include = f.visit.close(f.items)
	a.resp.SetVersion(f.r.Version())
	a.layOut(include)
	parts, size := protocol.FetchParts(f.r.Header.CorrelationID, &a.resp, a.records)
	f.r.ReplyParts(parts, size, f.release)
}

// answerError answers a request that is refused as a whole. Before v7 there is no place for that but every partition.
func (f *fetch) answerError(err error) {
	resp := kmsg.NewPtrFetchResponse()
	resp.ErrorCode = int16(protocol.CodeOf(err))
	if f.r.Version() < 7 {
		for i := range f.req.Topics {
			t := kmsg.NewFetchResponseTopic()
			t.Topic = f.req.Topics[i].Topic
			for j := range f.req.Topics[i].Partitions {
				t.Partitions = append(t.Partitions, refusedPartition(f.req.Topics[i].Partitions[j].Partition, protocol.CodeOf(err)))
			}
			resp.Topics = append(resp.Topics, t)
		}
	}
	f.r.Reply(resp)
}

func refusedPartition(index int32, code protocol.Code) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode, p.HighWatermark = index, int16(code), -1
	p.RecordBatches = []byte{}
	return p
}

// told is what the answer says, as far as the session cares.
func (it *fetched) told() told {
	t := told{highWatermark: it.read.HighWatermark, logStart: it.read.LogStart,
		hasRecords: it.read.Slice.Bytes > 0, always: it.read.Diverging != nil}
	if it.refused != nil || it.err != nil {
		t.highWatermark, t.logStart, t.failed = -1, -1, true
	}
	return t
}

// fetchAnswer is a response while it is made.
type fetchAnswer struct {
	*fetch
	resp kmsg.FetchResponse
	// order is which item each partition of the response is, and first where in order each topic begins.
	order []int32
	first []int
}

// layOut makes the response but for the records. As in Kafka, neighbours of one topic stand together.
func (a *fetchAnswer) layOut(include []bool) {
	a.order = make([]int32, 0, len(a.items))
	for i := range a.items {
		if include == nil || include[i] {
			a.order = append(a.order, int32(i))
		}
	}
	partitions := make([]kmsg.FetchResponseTopicPartition, 0, len(a.order))
	for at := 0; at < len(a.order); {
		head, from := &a.items[a.order[at]], at
		for at < len(a.order) && a.items[a.order[at]].sameTopic(head) {
			partitions = append(partitions, a.partition(&a.items[a.order[at]]))
			at++
		}
		a.first = append(a.first, from)
		a.resp.Topics = append(a.resp.Topics, kmsg.FetchResponseTopic{
			Topic: head.key.topic, TopicID: head.key.id, Partitions: partitions[from:at:at],
		})
	}
	a.addLeaders(partitions)
}

func (it *fetched) sameTopic(o *fetched) bool {
	return it.key.id == o.key.id && it.key.topic == o.key.topic
}

// records are the parts of a partition, for protocol.FetchParts.
func (a *fetchAnswer) records(topic, index int) ([]protocol.Part, int32) {
	slice := &a.items[a.order[a.first[topic]+index]].read.Slice
	return slice.Parts, int32(slice.Bytes)
}

// partition answers for one partition.
func (a *fetchAnswer) partition(it *fetched) kmsg.FetchResponseTopicPartition {
	if it.refused != nil {
		p := refusedPartition(it.key.index, protocol.CodeOf(it.refused))
		p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{} // as Kafka, which says null below
		return p
	}
	if it.err != nil {
		return a.failedPartition(it)
	}
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition = it.key.index
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = it.read.HighWatermark, it.read.LastStable, it.read.LogStart
	if it.read.Diverging != nil {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = it.read.Diverging.Epoch, it.read.Diverging.EndOffset
	}
	if a.reader == partition.Committed {
		p.AbortedTransactions = make([]kmsg.FetchResponseTopicPartitionAbortedTransaction, 0, len(it.read.Aborted))
	}
	for _, t := range it.read.Aborted {
		aborted := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		aborted.ProducerID, aborted.FirstOffset = t.ProducerID, t.FirstOffset
		p.AbortedTransactions = append(p.AbortedTransactions, aborted)
	}
	return p
}

func (a *fetchAnswer) failedPartition(it *fetched) kmsg.FetchResponseTopicPartition {
	code := storageErrorFor(protocol.CodeOf(it.err), a.r.Version() >= 6)
	p := refusedPartition(it.key.index, code)
	if a.r.Version() >= 16 && (code == protocol.NotLeaderForPartition || code == protocol.FencedLeaderEpoch) {
		p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = a.server.leaderOf(it.topic, it.key.index)
	}
	return p
}

func (a *fetchAnswer) addLeaders(partitions []kmsg.FetchResponseTopicPartition) {
	if a.r.Version() < 16 {
		return
	}
	var l leaders
	for i := range partitions {
		l.add(a.server, a.r, partitions[i].CurrentLeader.LeaderID)
	}
	for i, node := range l.nodes {
		a.resp.Brokers = append(a.resp.Brokers, kmsg.FetchResponseBroker{
			NodeID: node, Host: l.endpoints[i].Host, Port: l.endpoints[i].Port, Rack: l.endpoints[i].Rack,
		})
	}
}
