package logstore_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// sent is one batch as the model remembers it. Its checksum covers a value that no other batch has.
type sent struct {
	base, last int64
	epoch      int32
	crc        uint32
	pid        int64
	pidEpoch   int16
	firstSeq   int32
	lastSeq    int32
	txn        bool
	marker     *record.EndTxn
	maxMs      int64
}

func (b sent) next() int64 { return b.last + 1 }

// promise is what must be true of one partition after a crash at some moment.
type promise struct {
	// history is every batch that may be in the log, oldest first, without gaps. The log is a run of it.
	history []sent
	// flushed: everything below must be there. Everybody may have seen it.
	flushed int64
	// The log starts within [startMin, startMax].
	startMin, startMax int64
	// forgotten: while the log start moves up to here, the leader epochs below may be gone before it has moved.
	forgotten int64
	// restarting: the log was being given up; any batches of history are left, or none, and it starts anywhere.
	restarting bool
	// mayBeMissing: the partition was made and never flushed. One of another topic id, deleted before, may be there.
	mayBeMissing bool
	topicID      [16]byte
	// also is what crashChecks gave.
	also []func(l *logstore.Log) error
}

func (p promise) String() string {
	var history strings.Builder
	for _, b := range p.history {
		fmt.Fprintf(&history, " %d-%d", b.base, b.last)
		if b.pid >= 0 {
			fmt.Fprintf(&history, "(producer %d.%d", b.pid, b.pidEpoch)
			if b.marker != nil {
				fmt.Fprintf(&history, " commit %t", b.marker.Commit)
			}
			history.WriteString(")")
		}
	}
	return fmt.Sprintf("flushed %d start %d..%d restarting %t mayBeMissing %t:%s", p.flushed, p.startMin, p.startMax, p.restarting, p.mayBeMissing, &history)
}

// pidState is what a log must know of a producer.
type pidState struct {
	epoch    int16
	lastSeq  int32 // of its last batch of data, -1 without one
	txnFirst int64 // -1 without an open transaction
	coord    int32 // epoch of its last marker's coordinator
}

type aborted struct{ pid, first, last int64 }

// replay is the plain truth about producers after all batches below end.
func replay(history []sent, end int64) (pids map[int64]pidState, ended []aborted) {
	pids = map[int64]pidState{}
	for _, b := range history {
		if b.base >= end || b.pid < 0 {
			continue
		}
		p, known := pids[b.pid]
		if !known {
			p = pidState{lastSeq: -1, txnFirst: -1, coord: -1}
		}
		if b.marker != nil {
			if b.pidEpoch > p.epoch || !known {
				p.lastSeq = -1
			}
			if p.txnFirst >= 0 && !b.marker.Commit {
				ended = append(ended, aborted{b.pid, p.txnFirst, b.base})
			}
			p.txnFirst, p.coord = -1, b.marker.CoordinatorEpoch
		} else {
			p.lastSeq = b.lastSeq
			if b.txn && p.txnFirst < 0 {
				p.txnFirst = b.base
			}
		}
		p.epoch = b.pidEpoch
		pids[b.pid] = p
	}
	return pids, ended
}

