// Fetch, key 1, versions 4–18: records, by reference from the log to the socket.
//
//	v4   isolation level, last stable offset
//	v5   log start offset
//	v6   KAFKA_STORAGE_ERROR is known
//	v7   fetch sessions (KIP-227)
//	v9   current leader epoch (KIP-320)
//	v10  zstd is known (KIP-110); as Kafka 4.3, older versions get it all the same
//	v11  rack, preferred read replica (KIP-392)
//	v12  flexible; last fetched epoch, diverging epoch (KIP-595)
//	v13  topic ids (KIP-516)
//	v15  replica state in place of the replica id (KIP-903)
//	v16  current leader and its address (KIP-951)
//	v17  replica directory id
//	v18  the follower's high watermark (KIP-1166)
//
// Errors, for all of a request: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR,
// INVALID_REQUEST (isolation level). For a partition: TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION,
// UNKNOWN_TOPIC_ID, INVALID_FETCH_SIZE (a negative one), and those of partition.Read.
//
// What differs from Kafka: batches come whole, where Kafka cuts the last one at the byte limit. An isolation level or a
// size that does not exist has a code that says so in place of UNKNOWN_SERVER_ERROR.

package api

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
)

// topicIDsInFetch is the first version that names topics by id.
const topicIDsInFetch = 13

// fetch is one request: what it asks of each partition, what was read, and the wait for more.
//
// One goroutine at a time looks: it reads what there is, and answers, or arms a watch on every partition and parks the
// request. What happens to a parked request (a watch fires, its time is up, its connection ends) makes the goroutine that
// tells of it look again; what happens while somebody looks is left for that one to find.
type fetch struct {
	server *Server
	r      *Request
	req    *kmsg.FetchRequest
	visit  visit
	reader partition.Reader
	// replicaID is the follower's node id, -1 for a consumer.
	replicaID int32
	minBytes  int64
	maxBytes  int
	items     []fetched // whoever looks owns them

	wait Wait
	mu   struct { // guards the fields below
		sync.Mutex
		parked, done bool
		// entered: wait is in purgatory.
		entered bool
		// need is how many more bytes the client wants.
		need int64
		// news: there may be enough by now.
		news bool
		// over: the time is up. gone: so is the connection.
		over, gone bool
		watches    []watched
	}
}

// fetched is one partition of a fetch.
type fetched struct {
	key       partitionKey
	want      wanted
	topic     string // its name
	partition *partition.Partition
	// refused is why the partition was not even asked. As in Kafka, that alone does not end a wait for others.
	refused error
	err     error
	read    partition.ReadResult
}

// Fetch serves key 1.
func Fetch(s *Server, r *Request) {
	f := &fetch{server: s, r: r, req: r.Message.(*kmsg.FetchRequest)}
	if n := countPartitions(f.req); n > requestPartitionsMax {
		r.Close(tooManyPartitions(n))
		return
	}
	if err := f.begin(); err != nil {
		f.answerError(err)
		return
	}
	f.resolve()
	f.look()
}

func countPartitions(req *kmsg.FetchRequest) (n int) {
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	return n
}

// begin reads what the request says of itself, and takes it into its session.
func (f *fetch) begin() error {
	f.replicaID = f.req.ReplicaID
	if f.r.Version() >= 15 {
		f.replicaID = f.req.ReplicaState.ID
	}
	switch {
	case f.replicaID >= 0:
		f.reader = partition.Follower
	case f.req.IsolationLevel == 1:
		f.reader = partition.Committed
	case f.req.IsolationLevel != 0:
		return protocol.InvalidRequest
	}
	f.maxBytes = min(int(f.req.MaxBytes), f.server.FetchMaxBytes)
	f.minBytes = min(int64(f.req.MinBytes), int64(f.maxBytes))
	q := sessionRequest{
		id: f.req.SessionID, epoch: f.req.SessionEpoch, follower: f.reader == partition.Follower,
		byID: f.r.Version() >= topicIDsInFetch, asked: f.asked(), forgotten: f.forgotten(),
	}
	if f.r.Version() < 7 {
		q.id, q.epoch = 0, sessionClosing
	}
	var err error
	f.visit, f.items, err = f.server.FetchSessions.open(q)
	return err
}

