package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/ottla/ottla/protocol/record"
)

// Recovery has three parts. Inspect looks at a partition's directory and changes nothing; it reads only what a crash
// can have damaged. Plan decides, by facts alone. Apply does what was decided; killed half-way, it is done again.

// facts are what inspect found.
type facts struct {
	tp  TopicPartition
	dir string
	// clean: the directory was closed cleanly, so everything in it is durable.
	clean bool
	// What the checkpoints say; -1 if they do not.
	point, logStart, highWatermark int64
	// cleaned: below it offsets may be missing between segments, because of compaction.
	cleaned int64

	topicID    [16]byte
	topicIDErr error

	temporary  []string // names that their maker would have removed
	swaps      []string // a compaction of Kafka's was interrupted
	foreign    []string
	orphans    []string // index files without a segment
	snapshots  []int64  // offsets, ascending
	syncFailed bool     // syncFailedName is there
	segments   []segmentFacts

	epochs    leaderEpochs // of the file
	epochsErr error

	// producers is the state after the last good batch, with its open transactions.
	producers *producerState
	txns      *transactions
	damaged   []string // snapshots that are not what was written

	read int64 // bytes
}

// segmentFacts is a segment as its files are. Those that lie wholly below the recovery point are not looked into.
type segmentFacts struct {
	base      int64
	bytes     int64
	txnBytes  int64
	looked    bool
	seg       *segment // as far as its batches are good, if looked into
	prefix    indexPrefix
	next      int64 // offset after the last good batch
	bad       error // what follows the last good batch, if anything does
	badBelow  bool  // ... and lies below the recovery point
	badOffset int64 // an offset that the bad bytes may have held
	epochs    []epochEntry
	aborted   []AbortedTxn // by markers that are looked at as a whole
	// indexesDiffer: the files do not say what the batches do. Of a sealed segment; the last one's are resumed.
	indexesDiffer bool
}

// inspect looks at a partition's directory.
func (s *Store) inspect(l *Log, known checkpoints) (f facts, err error) {
	f = facts{
		tp: l.tp, dir: l.dir, clean: s.clean,
		point:         offsetOf(known.points, l.tp),
		logStart:      offsetOf(known.starts, l.tp),
		highWatermark: offsetOf(known.marks, l.tp),
		cleaned:       offsetOf(known.cleaned, l.tp),
	}
	if known.noPoints {
		f.cleaned = math.MaxInt64
	}
	if err := s.list(&f); err != nil {
		return f, err
	}
	if data, err := readFile(s.fs, join(f.dir, partitionName)); err == nil && len(bytes.Trim(data, "\x00")) > 0 {
		f.topicID, f.topicIDErr = parsePartitionMetadata(data)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.topicIDErr = err
	}
	if data, err := readFile(s.fs, join(f.dir, epochsName)); err == nil {
		f.epochs, f.epochsErr = parseLeaderEpochs(data)
	} else if !errors.Is(err, fs.ErrNotExist) {
		f.epochsErr = err
	}
	return f, l.inspectSegments(&f)
}

func offsetOf(m map[TopicPartition]int64, tp TopicPartition) int64 {
	if offset, ok := m[tp]; ok {
		return offset
	}
	return -1
}

// list sorts the directory's names.
func (s *Store) list(f *facts) error {
	entries, err := s.fs.ReadDir(f.dir)
	if err != nil {
		return err
	}
	var indexes []string
	bases := map[int64]*segmentFacts{}
	for _, e := range entries {
		name := e.Name()
		base, ext, isSegment := parseSegmentName(name)
		switch {
		case e.IsDir():
		case strings.HasSuffix(name, deletedExt) || strings.HasSuffix(name, cleanedExt) || strings.HasSuffix(name, tmpExt):
			f.temporary = append(f.temporary, name)
		case strings.HasSuffix(name, swapExt):
			f.swaps = append(f.swaps, name)
		case name == epochsName || name == partitionName:
		case name == syncFailedName:
			f.syncFailed = true
		case isSegment && ext == logExt:
			info, err := e.Info()
			if err != nil {
				return err
			}
			f.segments = append(f.segments, segmentFacts{base: base, bytes: info.Size()})
		case isSegment && ext == snapshotExt:
			f.snapshots = append(f.snapshots, base)
		case isSegment && (ext == indexExt || ext == timeIndexExt || ext == txnIndexExt):
			indexes = append(indexes, name)
		case isSegment:
			f.foreign = append(f.foreign, name)
		default: // its owner may keep files of its own beside the log
		}
	}
	slices.SortFunc(f.segments, func(a, b segmentFacts) int { return compareOffsets(a.base, b.base) })
	slices.Sort(f.snapshots)
	for i := range f.segments {
		bases[f.segments[i].base] = &f.segments[i]
	}
	for _, name := range indexes {
		base, ext, _ := parseSegmentName(name)
		segment := bases[base]
		if segment == nil {
			f.orphans = append(f.orphans, name)
		} else if ext == txnIndexExt {
			info, err := s.fs.Stat(join(f.dir, name))
			if err != nil {
				return err
			}
			segment.txnBytes = info.Size()
		}
	}
	return nil
}

