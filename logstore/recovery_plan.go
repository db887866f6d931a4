package logstore

import (
	"fmt"
	"strings"

	"github.com/ottla/ottla/logstore/mutant"
)

// plan is what recovery does with a partition's directory.
type plan struct {
	row *row // of logTable
	// offline: the log is not to be used, and nothing of it is touched.
	offline error
	// keep is how many segments stay; of the last of them so many bytes. What lies beyond was never promised.
	keep      int
	keepBytes int64
	cut       int64 // bytes that go
	why       string

	start, end int64
	files      []filePlan // but for the segments themselves
}

// decide is the tables, applied. It knows nothing but the facts.
func decide(f facts) (p plan) {
	p.keep, p.start = len(f.segments), max(f.logStart, 0)
	bad := f.firstBad()
	if n := len(f.segments); n > 0 {
		last := &f.segments[n-1]
		if bad != nil {
			last = bad
		}
		p.start = max(p.start, f.segments[0].base)
		p.end, p.keepBytes = last.next, last.bytes
	}
	p.decideLog(f, bad)
	p.decideFiles(f)
	p.decideSegmentFiles(f)
	p.decideSnapshots(f)
	for _, file := range p.files {
		if file.row.do == doOffline && p.offline == nil {
			p.offline = f.takenOffline(file)
		}
	}
	return p
}

// file is what is done with the file of that name, which is there or has a row for not being there.
func (p *plan) file(name string) filePlan {
	for _, f := range p.files {
		if f.name == name {
			return f
		}
	}
	panic("logstore: nothing was decided about " + name)
}

// firstBad is the segment behind whose good batches something is wrong.
func (f *facts) firstBad() *segmentFacts {
	for i := range f.segments {
		if f.segments[i].bad != nil {
			return &f.segments[i]
		}
	}
	return nil
}

// batches is logTable's first fact.
func (f *facts) batches(bad *segmentFacts) string {
	switch {
	case bad == nil && len(f.segments) == 0 && f.hadRecords():
		return isMissing
	case bad == nil && len(f.gaps) > 0:
		return isGap
	case bad == nil:
		return isWhole
	case mutant.Is(mutant.CutPromised):
		return isTorn
	case bad.badHole && (bad.badBelow || bad.compacted):
		return isMissing // what compaction left is no lost tail: an Apache Kafka may have been killed before it told of it
	case bad.badBelow:
		return isDamaged
	case bad.goodAfter:
		return isDoubtful
	case bad.badHole:
		return isHole
	}
	return isTorn
}

// hadRecords: of a log without any segment, what else is there tells that it had some, and no crash took them.
func (f *facts) hadRecords() bool {
	return f.clean || f.noPoints && (len(f.snapshots) > 0 || len(f.epochs.entries) > 0 || len(f.orphans) > 0)
}

func (p *plan) decideLog(f facts, bad *segmentFacts) {
	holds, reach := holdsRecords, p.end
	if len(f.segments) == 0 || p.end < p.start {
		holds, reach = holdsNothing, p.start
	}
	kept := max(f.point, f.syncFailed.synced) <= reach
	if f.clean && len(f.segments) > 0 && p.end < p.start {
		kept = false // a log start beyond the end, after a clean close, is not the log's own
	}
	promise := choose(kept || mutant.Is(mutant.CutPromised), promiseKept, promiseBroken)
	switch {
	case f.clean && f.point >= 0 && promise == promiseKept && holds == holdsRecords && f.point < p.end:
		promise = promisePassed
	case f.point <= 0 && !f.noPoints && promise == promiseKept:
		promise = promiseNone
	}
	p.row = logTable.find(f.batches(bad), holds, promise)
	switch p.row.label {
	case "gap":
		p.why = strings.Join(f.gaps, "; ")
	case "end-moved":
		p.why = fmt.Sprintf("%s ends at offset %d, and was closed cleanly at %d", f.dir, p.end, f.point)
	}
	switch p.row.do {
	case doRestart:
		p.keep, p.keepBytes, p.end = 0, 0, p.start
	case doCut:
		p.cutAt(f, bad)
	case doOffline:
		p.offline = f.logOffline(p, bad)
	}
}

func (p *plan) cutAt(f facts, bad *segmentFacts) {
	p.keepBytes = bad.seg.size
	p.cut = bad.bytes - p.keepBytes
	for i := range f.segments {
		if f.segments[i].base > bad.base {
			p.cut += f.segments[i].bytes
		} else {
			p.keep = i + 1
		}
	}
	p.why = fmt.Sprintf("%s: a crash left an unfinished tail: %s, byte %d: %v", p.row.label, segmentName(bad.base, logExt), p.keepBytes, bad.bad)
}

// decideFiles is about the log's small files and other names.
func (p *plan) decideFiles(f facts) {
	add := func(name string, is fileFacts, r *row) { p.files = append(p.files, filePlan{name, r, is.err}) }
	hasRecords := len(f.segments) > 0 && (f.segments[0].bytes > 0 || len(f.segments) > 1)
	promised := hasRecords && (f.point > 0 || f.clean)
	add(partitionName, f.topicIDIs, partitionTable.find(f.topicIDIs.is, choose(promised, isPromised, isNotPromised)))
	needed := hasRecords && p.row.do != doRestart && p.start < min(f.verifiedFrom(), p.end)
	add(epochsName, f.epochsIs, epochsTable.find(f.epochsIs.is, choose(needed, isNeeded, isNotNeeded)))
	add(syncFailedName, f.syncFailed.fileFacts, syncFailedTable.find(f.syncFailed.is))
	for _, n := range f.names {
		add(n.name, fileFacts{}, namesTable.find(n.is))
	}
}

