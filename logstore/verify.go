package logstore

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/protocol/record"
)

// What a good batch is, is said here and nowhere else: recovery, compaction, the scrub, doctor and the first fetch all
// ask a verifier. Its checksum is right, and what the checksum does not cover agrees with what stands around it: base
// offset, length, magic and leader epoch.
//
// Offsets ascend. They may leave holes: compaction makes them, and followers of a compacted log have them too, where no
// checkpoint of theirs tells of it. So a base offset is known to be wrong by overlapping a neighbour. Where nothing was
// compacted, neighbours leave no room, and each wrong one does; only the last batch of a log has room above it.

// chain is how the batches of a segment follow each other. It decides by headers alone.
type chain struct {
	next  int64 // no offset of the next batch is smaller
	below int64 // ... and none is this large: the next segment's base, or the log's end
	base  int64 // the segment's: an index must be able to name every offset
	epoch int32 // of the last batch that had one, -1 for none
	// unanchored: what stands before the next batch was not looked at.
	unanchored bool
	// epochs is what the leader-epoch checkpoint says, as far as it is to be believed.
	epochs []epochEntry
}

// newChain is for a segment's first batch. Above below there is nothing: math.MaxInt64 where that is not known.
func newChain(base, below int64, epochs []epochEntry) chain {
	return chain{next: base, below: below, base: base, epoch: record.NoLeaderEpoch, epochs: epochs}
}

// fault is why a batch cannot stand where the chain has come to, nil if it can.
func (c *chain) fault(h *header) error {
	if err := c.disorder(h); err != nil || h.v2 == nil { // older formats have no epoch
		return err
	}
	known := c.epochAt(h.last)
	switch {
	case mutant.Is(mutant.SkipContinuity), known == h.leaderEpoch:
		return nil
	case known >= 0:
		return fmt.Errorf("%w: leader epoch %d, where %s says %d", record.ErrCorrupt, h.leaderEpoch, epochsName, known)
	case h.leaderEpoch < c.epoch:
		return fmt.Errorf("%w: leader epoch %d after %d", record.ErrCorrupt, h.leaderEpoch, c.epoch)
	}
	return nil
}

// disorder is fault, by offsets alone.
func (c *chain) disorder(h *header) error {
	switch {
	case mutant.Is(mutant.SkipContinuity):
		return nil
	case h.base < c.next && !c.unanchored:
		return fmt.Errorf("%w: offset %d does not follow %d", record.ErrCorrupt, h.base, c.next-1)
	case h.base < c.base || h.last-c.base > math.MaxInt32:
		return fmt.Errorf("%w: offsets %d to %d in a segment that begins at %d", record.ErrCorrupt, h.base, h.last, c.base)
	case h.last >= c.below:
		return fmt.Errorf("%w: offsets up to %d, where the segment ends before %d", record.ErrCorrupt, h.last, c.below)
	}
	return nil
}

// epochAt is what the checkpoint says of an offset, -1 if nothing. Offsets ascend from call to call.
func (c *chain) epochAt(offset int64) int32 {
	for len(c.epochs) > 1 && c.epochs[1].start <= offset {
		c.epoch = max(c.epoch, c.epochs[0].epoch)
		c.epochs = c.epochs[1:]
	}
	if len(c.epochs) == 0 || c.epochs[0].start > offset {
		return record.NoLeaderEpoch
	}
	return c.epochs[0].epoch
}

// unsure tells whether a good-looking batch may have been moved up, by offset or by epoch: only the one after it can tell.
func (c *chain) unsure(h *header) bool {
	return c.unanchored || h.base > c.next || h.v2 != nil && h.leaderEpoch > c.epoch && c.epochAt(h.last) < 0
}

// outlier is fault for a batch of which chain is unsure, by what stands after it.
func (c *chain) outlier(h, after *header) error {
	switch {
	case mutant.Is(mutant.SkipContinuity):
		return nil
	case after.base <= h.last && (c.unanchored || h.base > c.next) && after.base > c.lowest()+h.last-h.base:
		return fmt.Errorf("%w: offsets %d to %d, where the next batch begins at %d", record.ErrCorrupt, h.base, h.last, after.base)
	case h.v2 != nil && after.v2 != nil && after.leaderEpoch < h.leaderEpoch && after.leaderEpoch >= c.epoch && c.epochAt(h.last) < 0:
		return fmt.Errorf("%w: leader epoch %d between %d and %d", record.ErrCorrupt, h.leaderEpoch, c.epoch, after.leaderEpoch)
	}
	return nil
}

// lowest is the offset that the next batch may begin with at least: where it ends tells where the one after it may.
func (c *chain) lowest() int64 {
	if c.unanchored {
		return c.base
	}
	return c.next
}

// take goes on behind a batch.
func (c *chain) take(h *header) {
	c.next, c.unanchored = h.last+1, false
	if h.v2 != nil {
		c.epoch = h.leaderEpoch
	}
}

// verifier walks over the batches of a segment and stops at the first that is not good.
type verifier struct {
	scan  *scanner
	chain chain
}

// newSegmentVerifier begins at position, where the chain has come to; the segment ends at size. Give it back with done.
func newSegmentVerifier(file io.ReaderAt, position, size int64, c chain) verifier {
	return verifier{newVerifier(file, position, size), c}
}

func (v *verifier) done() { v.scan.done() }

// batch is the next good batch, io.EOF after the last. isDamage tells damage, at v.scan.next, from a disk that does not
// answer.
func (v *verifier) batch() (header, error) {
	h, err := v.scan.peek()
	if err == nil {
		err = v.scan.checkCRC(&h)
	}
	if err == nil {
		err = v.scan.follow(&v.chain, &h)
	}
	return h, err
}

// follow moves the scanner and the chain behind the batch at next, unless it cannot stand there.
func (s *scanner) follow(c *chain, h *header) error {
	if err := c.fault(h); err != nil {
		return err
	}
	if c.unsure(h) {
		after, ok, err := s.ahead(h)
		if err == nil && ok {
			err = c.outlier(h, &after)
		}
		if err != nil {
			return err
		}
	}
	c.take(h)
	s.next = h.end()
	return nil
}

// ahead is the header behind the batch h, if a batch with a good checksum stands there: what a crash has left there may
// not speak against h.
func (s *scanner) ahead(h *header) (after header, ok bool, err error) {
	if h.end() >= s.limit {
		return after, false, nil
	}
	var own [record.HeaderBytes]byte
	copy(own[:], h.v2) // the window will move
	at := s.next
	s.next = h.end()
	if after, err = s.peek(); err == nil {
		err = s.checkCRC(&after)
	}
	s.next = at
	if h.v2 != nil {
		copy(s.head[:], own[:])
		h.v2 = s.head[:]
	}
	if isDamage(err) {
		return after, false, nil
	}
	return after, err == nil, err
}

// isDamage tells bytes that are not a batch from a disk that does not answer.
func isDamage(err error) bool {
	return errors.Is(err, record.ErrCorrupt) || errors.Is(err, io.ErrUnexpectedEOF)
}
