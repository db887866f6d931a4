// DeleteTopics, key 20, versions 1–6.
//
//	v3  TOPIC_DELETION_DISABLED   v5  error messages, quota errors per topic   v6  by name or by id
//
// Errors, per topic: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_REQUEST, TOPIC_AUTHORIZATION_FAILED,
// TOPIC_DELETION_DISABLED, REQUEST_TIMED_OUT, NOT_CONTROLLER, KAFKA_STORAGE_ERROR.
//
// A topic that is named by its id, to somebody who may not see it, keeps its name to itself. As with Kafka, a time-out of
// 0 or less deletes nothing.

package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// deletion is one topic to delete: what was asked, what it was found to be, and what came of it.
type deletion struct {
	name *string
	id   cluster.TopicID
	err  error
}

// DeleteTopics serves key 20.
func DeleteTopics(s *Server, r *Request) {
	req := r.Message.(*kmsg.DeleteTopicsRequest)
	deletions := distinctDeletions(req, r.Version())
	s.resolveDeletions(r, deletions)
	s.deleteTopics(r, req.TimeoutMillis, deletions)
	resp := kmsg.NewPtrDeleteTopicsResponse()
	for _, d := range deletions {
		rt := kmsg.NewDeleteTopicsResponseTopic()
		rt.Topic, rt.TopicID = d.name, d.id
		rt.ErrorCode, rt.ErrorMessage = codeAndMessage(d.err)
		resp.Topics = append(resp.Topics, rt)
	}
	r.Reply(resp)
}

// distinctDeletions are the topics asked for, each once; with an error those that are not named as they must be.
func distinctDeletions(req *kmsg.DeleteTopicsRequest, version int16) []*deletion {
	var all []*deletion
	if version < 6 {
		for _, name := range req.TopicNames {
			all = append(all, &deletion{name: &name})
		}
	}
	for _, t := range req.Topics {
		all = append(all, &deletion{name: t.Topic, id: t.TopicID})
	}
	type key struct {
		named bool
		name  string
		id    cluster.TopicID
	}
	keyOf := func(d *deletion) key {
		if d.name != nil {
			return key{true, *d.name, d.id}
		}
		return key{id: d.id}
	}
	twice := duplicates(all, keyOf)
	told := map[key]bool{}
	distinct := all[:0]
	for _, d := range all {
		k := keyOf(d)
		if told[k] {
			continue
		}
		invalid := func(message string) { d.err = protocol.Errorf(protocol.InvalidRequest, "%s", message) }
		noID := d.id == (cluster.TopicID{})
		switch {
		case d.name != nil && !noID:
			invalid("A topic is deleted by its name or by its id, not by both.")
		case d.name == nil && noID:
			invalid("A topic to delete needs a name or an id.")
		case twice[k]:
			invalid("The topic is named more than once in the request.")
		}
		told[k] = twice[k]
		distinct = append(distinct, d)
	}
	return distinct
}

// resolveDeletions finds the topics that may be deleted and gives the others their errors.
func (s *Server) resolveDeletions(r *Request, deletions []*deletion) {
	image := s.Cluster.Image()
	denied := protocol.Errorf(protocol.TopicAuthorizationFailed, "This needs DELETE on the topic.")
	byID := map[cluster.TopicID]bool{}
	for _, d := range deletions {
		if d.err != nil || d.name != nil {
			continue
		}
		t := image.TopicByID(d.id)
		if t == nil {
			d.err = protocol.Errorf(protocol.UnknownTopicID, "There is no topic with this id; it may have been deleted.")
			continue
		}
		byID[d.id] = true
		if s.Allowed(r, security.Describe, security.Topic, t.Name) {
			d.name = &t.Name
		}
		if !s.Allowed(r, security.Delete, security.Topic, t.Name) {
			d.err = denied
		}
	}
	for _, d := range deletions {
		if d.err != nil || d.id != (cluster.TopicID{}) {
			continue
		}
		t := image.Topic(*d.name)
		switch {
		case !s.Allowed(r, security.Delete, security.Topic, *d.name):
			d.err = denied
		case t == nil:
			d.err = protocol.Errorf(protocol.UnknownTopicOrPartition, "There is no such topic.")
		case byID[t.ID]:
			d.id = t.ID
			d.err = protocol.Errorf(protocol.InvalidRequest, "The topic is named by its name and by its id in one request.")
		default:
			d.id = t.ID
		}
	}
}

// deleteTopics deletes the topics that have no error yet.
func (s *Server) deleteTopics(r *Request, timeoutMs int32, deletions []*deletion) {
	var todo []*deletion
	var ids []cluster.TopicID
	for _, d := range deletions {
		if d.err == nil {
			todo, ids = append(todo, d), append(ids, d.id)
		}
	}
	if len(todo) == 0 {
		return
	}
	if !s.Config().Bool(config.DeleteTopicEnable) {
		code := protocol.TopicDeletionDisabled
		if r.Version() < 3 {
			code = protocol.InvalidRequest
		}
		for _, d := range todo {
			d.err, d.id = protocol.Errorf(code, "Topics cannot be deleted: delete.topic.enable is false."), cluster.TopicID{}
		}
		return
	}
	var errs []error
	err := s.propose(timeoutMs, func(image *cluster.Image, _ time.Time) (records []cluster.Record, _ error) {
		records, errs = image.DeleteTopics(ids)
		return records, nil
	})
	for n, d := range todo {
		if d.err = err; err == nil {
			d.err = errs[n]
		}
	}
}
