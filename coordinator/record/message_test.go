package record

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// all are empty messages of every type that there is.
func all() (messages []Message) {
	for number := range int16(100) {
		if m := newMetadata(number); m != nil {
			messages = append(messages, m)
		}
		for _, empty := range []func(int16) Key{newGroupKey, newTransactionKey, newShareKey} {
			if k := empty(number); k != nil {
				messages = append(messages, k, k.NewValue())
			}
		}
	}
	return append(messages, new(ConsumerProtocolSubscription), new(ConsumerProtocolAssignment), new(LeaderChangeMessage),
		new(SnapshotHeaderRecord), new(SnapshotFooterRecord), new(KRaftVersionRecord), new(VotersRecord))
}

// eachVersion calls f for every version of every message.
func eachVersion(f func(empty Message, version int16)) {
	for _, m := range all() {
		for v := int16(0); v <= m.MaxVersion(); v++ {
			if !errors.Is(m.Decode(nil, v), ErrUnknown) {
				f(m, v)
			}
		}
	}
}

func fresh(m Message) Message { return reflect.New(reflect.TypeOf(m).Elem()).Interface().(Message) }

func newRand(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A message with anything in its fields is read as it was written, by its newest version, which has all of them.
func TestRoundTrip(t *testing.T) {
	rng := newRand(t)
	types := 0
	for _, m := range all() {
		types++
		for i := range 40 {
			in := fresh(m)
			least := i % 2 // elements of an array; an empty one that has a tag is read as nil
			fill(rng, reflect.ValueOf(in).Elem(), least)
			if o, ok := in.(*OffsetCommitValue); ok {
				o.ExpireTimestamp = -1 // only version 1 has it, and the others may lose it
			}
			body := in.Append(nil, in.MaxVersion())
			out := fresh(m)
			if err := out.Decode(body, in.MaxVersion()); err != nil {
				t.Fatalf("%T: %v\n%x", m, err, body)
			}
			if least > 0 && !reflect.DeepEqual(in, out) || string(out.Append(nil, in.MaxVersion())) != string(body) {
				t.Fatalf("%T: wrote\n%s, read\n%s", m, text(in), text(out))
			}
			for cut := 0; cut < len(body); cut += 1 + len(body)/50 {
				if out.Decode(body[:cut], in.MaxVersion()) == nil {
					t.Fatalf("%T: %d bytes of %d were read\n%x", m, cut, len(body), body)
				}
			}
		}
	}
	if types != 26+2*22+2+2*2+7 {
		t.Errorf("%d types of message", types)
	}
}

// fill sets every field to something, and arrays to at least least elements.
func fill(rng *rand.Rand, v reflect.Value, least int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rng, v.Field(i), least)
		}
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem(), least)
		}
	case reflect.Slice:
		n := least + rng.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rng, v.Index(i), least)
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(rng.IntN(256)))
		}
	case reflect.String:
		v.SetString(strings.Repeat("s", []int{0, 1, 20, 127, 128}[rng.IntN(5)]))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(rng.Float64())
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(uint64(rng.IntN(256)))
	default:
		v.SetInt(int64(int8(rng.IntN(256))))
	}
}

// In every version the defaults are written and read, and what a version lacks has its default then.
func TestDefaultsInEveryVersion(t *testing.T) {
	for _, m := range all() {
		for v := int16(0); v <= m.MaxVersion(); v++ {
			in, out := fresh(m), fresh(m)
			_ = in.Decode(nil, v) // leaves the defaults
			body := in.Append(nil, v)
			if err := out.Decode(body, v); err != nil {
				t.Errorf("%T version %d: %v\n%x", m, v, err, body)
			}
		}
	}
}

// A value that a version has no place for is not lost silently.
func TestAppendRefusesWhatAVersionLacks(t *testing.T) {
	panics := func(f func()) (did bool) {
		defer func() { did = recover() != nil }()
		f()
		return false
	}
	p := NewPartitionRecord()
	p.Directories = [][16]byte{{1}}
	if !panics(func() { p.Append(nil, 0) }) || panics(func() { p.Append(nil, 1) }) {
		t.Error("directories came with PartitionRecord version 1")
	}
	txn := NewTransactionLogValue()
	txn.NextProducerID = 7
	if !panics(func() { txn.Append(nil, 0) }) || panics(func() { txn.Append(nil, 1) }) {
		t.Error("the next producer id came with TransactionLogValue version 1")
	}
	if !panics(func() { p.Append(nil, 3) }) || !panics(func() { p.Append(nil, -1) }) {
		t.Error("PartitionRecord has versions 0 to 2")
	}
}

