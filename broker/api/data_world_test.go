package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/partition"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/quorum"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// A dataWorld is one broker without its network: handlers over a real log store on a file system in memory, and a real
// image of the metadata that changes by the deciders' records.
type dataWorld struct {
	*Server
	t      testing.TB
	mem    *vfs.Mem
	fs     *errorfs.FS
	store  *logstore.Store
	config *config.Broker
	conn   *testConn
	rules  *ruledAuthorizer
	rand   *rand.Rand

	image  atomic.Pointer[cluster.Image]
	offset int64
	// refuse is what Propose answers, where not nil.
	refuse error
}

const testNode = 1

// ruledAuthorizer denies what is listed, such as "Write topic", and allows the rest.
type ruledAuthorizer struct {
	denied map[string]bool
}

func (a *ruledAuthorizer) key(op security.Operation, on security.ResourceType, name string) string {
	return fmt.Sprintf("%d %d %s", op, on, name)
}

func (a *ruledAuthorizer) deny(op security.Operation, on security.ResourceType, name string) {
	a.denied[a.key(op, on, name)] = true
}

func (a *ruledAuthorizer) Allowed(_ security.Subject, op security.Operation, on security.ResourceType, name string) bool {
	return !a.denied[a.key(op, on, name)]
}

func (a *ruledAuthorizer) AllowedAny(_ security.Subject, op security.Operation, on security.ResourceType) bool {
	return !a.denied[a.key(op, on, "*")]
}

// newDataWorld opens a broker on an empty disk. settings are keys and values of the broker in turn.
func newDataWorld(t testing.TB, settings ...string) *dataWorld {
	return openDataWorld(t, vfs.NewMem(time.Now), cluster.Empty(), settings...)
}

// openDataWorld opens a broker on a disk in memory, with the metadata that it had.
func openDataWorld(t testing.TB, mem *vfs.Mem, image *cluster.Image, settings ...string) *dataWorld {
	t.Helper()
	w := openDataWorldOn(t, mem, "data", image, settings...)
	w.mem = mem
	return w
}

// openDataWorldOn is openDataWorld on any disk.
func openDataWorldOn(t testing.TB, disk vfs.FS, dir string, image *cluster.Image, settings ...string) *dataWorld {
	t.Helper()
	static := map[config.Key]string{}
	for i := 0; i < len(settings); i += 2 {
		static[config.Key(settings[i])] = settings[i+1]
	}
	c, err := config.New(static)
	if err != nil {
		t.Fatal(err)
	}
	w := &dataWorld{t: t, fs: errorfs.New(disk), config: c, offset: image.Offset(),
		rules: &ruledAuthorizer{map[string]bool{}}, rand: rand.New(rand.NewPCG(1, 2))}
	w.image.Store(image)
	if w.store, err = logstore.Open(dir, logstore.Options{FS: w.fs, NodeID: testNode, PageCache: c.PageCache()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() }) // a test may have broken it
	w.Server = &Server{
		NodeID: testNode, Authorizer: w.rules, Log: slog.New(slog.DiscardHandler), Now: time.Now, Cluster: w,
		Endpoint: func(_ *Conn, node int32) (Endpoint, bool) {
			return Endpoint{Host: fmt.Sprintf("host%d", node), Port: 9092}, true
		},
		ClusterService: ClusterService{Config: func() *config.Broker { return c }},
		Data: Data{
			Partitions:    partition.NewSet(partition.Options{Dirs: logstore.DirsOf(w.store), NodeID: testNode, Config: func() *config.Broker { return c }}),
			Purgatory:     NewPurgatory(time.Now),
			FetchSessions: NewFetchSessions(1000, time.Now),
			ProducerIDs:   NewProducerIDs(w, testNode),
			FetchMaxBytes: 57671680,
			Dirs:          logstore.DirsOf(w.store),
		},
	}
	w.conn = w.connect()
	if image.Offset() >= 0 {
		_, all, err := cluster.Empty().Apply(0, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for topic := range image.Topics() {
			all.Created = append(all.Created, topic)
		}
		w.Partitions.Apply(image, all)
	}
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return i.StartBroker(cluster.Registration{ID: testNode, LogDirs: [][16]byte{w.store.DirectoryID()}})
	})
	return w
}

// Image and Propose are the metadata log.
func (w *dataWorld) Image() *cluster.Image { return w.image.Load() }