// verify compares a log that was opened after a crash with what was promised. It returns the batches found.
func (p promise) verify(l *logstore.Log) ([]sent, error) {
	if l == nil {
		if p.mayBeMissing {
			return nil, nil
		}
		return nil, fmt.Errorf("the partition is gone")
	}
	if p.isOlder(l) {
		return nil, nil
	}
	if err := l.Err(); err != nil {
		return nil, fmt.Errorf("offline: %w", err)
	}
	start, end := l.LogStart(), l.End()
	found, err := p.run(l, start, end)
	if err != nil {
		return nil, err
	}
	switch {
	case p.restarting:
	case p.headless(l):
	case start < p.startMin || start > p.startMax:
		return nil, fmt.Errorf("log start %d, want one in [%d, %d]", start, p.startMin, p.startMax)
	case end < p.flushed:
		return nil, fmt.Errorf("lost: the log ends at %d, %d was flushed", end, p.flushed)
	}
	if hw := l.HighWatermark(); hw < start || hw > end {
		return nil, fmt.Errorf("high watermark %d outside of [%d, %d]", hw, start, end)
	}
	if l.Flushed() != end {
		return nil, fmt.Errorf("opened with flushed %d of %d", l.Flushed(), end)
	}
	if p.restarting || p.headless(l) {
		return found, nil
	}
	if err := p.derived(l, found, start, end); err != nil {
		return nil, err
	}
	for _, check := range p.also {
		if err := check(l); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// isOlder tells of a log that was deleted, durably or not, before the one that nothing is promised of yet.
func (p promise) isOlder(l *logstore.Log) bool {
	return p.mayBeMissing && l.TopicID() != p.topicID && l.TopicID() != [16]byte{}
}

// headless: nothing was promised, and of what is left the beginning is missing. What is known of producers then depends
// on what else was left.
func (p promise) headless(l *logstore.Log) bool {
	return p.flushed <= p.startMin && l.LogStart() > p.startMax
}

// run reads the whole log: a run of history that spans [start, end), each batch following the one before.
func (p promise) run(l *logstore.Log, start, end int64) (found []sent, err error) {
	next := int64(-1)
	for batch, err := range l.Batches(start, end) {
		if err != nil {
			return nil, fmt.Errorf("reading: %w", err)
		}
		i, ok := slices.BinarySearchFunc(p.history, batch.BaseOffset(), func(b sent, base int64) int { return int(b.base - base) })
		if !ok || p.history[i].crc != batch.CRC() || p.history[i].epoch != batch.LeaderEpoch() {
			return nil, fmt.Errorf("invented: batch at %d of epoch %d, crc %08x", batch.BaseOffset(), batch.LeaderEpoch(), batch.CRC())
		}
		follows := batch.BaseOffset() == next || next < 0 && batch.BaseOffset() <= start
		if batch.LastOffset() < start || batch.BaseOffset() < next || !follows && !p.restarting {
			return nil, fmt.Errorf("batch at %d follows %d in a log from %d", batch.BaseOffset(), next, start)
		}
		next = batch.NextOffset()
		found = append(found, p.history[i])
	}
	if len(found) > 0 && next != end || len(found) == 0 && start != end && !p.restarting {
		return nil, fmt.Errorf("log of [%d, %d) has batches up to %d", start, end, next)
	}
	return found, nil
}

// derived checks what the log knows beside its batches. What it knew of producers from batches that were deleted may be
// lost with them, from the oldest on.
func (p promise) derived(l *logstore.Log, found []sent, start, end int64) error {
	deleted := slices.IndexFunc(p.history, func(b sent) bool { return b.last >= start })
	if deleted < 0 {
		deleted = len(p.history)
	}
	stable := end
	got := map[int64]bool{}
	for _, g := range l.ActiveProducers() {
		got[g.ProducerID] = true
		state := pidState{g.Epoch, g.LastSequence, g.TxnFirstOffset, g.CoordinatorEpoch}
		known := false
		for from := range deleted + 1 {
			pids, _ := replay(p.history[from:], end)
			want, ok := pids[g.ProducerID]
			known = known || ok && want == state
		}
		if !known {
			pids, _ := replay(p.history, end)
			return fmt.Errorf("producer %+v, want %+v", g, pids[g.ProducerID])
		}
		if g.TxnFirstOffset >= 0 {
			stable = min(stable, g.TxnFirstOffset)
		}
	}
	for i, b := range found {
		if b.pid >= 0 && !got[b.pid] {
			return fmt.Errorf("producer %d, with a batch at %d, is not known", b.pid, b.base)
		}
		if got := l.EpochAt(max(b.base, start)); got != b.epoch && (got != -1 || b.base >= p.forgotten) {
			return fmt.Errorf("epoch of offset %d is %d, want %d", max(b.base, start), got, b.epoch)
		}
		if i == len(found)-1 && l.LatestEpoch() != b.epoch {
			return fmt.Errorf("latest epoch %d, want %d", l.LatestEpoch(), b.epoch)
		}
	}
	l.SetHighWatermark(end)
	if got := l.LastStableOffset(); max(got, start) != max(stable, start) {
		return fmt.Errorf("last stable offset %d, want %d", got, stable)
	}
	return p.transactions(l, start, end)
}

func (p promise) transactions(l *logstore.Log, start, end int64) error {
	_, abortedTxns := replay(p.history, end)
	txns, err := l.AbortedTransactions(start, end)
	if err != nil {
		return err
	}
	for _, want := range abortedTxns {
		if want.first < start { // or in part
			continue
		}
		if !slices.ContainsFunc(txns, func(t logstore.AbortedTxn) bool {
			return t.ProducerID == want.pid && t.FirstOffset == want.first && t.LastOffset == want.last
		}) {
			return fmt.Errorf("aborted transaction %+v is not among %+v", want, txns)
		}
	}
	for _, t := range txns {
		if !slices.ContainsFunc(abortedTxns, func(a aborted) bool {
			beganAt := t.FirstOffset == a.first || a.first < start && t.FirstOffset > a.first
			return t.ProducerID == a.pid && t.LastOffset == a.last && beganAt
		}) {
			return fmt.Errorf("invented: aborted transaction %+v", t)
		}
	}
	return nil
}

// lookups compares searches by offset and by time with brute force.
func lookups(l *logstore.Log, found []sent, r *rand.Rand) error {
	if len(found) == 0 {
		return nil
	}
	start, end := l.LogStart(), l.End()
	for range 3 {
		offset := start + r.Int64N(end-start)
		s, err := l.Read(offset, 1, end, true)
		if err != nil {
			return fmt.Errorf("reading at %d: %w", offset, err)
		}
		i := slices.IndexFunc(found, func(b sent) bool { return b.last >= offset })
		first, next := s.FirstOffset, s.NextOffset
		s.Release()
		if first != found[i].base || next != found[i].next() {
			return fmt.Errorf("reading at %d gives [%d, %d), want [%d, %d)", offset, first, next, found[i].base, found[i].next())
		}
	}
	newest := int64(math.MinInt64)
	for _, b := range found {
		newest = max(newest, b.maxMs)
	}
	// The newest record may lie below the log start, in the first batch.
	if _, ms, _, ok, err := l.MaxTimestamp(end); err != nil || !ok || ms > newest {
		return fmt.Errorf("newest timestamp %d (%t, %v), want %d at most", ms, ok, err, newest)
	}
	if _, _, _, ok, err := l.OffsetForTimestamp(newest+1, end); err != nil || ok {
		return fmt.Errorf("a record newer than the newest, %v", err)
	}
	return nil
}

// carriesOn appends what clients would send next, and what they may not.
func carriesOn(l *logstore.Log) error {
	for _, p := range l.ActiveProducers() {
		pid, o := p.ProducerID, record.NewOptions()
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = pid, p.Epoch, record.AddSequence(p.LastSequence, 1)
		o.Transactional = p.TxnFirstOffset >= 0
		b := record.NewBuilder(o)
		b.Add(1, nil, []byte("next"))
		if _, err := l.Append(b.Batch(), logstore.AppendOptions{LeaderEpoch: 1000}); err != nil {
			return fmt.Errorf("producer %d cannot go on at sequence %d: %w", pid, o.BaseSequence, err)
		}
		o.BaseSequence += 5
		b = record.NewBuilder(o)
		b.Add(1, nil, []byte("gap"))
		if _, err := l.Append(b.Batch(), logstore.AppendOptions{LeaderEpoch: 1000}); protocol.CodeOf(err) != protocol.OutOfOrderSequenceNumber {
			return fmt.Errorf("producer %d may leave a gap: %v", pid, err)
		}
	}
	b := record.NewBuilder(record.NewOptions())
	b.Add(1, nil, []byte("more"))
	if _, err := l.Append(b.Batch(), logstore.AppendOptions{LeaderEpoch: 1000}); err != nil {
		return fmt.Errorf("nothing can be appended: %w", err)
	}
	return l.Flush()
}
