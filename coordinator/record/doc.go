// Package record holds the keys and values of Kafka's internal topics and the records of the metadata log, in Kafka's own
// schemas, so that Kafka's tools decode what we write and we decode what Kafka wrote.
//
//	__cluster_metadata      AppendMetadata, ReadMetadata     metadata_gen.go, control_gen.go (its control records)
//	__consumer_offsets      AppendKey, ReadGroupKey          group_gen.go
//	__transaction_state     AppendKey, ReadTransactionKey    transaction_gen.go
//	__share_group_state     AppendKey, ReadShareKey          share_gen.go
//	consumers' own bytes    ConsumerProtocol…                consumer_gen.go
//
// The structs are generated (protocol/gen). Each is made with Kafka's defaults by its New function, and has
//
//	Append(dst, version)    the body in a version, without what stands before it
//	Decode(src, version)    the reverse; counts and lengths are checked before memory is taken
//
// A field is a pointer, or a nil slice, where Kafka has null. Tagged fields that a newer Kafka added are skipped; a newer
// version of a record is an error that names it.
package record
