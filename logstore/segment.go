package logstore

import (
	"math"

	"github.com/ottla/ottla/protocol/record"
)

// segment is one .log file of a log, with its indexes. The last segment of a log is active: it is appended to. All
// others are sealed and never change, but for being deleted.
//
// The fields below handle are guarded by Log.mu, and change only under Log.appendMu.
type segment struct {
	dir    string
	base   int64 // no offset in it is smaller; the files' name
	handle handle

	// size is the bytes of whole batches. The file may be longer for a moment, while one is being written.
	size    int64
	offsets index
	times   index
	txns    int // entries in the transaction index
	txnSum  txnSum
	// verified is what of the file this process has looked at.
	verified verified

	// newest is the largest timestamp of all batches and the last offset of the first batch that has it; unknown in a
	// segment that was sealed before the start, until somebody asks.
	newest      newest
	newestKnown bool
	// lastTime is the timestamp of the last entry in times, while the segment is active.
	lastTime int64
	// sinceIndex is bytes appended since the last entry in offsets.
	sinceIndex int64
	// firstTimestamp is that of the first batch: what segment.ms counts from. unknownTimestamp until somebody asks.
	firstTimestamp int64
	createdMs      int64
	jitterMs       int64

	// replacing: compaction is putting another segment in its place. Its indexes are not its own any more; aborted is
	// what its transaction index says.
	replacing bool
	aborted   []AbortedTxn

	// dirty: bytes may be in the page cache only. The segment is in Log.unsynced, with its file acquired.
	dirty bool
	// txnsDirty: entries of the transaction index, too.
	txnsDirty bool
}

type newest struct{ timestamp, offset int64 }

const unknownTimestamp = math.MinInt64

func (l *Log) newSegment(base int64) *segment {
	s := &segment{
		dir: l.dir, base: base,
		newest: newest{record.NoTimestamp, base}, newestKnown: true,
		lastTime:       record.NoTimestamp,
		firstTimestamp: unknownTimestamp,
		createdMs:      l.store.now().UnixMilli(),
	}
	s.handle.pool, s.handle.path = &l.store.handles, s.path(logExt)
	s.offsets = index{path: s.path(indexExt), width: offsetEntryBytes}
	s.times = index{path: s.path(timeIndexExt), width: timeEntryBytes}
	return s
}

func (s *segment) path(ext string) string { return join(s.dir, segmentName(s.base, ext)) }

// fits tells whether an index entry can name the offset.
func (s *segment) fits(offset int64) bool { return offset-s.base <= math.MaxInt32 }

// appended takes a batch at the end of the segment into account. An entry goes into the indexes once more than
// intervalBytes have been appended since the last.
func (s *segment) appended(last, maxTimestamp, bytes, intervalBytes int64) {
	position := s.size
	if position == 0 {
		s.firstTimestamp = maxTimestamp
	}
	if maxTimestamp > s.newest.timestamp {
		s.newest = newest{maxTimestamp, last}
	}
	if s.sinceIndex > intervalBytes {
		entry := offsetEntry{int32(last - s.base), int32(position)}.encode()
		s.offsets.append(entry[:])
		s.indexTime()
		s.sinceIndex = 0
	}
	s.sinceIndex += bytes
	s.size += bytes
}

// indexTime adds an entry for the newest timestamp, unless the last one says the same.
func (s *segment) indexTime() {
	if s.newest.timestamp > s.lastTime {
		entry := timeEntry{s.newest.timestamp, int32(s.newest.offset - s.base)}.encode()
		s.times.append(entry[:])
		s.lastTime = s.newest.timestamp
	}
}

// shouldRoll tells whether a batch must go to a new segment. Time is the records' own: a batch much newer than the
// segment's first. Where records have none it is the clock's.
func (s *segment) shouldRoll(c LogConfig, bytes, last, maxTimestamp, nowMs int64) bool {
	if !s.fits(last) {
		return true
	}
	if s.size == 0 {
		return false
	}
	waited := nowMs - s.createdMs
	if s.firstTimestamp >= 0 {
		waited = maxTimestamp - s.firstTimestamp
	}
	return s.size+bytes > c.SegmentBytes ||
		waited > c.SegmentMs-s.jitterMs ||
		int64(s.offsets.count()+1)*offsetEntryBytes > c.SegmentIndexBytes ||
		int64(s.times.count()+2)*timeEntryBytes > c.SegmentIndexBytes // one entry is kept for sealing
}
