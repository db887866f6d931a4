package hostile

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// requestBytesMax is the default of socket.request.max.bytes.
const requestBytesMax = 100 << 20

// A length is worth only as much memory as bytes that follow it.
func TestLengthClaims(t *testing.T) {
	b := attack(t, nil)
	b.works("before the attack")
	const connections = 1000
	var held []*peer
	g := b.watchMemory()
	for i := range connections {
		// What is too long is refused at once, so the largest that is taken is claimed too.
		refused := b.dial(t)
		claim := []int64{math.MaxInt32, -1, math.MinInt32, 0, 1, 9, requestBytesMax + 1}[i%7]
		refused.write(binary.BigEndian.AppendUint32(nil, uint32(claim)))
		if err := refused.ended(); err != nil {
			t.Fatalf("a length of %d: %v", claim, err)
		}
		refused.Close()
		p := b.dial(t)
		if err := p.write(binary.BigEndian.AppendUint32(nil, requestBytesMax)); err != nil {
			t.Fatal(err)
		}
		held = append(held, p)
	}
	for range 5 { // trickle
		for _, p := range held {
			if err := p.write([]byte{0}); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := b.dial(t) // when it is answered, what came before has been read by and large
	mustAsk[*kmsg.MetadataResponse](t, other, kmsg.NewPtrMetadataRequest())
	for _, p := range held {
		if !p.open() {
			t.Fatal("a connection with an allowed length was closed")
		}
	}
	g.below(t, 64<<20, fmt.Sprintf("%d lengths of 100 MiB with 5 bytes after each", connections))
	g.announcedBelow(t, 256<<20)
}

// Some clients send much of large requests, and stop. Others are served nevertheless.
func TestHalfSentRequestsLeaveRoomForOthers(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	b.works("before the attack")
	const connections = 40
	g := b.watchMemory()
	part := make([]byte, 17<<20)
	binary.BigEndian.PutUint32(part, requestBytesMax)
	var all sync.WaitGroup
	for range connections {
		p := b.dial(t)
		all.Go(func() {
			// The broker stops reading where it has no room: so this may end early.
			p.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := p.Write(part); err != nil && !isTimeout(err) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	other := b.dial(t)
	for _, size := range []int{100, 10_000, 1_000_000} {
		began := time.Now()
		produced(t, other, "t", size)
		t.Logf("FIGURE a produce of %d bytes beside %d half-sent requests of 100 MiB took %v", size, connections, time.Since(began).Round(time.Microsecond))
	}
	// 256 MiB of requests and one that may go beyond; as much again is garbage before it is collected.
	g.below(t, 800<<20, fmt.Sprintf("%d half-sent requests of 100 MiB, 17 MiB of each", connections))
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout() || os.IsTimeout(err)
}
