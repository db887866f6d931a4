package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Input is where Load looks for static values.
type Input struct {
	// Flags are settings of the command line. Of two for one key the later holds.
	Flags []Flag
	// Env is the environment, as os.Environ gives it.
	Env []string
	// File is the path of a .yaml, .yml or .properties file, empty for none.
	File string
	// ReadFile reads File; nil for os.ReadFile.
	ReadFile func(string) ([]byte, error)
}

// Flag is one setting of the command line: what its flag is called, and what it sets.
type Flag struct {
	Name  string
	Key   Key
	Value string
}

// Warning is a setting that was passed over, and does not stop the start.
type Warning struct {
	// Name is the key or variable as it was written.
	Name    string
	Origin  Origin
	Message string
}

func (w Warning) String() string { return fmt.Sprintf("%s (%s): %s", w.Name, w.Origin, w.Message) }

// setting is one value from one place.
type setting struct {
	key    Key
	value  string
	origin Origin
	// name is how the place calls it, where that is not the key.
	name string
}

// Load reads the configuration that a broker starts with: flag before environment before file before default.
// The error names everything that is wrong, one line each.
func Load(in Input) (*Broker, []Warning, error) {
	var l loader
	for _, read := range []func(Input) ([]setting, error){l.file, l.env, l.flags} { // weakest first
		settings, err := read(in)
		if err != nil {
			l.errs = append(l.errs, err)
		}
		l.layers = append(l.layers, l.known(settings))
	}
	b := l.merge()
	if err := b.checkStatic(); err != nil {
		l.errs = append(l.errs, err)
	}
	b.resolve()
	if len(l.errs) == 0 { // rules over values that cannot be read would only confuse
		if err := b.checkRules(); err != nil {
			l.errs = append(l.errs, err)
		}
	}
	return b, l.warnings, errors.Join(l.errs...)
}

type loader struct {
	layers   [][]setting
	warnings []Warning
	errs     []error
}

func (l *loader) warn(s setting, message string) {
	name := s.name
	if name == "" {
		name = string(s.key)
	}
	l.warnings = append(l.warnings, Warning{name, s.origin, message})
}

func (l *loader) flags(in Input) ([]setting, error) {
	settings := make([]setting, len(in.Flags))
	for i, f := range in.Flags {
		settings[i] = setting{key: f.Key, value: f.Value, origin: Origin{Kind: FromFlag, Name: f.Name}}
	}
	return settings, nil
}

func (l *loader) file(in Input) ([]setting, error) {
	if in.File == "" {
		return nil, nil
	}
	read := in.ReadFile
	if read == nil {
		read = os.ReadFile
	}
	text, err := read(in.File)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return parseFile(in.File, text)
}

// known drops settings whose key is none of ours: with an error where somebody meant this broker, else with a warning.
func (l *loader) known(settings []setting) []setting {
	return slices.DeleteFunc(settings, func(s setting) bool {
		if BrokerDef(s.key) != nil {
			return false
		}
		switch why, refuse := foreign(s); {
		case refuse:
			l.errs = append(l.errs, &SettingError{s.key, s.value, s.origin, why, "remove it"})
		case why != "":
			l.warn(s, why)
		case s.origin.strict():
			l.errs = append(l.errs, &SettingError{s.key, s.value, s.origin, "there is no such key", suggest(s.key)})
		default:
			l.warn(s, "there is no such key, passed over; "+suggest(s.key))
		}
		return true
	})
}

// merge lays the layers over each other. The keys are flat: viper must not take their dots for nesting, or a key that is
// the beginning of another would vanish.
func (l *loader) merge() *Broker {
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00"))
	b := &Broker{static: map[Key]string{}, origins: map[Key]Origin{}}
	for _, layer := range l.layers {
		values := make(map[string]any, len(layer))
		for _, s := range layer {
			values[string(s.key)] = s.value
			b.origins[s.key] = s.origin
		}
		if err := v.MergeConfigMap(values); err != nil {
			l.errs = append(l.errs, err)
		}
	}
	for k := range b.origins {
		b.static[k] = v.GetString(string(k))
	}
	return b
}

// foreign says what becomes of a key that is not in the tables and yet not simply unknown: one of an older Kafka, of
// another program, or of one listener. Empty for a key that is simply unknown.
func foreign(s setting) (why string, refuse bool) {
	if base := listenerKey(s.key); base != s.key {
		if d := BrokerDef(base); d.Effect == NoEffect {
			return "accepted, no effect in this build", false
		}
		return "this build does not have what it asks for, and will not start as if it had", true
	}
	for _, f := range foreignKeys {
		if string(s.key) == f.name || strings.HasSuffix(f.name, ".") && strings.HasPrefix(string(s.key), f.name) {
			return f.why, f.refuse
		}
	}
	return "", false
}

const (
	noZooKeeper = "accepted, has no meaning here: there is no ZooKeeper"
	goneFormat  = "accepted, has no meaning here: there is one record format"
	goneKey     = "accepted, has no meaning here: Kafka 4 does not have it any more"
	noProtect   = "this build does not have what it asks for, and will not start as if it had"
)

// foreignKeys are keys of earlier Kafkas and of what comes with other distributions; a name that ends in a dot stands for
// all that begin with it.
var foreignKeys = []struct {
	name, why string
	refuse    bool
}{
	{"zookeeper.", noZooKeeper, false},
	{"broker.id.generation.enable", noZooKeeper, false},
	{"reserved.broker.max.id", noZooKeeper, false},
	{"control.plane.listener.name", noZooKeeper, false},
	{"password.encoder.", noZooKeeper, false},
	{"inter.broker.protocol.version", goneKey, false},
	{"log.message.format.version", goneFormat, false},
	{"log.message.downconversion.enable", goneFormat, false},
	{"log.message.timestamp.difference.max.ms", "accepted, has no meaning here: Kafka 4 has log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms", false},
	{"offsets.commit.required.acks", goneKey, false},
	{"group.coordinator.new.enable", goneKey, false},
	{"controlled.shutdown.", goneKey, false},
	{"auto.include.jmx.reporter", "accepted, has no meaning here: there is no JVM", false},
	{"host.name", "accepted, has no meaning here: Kafka has listeners for it", false},
	{"port", "accepted, has no meaning here: Kafka has listeners for it", false},
	{"advertised.host.name", "accepted, has no meaning here: Kafka has advertised.listeners for it", false},
	{"advertised.port", "accepted, has no meaning here: Kafka has advertised.listeners for it", false},
	{"super.users", "accepted, has no meaning here: it is for an authorizer, and there is none", false},
	{"allow.everyone.if.no.acl.found", "accepted, has no meaning here: it is for an authorizer, and there is none", false},
	{"delegation.token.master.key", noProtect, true},
	{"ssl.", noProtect, true},
	{"sasl.", noProtect, true},
	{"authorizer.", noProtect, true},
	{"confluent.", "accepted, has no meaning here: it is Confluent's", false},
}
