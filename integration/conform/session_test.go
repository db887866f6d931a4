package conform

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A session runs one script against one broker and writes its transcript.
type session struct {
	t         *testing.T
	bootstrap string
	conn      net.Conn
	names     *namer
	ranges    map[int16][2]int16 // versions that Apache Kafka serves, by API
	got       transcript
	lastID    int32
}

// answerWait is how long an answer may take; silence is how long there must be none for "no answer". Requests that park
// on purpose are given time-outs of their own below answerWait.
const (
	answerWait = 10 * time.Second
	silence    = 700 * time.Millisecond
)

// What came instead of an answer.
var (
	errClosed = errors.New("connection closed")
	errSilent = errors.New("no answer")
)

func (s *session) dial() net.Conn {
	if s.conn == nil {
		c, err := net.Dial("tcp", s.bootstrap)
		if err != nil {
			s.t.Fatal(err)
		}
		s.conn = c
	}
	return s.conn
}

// hangUp makes the next request come by a new connection.
func (s *session) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// versions is the range in which an API's requests are swept: what Apache Kafka serves, so that both are asked the same.
func (s *session) versions(key int16) (first, last int16) {
	r, ok := s.ranges[key]
	if !ok {
		s.t.Fatalf("Apache Kafka does not serve %s", kmsg.NameForKey(key))
	}
	return r[0], r[1]
}

// ask sends one request and records its answer, which it returns where there is one.
func (s *session) ask(step string, req kmsg.Request) kmsg.Response {
	resp, leaves := s.exchange(req)
	s.record(step, req.GetVersion(), leaves)
	return resp
}

// sweep asks the same at every version.
func (s *session) sweep(step string, build func(version int16) kmsg.Request) {
	first, last := s.versions(build(0).Key())
	s.sweepFrom(step, first, last, build)
}

func (s *session) sweepFrom(step string, first, last int16, build func(version int16) kmsg.Request) {
	for v := first; v <= last; v++ {
		req := build(v)
		req.SetVersion(v)
		s.ask(step, req)
	}
}

// newest is a request at the newest version.
func (s *session) newest(req kmsg.Request) kmsg.Request {
	_, last := s.versions(req.Key())
	req.SetVersion(last)
	return req
}

// quiet sends a request that is no part of the transcript: it sets the scene.
func (s *session) quiet(req kmsg.Request) kmsg.Response {
	resp, leaves := s.exchange(s.newest(req))
	if resp == nil {
		s.t.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), leaves)
	}
	return resp
}

func (s *session) record(step string, version int16, leaves []leaf) {
	for _, a := range s.got {
		if a.step == step && a.version == version {
			s.t.Fatalf("step %q v%d is asked twice: steps need names of their own", step, version)
		}
	}
	s.got = append(s.got, answer{step, version, leaves})
}

func (s *session) exchange(req kmsg.Request) (kmsg.Response, []leaf) {
	s.lastID++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("conform")).AppendRequest(nil, req, s.lastID)
	body, err := s.roundTrip(frame, answerWait)
	if err != nil {
		return nil, []leaf{{"outcome", err.Error()}}
	}
	resp, problem := decode(req, body, s.lastID)
	if problem != "" {
		return nil, []leaf{{"outcome", problem}}
	}
	return resp, s.names.leaves(resp)
}

// tell sends a request that has no answer, and records whether the connection lives on.
func (s *session) tell(step string, req kmsg.Request) {
	s.lastID++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("conform")).AppendRequest(nil, req, s.lastID)
	s.raw(step, req.GetVersion(), frame)
}

// raw sends bytes, and records what becomes of the connection.
func (s *session) raw(step string, version int16, frame []byte) {
	_, err := s.roundTrip(frame, silence)
	outcome := "answered"
	if err != nil {
		outcome = err.Error()
	}
	leaves := []leaf{{"outcome", outcome}}
	if errors.Is(err, errSilent) {
		leaves = append(leaves, leaf{"then", s.pulse()})
	}
	s.record(step, version, leaves)
}

// pulse asks ApiVersions on the same connection.
func (s *session) pulse() string {
	if _, err := s.roundTrip([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff}, silence); err != nil {
		return err.Error()
	}
	return "alive"
}

// roundTrip sends a frame and reads one answer, without its length.
func (s *session) roundTrip(frame []byte, wait time.Duration) ([]byte, error) {
	c := s.dial()
	c.SetDeadline(time.Now().Add(wait))
	if _, err := c.Write(frame); err != nil {
		s.hangUp()
		return nil, errClosed
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if wait == answerWait {
				s.hangUp() // a late answer would be taken for the next one
			}
			return nil, errSilent
		}
		s.hangUp()
		return nil, errClosed
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, body); err != nil {
		s.hangUp()
		return nil, fmt.Errorf("answer cut short: %w", err)
	}
	return body, nil
}

// decode reads an answer strictly: the right correlation id, nothing left over, and the same bytes when written again.
func decode(req kmsg.Request, frame []byte, id int32) (kmsg.Response, string) {
	if len(frame) < 4 || int32(binary.BigEndian.Uint32(frame)) != id {
		return nil, fmt.Sprintf("answer to another request: % x", frame[:min(len(frame), 8)])
	}
	body := frame[4:]
	if req.IsFlexible() && req.Key() != 18 {
		if len(body) == 0 || body[0] != 0 {
			return nil, "answer with header tags"
		}
		body = body[1:]
	}
	resp := req.ResponseKind()
	if req.Key() == 18 && len(body) >= 2 && body[0] == 0 && body[1] == 35 {
		resp.SetVersion(0) // KIP-511: the answer to a version too new
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, "undecodable answer: " + err.Error()
	}
	if again := resp.AppendTo(nil); !bytes.Equal(again, body) {
		return nil, fmt.Sprintf("answer of %d bytes, written again %d: %s", len(body), len(again), firstDifference(body, again))
	}
	return resp, ""
}

func firstDifference(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("differ at %d: % x and % x", i, a[i:min(len(a), i+16)], b[i:min(len(b), i+16)])
		}
	}
	return "one is the beginning of the other"
}

// later sends a request that parks, by a connection of its own. The function that it returns records the answer.
func (s *session) later(step string, req kmsg.Request) (answered func() kmsg.Response) {
	other := &session{t: s.t, bootstrap: s.bootstrap, names: newNamer("-", "-"), ranges: s.ranges}
	done := make(chan kmsg.Response, 1)
	problem := ""
	go func() { // ends with the answer, or when answerWait is over
		resp, leaves := other.exchange(req)
		if resp == nil {
			problem = leaves[0].value
		}
		other.hangUp()
		done <- resp
	}()
	return func() kmsg.Response {
		resp := <-done
		if resp == nil {
			s.record(step, req.GetVersion(), []leaf{{"outcome", problem}})
			return nil
		}
		s.record(step, req.GetVersion(), s.names.leaves(resp))
		return resp
	}
}
