package api

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/ottla/ottla/protocol"
)

// Loggers are this broker's loggers as a client may see and change them. There is one, named root: the level below which
// lines are not written. It is not kept over a restart. Source: KIP-412.
type Loggers struct {
	Root *slog.LevelVar
}

// rootLogger is the name of the one logger. Source: LoggingController.ROOT_LOGGER.
const rootLogger = "root"

// logLevels are Kafka's levels as slog's, least first.
var logLevels = []struct {
	name  string
	level slog.Level
}{
	{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo},
	{"WARN", slog.LevelWarn}, {"ERROR", slog.LevelError}, {"FATAL", slog.LevelError + 4},
}

// level is the name of the level of the root logger.
func (l *Loggers) level() string {
	now := l.Root.Level()
	for _, known := range logLevels {
		if now <= known.level {
			return known.name
		}
	}
	return logLevels[len(logLevels)-1].name
}

// parseLogLevel finds a level by its name, in capitals as Kafka has it.
func parseLogLevel(name string) (slog.Level, bool) {
	for _, known := range logLevels {
		if known.name == name {
			return known.level, true
		}
	}
	return 0, false
}

// loggerChange is one change of a logger's level.
type loggerChange struct {
	op    int8
	name  string
	value *string
}

// alter changes levels, all or none of them. Source: kafka.server.logger.RuntimeLoggerManager.
func (l *Loggers) alter(changes []loggerChange, validateOnly bool) error {
	for _, c := range changes {
		if err := l.check(c); err != nil {
			return err
		}
	}
	if validateOnly {
		return nil
	}
	for _, c := range changes {
		level, _ := parseLogLevel(*c.value)
		l.Root.Set(level)
	}
	return nil
}

func (l *Loggers) check(c loggerChange) error {
	switch c.op {
	case 0: // set
		if l == nil || c.name != rootLogger {
			return protocol.Errorf(protocol.InvalidConfig, "Logger %s does not exist! There is one, named root.", c.name)
		}
		if _, ok := parseLogLevel(*c.value); !ok {
			return protocol.Errorf(protocol.InvalidConfig,
				"Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels are %s",
				c.name, *c.value, levelNames())
		}
		return nil
	case 1: // delete
		if l == nil || c.name != rootLogger {
			return protocol.Errorf(protocol.InvalidConfig, "Logger %s does not exist! There is one, named root.", c.name)
		}
		return protocol.Errorf(protocol.InvalidRequest, "Removing the log level of the root logger is not allowed")
	case 2:
		return protocol.Errorf(protocol.InvalidRequest, "APPEND operation is not allowed for the BROKER_LOGGER resource")
	case 3:
		return protocol.Errorf(protocol.InvalidRequest, "SUBTRACT operation is not allowed for the BROKER_LOGGER resource")
	}
	return protocol.Errorf(protocol.InvalidRequest, "There is no operation %d on a logger: 0 sets, 1 deletes.", c.op)
}

func levelNames() string {
	names := make([]string, len(logLevels))
	for i, l := range logLevels {
		names[i] = l.name
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
