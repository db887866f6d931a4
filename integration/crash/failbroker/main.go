// Command failbroker is ottla serve on a file system under a rule of errorfs, such as "rename of *.swap #2 -> kill". The
// rule stands in FAILPOINT; without one nothing fails. Another, in SLOWPOINT, holds from SIGUSR1 to SIGUSR2.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/ottla/ottla/broker"
	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	c, err := load(args)
	if err != nil {
		return err
	}
	fsys := errorfs.New(vfs.OS())
	if rule := os.Getenv("FAILPOINT"); rule != "" {
		if err := errorfs.Check(rule); err != nil {
			return err
		}
		fsys.Add(rule)
	}
	if rule := os.Getenv("SLOWPOINT"); rule != "" {
		if err := errorfs.Check(rule); err != nil {
			return err
		}
		onSignals(fsys, rule)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	b, err := broker.Open(broker.Options{Config: c, FS: fsys, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	<-stop
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return b.Close(ctx)
}

// onSignals adds the rule at SIGUSR1 and removes all at SIGUSR2, until the process ends.
func onSignals(fsys *errorfs.FS, rule string) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			if s == syscall.SIGUSR1 {
				fsys.Add(rule)
			} else {
				fsys.Clear()
			}
		}
	}()
}

// load reads the flags that package launch gives to ottla serve.
func load(args []string) (*config.Broker, error) {
	var in config.Input
	flags := flag.NewFlagSet("failbroker", flag.ContinueOnError)
	add := func(name string, key config.Key, read func(string) string) {
		flags.Func(name, string(key), func(value string) error {
			in.Flags = append(in.Flags, config.Flag{Name: "--" + name, Key: key, Value: read(value)})
			return nil
		})
	}
	as := func(value string) string { return value }
	add("data-dir", config.LogDirs, as)
	add("listen", config.Listeners, config.ListenerAt)
	add("http", config.HTTPListen, func(string) string { return "" })
	flags.Func("set", "KEY=VALUE", func(entry string) error {
		key, value, _ := strings.Cut(entry, "=")
		in.Flags = append(in.Flags, config.Flag{Name: "--set", Key: config.Key(key), Value: value})
		return nil
	})
	if len(args) == 0 || args[0] != "serve" {
		return nil, fmt.Errorf("want serve and its flags")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return nil, err
	}
	b, _, err := config.Load(in)
	return b, err
}