// kmsg has a few of the same messages: the bytes are the same.
func TestEqualsKmsg(t *testing.T) {
	id := "instance"
	ours := NewGroupMetadataValue()
	ours.ProtocolType, ours.Generation, ours.CurrentStateTimestamp = "consumer", 7, 99
	member := NewGroupMetadataMemberMetadata()
	member.MemberID, member.GroupInstanceID, member.ClientID, member.ClientHost = "m", &id, "c", "/h"
	member.RebalanceTimeout, member.SessionTimeout = 1, 2
	member.Subscription, member.Assignment = []byte("sub"), []byte{}
	ours.Members = append(ours.Members, member)
	theirs := kmsg.NewGroupMetadataValue()
	theirs.ProtocolType, theirs.Generation, theirs.CurrentStateTimestamp = "consumer", 7, 99
	tm := kmsg.NewGroupMetadataValueMember()
	tm.MemberID, tm.InstanceID, tm.ClientID, tm.ClientHost = "m", &id, "c", "/h"
	tm.RebalanceTimeoutMillis, tm.SessionTimeoutMillis = 1, 2
	tm.Subscription, tm.Assignment = []byte("sub"), []byte{}
	theirs.Members = append(theirs.Members, tm)
	for v := int16(0); v <= 3; v++ {
		theirs.Version = v
		if got, want := AppendValue(nil, &ours, v), theirs.AppendTo(nil); string(got) != string(want) {
			t.Errorf("GroupMetadataValue %d: %x, kmsg %x", v, got, want)
		}
	}
	sub := NewConsumerProtocolSubscription()
	sub.Topics, sub.UserData = []string{"a", "b"}, []byte("u")
	ks := kmsg.NewConsumerMemberMetadata()
	ks.Topics, ks.UserData, ks.Version = sub.Topics, sub.UserData, 0
	if got, want := AppendValue(nil, &sub, 0), ks.AppendTo(nil); string(got) != string(want) {
		t.Errorf("ConsumerProtocolSubscription: %x, kmsg %x", got, want)
	}
}

// A consumer newer than we are has more to say than we know.
func TestReadSubscriptionOfANewerConsumer(t *testing.T) {
	in := NewConsumerProtocolSubscription()
	in.Topics = []string{"a", "b"}
	newest := in.MaxVersion()
	body := AppendValue(nil, &in, newest)
	body[1] = 99
	out, err := ReadSubscription(append(body, "more"...))
	if err != nil || !reflect.DeepEqual(out.Topics, in.Topics) {
		t.Errorf("%+v %v", out, err)
	}
	assignment := NewConsumerProtocolAssignment()
	assignment.AssignedPartitions = []ConsumerProtocolAssignmentTopicPartition{{Topic: "t", Partitions: []int32{1, 2}}}
	if out, err := ReadAssignment(AppendValue(nil, &assignment, 0)); err != nil || !reflect.DeepEqual(out.AssignedPartitions, assignment.AssignedPartitions) {
		t.Errorf("%+v %v", out, err)
	}
	for _, bad := range [][]byte{nil, {0}, {0xff, 0xff}, body[:5], {0, 0, 0x7f, 0xff, 0xff, 0xff}} {
		if _, err := ReadSubscription(bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}

// A record that lies about its counts takes no memory for them.
func TestDecodeTakesMemoryInProportion(t *testing.T) {
	lie := make([]byte, 1000)
	for i := range lie {
		lie[i] = []byte{0x7f, 0xff, 0xff, 0xff, 0x0f}[i%5]
	}
	eachVersion(func(m Message, version int16) {
		for at := range 60 {
			body := append(make([]byte, at), lie...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = fresh(m).Decode(body, version)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 100_000 {
				t.Fatalf("%T version %d: %d bytes were taken for %d", m, version, took, len(body))
			}
		}
	})
}

// A count of tags that lies is found at once, not after as many steps.
func TestTagCounts(t *testing.T) {
	k := new(ConsumerGroupMetadataKey)
	v := NewConsumerGroupMetadataValue()
	body := AppendValue(nil, &v, 0)
	for _, c := range []struct {
		tags string
		ok   bool
	}{
		{"\x00", true}, {"\x01\x09\x02xx", true}, {"\x02\x09\x00\x09\x00", true}, // unknown tags are skipped
		{"\x01\x09\x03xx", false}, {"\x02\x09\x00", false}, {"\xff\xff\xff\xff\x0f", false}, {"\xff\xff\xff\xff\x7f", false},
	} {
		_, err := ReadValue(k, append(body[:len(body)-1:len(body)-1], c.tags...))
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("tags %x: %v", c.tags, err)
		}
		if c.tags == "\xff\xff\xff\xff\x0f" && !strings.Contains(err.Error(), "4294967295 tagged fields") {
			t.Errorf("tags %x: %v", c.tags, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	types := all()
	rng := rand.New(rand.NewPCG(1, 2))
	for i, m := range types {
		in := fresh(m)
		fill(rng, reflect.ValueOf(in).Elem(), 0)
		f.Add(uint8(i), in.MaxVersion(), in.Append(nil, in.MaxVersion()))
	}
	f.Fuzz(func(t *testing.T, i uint8, version int16, body []byte) {
		m := types[int(i)%len(types)]
		in, out := fresh(m), fresh(m)
		if in.Decode(body, version) != nil {
			return
		}
		again := in.Append(nil, version)
		if err := out.Decode(again, version); err != nil {
			t.Fatalf("%T version %d: %v\n%x", m, version, err, again)
		}
		// Not by value: a float may be a NaN.
		if third := out.Append(nil, version); string(third) != string(again) {
			t.Fatalf("%T version %d: wrote\n%x, then\n%x", m, version, again, third)
		}
	})
}

func BenchmarkMetadata(b *testing.B) {
	p := NewPartitionRecord()
	p.Replicas, p.ISR, p.Directories = []int32{1, 2, 3}, []int32{1, 2, 3}, make([][16]byte, 3)
	p.RemovingReplicas, p.AddingReplicas = []int32{}, []int32{}
	body := AppendMetadata(nil, &p)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			body = AppendMetadata(body[:0], &p)
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadMetadata(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
