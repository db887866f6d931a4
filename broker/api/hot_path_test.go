package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// sink is where answers of the hot path go in these measurements: they are encoded, and forgotten.
type sink struct {
	buf   []byte
	bytes int
}

func (s *sink) Reply(resp kmsg.Response) {
	if p, ok := resp.(*kmsg.ProduceResponse); ok && p.Topics[0].Partitions[0].ErrorCode != 0 {
		panic("not appended: " + protocol.Code(p.Topics[0].Partitions[0].ErrorCode).String())
	}
	s.buf = protocol.AppendResponse(s.buf[:0], 7, resp)
	s.bytes += len(s.buf)
}

func (s *sink) ReplyParts(_ []protocol.Part, size int, release func()) {
	s.bytes += size
	release()
}

func (s *sink) NoReply()    {}
func (s *sink) Close(error) {}

// hot is a request that is served again and again.
type hot struct {
	w      *dataWorld
	header protocol.RequestHeader
	body   []byte
	frame  []byte // what body is copied to, as a handler may write into a frame
	sink   sink
}

// newHotWorld is a broker on a real file system, whose writes allocate nothing, in page-cache mode.
func newHotWorld(t testing.TB) *dataWorld {
	return openDataWorldOn(t, vfs.OS(), t.TempDir(), cluster.Empty(), "log.durability", "pagecache")
}

func newHot(w *dataWorld, req kmsg.Request) *hot {
	w.Authorizer = security.AllowAll{}
	return &hot{w: w, body: req.AppendTo(nil), header: protocol.RequestHeader{Key: protocol.Key(req.Key()), Version: req.GetVersion()}}
}

// serve decodes the request and hands it to its handler.
func (h *hot) serve() {
	h.frame = append(h.frame[:0], h.body...)
	message, err := protocol.Decode(h.header, h.frame)
	if err != nil {
		panic(err)
	}
	handlers[h.header.Key](h.w.Server, NewRequest(h.header, message, len(h.body), time.Now(), h.w.conn.Conn, &h.sink))
}

// decode is serve without the handler: what kmsg allocates is not ours to count.
func (h *hot) decode() {
	if _, err := protocol.Decode(h.header, h.body); err != nil {
		panic(err)
	}
}

func records(count, size int) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	for i := range count {
		b.Add(1000, []byte(fmt.Sprint(i)), make([]byte, size))
	}
	return b.Batch()
}

// TestHotPathAllocations bounds what the handlers allocate, whatever the number of records in a batch.
func TestHotPathAllocations(t *testing.T) {
	w := newHotWorld(t)
	id := w.topic("t", 8)
	w.fill("t", 0, records(100, 100), records(100, 100), records(100, 100))
	poll := fetchRequest(18, "t", id, 0, 0)
	for index := range int32(7) {
		poll.Topics[0].Partitions = append(poll.Topics[0].Partitions, fetchPartition(index+1, 0))
	}
	for _, c := range []struct {
		name string
		req  kmsg.Request
		most float64
	}{
		{"produce one record", produceRequest(9, "t", id, 1, 1, records(1, 100)), 12},
		{"produce 1000 records", produceRequest(9, "t", id, 1, 1, records(1000, 100)), 12},
		{"produce 1000 records, acks=all", produceRequest(9, "t", id, 1, -1, records(1000, 100)), 13},
		{"fetch 300 records", fetchRequest(18, "t", id, 0, 0), 18},
		{"fetch 8 partitions", poll, 20},
	} {
		h := newHot(w, c.req)
		h.serve()
		if got := testing.AllocsPerRun(100, h.serve) - testing.AllocsPerRun(100, h.decode); got > c.most {
			t.Errorf("%s: %.0f allocations, want at most %.0f", c.name, got, c.most)
		} else {
			t.Logf("%s: %.0f allocations", c.name, got)
		}
	}
}

func BenchmarkProduce(b *testing.B) {
	for _, size := range []struct{ count, size int }{{1, 100}, {100, 100}, {64, 1024}} {
		for _, version := range []int16{9, 13} {
			b.Run(fmt.Sprintf("%dx%dB/v%d", size.count, size.size, version), func(b *testing.B) {
				w := newHotWorld(b)
				id := w.topic("t", 1, "segment.bytes", "8388608", "retention.bytes", "16777216", "file.delete.delay.ms", "0")
				h := newHot(w, produceRequest(version, "t", id, 0, -1, records(size.count, size.size)))
				b.SetBytes(int64(len(h.body)))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					h.serve()
					if i%1000 == 999 {
						b.StopTimer()
						w.store.ApplyRetention(time.Now())
						b.StartTimer()
					}
				}
			})
		}
	}
}

func BenchmarkFetch(b *testing.B) {
	for _, partitions := range []int32{1, 10, 100} {
		for _, kind := range []string{"records", "empty"} {
			b.Run(fmt.Sprintf("%dpartitions/%s", partitions, kind), func(b *testing.B) {
				w := newHotWorld(b)
				id := w.topic("t", partitions)
				req := fetchRequest(18, "t", id, 0, 0)
				req.Topics[0].Partitions = nil
				for index := range partitions {
					if kind == "records" {
						w.fill("t", index, records(100, 100))
					}
					req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPartition(index, 0))
				}
				h := newHot(w, req)
				b.ReportAllocs()
				for b.Loop() {
					h.serve()
				}
				b.SetBytes(int64(h.sink.bytes / max(1, b.N)))
			})
		}
	}
}

// BenchmarkLongPoll is a consumer that waits for a record, and the producer of that record.
func BenchmarkLongPoll(b *testing.B) {
	for _, consumers := range []int{1, 20} {
		b.Run(fmt.Sprintf("%dconsumers", consumers), func(b *testing.B) {
			w := newHotWorld(b)
			id := w.topic("t", 1)
			produce := newHot(w, produceRequest(9, "t", id, 0, 1, records(1, 100)))
			p, err := w.Partitions.Find("t", 0)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				poll := newFetch(id, p.End(), 1, 60_000)
				for range consumers {
					newHot(w, poll).serve()
				}
				produce.serve()
			}
		})
	}
}
