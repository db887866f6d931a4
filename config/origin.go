package config

import "fmt"

// Source is the layer that a value comes from, with the numbers of DescribeConfigs.
type Source int8

// The sources. Source: org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigSource.
const (
	DynamicTopic         Source = 1
	DynamicBroker        Source = 2
	DynamicDefaultBroker Source = 3
	StaticBroker         Source = 4
	DefaultValue         Source = 5
	DynamicBrokerLogger  Source = 6
	DynamicClientMetrics Source = 7
	DynamicGroup         Source = 8
)

// OriginKind is how a value was given.
type OriginKind int8

// The kinds, weakest first.
const (
	FromDefault OriginKind = iota
	FromFile
	FromEnv
	FromFlag
	FromCluster // set while the broker runs
)

// Origin is where exactly a value came from.
type Origin struct {
	Kind OriginKind
	// Name is the flag, the variable or the file.
	Name string
	// Line is the line of the file, from 1.
	Line int
	// Properties is set for a file in Kafka's server.properties form.
	Properties bool
}

func (o Origin) String() string {
	switch o.Kind {
	case FromCluster:
		return "set while running"
	case FromFlag:
		return "flag " + o.Name
	case FromEnv:
		return "environment " + o.Name
	case FromFile:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	}
	return "default"
}

// strict reports whether an unknown key from here stops the start: whoever writes a flag or our YAML means this broker,
// while an environment and a server.properties are often written for something else.
func (o Origin) strict() bool { return o.Kind == FromFlag || o.Kind == FromFile && !o.Properties }

// Source is the layer that the effective value of a broker key comes from.
func (b *Broker) Source(k Key) Source {
	switch {
	case has(b.perBroker, k):
		return DynamicBroker
	case has(b.clusterDefault, k):
		return DynamicDefaultBroker
	case b.isSet(k):
		return StaticBroker
	}
	return DefaultValue
}

// Origin is where the effective value of a broker key came from.
func (b *Broker) Origin(k Key) Origin {
	if has(b.perBroker, k) || has(b.clusterDefault, k) {
		return Origin{Kind: FromCluster}
	}
	return b.origins[k]
}

func has(m map[Key]string, k Key) bool { _, ok := m[k]; return ok }
