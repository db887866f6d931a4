package api

import (
	"net"
	"time"

	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Request is one decoded request and the way back to its client.
//
// A handler returns when the request is ordered: all its effects have happened or hold a place in the queue of every
// partition or shard that they touch. It answers exactly once, then or later and from any goroutine, with one of Reply,
// ReplyParts, NoReply and Close. The connection sends answers in the order of the requests.
type Request struct {
	Header protocol.RequestHeader
	// Message is the decoded body. Its bytes may alias the frame, which lives as long as the Request does.
	Message kmsg.Request
	// Size is the frame's length in bytes.
	Size int
	// Now is the time at which the frame was read whole.
	Now time.Time
	// Conn is what is known of the connection, fixed but for the principal.
	Conn *Conn

	answer Answerer
}

// Conn is what a handler may know of the connection that a request came by.
type Conn struct {
	// Listener is the listener's name, such as PLAINTEXT.
	Listener string
	// Local is the address of ours that the client reached, Remote is the client's.
	Local, Remote net.Addr
	// RemoteHost is Remote without its port, for Host: every authorization asks for it.
	RemoteHost string
	Principal  security.Principal
	// ClientSoftware is what ApiVersions named, for logs and metrics.
	ClientSoftware string
	// Done is closed when the connection ends: what is parked for it may be dropped.
	Done <-chan struct{}
}

// Host is the client's address without its port, the host that ACLs know.
func (c *Conn) Host() string {
	if c.RemoteHost != "" {
		return c.RemoteHost
	}
	if a, ok := c.Remote.(*net.TCPAddr); ok {
		return a.IP.String()
	}
	return c.Remote.String()
}

// Answerer takes the one answer of a request. The broker's connection is one; tests bring their own.
type Answerer interface {
	// Reply sends a message.
	Reply(kmsg.Response)
	// ReplyParts sends a response that is already encoded, length prefix included; size counts its bytes.
	// release is called when the bytes are sent or the connection is gone.
	ReplyParts(parts []protocol.Part, size int, release func())
	// NoReply ends a request that has no answer: Produce with acks=0.
	NoReply()
	// Close ends the connection, as Kafka does where a protocol has no way to tell an error.
	Close(why error)
}

// NewRequest is a request whose answer goes to a.
func NewRequest(h protocol.RequestHeader, m kmsg.Request, size int, now time.Time, c *Conn, a Answerer) *Request {
	return &Request{Header: h, Message: m, Size: size, Now: now, Conn: c, answer: a}
}

// ClientID is the client's name for itself, empty where it gave none.
func (r *Request) ClientID() string {
	if r.Header.ClientID == nil {
		return ""
	}
	return *r.Header.ClientID
}

// Version is the version of the API that the client speaks.
func (r *Request) Version() int16 { return r.Header.Version }

// Reply answers with resp, at the request's version.
func (r *Request) Reply(resp kmsg.Response) {
	resp.SetVersion(r.Header.Version)
	r.answer.Reply(resp)
}

// ReplyParts answers with a response that is already encoded. See Answerer.
func (r *Request) ReplyParts(parts []protocol.Part, size int, release func()) {
	r.answer.ReplyParts(parts, size, release)
}

// NoReply ends the request without an answer.
func (r *Request) NoReply() { r.answer.NoReply() }

// Close ends the connection.
func (r *Request) Close(why error) { r.answer.Close(why) }
