// DescribeTopicPartitions, key 75, version 0: topics with their partitions, a page at a time, in the order of the names.
//
// Errors, per topic: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, TOPIC_AUTHORIZATION_FAILED; INVALID_REQUEST for
// all topics where the cursor is below zero or on none of the topics asked for. A partition without a leader that is alive
// has leader -1 and no error, as with Kafka.
//
// No topics asked for means all; those that the client may not see are then left out. Never creates a topic. An empty
// name is an invalid one (Kafka: UNKNOWN_SERVER_ERROR).

package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// DescribeTopicPartitions serves key 75.
func DescribeTopicPartitions(s *Server, r *Request) {
	req := r.Message.(*kmsg.DescribeTopicPartitionsRequest)
	p := topicPage{s: s, r: r, image: s.Cluster.Image(), resp: kmsg.NewPtrDescribeTopicPartitionsResponse()}
	p.left = max(1, min(int(req.ResponsePartitionLimit), s.Config().Int(config.MaxRequestPartitionSizeLimit)))
	if req.Cursor != nil {
		p.cursor = *req.Cursor
	}
	names := make([]string, len(req.Topics))
	for n, t := range req.Topics {
		names[n] = t.Topic
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if req.Cursor != nil && !p.cursorFits(names) {
		p.refuse(names)
	} else {
		p.fill(names)
	}
	r.Reply(p.resp)
}

// topicPage is an answer being filled.
type topicPage struct {
	s      *Server
	r      *Request
	image  *cluster.Image
	resp   *kmsg.DescribeTopicPartitionsResponse
	cursor kmsg.DescribeTopicPartitionsRequestCursor // where to begin: zero for the beginning
	left   int                                       // partitions that the page has room for
}

// cursorFits: it must be on one of the topics, where topics are named.
func (p *topicPage) cursorFits(names []string) bool {
	_, named := slices.BinarySearch(names, p.cursor.Topic)
	return p.cursor.Partition >= 0 && (named || len(names) == 0)
}

// refuse answers INVALID_REQUEST for every topic.
func (p *topicPage) refuse(names []string) {
	for _, name := range names {
		p.add(p.topic(name, protocol.InvalidRequest))
	}
}

// fill answers from the cursor on, until the page is full.
func (p *topicPage) fill(names []string) {
	if len(names) == 0 {
		for t := range p.image.TopicsFrom(p.cursor.Topic) {
			if !p.s.Allowed(p.r, security.Describe, security.Topic, t.Name) {
				continue
			}
			if !p.describe(t.Name, t) {
				return
			}
		}
		return
	}
	for _, name := range names {
		if name < p.cursor.Topic {
			continue
		}
		if !p.s.Allowed(p.r, security.Describe, security.Topic, name) {
			p.add(p.topic(name, protocol.TopicAuthorizationFailed))
			continue
		}
		if !p.describe(name, p.image.Topic(name)) {
			return
		}
	}
}

// describe adds a topic with as many partitions as there is room for. It returns false when the page is full and the next
// one must begin here.
func (p *topicPage) describe(name string, t *cluster.Topic) bool {
	if p.left == 0 {
		p.next(name, 0)
		return false
	}
	if t == nil {
		code := protocol.UnknownTopicOrPartition
		if cluster.ValidateTopicName(name) != nil {
			code = protocol.InvalidTopicException
		}
		rt := p.topic(name, code)
		rt.AuthorizedOperations = p.s.AuthorizedOperations(p.r, security.Topic, name)
		p.add(rt)
		return true
	}
	rt := p.topic(name, protocol.None)
	rt.TopicID = t.ID
	rt.AuthorizedOperations = p.s.AuthorizedOperations(p.r, security.Topic, name)
	first := 0
	if name == p.cursor.Topic {
		first = min(int(p.cursor.Partition), len(t.Partitions))
	}
	end := min(first+p.left, len(t.Partitions))
	for n := first; n < end; n++ {
		rt.Partitions = append(rt.Partitions, p.partition(int32(n), t.Partitions[n]))
	}
	p.left -= end - first
	p.add(rt)
	if end < len(t.Partitions) {
		p.next(name, int32(end))
		return false
	}
	return true
}

func (p *topicPage) topic(name string, code protocol.Code) kmsg.DescribeTopicPartitionsResponseTopic {
	rt := kmsg.NewDescribeTopicPartitionsResponseTopic()
	rt.Topic, rt.ErrorCode, rt.IsInternal = &name, int16(code), cluster.IsInternal(name)
	rt.AuthorizedOperations = operationsNotAsked
	return rt
}

func (p *topicPage) add(rt kmsg.DescribeTopicPartitionsResponseTopic) {
	p.resp.Topics = append(p.resp.Topics, rt)
}

func (p *topicPage) next(topic string, partition int32) {
	cursor := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	cursor.Topic, cursor.Partition = topic, partition
	p.resp.NextCursor = &cursor
}

// partition is one partition. The lists of eligible replicas are empty, never null: Java's Admin throws on null.
func (p *topicPage) partition(index int32, of *cluster.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	rp := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	rp.Partition, rp.LeaderID, rp.LeaderEpoch = index, of.Leader, of.LeaderEpoch
	rp.Replicas, rp.ISR = of.Replicas, of.ISR
	rp.EligibleLeaderReplicas, rp.LastKnownELR = of.ELR, of.LastKnownELR
	for _, id := range of.Replicas {
		if !p.image.Alive(id) {
			rp.OfflineReplicas = append(rp.OfflineReplicas, id)
		}
	}
	if !p.image.Alive(of.Leader) {
		rp.LeaderID = cluster.NoLeader
	}
	return rp
}
