package config

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// env reads OTTLA_…, KAFKA_CFG_… and KAFKA_… variables, and the few names without such a beginning that Kafka's images
// know. Where two of them set one key, the first of that order holds. An empty variable counts as not set: compose files
// pass on what their user left out.
func (l *loader) env(in Input) ([]setting, error) {
	var settings []setting
	by := map[Key]string{} // the variable that set a key
	for _, s := range variables(in.Env) {
		why, refuse := imageVariable(s.name)
		switch {
		case refuse:
			l.errs = append(l.errs, &SettingError{Key(s.name), hidden, s.origin, why, "remove it"})
		case why != "" && BrokerDef(s.key) == nil:
			l.warn(s, why)
		case serviceLink(s.name, s.value):
			l.warn(s, "passed over: Kubernetes or Docker put it there for a service of that name")
		case by[s.key] != "":
			l.warn(s, "passed over: "+by[s.key]+" sets "+string(s.key)+" too")
		default:
			by[s.key] = s.name
			settings = append(settings, s)
		}
	}
	return settings, nil
}

// variables are the settings that variables make, best rank first.
func variables(env []string) []setting {
	type ranked struct {
		setting
		rank int
	}
	var all []ranked
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if s, rank := readVariable(name, value); rank > 0 && s.value != "" {
			all = append(all, ranked{s, rank})
		}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.name, b.name))
	})
	settings := make([]setting, len(all))
	for i, r := range all {
		settings[i] = r.setting
	}
	return settings
}

// readVariable is the setting that a variable makes, and its rank: 1 for ours, 0 for none of ours or Kafka's.
func readVariable(name, value string) (setting, int) {
	s := setting{value: value, name: name, origin: Origin{Kind: FromEnv, Name: name}}
	if alias, ok := aliases[name]; ok {
		s.key, s.value = alias.key, alias.value(value)
		return s, alias.rank
	}
	for i, prefix := range []string{"OTTLA_", "KAFKA_CFG_", "KAFKA_"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			s.key = variableKey(rest)
			return s, i + 1
		}
	}
	return s, 0
}

// variableKey turns the rest of a variable's name into a key, as Kafka's images do: ___ is a dash, __ an underscore, _ a
// dot.
func variableKey(rest string) Key {
	rest = strings.ToLower(rest)
	rest = strings.ReplaceAll(rest, "___", "-")
	rest = strings.ReplaceAll(rest, "__", "\x00")
	rest = strings.ReplaceAll(rest, "_", ".")
	return Key(strings.ReplaceAll(rest, "\x00", "_"))
}

type alias struct {
	key   Key
	rank  int
	value func(string) string
}

func same(v string) string { return v }

// aliases are variables whose names are not made of their keys.
var aliases = map[string]alias{
	// Ours, named like the flags.
	"OTTLA_DATA_DIR":   {LogDirs, 2, same},
	"OTTLA_LISTEN":     {Listeners, 2, ListenerAt},
	"OTTLA_HTTP":       {HTTPListen, 2, same},
	"OTTLA_LOG_FORMAT": {LoggingFormat, 2, same},
	"OTTLA_LOG_LEVEL":  {LoggingLevel, 2, same},
	// Kafka's images: Apache's and Confluent's, and Bitnami's.
	"CLUSTER_ID":               {ClusterID, 4, same},
	"KAFKA_KRAFT_CLUSTER_ID":   {ClusterID, 4, same},
	"ALLOW_PLAINTEXT_LISTENER": {AllowAnonymous, 4, yes},
}

// yes is true for what Bitnami's images take for it, and nothing otherwise.
func yes(v string) string {
	switch strings.ToLower(v) {
	case "yes", "true", "1":
		return "true"
	}
	return ""
}

// ListenerAt is the entry of listeners for one plain listener at HOST:PORT.
func ListenerAt(hostPort string) string {
	if hostPort == "" {
		return ""
	}
	return "PLAINTEXT://" + hostPort
}

const (
	noJVM   = "accepted, has no meaning here: there is no JVM"
	noImage = "accepted, has no meaning here: it is for a start script"
)

// imageVariables are variables of Kafka's images that name no key; a name that ends in an underscore stands for all that
// begin with it.
var imageVariables = []struct {
	name, why string
	refuse    bool
}{
	{"KAFKA_HEAP_OPTS", noJVM, false},
	{"KAFKA_OPTS", noJVM, false},
	{"KAFKA_JVM_PERFORMANCE_OPTS", noJVM, false},
	{"KAFKA_GC_LOG_OPTS", noJVM, false},
	{"KAFKA_JMX_", noJVM, false},
	{"KAFKA_LOG4J_", "accepted, has no meaning here: logging.level and logging.format are for it", false},
	{"KAFKA_TOOLS_LOG4J_LOGLEVEL", noJVM, false},
	{"KAFKA_ZOOKEEPER_", noZooKeeper, false},
	{"KAFKA_ENABLE_KRAFT", noZooKeeper, false},
	{"KAFKA_HOME", noImage, false},
	{"KAFKA_VERSION", noImage, false},
	{"KAFKA_DEBUG", noImage, false},
	{"KAFKA_BASE_DIR", noImage, false},
	{"KAFKA_VOLUME_DIR", noImage, false},
	{"KAFKA_CONF_DIR", noImage, false},
	{"KAFKA_MOUNTED_CONF_DIR", noImage, false},
	{"KAFKA_DATA_DIR", "accepted, has no meaning here: set KAFKA_LOG_DIRS or OTTLA_DATA_DIR", false},
	{"KAFKA_CREATE_TOPICS", "accepted, has no meaning here: topics are created by clients", false},
	{"KAFKA_SKIP_KRAFT_STORAGE_INIT", noImage, false},
	{"KAFKA_INITIAL_CONTROLLERS", noImage, false},
	// Who sets these believes that clients must authenticate.
	{"KAFKA_CLIENT_USERS", noProtect, true},
	{"KAFKA_CLIENT_PASSWORDS", noProtect, true},
	{"KAFKA_INTER_BROKER_USER", noProtect, true},
	{"KAFKA_INTER_BROKER_PASSWORD", noProtect, true},
	{"KAFKA_CONTROLLER_USER", noProtect, true},
	{"KAFKA_CONTROLLER_PASSWORD", noProtect, true},
	{"KAFKA_CERTIFICATE_PASSWORD", noProtect, true},
	{"KAFKA_TLS_", noProtect, true},
	{"KAFKA_SSL_KEYSTORE_FILENAME", noProtect, true},
	{"KAFKA_SSL_KEYSTORE_CREDENTIALS", noProtect, true},
	{"KAFKA_SSL_KEY_CREDENTIALS", noProtect, true},
	{"KAFKA_SSL_TRUSTSTORE_FILENAME", noProtect, true},
	{"KAFKA_SSL_TRUSTSTORE_CREDENTIALS", noProtect, true},
}

func imageVariable(name string) (why string, refuse bool) {
	for _, v := range imageVariables {
		if name == v.name || strings.HasSuffix(v.name, "_") && strings.HasPrefix(name, v.name) {
			return v.why, v.refuse
		}
	}
	return "", false
}

var serviceName = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)$`)

// serviceLink reports whether a variable is one of those that Kubernetes, and Docker's old links, put into a container for
// every service: a service named kafka gives KAFKA_PORT=tcp://10.0.0.1:9092.
func serviceLink(name, value string) bool {
	return serviceName.MatchString(name) ||
		strings.HasSuffix(name, "_PORT") && (strings.HasPrefix(value, "tcp://") || strings.HasPrefix(value, "udp://"))
}
