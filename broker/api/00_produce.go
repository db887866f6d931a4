// Produce, key 0, versions 3–13 (0–2 are advertised for librdkafka's sake and close the connection, as in Kafka): batches
// to append.
//
//	v3   record batches v2, one a partition; transactional id
//	v4   KAFKA_STORAGE_ERROR is known
//	v5   log start offset
//	v7   zstd (KIP-110)
//	v8   which records were refused, and a message (KIP-467)
//	v9   flexible
//	v10  current leader and its address (KIP-951)
//	v13  topic ids
//
// Errors, each for a partition: INVALID_REQUIRED_ACKS, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION,
// UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION (an internal topic), NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS,
// NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT (what was appended stays), KAFKA_STORAGE_ERROR, and those of
// record.Validate and logstore.Log.Append. TRANSACTIONAL_ID_AUTHORIZATION_FAILED for all of a request.
//
// What differs from Kafka: null records are INVALID_RECORD, where Kafka leaves the client without an answer. Transactional
// batches are UNSUPPORTED_VERSION, for a producer fatal and not retried: this build has no transactions.

package api

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

const (
	acksAll  = -1
	acksNone = 0
	acksOne  = 1
	// topicIDsInProduce is the first version that names topics by id.
	topicIDsInProduce = 13
	// adminClient is the client id that may write to internal topics. Source: kafka.admin.AdminUtils.
	adminClient = "__admin_client"
)

// produce is one request: a slot for each partition that it may write to, and for acks=all the wait for them.
type produce struct {
	server *Server
	r      *Request
	req    *kmsg.ProduceRequest
	resp   kmsg.ProduceResponse
	slots  []slot
	failed bool
	waits  waitAll
}

// slot is a partition to write to.
type slot struct {
	to        *target
	partition *partition.Partition
	records   []byte
	answer    *kmsg.ProduceResponseTopicPartition
}

// target is a topic to write to.
type target struct {
	topic *partition.Topic
	rules record.Rules
}

// Produce serves key 0.
func Produce(s *Server, r *Request) {
	p := &produce{server: s, r: r, req: r.Message.(*kmsg.ProduceRequest)}
	p.waits = waitAll{server: s, r: r, owner: p}
	total := 0
	for i := range p.req.Topics {
		total += len(p.req.Topics[i].Partitions)
	}
	if total > requestPartitionsMax {
		r.Close(tooManyPartitions(total))
		return
	}
	p.layOut(total)
	for i := range p.slots {
		if err := p.append(i); err != nil {
			p.refuse(p.slots[i].answer, p.slots[i].to.topic.Name, p.slots[i].partition, err)
		}
	}
	p.waits.start(p.req.TimeoutMillis)
}

// layOut makes the answers, and a slot for each partition that may be written to. As in Kafka, a partition that is named
// twice is written once, with the records that came last, and a topic without partitions is not answered.
func (p *produce) layOut(total int) {
	answers := make([]kmsg.ProduceResponseTopicPartition, 0, total)
	targets := make([]target, len(p.req.Topics))
	p.resp.Topics = make([]kmsg.ProduceResponseTopic, 0, len(p.req.Topics))
	var seen repeats[*partition.Partition]
	refused := p.refusal()
	for i := range p.req.Topics {
		t := &p.req.Topics[i]
		first := len(answers)
		name, err := p.target(t, &targets[i])
		if refused != nil {
			err = refused
		}
		for j := range t.Partitions {
			rp := &t.Partitions[j]
			found, err := p.find(&targets[i], err, rp.Partition)
			if err == nil {
				if number, again := seen.before(found); again {
					p.slots[number].records = rp.Records
					continue
				}
			}
			a := kmsg.NewProduceResponseTopicPartition()
			a.Partition, a.BaseOffset = rp.Partition, -1
			answers = append(answers, a)
			answer := &answers[len(answers)-1]
			if err != nil {
				p.refuse(answer, name, nil, err)
				continue
			}
			p.slots = append(p.slots, slot{to: &targets[i], partition: found, records: rp.Records, answer: answer})
		}
		if len(answers) > first {
			p.resp.Topics = append(p.resp.Topics, kmsg.ProduceResponseTopic{
				Topic: t.Topic, TopicID: t.TopicID, Partitions: answers[first:len(answers):len(answers)],
			})
		}
	}
}

// refusal is why the whole request is refused: it holds transactional batches of a transactional id that the client may
// not write for, or of none.
func (p *produce) refusal() error {
	for i := range p.req.Topics {
		for j := range p.req.Topics[i].Partitions {
			if !isTransactional(p.req.Topics[i].Partitions[j].Records) {
				continue
			}
			id := p.req.TransactionID
			if id == nil || !p.server.Allowed(p.r, security.Write, security.TransactionalID, *id) {
				return protocol.TransactionalIDAuthorizationFailed
			}
			return nil
		}
	}
	return nil
}

// isTransactional looks at a batch's attributes before anything is checked.
func isTransactional(records []byte) bool {
	return len(records) >= record.HeaderBytes && record.Batch(records).Magic() == record.Magic && record.Batch(records).IsTransactional()
}

