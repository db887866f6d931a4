package hostile

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol/record"
)

// inventor makes requests of any API with valid types and any values: some that a client would send, so that requests get
// far, and some that none would.
type inventor struct {
	*rand.Rand
	// known are values by the name of the field that they go into: some to begin with, and what answers told.
	known map[string][]any
	// configs are names of configs; values what they may be set to.
	configs, values []string
	batches         [][]byte
}

func newInventor(random *rand.Rand, configs []string) *inventor {
	v := &inventor{Rand: random, configs: configs, known: map[string][]any{}}
	texts := func(field string, values ...string) {
		for _, s := range values {
			v.known[field] = append(v.known[field], s)
		}
	}
	topics := []string{"t0", "t1", "t2", "t3", "t4", "t5", "__consumer_offsets", "__cluster_metadata"}
	groups := []string{"g0", "g1", "g2", "g3"}
	for _, field := range []string{"Topic", "Topics", "TopicNames"} {
		texts(field, topics...)
	}
	for _, field := range []string{"Group", "Groups", "CoordinatorKey", "CoordinatorKeys"} {
		texts(field, groups...)
	}
	texts("ResourceName", append([]string{"", "1", "0"}, append(topics, groups...)...)...)
	for field, values := range map[string][]int64{
		"Partition": {0, 1}, "Acks": {-1, -1, -1, 1}, "ReplicaID": {-1, -1, -1, 1}, "TimeoutMillis": {1000, 10_000},
		"NumPartitions": {-1, 1, 2, 3}, "ReplicationFactor": {-1, 1}, "ResourceType": {2, 4, 8, 16, 32}, "SessionEpoch": {-1, 0, 0, 1, 2},
		"IsolationLevel": {0, 1}, "CoordinatorType": {0}, "Generation": {-1, 1}, "CurrentLeaderEpoch": {-1, 0},
		"LeaderEpoch": {-1, 0}, "RetentionTimeMillis": {-1}, "Offset": {0, 1}, "FetchOffset": {0, 1}, "MaxBytes": {1 << 20}, "PartitionMaxBytes": {1 << 20},
	} {
		for _, n := range values {
			v.known[field] = append(v.known[field], n)
		}
	}
	texts("ProtocolType", "consumer", "connect")
	texts("Protocol", "range")
	texts("InstanceID", "i0", "i1")
	texts("EntityType", "user", "client-id", "ip")
	texts("Feature", "metadata.version", "group.version")
	texts("StatesFilter", "Stable", "Empty")
	texts("TypesFilter", "classic", "consumer")
	v.values = []string{"", "0", "1", "-1", "10", "100000", "9223372036854775807", "9223372036854775808", "-2147483649", "1.5", "NaN", "true",
		"compact", "delete", "compact,delete", "gzip", "zstd", "producer", "LogAppendTime", "CreateTime", "none", "fsync", "pagecache",
		"/etc/passwd", "${env:HOME}", strings.Repeat("x", 10_000), "a\x00b", "*", "0:1", "DEBUG"}
	now := time.Now().UnixMilli()
	for codec := record.None; codec <= record.Zstd; codec++ {
		for producer := range int64(3) {
			o := record.NewOptions()
			o.Codec = codec
			if producer > 0 {
				o.ProducerID, o.ProducerEpoch, o.BaseSequence = producer, int16(v.IntN(2)), int32(v.IntN(3))
			}
			b := record.NewBuilder(o)
			for i := range 1 + v.IntN(3) {
				b.Add(now+int64(i), [][]byte{nil, []byte("key")}[i%2], []byte("value"))
			}
			v.batches = append(v.batches, b.Batch())
		}
	}
	return v
}

