package api

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// hostile fills requests with values that a field can hold and nobody means.
type hostile struct {
	*rand.Rand
	topics []string
	ids    []cluster.TopicID
}

func (h *hostile) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" {
				h.fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		if h.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			h.fill(v.Elem())
		}
	case reflect.Slice:
		if h.IntN(8) == 0 {
			return // null
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(h.bytes())
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), h.IntN(4), 4))
		for i := range v.Len() {
			h.fill(v.Index(i))
		}
	case reflect.Array:
		id := h.ids[h.IntN(len(h.ids))]
		reflect.Copy(v, reflect.ValueOf(id))
	case reflect.String:
		v.SetString(h.topics[h.IntN(len(h.topics))])
	case reflect.Bool:
		v.SetBool(h.IntN(2) == 0)
	default:
		v.SetInt(h.number(v.Type().Bits()))
	}
}

func (h *hostile) number(bits int) int64 {
	switch h.IntN(8) {
	case 0:
		return math.MaxInt64 >> (64 - bits)
	case 1:
		return math.MinInt64 >> (64 - bits)
	case 2:
		return -int64(h.IntN(8))
	case 3:
		return int64(h.IntN(1 << min(bits-1, 20)))
	}
	return int64(h.IntN(3))
}

func (h *hostile) bytes() []byte {
	switch h.IntN(4) {
	case 0:
		return make([]byte, h.IntN(200))
	case 1:
		b := batchOf("a", "b")
		b[h.IntN(len(b))] ^= byte(1 << h.IntN(8))
		return b
	}
	return batchOf("a", "b")
}

// TestHostileRequests sends requests that decode and mean nothing: each is answered once, or dropped with its connection,
// and the broker serves on.
func TestHostileRequests(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newDataWorld(t, "log.durability", "pagecache")
	h := &hostile{Rand: rand.New(rand.NewPCG(seed, 0)), topics: []string{"t", "u", "t", "", "none", "a/b", "__consumer_offsets", string(make([]byte, 300))}}
	h.ids = []cluster.TopicID{w.topic("t", 3), w.topic("u", 1, "cleanup.policy", "compact"), {}, {1, 2, 3}}
	w.topic("__consumer_offsets", 1)
	w.elsewhere("elsewhere")
	keys := []protocol.Key{protocol.ProduceKey, protocol.FetchKey, protocol.FetchKey, protocol.ListOffsetsKey, protocol.DeleteRecordsKey,
		protocol.InitProducerIDKey, protocol.OffsetForLeaderEpochKey, protocol.DescribeLogDirsKey}
	session := int32(0)
	for round := range 60 {
		c := w.connect()
		var all []*answer
		for range 100 {
			key := keys[h.IntN(len(keys))]
			req := kmsg.RequestForKey(int16(key))
			h.fill(reflect.ValueOf(req).Elem())
			first, last := protocol.MinVersion(key), protocol.MaxVersion(key)
			req.SetVersion(first + int16(h.IntN(int(last-first)+1)))
			if f, ok := req.(*kmsg.FetchRequest); ok {
				if f.Version < 15 {
					f.ReplicaState = kmsg.NewFetchRequestReplicaState()
				}
				if h.IntN(3) == 0 {
					f.SessionID, f.SessionEpoch = session, int32(h.IntN(3))
				}
			}
			a := &answer{t: t, came: make(chan struct{}), request: req, header: protocol.RequestHeader{Key: key, Version: req.GetVersion()}}
			handlers[key](w.Server, NewRequest(a.header, req, 0, time.Now(), c.Conn, a))
			if f, ok := a.resp.(*kmsg.FetchResponse); ok && a.ready() && f.SessionID != 0 {
				session = f.SessionID
			}
			all = append(all, a)
		}
		w.hangUp(c)
		for i, a := range all {
			if !a.ready() {
				t.Fatalf("round %d: request %d was never answered: %s v%d %+v", round, i, a.header.Key, a.header.Version, a.request)
			}
		}
	}
	for p := range w.Partitions.All() {
		if n := p.Waiting(); n != 0 {
			t.Errorf("%d watches left on %s-%d", n, p.Topic().Name, p.Index())
		}
	}
	if n := w.Purgatory.Waiting(); n != 0 {
		t.Errorf("%d requests left", n)
	}
	w.fill("t", 0, batchOf("alive"))
}
