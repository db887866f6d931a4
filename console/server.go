package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// What one client may cost: a stalled one is cut off, a large request is refused.
const (
	headerTimeout   = 5 * time.Second
	readTimeout     = 10 * time.Second
	writeTimeout    = 30 * time.Second
	idleTimeout     = time.Minute
	headerBytesMax  = 16 << 10
	scrapesInFlight = 4 // more are answered 503: each holds all metrics in memory
)

// Options are what a Server shows.
type Options struct {
	Status  *Status
	Metrics prometheus.Gatherer
	Log     *slog.Logger
}

// Server is the HTTP server.
type Server struct {
	http     *http.Server
	listener net.Listener
	served   chan struct{} // closed when the accept loop has ended
}

// Listen serves at HOST:PORT until Close. One goroutine, awaited by Close, and those of net/http.
func Listen(address string, o Options) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	s := &Server{
		http: &http.Server{
			Handler:           handler(o),
			ReadHeaderTimeout: headerTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    headerBytesMax,
			ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		},
		listener: l,
		served:   make(chan struct{}),
	}
	go func() {
		defer close(s.served)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("the HTTP side has ended; clients of Kafka are not touched", "error", err)
		}
	}()
	return s, nil
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close stops. Requests that are being served are finished as long as ctx allows.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-s.served
	return err
}

func handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", o.Status.serve)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError, // one broken metric must not hide the others
		MaxRequestsInFlight: scrapesInFlight,
		Timeout:             readTimeout,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, "ottla\n\n/livez    the process lives\n/readyz   clients are served\n/metrics  for Prometheus\n")
	})
	return mux
}

// serve answers /readyz: 200 while clients are served, else 503 and why not.
func (s *Status) serve(w http.ResponseWriter, _ *http.Request) {
	if ready, why := s.now(); !ready {
		say(w, http.StatusServiceUnavailable, "not ready: "+why+"\n")
		return
	}
	say(w, http.StatusOK, "ready\n")
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // a client that is gone needs no answer
}