// promised is the offset below which everything must be there.
func (f *facts) promised() int64 {
	if f.clean {
		return math.MaxInt64
	}
	return max(f.point, 0)
}

// verifiedFrom is the offset from which every batch is looked at as a whole.
func (f *facts) verifiedFrom() int64 { return max(f.promised(), f.logStart) }

// inspectSegments walks over the batches from the recovery point on, and from the log start, below which nothing
// matters: of a log that was closed cleanly, over those after the last index entry. If no producer snapshot is as new as
// that, it begins where one is, for the producers.
func (l *Log) inspectSegments(f *facts) (err error) {
	if len(f.segments) == 0 {
		return nil
	}
	if f.producers, f.txns, f.damaged, err = l.loadSnapshot(f.segments[0].base, f.verifiedFrom()); err != nil {
		return err
	}
	from := f.verifiedFrom()
	first := f.segmentAt(from)
	for i := f.segmentAt(f.producers.end); i < first; i++ {
		// Of segments below the log start a crash may have left anything: some were about to be deleted, or were and
		// came back. What they can still tell of producers is welcome.
		// But half of a producer's batches are worse than none: its next one would not follow.
		next := f.segments[i+1].base
		givenUp := next <= f.logStart
		err := l.inspectProducers(f, &f.segments[i])
		if err != nil && !givenUp {
			return err
		}
		hole := !f.clean && f.producers.end < next && f.producers.end >= f.cleaned
		if givenUp && (err != nil || hole) {
			f.producers, f.txns = newProducerState(next), newTransactions()
		}
	}
	next := f.segments[first].base
	for i := first; i < len(f.segments); i++ {
		if err := l.inspectSegment(f, i, from, next); err != nil {
			return err
		}
		if i+1 < len(f.segments) && f.segments[i].bad == nil {
			f.findHole(i, from)
		}
		if f.segments[i].bad != nil {
			return nil
		}
		if i+1 < len(f.segments) {
			if err := l.compareIndexes(&f.segments[i]); err != nil {
				return err
			}
		}
		next = f.segments[i].next
	}
	return nil
}

// segmentAt is the index of the segment that offset belongs to, 0 if it lies below all.
func (f *facts) segmentAt(offset int64) int {
	i := sort.Search(len(f.segments), func(i int) bool { return f.segments[i].base > offset })
	return max(i-1, 0)
}

// findHole notices a segment that lost its end in a crash while the next one is there: nothing is torn, but offsets
// are missing between the two, and they were not promised yet.
func (f *facts) findHole(i int, from int64) {
	s, next := &f.segments[i], f.segments[i+1].base
	if !f.clean && s.next < next && next > from && s.next >= f.cleaned {
		s.bad = fmt.Errorf("the segment ends with offset %d, and the next one begins with %d", s.next-1, next)
		s.badBelow, s.badOffset = max(s.next, f.logStart) < f.promised(), s.next
	}
}

// compareIndexes compares a sealed segment's index files with what its batches gave, which is then let go of: of a log
// that is read as a whole it would be much.
func (l *Log) compareIndexes(sf *segmentFacts) error {
	s := sf.seg
	s.indexTime()
	for _, x := range []*index{&s.offsets, &s.times} {
		b, err := readIndexFile(l.store.fs, x.path)
		if err != nil {
			return err
		}
		at := x.onFile * x.width
		if len(b) < at || !bytes.Equal(b[at:], x.tail) {
			sf.indexesDiffer = true
		}
		x.onFile, x.tail = x.count(), nil
	}
	return nil
}