// decideSegmentFiles is about the indexes.
func (p *plan) decideSegmentFiles(f facts) {
	for i, sf := range f.segments {
		where := segBelow
		switch {
		case i >= p.keep:
			where = segGivenUp
		case i == p.keep-1:
			where = segLast
		case sf.looked:
			where = segSealed
		}
		p.files = append(p.files, filePlan{
			name: segmentName(sf.base, indexExt),
			row:  indexTable.find(where, choose(sf.indexesDiffer, isDifferent, isEqual)),
		})
		if where == segLast || where == segSealed {
			where = choose(f.clean, segBelow, segSealed)
		}
		p.files = append(p.files, filePlan{segmentName(sf.base, txnIndexExt), txnTable.find(sf.txnIs.is, where), sf.txnIs.err})
	}
	for _, name := range f.orphans {
		p.files = append(p.files, filePlan{name: name, row: indexTable.find(segNone, isEqual)})
	}
}

// decideSnapshots is about the producer snapshots, from the newest on.
func (p *plan) decideSnapshots(f facts) {
	kept := false
	for i := len(f.snapshots) - 1; i >= 0; i-- {
		s := f.snapshots[i]
		place := atBetween
		switch {
		case s.offset > p.end:
			place = atBeyond
		case f.isBase(s.offset, p):
			place = atBase
		}
		r := snapshotTable.find(s.is.is, place, choose(kept, isOlder, isNewest))
		kept = kept || r.do == doKeep
		p.files = append(p.files, filePlan{segmentName(s.offset, snapshotExt), r, s.is.err})
	}
}

// isBase tells whether a segment that stays begins at the offset.
func (f *facts) isBase(offset int64, p *plan) bool {
	if p.row.do == doRestart {
		return offset == p.start
	}
	for _, sf := range f.segments[:p.keep] {
		if sf.base == offset {
			return true
		}
	}
	return false
}

const restoreIt = "the bytes are kept; restore it from a replica or a backup, or delete the partition"

// logOffline says why the log is not used, and what to do.
func (f *facts) logOffline(p *plan, bad *segmentFacts) error {
	label := p.row.label
	switch {
	case label == "short" && p.end < p.start && len(f.segments) > 0:
		return fmt.Errorf("%s: %s ends at offset %d, and %s says that it starts at %d: nothing was changed; put that line right, or restore the files from a replica or a backup, or delete the partition",
			label, f.dir, p.end, logStartName, p.start)
	case label == "short":
		return fmt.Errorf("%s: %s ends at offset %d, but was durable up to %d: files are missing or were cut; nothing was changed; restore them from a replica or a backup, or delete the partition",
			label, f.dir, p.end, max(f.point, f.syncFailed.synced))
	case bad == nil:
		return fmt.Errorf("%s: %s has no segment, but had records: nothing was changed; restore the files from a replica or a backup, or delete the partition", label, f.dir)
	case label == "doubtful":
		return fmt.Errorf("%s: %s is damaged at byte %d, about offset %d, good batches follow, and %s does not tell whether they were durable: %w: %s; or, to have the log cut off there, give that file the line %q",
			label, bad.path(f), bad.badAt, bad.badOffset, recoveryPointName, bad.bad, restoreIt, fmt.Sprintf("%s %d %d", f.tp.Topic, f.tp.Partition, bad.badOffset))
	case label == "segment-missing":
		return fmt.Errorf("%s: behind %s: %w: a file is missing, or was cut at byte %d: %s; if compaction has left the hole, give %s the line %q",
			label, bad.path(f), bad.bad, bad.badAt, restoreIt, cleanerName, fmt.Sprintf("%s %d %d", f.tp.Topic, f.tp.Partition, bad.badOffset+1))
	}
	return fmt.Errorf("%s: %s is damaged at byte %d, about offset %d, which had been made durable: %w: %s",
		label, bad.path(f), bad.badAt, bad.badOffset, bad.bad, restoreIt)
}

func (sf *segmentFacts) path(f *facts) string { return join(f.dir, segmentName(sf.base, logExt)) }

// takenOffline says the same of a file that keeps the log from being used.
func (f *facts) takenOffline(file filePlan) error {
	name, label := join(f.dir, file.name), file.row.label
	err := file.err
	if err == nil {
		err = fmt.Errorf("it is not there")
	}
	switch label {
	case "id-lost":
		return fmt.Errorf("%s: %s: %w: restore it (version: 0, topic_id: the topic's id), or delete the partition", label, name, err)
	case "snapshot-newer", "epochs-newer":
		return fmt.Errorf("%s: %s: %w: start the software that wrote it, or remove the file to have it made again; nothing was changed", label, name, err)
	case "id-newer", "sync-failed-newer", "txnindex-newer":
		return fmt.Errorf("%s: %s: %w: start the software that wrote it; nothing was changed", label, name, err)
	}
	return fmt.Errorf("%s: %s cannot be read: %w: the disk may be failing; nothing was changed", label, name, err)
}
