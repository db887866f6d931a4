package hostile

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
)

// shutOut are configs by which who may set them can shut everybody out, as in Kafka.
var shutOut = []string{"max.connections", "max.connections.per.ip", "max.connections.per.ip.overrides", "max.connection.creation.rate"}

// Requests of every API and version with hostile values: each is answered in its turn or ends the connection, none brings
// a handler down, and the broker's state stays valid.
func TestRandomRequests(t *testing.T) {
	b := attack(t, map[string]string{"group.min.session.timeout.ms": "1", "log.retention.check.interval.ms": "1000"})
	_, seed := seeded(t)
	b.works("before the attack")
	keys, configs := b.describe()
	n := scale(200_000, 20_000, 50_000_000)
	const senders = 8
	g := b.watchMemory()
	began := time.Now()
	tally := &tally{}
	var all sync.WaitGroup
	for i := range senders {
		s := &sender{b: b, tally: tally, keys: keys, invent: newInventor(rand.New(rand.NewPCG(seed, uint64(i+1))), configs)}
		all.Go(func() { s.run(n / senders) })
	}
	all.Wait()
	took := time.Since(began)
	t.Logf("FIGURE %d random requests in %v: %d answered (%d with an error code), %d ended the connection, %d waited",
		n, took.Round(time.Millisecond), tally.answered, tally.refused, tally.closed, tally.waited)
	g.below(t, 512<<20, "random requests")
	for _, bad := range tally.bad {
		t.Error(bad)
	}
	if tally.answered < n*9/10 || tally.refused > tally.answered*95/100 {
		t.Error("too few requests got far enough for this to be a test")
	}
	b.resetConfigs(configs)
	b.soundness()
}

// A client that may do anything can take the broker out of its own cluster. Nothing breaks, and a restart brings it back.
func TestUnregisteredBrokerComesBack(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 3, nil)
	p := b.dial(t)
	produced(t, p, "t", 100)
	r := kmsg.NewPtrUnregisterBrokerRequest()
	r.BrokerID = 1
	if code := mustAsk[*kmsg.UnregisterBrokerResponse](t, p, r).ErrorCode; code != 0 {
		t.Fatal(protocol.Code(code))
	}
	refused := mustAsk[*kmsg.ProduceResponse](t, p, produceTo("t", batchOf(100))).Topics[0].Partitions[0]
	if refused.ErrorCode != int16(protocol.NotLeaderForPartition) {
		t.Errorf("a produce to a broker that leads nothing: %s", protocol.Code(refused.ErrorCode))
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	if at := produced(t, b.dial(t), "t", 100); at != 1 {
		t.Errorf("produced at %d after the restart, want 1", at)
	}
}

// describe asks which APIs are served, and for the names of all configs.
func (b *target) describe() (keys []kmsg.ApiVersionsResponseApiKey, configs []string) {
	p := b.dial(b.t)
	for _, k := range mustAsk[*kmsg.ApiVersionsResponse](b.t, p, kmsg.NewPtrApiVersionsRequest()).ApiKeys {
		if k.ApiKey == 0 {
			k.MinVersion = 3
		}
		keys = append(keys, k)
	}
	b.create("t0", 2, nil)
	asked := kmsg.NewPtrDescribeConfigsRequest()
	asked.SetVersion(4)
	for kind, name := range map[kmsg.ConfigResourceType]string{kmsg.ConfigResourceTypeTopic: "t0", kmsg.ConfigResourceTypeBroker: "1", kmsg.ConfigResourceTypeGroupConfig: "g"} {
		asked.Resources = append(asked.Resources, kmsg.DescribeConfigsRequestResource{ResourceType: kind, ResourceName: name})
	}
	names := map[string]bool{}
	for _, r := range mustAsk[*kmsg.DescribeConfigsResponse](b.t, p, asked).Resources {
		for _, c := range r.Configs {
			names[c.Name] = !slices.Contains(shutOut, c.Name)
		}
	}
	maps.DeleteFunc(names, func(_ string, may bool) bool { return !may })
	return keys, slices.Sorted(maps.Keys(names))
}

// resetConfigs takes back what was set on the broker while it ran.
func (b *target) resetConfigs(configs []string) {
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r.SetVersion(1)
	for _, name := range []string{"", "1"} {
		resource := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: name}
		for _, c := range configs {
			resource.Configs = append(resource.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: c, Op: kmsg.IncrementalAlterConfigOpDelete})
		}
		r.Resources = append(r.Resources, resource)
	}
	for _, answer := range mustAsk[*kmsg.IncrementalAlterConfigsResponse](b.t, b.dial(b.t), r).Resources {
		if answer.ErrorCode != 0 {
			b.t.Errorf("configs of broker %q cannot be reset: %s", answer.ResourceName, protocol.Code(answer.ErrorCode))
		}
	}
}

// tally is what came of all requests.
type tally struct {
	sync.Mutex
	answered, refused, closed, waited int
	bad                               []string
}

