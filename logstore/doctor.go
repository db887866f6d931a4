package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// Finding is something in a data directory that is not as it should be.
type Finding struct {
	File     string `json:"file"`
	Position int64  `json:"position"` // in the file, -1 if it is about the whole
	Offset   int64  `json:"offset"`   // of records, -1 if it is not about one
	What     string `json:"what"`
	Do       string `json:"do"`
	// Note: nothing is wrong, but good to know; such as what a kill or a power cut leaves of files that are made again.
	Note bool `json:"note"`
}

// ExamineOptions say how a data directory is examined.
type ExamineOptions struct {
	FS    vfs.FS // vfs.OS()
	Scrub bool   // verify every batch, and every index against its segment; else only what a start would look at
	// Found hears of each finding as it is made, one at a time.
	Found func(Finding)
	// Progress hears how many of how many bytes are done, often.
	Progress func(done, total int64)
}

// Examined is what was looked at.
type Examined struct {
	Partitions, Segments int
	Bytes                int64
	Findings             int // without notes
}

// examination is one run of Examine.
type examination struct {
	store *Store
	o     ExamineOptions
	known checkpoints

	mu    sync.Mutex // guards the fields below, and calls of Found and Progress
	done  Examined
	total int64
}

// Examine looks for damage in a data directory that no process uses, and changes nothing. It takes the directory's lock: an
// error means that it could not look.
func Examine(dir string, o ExamineOptions) (Examined, error) {
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	s := newStore(dir, Options{FS: o.FS})
	x := &examination{store: s, o: o}
	if _, err := o.FS.Stat(dir); err != nil {
		return x.done, err
	}
	facts, err := inspectRoot(o.FS, dir)
	if err != nil {
		return x.done, err
	}
	if !facts.used() && facts.metaIs.is != isGood {
		return x.done, fmt.Errorf("%s is no data directory: neither %s nor partitions are there", dir, metaName)
	}
	lock, err := o.FS.Lock(join(dir, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return x.done, fmt.Errorf("%s is in use by another process: stop the broker first, or leave it to the broker's own scrub (log.scrub.bytes.per.second)", dir)
	}
	if err != nil {
		return x.done, err
	}
	defer lock.Close()
	if facts, err = inspectRoot(o.FS, dir); err != nil { // nobody changes it any more
		return x.done, err
	}
	x.root(facts)
	x.known = facts.known
	var logs []*Log
	for _, tp := range facts.partitions {
		logs = append(logs, s.newLog(tp))
	}
	slices.SortFunc(logs, func(a, b *Log) int { return compareTopicPartitions(a.tp, b.tp) })
	x.done.Partitions = len(logs)
	err = x.logs(logs)
	return x.done, err
}

// root examines the files of the directory itself.
func (x *examination) root(f rootFacts) {
	p := decideRoot(f, f.meta.clusterID, f.meta.nodeID)
	x.store.clean = p.clean
	for _, file := range p.files {
		switch {
		case file.row.do == doRefuse:
			x.found(Finding{join(f.dir, file.name), -1, -1, f.refusal(file).Error(), "as it says: until then a start is refused", false})
		case file.err != nil:
			x.found(Finding{join(f.dir, file.name), -1, -1, file.err.Error(), "nothing: it is done without, and written again",
				!p.clean || file.name == highWatermarkName}) // which a power cut may tear at any time
		}
	}
}

func (x *examination) found(f Finding) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !f.Note {
		x.done.Findings++
	}
	if x.o.Found != nil {
		x.o.Found(f)
	}
}

