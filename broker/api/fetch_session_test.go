package api

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// sessionClient is a client that keeps a session as KIP-227 has it.
type sessionClient struct {
	w       *dataWorld
	t       *testing.T
	version int16
	topic   string
	id      cluster.TopicID
	session int32
	epoch   int32
}

// fetch asks for partitions, written index@offset in turn, and returns the answer with what it names.
func (c *sessionClient) fetch(forget []int32, at ...int64) (*kmsg.FetchResponse, map[int32]kmsg.FetchResponseTopicPartition) {
	c.t.Helper()
	r := fetchRequest(c.version, c.topic, c.id, 0, 0)
	r.SessionID, r.SessionEpoch = c.session, c.epoch
	r.Topics[0].Partitions = nil
	for i := 0; i < len(at); i += 2 {
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, fetchPartition(int32(at[i]), at[i+1]))
	}
	if len(at) == 0 {
		r.Topics = nil
	}
	if forget != nil {
		r.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: c.topic, TopicID: c.id, Partitions: forget}}
	}
	resp := ask[*kmsg.FetchResponse](c.w, r)
	if resp.ErrorCode == 0 && resp.SessionID != 0 {
		c.session = resp.SessionID
		c.epoch = nextEpoch(c.epoch)
	}
	named := map[int32]kmsg.FetchResponseTopicPartition{}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			named[p.Partition] = p
		}
	}
	return resp, named
}

func namedIn(named map[int32]kmsg.FetchResponseTopicPartition) (list []int32) {
	for index := range named {
		list = append(list, index)
	}
	slices.Sort(list)
	return list
}

// TestFetchSession walks one session through its life, at each version (17–22).
func TestFetchSession(t *testing.T) {
	for v := int16(7); v <= 18; v++ {
		t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) { sessionLife(t, v) })
	}
}

func sessionLife(t *testing.T, version int16) {
	w := newDataWorld(t)
	id := w.topic("t", 4)
	w.fill("t", 0, batchOf("a", "b"))
	c := &sessionClient{w: w, t: t, version: version, topic: "t", id: id}
	expect := func(what string, named map[int32]kmsg.FetchResponseTopicPartition, want ...int32) {
		t.Helper()
		if got := namedIn(named); !slices.Equal(got, want) {
			t.Errorf("%s: named %v, want %v", what, got, want)
		}
	}
	resp, named := c.fetch(nil, 0, 0, 1, 0)
	expect("a full fetch names all (22)", named, 0, 1)
	if resp.SessionID == 0 {
		t.Fatal("no session")
	}
	_, named = c.fetch(nil)
	expect("records are told again until the client moves on", named, 0)
	_, named = c.fetch(nil, 0, 2)
	expect("nothing new (21)", named)
	w.fill("t", 1, batchOf("c"))
	_, named = c.fetch(nil)
	expect("another partition's records", named, 1)
	_, named = c.fetch(nil, 1, 1, 2, 0)
	expect("one more partition is told the first time (20)", named, 2)
	_, named = c.fetch(nil, 9, 0)
	expect("an error", named, 9)
	wantCode(t, named[9].ErrorCode, protocol.UnknownTopicOrPartition)
	_, named = c.fetch(nil)
	expect("an error is told each time", named, 9)
	w.growTo("t", 10)
	_, named = c.fetch(nil)
	expect("its end is told once", named, 9)
	wantCode(t, named[9].ErrorCode, protocol.None)
	_, named = c.fetch(nil)
	expect("and no more", named)
	_, named = c.fetch([]int32{9, 1}, 0, 0)
	expect("forgotten ones are not read", named, 0)
	w.fill("t", 1, batchOf("d"))
	_, named = c.fetch(nil, 0, 2)
	expect("nor told", named)

	epoch := c.epoch
	for _, wrong := range []int32{epoch + 1, epoch - 1, 77} {
		c.epoch = wrong
		resp, _ = c.fetch(nil)
		wantCode(t, resp.ErrorCode, protocol.InvalidFetchSessionEpoch) // 19
	}
	c.epoch = epoch
	resp, _ = c.fetch(nil)
	wantCode(t, resp.ErrorCode, protocol.None)
	other := version + 1
	if version >= 13 {
		other = 12
	}
	if (other >= 13) != (version >= 13) {
		mixed := *c
		mixed.version = other
		resp, _ = mixed.fetch(nil)
		wantCode(t, resp.ErrorCode, protocol.FetchSessionTopicIDError)
	}
	resp, named = c.fetch([]int32{0, 2})
	expect("an empty session", named)
	if resp.SessionID != 0 || w.FetchSessions.Len() != 0 {
		t.Errorf("an empty session lives on as %d (20)", resp.SessionID)
	}
	resp, _ = c.fetch(nil)
	wantCode(t, resp.ErrorCode, protocol.FetchSessionIDNotFound)

	c.session, c.epoch = 0, 0
	c.fetch(nil, 0, 0)
	first := c.session
	c.epoch = 0
	c.fetch(nil, 0, 0)
	if c.session == first || w.FetchSessions.Len() != 1 {
		t.Errorf("a new full fetch does not close the session that it names (17)")
	}
	c.epoch = -1
	resp, named = c.fetch(nil, 0, 0)
	expect("closing", named, 0)
	if resp.SessionID != 0 || w.FetchSessions.Len() != 0 {
		t.Errorf("epoch -1 leaves session %d", resp.SessionID)
	}
	for _, unknown := range [][2]int32{{0, 1}, {12345, 1}, {0, -2}} {
		c.session, c.epoch = unknown[0], unknown[1]
		resp, _ = c.fetch(nil, 0, 0)
		wantCode(t, resp.ErrorCode, protocol.FetchSessionIDNotFound) // 18
	}
}

