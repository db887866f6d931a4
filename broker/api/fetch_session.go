package api

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// FetchSessions remembers for clients which partitions they fetch, so that a request names only what changed and an answer
// only what there is to tell (KIP-227). A session that cannot be kept costs its client nothing but longer requests.
//
//	id 0, epoch 0     all partitions; begin a session if there is room
//	id S, epoch 0     the same, and forget S
//	id S, epoch -1    all partitions, no session; forget S
//	id S, epoch N     what changed in S, of which this is the Nth request
//
// Bounds: slots sessions, and partitionsMax partitions in all of them. Who needs room takes it by Kafka's rules (evict).
type FetchSessions struct {
	slots int
	now   func() time.Time

	mu struct { // guards the fields below, and kept, lastUsed and size of every session; taken after session.mu
		sync.Mutex
		byID       map[int32]*session
		partitions int
	}
}

// partitionsMax bounds the memory of all sessions: a partition takes about 200 bytes.
const partitionsMax = 200_000

// topicNameBytesMax is the longest name that a topic can have. No session is kept for longer ones.
const topicNameBytesMax = 249

// evictAfter is how long a session is safe from others that need its room.
// Source: kafka.server.KafkaServer, ServerConfigs.MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS.
const evictAfter = 2 * time.Minute

// session is one client's.
type session struct {
	id       int32
	follower bool // of another broker: goes before consumers when room is short
	byID     bool // names topics by id
	created  time.Time

	// Guarded by FetchSessions.mu.
	kept     bool
	lastUsed time.Time
	size     int // partitions, as counted in FetchSessions.mu.partitions

	mu         sync.Mutex // guards the fields below
	epoch      int32      // of the next request
	visited    bool       // a request is being answered: what it holds is many times its size, so there is one at a time
	order      []*remembered
	partitions map[partitionKey]*remembered
}

// partitionKey is a partition as a client names it: by topic name or by topic id, the other being zero.
type partitionKey struct {
	topic string
	id    cluster.TopicID
	index int32
}

// remembered is a partition of a session: what is asked of it and what was last told.
type remembered struct {
	key  partitionKey
	want wanted
	// highWatermark and logStart are -1 where the next answer must name the partition.
	highWatermark, logStart int64
}

// wanted is what a client asks of a partition.
type wanted struct {
	offset             int64
	maxBytes           int32
	currentLeaderEpoch int32
	lastFetchedEpoch   int32
	logStart           int64 // the follower's
}

// told is what the answer says of a partition, as far as sessions care. Of one that failed the positions are -1, so that
// its recovery is told too.
type told struct {
	highWatermark, logStart int64
	failed                  bool
	hasRecords              bool
	always                  bool // a diverging epoch, a preferred replica: to be told each time
}

// sessionRequest is what a Fetch says about its session.
type sessionRequest struct {
	id, epoch int32
	follower  bool
	byID      bool
	asked     []fetched // key and want
	forgotten []partitionKey
}

// visit is one request's part in its session.
type visit struct {
	sessions *FetchSessions
	request  sessionRequest
	// session is set for an incremental request, whose epoch was expected.
	session *session
}

// NewFetchSessions keeps up to slots sessions (max.incremental.fetch.session.cache.slots).
func NewFetchSessions(slots int, now func() time.Time) *FetchSessions {
	c := &FetchSessions{slots: slots, now: now}
	c.mu.byID = make(map[int32]*session)
	return c
}

const sessionClosing = -1

// open takes a request into its session and lists what it fetches, in order: the list is the caller's.
//
// Errors: FetchSessionIDNotFound, InvalidFetchSessionEpoch, FetchSessionTopicIDError.
func (c *FetchSessions) open(q sessionRequest) (v visit, list []fetched, err error) {
	v = visit{sessions: c, request: q}
	if q.epoch == 0 || q.epoch == sessionClosing {
		c.forget(q.id)
		return v, q.asked, nil
	}
	s := c.find(q.id)
	if s == nil {
		return v, nil, protocol.FetchSessionIDNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.epoch != q.epoch || s.visited:
		return v, nil, protocol.InvalidFetchSessionEpoch
	case s.byID != q.byID:
		return v, nil, protocol.FetchSessionTopicIDError
	case namesTooLong(q.asked):
		c.forget(s.id)
		return v, nil, protocol.FetchSessionIDNotFound
	}
	s.update(q)
	if len(s.order) == 0 {
		c.forget(s.id)
		return v, q.asked, nil
	}
	if !c.touch(s, len(s.order)) {
		return v, nil, protocol.FetchSessionIDNotFound
	}
	s.epoch = nextEpoch(s.epoch)
	v.session, s.visited = s, true
	list = make([]fetched, len(s.order))
	for i, p := range s.order {
		list[i].key, list[i].want = p.key, p.want
	}
	return v, list, nil
}

// nextEpoch goes from the largest to 1: 0 begins a session.
func nextEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// update takes what changed: partitions asked for anew or otherwise, and those forgotten. mu is held.
func (s *session) update(q sessionRequest) {
	for i := range q.asked {
		a := &q.asked[i]
		if p := s.partitions[a.key]; p != nil {
			p.want = a.want
			continue
		}
		p := &remembered{key: a.key, want: a.want, highWatermark: -1, logStart: -1}
		s.partitions[a.key] = p
		s.order = append(s.order, p)
	}
	forgot := false
	for _, key := range q.forgotten {
		if s.partitions[key] != nil {
			delete(s.partitions, key)
			forgot = true
		}
	}
	if forgot {
		s.keep(func(p *remembered) bool { return s.partitions[p.key] == p })
	}
}

