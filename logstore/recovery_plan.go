package logstore

import "fmt"

// plan is what recovery does with a partition's directory.
type plan struct {
	// offline: the log is not to be used, and nothing of it is touched.
	offline error
	// restart: nothing of the log may be read any more; it begins again, empty, at start.
	restart bool
	// keep is how many segments stay; of the last of them so many bytes. What lies beyond was never promised.
	keep      int
	keepBytes int64
	cut       int64 // bytes that go
	why       string

	start, end int64
}

// decide is the table of facts and decisions; the first row that fits holds. It knows nothing but the facts.
//
//	a compaction was interrupted                        offline: Kafka, which began it, can finish it
//	partition.metadata cannot be read, records promised offline (else a crash came before it was durable)
//	bad bytes below the recovery point                  offline
//	no segment, or all records are below the log start  restart at the log start
//	the log ends below the recovery point               offline: records that were promised are missing
//	bad bytes above the recovery point                  cut: a crash tore what was not promised
//	otherwise                                           keep everything
func decide(f facts) plan {
	n := len(f.segments)
	p := plan{keep: n, start: max(f.logStart, 0)}
	bad := -1
	for i, s := range f.segments {
		if s.bad != nil {
			bad = i
		}
	}
	last := n - 1
	if bad >= 0 {
		last = bad
	}
	if n > 0 {
		p.start = max(p.start, f.segments[0].base)
		p.end = f.segments[last].next
	}
	hasRecords := n > 0 && (f.segments[0].bytes > 0 || n > 1)
	switch {
	case len(f.swaps) > 0:
		p.offline = fmt.Errorf("%s/%s: a compaction was interrupted: start Apache Kafka on the directory once to finish it, or delete the partition", f.dir, f.swaps[0])
	case f.topicIDErr != nil && hasRecords && f.point > 0:
		p.offline = fmt.Errorf("%s/%s cannot be read: %w: restore it (version: 0, topic_id: the topic's id), or delete the partition", f.dir, partitionName, f.topicIDErr)
	case bad >= 0 && f.segments[bad].badBelow:
		p.offline = damaged(f, bad)
	case (n == 0 || p.end < p.start) && f.point <= p.start:
		p.restart, p.keep, p.end = true, 0, p.start
	case p.end < f.point:
		p.offline = fmt.Errorf("%s ends at offset %d, but was durable up to %d: files are missing or were cut; nothing was changed; restore them from a replica or a backup, or delete the partition", f.dir, p.end, f.point)
	case bad >= 0:
		p.cutAt(f, bad)
	default:
		p.keepBytes = f.segments[last].bytes
	}
	return p
}

func damaged(f facts, bad int) error {
	s := f.segments[bad]
	return fmt.Errorf("%s is damaged at byte %d, about offset %d, which had been made durable: %w: the bytes are kept; restore the file from a replica or a backup, or delete the partition",
		join(f.dir, segmentName(s.base, logExt)), s.seg.size, s.badOffset, s.bad)
}

func (p *plan) cutAt(f facts, bad int) {
	s := f.segments[bad]
	p.keep, p.keepBytes = bad+1, s.seg.size
	p.cut = s.bytes - s.seg.size
	for _, later := range f.segments[bad+1:] {
		p.cut += later.bytes
	}
	p.why = fmt.Sprintf("a crash left an unfinished tail: %s, byte %d: %v", segmentName(s.base, logExt), s.seg.size, s.bad)
}
