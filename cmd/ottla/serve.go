package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/ottla/ottla/broker"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/console"
)

// Of the 5 s that a stop may take, requests get the first and files the rest.
const (
	drainTime   = 3 * time.Second
	consoleTime = 500 * time.Millisecond
)

func newServe(env []string) *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Run the broker", Args: cobra.NoArgs}
	s := addSettings(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
		b, warnings, err := s.load(cmd)
		if err != nil {
			return err
		}
		return serve(b, warnings, cmd.ErrOrStderr(), signals)
	}
	return cmd
}

// serve runs a broker until a signal comes. A second signal ends the process at once.
func serve(c *config.Broker, warnings []config.Warning, stderr io.Writer, signals <-chan os.Signal) (err error) {
	level, log := newLog(c, stderr)
	for _, w := range warnings {
		log.Warn("configuration: "+w.Message, "name", w.Name, "from", w.Origin.String())
	}
	registry := newRegistry()
	status := new(console.Status)
	if address := c.String(config.HTTPListen); address != "" {
		web, err := console.Listen(address, console.Options{Status: status, Metrics: registry, Log: log})
		if err != nil {
			return errors.New(err.Error() + "; choose another address with --http, or none with --http ''")
		}
		defer closeConsole(web)
		log.Info("http", "address", web.Addr().String())
	}
	stop := firstOf(signals, log, os.Exit)
	b, err := broker.Open(broker.Options{Config: c, Log: log, LogLevel: level, Registry: registry, Serving: status.Ready})
	if err != nil {
		return explain(err, c.DataDirs())
	}
	select {
	case signal := <-stop:
		log.Info("stopping", "signal", signal.String(), "drainMs", drainTime.Milliseconds())
		status.NotReady("draining")
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		return b.Close(ctx)
	case err := <-b.Failed():
		status.NotReady("its data directories are offline")
		giveUp(b)
		return err
	}
}

// giveUp closes a broker that has lost its data directories, as far as it goes in time: a disk that does not answer may
// hold anybody up.
func giveUp(b *broker.Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.Close(ctx) // what is lost is known
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// oneKey is how long after a signal another counts as the same: a terminal and the program before this one, such as
// timeout(1), may both pass on what was one key or one kill.
const oneKey = 250 * time.Millisecond

// firstOf gives the first signal, which asks for an orderly stop. The second ends the process at once, whatever it is doing.
// Its goroutine ends with the process.
func firstOf(signals <-chan os.Signal, log *slog.Logger, exit func(int)) <-chan os.Signal {
	first := make(chan os.Signal, 1)
	go func() {
		first <- <-signals
		for same := time.After(oneKey); ; {
			select {
			case <-signals:
				continue
			case <-same:
			}
			break
		}
		log.Error("ending at once, not in order: the next start has more to read", "signal", (<-signals).String())
		exit(1)
	}()
	return first
}

func closeConsole(web *console.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), consoleTime)
	defer cancel()
	_ = web.Close(ctx) // what is cut off here is a scrape
}

// newLog makes the log that the configuration asks for, and the lever by which its level can be changed.
func newLog(c *config.Broker, w io.Writer) (*slog.LevelVar, *slog.Logger) {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(c.String(config.LoggingLevel))) // config knows the same words
	options := &slog.HandlerOptions{Level: level}
	if c.String(config.LoggingFormat) == "json" {
		return level, slog.New(slog.NewJSONHandler(w, options))
	}
	return level, slog.New(slog.NewTextHandler(w, options))
}

// newRegistry is where the broker's metrics go, beside those of the process.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	return registry
}
