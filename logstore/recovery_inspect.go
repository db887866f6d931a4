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

	"github.com/ottla/ottla/logstore/vfs"
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
	// noPoints: there is no telling up to where records were promised.
	noPoints bool
	// cleaned: below it offsets may be missing between segments, because of compaction.
	cleaned int64

	topicID   [16]byte
	topicIDIs fileFacts

	names      []namedFacts // of files that are not a segment's
	orphans    []string     // index files without a segment
	gaps       []string     // offsets that no segment has, below the recovery point
	snapshots  []snapshotFacts
	syncFailed syncFailure
	segments   []segmentFacts

	epochs      leaderEpochs // of the file
	epochsIs    fileFacts
	epochsThere bool // by the directory

	// producers is the state after the last good batch, with its open transactions.
	producers *producerState
	txns      *transactions

	read int64 // bytes
}

// snapshotFacts is a producer snapshot. Only as many are read as it takes to find a good one.
type snapshotFacts struct {
	offset int64
	is     fileFacts
}

// segmentFacts is a segment as its files are. Those that lie wholly below the recovery point are not looked into.
type segmentFacts struct {
	base      int64
	bytes     int64
	indexes   int  // of the offset and the time index, how many are there
	indexed   bool // both, and the first is not empty
	txnBytes  int64
	txnIs     fileFacts
	looked    bool
	seg       *segment // as far as its batches are good, if looked into
	prefix    indexPrefix
	next      int64 // offset after the last good batch
	bad       error // what follows the last good batch, if anything does
	badHole   bool  // ... which is the next segment, too late
	badBelow  bool  // ... and lies below the recovery point
	badOffset int64 // an offset that the bad bytes may have held
	badAt     int64 // where in the file
	goodAfter bool  // good batches follow; only looked for if the recovery point is not known
	compacted bool  // offsets are missing between or within the batches that were looked at
	epochs    []epochEntry
	aborted   []AbortedTxn // by markers that are looked at as a whole
	// indexesDiffer: the files do not say what the batches do. Of a sealed segment; the last one's are resumed.
	indexesDiffer bool
}

