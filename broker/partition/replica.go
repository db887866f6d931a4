package partition

import (
	"slices"
	"time"

	"github.com/ottla/ottla/protocol"
)

// replica decides for one replica of a partition: who leads it here, in which epoch, how far it is replicated, which ISR
// to ask for. It is pure: the shell hands it what happened and the time, and writes nothing into it.
//
//	                idle            leading                      following
//	lead            → leading       higher epoch: begin anew     → leading
//	                                same epoch: take the ISR
//	follow          → following     → following                  take the epoch
//	resign          –               → idle                       → idle
//	flushed         own end         own end; HW may rise         own end
//	fetched         refused         follower's end; HW may rise; refused
//	                                ISR may be asked to grow
//	tick            –               ISR may be asked to shrink   –
//	refusedISR      –               the proposal is void         –
//	deleted         own log start   own; low watermark may rise  own log start
//	leaderHW        –               –                            HW := min(leader's, own end)
//
// Invariants, checked by the tests after every step:
//
//   - P1: highWatermark ≤ end.
//   - P2: on a leader the high watermark never moves back, nor do the epochs.
//   - P3: on a leader that has moved it, highWatermark ≤ the end of every replica of the ISR, and of a proposed ISR.
//   - P4: the high watermark stays while fewer replicas are in sync than minISR asks for (KIP-966).
//   - P5: at most one proposal for the ISR is out (KIP-497).
type replica struct {
	self           int32
	role           role
	leader         int32 // node id, -1 for none
	epoch          int32 // leader epoch, -1 before the first
	partitionEpoch int32
	epochStart     int64 // leading: where the log ended when the epoch began
	end            int64 // one past the last record that a power cut leaves here
	highWatermark  int64 // [log start, highWatermark) is on every in-sync replica
	logStart       int64
	replicas       []int32
	isr            []int32 // as the cluster has agreed
	proposed       []int32 // the ISR that the controller has been asked for, nil for none
	followers      []follower
	minInsync      int           // min.insync.replicas
	lagMax         time.Duration // replica.lag.time.max.ms
}

type role int8

const (
	idle role = iota
	leading
	following
)

// follower is what a leader knows of another replica from its fetches.
type follower struct {
	id       int32
	end      int64 // one past the last record that it has on disk, -1 before its first fetch in this epoch
	logStart int64
	// caughtUp is when it last had everything: at a fetch that began where the leader's log ended then, or at the time of
	// the fetch before, if it began where the log ended at that time.
	caughtUp    time.Time
	lastFetch   time.Time
	lastFetchAt int64 // the leader's end at lastFetch
}

// assignment is what the cluster has agreed on about the partition.
type assignment struct {
	leader         int32
	epoch          int32
	partitionEpoch int32
	replicas       []int32
	isr            []int32
}

// proposal is an ISR to ask the controller for, standing on partitionEpoch (KIP-497). Its isr is nil for none.
type proposal struct {
	isr            []int32
	epoch          int32
	partitionEpoch int32
}

// lead makes this replica the leader, or takes news about the partition that it leads. logEnd is one past its last record,
// on disk or not. What is older than what is known changes nothing.
func (r *replica) lead(a assignment, logEnd int64, now time.Time) {
	if a.epoch < r.epoch || a.epoch == r.epoch && r.role == leading && a.partitionEpoch <= r.partitionEpoch {
		return
	}
	began := a.epoch > r.epoch || r.role != leading
	r.take(a)
	if began {
		r.role = leading
		r.epochStart = logEnd
		r.followers = nil
	}
	r.proposed = nil
	r.followers = r.keepFollowers(now)
	r.advance(now)
}

// follow makes this replica a follower, or one without a leader where a.leader is -1.
func (r *replica) follow(a assignment) {
	if a.epoch < r.epoch || a.epoch == r.epoch && a.partitionEpoch < r.partitionEpoch {
		return
	}
	r.take(a)
	r.role = following
	r.proposed, r.followers = nil, nil
}

func (r *replica) take(a assignment) {
	r.leader, r.epoch, r.partitionEpoch = a.leader, a.epoch, a.partitionEpoch
	r.replicas, r.isr = a.replicas, a.isr
}

// resign ends the replica's part: the partition is gone from here, or its log cannot be trusted.
func (r *replica) resign() {
	r.role = idle
	r.proposed, r.followers = nil, nil
}

// keepFollowers is a row for every other replica. One in the ISR counts as caught up when its row is new: it has
// lagMax from now to show itself.
func (r *replica) keepFollowers(now time.Time) []follower {
	var rows []follower
	for _, id := range r.replicas {
		if id == r.self {
			continue
		}
		if f := r.follower(id); f != nil {
			rows = append(rows, *f)
			continue
		}
		f := follower{id: id, end: -1, logStart: -1}
		if slices.Contains(r.isr, id) {
			f.caughtUp, f.lastFetch = now, now
		}
		rows = append(rows, f)
	}
	return rows
}

func (r *replica) follower(id int32) *follower {
	for i := range r.followers {
		if r.followers[i].id == id {
			return &r.followers[i]
		}
	}
	return nil
}

