package quorum

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/protocol"
)

// Decide decides a change against the newest state of the metadata log: it returns the records to append, none for no
// change. An error ends the proposal with it. It may be called more than once, must not block, and leaves what it has to
// tell the caller in variables that it captures: the last call counts.
type Decide func(image *cluster.Image, now time.Time) ([]cluster.Record, error)

// queue orders proposals. All that wait are decided one after the other, each on the image that the one before leaves,
// and become one entry: one sync for all of them. The next entry is decided when this one is applied, so an entry is
// always decided on the one right before it, says so, and is dropped where that is not so (entry.after): between its
// decision and its place in the log leadership may have been lost, and others may have appended.
type queue struct {
	q *Quorum

	mu struct { // guards the fields below; held for moments only
		sync.Mutex
		waiting []*proposal
		// serving: the goroutine of serve is there, and will see what is added to waiting.
		serving bool
		// closed: nobody is served any more.
		closed bool
	}
	// settled is the term that this node leads with everything before it applied. serve's.
	settled uint64
	running sync.WaitGroup
}

// proposal is a caller of Propose.
type proposal struct {
	decide Decide
	done   chan struct{} // closed when err is set
	err    error

	mu        sync.Mutex // held while decide runs: after a caller has given up, it does not run
	withdrawn bool
}

// Propose has decide's records appended to the metadata log, all or none, and returns when they are synced on a majority
// and applied here, subscribers called: what the caller then reads from Image, partitions and the like shows the change.
// The image returned is at least that new. Proposals are decided one after the other, each on the state that the one
// before leaves; one without records, too, waits until what it was decided on is applied.
//
// An error of decide is returned as it is. RequestTimedOut: ctx ended, or leadership was lost, when the entry was under
// way; it may or may not come to be. KafkaStorageError: the disk failed; the same, and no change is possible before a
// restart (Err says so), or it is full, and nothing was appended. NotController: this node is not the leader, and nothing
// was appended.
func (q *Quorum) Propose(ctx context.Context, decide Decide) (*cluster.Image, error) {
	p := &proposal{decide: decide, done: make(chan struct{})}
	q.queue.add(p)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.withdraw()
		return nil, protocol.Errorf(protocol.RequestTimedOut, "The change was not made in the time given; it may still be.")
	}
	if p.err != nil {
		return nil, p.err
	}
	return q.Image(), nil
}

func (u *queue) add(p *proposal) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.mu.closed {
		answer([]*proposal{p}, errNotController())
		return
	}
	u.mu.waiting = append(u.mu.waiting, p)
	if !u.mu.serving {
		u.mu.serving = true
		u.running.Go(u.serve)
	}
}

// close waits for the entry under way, and makes sure that there will be no other. Raft must still run: it does not answer
// everybody when it stops.
func (u *queue) close() {
	u.mu.Lock()
	u.mu.closed = true
	u.mu.Unlock()
	u.running.Wait()
}

func (u *queue) isClosed() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mu.closed
}

// serve serves proposals until none waits. Started by add, awaited by close.
func (u *queue) serve() {
	for {
		u.mu.Lock()
		batch := u.mu.waiting
		u.mu.waiting = nil
		u.mu.serving = len(batch) > 0
		u.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for len(batch) > 0 {
			batch = u.serveSome(batch)
		}
	}
}

// entryRecordsMax bounds an entry: one proposal may be larger by itself, others do not join it.
const entryRecordsMax = 4096

// serveSome makes one entry of the first proposals of a batch, answers them, and returns the rest. Where the entry came
// too late it returns the whole batch, to be decided again.
func (u *queue) serveSome(batch []*proposal) []*proposal {
	if err := u.settle(batch); err != nil {
		answer(batch, err)
		return nil
	}
	image := u.q.Image()
	e := entry{after: image.Offset()}
	some, now := 0, u.q.now()
	for some < len(batch) && len(e.records) < entryRecordsMax {
		image = batch[some].run(image, now, &e)
		some++
	}
	err := u.q.append(e)
	if errors.Is(err, errStale) {
		return batch
	}
	answer(batch[:some], err)
	return batch[some:]
}

