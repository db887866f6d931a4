package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
)

// echo is a front whose one API, Heartbeat, is served by the given handler.
func echo(t *testing.T, handler api.Handler) *front {
	t.Helper()
	table := map[protocol.Key]*row{}
	for _, key := range []protocol.Key{protocol.HeartbeatKey, protocol.ApiVersionsKey} {
		table[key] = &row{key: key, min: protocol.MinVersion(key), handler: handler}
	}
	f := newFront(&api.Server{Authorizer: security.AllowAll{}}, table, limits{
		IdleTimeout: 10 * time.Minute, InFlight: 8, Connections: connectionLimits{Total: 100, PerIP: 100},
	}, protocol.FrameLimits{FrameBytesMax: 1 << 20, ConnectionBytesMax: 1 << 20, Budget: protocol.NewBudget(8 << 20)}, prometheus.NewRegistry())
	f.log = slog.New(slog.DiscardHandler)
	t.Cleanup(func() {
		f.serves.Wait()
		if used := f.frames.Budget.Used(); used != 0 {
			t.Errorf("%d bytes are still counted after the connections ended", used)
		}
	})
	return f
}

// dial is a client's end of a connection that f serves. End it before the test's end.
func dial(f *front) net.Conn {
	client, server := net.Pipe()
	f.start(server, "PLAINTEXT")
	return client
}

// heartbeat is a Heartbeat request frame, version 0.
func heartbeat(correlationID int32, group string) []byte {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group = group
	body := []byte{0, 0, 0, 0, 0, byte(protocol.HeartbeatKey), 0, 0}
	body = binary.BigEndian.AppendUint32(body, uint32(correlationID))
	body = append(body, 0xff, 0xff) // no client id
	body = req.AppendTo(body)
	binary.BigEndian.PutUint32(body, uint32(len(body)-4))
	return body
}

// readAnswer reads one response frame and returns its correlation id and body.
func readAnswer(t *testing.T, c net.Conn) (int32, []byte) {
	t.Helper()
	var prefix [4]byte
	if _, err := io.ReadFull(c, prefix[:]); err != nil {
		t.Fatalf("no answer: %v", err)
	}
	frame := make([]byte, binary.BigEndian.Uint32(prefix[:]))
	if _, err := io.ReadFull(c, frame); err != nil {
		t.Fatalf("half an answer: %v", err)
	}
	return int32(binary.BigEndian.Uint32(frame)), frame[4:]
}

func expectClosed(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, c); n != 0 || (err != nil && !errors.Is(err, io.ErrClosedPipe)) {
		t.Errorf("got %d bytes and %v where the connection should have ended", n, err)
	}
}

func TestAnswersLeaveInTheOrderOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked []*api.Request
		f := echo(t, func(_ *api.Server, r *api.Request) { parked = append(parked, r) })
		c := dial(f)
		for id := range int32(5) {
			c.Write(heartbeat(id, "g"))
		}
		synctest.Wait()
		for _, i := range []int{3, 1, 0, 4, 2} {
			parked[i].Reply(kmsg.NewPtrHeartbeatResponse())
		}
		for id := range int32(5) {
			if got, _ := readAnswer(t, c); got != id {
				t.Fatalf("answer to %d where that to %d was due", got, id)
			}
		}
		c.Close()
	})
}

func TestNoReplyLeavesNothingOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := echo(t, func(_ *api.Server, r *api.Request) {
			if r.Message.(*kmsg.HeartbeatRequest).Group == "silent" {
				r.NoReply()
				return
			}
			r.Reply(kmsg.NewPtrHeartbeatResponse())
		})
		c := dial(f)
		c.Write(heartbeat(1, "silent"))
		c.Write(heartbeat(2, "loud"))
		if got, _ := readAnswer(t, c); got != 2 {
			t.Errorf("answer to %d, want to 2", got)
		}
		c.Close()
	})
}

func TestSocketIsNotReadWhileTooManyRequestsAreUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked []*api.Request
		f := echo(t, func(_ *api.Server, r *api.Request) { parked = append(parked, r) })
		c := dial(f)
		go func() {
			for id := range int32(100) {
				c.Write(heartbeat(id, "g"))
			}
		}()
		synctest.Wait()
		if len(parked) != f.limits.InFlight {
			t.Fatalf("%d requests taken in, the bound is %d", len(parked), f.limits.InFlight)
		}
		for id := range int32(100) {
			synctest.Wait()
			parked[id].Reply(kmsg.NewPtrHeartbeatResponse())
			if got, _ := readAnswer(t, c); got != id {
				t.Fatalf("answer to %d where that to %d was due", got, id)
			}
		}
		c.Close()
	})
}

func TestAnswersBeforeAClosingOneAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first *api.Request
		f := echo(t, func(_ *api.Server, r *api.Request) {
			if first == nil {
				first = r
				return
			}
			r.Close(nil)
		})
		c := dial(f)
		c.Write(heartbeat(1, "g"))
		c.Write(heartbeat(2, "g"))
		synctest.Wait()
		first.Reply(kmsg.NewPtrHeartbeatResponse())
		if got, _ := readAnswer(t, c); got != 1 {
			t.Errorf("answer to %d, want to 1", got)
		}
		expectClosed(t, c)
	})
}

func TestAPanickingHandlerEndsItsConnectionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := echo(t, func(_ *api.Server, r *api.Request) {
			if r.Message.(*kmsg.HeartbeatRequest).Group == "bad" {
				panic("broken invariant")
			}
			r.Reply(kmsg.NewPtrHeartbeatResponse())
		})
		good, bad := dial(f), dial(f)
		bad.Write(heartbeat(1, "bad"))
		expectClosed(t, bad)
		good.Write(heartbeat(2, "good"))
		readAnswer(t, good)
		good.Close()
	})
}

func TestSlowAndIdlePeersTimeOut(t *testing.T) {
	tests := []struct {
		name  string
		act   func(c net.Conn)
		after time.Duration
	}{
		{"idle", func(net.Conn) {}, 10 * time.Minute},
		{"half a length", func(c net.Conn) { c.Write([]byte{0, 0}) }, 10 * time.Minute},
		{"half a frame", func(c net.Conn) { c.Write(heartbeat(1, "g")[:20]) }, 30 * time.Second},
		{"a little of a large frame", func(c net.Conn) { c.Write(append([]byte{0, 16, 0, 0}, make([]byte, 5000)...)) }, 30 * time.Second},
		{"answers not read", func(c net.Conn) { c.Write(heartbeat(1, "g")) }, 30 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := echo(t, func(_ *api.Server, r *api.Request) { r.Reply(kmsg.NewPtrHeartbeatResponse()) })
				c := dial(f)
				began := time.Now()
				tt.act(c)
				f.serves.Wait()
				if took := time.Since(began); took < tt.after || took > tt.after+time.Second {
					t.Errorf("ended after %v, want %v", took, tt.after)
				}
			})
		})
	}
}

func TestAParkedRequestIsNotIdleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked *api.Request
		f := echo(t, func(_ *api.Server, r *api.Request) { parked = r })
		c := dial(f)
		c.Write(heartbeat(7, "g"))
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		parked.Reply(kmsg.NewPtrHeartbeatResponse())
		if got, _ := readAnswer(t, c); got != 7 {
			t.Errorf("answer to %d, want to 7", got)
		}
		c.Close()
	})
}

func TestTheEndOfAConnectionIsToldAndLateAnswersAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked *api.Request
		f := echo(t, func(_ *api.Server, r *api.Request) { parked = r })
		c := dial(f)
		c.Write(heartbeat(1, "g"))
		synctest.Wait()
		c.Close()
		<-parked.Conn.Done
		released := false
		parked.ReplyParts(nil, 0, func() { released = true })
		if !released {
			t.Error("what the late answer held was not released")
		}
	})
}

func TestDrainAnswersWhatIsBeingServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked *api.Request
		f := echo(t, func(_ *api.Server, r *api.Request) { parked = r })
		busy, idle := dial(f), dial(f)
		busy.Write(heartbeat(1, "g"))
		synctest.Wait()
		drained := make(chan struct{})
		go func() { f.drain(context.Background()); close(drained) }()
		expectClosed(t, idle)
		parked.Reply(kmsg.NewPtrHeartbeatResponse())
		readAnswer(t, busy)
		<-drained
		expectClosed(t, busy)
	})
}