// keep drops from order what is not to be kept.
func (s *session) keep(wanted func(*remembered) bool) {
	kept := s.order[:0]
	for _, p := range s.order {
		if wanted(p) {
			kept = append(kept, p)
		}
	}
	clear(s.order[len(kept):])
	s.order = kept
}

// close ends the visit with the partitions as they are to be answered. It returns the session id to answer, and which of
// them: include is nil for all.
func (v *visit) close(all []fetched) (id int32, include []bool) {
	if s := v.session; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.visited = false
		return s.id, s.answer(all)
	}
	if v.request.epoch != 0 {
		return 0, nil
	}
	return v.sessions.create(v.request, all), nil
}

// abandon ends a visit whose answer nobody waits for.
func (v *visit) abandon() {
	if v.session != nil {
		v.session.mu.Lock()
		defer v.session.mu.Unlock()
		v.session.visited = false
	}
}

// answer picks what to tell: what is not as it was told before. Partitions with records go to the end of the order, so
// that the next answer's bytes begin with others. mu is held.
func (s *session) answer(all []fetched) (include []bool) {
	include = make([]bool, len(all))
	var moved []*remembered
	for i := range all {
		p, t := s.partitions[all[i].key], all[i].told()
		if p == nil {
			continue
		}
		include[i] = t.always || t.failed || t.hasRecords || t.highWatermark != p.highWatermark || t.logStart != p.logStart
		p.highWatermark, p.logStart = t.highWatermark, t.logStart
		if t.hasRecords {
			moved = append(moved, p)
		}
	}
	if len(moved) > 0 && len(moved) < len(s.order) {
		gone := make(map[*remembered]bool, len(moved))
		for _, p := range moved {
			gone[p] = true
		}
		s.keep(func(p *remembered) bool { return !gone[p] })
		s.order = append(s.order, moved...)
	}
	return include
}

// create begins a session with what a first request asked and was told. It returns 0 where there is no room for one.
func (c *FetchSessions) create(q sessionRequest, all []fetched) int32 {
	if len(q.asked) == 0 || namesTooLong(q.asked) {
		return 0
	}
	now := c.now()
	s := &session{follower: q.follower, byID: q.byID, created: now, lastUsed: now, epoch: 1, size: len(q.asked), kept: true}
	if !c.admit(s) {
		return 0
	}
	s.mu.Lock() // nobody knows the id yet
	defer s.mu.Unlock()
	s.partitions = make(map[partitionKey]*remembered, len(q.asked))
	s.update(q)
	s.answer(all)
	return s.id
}

func namesTooLong(list []fetched) bool {
	for i := range list {
		if len(list[i].key.topic) > topicNameBytesMax {
			return true
		}
	}
	return false
}

// admit gives a new session its id, if there is room or it can be made.
func (c *FetchSessions) admit(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.mu.byID) >= c.slots || c.mu.partitions+s.size > partitionsMax {
		if !c.evict(s) {
			return false
		}
	}
	for s.id == 0 || c.mu.byID[s.id] != nil {
		s.id = rand.Int32N(math.MaxInt32) // hard to guess: ids are all that keeps sessions apart
	}
	c.mu.byID[s.id] = s
	c.mu.partitions += s.size
	return true
}

// evict removes a session for the sake of a new one: one that has not been used for two minutes; otherwise the least of
// those older than that (of consumers' of any age, if the new one is a follower's), if it is less than the new one.
// Followers' sessions stand above consumers', larger ones above smaller. mu is held.
// Source: kafka.server.FetchSessionCache.tryEvict.
func (c *FetchSessions) evict(newer *session) bool {
	now := c.now()
	var victim *session
	for _, s := range c.mu.byID {
		if now.Sub(s.lastUsed) > evictAfter {
			c.remove(s)
			return true
		}
		if now.Sub(s.created) > evictAfter || newer.follower && !s.follower {
			if victim == nil || s.below(victim) {
				victim = s
			}
		}
	}
	if victim == nil || !victim.below(newer) {
		return false
	}
	c.remove(victim)
	return true
}

// below orders sessions by what they are worth.
func (s *session) below(o *session) bool {
	if s.follower != o.follower {
		return o.follower
	}
	return s.size < o.size
}

func (c *FetchSessions) find(id int32) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.byID[id]
}

// forget ends a session.
func (c *FetchSessions) forget(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.mu.byID[id]; s != nil {
		c.remove(s)
	}
}

// touch counts a use of the session, and its size. It returns false for one that was evicted meanwhile, or that has grown
// beyond the room there is: then it is forgotten.
func (c *FetchSessions) touch(s *session, size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.kept {
		return false
	}
	c.mu.partitions += size - s.size
	s.size, s.lastUsed = size, c.now()
	if c.mu.partitions > partitionsMax {
		c.remove(s)
		return false
	}
	return true
}

func (c *FetchSessions) remove(s *session) {
	delete(c.mu.byID, s.id)
	c.mu.partitions -= s.size
	s.kept = false
}

// Len is the number of sessions kept.
func (c *FetchSessions) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.mu.byID)
}
