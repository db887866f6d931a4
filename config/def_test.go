package config

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// kafkaKey is a line of testdata/kafka-4.3.1.tsv.
type kafkaKey struct {
	kind             string
	key              Key
	typ, def         string
	allowed, dynamic string
	internal         bool
}

func kafkaKeys(t *testing.T) []kafkaKey {
	t.Helper()
	text, err := os.ReadFile("testdata/kafka-4.3.1.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var keys []kafkaKey
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := append(strings.Split(line, "\t"), "", "", "")
		k := kafkaKey{f[0], Key(f[1]), f[2], f[3], f[4], f[5], f[6] == "internal"}
		if k.def == "(none)" || k.def == "(required)" {
			k.def = None
		}
		keys = append(keys, k)
	}
	return keys
}

// What differs from Kafka, and why.
var (
	ourDefaults = map[Key]string{
		NodeID: "1", BrokerID: "1", ProcessRoles: "broker,controller", ControllerListenerNames: "CONTROLLER", // required in Kafka
		Listeners:           "PLAINTEXT://localhost:9092", // loopback by default
		AdvertisedListeners: "auto",
		LogDir:              "./data",
		// One node can have no more; several have what Kafka has.
		OffsetsTopicReplicationFactor: "auto", TransactionStateLogReplicationFactor: "auto", TransactionStateLogMinISR: "auto",
		ShareCoordinatorStateTopicReplicationFactor: "auto", ShareCoordinatorStateTopicMinISR: "auto",
	}
	ourModes = map[Key]Mode{Listeners: ReadOnly, ListenerSecurityProtocolMap: ReadOnly} // sockets are opened at start
)

func TestTablesAreKafkas(t *testing.T) {
	known := map[string]map[Key]*Def{"broker": brokerIndex, "topic": topicIndex, "group": groupIndex, "clientMetrics": clientMetricsIndex}
	seen := map[*Def]bool{}
	for _, k := range kafkaKeys(t) {
		d := known[k.kind][k.key]
		if d == nil {
			t.Errorf("%s key %s is missing", k.kind, k.key)
			continue
		}
		seen[d] = true
		if d.Type.String() != k.typ {
			t.Errorf("%s: type %s, Kafka's is %s", k.key, d.Type, k.typ)
		}
		def := k.def
		if ours, ok := ourDefaults[k.key]; ok && k.kind == "broker" {
			def = ours
		}
		if d.Default != def {
			t.Errorf("%s: default %q, want %q", k.key, d.Default, def)
		}
		if d.Internal != k.internal {
			t.Errorf("%s: internal %v, Kafka's is %v", k.key, d.Internal, k.internal)
		}
		if mode, ok := ourModes[k.key]; k.kind == "broker" && d.Mode.String() != k.dynamic && !(ok && d.Mode == mode) {
			t.Errorf("%s: %s, Kafka's is %s", k.key, d.Mode, k.dynamic)
		}
		checkAllowed(t, d, k.allowed)
	}
	for _, defs := range [][]*Def{BrokerDefs, TopicDefs, GroupDefs, ClientMetricsDefs} {
		for _, d := range defs {
			if !seen[d] && !d.Ours && !d.DynamicOnly {
				t.Errorf("%s is neither Kafka's nor marked as ours", d.Key)
			}
			if d.Doc == "" || !strings.HasSuffix(d.Doc, ".") {
				t.Errorf("%s: documentation %q", d.Key, d.Doc)
			}
		}
	}
}

var (
	rangeForm = regexp.MustCompile(`^\[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]`)
	wordsForm = regexp.MustCompile(`(?:^|[a-z)] )\[([\w, ]+)\]$`)
)

// checkAllowed tries the values at the edges of what Kafka allows.
func checkAllowed(t *testing.T, d *Def, allowed string) {
	t.Helper()
	try := func(text string, ok bool) {
		t.Helper()
		if _, err := d.Parse(text); (err == nil) != ok {
			t.Errorf("%s=%s: %v; Kafka allows %s", d.Key, text, err, allowed)
		}
	}
	if m := rangeForm.FindStringSubmatch(allowed); m != nil {
		low, _ := strconv.ParseFloat(m[1], 64)
		try(m[1], true)
		try(strconv.FormatFloat(low-1, 'f', -1, 64), low-1 == -1 && d.Key == CompressionGzipLevel)
		if m[2] != "" {
			high, _ := strconv.ParseFloat(m[2], 64)
			try(m[2], true)
			try(strconv.FormatFloat(high+1, 'f', -1, 64), false)
		}
	}
	if m := wordsForm.FindStringSubmatch(allowed); m != nil {
		for word := range strings.SplitSeq(m[1], ", ") {
			try(word, true)
			if strings.Contains(allowed, "case insensitive") {
				try(strings.ToLower(word), true)
			}
		}
		try("certainly-not", false)
	}
	if strings.HasPrefix(allowed, "nonempty ") && d.Type == List {
		try("", false)
	}
	switch d.Type {
	case Int:
		try(strconv.Itoa(math.MaxInt32+1), false)
		fallthrough
	case Short, Long, Double:
		try("abc", false)
		try("", false)
	case Boolean:
		try("TRUE", true)
		try("yes", false)
	}
}

// TestConstantsAreTheirKeys: every key has a constant, which is its name in Go's spelling.
func TestConstantsAreTheirKeys(t *testing.T) {
	names := constantNames(t)
	for k, name := range names {
		if !strings.EqualFold(name, strings.NewReplacer(".", "", "-", "").Replace(string(k))) {
			t.Errorf("%s is the constant of %s", name, k)
		}
	}
	for _, defs := range [][]*Def{BrokerDefs, TopicDefs, GroupDefs, ClientMetricsDefs} {
		for _, d := range defs {
			if names[d.Key] == "" {
				t.Errorf("%s has no constant", d.Key)
			}
		}
	}
}

func TestFormatIsJavas(t *testing.T) {
	for in, want := range map[float64]string{
		0: "0.0", 0.5: "0.5", 1: "1.0", 100: "100.0", 0.001: "0.001", 0.0001: "1.0E-4", 1e7: "1.0E7", 12345678.9: "1.23456789E7",
		math.MaxFloat64: "1.7976931348623157E308", -2.5: "-2.5", 1e100: "1.0E100",
	} {
		if got := formatDouble(in); got != want {
			t.Errorf("%v is written %s, Java writes %s", in, got, want)
		}
	}
}

func TestParseAndFormatAgree(t *testing.T) {
	for _, defs := range [][]*Def{BrokerDefs, TopicDefs, GroupDefs} {
		for _, d := range defs {
			if !d.HasDefault() {
				continue
			}
			v, err := d.Parse(d.Default)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.Format(v); got != d.Default {
				t.Errorf("%s: %q is written back %q", d.Key, d.Default, got)
			}
		}
	}
}

func TestValueErrorsHideSecrets(t *testing.T) {
	d := *BrokerDef(SSLKeyPassword)
	err := &ValueError{Def: &d, Value: "hunter2", Problem: "wrong"}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestSuggestionsAreNear(t *testing.T) {
	for in, want := range map[Key]string{
		"num.partition":      "num.partitions",
		"log.retension.ms":   "log.retention.ms",
		"auto.create.topics": "auto.create.topics.enable",
		"retention.ms":       "log.retention.ms",
		"zzzzzzzzzz":         "ottla config",
	} {
		if got := suggest(in); !strings.Contains(got, want) {
			t.Errorf("%s: %s", in, got)
		}
	}
}