// TestDrainLeavesAnswersToBeRead: a client that has sent more than is read any more still gets the answers to what was read.
func TestDrainLeavesAnswersToBeRead(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	f := echo(t, func(_ *api.Server, r *api.Request) {
		close(asked)
		go func() { <-answer; r.Reply(kmsg.NewPtrHeartbeatResponse()) }()
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f.start(server, "PLAINTEXT")
	if _, err := c.Write(heartbeat(1, "")); err != nil {
		t.Fatal(err)
	}
	<-asked
	drained := make(chan struct{})
	go func() { f.drain(t.Context()); close(drained) }()
	for !f.draining.Load() {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Write(heartbeat(2, "")); err != nil {
		t.Fatal(err)
	}
	close(answer)
	for range 20 { // a socket that was closed at once has lost the answer by now
		if len(f.open()) > 0 {
			time.Sleep(time.Millisecond)
		}
	}
	if id, _ := readAnswer(t, c); id != 1 {
		t.Errorf("answer to %d", id)
	}
	expectClosed(t, c)
	c.Close()
	<-drained
}

func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var parked *api.Request
		f := echo(t, func(_ *api.Server, r *api.Request) { parked = r })
		c := dial(f)
		c.Write(heartbeat(1, "g"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		f.drain(ctx)
		expectClosed(t, c)
		parked.Reply(kmsg.NewPtrHeartbeatResponse()) // its place is gone; nothing may happen
	})
}

func TestWhatIsNoRequestEndsTheConnection(t *testing.T) {
	frame := func(key, version int16) []byte {
		b := binary.BigEndian.AppendUint32(nil, 10)
		b = binary.BigEndian.AppendUint16(b, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		return append(b, 0, 0, 0, 9, 0xff, 0xff)
	}
	tests := map[string][]byte{
		"HTTP":                   []byte("GET / HTTP/1.1\r\n\r\n"),
		"SSH":                    []byte("SSH-2.0-OpenSSH_9.2\r\n"),
		"TLS":                    {0x16, 3, 1, 0, 200, 1, 0},
		"negative length":        {0xff, 0xff, 0xff, 0xff},
		"length 0":               {0, 0, 0, 0},
		"length beyond limit":    {0x7f, 0xff, 0xff, 0xff},
		"not served":             frame(int16(protocol.ProduceKey), 9),
		"version below":          frame(int16(protocol.HeartbeatKey), -1),
		"version above":          frame(int16(protocol.HeartbeatKey), 99),
		"body that is too short": frame(int16(protocol.HeartbeatKey), 0),
	}
	for key := int16(-2); key < 128; key++ {
		if k := protocol.Key(key); k != protocol.HeartbeatKey && k != protocol.ApiVersionsKey {
			tests["key "+k.String()+" "+string(rune('0'+key%10))] = frame(key, 0)
		}
	}
	for name, bytes := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := echo(t, func(_ *api.Server, r *api.Request) { t.Error("reached a handler") })
				c := dial(f)
				go c.Write(bytes)
				expectClosed(t, c)
			})
		})
	}
}

func TestANewerApiVersionsIsAnsweredAtVersion0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := echo(t, func(_ *api.Server, r *api.Request) { t.Error("reached the handler") })
		c := dial(f)
		b := []byte{0, 0, 0, 30, 0, byte(protocol.ApiVersionsKey), 0, 99, 0, 0, 0, 5}
		c.Write(append(b, make([]byte, 22)...))
		id, body := readAnswer(t, c)
		resp := kmsg.NewPtrApiVersionsResponse()
		if err := resp.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		if id != 5 || resp.ErrorCode != int16(protocol.UnsupportedVersion) || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != int16(protocol.ApiVersionsKey) {
			t.Errorf("answer to %d: %+v", id, resp)
		}
		c.Close()
	})
}

func TestConnectionsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := echo(t, func(_ *api.Server, r *api.Request) {})
		f.setConnectionLimits(connectionLimits{Total: 2, PerIP: 100})
		a, b := dial(f), dial(f)
		expectClosed(t, dial(f))
		a.Close()
		f.mu.Lock()
		for len(f.mu.conns) == 2 {
			f.mu.Unlock()
			synctest.Wait()
			f.mu.Lock()
		}
		f.mu.Unlock()
		d := dial(f)
		synctest.Wait()
		if len(f.open()) != 2 {
			t.Errorf("%d connections open, want 2", len(f.open()))
		}
		b.Close()
		d.Close()
	})
}