// asked lists the partitions of the request, each once: as in Kafka, what came last counts.
func (f *fetch) asked() []fetched {
	list := make([]fetched, 0, countPartitions(f.req))
	var seen repeats[partitionKey]
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			key := partitionKey{t.Topic, t.TopicID, p.Partition}
			number, again := seen.before(key)
			if !again {
				number = len(list)
				list = append(list, fetched{key: key})
			}
			list[number].want = wanted{
				offset: p.FetchOffset, maxBytes: p.PartitionMaxBytes, currentLeaderEpoch: max(-1, p.CurrentLeaderEpoch),
				lastFetchedEpoch: max(-1, p.LastFetchedEpoch), logStart: p.LogStartOffset,
			}
		}
	}
	return list
}

func (f *fetch) forgotten() (list []partitionKey) {
	for i := range f.req.ForgottenTopics {
		t := &f.req.ForgottenTopics[i]
		for _, index := range t.Partitions {
			list = append(list, partitionKey{t.Topic, t.TopicID, index})
		}
	}
	return list
}

// resolve finds the partitions, and asks whether the client may read them. What it may not read, it does not hear of.
func (f *fetch) resolve() {
	denied := error(nil)
	if f.reader == partition.Follower && !f.server.Allowed(f.r, security.ClusterAction, security.Cluster, security.ClusterName) {
		denied = protocol.TopicAuthorizationFailed
	}
	var at *fetched // the topic's first
	for i := range f.items {
		it := &f.items[i]
		if at == nil || at.key.topic != it.key.topic || at.key.id != it.key.id {
			at = it
			it.topic, it.refused = f.topic(it.key, denied)
		} else {
			it.topic, it.refused = at.topic, at.topicRefused()
		}
		if it.refused == nil {
			it.partition, it.refused = f.server.findPartition(it.key.topic, it.key.id, f.byID(), it.key.index)
		}
		if it.refused == protocol.NotLeaderForPartition || it.refused == protocol.KafkaStorageError {
			it.err, it.refused = it.refused, nil // the partition is there: it has been asked
		}
	}
}

// topicRefused is what was refused of the topic, not of this partition.
func (it *fetched) topicRefused() error {
	if it.refused == protocol.UnknownTopicOrPartition {
		return nil
	}
	return it.refused
}

func (f *fetch) byID() bool { return f.r.Version() >= topicIDsInFetch }

// topic is a topic's name, or why the client gets nothing of it.
func (f *fetch) topic(key partitionKey, denied error) (name string, refused error) {
	name = key.topic
	if f.byID() {
		if name = f.server.topicName(key.id); name == "" {
			return "", protocol.UnknownTopicID
		}
	}
	if denied == nil && f.reader != partition.Follower && !f.server.Allowed(f.r, security.Read, security.Topic, name) {
		denied = protocol.TopicAuthorizationFailed
	}
	return name, denied
}

// readAll reads every partition, in order, while there is room: the first that has anything gives at least one batch, the
// others only what fits. enough: there is something that the client is to hear at once.
func (f *fetch) readAll() (bytes int64, enough bool) {
	room, atLeastOne := f.maxBytes, true
	tried := 0
	for i := range f.items {
		it := &f.items[i]
		it.read.Slice.Release()
		it.read = partition.ReadResult{}
		if it.refused != nil {
			continue
		}
		tried++
		if it.partition != nil {
			it.err = f.read(it, room, atLeastOne)
		}
		n := it.read.Slice.Bytes
		if n > 0 {
			atLeastOne = false
			room = max(0, room-n)
			bytes += int64(n)
		}
		more := n > 0 && it.read.Slice.NextOffset < it.read.Bound // in the next segment, or beyond the limits
		enough = enough || more || it.err != nil || it.read.Diverging != nil
	}
	return bytes, enough || tried == 0
}

func (f *fetch) read(it *fetched, room int, atLeastOne bool) (err error) {
	if room < 0 || it.want.maxBytes < 0 {
		return protocol.InvalidFetchSize
	}
	it.read, err = it.partition.Read(partition.ReadRequest{
		Access: partition.Access{
			CurrentLeaderEpoch: it.want.currentLeaderEpoch,
			// Clients that know of leader epochs may read from a follower (KIP-392), and so may a debugger.
			AnyReplica: f.replicaID == debugger || f.reader != partition.Follower && f.r.Version() >= 11,
		},
		Reader: f.reader, ReplicaID: f.replicaID, ReplicaLogStart: it.want.logStart,
		Offset: it.want.offset, LastFetchedEpoch: it.want.lastFetchedEpoch,
		MaxBytes: min(int(it.want.maxBytes), room), AtLeastOne: atLeastOne,
	})
	return err
}

// debugger is the replica id of a client that reads from any replica. Source: FetchRequest.DEBUGGING_CONSUMER_ID.
const debugger = -2