// logs examines partitions, and their segments, many at a time: first what a start would see, since that is quick.
func (x *examination) logs(logs []*Log) error {
	var mu sync.Mutex
	var work []func() error
	err := inParallel(logs, 2*runtime.GOMAXPROCS(0), func(l *Log) error {
		parts, err := x.log(l)
		mu.Lock()
		defer mu.Unlock()
		work = append(work, parts...)
		return err
	})
	if err != nil || !x.o.Scrub {
		return err
	}
	var wait sync.WaitGroup
	errs, turns := make([]error, len(work)), make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, f := range work {
		turns <- struct{}{}
		wait.Go(func() {
			errs[i] = f()
			<-turns
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// log examines what a start would, and returns what there is to scrub.
func (x *examination) log(l *Log) (scrub []func() error, err error) {
	f, err := x.store.inspect(l, x.known, nil)
	if err != nil {
		x.found(Finding{l.dir, -1, -1, err.Error(), "the disk does not give it: check the disk", false})
		return nil, nil
	}
	p := decide(f)
	if p.offline != nil {
		x.found(Finding{l.dir, -1, -1, p.offline.Error(), "as it says: until then a start leaves the partition offline", false})
	} else if p.cut > 0 {
		x.found(Finding{l.dir, p.keepBytes, p.end, fmt.Sprintf("a start will cut off %d bytes: %s", p.cut, p.why), "nothing: they were never acknowledged", true})
	}
	if f.clean && f.point >= 0 && p.end > f.point {
		x.found(Finding{join(l.dir, segmentName(f.segments[len(f.segments)-1].base, logExt)), -1, f.point,
			fmt.Sprintf("the log was closed at offset %d, and ends at %d", f.point, p.end), restoreIt, false})
	}
	for _, file := range p.files {
		if file.err != nil && file.row.do != doOffline && file.row.do != doRestart {
			x.found(Finding{join(l.dir, file.name), -1, -1, file.err.Error(), "nothing: it is done without, or made again", !x.store.clean})
		}
	}
	x.mu.Lock()
	x.done.Segments += len(f.segments)
	x.mu.Unlock()
	if !x.o.Scrub {
		return nil, nil
	}
	for _, s := range f.snapshots {
		scrub = append(scrub, func() error { return x.snapshot(l, s.offset) })
	}
	for i, sf := range f.segments {
		next := int64(math.MaxInt64)
		if i+1 < len(f.segments) {
			next = f.segments[i+1].base
		}
		size := sf.bytes
		if p.offline == nil && i+1 == p.keep {
			size = p.keepBytes
		}
		if next <= f.logStart || p.offline == nil && i >= p.keep {
			continue // nobody may read it any more
		}
		x.mu.Lock()
		x.total += size
		x.mu.Unlock()
		// A kill leaves more in the last segment's indexes than in the segment.
		indexes := size == sf.bytes && (f.clean || i+1 < len(f.segments))
		scrub = append(scrub, func() error { return x.segment(l, &f, sf.base, next, size, indexes) })
	}
	return scrub, nil
}

// epochsToCheck is the leader-epoch checkpoint as far as it is to be believed: below the recovery point.
func (f *facts) epochsToCheck() []epochEntry {
	known := leaderEpochs{entries: slices.Clone(f.epochs.entries)}
	known.truncateFromEnd(f.promised())
	return append(known.entries, epochEntry{record.NoLeaderEpoch, f.promised()})
}

// examineAtOnce is how much of a segment is examined between two words on progress.
const examineAtOnce = 32 << 20

// segment scrubs a segment with its indexes.
func (x *examination) segment(l *Log, f *facts, base, next, size int64, indexes bool) error {
	path := func(ext string) string { return join(l.dir, segmentName(base, ext)) }
	e := examiner{size: size, chain: newChain(base, next, f.epochsToCheck())}
	e.tell = func(ext string, position, offset int64, err error) {
		finding := Finding{path(ext), position, offset, err.Error(), "nothing: it is made again from the segment when it is used", !x.store.clean}
		switch ext {
		case logExt:
			finding.Note = false
			finding.Do = "restore the file from a replica or a backup, have consumers go on behind it, or delete the partition; until then its readers are answered CORRUPT_MESSAGE"
		case txnIndexExt:
			finding.Do = "remove the file and the snapshots of the partition, to have it made again by a start"
		}
		x.found(finding)
	}
	for _, ext := range []string{indexExt, timeIndexExt} {
		data, err := readIndexFile(x.store.fs, path(ext))
		if err != nil {
			return err
		}
		if indexes {
			e.load(ext, data)
		}
	}
	txns, err := readIndexFile(x.store.fs, path(txnIndexExt))
	if err != nil {
		return err
	}
	if len(txns) > 0 {
		e.markers = map[int64]int64{}
	}
	file, err := x.store.fs.OpenFile(path(logExt), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	for done := false; !done; {
		var read int64
		read, done, err = e.some(file, examineAtOnce)
		if err != nil {
			x.found(Finding{path(logExt), e.position, e.chain.next, err.Error(), "the disk does not give it: check the disk", false})
			return nil
		}
		x.progress(read)
	}
	if indexes {
		e.compareTxns(txns)
	}
	return nil
}

func (x *examination) progress(bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done.Bytes += bytes
	if x.o.Progress != nil {
		x.o.Progress(x.done.Bytes, cmp.Or(x.total, 1))
	}
}

func (x *examination) snapshot(l *Log, offset int64) error {
	name := join(l.dir, segmentName(offset, snapshotExt))
	data, err := readFile(x.store.fs, name)
	if err != nil {
		return err
	}
	if _, _, err := parseSnapshot(data, offset); err != nil {
		x.found(Finding{name, -1, offset, err.Error(), "nothing: an older one is used, and a new one written", !x.store.clean})
	}
	return nil
}
