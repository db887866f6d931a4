package logstore

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sort"
	"sync"

	"github.com/ottla/ottla/logstore/vfs"
)

// index is a file of fixed-size entries in ascending order beside a segment. Only the entries that have not been
// written yet are in memory; all others are looked up in the file, which is open only meanwhile. An index can be made
// again from the segment, so it is synced only when its segment is sealed, and whoever looks something up in it checks
// the answer against the segment.
//
// The fields are guarded by Log.mu. A view, taken under it, stays good without it: entries in the file do not change
// but by truncation, and that is noticed by Log.cuts.
type index struct {
	path   string
	width  int
	onFile int    // entries in the file; unknownEntries until somebody needs it
	tail   []byte // entries after those
}

const unknownEntries = -1

// tailEntries is how many entries wait in memory: 2 MiB of records at the default interval, which is what a lookup
// must scan for, at worst, after a crash.
const tailEntries = 512

func (x *index) count() int { return max(x.onFile, 0) + len(x.tail)/x.width }

func (x *index) append(entry []byte) { x.tail = append(x.tail, entry...) }

func (x *index) full() bool { return len(x.tail) >= tailEntries*x.width }

// inTail is the last entry in memory that le accepts, if one there is. le is true for a prefix of all entries.
func (x *index) inTail(le func(entry []byte) bool) (entry []byte, ok bool) {
	n := sort.Search(len(x.tail)/x.width, func(i int) bool { return !le(x.tail[i*x.width:]) })
	if n == 0 {
		return nil, false
	}
	return x.tail[(n-1)*x.width : n*x.width], true
}

// pending are the entries to write, and where. written takes them out of memory.
func (x *index) pending() (entries []byte, at int64) {
	return x.tail, int64(x.onFile) * int64(x.width)
}

func (x *index) written(bytes int) {
	x.onFile += bytes / x.width
	x.tail = x.tail[:copy(x.tail, x.tail[bytes:])]
	if len(x.tail) == 0 {
		x.tail = nil // an idle log keeps nothing
	}
}

// view is what a lookup needs of the part that is in the file.
func (x *index) view() indexView { return indexView{x.path, x.width, x.onFile} }

type indexView struct {
	path   string
	width  int
	onFile int
}

// errIndexDamaged is answered for an index that cannot be true. The segment is; the index is made again from it.
var errIndexDamaged = errors.New("index is damaged")

// blockBytes is read at once when a search has come near enough.
const blockBytes = 4096

// indexBlock is scratch memory for a lookup.
type indexBlock struct {
	bytes [blockBytes]byte
}

var indexBlocks = sync.Pool{New: func() any { return new(indexBlock) }}

// floor copies the last entry that le accepts into entry, which has the index's width, and counts those accepted.
// le is true for a prefix of all entries.
func (v indexView) floor(fs vfs.FS, le func(entry []byte) bool, entry []byte) (count int, err error) {
	if v.onFile == 0 {
		return 0, nil
	}
	f, err := fs.Open(v.path)
	if err != nil {
		return 0, damagedIfMissing(err)
	}
	defer f.Close()
	block := indexBlocks.Get().(*indexBlock)
	defer indexBlocks.Put(block)

	// Entries before low are accepted, those from high on are not.
	low, high := 0, v.onFile
	perBlock := blockBytes / v.width
	for high-low >= perBlock {
		mid := low + (high-low)/2
		if _, err := f.ReadAt(block.bytes[:v.width], int64(mid*v.width)); err != nil {
			return 0, damagedIfMissing(err)
		}
		if le(block.bytes[:v.width]) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	// The entry before low may be the answer: it is in the block too, unless there is none.
	from := max(low-1, 0)
	n := high - from
	if _, err := f.ReadAt(block.bytes[:n*v.width], int64(from*v.width)); err != nil {
		return 0, damagedIfMissing(err)
	}
	found := sort.Search(n, func(i int) bool { return !le(block.bytes[i*v.width:]) })
	if found > 0 {
		copy(entry, block.bytes[(found-1)*v.width:found*v.width])
	}
	return from + found, nil
}

// damagedIfMissing: entries that were counted and are not there. Any other error is the disk's.
func damagedIfMissing(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrNotExist) {
		return errIndexDamaged
	}
	return err
}

// Offset index, FORMAT.md: int32 offset less the segment's base · int32 position. The batch (or run of batches
// appended at once) at position ends with offset.
const offsetEntryBytes = 8

type offsetEntry struct {
	relative int32 // of the last offset at position
	position int32
}

func (e offsetEntry) encode() (b [offsetEntryBytes]byte) {
	binary.BigEndian.PutUint32(b[:], uint32(e.relative))
	binary.BigEndian.PutUint32(b[4:], uint32(e.position))
	return b
}

func parseOffsetEntry(b []byte) offsetEntry {
	return offsetEntry{int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:]))}
}

// Time index, FORMAT.md: int64 timestamp · int32 offset less the segment's base. No record up to that offset, the last
// one of its batch, is newer than timestamp, and no batch before that one is as new.
const timeEntryBytes = 12

type timeEntry struct {
	timestamp int64
	relative  int32
}

func (e timeEntry) encode() (b [timeEntryBytes]byte) {
	binary.BigEndian.PutUint64(b[:], uint64(e.timestamp))
	binary.BigEndian.PutUint32(b[8:], uint32(e.relative))
	return b
}

func parseTimeEntry(b []byte) timeEntry {
	return timeEntry{int64(binary.BigEndian.Uint64(b)), int32(binary.BigEndian.Uint32(b[8:]))}
}
