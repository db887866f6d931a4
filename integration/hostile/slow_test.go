package hostile

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Thousands of sockets that say nothing, half a length, half a header, or a byte now and then: others do not feel them.
func TestSlowSenders(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	other := b.dial(t)
	requests := scale(2000, 400, 20_000)
	before := latencies(t, other, "t", requests)
	n := min(5000, b.roomForSockets())
	g := b.watchMemory()
	var slow []*peer
	for i := range n {
		p := b.dial(t)
		if says := [][]byte{{}, {0, 0}, {0, 0, 0, 100, 0, 3}, {0, 0, 0, 100}}[i%4]; len(says) > 0 {
			if err := p.write(says); err != nil {
				t.Fatal(err)
			}
		}
		slow = append(slow, p)
	}
	trickling := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { // a byte a second to each of those in the midst of a request
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			for i := 3; i < len(slow); i += 4 {
				slow[i].write([]byte{0})
			}
			select {
			case <-tick.C:
			case <-trickling:
				return
			}
		}
	})
	during := latencies(t, other, "t", requests)
	close(trickling)
	all.Wait()
	t.Logf("FIGURE beside %d slow sockets: %s", n, compare(before, during))
	g.below(t, 128<<20, fmt.Sprintf("%d slow sockets", n))
	for i, p := range slow {
		if !p.open() {
			t.Fatalf("slow socket %d was closed before its time", i)
		}
		p.Close()
	}
	eventually(t, "sockets that were closed are still counted", func() bool {
		open, _ := b.metric("ottla_connections")
		return open <= 1
	})
}

// roomForSockets is how many connections this process and the broker may have, with some left for files.
func (b *target) roomForSockets() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		b.t.Fatal(err)
	}
	theirs, _ := b.metric("process_max_fds")
	const files = 4500 // the broker keeps 4352 for its own
	return int(min(float64(l.Cur)-200, max(theirs-files, theirs/2-200)))
}

// Clients that ask for much and never read: the broker holds little for them and others are served.
func TestClientsThatNeverRead(t *testing.T) {
	b := attack(t, map[string]string{"fetch.max.bytes": fmt.Sprint(100 << 20)})
	b.create("t", 1, nil)
	b.create("large", 1, nil)
	other := b.dial(t)
	for range 64 {
		produced(t, other, "large", 1_000_000)
	}
	b.works("before the attack")
	requests := scale(1000, 200, 10_000)
	before := latencies(t, other, "t", requests)
	g := b.watchMemory()
	const deaf = 200
	for range deaf {
		p := b.dial(t)
		for range 4 {
			if err := p.send(fetchFrom("large", 0, 0, 100<<20)); err != nil {
				t.Fatal(err)
			}
		}
	}
	during := latencies(t, other, "t", requests)
	t.Logf("FIGURE beside %d clients that fetch 4 × 64 MB and do not read: %s", deaf, compare(before, during))
	g.below(t, 256<<20, fmt.Sprintf("%d unread fetches of 64 MB", 4*deaf))
}

// Answers that lie in memory count: who leaves many unread is not read from any more, and given up when others wait for
// that memory.
func TestUnreadAnswersLeaveRoomForOthers(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	other := b.dial(t)
	requests := scale(1000, 200, 10_000)
	before := latencies(t, other, "t", requests)
	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.SetVersion(4)
	describe.IncludeSynonyms, describe.IncludeDocumentation = true, true
	describe.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: "1"}}
	size := 0
	if err := other.send(describe); err != nil {
		t.Fatal(err)
	}
	if _, body, err := other.receive(); err != nil {
		t.Fatal(err)
	} else {
		size = len(body)
	}
	g := b.watchMemory()
	const deaf, each = 40, 512
	for range deaf {
		p := b.dial(t)
		var all []byte
		for i := range int32(each) {
			all = append(all, formatter.AppendRequest(nil, describe, i)...)
		}
		if err := p.write(all); err != nil {
			t.Fatal(err)
		}
	}
	during := latencies(t, other, "t", requests)
	began := time.Now()
	produced(t, other, "t", 1_000_000)
	t.Logf("FIGURE beside %d × %d unread answers of %d bytes: %s; a produce of 1 MB took %v", deaf, each, size, compare(before, during), time.Since(began).Round(time.Millisecond))
	// 256 MiB of answers, as much again before garbage is collected, and what is being encoded.
	g.below(t, 700<<20, fmt.Sprintf("%d unread answers of %d bytes", deaf*each, size))
}

// A hundred thousand requests on one socket, sent as fast as they are taken: answered in their order, and others are served.
func TestPipeliningFlood(t *testing.T) {
	b := attack(t, map[string]string{"log.durability": "fsync"})
	b.create("t", 1, nil)
	other := b.dial(t)
	before := latencies(t, other, "t", 500)
	g := b.watchMemory()
	n := int32(scale(100_000, 10_000, 2_000_000))
	p := b.dial(t)
	kinds := []kmsg.Request{metadataOf("t"), produceTo("t", batchOf(10)), kmsg.NewPtrApiVersionsRequest(), fetchFrom("t", 0, 0, 1000), metadataOf("none")}
	var frames [][]byte
	for _, r := range kinds {
		frames = append(frames, formatter.AppendRequest(nil, r, 0))
	}
	const atCorrelationID = 8
	began := time.Now()
	sent := make(chan error, 1)
	go func() {
		var out []byte
		for id := range n {
			frame := frames[int(id)%len(frames)]
			binary.BigEndian.PutUint32(frame[atCorrelationID:], uint32(id))
			out = append(out, frame...)
			if len(out) > 64<<10 || id == n-1 {
				p.SetWriteDeadline(time.Now().Add(patience))
				if _, err := p.Write(out); err != nil {
					sent <- err
					return
				}
				out = out[:0]
			}
		}
		sent <- nil
	}()
	var during []time.Duration
	var side sync.WaitGroup
	flooded := make(chan struct{})
	side.Go(func() {
		for {
			during = append(during, latencies(t, other, "t", 20)...)
			select {
			case <-flooded:
				return
			default:
			}
		}
	})
	for id := range n {
		got, body, err := p.receive()
		if err != nil {
			t.Fatalf("answer to %d: %v", id, err)
		}
		if got != id {
			t.Fatalf("the answer to %d came where that to %d is due", got, id)
		}
		if id < 100 || id%100 < int32(len(kinds)) {
			if _, err := decode(kinds[int(id)%len(kinds)], body); err != nil {
				t.Fatalf("answer to %d: %v", id, err)
			}
		}
	}
	took := time.Since(began)
	close(flooded)
	side.Wait()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	slices.Sort(during)
	t.Logf("FIGURE %d requests on one socket in %v (%.0f a second); beside it: %s", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), compare(before, during))
	g.below(t, 256<<20, "a pipelining flood")
}
