// Package quorum keeps the metadata log: the one ordered list of changes to the cluster's metadata, agreed on by raft
// (hashicorp/raft). Package cluster says what a change is and what it does; this package makes it durable, the same on
// every node, and in order.
//
//	quorum.go     Quorum: open, ask, close
//	queue.go      Propose: changes are decided one after the other and appended
//	machine.go    the replicated state machine: entries become images, subscribers hear of them, snapshots
//	entry.go      the bytes of an entry and of a snapshot's body
//	entries.go    raft's log, as a log of package logstore
//	state.go      raft's term and vote, and whose directory this is: the file quorum-state
//	snapshots.go  snapshots of the image, as files beside the log
//	kafka.go      taking over what an Apache Kafka of one node wrote
//	views.go      what tools may read of the files (package dump)
//	transport.go  how voters reach each other
//	logger.go     raft's messages into slog
//
// What is on disk, in the directory __cluster_metadata-0 (see FORMAT.md for the bytes):
//
//	NNN.log, NNN.index …     the log: one record batch per raft entry; base offset = index, leader epoch = term
//	quorum-state             term, vote, cluster id, node id
//	INDEX-TERM.image         the newest snapshot
//
// Invariants:
//
//	Q1  Propose answers success only when the entry is synced on a majority and applied here.
//	Q2  A decider sees every entry that was appended before its own.
//	Q3  After a write or sync of the log failed, nothing more is appended until a restart.
//	Q4  The log is contiguous, and begins at or before the entry after the newest snapshot.
//	Q5  A damaged file is never replaced or cut: Open fails and says which file it is.
package quorum
