package config

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Check is what a value must be beyond its type.
type Check struct {
	// Allowed says it in words.
	Allowed string
	// problem says what is wrong with a parsed value, empty for nothing.
	problem func(v any) string
	// auto marks a number that may also be the word auto.
	auto bool
}

// Auto is what Int gives for a value of auto. See Broker.ReplicationFactor.
const Auto = -1

func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	panic(fmt.Sprintf("config: a range on %T", v))
}

func atLeast(low int64) *Check {
	return &Check{Allowed: fmt.Sprintf("at least %d", low), problem: func(v any) string {
		if number(v) < float64(low) {
			return fmt.Sprintf("Value must be at least %d", low)
		}
		return ""
	}}
}

func between(low, high float64) *Check {
	show := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return &Check{Allowed: "from " + show(low) + " to " + show(high), problem: func(v any) string {
		switch n := number(v); {
		case n < low:
			return "Value must be at least " + show(low)
		case n > high:
			return "Value must be no more than " + show(high)
		}
		return ""
	}}
}

// autoOr allows auto, or a number of at least low.
func autoOr(low int64) *Check {
	c := atLeast(low)
	c.Allowed = "auto, or " + c.Allowed
	c.auto = true
	return c
}

var gzipLevel = &Check{Allowed: "from 1 to 9, or -1", problem: func(v any) string {
	if n := v.(int64); n != -1 && (n < 1 || n > 9) {
		return "Value must be between 1 and 9 or equal to -1"
	}
	return ""
}}

var nonEmpty = &Check{Allowed: "text that is not empty", problem: func(v any) string {
	if v.(string) == "" {
		return "String must be non-empty"
	}
	return ""
}}

func oneOf(words ...string) *Check {
	all := strings.Join(words, ", ")
	return &Check{Allowed: "one of " + all, problem: func(v any) string {
		if !slices.Contains(words, v.(string)) {
			return "String must be one of: " + all
		}
		return ""
	}}
}

func oneOfFold(words ...string) *Check {
	all := strings.Join(words, ", ")
	return &Check{Allowed: "one of " + all + ", in either case", problem: func(v any) string {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, v.(string)) }) {
			return "String must be one of (case insensitive): " + all
		}
		return ""
	}}
}

// list is a list of at least one entry, each one of words where there are any.
func list(words ...string) *Check { return listCheck(false, words) }

// listOrEmpty is like list, and may be empty.
func listOrEmpty(words ...string) *Check { return listCheck(true, words) }

func listCheck(empty bool, words []string) *Check {
	allowed := "a list"
	if len(words) > 0 {
		allowed += " of " + strings.Join(words, ", ")
	}
	if !empty {
		allowed += ", not empty"
	}
	return &Check{Allowed: allowed, problem: func(v any) string {
		entries := v.([]string)
		if len(entries) == 0 && !empty {
			return "Configuration must not be empty. Valid values include: " + anyOr(words)
		}
		for _, e := range entries {
			switch {
			case e == "":
				return "Configuration values must not be empty."
			case len(words) > 0 && !slices.Contains(words, e):
				return "String must be one of: " + strings.Join(words, ", ")
			}
		}
		return ""
	}}
}

func anyOr(words []string) string {
	if len(words) == 0 {
		return "any non-empty value"
	}
	return "[" + strings.Join(words, ", ") + "]"
}

var throttledReplica = regexp.MustCompile(`^\d+:\d+$`)

// throttledReplicas is * for all replicas, or a list of PARTITION:BROKER. Source: KIP-73.
var throttledReplicas = &Check{Allowed: "*, or a list of PARTITION:BROKER", problem: func(v any) string {
	entries := v.([]string)
	if len(entries) == 1 && entries[0] == "*" {
		return ""
	}
	for _, e := range entries {
		if !throttledReplica.MatchString(e) {
			return "it must be the literal '*' or a list of replicas in the following format: " +
				"[partitionId]:[brokerId],[partitionId]:[brokerId],..."
		}
	}
	return ""
}}

// isoDuration is ISO-8601's, as far as days and time go: P1DT2H, PT0.5S.
var isoDuration = regexp.MustCompile(`(?i)^P(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d{1,9})?S)?)?$`)

// offsetReset is where a share group begins. Source: KIP-932.
var offsetReset = &Check{Allowed: "latest, earliest, or by_duration: and an ISO-8601 duration", problem: func(v any) string {
	s := v.(string)
	if s == "latest" || s == "earliest" {
		return ""
	}
	if d, ok := strings.CutPrefix(s, "by_duration:"); ok && isoDuration.MatchString(d) && strings.ContainsAny(d, "0123456789") {
		return ""
	}
	return "Value must be latest, earliest, or by_duration:PnDTnHnMn.nS"
}}

var hostPortOrEmpty = &Check{Allowed: "HOST:PORT, or empty", problem: func(v any) string {
	s := v.(string)
	if s == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "Value must be HOST:PORT"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		return "Port must be from 0 to 65535"
	}
	return ""
}}
