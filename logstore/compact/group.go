package compact

import "math"

// Segment is what is to be known of a segment that may be compacted. The indexes' sizes are bounds.
type Segment struct {
	Base, Next                 int64 // it holds offsets in [Base, Next)
	Bytes                      int64
	IndexBytes, TimeIndexBytes int64
	FirstTimestamp             int64 // of its first batch, in ms; -1 if there is none. Only for max.compaction.lag.ms
	NewestTimestamp            int64 // only for min.compaction.lag.ms
}

// Groups divides segments, which follow each other, into runs that become one segment each: not larger than
// segment.bytes and segment.index.bytes, with offsets that an index entry can name. A run is [from, to) of segments.
//
// Source: Cleaner.groupSegmentsBySize.
func Groups(segments []Segment, maxBytes, maxIndexBytes int64) (runs [][2]int) {
	for from := 0; from < len(segments); {
		sum := segments[from]
		to := from + 1
		for ; to < len(segments); to++ {
			s := segments[to]
			if sum.Bytes+s.Bytes > maxBytes || sum.IndexBytes+s.IndexBytes > maxIndexBytes ||
				sum.TimeIndexBytes+s.TimeIndexBytes > maxIndexBytes || s.Next-1-sum.Base > math.MaxInt32 {
				break
			}
			sum.Bytes += s.Bytes
			sum.IndexBytes += s.IndexBytes
			sum.TimeIndexBytes += s.TimeIndexBytes
		}
		runs = append(runs, [2]int{from, to})
		from = to
	}
	return runs
}