// run lets a proposal add its records to an entry, and returns the image that they leave.
func (p *proposal) run(before *cluster.Image, now time.Time, e *entry) *cluster.Image {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.withdrawn {
		return before
	}
	records, err := p.decide(before, now)
	if p.err = err; err != nil || len(records) == 0 {
		return before
	}
	// The offset is a guess: raft's own entries take some too. What is decided on it holds for a higher one.
	after, _, err := before.Apply(before.Offset()+1, before.Epoch(), records)
	if err != nil {
		p.err = protocol.Errorf(protocol.UnknownServerError, "The change contradicts the metadata: %s.", err)
		return before
	}
	e.records = append(e.records, records...)
	return after
}

// withdraw makes sure that decide does not run any more: the caller is about to leave.
func (p *proposal) withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.withdrawn = true
}

func (p *proposal) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.withdrawn
}

// answer ends proposals: each with its own error, or with that of the entry.
func answer(batch []*proposal, err error) {
	for _, p := range batch {
		if p.err == nil {
			p.err = err
		}
		close(p.done)
	}
}

// append appends an entry and waits until it is applied here. An empty one is nothing to do.
func (q *Quorum) append(e entry) error {
	if len(e.records) == 0 {
		return nil
	}
	future := q.raft.Apply(e.encode(), 0)
	switch err := future.Error(); {
	case errors.Is(err, raft.ErrNotLeader) && q.Err() == nil:
		return errStale // raft did not take it: settle finds out who leads
	case err != nil:
		return q.outcome(err)
	}
	switch err, _ := future.Response().(error); {
	case err == nil, errors.Is(err, errStale):
		return err
	default:
		return q.outcome(err)
	}
}

// outcome is the answer for what raft said of an entry.
func (q *Quorum) outcome(err error) error {
	switch broken := q.Err(); {
	case broken != nil:
		return protocol.Errorf(protocol.KafkaStorageError,
			"The metadata log takes no changes until the broker is restarted: %s.", broken)
	case errors.Is(err, protocol.KafkaStorageError):
		return protocol.Errorf(protocol.KafkaStorageError, "The metadata log cannot be written now: %s.", err)
	case errors.Is(err, raft.ErrNotLeader):
		return errNotController()
	default: // leadership lost, shut down: the entry may be in the logs of others
		return protocol.Errorf(protocol.RequestTimedOut,
			"The controller stopped before it was known whether the change is kept; look whether it was made.")
	}
}

func errNotController() error {
	return protocol.Errorf(protocol.NotController, "This node is not the active controller; try again.")
}

// electionPoll is how long settle waits before it looks again whether an election has ended.
const electionPoll = 5 * time.Millisecond

// settle makes sure, once in a term, that this node leads and has applied everything committed before: then its image is
// the newest there is. A barrier, an entry of raft's own, shows both. While an election is on, it waits as long as anybody
// of the batch does.
func (u *queue) settle(batch []*proposal) error {
	for {
		if u.isClosed() {
			return errNotController()
		}
		term := u.q.raft.CurrentTerm()
		if u.settled == term && u.q.raft.State() == raft.Leader {
			return nil
		}
		err := u.q.raft.Barrier(0).Error()
		if err == nil {
			u.settled = term
			continue
		}
		leader := u.q.Leader()
		election := (errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost)) &&
			u.q.Err() == nil && (leader == -1 || leader == nodeID(u.q.id))
		if !election {
			return u.q.outcome(err)
		}
		if allGone(batch) {
			return errNotController()
		}
		time.Sleep(electionPoll)
	}
}

func allGone(batch []*proposal) bool {
	for _, p := range batch {
		if !p.gone() {
			return false
		}
	}
	return true
}
