package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ValueError is a value that its key does not allow.
type ValueError struct {
	Def     *Def
	Value   string
	Problem string
}

// Error follows Kafka's form, without the value where it is a secret.
func (e *ValueError) Error() string {
	value := e.Value
	if e.Def.Sensitive() {
		value = hidden
	}
	return fmt.Sprintf("Invalid value %s for configuration %s: %s", value, e.Def.Key, e.Problem)
}

// hidden stands for a secret. Source: org.apache.kafka.common.config.types.Password.
const hidden = "[hidden]"

// Parse reads text as the key's type and checks it. The result is a bool, int64, float64, string or []string.
func (d *Def) Parse(text string) (any, error) {
	if d.Check != nil && d.Check.auto && strings.TrimSpace(text) == "auto" {
		return int64(Auto), nil
	}
	v, problem := d.parse(text)
	if problem == "" && d.Check != nil {
		problem = d.Check.problem(v)
	}
	if problem != "" {
		return nil, &ValueError{Def: d, Value: text, Problem: problem}
	}
	return v, nil
}

func (d *Def) parse(text string) (v any, problem string) {
	trimmed := strings.TrimSpace(text)
	switch d.Type {
	case Boolean:
		switch {
		case strings.EqualFold(trimmed, "true"):
			return true, ""
		case strings.EqualFold(trimmed, "false"):
			return false, ""
		}
		return nil, "Expected value to be either true or false"
	case Int, Short, Long:
		n, err := strconv.ParseInt(trimmed, 10, d.Type.bits())
		if err != nil {
			return nil, "Not a number of type " + d.Type.String()
		}
		return n, ""
	case Double:
		f, err := strconv.ParseFloat(trimmed, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(trimmed, "xX_") {
			return nil, "Not a number of type DOUBLE"
		}
		return f, ""
	case List:
		return splitList(trimmed), ""
	case Password:
		return text, ""
	default:
		return trimmed, ""
	}
}

// bits is the width of a whole number.
func (t Type) bits() int {
	switch t {
	case Short:
		return 16
	case Int:
		return 32
	}
	return 64
}

// splitList reads a list: entries between commas, blanks around them dropped, each entry once.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	var entries []string
	seen := map[string]bool{}
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if !seen[entry] {
			seen[entry] = true
			entries = append(entries, entry)
		}
	}
	return entries
}

// Format writes a parsed value as Kafka does.
func (d *Def) Format(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if v == Auto && d.Check != nil && d.Check.auto {
			return "auto"
		}
		return strconv.FormatInt(v, 10)
	case float64:
		return formatDouble(v)
	case []string:
		return strings.Join(v, ",")
	case string:
		return v
	}
	panic(fmt.Sprintf("config: %s: a value of type %T", d.Key, v))
}

// formatDouble writes f as Java does: 0.5, 100.0, 1.0E7, 1.7976931348623157E308.
func formatDouble(f float64) string {
	if a := math.Abs(f); a == 0 || (a >= 1e-3 && a < 1e7) {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	if !strings.Contains(digits, ".") {
		digits += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return digits + "E" + strconv.Itoa(n)
}