// inspect looks at a partition's directory. listing is what is in it, nil if nobody has asked yet. What is not in it is
// not looked for: of ten thousand logs it would be most of a start.
func (s *Store) inspect(l *Log, known checkpoints, listing []fs.DirEntry) (f facts, err error) {
	f = facts{
		tp: l.tp, dir: l.dir,
		point:         offsetOf(known.points, l.tp),
		logStart:      offsetOf(known.starts, l.tp),
		highWatermark: offsetOf(known.marks, l.tp),
		cleaned:       offsetOf(known.cleaned, l.tp),
		noPoints:      known.noPoints,
		syncFailed:    syncFailure{fileFacts: fileFacts{is: isAbsent}},
	}
	// Who closed the directory would have said how far this log goes: it came here since, and proves nothing.
	f.clean = s.clean && (known.noPoints || f.point >= 0)
	if known.noPoints || known.noCleaned {
		f.cleaned = math.MaxInt64
	}
	if listing == nil {
		if listing, err = s.fs.ReadDir(f.dir); err != nil {
			return f, err
		}
	}
	if err := s.list(&f, listing); err != nil {
		return f, err
	}
	f.topicIDIs = readSmall(s.fs, join(f.dir, partitionName), func(data []byte) (err error) {
		f.topicID, err = parsePartitionMetadata(data)
		return err
	})
	f.epochsIs = fileFacts{is: isAbsent}
	if f.epochsThere {
		f.epochsIs = readSmall(s.fs, join(f.dir, epochsName), func(data []byte) (err error) {
			f.epochs, err = parseLeaderEpochs(data)
			return err
		})
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
func (s *Store) list(f *facts, entries []fs.DirEntry) error {
	var indexes []string
	indexed, unindexed := map[int64]int{}, map[int64]bool{}
	for _, e := range entries {
		name := e.Name()
		base, ext, isSegment := parseSegmentName(name)
		if isSegment && (ext == indexExt || ext == timeIndexExt) {
			indexed[base]++
			if info, err := e.Info(); err == nil && ext == indexExt {
				unindexed[base] = info.Size() == 0
			}
		}
		switch {
		case name == epochsName:
			f.epochsThere = true
		case e.IsDir(), name == partitionName:
		case name == syncFailedName:
			f.syncFailed = readSyncFailure(s.fs, f.dir)
		case isSegment && ext == logExt:
			info, err := e.Info()
			if err != nil {
				return err
			}
			f.segments = append(f.segments, segmentFacts{base: base, bytes: info.Size(), txnIs: fileFacts{is: isAbsent}})
		case isSegment && ext == snapshotExt:
			f.snapshots = append(f.snapshots, snapshotFacts{base, fileFacts{is: isUnread}})
		case isSegment && (ext == indexExt || ext == timeIndexExt || ext == txnIndexExt):
			indexes = append(indexes, name)
		default:
			f.names = append(f.names, namedFacts{name, nameKind(name, isSegment)})
		}
	}
	slices.SortFunc(f.segments, func(a, b segmentFacts) int { return compareOffsets(a.base, b.base) })
	slices.SortFunc(f.snapshots, func(a, b snapshotFacts) int { return compareOffsets(a.offset, b.offset) })
	bases := map[int64]*segmentFacts{}
	for i := range f.segments {
		sf := &f.segments[i]
		bases[sf.base] = sf
		sf.indexes = indexed[sf.base]
		sf.indexed = sf.indexes == 2 && !unindexed[sf.base]
	}
	for _, name := range indexes {
		base, ext, _ := parseSegmentName(name)
		segment := bases[base]
		if segment == nil {
			f.orphans = append(f.orphans, name)
		} else if ext == txnIndexExt {
			segment.inspectTxnIndex(s.fs, join(f.dir, name), f.nextBase(base))
		}
	}
	return nil
}

// nextBase is the base of the segment after the one at base, -1 without one.
func (f *facts) nextBase(base int64) int64 {
	i := sort.Search(len(f.segments), func(i int) bool { return f.segments[i].base > base })
	if i == len(f.segments) {
		return -1
	}
	return f.segments[i].base
}

// nameKind is what a name that is not of the log proper looks like.
func nameKind(name string, hasBase bool) string {
	whole, isTmp := strings.CutSuffix(name, tmpExt)
	_, ext, ofSegment := parseSegmentName(whole)
	known := slices.Contains(segmentExts, strings.TrimSuffix(ext, deletedExt)) || strings.TrimSuffix(ext, deletedExt) == snapshotExt
	switch {
	case isTmp && (ofSegment && known || whole == epochsName || whole == partitionName):
		return nameTmp
	case ofSegment && known && strings.HasSuffix(ext, deletedExt):
		return nameDeleted
	}
	return choose(hasBase, nameOdd, nameOther)
}

// promised is the offset below which every batch must be there.
func (f *facts) promised() int64 { return max(f.settled(), f.syncFailed.synced) }

// settled is the offset below which what is kept beside the batches is durable, too.
func (f *facts) settled() int64 {
	if f.clean {
		return math.MaxInt64
	}
	return max(f.point, 0)
}

// verifiedFrom is the offset from which every batch is looked at as a whole.
func (f *facts) verifiedFrom() int64 { return max(f.settled(), f.logStart) }

// inspectSegments walks over the batches from the recovery point on, and from the log start, below which nothing
// matters: of a log that was closed cleanly, over those after the last index entry. If no producer snapshot is as new as
// that, it begins where one is, for the producers.
func (l *Log) inspectSegments(f *facts) (err error) {
	if len(f.segments) == 0 {
		return nil
	}
	f.findSnapshot(l)
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
	for i := range first {
		if f.segments[i+1].base <= f.logStart {
			continue // given up
		}
		if err := l.inspectJoint(f, i); err != nil || f.segments[i].bad != nil {
			return err
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
		s.badHole, s.badBelow, s.badOffset, s.badAt = true, max(s.next, f.logStart) < f.promised(), s.next, s.bytes
		s.goodAfter = f.noPoints
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
	file, done, err := l.openToInspect(f, sf, s)
	if err != nil {
		return err
	}
	defer s.handle.drop() // nobody comes for this one again
	defer done()
	prefix, err := sf.readIndexPrefix(l.store.fs, s, math.MaxInt64)
	if err != nil {
		return err
	}
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
	if sf.bytes == 0 && !f.syncFailed.there() {
		sf.prefix = s.noPrefix()
		s.resume(sf.prefix)
		return nil
	}
	file, done, err := l.openToInspect(f, sf, s)
	if err != nil {
		return err
	}
	defer done()
	prefix, err := sf.readIndexPrefix(l.store.fs, s, from)
	if err != nil {
		return err
	}
	if !prefix.true(file, sf.bytes) {
		prefix = s.noPrefix() // the segment is read from its beginning
	}
	s.resume(prefix)
	sf.prefix = prefix
	return l.inspectBatches(f, sf, file, from, f.chainOf(i))
}

// readIndexPrefix is readIndexPrefix, up to an offset, if there is anything to read: one index says nothing without an
// entry in the other.
func (sf *segmentFacts) readIndexPrefix(fsys vfs.FS, s *segment, upTo int64) (indexPrefix, error) {
	if !sf.indexed {
		return s.noPrefix(), nil
	}
	return readIndexPrefix(fsys, s, trust{offset: upTo, position: sf.bytes})
}

// chainOf is what the batches of a segment must agree with. What the leader-epoch checkpoint says is believed
// below the recovery point.
func (f *facts) chainOf(i int) chain {
	below := int64(math.MaxInt64)
	if i+1 < len(f.segments) {
		below = f.segments[i+1].base
	}
	known := leaderEpochs{entries: slices.Clone(f.epochs.entries)}
	known.truncateFromEnd(f.settled())
	c := newChain(f.segments[i].base, below, append(known.entries, epochEntry{record.NoLeaderEpoch, f.settled()}))
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
	begin := min(sf.prefix.position, sf.prefix.positionOf(s, f.producers.end))
	scan := newScanner(file, begin, sf.bytes)
	verifying, begun := false, begin == 0
	defer func() {
		f.read += scan.read
		scan.done()
	}()
	for {
		h, err := scan.peek()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && h.position == begin && h.last <= sf.prefix.lastAt(s, begin) {
			c.next = max(c.next, h.base) // the index says the same of it
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
			sf.bad, sf.badBelow, sf.badOffset, sf.badAt = err, sf.next < f.promised(), sf.next, s.size
			if f.noPoints && !sf.badBelow {
				sf.goodAfter, err = f.anyGoodAfter(sf, file)
				return err
			}
			return nil
		}
		if h.last >= from && h.leaderEpoch >= 0 && (len(sf.epochs) == 0 || sf.epochs[len(sf.epochs)-1].epoch < h.leaderEpoch) {
			sf.epochs = append(sf.epochs, epochEntry{h.leaderEpoch, h.base})
		}
		s.appendedAgain(h, sf.prefix, interval)
		sf.compacted = sf.compacted || begun && h.base > sf.next || h.v2 != nil && int64(h.v2.Count()) <= h.last-h.base
		sf.next, begun = h.last+1, true
	}
}

// anyGoodAfter looks for a good batch anywhere behind the bad bytes, in this segment or a later one. Only what was
// written as a batch has its checksum.
func (f *facts) anyGoodAfter(sf *segmentFacts, file io.ReaderAt) (bool, error) {
	for _, later := range f.segments {
		if later.base > sf.base && later.bytes > 0 {
			return true, nil
		}
	}
	const overlap = record.HeaderBytes - 1
	window := make([]byte, 256<<10)
	for at := sf.badAt + 1; at+record.HeaderBytes <= sf.bytes; at += int64(len(window)) - overlap {
		b := window[:min(int64(len(window)), sf.bytes-at)]
		n, err := file.ReadAt(b, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		f.read += int64(n)
		for i := 0; i+record.HeaderBytes <= n; i++ {
			if b[i+legacyAtMagic] != record.Magic {
				continue
			}
			h, err := parseHeader(b[i:i+record.HeaderBytes], at+int64(i), sf.bytes-at-int64(i))
			if err != nil || h.base < sf.next || !sf.seg.fits(h.last) {
				continue
			}
			scan := newScanner(file, h.position, sf.bytes)
			_, err = scan.verify()
			scan.done()
			if err == nil {
				return true, nil
			}
		}
	}
	return false, nil
}
