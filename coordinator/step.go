package coordinator

import (
	"time"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// Machine decides for one partition of an internal topic. It is pure: no goroutine, lock, file, socket, clock or
// randomness. The runtime calls it under the shard's lock.
//
// Besides these methods a machine has one per request, func(now, call, request) Step, run through Runtime.Do.
type Machine interface {
	// Decode reads a record of the partition. An error that wraps record.ErrUnknown is skipped, a newer build wrote it;
	// any other ends loading.
	Decode(key, value []byte) (Record, error)
	// Replay applies a record, right after it was appended or while the partition is loaded. It may keep what r points to.
	Replay(at Position, r Record)
	// ReplayMarker applies the end of a producer's transaction.
	ReplayMarker(producerID int64, commit bool)
	// Loaded begins life after the last record was replayed: it sets timers going.
	Loaded(now time.Time) Step
	// Wake runs the earliest timer that is due. The runtime calls it until Step.Wake lies ahead.
	Wake(now time.Time) Step
	// Abandon gives back every call that the machine has parked. The machine is not used after it.
	Abandon() []Answer
}

// Record is a record of an internal topic. A nil Value is a tombstone.
type Record struct {
	Key   record.Key
	Value record.Message
	// Version is the version that Value is written in.
	Version int16
}

// append appends the encoded key and value to dst. A tombstone's value is nil.
func (r Record) append(dst []byte) (key, value []byte) {
	key = record.AppendKey(dst, r.Key)
	if r.Value == nil {
		return key, nil
	}
	all := record.AppendValue(key, r.Value, r.Version)
	return all[:len(key)], all[len(key):]
}

// Position is where a replayed record stands.
type Position struct {
	Offset int64
	// ProducerID is the producer whose transaction the record belongs to, -1 for none.
	ProducerID int64
}

// Step is what a machine decided.
type Step struct {
	// Records make the decision durable. They are appended and replayed before the machine is asked anything else.
	Records []Record
	// Split allows Records to be spread over batches, where Kafka's atomicity is not needed and their size has no bound.
	Split bool
	// Reload says that the machine has changed beyond what Records say: if they cannot be appended, load it again.
	Reload bool
	// Answers are sent when Records, and all that stood in the log before them, are committed.
	Answers []Answer
	// Wake is when Machine.Wake must be called; zero for never.
	Wake time.Time
}

// Call is a request that a machine answers with a T, in the same step or after having parked it.
type Call[T any] struct {
	// Reply takes the answer.
	Reply func(T)
	// Fail takes the code where there is no answer: the partition is not led or not loaded here, or its log failed.
	Fail func(protocol.Code)
}

// Answer is the end of a Call.
type Answer struct {
	reply func() // nil where the answer is a failure
	fail  func(protocol.Code)
	code  protocol.Code
}

// Answer answers c with what is true once the step is committed.
func (c *Call[T]) Answer(s *Step, with T) {
	s.Answers = append(s.Answers, Answer{reply: func() { c.Reply(with) }, fail: c.Fail})
}

// Refuse ends c with a code.
func (c *Call[T]) Refuse(code protocol.Code) Answer {
	return Answer{fail: c.Fail, code: code}
}

// Send sends the answer. The runtime does, and tests of machines.
func (a Answer) Send() {
	if a.reply == nil {
		a.fail(a.code)
		return
	}
	a.reply()
}

// Fail sends a code in place of the answer.
func (a Answer) Fail(code protocol.Code) { a.fail(code) }