// inspectProducers walks over a segment below those that are verified, for the producers' state.
func (l *Log) inspectProducers(f *facts, sf *segmentFacts) error {
	s := l.newSegment(sf.base)
	prefix, err := readIndexPrefix(l.store.fs, s, trust{offset: math.MaxInt64, position: sf.bytes})
	if err != nil {
		return err
	}
	file, err := s.handle.acquire()
	if err != nil {
		return err
	}
	defer s.handle.release()
	if !prefix.true(file, sf.bytes) {
		prefix = s.noPrefix()
	}
	scan := newScanner(file, prefix.positionOf(s, f.producers.end), sf.bytes)
	defer scan.done()
	defer func() { f.read += scan.read }()
	for {
		h, err := scan.header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = f.replay(sf, file, h)
		}
		if isDamage(err) {
			return l.damage(s, scan.next, err)
		}
		if err != nil {
			return err
		}
	}
}

// replay applies a batch to the producers' state, unless the snapshot knew it.
func (f *facts) replay(sf *segmentFacts, file io.ReaderAt, h header) error {
	if h.v2 == nil || h.last < f.producers.end {
		return nil
	}
	ended, isEnd, err := replayBatch(file, h, f.producers, f.txns)
	if isEnd && ended.aborted && ended.LastOffset >= f.verifiedFrom() {
		sf.aborted = append(sf.aborted, ended.AbortedTxn)
	}
	return err
}

// inspectSegment walks over one segment. Batches at or above from must have a good checksum; all must follow each
// other, beginning at next or above.
func (l *Log) inspectSegment(f *facts, i int, from, next int64) error {
	sf := &f.segments[i]
	s := l.newSegment(sf.base)
	sf.looked, sf.seg, sf.next = true, s, max(next, sf.base)
	prefix, err := readIndexPrefix(l.store.fs, s, trust{offset: from, position: sf.bytes})
	if err != nil {
		return err
	}
	file, err := s.handle.acquire()
	if err != nil {
		return err
	}
	defer s.handle.release()
	if !prefix.true(file, sf.bytes) {
		prefix = s.noPrefix() // the segment is read from its beginning
	}
	s.resume(prefix)
	sf.prefix = prefix
	return l.inspectBatches(f, sf, file, from, f.chainOf(i))
}

// chainOf is what the batches of a segment must agree with. What the leader-epoch checkpoint says is believed
// below the recovery point.
func (f *facts) chainOf(i int) chain {
	below := int64(math.MaxInt64)
	if i+1 < len(f.segments) {
		below = f.segments[i+1].base
	}
	known := leaderEpochs{entries: slices.Clone(f.epochs.entries)}
	known.truncateFromEnd(f.promised())
	c := newChain(f.segments[i].base, below, append(known.entries, epochEntry{record.NoLeaderEpoch, f.promised()}))
	c.next = f.segments[i].next
	for _, before := range f.segments[:i] {
		for _, e := range before.epochs {
			c.epoch = max(c.epoch, e.epoch)
		}
	}
	return c
}

// inspectBatches walks from the last index entry, or from where the producers' state is, to the end of the segment.
func (l *Log) inspectBatches(f *facts, sf *segmentFacts, file io.ReaderAt, from int64, c chain) error {
	s, interval := sf.seg, l.configuration().IndexIntervalBytes
	scan := newScanner(file, min(sf.prefix.position, sf.prefix.positionOf(s, f.producers.end)), sf.bytes)
	verifying := false
	defer func() {
		f.read += scan.read
		scan.done()
	}()
	for {
		h, err := scan.peek()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && h.last >= from {
			if !verifying {
				f.read += scan.read
				scan.done()
				scan, verifying = newVerifier(file, h.position, sf.bytes), true
				h, err = scan.peek()
			}
			if err == nil {
				err = scan.checkCRC(&h)
			}
		}
		if err == nil {
			err = scan.follow(&c, &h)
		}
		if err == nil {
			err = f.replay(sf, file, h)
		}
		if err != nil && !isDamage(err) {
			return err // the disk's own error proves nothing about the bytes
		}
		if err != nil {
			sf.bad, sf.badBelow, sf.badOffset = err, sf.next < f.promised(), sf.next
			return nil
		}
		if h.last >= from && h.leaderEpoch >= 0 && (len(sf.epochs) == 0 || sf.epochs[len(sf.epochs)-1].epoch < h.leaderEpoch) {
			sf.epochs = append(sf.epochs, epochEntry{h.leaderEpoch, h.base})
		}
		s.appendedAgain(h, sf.prefix, interval)
		sf.next = h.last + 1
	}
}
