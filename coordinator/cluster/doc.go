// Package cluster is the controller of the cluster, as pure functions: what topics, brokers, configs and features there
// are (Image), and what a request to change them puts in the metadata log (the deciders).
//
// An Image is immutable. It is made by applying the records of the metadata log, in Kafka's own schemas, one entry
// after the other; replaying the log always gives the same Image. Nothing else changes it.
//
// A decider takes the Image, a request and whatever else it needs (time, randomness, a validator of configs) and returns
// records and an answer for every item of the request. It changes nothing: package quorum appends the records, applies
// them, and only then does anybody see their effect.
//
//	request ──decider(image)──▶ records ──metadata log──▶ Image.Apply ──▶ image', Delta ──▶ partitions, coordinators
//
// Invariants, checked by the tests:
//
//	C1  Applying records one by one, in any grouping of entries, equals applying them at once.
//	C2  A topic's name and id name the same topic in every Image, and an id is never used twice.
//	C3  A partition's leader is in its ISR or is NoLeader; the ISR is not empty and part of the replicas.
//	C4  A partition's leader epoch and partition epoch never go back, and the leader epoch rises with every new leader.
//	C5  An Image, and everything reached from it, is never written to after Apply returned it.
package cluster