// learn remembers what an answer told that later requests can use: ids of topics, members, sessions, producers.
func (v *inventor) learn(resp kmsg.Response) {
	switch r := resp.(type) {
	case *kmsg.MetadataResponse:
		for _, t := range r.Topics {
			v.remember("TopicID", t.TopicID)
		}
	case *kmsg.JoinGroupResponse:
		v.remember("MemberID", r.MemberID)
		v.remember("Generation", int64(r.Generation))
	case *kmsg.FetchResponse:
		v.remember("SessionID", int64(r.SessionID))
	case *kmsg.InitProducerIDResponse:
		v.remember("ProducerID", r.ProducerID)
		o := record.NewOptions()
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = r.ProducerID, r.ProducerEpoch, 0
		b := record.NewBuilder(o)
		b.Add(time.Now().UnixMilli(), nil, []byte("value"))
		v.batches[v.IntN(len(v.batches))] = b.Batch()
	}
}

func (v *inventor) remember(field string, value any) {
	const most = 30
	if have := v.known[field]; len(have) >= most {
		have[v.IntN(most)] = value
		return
	}
	v.known[field] = append(v.known[field], value)
}

// request is a request of an API in a version, anything in it.
func (v *inventor) request(key, version int16) kmsg.Request {
	r := kmsg.RequestForKey(key)
	r.SetVersion(version)
	v.fill(reflect.ValueOf(r).Elem(), "", 0)
	v.tame(r)
	return r
}

// tame takes out what would only make the test wait, or shut it out as its sender may.
func (v *inventor) tame(r kmsg.Request) {
	brief := []int32{-1, 0, 1, 10}[v.IntN(4)]
	switch r := r.(type) {
	case *kmsg.FetchRequest:
		if v.IntN(20_000) > 0 {
			r.MaxWaitMillis = brief
		}
		tameTags(r)
	case *kmsg.JoinGroupRequest:
		r.SessionTimeoutMillis = []int32{100, 100, 500, 1000, 1, 0, -1, math.MaxInt32}[v.IntN(8)]
		r.RebalanceTimeoutMillis = brief
		if v.IntN(3) == 0 {
			r.MemberID = ""
		}
	case *kmsg.UnregisterBrokerRequest:
		if r.BrokerID == 1 {
			r.BrokerID = 2
		}
	}
}

// tameTags takes out tagged fields that kmsg writes in versions which lack them: such a request ends its connection.
func tameTags(r *kmsg.FetchRequest) {
	if r.Version < 15 {
		r.ReplicaState = kmsg.NewFetchRequestReplicaState()
	}
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			if p := &r.Topics[i].Partitions[j]; r.Version < 18 {
				p.ReplicaDirectoryID, p.HighWatermark = [16]byte{}, kmsg.NewFetchRequestTopicPartition().HighWatermark
			}
		}
	}
}

const depthMax = 8

// fill sets every field of a struct, whatever its kind. name is the field's that the struct is the value of.
func (v *inventor) fill(at reflect.Value, name string, depth int) {
	switch at.Kind() {
	case reflect.Struct:
		for i := range at.NumField() {
			field := at.Type().Field(i)
			switch {
			case field.Name == "Version":
			case field.Type == reflect.TypeFor[kmsg.Tags]():
				if v.IntN(50) == 0 {
					at.Field(i).Addr().Interface().(*kmsg.Tags).Set(uint32(v.number(32))&0xffff+100, v.bytes())
				}
			default:
				v.fill(at.Field(i), fieldName(at.Type(), field.Name), depth+1)
			}
		}
	case reflect.Pointer:
		if v.IntN(4) > 0 && depth < depthMax {
			p := reflect.New(at.Type().Elem())
			v.fill(p.Elem(), name, depth+1)
			at.Set(p)
		}
	case reflect.Slice:
		if at.Type().Elem().Kind() == reflect.Uint8 {
			at.SetBytes(v.blob(name))
			return
		}
		v.fillSlice(at, name, depth)
	case reflect.Array: // a UUID
		if id, ok := v.recall(name); ok {
			at.Set(reflect.ValueOf(id))
		} else if v.IntN(2) == 0 {
			for i := range at.Len() {
				at.Index(i).SetUint(uint64(v.IntN(256)))
			}
		}
	case reflect.String:
		at.SetString(v.text(name))
	case reflect.Bool:
		at.SetBool(v.IntN(2) == 0)
	case reflect.Float64:
		at.SetFloat([]float64{0, -1, 1, math.NaN(), math.Inf(1), math.MaxFloat64}[v.IntN(6)])
	default:
		if n, ok := v.recall(name); ok {
			at.SetInt(n.(int64))
		} else {
			at.SetInt(v.number(at.Type().Bits()))
		}
	}
}

