package quorum

import (
	"context"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// newLogger is a logger for raft that writes to ours. What raft calls information, such as entering a state, is a detail
// to a broker's operator.
func newLogger(to *slog.Logger) hclog.Logger {
	if to == nil {
		return hclog.NewNullLogger()
	}
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Off, Output: io.Discard})
	l.RegisterSink(sink{to.With("part", "raft")})
	return l
}

type sink struct{ to *slog.Logger }

func (s sink) Accept(_ string, level hclog.Level, message string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case hclog.Warn:
		to = slog.LevelWarn
	case hclog.Error:
		to = slog.LevelError
	}
	s.to.Log(context.Background(), to, message, args...)
}