// flushed takes this replica's own end. It never shrinks on a leader: what a leader has counted stays counted.
func (r *replica) flushed(end int64, now time.Time) {
	if end <= r.end {
		return
	}
	r.end = end
	r.advance(now)
}

// deleted takes this replica's own log start.
func (r *replica) deleted(logStart int64) { r.logStart = max(r.logStart, logStart) }

// lowWatermark is where the log begins on every replica: what is below is deleted for good. -1 while a follower has not
// told.
func (r *replica) lowWatermark() int64 {
	low := r.logStart
	for i := range r.followers {
		low = min(low, r.followers[i].logStart)
	}
	return low
}

// truncated takes the end of a log that was cut on a follower.
func (r *replica) truncated(end int64) {
	if r.role == leading {
		panic("partition: P2: the log of a leader was cut")
	}
	r.end = end
	r.highWatermark = min(r.highWatermark, end)
}

// fetched takes a follower's fetch: it has everything below offset on disk. The answer may carry an ISR that has it in.
// Errors: UnknownLeaderEpoch for a node that holds no replica, as far as this leader knows: it is to try again.
func (r *replica) fetched(id int32, offset, logStart int64, now time.Time) (proposal, error) {
	if r.role != leading {
		return proposal{}, protocol.NotLeaderForPartition
	}
	f := r.follower(id)
	if f == nil {
		return proposal{}, protocol.UnknownLeaderEpoch
	}
	switch {
	case offset >= r.end:
		f.caughtUp = now
	case offset >= f.lastFetchAt && !f.lastFetch.IsZero():
		f.caughtUp = f.lastFetch
	}
	f.end, f.logStart = offset, logStart
	f.lastFetch, f.lastFetchAt = now, r.end
	p := r.grow(f)
	r.advance(now)
	return p, nil
}

// grow asks for an ISR with the follower in it, once that has all that is committed and has reached this epoch: what it
// then lacks, the high watermark waits for.
func (r *replica) grow(f *follower) proposal {
	if r.proposed != nil || slices.Contains(r.isr, f.id) || f.end < r.highWatermark || f.end < r.epochStart {
		return proposal{}
	}
	return r.propose(append(slices.Clone(r.isr), f.id))
}

// tick asks for an ISR without the followers that have lagged for too long.
func (r *replica) tick(now time.Time) proposal {
	if r.role != leading || r.proposed != nil {
		return proposal{}
	}
	kept := slices.DeleteFunc(slices.Clone(r.isr), func(id int32) bool {
		f := r.follower(id)
		return f != nil && !r.inSync(f, now)
	})
	if len(kept) == len(r.isr) {
		return proposal{}
	}
	return r.propose(kept)
}

func (r *replica) propose(isr []int32) proposal {
	r.proposed = isr
	return proposal{isr: isr, epoch: r.epoch, partitionEpoch: r.partitionEpoch}
}

// refusedISR takes the controller's no. A yes comes as an assignment.
func (r *replica) refusedISR(now time.Time) {
	r.proposed = nil
	r.advance(now)
}

// inSync is Kafka's rule: it has everything, or had everything not longer than lagMax ago.
func (r *replica) inSync(f *follower, now time.Time) bool {
	return f.end == r.end || now.Sub(f.caughtUp) <= r.lagMax
}

// advance moves the high watermark to the least end of the replicas that count: those of the ISR and of a proposed one,
// and those that are caught up and would be asked into it next.
func (r *replica) advance(now time.Time) {
	if r.role != leading || r.underMinISR() {
		return
	}
	low := r.end
	for i := range r.followers {
		f := &r.followers[i]
		if r.counts(f.id) || r.inSync(f, now) {
			low = min(low, f.end)
		}
	}
	r.highWatermark = max(r.highWatermark, low)
}

// counts tells whether a replica is in the maximal ISR: the agreed one and the one asked for. A shrink counts only when
// it is agreed, a growth at once.
func (r *replica) counts(id int32) bool {
	return slices.Contains(r.isr, id) || slices.Contains(r.proposed, id)
}

// leaderHW takes the leader's high watermark from a fetch's answer.
func (r *replica) leaderHW(hw int64) {
	if r.role == following {
		r.highWatermark = max(0, min(hw, r.end))
	}
}

// minISR is the least number of in-sync replicas for acks=all: min.insync.replicas, but never more than there are.
func (r *replica) minISR() int { return min(r.minInsync, max(1, len(r.replicas))) }

func (r *replica) underMinISR() bool { return len(r.isr) < r.minISR() }

// recovered tells whether the high watermark has reached this epoch. Before, a leader does not know whether what it calls
// committed is all that its predecessor did.
func (r *replica) recovered() bool { return r.highWatermark >= r.epochStart }

// checkEpoch compares the leader epoch that a client knows, -1 for none, with ours (KIP-320).
func (r *replica) checkEpoch(known int32) error {
	switch {
	case known == -1 || known == r.epoch:
		return nil
	case known < r.epoch:
		return protocol.FencedLeaderEpoch
	}
	return protocol.UnknownLeaderEpoch
}
