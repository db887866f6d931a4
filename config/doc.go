// Package config holds every configuration key of the broker, its topics and its groups: name, type, default, allowed
// values, whether it can change while the broker runs, what it is for, and whether this build acts on it.
//
// Where a value comes from, the first that has one:
//
//	topic or group    what was set on it with kafka-configs
//	dynamic broker    what was set on this broker, then on all brokers, with kafka-configs
//	static            flag, then environment, then file
//	default           the table's
//
// Map of the package:
//
//	keys_*.go      the tables: a constant and a row for every broker key, by concern; keys_ours.go has those that Kafka
//	               lacks. topic_keys.go and group_keys.go are the tables of topics and groups
//	def.go         what a row says; the tables as BrokerDefs, TopicDefs, GroupDefs, ClientMetricsDefs
//	value.go       text to value and back, as Kafka writes values
//	check.go       what a value must be beyond its type
//	broker.go      Broker: one immutable set of effective broker values, and its getters
//	origin.go      where a value comes from
//	rules.go       what must hold between values; what this build refuses because it cannot keep the promise
//	listener.go    listeners and advertised.listeners
//	load.go        Load: flag > environment > file > default, with names of keys checked by source
//	env.go         the names of environment variables, ours and those of Kafka's images
//	file.go        our YAML and Kafka's server.properties
//	suggest.go     the known keys nearest to an unknown one
//	topic.go       Topic: the effective values of one topic;  group.go: of one group
//	dynamic.go     values set while the broker runs: which may be, and on what
//	describe.go    what DescribeConfigs and `ottla config` show
//	errors.go      refusals, with the code that Kafka answers them with
//
// The package imports nothing of ours.
package config
