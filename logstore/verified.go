package logstore

import (
	"slices"

	"github.com/ottla/ottla/logstore/mutant"
)

// No batch is shown before this process has looked at it as a whole, whoever wrote it: also what was appended a moment
// ago is read back once. After that, readers get its place in the file and the kernel sends it: what goes wrong later is
// for the client's own checksum to find, or for the scrub.

// verified is what of a segment's file has been looked at: spans of whole batches, ascending and apart from each other.
// Guarded by Log.mu.
type verified struct {
	spans []verifiedSpan
}

// verifiedSpan is the positions [from, to); next is the offset after those in it.
type verifiedSpan struct{ from, to, next int64 }

// maxVerifiedSpans bounds what is remembered of a segment that is read here and there. What is forgotten is looked at
// again.
const maxVerifiedSpans = 16

// reach is how far all has been looked at from a position on, and the offset that comes there; the position itself and
// -1 if nothing has been before it or at it.
func (v *verified) reach(position int64) (to, next int64) {
	for _, s := range v.spans {
		if s.from <= position && position <= s.to {
			return s.to, s.next
		}
	}
	return position, -1
}

// note adds a span, which may touch others.
func (v *verified) note(n verifiedSpan) {
	i := 0
	for i < len(v.spans) && v.spans[i].to < n.from {
		i++
	}
	j := i
	for ; j < len(v.spans) && v.spans[j].from <= n.to; j++ {
		s := v.spans[j]
		n.from = min(n.from, s.from)
		if s.to > n.to {
			n.to, n.next = s.to, s.next
		}
	}
	if i < j {
		v.spans[i] = n
		v.spans = slices.Delete(v.spans, i+1, j)
		return
	}
	if v.spans = slices.Insert(v.spans, i, n); len(v.spans) <= maxVerifiedSpans {
		return
	}
	least := 0
	for k, s := range v.spans {
		if k != i && (least == i || s.to-s.from < v.spans[least].to-v.spans[least].from) {
			least = k
		}
	}
	v.spans = slices.Delete(v.spans, least, least+1)
}

// cut forgets what lies at or above a position, where the offset end comes now.
func (v *verified) cut(position, end int64) {
	for n := len(v.spans); n > 0 && v.spans[n-1].to > position; n-- {
		if s := &v.spans[n-1]; s.from < position {
			s.to, s.next = position, end
			return
		}
		v.spans = v.spans[:n-1]
	}
}

// verify looks at what of [start, end) nobody has looked at yet, with the scanner that stands behind the batch at start,
// and returns how far all is good, and the offset that comes there. There is an error only if the first batch is not. No
// lock is held over the reading: two readers who come at once may both do it.
func (l *Log) verify(v span, scan *scanner, start, end, next int64) (goodEnd, goodNext int64, err error) {
	l.mu.Lock()
	from, after := v.seg.verified.reach(start)
	if from >= end || mutant.Is(mutant.SkipFirstFetch) {
		l.mu.Unlock()
		return end, next, nil
	}
	c := &scan.chain
	if after >= 0 {
		*c = newChain(v.seg.base, v.next, nil)
		c.next = after
	}
	scan.epochs = l.epochs.between(scan.epochs[:0], c.next, v.next)
	c.epochs = scan.epochs
	l.mu.Unlock()

	goodEnd, goodNext = from, after
	scan.next, scan.reach = from, len(scan.buffer)
	for scan.next < end {
		h, err := scan.peek()
		if err == nil && h.end() > end {
			break // an index took a place inside a batch for the end of one
		}
		if err == nil {
			err = scan.checkCRC(&h)
		}
		if err == nil {
			err = scan.follow(c, &h)
		}
		if err == nil {
			goodEnd, goodNext = scan.next, c.next
			continue
		}
		if goodEnd == start {
			return start, next, l.storageError(l.damageAt(v.seg, scan.next, c.next, err))
		}
		break // the next reader comes upon it
	}
	if goodEnd == from {
		return goodEnd, goodNext, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cuts != v.cuts {
		return start, next, errMoved // what was looked at may have been cut meanwhile
	}
	v.seg.verified.note(verifiedSpan{from, goodEnd, goodNext})
	return goodEnd, goodNext, nil
}

// between appends the entries for offsets in [from, upTo).
func (e *leaderEpochs) between(to []epochEntry, from, upTo int64) []epochEntry {
	for _, entry := range e.entries[max(e.indexOf(from), 0):] {
		if entry.start >= upTo {
			break
		}
		to = append(to, entry)
	}
	return to
}
