package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ottla/ottla/config"
)

// settings are the flags by which a configuration is chosen, the same for every command that reads one.
type settings struct {
	env  []string
	file string
	// short are the flags that stand for one key each.
	short []shortFlag
	set   []string
}

type shortFlag struct {
	flag  string
	key   config.Key
	value *string
	read  func(string) string
}

// variable names the file where --config does not.
const configVariable = "OTTLA_CONFIG"

func addSettings(cmd *cobra.Command, env []string) *settings {
	s := &settings{env: env}
	flags := cmd.Flags()
	flags.StringVarP(&s.file, "config", "c", "", "read `FILE`: .yaml, or Kafka's .properties; else $"+configVariable)
	for _, f := range []struct {
		flag, short string
		key         config.Key
		read        func(string) string
		usage       string
	}{
		{"data-dir", "d", config.LogDirs, nil, "keep everything in `DIR`"},
		{"listen", "l", config.Listeners, config.ListenerAt, "serve clients at `HOST:PORT`; port 0 picks one"},
		{"http", "", config.HTTPListen, nil, "serve health and metrics at `HOST:PORT`; empty for not at all"},
		{"log-format", "", config.LoggingFormat, nil, "write log lines as `text|json`"},
		{"log-level", "", config.LoggingLevel, nil, "write log lines from `LEVEL` on: debug, info, warn, error"},
	} {
		value := flags.StringP(f.flag, f.short, "", f.usage)
		s.short = append(s.short, shortFlag{f.flag, f.key, value, f.read})
	}
	flags.StringArrayVarP(&s.set, "set", "s", nil, "set any key of Kafka's or ours, as `KEY=VALUE`; as often as needed")
	return s
}

// load reads the configuration. What was passed over is in warnings.
func (s *settings) load(cmd *cobra.Command) (*config.Broker, []config.Warning, error) {
	in := config.Input{Env: s.env, File: s.file}
	for _, entry := range s.env {
		if file, ok := strings.CutPrefix(entry, configVariable+"="); ok && in.File == "" {
			in.File = file
		}
	}
	in.Env = withoutVariable(s.env)
	for _, f := range s.short {
		if !cmd.Flags().Changed(f.flag) {
			continue
		}
		value := *f.value
		if f.read != nil {
			value = f.read(value)
		}
		in.Flags = append(in.Flags, config.Flag{Name: "--" + f.flag, Key: f.key, Value: value})
	}
	for _, entry := range s.set {
		key, value, ok := strings.Cut(entry, "=")
		if !ok {
			return nil, nil, fmt.Errorf("--set %s: KEY=VALUE is expected", entry)
		}
		in.Flags = append(in.Flags, config.Flag{Name: "--set", Key: config.Key(strings.TrimSpace(key)), Value: value})
	}
	return config.Load(in)
}

// withoutVariable is the environment without the one variable that is ours and no key.
func withoutVariable(env []string) []string {
	kept := make([]string, 0, len(env))
	for _, entry := range env {
		if !strings.HasPrefix(entry, configVariable+"=") {
			kept = append(kept, entry)
		}
	}
	return kept
}
