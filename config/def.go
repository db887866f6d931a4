package config

import "fmt"

// Key is the name of a configuration key, as Kafka writes it. The constant of a key is that name in Go's spelling.
type Key string

// Type is the type of a value, with the numbers of DescribeConfigs.
type Type int8

// The types. Source: org.apache.kafka.common.requests.DescribeConfigsResponse.ConfigType.
const (
	Boolean Type = iota + 1
	String
	Int
	Short
	Long
	Double
	List
	Class
	Password
)

var typeNames = [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}

func (t Type) String() string {
	if t < 0 || int(t) >= len(typeNames) {
		return fmt.Sprintf("Type(%d)", int8(t))
	}
	return typeNames[t]
}

// Mode is how a broker key may change while the broker runs.
type Mode int8

// The modes. Source: KIP-226.
const (
	ReadOnly    Mode = iota // needs a restart
	PerBroker               // on one broker
	ClusterWide             // on one broker or on all
)

func (m Mode) String() string { return [...]string{"read-only", "per-broker", "cluster-wide"}[m] }

// Effect is what this build does with a key.
type Effect int8

// The effects.
const (
	Served   Effect = iota // it does what its documentation says
	NoEffect               // accepted and shown, so that a configuration of Kafka's works, and nothing else
	Refused                // it promises protection that this build lacks: a value other than the default stops the start
)

func (e Effect) String() string {
	return [...]string{"served", "accepted, no effect here", "refused: not in this build"}[e]
}

// None is the default of a key that has no value until it is given one. No value can contain a NUL.
const None = "\x00"

// Row is what the tables write for a broker key.
type Row struct {
	Key     Key
	Type    Type
	Default string // as Kafka writes it, or None
	Check   *Check // what a value must be beyond its type; nil for anything
	Mode    Mode
	Effect  Effect
	Doc     string
}

// Def defines one key.
type Def struct {
	Row
	// Ours marks a key that Kafka does not have.
	Ours bool
	// Internal marks a key that Kafka accepts and shows only where it is set.
	Internal bool
	// DynamicOnly marks a key that can be set on a running broker, and nowhere else.
	DynamicOnly bool
	// Fallbacks are the broker keys that a topic or group key takes its value from, the first that has one;
	// for a broker key, those that stand in for it, itself among them.
	Fallbacks []Fallback
}

// Fallback is a key that another takes its value from, times Factor: 3,600,000 from hours to milliseconds.
type Fallback struct {
	Key    Key
	Factor int64
}

// Sensitive reports whether the key's value is a secret, which is never shown.
func (d *Def) Sensitive() bool { return d.Type == Password }

// Implemented reports whether this build acts on the key.
func (d *Def) Implemented() bool { return d.Effect == Served }

// HasDefault reports whether the key has a value when nobody sets it.
func (d *Def) HasDefault() bool { return d.Default != None }

// Allowed says in words what a value may be.
func (d *Def) Allowed() string {
	if d.Check == nil {
		return "any " + d.Type.String()
	}
	return d.Check.Allowed
}

// The keys of brokers, topics, groups and client metrics subscriptions, in the order of the tables.
var (
	BrokerDefs        = brokerDefs()
	TopicDefs         = topicDefs()
	GroupDefs         = groupDefs()
	ClientMetricsDefs = clientMetricsDefs()
)

var (
	brokerIndex        = index(BrokerDefs)
	topicIndex         = index(TopicDefs)
	groupIndex         = index(GroupDefs)
	clientMetricsIndex = index(ClientMetricsDefs)
)

// BrokerDef is the definition of a broker key, nil where there is none.
func BrokerDef(k Key) *Def { return brokerIndex[k] }

// TopicDef is the definition of a topic key, nil where there is none.
func TopicDef(k Key) *Def { return topicIndex[k] }

// GroupDef is the definition of a group key, nil where there is none.
func GroupDef(k Key) *Def { return groupIndex[k] }

// ClientMetricsDef is the definition of a key of client metrics subscriptions, nil where there is none.
func ClientMetricsDef(k Key) *Def { return clientMetricsIndex[k] }

func brokerDefs() []*Def {
	var defs []*Def
	for _, rows := range [][]Row{
		nodeRows, listenersRows, topicsRows, logRows, replicationRows, fetchRows, groupsRows, groupConsumerRows,
		groupShareRows, groupStreamsRows, transactionsRows, quorumRows, quotasRows, tieredRows, securityRows, saslRows,
	} {
		defs = append(defs, defsOf(rows, Def{})...)
	}
	for _, rows := range [][]Row{
		nodeInternalRows, logInternalRows, replicationInternalRows, groupConsumerInternalRows, groupShareInternalRows,
		quorumInternalRows, tieredInternalRows,
	} {
		defs = append(defs, defsOf(rows, Def{Internal: true})...)
	}
	defs = append(defs, defsOf(dynamicOnlyRows, Def{DynamicOnly: true})...)
	defs = append(defs, defsOf(oursRows, Def{Ours: true})...)
	for _, d := range defs {
		d.Fallbacks = brokerFallbacks[d.Key]
	}
	return defs
}

// defsOf gives each row the flags of like.
func defsOf(rows []Row, like Def) []*Def {
	defs := make([]*Def, len(rows))
	for i, r := range rows {
		d := like
		d.Row = r
		defs[i] = &d
	}
	return defs
}

// index finds definitions by key. It checks the tables when the process starts: a default that its own check refuses is
// a defect of the table.
func index(defs []*Def) map[Key]*Def {
	byKey := make(map[Key]*Def, len(defs))
	for _, d := range defs {
		if byKey[d.Key] != nil {
			panic("config: two definitions of " + string(d.Key))
		}
		if d.HasDefault() {
			if _, err := d.Parse(d.Default); err != nil {
				panic("config: default: " + err.Error())
			}
		}
		byKey[d.Key] = d
	}
	return byKey
}

const (
	minuteMs = 60_000
	hourMs   = 60 * minuteMs
)

// brokerFallbacks are keys for one thing in several units: the first that has a value holds.
// Source: org.apache.kafka.server.config.DynamicBrokerConfig.brokerConfigSynonyms.
var brokerFallbacks = func() map[Key][]Fallback {
	roll := []Fallback{{LogRollMs, 1}, {LogRollHours, hourMs}}
	jitter := []Fallback{{LogRollJitterMs, 1}, {LogRollJitterHours, hourMs}}
	retention := []Fallback{{LogRetentionMs, 1}, {LogRetentionMinutes, minuteMs}, {LogRetentionHours, hourMs}}
	flush := []Fallback{{LogFlushIntervalMs, 1}, {LogFlushSchedulerIntervalMs, 1}}
	all := map[Key][]Fallback{LogFlushIntervalMs: flush}
	for _, family := range [][]Fallback{roll, jitter, retention} {
		for _, f := range family {
			all[f.Key] = family
		}
	}
	return all
}()