func (t *tally) complain(format string, args ...any) {
	t.Lock()
	defer t.Unlock()
	if len(t.bad) < 20 {
		t.bad = append(t.bad, fmt.Sprintf(format, args...))
	}
}

// sender sends requests by one connection at a time.
type sender struct {
	b      *target
	tally  *tally
	keys   []kmsg.ApiVersionsResponseApiKey
	invent *inventor
}

func (s *sender) run(n int) {
	for n > 0 {
		p, err := s.b.dialed()
		if err != nil {
			s.tally.complain("no connection: %v", err)
			return
		}
		n -= s.converse(p, n)
		p.Close()
	}
}

// converse sends requests, some ahead of their answers, until the connection ends. It returns how many.
func (s *sender) converse(p *peer, n int) (sent int) {
	const window = 32
	for sent < n {
		var batch []kmsg.Request
		var bytes []byte
		for range min(window, n-sent) {
			r := s.next()
			p.sent++
			bytes = append(bytes, formatter.AppendRequest(nil, r, p.sent)...)
			batch = append(batch, r)
		}
		written := make(chan error, 1)
		go func() { written <- p.write(bytes) }()
		for i, r := range batch {
			if !s.hear(p, r, p.sent-int32(len(batch)-1-i)) {
				p.Close()
				<-written
				return sent + i + 1
			}
		}
		if err := <-written; err != nil {
			s.tally.complain("all is answered, but sending ended with %v", err)
			return n
		}
		sent += len(batch)
	}
	return sent
}

// rarely are the APIs that change topics, once in so many: with files to make, they would take all of the time.
var rarely = map[int16]int{19: 5, 20: 40, 37: 20}

func (s *sender) next() kmsg.Request {
	for {
		k := s.keys[s.invent.IntN(len(s.keys))]
		if once := rarely[k.ApiKey]; once > 0 && s.invent.IntN(once) > 0 {
			continue
		}
		return s.invent.request(k.ApiKey, k.MinVersion+int16(s.invent.IntN(int(k.MaxVersion-k.MinVersion)+1)))
	}
}

// hear reads the answer to a request. It returns false where the connection ends with it.
func (s *sender) hear(p *peer, r kmsg.Request, id int32) bool {
	if produce, ok := r.(*kmsg.ProduceRequest); ok && produce.Acks == 0 {
		return true // no answer, or the end, which the next will see
	}
	p.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := p.in.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.tally.Lock()
		s.tally.waited++
		s.tally.Unlock()
		if _, may := r.(*kmsg.FetchRequest); !may {
			s.tally.complain("no answer to key %d version %d: %+v", r.Key(), r.GetVersion(), r)
		}
		return false
	}
	got, body, err := p.receive()
	if err != nil {
		s.tally.Lock()
		s.tally.closed++
		s.tally.Unlock()
		if err != io.EOF && !isReset(err) {
			s.tally.complain("key %d version %d: %v", r.Key(), r.GetVersion(), err)
		}
		return false
	}
	resp, err := decode(r, body)
	if err != nil || got != id {
		s.tally.complain("key %d version %d: answer to %d where that to %d is due: %v", r.Key(), r.GetVersion(), got, id, err)
		return false
	}
	codes := map[int16]bool{}
	errorCodes(reflect.ValueOf(resp).Elem(), codes)
	if codes[int16(protocol.UnknownServerError)] {
		s.tally.complain("UNKNOWN_SERVER_ERROR for key %d version %d: %+v", r.Key(), r.GetVersion(), r)
	}
	s.tally.Lock()
	s.tally.answered++
	if delete(codes, 0); len(codes) > 0 {
		s.tally.refused++
	}
	s.tally.Unlock()
	s.invent.learn(resp)
	return true
}

// errorCodes gathers every error code in an answer.
func errorCodes(v reflect.Value, into map[int16]bool) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name == "ErrorCode" {
				into[int16(v.Field(i).Int())] = true
			} else if f.IsExported() {
				errorCodes(v.Field(i), into)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				errorCodes(v.Index(i), into)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			errorCodes(v.Elem(), into)
		}
	}
}

// soundness reads every partition there is, and looks over the data directory.
func (b *target) soundness() {
	p := b.dial(b.t)
	all := metadataOf()
	all.Topics = nil
	partitions, records := 0, int64(0)
	for _, topic := range mustAsk[*kmsg.MetadataResponse](b.t, p, all).Topics {
		if topic.ErrorCode != 0 {
			b.t.Errorf("topic %q: %s", *topic.Topic, protocol.Code(topic.ErrorCode))
		}
		for _, part := range topic.Partitions {
			start, end := readPartition(b.t, p, *topic.Topic, part.Partition)
			partitions++
			records += end - start
		}
	}
	b.t.Logf("%d partitions with %d records read whole", partitions, records)
	checkNames(b.t, b.DataDir)
}