// growTo adds partitions.
func (w *dataWorld) growTo(topic string, count int32) {
	w.t.Helper()
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, errs := i.CreatePartitions([]cluster.MorePartitions{{Topic: topic, Count: count}}, w.rand)
		return records, errs[0]
	})
}

// TestFetchSessionRotates: partitions that gave records go to the end, so that a small response serves all in turn (21).
func TestFetchSessionRotates(t *testing.T) {
	w := newDataWorld(t)
	id := w.topic("t", 3)
	for index := range int32(3) {
		for range 10 {
			w.fill("t", index, batchOf("0123456789"))
		}
	}
	c := &sessionClient{w: w, t: t, version: 18, topic: "t", id: id}
	w.FetchMaxBytes = 1
	_, named := c.fetch(nil, 0, 0, 1, 0, 2, 0)
	positions := map[int32]int64{}
	var served []int32
	for range 6 {
		var at []int64
		for index, p := range named {
			if n := int64(len(offsetsIn(t, p.RecordBatches))); n > 0 {
				served = append(served, index)
				positions[index] += n
				at = append(at, int64(index), positions[index])
			}
		}
		_, named = c.fetch(nil, at...)
	}
	if want := []int32{0, 1, 2, 0, 1, 2}; !slices.Equal(served, want) {
		t.Errorf("served %v, want %v", served, want)
	}
}

// TestFetchSessionOneAtATime: what an answer holds is many times what a session's request costs, so a second request of a
// session is refused while the first waits.
func TestFetchSessionOneAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := newDataWorld(t)
		id := w.topic("t", 1)
		r := newFetch(id, 0, 1, 0)
		r.SessionEpoch = 0
		r.SessionID = ask[*kmsg.FetchResponse](w, r).SessionID
		r.SessionEpoch, r.MaxWaitMillis = 1, 1000
		waiting := w.send(w.conn, r)
		r.SessionEpoch = 2
		wantCode(t, ask[*kmsg.FetchResponse](w, r).ErrorCode, protocol.InvalidFetchSessionEpoch)
		w.hangUp(w.conn)
		if !waiting.ready() {
			t.Fatal("still waits")
		}
		w.conn = w.connect()
		r.MaxWaitMillis = 0
		wantCode(t, ask[*kmsg.FetchResponse](w, r).ErrorCode, protocol.None)
	})
}

func TestSessionEpochWraps(t *testing.T) {
	if nextEpoch(math.MaxInt32) != 1 || nextEpoch(1) != 2 {
		t.Error("epochs wrap to 1")
	}
}

// sessionAt opens a session with so many partitions.
func sessionAt(c *FetchSessions, follower bool, partitions int, topic string) int32 {
	q := sessionRequest{follower: follower}
	for i := range partitions {
		q.asked = append(q.asked, fetched{key: partitionKey{topic: topic, index: int32(i)}})
	}
	v, list, _ := c.open(q)
	id, _ := v.close(list)
	return id
}

