// ListOffsets, key 2, versions 1–11: where a time stamp lies in a partition, or its beginning or end.
//
//	v2   isolation level
//	v4   leader epochs (KIP-320)
//	v5   OFFSET_NOT_AVAILABLE is known (KIP-207)
//	v6   flexible
//	v7   -3, the largest time stamp (KIP-734)
//	v8   -4, the earliest local offset (KIP-405)
//	v9   -5, the latest tiered offset (KIP-1005)
//	v10  a time-out, for lookups in tiered records
//	v11  -6, the earliest offset not yet tiered (KIP-1023)
//
// Errors, each for a partition: TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST (named twice),
// UNSUPPORTED_VERSION (a special time stamp that the version does not have), and those of partition.Lookup.

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
)

// specialSince is the version in which a special time stamp came.
var specialSince = map[int64]int16{
	partition.Latest: 0, partition.Earliest: 0, partition.LargestTime: 7, partition.EarliestLocal: 8,
	partition.LatestTiered: 9, partition.EarliestUpload: 11,
}

// ListOffsets serves key 2.
func ListOffsets(s *Server, r *Request) {
	req := r.Message.(*kmsg.ListOffsetsRequest)
	resp := kmsg.NewPtrListOffsetsResponse()
	total := 0
	for i := range req.Topics {
		total += len(req.Topics[i].Partitions)
	}
	if total > requestPartitionsMax {
		r.Close(tooManyPartitions(total))
		return
	}
	reader := partition.Uncommitted
	switch {
	case req.ReplicaID != -1:
		reader = partition.Follower
	case req.IsolationLevel == 1:
		reader = partition.Committed
	}
	twice := namedTwice(req)
	for i := range req.Topics {
		if rt := s.listTopicOffsets(r, req, &req.Topics[i], reader, twice); len(rt.Partitions) > 0 {
			resp.Topics = append(resp.Topics, rt)
		}
	}
	r.Reply(resp)
}

type namedPartition struct {
	topic string
	index int32
}

// namedTwice are the partitions that the request names more than once: each is refused, once.
func namedTwice(req *kmsg.ListOffsetsRequest) (twice map[namedPartition]bool) {
	var seen repeats[namedPartition]
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			key := namedPartition{req.Topics[i].Topic, req.Topics[i].Partitions[j].Partition}
			if _, again := seen.before(key); again {
				if twice == nil {
					twice = map[namedPartition]bool{}
				}
				twice[key] = true
			}
		}
	}
	return twice
}

func (s *Server) listTopicOffsets(r *Request, req *kmsg.ListOffsetsRequest, t *kmsg.ListOffsetsRequestTopic, reader partition.Reader, twice map[namedPartition]bool) kmsg.ListOffsetsResponseTopic {
	rt := kmsg.NewListOffsetsResponseTopic()
	rt.Topic = t.Topic
	allowed := s.Allowed(r, security.Describe, security.Topic, t.Topic)
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if refused, again := twice[namedPartition{t.Topic, p.Partition}]; again {
			if refused {
				twice[namedPartition{t.Topic, p.Partition}] = false // once
				rt.Partitions = append(rt.Partitions, listedOffset(p.Partition, r.Version(), partition.Position{}, protocol.InvalidRequest))
			}
			continue
		}
		at, err := partition.Position{}, error(protocol.TopicAuthorizationFailed)
		if allowed {
			at, err = s.lookup(r, req, t.Topic, p, reader)
		}
		rt.Partitions = append(rt.Partitions, listedOffset(p.Partition, r.Version(), at, err))
	}
	return rt
}

func (s *Server) lookup(r *Request, req *kmsg.ListOffsetsRequest, topic string, p *kmsg.ListOffsetsRequestTopicPartition, reader partition.Reader) (partition.Position, error) {
	if since, special := specialSince[p.Timestamp]; p.Timestamp < 0 && (!special || r.Version() < since) {
		return partition.Position{}, protocol.UnsupportedVersion
	}
	found, err := s.Partitions.Find(topic, p.Partition)
	if err != nil {
		return partition.Position{}, err
	}
	access := partition.Access{CurrentLeaderEpoch: p.CurrentLeaderEpoch, AnyReplica: req.ReplicaID == debugger}
	if r.Version() < 4 {
		access.CurrentLeaderEpoch = -1
	}
	return found.Lookup(p.Timestamp, reader, access)
}

func listedOffset(index int32, version int16, at partition.Position, err error) kmsg.ListOffsetsResponseTopicPartition {
	p := kmsg.NewListOffsetsResponseTopicPartition()
	p.Partition = index
	if err != nil {
		code := protocol.CodeOf(err)
		if code == protocol.OffsetNotAvailable && version < 5 {
			code = protocol.LeaderNotAvailable
		}
		p.ErrorCode = int16(code)
		p.Offset, p.Timestamp, p.LeaderEpoch = -1, -1, -1
		return p
	}
	p.Offset, p.Timestamp, p.LeaderEpoch = at.Offset, at.Timestamp, at.LeaderEpoch
	return p
}
