package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/protocol"
)

// dispatch takes a frame to its handler. It returns when the request is ordered.
//
// As in Kafka, there is no error response for what cannot be understood: an unknown key, a version that is not served and
// a body that does not parse end the connection. Only ApiVersions answers a version that it does not know (KIP-511).
func (f *front) dispatch(ex *exchange) {
	f.metrics.received.Add(float64(len(ex.frame.Bytes())))
	header, body, err := protocol.ParseHeader(ex.frame.Bytes())
	ex.correlationID = header.CorrelationID
	if err != nil && header.Key == protocol.ApiVersionsKey && errors.Is(err, protocol.UnsupportedVersion) {
		ex.Reply(api.ApiVersionsDowngrade())
		return
	}
	if err != nil {
		ex.Close(err)
		return
	}
	row, ok := f.table[header.Key]
	if !ok || header.Version < row.min || header.Version > row.max() {
		ex.Close(protocol.Errorf(protocol.UnsupportedVersion, "%s version %d is not served", header.Key, header.Version))
		return
	}
	message, err := ex.frame.Decode(header, body)
	if err != nil {
		ex.Close(fmt.Errorf("%s version %d: %w", header.Key, header.Version, err))
		return
	}
	ex.row = row
	f.handle(ex, row, api.NewRequest(header, message, len(ex.frame.Bytes()), ex.began, ex.conn.info, ex))
}

// handle calls the handler. A panic in one is a broken invariant that the request reached: it ends that connection with
// the stack in the log and leaves the others alone, since no client may stop the broker.
func (f *front) handle(ex *exchange, row *row, r *api.Request) {
	defer func() {
		if p := recover(); p != nil {
			f.metrics.panics.Inc()
			f.complain(&f.panics, slog.LevelError, "handler panicked; connection closed", "api", r.Header.Key.String(), "version", r.Header.Version,
				"client", r.Conn.Remote.String(), "panic", p, "stack", string(debug.Stack()))
			ex.conn.end(fmt.Errorf("%s: %v", r.Header.Key, p))
			ex.abandon()
		}
	}()
	row.handler(f.server, r)
}
