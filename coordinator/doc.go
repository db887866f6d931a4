// Package coordinator is the shape of a decider of record and the runtime that carries it: groups, and later
// transactions and share state, are pure machines over one partition of an internal topic each.
//
//	step.go     Machine, Step, Call: what a machine promises and what comes out of it
//	runtime.go  Runtime: the partitions led here, requests in, one timer for all of them
//	shard.go    a partition and its machine: step → append → replay → park
//	load.go     from log to machine: when leadership arrives, and after an append that failed
//	parked.go   answers that wait for the high watermark
//	log.go      Log: what a shard needs of its partition, and the codes for what goes wrong there
//	hash.go     which partition coordinates a name
//
// # A step
//
// A request runs in the goroutine of its connection. Under the shard's lock the machine decides and says which records
// make it so; they are appended to the partition in one batch; the machine replays them; the answers are parked with
// the offset that the log had reached. The lock is released before anybody waits for a disk: when the high watermark
// passes that offset, the answers go out. One flush thus serves every step that came before it.
//
//   - R1: a machine's durable state changes only by Replay, in the order of the log. Loading replays the same records.
//   - R2: an answer goes out when every record that its step could see is committed. This holds for reads, and for
//     steps without records.
//   - R3: a Call is answered exactly once: by the machine, or by the runtime with a code.
//   - R4: a step that changed more than its records say (Step.Reload) and could not be appended is undone by loading the
//     machine again.
//   - R5: so is a step that panics, since nobody can trust what it left.
//
// Locks: Runtime.mu, then shard.mu, then parked.mu; Runtime.clock is taken under none of them but by itself. No answer is
// sent and no log is flushed while one is held.
package coordinator
