package compact

import "math"

// Facts are what a log's cleanability depends on.
type Facts struct {
	Checkpoint int64 // first dirty offset, as the cleaner checkpoint has it; -1 if it has none
	LogStart   int64
	LogEnd     int64
	Stable     int64     // nothing at or above may be touched: last stable offset, high watermark, what is flushed
	Segments   []Segment // sealed ones, ascending
	Active     int64     // base of the active segment
	NowMs      int64

	MinCleanableRatio  float64 // min.cleanable.dirty.ratio
	MinCompactionLagMs int64   // min.compaction.lag.ms
	MaxCompactionLagMs int64   // max.compaction.lag.ms
}

// Work is what could be done on a log: a round over the dirty offsets [From, To).
type Work struct {
	From, To               int64
	CleanBytes, DirtyBytes int64 // below From, and of segments that hold [From, To)
	Overdue                bool  // a record waits for longer than max.compaction.lag.ms
	Due                    bool  // the round is to be made now
	// Waiting: there are sealed segments with dirty offsets, whether or not a round may be made of them.
	Waiting bool
}

// Ratio is the dirty share of the log's bytes.
func (w Work) Ratio() float64 {
	if w.DirtyBytes == 0 {
		return 0
	}
	return float64(w.DirtyBytes) / float64(w.CleanBytes+w.DirtyBytes)
}

// Before tells whether w is more urgent than other.
func (w Work) Before(other Work) bool {
	if w.Overdue != other.Overdue {
		return w.Overdue
	}
	return w.Ratio() > other.Ratio()
}

// Assess finds out what could be done on a log.
//
// Source: LogCleanerManager.cleanableOffsets, calculateCleanableBytes, maxCompactionDelay, grabFilthiestCompactedLog.
func Assess(f Facts) (w Work) {
	w.From = f.Checkpoint
	if w.From < f.LogStart || w.From > f.LogEnd {
		w.From = f.LogStart // records were deleted, or a log of the same name ended further on
	}
	limit := min(f.Stable, f.Active)
	first := int64(math.MaxInt64)
	for _, s := range f.Segments {
		if s.Next <= w.From {
			continue
		}
		w.Waiting = true
		if f.MinCompactionLagMs > 0 && s.NewestTimestamp > f.NowMs-f.MinCompactionLagMs {
			limit = min(limit, s.Base)
		}
		if s.FirstTimestamp > 0 {
			first = min(first, s.FirstTimestamp)
		}
	}
	limit = max(limit, w.From)
	w.To = w.From
	for _, s := range f.Segments {
		switch {
		case s.Next <= f.LogStart: // retention has it
		case s.Next > limit: // a segment is touched as a whole, or not
		case s.Next > w.From:
			w.To = s.Next
			w.DirtyBytes += s.Bytes
		default:
			w.CleanBytes += s.Bytes
		}
	}
	w.Overdue = f.MaxCompactionLagMs < math.MaxInt64 && first < f.NowMs-max(f.MaxCompactionLagMs, 0) && w.DirtyBytes > 0
	w.Due = w.Overdue || w.Ratio() > f.MinCleanableRatio
	return w
}