func (w *dataWorld) Propose(_ context.Context, decide quorum.Decide) (*cluster.Image, error) {
	if w.refuse != nil {
		return nil, w.refuse
	}
	records, err := decide(w.Image(), time.Now())
	if err != nil {
		return nil, err
	}
	next, delta, err := w.Image().Apply(w.offset+1, 0, records)
	if err != nil {
		return nil, err
	}
	w.image.Store(next)
	w.offset++
	w.Partitions.Apply(next, delta)
	return next, nil
}

func (w *dataWorld) propose(decide quorum.Decide) {
	w.t.Helper()
	if _, err := w.Propose(context.Background(), decide); err != nil {
		w.t.Fatal(err)
	}
}

// topic creates a topic. configs are keys and values in turn.
func (w *dataWorld) topic(name string, partitions int32, configs ...string) cluster.TopicID {
	w.t.Helper()
	topic := cluster.NewTopic{Name: name, Partitions: partitions, ReplicationFactor: 1}
	for i := 0; i < len(configs); i += 2 {
		topic.Configs = append(topic.Configs, cluster.ConfigValue{Name: configs[i], Value: &configs[i+1]})
	}
	var id cluster.TopicID
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, created := i.CreateTopics([]cluster.NewTopic{topic}, cluster.Creation{Rand: w.rand})
		id = created[0].ID
		return records, created[0].Err
	})
	return id
}

func (w *dataWorld) deleteTopic(id cluster.TopicID) {
	w.t.Helper()
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		records, errs := i.DeleteTopics([]cluster.TopicID{id})
		return records, errs[0]
	})
}

// bumpEpochs begins a new leader epoch of every partition, as a start does.
func (w *dataWorld) bumpEpochs() {
	w.t.Helper()
	w.propose(func(i *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		return i.StartBroker(cluster.Registration{ID: testNode, LogDirs: [][16]byte{w.store.DirectoryID()}})
	})
}

// powerCut is a broker on what a power cut leaves of this one's disk. Its metadata is as it was.
func (w *dataWorld) powerCut(r *rand.Rand, percent int) *dataWorld {
	return openDataWorld(w.t, w.mem.CrashClone(r, percent), w.Image())
}

// testConn is a connection that can end.
type testConn struct {
	*Conn
	done chan struct{}
}

func (w *dataWorld) connect() *testConn {
	done := make(chan struct{})
	return &testConn{done: done, Conn: &Conn{
		Listener: "PLAINTEXT", Principal: security.Anonymous, Done: done,
		Local: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092}, Remote: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000},
	}}
}

// hangUp ends a connection as the broker does.
func (w *dataWorld) hangUp(c *testConn) {
	close(c.done)
	w.Purgatory.Drop(c.Conn)
}

// answer is where a request's answer goes.
type answer struct {
	t    testing.TB
	mu   sync.Mutex
	resp kmsg.Response
	none bool
	why  error
	came chan struct{}

	header  protocol.RequestHeader
	request kmsg.Request
}

func (a *answer) take(set func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.came:
		a.t.Error("answered twice")
		return
	default:
	}
	set()
	close(a.came)
}

func (a *answer) Reply(resp kmsg.Response) {
	// As the connection does: encoded where it is made. Decoded again, so that a test sees what the version has.
	a.ReplyParts([]protocol.Part{{Bytes: protocol.AppendResponse(nil, a.header.CorrelationID, resp)}}, -1, func() {})
}

func (a *answer) ReplyParts(parts []protocol.Part, size int, release func()) {
	var frame []byte
	for _, p := range parts {
		if p.File == nil {
			frame = append(frame, p.Bytes...)
			continue
		}
		b := make([]byte, p.Len)
		if _, err := p.File.ReadAt(b, p.Off); err != nil && err != io.EOF {
			a.t.Errorf("reading a part: %v", err)
		}
		frame = append(frame, b...)
	}
	release()
	if size >= 0 && size != len(frame) {
		a.t.Errorf("an answer of %d bytes says that it has %d", len(frame), size)
	}
	resp := a.request.ResponseKind()
	body := frame[8:]
	if resp.IsFlexible() {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		a.t.Errorf("%s v%d: undecodable answer: %v", a.header.Key, a.header.Version, err)
	}
	a.take(func() { a.resp = resp })
}

func (a *answer) NoReply()        { a.take(func() { a.none = true }) }
func (a *answer) Close(why error) { a.take(func() { a.why = why }) }

func (a *answer) ready() bool {
	select {
	case <-a.came:
		return true
	default:
		return false
	}
}

