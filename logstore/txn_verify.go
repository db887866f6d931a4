package logstore

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
)

// A transaction index has no checksum, and what it says is not in the batches beside it: a flipped bit would show aborted
// records, or hide committed ones. So its entries are held against the batches once, at the first use since the start, and
// against their sum from then on.

// txnSum is what is known of a segment's transaction index: the checksum of its first so many entries. Guarded by Log.mu.
type txnSum struct {
	entries int
	sum     uint32
}

// add goes on with an entry that this process has written behind all others.
func (s *txnSum) add(before int, t AbortedTxn) {
	if s.entries == before {
		s.entries, s.sum = before+1, crc32.Update(s.sum, castagnoli, t.encode())
	}
}

func sumOf(entries []AbortedTxn) (s txnSum) {
	for i, t := range entries {
		s.add(i, t)
	}
	return s
}

// verifyTxns tells whether the entries of v are what the batches say: errTxnIndex if they are not.
func (l *Log) verifyTxns(v txnView, entries []AbortedTxn) error {
	sum := sumOf(entries)
	if sum == v.sum {
		return nil
	}
	replayed, err := l.replayTxns(v.seg)
	switch {
	case errors.Is(err, errGone):
		return nil // nobody will be told
	case isDamage(err) || v.seg.base < l.store.checkpoints.firstDirty(l):
		// What the transactions began with may be gone. The markers are there.
		err = l.checkMarkers(v.seg, entries)
	case err == nil && (len(replayed) < len(entries) || !slices.Equal(entries, replayed[:len(entries)])):
		err = fmt.Errorf("%w: %s: it is not what the batches say", errTxnIndex, v.seg.path(txnIndexExt))
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.seg.txns == sum.entries && l.cuts == v.cuts {
		v.seg.txnSum = sum
	}
	return nil
}

// replayTxns is what the segment's transaction index should say, by replaying the producers up to it and through it.
func (l *Log) replayTxns(s *segment) (entries []AbortedTxn, err error) {
	l.mu.Lock()
	first := l.segments[0].base
	l.mu.Unlock()
	state, txns, err := l.loadSnapshot(first, s.base)
	if err != nil {
		return nil, err
	}
	from := state.end
	type part struct {
		seg  *segment
		size int64
	}
	var parts []part
	l.mu.Lock()
	for _, walked := range l.segments[max(l.segmentAt(from), 0):] {
		if walked.base <= s.base {
			parts = append(parts, part{walked, walked.size})
		}
	}
	l.mu.Unlock()
	for _, p := range parts {
		if err := l.walk(p.seg, 0, p.size, func(h header) error {
			if h.v2 == nil || h.last < from {
				return nil
			}
			ended, isEnd, err := replayBatch(p.seg.handle.file, h, state, txns) // held by walk
			if isEnd && ended.aborted && p.seg == s {
				entries = append(entries, ended.AbortedTxn)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// checkMarkers looks for the marker that each entry names.
func (l *Log) checkMarkers(s *segment, entries []AbortedTxn) error {
	file, err := s.handle.acquire()
	if err != nil {
		return err
	}
	defer s.handle.release()
	for _, t := range entries {
		h, scan, err := l.findAt(span{seg: s, size: s.size, next: math.MaxInt64}, file, t.LastOffset)
		if errors.Is(err, io.EOF) {
			continue // compaction has removed it, with all that it ended
		}
		if err != nil {
			return err
		}
		stands := h.base <= t.LastOffset
		good := stands && h.v2 != nil && h.v2.IsControl() && h.v2.ProducerID() == t.ProducerID
		if good {
			var m marker
			b, err := readBatch(file, h, nil)
			if err == nil {
				m, err = parseMarker(b)
			}
			good = err == nil && m.kind != markerCommit
		}
		scan.done()
		if stands && !good {
			return fmt.Errorf("%w: %s: the batch at offset %d is no marker that aborts a transaction of producer %d", errTxnIndex, s.path(txnIndexExt), t.LastOffset, t.ProducerID)
		}
	}
	return nil
}