// fieldName is the name that known values go by. A config's name is called Name, as others' are.
func fieldName(of reflect.Type, field string) string {
	if field == "Name" && (strings.Contains(of.Name(), "Config")) || field == "ConfigNames" {
		return "config"
	}
	if field == "Value" && strings.Contains(of.Name(), "Config") {
		return "config value"
	}
	return field
}

func (v *inventor) fillSlice(at reflect.Value, name string, depth int) {
	if depth >= depthMax {
		return
	}
	n := []int{-1, 0, 1, 1, 1, 1, 2, 3}[v.IntN(8)]
	if v.IntN(200) == 0 {
		n = 100
	}
	if n < 0 {
		at.SetZero() // null, or where there is none, empty
		return
	}
	list := reflect.MakeSlice(at.Type(), n, n)
	for i := range n {
		if i > 0 && v.IntN(4) == 0 {
			list.Index(i).Set(list.Index(i - 1)) // the same again
			continue
		}
		v.fill(list.Index(i), name, depth+1)
	}
	at.Set(list)
}

// recall is a known value for a field, most of the time.
func (v *inventor) recall(field string) (any, bool) {
	known := v.known[field]
	if len(known) == 0 || v.IntN(4) == 0 {
		return nil, false
	}
	return known[v.IntN(len(known))], true
}

func (v *inventor) number(bits int) int64 {
	switch v.IntN(3) {
	case 0:
		return int64(v.IntN(4))
	case 1:
		return []int64{0, 1, -1, -2, 2, 1 << (bits - 1), 1<<(bits-1) - 1, -(1<<(bits-1) - 1), -3, -4, -5}[v.IntN(11)]
	}
	return v.Int64() >> v.IntN(64)
}

var hostileTexts = slices.Concat([]string{
	"", ".", "..", "/", "../../x", "a/b", "a\\b", "a\x00b", "\xff\xfe", "\u202e", "ä", "a b", "a\nb", "a.b", "a_b", "%s%n", "${x}", "-", "_",
	"__cluster_metadata", "__transaction_state", "__share_group_state", "CON", "*", "2147483648", "-1",
}, []string{strings.Repeat("a", 249), strings.Repeat("a", 250), strings.Repeat("x", math.MaxInt16)})

func (v *inventor) text(field string) string {
	switch field {
	case "config":
		if v.IntN(4) > 0 {
			return v.configs[v.IntN(len(v.configs))]
		}
	case "config value":
		return v.values[v.IntN(len(v.values))]
	}
	if s, ok := v.recall(field); ok {
		return s.(string)
	}
	if n := len(hostileTexts); v.IntN(100) > 0 {
		return hostileTexts[v.IntN(n-1)]
	}
	return hostileTexts[len(hostileTexts)-1]
}

func (v *inventor) bytes() []byte {
	b := make([]byte, v.IntN(40))
	for i := range b {
		b[i] = byte(v.Uint32())
	}
	return b
}

func (v *inventor) blob(field string) []byte {
	if field == "Records" && v.IntN(4) > 0 {
		return slices.Clone(v.batches[v.IntN(len(v.batches))])
	}
	switch v.IntN(8) {
	case 0:
		return nil
	case 1:
		return make([]byte, v.IntN(10_000))
	}
	return v.bytes()
}
