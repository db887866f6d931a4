// Package compat runs unmodified clients against the built binary: kcat, kafka-go, confluent-kafka-go, franz-go, sarama
// and Apache Kafka's own tools, each in a file of its own. They share one broker; topics and groups bear the test's name.
//
// OTTLA_AGAINST=kafka runs the same tests against Apache Kafka, which proves the tests.
package compat