// TestFetchSessionEviction is 18 with Kafka's rules.
func TestFetchSessionEviction(t *testing.T) {
	now := time.Unix(0, 0)
	c := NewFetchSessions(2, func() time.Time { return now })
	touch := func(id, epoch int32) error {
		v, list, err := c.open(sessionRequest{id: id, epoch: epoch})
		if err == nil {
			v.close(list)
		}
		return err
	}
	small, large := sessionAt(c, false, 1, "t"), sessionAt(c, false, 10, "t")
	if small == 0 || large == 0 || sessionAt(c, false, 100, "t") != 0 {
		t.Fatal("young sessions are safe")
	}
	now = now.Add(evictAfter + time.Second)
	if touch(small, 1) != nil || touch(large, 1) != nil { // used just now, but old
		t.Fatal("gone")
	}
	if sessionAt(c, false, 1, "t") != 0 {
		t.Error("one of the same size took the place of another")
	}
	middle := sessionAt(c, false, 5, "t")
	if middle == 0 || touch(small, 2) != protocol.FetchSessionIDNotFound || touch(large, 2) != nil {
		t.Error("the smallest old session goes first")
	}
	follower := sessionAt(c, true, 1, "t") // takes from consumers of any age
	if follower == 0 || touch(middle, 1) != protocol.FetchSessionIDNotFound {
		t.Error("a follower goes before consumers")
	}
	if sessionAt(c, false, 1000, "t") == 0 || touch(large, 3) == nil {
		t.Error("a larger session takes the place of an old smaller one")
	}
	now = now.Add(evictAfter + time.Second) // nobody used any
	if sessionAt(c, false, 1, "t") == 0 || c.Len() != 2 {
		t.Error("an unused session goes")
	}
}

// TestFetchSessionsAreBounded: in partitions, and in what their names take.
func TestFetchSessionsAreBounded(t *testing.T) {
	c := NewFetchSessions(1000, time.Now)
	kept := 0
	for range 50 {
		if sessionAt(c, false, 10_000, "t") != 0 {
			kept++
		}
	}
	if kept != partitionsMax/10_000 {
		t.Errorf("%d sessions of 10,000 partitions kept", kept)
	}
	c = NewFetchSessions(1000, time.Now)
	if sessionAt(c, false, 1, string(make([]byte, 250))) != 0 {
		t.Error("a session of a name that no topic has")
	}
	id := sessionAt(c, false, 1, "t")
	long := fetched{key: partitionKey{topic: string(make([]byte, 250))}}
	if _, _, err := c.open(sessionRequest{id: id, epoch: 1, asked: []fetched{long}}); err != protocol.FetchSessionIDNotFound || c.Len() != 0 {
		t.Errorf("such a name entered a session: %v", err)
	}
	id = sessionAt(c, false, 1, "t")
	var many []fetched
	for i := range int32(partitionsMax) {
		many = append(many, fetched{key: partitionKey{topic: "u", index: i}})
	}
	if _, _, err := c.open(sessionRequest{id: id, epoch: 1, asked: many}); err != protocol.FetchSessionIDNotFound || c.Len() != 0 || c.mu.partitions != 0 {
		t.Errorf("a session grew beyond the bound: %v", err)
	}
}

// TestFetchSessionModel holds random sessions against a dumb twin that keeps full state and compares whole answers.
func TestFetchSessionModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newDataWorld(t, "log.durability", "pagecache")
	const partitions = 6
	id := w.topic("t", partitions)
	c := &sessionClient{w: w, t: t, version: 18, topic: "t", id: id}
	in := map[int32]int64{} // the twin: what is asked, at which offset
	ends := map[int32]int64{}
	known := map[int32]int64{} // high watermarks as last told
	for index := range int32(partitions) {
		in[index] = 0
	}
	_, named := c.fetch(nil, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0)
	for index, p := range named {
		known[index] = p.HighWatermark
	}
	for step := range 500 {
		index := int32(rnd.IntN(partitions))
		var forget []int32
		var at []int64
		switch rnd.IntN(4) {
		case 0:
			w.fill("t", index, batchOf("x"))
			ends[index]++
		case 1:
			in[index] = rnd.Int64N(ends[index] + 1)
			if _, told := known[index]; !told {
				known[index] = -1
			}
			at = []int64{int64(index), in[index]}
		case 2:
			if _, there := in[index]; there && len(in) > 1 {
				delete(in, index)
				delete(known, index)
				forget = []int32{index}
			}
		}
		_, named := c.fetch(forget, at...)
		for index, offset := range in {
			p, told := named[index]
			if must := offset < ends[index] || known[index] != ends[index]; must != told {
				t.Fatalf("step %d: partition %d from %d of %d, told %d: named %v", step, index, offset, ends[index], known[index], told)
			}
			if told && (p.HighWatermark != ends[index] || p.ErrorCode != 0) {
				t.Fatalf("step %d: partition %d: %+v", step, index, p)
			}
			known[index] = ends[index]
		}
		for index := range named {
			if _, there := in[index]; !there {
				t.Fatalf("step %d: partition %d is not in the session", step, index)
			}
		}
	}
}
