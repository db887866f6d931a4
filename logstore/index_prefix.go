package logstore

import (
	"errors"
	"io"
	"io/fs"
	"sort"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// indexPrefix is the part of a segment's two indexes that is taken over when the segment's end is read again: after a
// start, or a truncation. What follows it is made again from the batches, beginning with the one at position.
type indexPrefix struct {
	offsets, times int    // entries
	position       int64  // of the batch that the last offset entry names; 0 without one
	last           int64  // the offset in that entry
	newest         newest // of the batches up to that one
	newestFrom     int64  // position of a batch at or before the one that newest names
	entries        []byte // of the offset index
}

// trust says what may be believed of an index.
type trust struct {
	// Entries for batches at or above this offset, or this position, are not believed.
	offset, position int64
}

// readIndexPrefix reads both index files whole. One that is missing or damaged gives a shorter prefix.
func readIndexPrefix(fsys vfs.FS, s *segment, t trust) (indexPrefix, error) {
	offsets, err := readIndexFile(fsys, s.offsets.path)
	if err != nil {
		return indexPrefix{}, err
	}
	times, err := readIndexFile(fsys, s.times.path)
	if err != nil {
		return indexPrefix{}, err
	}
	return s.indexPrefix(offsets, times, t), nil
}

func readIndexFile(fsys vfs.FS, name string) ([]byte, error) {
	b, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// indexPrefix decides on the bytes of both files.
func (s *segment) indexPrefix(offsets, times []byte, t trust) (p indexPrefix) {
	p.newest = newest{record.NoTimestamp, s.base}
	p.offsets = prefixEntries(offsets, offsetEntryBytes, func(b []byte) bool {
		e := parseOffsetEntry(b)
		return e.relative >= 0 && s.base+int64(e.relative) < t.offset && e.position >= 0 && int64(e.position) < t.position
	})
	p.times = prefixEntries(times, timeEntryBytes, func(b []byte) bool {
		e := parseTimeEntry(b)
		return e.relative >= 0 && s.base+int64(e.relative) < t.offset && e.timestamp >= 0
	})
	if p.times > 0 {
		e := parseTimeEntry(times[(p.times-1)*timeEntryBytes:])
		p.newest = newest{e.timestamp, s.base + int64(e.relative)}
	}
	entry := func(i int) offsetEntry { return parseOffsetEntry(offsets[i*offsetEntryBytes:]) }
	after := sort.Search(p.offsets, func(i int) bool { return s.base+int64(entry(i).relative) > p.newest.offset })
	if after > 0 {
		p.newestFrom = int64(entry(after - 1).position)
	}
	// Neither file is known to be whole: a power cut may have taken the end of each, or somebody else has written it.
	switch {
	case p.times == 0:
		p.offsets = 0
	case after > 0 && s.base+int64(entry(after-1).relative) == p.newest.offset:
		// Both entries were made for the same batch.
		p.offsets = after
	default:
		// The time index is complete up to the first offset entry above its last: they were made together.
		p.offsets = min(p.offsets, after+1)
	}
	if p.offsets == 0 {
		// From the beginning, then; and so for both.
		return s.noPrefix()
	}
	p.entries = offsets
	p.position, p.last = int64(entry(p.offsets-1).position), s.base+int64(entry(p.offsets-1).relative)
	return p
}

// true tells whether the last entries name batches that are there. bytes is the segment's size.
func (p indexPrefix) true(file io.ReaderAt, bytes int64) bool {
	if p.offsets == 0 {
		return true
	}
	scan := newScanner(file, p.position, bytes)
	defer scan.done()
	if h, err := scan.verify(); err != nil || h.last > p.last {
		return false
	}
	if p.times == 0 {
		return true
	}
	for scan.next = p.newestFrom; ; {
		h, err := scan.header()
		if err != nil || h.base > p.newest.offset {
			return false
		}
		if h.last >= p.newest.offset {
			return h.maxTimestamp == p.newest.timestamp
		}
	}
}

// noPrefix takes nothing over.
func (s *segment) noPrefix() indexPrefix {
	return indexPrefix{newest: newest{record.NoTimestamp, s.base}}
}

// prefixEntries counts the entries up to the first that is not good or does not ascend: a file that was preallocated,
// or lost pages, goes on with zeros.
func prefixEntries(b []byte, width int, good func(entry []byte) bool) (n int) {
	for ; len(b) >= (n+1)*width; n++ {
		entry := b[n*width : (n+1)*width]
		if !good(entry) || n > 0 && !ascending(b[(n-1)*width:n*width], entry) {
			break
		}
	}
	return n
}

// lastAt is the last offset of the batch at a position, by the entry for it; -1 if there is none.
func (p indexPrefix) lastAt(s *segment, position int64) int64 {
	entry := func(i int) offsetEntry { return parseOffsetEntry(p.entries[i*offsetEntryBytes:]) }
	n := sort.Search(p.offsets, func(i int) bool { return int64(entry(i).position) >= position })
	if n == p.offsets || int64(entry(n).position) != position {
		return -1
	}
	return s.base + int64(entry(n).relative)
}

// positionOf is where to begin to look for offset among the batches that the prefix covers: at a batch before it.
func (p indexPrefix) positionOf(s *segment, offset int64) int64 {
	n := sort.Search(p.offsets, func(i int) bool {
		return s.base+int64(parseOffsetEntry(p.entries[i*offsetEntryBytes:]).relative) >= offset
	})
	if n == 0 {
		return 0
	}
	return int64(parseOffsetEntry(p.entries[(n-1)*offsetEntryBytes:]).position)
}

// resume puts the segment into the state before the batch at p.position was appended.
func (s *segment) resume(p indexPrefix) {
	s.size = p.position
	s.offsets.onFile, s.offsets.tail = p.offsets, nil
	s.times.onFile, s.times.tail = p.times, nil
	s.newest, s.newestKnown, s.lastTime = p.newest, true, p.newest.timestamp
	s.sinceIndex = 0
}

// appendedAgain is appended for a batch that a walk after resume comes upon. Those before p.position are known; the
// one there has its entry, if there are any.
func (s *segment) appendedAgain(h header, p indexPrefix, interval int64) {
	switch {
	case h.position < p.position:
	case h.position == p.position && p.offsets > 0:
		s.size, s.sinceIndex = h.end(), h.size
	default:
		s.appended(h.last, h.maxTimestamp, h.size, interval)
	}
}

// cutIndexes cuts the files to what was taken over.
func cutIndexes(fsys vfs.FS, s *segment, p indexPrefix) error {
	return errors.Join(
		cutFile(fsys, s.offsets.path, int64(p.offsets)*offsetEntryBytes, false),
		cutFile(fsys, s.times.path, int64(p.times)*timeEntryBytes, false))
}