// target looks a topic up and asks whether the client may write to it. What it may not write to, it does not hear of.
func (p *produce) target(t *kmsg.ProduceRequestTopic, to *target) (name string, err error) {
	name = t.Topic
	if p.r.Version() >= topicIDsInProduce {
		if name = p.server.topicName(t.TopicID); name == "" {
			return "", protocol.UnknownTopicID
		}
	}
	if !p.server.Allowed(p.r, security.Write, security.Topic, name) {
		return name, protocol.TopicAuthorizationFailed
	}
	if to.topic = p.server.Partitions.Topic(name); to.topic == nil {
		return name, protocol.UnknownTopicOrPartition
	}
	to.rules = rulesFor(to.topic, p.r.Version(), p.r.Now)
	return name, nil
}

// find is the partition to write to, unless err says why none of its topic is.
func (p *produce) find(to *target, err error, index int32) (*partition.Partition, error) {
	if err != nil {
		return nil, err
	}
	found, err := p.server.Partitions.FindByID(to.topic.ID, index)
	switch {
	case err == protocol.UnknownTopicID: // deleted since
		return nil, protocol.UnknownTopicOrPartition
	case err != nil:
		return nil, err
	case cluster.IsInternal(to.topic.Name) && p.r.ClientID() != adminClient:
		return nil, protocol.InvalidTopicException
	case p.req.Acks != acksAll && p.req.Acks != acksNone && p.req.Acks != acksOne:
		return nil, protocol.InvalidRequiredAcks
	}
	return found, nil
}

// append checks one partition's records and appends them.
func (p *produce) append(i int) error {
	s := &p.slots[i]
	if isTransactional(s.records) {
		return protocol.Errorf(protocol.UnsupportedVersion, "This broker has no transactions yet: produce without a transactional.id.")
	}
	valid, err := record.Validate(s.records, s.to.rules)
	if err != nil {
		s.answer.ErrorRecords = errorRecords(valid.RecordErrors)
		return err
	}
	appended, err := s.partition.Produce(valid.Batch, p.req.Acks == acksAll)
	if err != nil {
		return err
	}
	s.answer.BaseOffset, s.answer.LogAppendTime = appended.FirstOffset, appended.LogAppendTimeMs
	s.answer.LogStartOffset = appended.LogStart
	if p.req.Acks == acksAll {
		p.waits.places = append(p.waits.places, place{
			partition: s.partition, mark: partition.HighWatermark, at: appended.LastOffset + 1, epoch: appended.Epoch, index: i,
		})
	}
	return nil
}

func errorRecords(errs []record.RecordError) (list []kmsg.ProduceResponseTopicPartitionErrorRecord) {
	for i := range errs {
		e := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		e.RelativeOffset, e.ErrorMessage = errs[i].Index, &errs[i].Message
		list = append(list, e)
	}
	return list
}

// refuse answers a partition with an error. found is nil where the partition itself was not asked.
func (p *produce) refuse(a *kmsg.ProduceResponseTopicPartition, topic string, found *partition.Partition, err error) {
	code := storageErrorFor(protocol.CodeOf(err), p.r.Version() >= 4)
	a.ErrorCode, a.ErrorMessage = int16(code), protocol.MessageOf(err)
	a.BaseOffset, a.LogAppendTime, a.LogStartOffset = -1, -1, -1
	if found != nil && saysLogStart(code) {
		a.LogStartOffset = found.LogStart()
	}
	if code == protocol.NotLeaderForPartition && p.r.Version() >= 10 {
		a.CurrentLeader.LeaderID, a.CurrentLeader.LeaderEpoch = p.server.leaderOf(topic, a.Partition)
	}
	p.failed = true
}

// saysLogStart tells for which refusals of a partition its log start is told.
// Source: kafka.server.ReplicaManager.appendRecordsToLeader.
func saysLogStart(code protocol.Code) bool {
	switch code {
	case protocol.UnknownTopicOrPartition, protocol.NotLeaderForPartition, protocol.KafkaStorageError, protocol.MessageTooLarge,
		protocol.RecordListTooLarge, protocol.CorruptMessage, protocol.UnsupportedCompressionType:
		return false
	}
	return true
}

// settled hears that a partition's batch is committed, or is not yet or will never be.
func (p *produce) settled(index int, err error) {
	s := &p.slots[index]
	if err == nil && !s.partition.EnoughInSync() {
		err = protocol.NotEnoughReplicasAfterAppend
	}
	if err != nil {
		p.refuse(s.answer, s.to.topic.Name, s.partition, err)
	}
}

func (p *produce) reply() {
	switch {
	case p.req.Acks == acksNone && p.failed:
		p.r.Close(errAcksNone) // all that a client with acks=0 can hear
	case p.req.Acks == acksNone:
		p.r.NoReply()
	default:
		if p.failed && p.r.Version() >= 10 {
			p.addLeaders()
		}
		p.r.Reply(&p.resp)
	}
}

var errAcksNone = errors.New("a produce with acks=0 failed")

func (p *produce) addLeaders() {
	var l leaders
	for i := range p.resp.Topics {
		for j := range p.resp.Topics[i].Partitions {
			l.add(p.server, p.r, p.resp.Topics[i].Partitions[j].CurrentLeader.LeaderID)
		}
	}
	for i, node := range l.nodes {
		p.resp.Brokers = append(p.resp.Brokers, kmsg.ProduceResponseBroker{
			NodeID: node, Host: l.endpoints[i].Host, Port: l.endpoints[i].Port, Rack: l.endpoints[i].Rack,
		})
	}
}
