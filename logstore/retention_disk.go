package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// log.retention.disk.percent: a file system that is fuller gives up the oldest segments of all topics that are only
// deleted, not compacted, and not the cluster's own, until it is not. An active segment stays, and everything from the
// high watermark on.

// givable is a segment that may be given up.
type givable struct {
	log   int // which one; a log's segments follow each other
	next  int64
	bytes int64
	// newest is the largest timestamp in it, or in an older segment of the log: that one goes first.
	newest int64
}

// oldestOf chooses segments, by age, until so many bytes are given up. It says how many of each log, and the bytes.
func oldestOf(all []givable, excess int64) (counts map[int]int, bytes int64) {
	byAge := slices.Clone(all)
	slices.SortFunc(byAge, func(a, b givable) int {
		return cmp.Or(cmp.Compare(a.newest, b.newest), cmp.Compare(a.log, b.log), cmp.Compare(a.next, b.next))
	})
	counts = map[int]int{}
	for _, s := range byAge {
		if bytes >= excess {
			break
		}
		counts[s.log]++
		bytes += s.bytes
	}
	return counts, bytes
}

// retainShare does what log.retention.disk.percent asks for.
func (s *Store) retainShare() error {
	limits, excess, err := s.space.excess()
	if excess > 0 {
		s.removals.hurry() // perhaps that is enough
		limits, excess, err = s.space.excess()
	}
	if err != nil || excess == 0 {
		return err
	}
	logs := s.each()
	var all []givable
	first := map[int]int{} // of each log in all
	for i, l := range logs {
		segments, err := l.givables(i)
		if err != nil {
			return err
		}
		first[i] = len(all)
		all = append(all, segments...)
	}
	why := fmt.Sprintf("log.retention.disk.percent=%d: %d bytes too many are in use", limits.UsedPercent, excess)
	counts, _ := oldestOf(all, excess)
	var errs []error
	for i, n := range counts {
		config := logs[i].configuration()
		config.FileDeleteDelayMs = 0
		errs = append(errs, logs[i].giveUpOldest(n, all[first[i]+n-1].next, why, config))
	}
	return errors.Join(errs...)
}

// givables are the log's segments that may be given up for space.
func (l *Log) givables(number int) (out []givable, err error) {
	c := l.configuration()
	if l.Err() != nil || !c.Delete || c.Compact || c.Internal {
		return nil, nil
	}
	newest := int64(0)
	for _, s := range l.oldSegments() {
		if s.active || s.next > l.highWatermark.Load() {
			break
		}
		at, err := l.newestTime(s)
		if err != nil {
			return nil, l.storageError(err)
		}
		newest = max(newest, at)
		out = append(out, givable{number, s.next, s.bytes, newest})
	}
	return out, nil
}
