package broker

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/protocol"
)

// largeHeartbeat is a Heartbeat of n bytes in all: what follows the last field is passed over.
func largeHeartbeat(correlationID int32, n int) []byte {
	b := heartbeat(correlationID, "g")
	b = append(b, make([]byte, n-len(b))...)
	binary.BigEndian.PutUint32(b, uint32(n-4))
	return b
}

// tight is echo with room for one large frame. Its floors are a few bytes.
func tight(t *testing.T, handler api.Handler) *front {
	f := echo(t, handler)
	f.frames.Budget = protocol.NewBudget(64 << 10)
	return f
}

func TestWhoStopsHalfwayHoldsUpOthersForNoLongerThanAGlance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := tight(t, func(_ *api.Server, r *api.Request) { r.Reply(kmsg.NewPtrHeartbeatResponse()) })
		stopped, other := dial(f), dial(f)
		stopped.Write(largeHeartbeat(1, 60_000)[:40_000])
		time.Sleep(time.Second)
		began := time.Now()
		other.Write(heartbeat(2, "g"))
		readAnswer(t, other)
		if took := time.Since(began); took == 0 || took > 2*glance {
			t.Errorf("the other was answered after %v, want at most %v", took, 2*glance)
		}
		expectClosed(t, stopped)
		other.Close()
	})
}

func TestWhoDoesNotReadHoldsUpOthersForNoLongerThanAGlance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := tight(t, func(_ *api.Server, r *api.Request) {
			if r.Message.(*kmsg.HeartbeatRequest).Group == "much" {
				r.ReplyParts([]protocol.Part{{Bytes: make([]byte, 80<<10)}}, 80<<10, nil)
				return
			}
			r.Reply(kmsg.NewPtrHeartbeatResponse())
		})
		deaf, other := dial(f), dial(f)
		deaf.Write(heartbeat(1, "much"))
		synctest.Wait()
		began := time.Now()
		other.Write(heartbeat(2, "g"))
		readAnswer(t, other)
		if took := time.Since(began); took == 0 || took > 2*glance {
			t.Errorf("the other was answered after %v, want at most %v", took, 2*glance)
		}
		other.Close()
		deaf.Close()
	})
}

// rangeOf is a file without a descriptor.
type rangeOf struct{ *bytes.Reader }

func (rangeOf) Fd() (uintptr, bool) { return 0, false }

// A client that is slow, but no slower than it may be, is served however long that takes.
func TestSlowClientsThatKeepUpAreServed(t *testing.T) {
	const size, second = 1 << 20, slowest * 11 / 10
	answer := make([]byte, size)
	for i := range answer {
		answer[i] = byte(i / 7)
	}
	for name, part := range map[string]protocol.Part{
		"memory": {Bytes: answer},
		"a file": {File: rangeOf{bytes.NewReader(append([]byte("before"), answer...))}, Off: 6, Len: size},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := echo(t, func(_ *api.Server, r *api.Request) {
					time.AfterFunc(time.Millisecond, func() { r.ReplyParts([]protocol.Part{part}, size, nil) })
				})
				f.limits.IdleTimeout = 40 * time.Second // less than the request takes, or the answer
				c := dial(f)
				for rest := largeHeartbeat(1, size); len(rest) > 0; rest = rest[min(second, len(rest)):] {
					time.Sleep(time.Second)
					if _, err := c.Write(rest[:min(second, len(rest))]); err != nil {
						t.Fatalf("with %d bytes to send: %v", len(rest), err)
					}
				}
				got := make([]byte, size)
				for rest := got; len(rest) > 0; rest = rest[min(second, len(rest)):] {
					time.Sleep(time.Second)
					if _, err := io.ReadFull(c, rest[:min(second, len(rest))]); err != nil {
						t.Fatalf("with %d bytes to read: %v", len(rest), err)
					}
				}
				if !bytes.Equal(got, answer) {
					t.Error("the answer came damaged")
				}
				c.Close()
			})
		})
	}
}

// Time that a request waits for room is not held against its sender.
func TestWaitingForRoomIsNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked *api.Request
		f := tight(t, func(_ *api.Server, r *api.Request) {
			if parked == nil {
				parked = r
				return
			}
			r.Reply(kmsg.NewPtrHeartbeatResponse())
		})
		busy := dial(f)
		busy.Write(largeHeartbeat(1, 60_000))
		synctest.Wait()
		var waiting []net.Conn
		for range 3 {
			c := dial(f)
			waiting = append(waiting, c)
			go c.Write(largeHeartbeat(2, 60_000))
		}
		time.Sleep(10 * time.Minute)
		parked.Reply(kmsg.NewPtrHeartbeatResponse())
		readAnswer(t, busy)
		busy.Close()
		var all sync.WaitGroup
		for _, c := range waiting {
			all.Go(func() { readAnswer(t, c); c.Close() })
		}
		all.Wait()
	})
}
