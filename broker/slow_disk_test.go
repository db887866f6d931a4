package broker

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// A sync that sticks stays so for stuckFor. Producers then offer more than the broker may hold in memory.
const (
	stuckFor      = 5 * time.Second
	stuckBudget   = 8 << 20 // queued.max.request.bytes
	slowProducers = 8
	slowBatches   = 400 // of each
	slowValue     = 4 << 10
)

// TestSlowDisk: while a sync is stuck nothing is acknowledged that a power cut could take, what waits for it is bounded by
// the budget, and what was flushed before is read at once. When the disk is quick again, so is the broker.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem(time.Now)
		disk := errorfs.New(mem)
		b := openUnbound(t, disk, map[config.Key]string{config.QueuedMaxRequestBytes: "8388608", config.SocketRequestMaxBytes: "8388608"})
		admin := dialWire(b)
		admin.ask(createTopic("t", slowProducers))
		for p := range int32(slowProducers) {
			admin.ask(produceOne(p, make([]byte, slowValue)))
		}
		log := func(p int32) *logstore.Log { return b.dirs.Get(logstore.TopicPartition{Topic: "t", Partition: p}) }

		disk.Add("sync of *.log -> delay 5s", "syncfs of * -> delay 5s")
		stuck := time.Now()
		var acked [slowProducers]atomic.Int64
		done := make(chan struct{})
		for p := range int32(slowProducers) {
			w := dialWire(b)
			w.answered = func(resp []byte) {
				answer := kmsg.NewPtrProduceResponse()
				answer.Version = produceVersion
				if err := answer.ReadFrom(resp); err != nil {
					t.Error(err)
					return
				}
				a := answer.Topics[0].Partitions[0]
				if a.ErrorCode != 0 || a.BaseOffset >= log(p).Flushed() {
					t.Errorf("partition %d: offset %d is acknowledged with code %d, and flushed up to %d", p, a.BaseOffset, a.ErrorCode, log(p).Flushed())
				}
				acked[p].Add(1)
			}
			go func() {
				for range slowBatches {
					w.send(produceOne(p, make([]byte, slowValue)))
				}
				w.awaitAnswers()
				done <- struct{}{}
			}()
		}
		synctest.Wait() // no time passes: everything now waits for the disk, or for room
		count := func() (n int64) {
			for p := range acked {
				n += acked[p].Load()
			}
			return n
		}
		appended := int64(-slowProducers) // those before the disk was slow
		for p := range int32(slowProducers) {
			appended += log(p).End()
		}
		if n := count(); n != 0 || appended < slowBatches || appended > slowProducers*slowBatches/2 {
			t.Errorf("of %d batches %d are acknowledged and %d appended while the sync is stuck", slowProducers*slowBatches, n, appended)
		}
		if used := b.front.frames.Budget.Used(); used < stuckBudget/2 || used > stuckBudget+slowProducers*2*slowValue {
			t.Errorf("%d bytes wait in memory, where %d may", used, stuckBudget)
		}
		for p := range int32(slowProducers) {
			if n := recordBytes(t, admin.ask(fetchFrom(p, 0))); n < slowValue {
				t.Errorf("partition %d: %d bytes of flushed records were read", p, n)
			}
		}
		if took := time.Since(stuck); took != 0 {
			t.Errorf("what was flushed was read after %v", took)
		}

		time.Sleep(stuckFor + time.Millisecond)
		synctest.Wait()
		some := [slowProducers]int64{}
		for p := range acked {
			some[p] = acked[p].Load()
		}
		if count() == 0 || count() == slowProducers*slowBatches {
			t.Errorf("%d of %d are acknowledged after the first sync", count(), slowProducers*slowBatches)
		}
		after, err := logstore.Open(b.static.DataDirs()[0], logstore.Options{NodeID: b.static.NodeID(), FS: mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)})
		if err != nil {
			t.Fatal(err)
		}
		for p, n := range some {
			if left := after.Get(logstore.TopicPartition{Topic: "t", Partition: int32(p)}); left == nil || left.End() < 1+n {
				t.Errorf("partition %d has not what was acknowledged after a power cut", p)
			}
		}
		if err := after.Close(); err != nil {
			t.Error(err)
		}

		disk.Clear()
		quick := time.Now()
		for range slowProducers {
			<-done
		}
		if took := time.Since(quick); took > stuckFor || count() != slowProducers*slowBatches {
			t.Errorf("%d of %d acknowledged %v after the disk was quick again", count(), slowProducers*slowBatches, took)
		}
		synctest.Wait() // for what an answer leaves to be given back
		if used := b.front.frames.Budget.Used(); used != 0 {
			t.Errorf("%d bytes are still held", used)
		}
	})
}

// openUnbound is a broker without sockets, on the disk's directory data. It ends with the test, which may be a bubble's.
func openUnbound(t *testing.T, fs vfs.FS, set map[config.Key]string) *Broker {
	t.Helper()
	b := newBroker(Options{Config: configOf(t, "data", set), FS: fs, Now: time.Now, Log: logTo(t)})
	b.advertiser = &advertiser{nodeID: b.static.NodeID(), listeners: map[string]listenerAddress{}}
	for _, step := range []func() error{b.openDirs, b.openQuorum, b.register, b.build, b.follow, b.serve} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { stop(t, b) })
	return b
}

// wire is a client's end of a connection. One goroutine sends.
type wire struct {
	net.Conn
	// answered is called with each answer's body, where it is set before the first request; else ask returns it.
	answered func(resp []byte)
	answers  chan []byte
	sent     int
	all      chan struct{} // a signal for each answer
}

func dialWire(b *Broker) *wire {
	w := &wire{Conn: dial(b.front), answers: make(chan []byte), all: make(chan struct{}, slowBatches)}
	go w.read()
	return w
}

// read ends with the connection.
func (w *wire) read() {
	defer close(w.answers)
	for {
		var prefix [8]byte // length and correlation id
		if _, err := io.ReadFull(w, prefix[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(prefix[:])-4)
		if _, err := io.ReadFull(w, body); err != nil {
			return
		}
		if w.answered == nil {
			w.answers <- body
			continue
		}
		w.answered(body)
		w.all <- struct{}{}
	}
}

func (w *wire) send(req kmsg.Request) {
	w.sent++
	_, _ = w.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, int32(w.sent)))
}

func (w *wire) ask(req kmsg.Request) []byte {
	w.send(req)
	return <-w.answers
}

func (w *wire) awaitAnswers() {
	for range w.sent {
		<-w.all
	}
}

// Versions without tagged fields.
const (
	createVersion  = 4
	produceVersion = 7
	fetchVersion   = 4
)

func createTopic(name string, partitions int32) kmsg.Request {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = createVersion
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 10_000
	return req
}

func produceOne(partition int32, value []byte) kmsg.Request {
	batch := record.NewBuilder(record.NewOptions())
	batch.Add(time.Now().UnixMilli(), nil, value)
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = produceVersion, -1, 60_000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batch.Batch()
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.Partitions = "t", append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	return req
}

func fetchFrom(partition int32, offset int64) kmsg.Request {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MinBytes, req.MaxBytes, req.MaxWaitMillis = fetchVersion, 1, 1<<20, 60_000
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.Partitions = "t", append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	return req
}

func recordBytes(t *testing.T, resp []byte) int {
	t.Helper()
	answer := kmsg.NewPtrFetchResponse()
	answer.Version = fetchVersion
	if err := answer.ReadFrom(resp); err != nil {
		t.Fatal(err)
	}
	return len(answer.Topics[0].Partitions[0].RecordBatches)
}