var handlers = map[protocol.Key]Handler{
	protocol.ProduceKey: Produce, protocol.FetchKey: Fetch, protocol.ListOffsetsKey: ListOffsets,
	protocol.DeleteRecordsKey: DeleteRecords, protocol.InitProducerIDKey: InitProducerID,
	protocol.OffsetForLeaderEpochKey: OffsetForLeaderEpoch, protocol.DescribeLogDirsKey: DescribeLogDirs,
}

// send hands a request to its handler as the connection does: encoded, walked and decoded at its version.
func (w *dataWorld) send(c *testConn, req kmsg.Request) *answer {
	w.t.Helper()
	return w.sendAs(c, "test", req)
}

func (w *dataWorld) sendAs(c *testConn, client string, req kmsg.Request) *answer {
	w.t.Helper()
	h := protocol.RequestHeader{Key: protocol.Key(req.Key()), Version: req.GetVersion(), CorrelationID: 7, ClientID: &client}
	message, err := protocol.Decode(h, req.AppendTo(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	a := &answer{t: w.t, came: make(chan struct{}), header: h, request: message}
	handlers[h.Key](w.Server, NewRequest(h, message, 0, time.Now(), c.Conn, a))
	return a
}

// ask sends a request and waits for its answer.
func ask[T kmsg.Response](w *dataWorld, req kmsg.Request) T {
	w.t.Helper()
	return await[T](w.t, w.send(w.conn, req))
}

func await[T kmsg.Response](t testing.TB, a *answer) T {
	t.Helper()
	select {
	case <-a.came:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: no answer", a.header.Key)
	}
	resp, ok := a.resp.(T)
	if !ok {
		t.Fatalf("%s v%d: no answer but none=%v close=%v", a.header.Key, a.header.Version, a.none, a.why)
	}
	return resp
}

// versions runs a test at each version of an API.
func versions(t *testing.T, key protocol.Key, test func(t *testing.T, version int16)) {
	for v := protocol.MinVersion(key); v <= protocol.MaxVersion(key); v++ {
		t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) { test(t, v) })
	}
}

// batchOf is a plain batch of values.
func batchOf(values ...string) record.Batch { return batchWith(record.NewOptions(), values...) }

func batchWith(o record.Options, values ...string) record.Batch {
	b := record.NewBuilder(o)
	for _, v := range values {
		b.Add(time.Now().UnixMilli(), []byte("k"), []byte(v))
	}
	return b.Batch()
}

// newProducer is the header of an idempotent producer's batch.
func newProducer(id int64, sequence int32) record.Options {
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = id, 0, sequence
	return o
}

// produceRequest writes records to one partition of a topic.
func produceRequest(version int16, topic string, id cluster.TopicID, index int32, acks int16, records []byte) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Version, r.Acks, r.TimeoutMillis = version, acks, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = index, records
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

// fill appends batches to a partition and waits until they are committed.
func (w *dataWorld) fill(topic string, index int32, batches ...record.Batch) {
	w.t.Helper()
	for _, b := range batches {
		resp := ask[*kmsg.ProduceResponse](w, produceRequest(9, topic, cluster.TopicID{}, index, -1, b))
		if p := resp.Topics[0].Partitions[0]; p.ErrorCode != 0 {
			w.t.Fatalf("filling %s-%d: %s", topic, index, protocol.Code(p.ErrorCode))
		}
	}
}

// fetchRequest reads one partition of a topic, without a session, and does not wait.
func fetchRequest(version int16, topic string, id cluster.TopicID, index int32, offset int64) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.Version, r.MaxBytes, r.MinBytes, r.SessionEpoch, r.ReplicaID = version, 1<<20, 1, -1, -1
	r.ReplicaState.ID = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, id
	t.Partitions = append(t.Partitions, fetchPartition(index, offset))
	r.Topics = append(r.Topics, t)
	return r
}

func fetchPartition(index int32, offset int64) kmsg.FetchRequestTopicPartition {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = index, offset, 1<<20
	return p
}

// offsetsIn lists the base offsets of the batches in records, which must be whole.
func offsetsIn(t testing.TB, records []byte) (list []int64) {
	t.Helper()
	for len(records) > 0 {
		b, rest, err := record.Next(records)
		if err == nil {
			err = b.CheckCRC()
		}
		if err != nil {
			t.Fatalf("records: %v", err)
		}
		list = append(list, b.BaseOffset())
		records = rest
	}
	return list
}

// inBubble runs a test in a synctest bubble, where time passes when everybody waits.
func inBubble(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

var errTest = errors.New("told to fail")
