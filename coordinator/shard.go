package coordinator

import (
	"sync"
	"time"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// shard is one partition that is led here, and its machine.
type shard[M Machine] struct {
	runtime   *Runtime[M]
	partition int32
	epoch     int32 // leader epoch: the log refuses appends of another
	log       Log
	parked    parked
	unwatch   func()

	mu struct { // guards the fields below
		sync.Mutex
		life    life
		machine M
		// end is one past the last record that the machine has replayed: what a step can have seen.
		end  int64
		wake time.Time // of the machine
	}
}

// life is what a shard can do.
type life uint8

const (
	loading life = iota
	active
	failed // its log cannot be read
	gone   // led elsewhere, or the runtime is closed
)

// refusal is what a request hears of a shard that is not active.
func (l life) refusal() protocol.Code {
	if l == loading {
		return protocol.CoordinatorLoadInProgress
	}
	return protocol.NotCoordinator
}

// do runs one step. Answers that need not wait are sent before it returns.
func (s *shard[M]) do(fail func(protocol.Code), step func(m M, now time.Time) Step) {
	var out outbox
	s.mu.Lock()
	if s.mu.life != active {
		code := s.mu.life.refusal()
		s.mu.Unlock()
		fail(code)
		return
	}
	now := s.runtime.options.Now()
	sound := false
	defer func() { // the lock is given up in a panic too, which ends no more than the request that brought it
		if !sound && s.mu.life == active {
			s.reload(&out)
		}
		s.leave(&out)
	}()
	s.apply(now, step(s.mu.machine, now), &out)
	s.runTimers(now, &out)
	sound = true
}

// leave gives up mu, and does what must not be done with it: sending, setting the timer, loading again.
func (s *shard[M]) leave(out *outbox) {
	wake := s.mu.wake
	var ready []waiting
	if out.held {
		ready = s.parked.release()
	}
	s.mu.Unlock()
	s.runtime.wakeBy(earlier(wake, out.deadline))
	send(ready)
	out.send()
	if out.reload {
		s.beginLoad()
	}
}

// runTimers runs the machine's timers that are due. Called with mu held.
func (s *shard[M]) runTimers(now time.Time, out *outbox) {
	for s.mu.life == active && !s.mu.wake.IsZero() && !s.mu.wake.After(now) {
		s.apply(now, s.mu.machine.Wake(now), out)
	}
}

// apply makes a step come true: append, replay, park. Called with mu held.
func (s *shard[M]) apply(now time.Time, step Step, out *outbox) {
	s.mu.wake = step.Wake
	if len(step.Records) > 0 && !out.held {
		s.parked.hold()
		out.held = true
	}
	if err := s.append(now, step); err != nil {
		s.runtime.options.Events.appendFailed(s.partition, err)
		out.fail(step.Answers, codeFor(err))
		if step.Reload {
			s.reload(out)
		}
		return
	}
	if len(step.Answers) == 0 {
		return
	}
	deadline := now.Add(s.runtime.options.CommitTimeout)
	if !s.parked.park(waiting{upTo: s.mu.end, deadline: deadline, answers: step.Answers}) {
		out.add(step.Answers)
		return
	}
	out.deadline = earlier(out.deadline, deadline)
}

// append appends the step's records and replays what was appended: everything, or with Step.Split what came before the
// error. Called with mu held.
func (s *shard[M]) append(now time.Time, step Step) error {
	rest := step.Records
	for len(rest) > 0 {
		batch, n, err := s.batch(now, rest, step.Split)
		if err != nil {
			return err
		}
		last, err := s.log.Append(batch, s.epoch)
		if err != nil {
			return err
		}
		for i, r := range rest[:n] {
			s.mu.machine.Replay(Position{Offset: last - int64(n-1-i), ProducerID: record.NoProducerID}, r)
		}
		s.mu.end = last + 1
		rest = rest[n:]
	}
	return nil
}

// errTooLarge is the error for records that must be one batch and do not fit.
var errTooLarge = protocol.Errorf(protocol.RecordListTooLarge, "the records of one step exceed max.message.bytes of the internal topic")

// batch builds a batch of all records, or with split of as many as fit, and returns their number.
func (s *shard[M]) batch(now time.Time, records []Record, split bool) (record.Batch, int, error) {
	limit := s.log.MaxBatchBytes()
	o := record.NewOptions()
	o.Codec = s.runtime.options.Codec
	b := record.NewBuilder(o)
	ms := now.UnixMilli()
	var scratch []byte
	for i, r := range records {
		key, value := r.append(scratch[:0])
		scratch = key
		if b.Size()+len(key)+len(value)+recordOverheadMax > limit {
			if !split || i == 0 {
				return nil, 0, errTooLarge
			}
			return b.Batch(), i, nil
		}
		b.Add(ms, key, value)
	}
	return b.Batch(), len(records), nil
}

// recordOverheadMax bounds what a record adds to its key and value: length, attributes, two deltas, two lengths, a count.
const recordOverheadMax = 5 + 1 + 10 + 5 + 5 + 5 + 1

// outbox collects what is sent once the lock is released.
type outbox struct {
	answers  []Answer
	deadline time.Time // of the answers that were parked, zero for none
	held     bool      // parked.hold was called
	reload   bool      // the machine is to be loaded again
}

func (o *outbox) add(answers []Answer) { o.answers = append(o.answers, answers...) }

func (o *outbox) fail(answers []Answer, code protocol.Code) {
	for _, a := range answers {
		o.answers = append(o.answers, Answer{fail: a.fail, code: code})
	}
}

func (o *outbox) send() {
	for _, a := range o.answers {
		a.Send()
	}
}
