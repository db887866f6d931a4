// Package logstore keeps partitions' records in a data directory, in Apache Kafka's own file formats (FORMAT.md).
package logstore
