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
}

// trust says what may be believed of an index.
type trust struct {
	// below: entries for batches at or above this offset, or this position, are not believed.
	offset, position int64
	// paired: neither index is behind the other, because this process has just written both. After a power cut, or
	// in other hands, each may have lost its end on its own.
	paired bool
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
	switch {
	case t.paired:
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
	if h, err := scan.header(); err != nil || h.last > p.last || scan.isBatch(h) != nil {
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

// resume puts the segment into the state before the batch at p.position was appended.
func (s *segment) resume(p indexPrefix) {
	s.size = p.position
	s.offsets.onFile, s.offsets.tail = p.offsets, nil
	s.times.onFile, s.times.tail = p.times, nil
	s.newest, s.newestKnown, s.lastTime = p.newest, true, p.newest.timestamp
	s.sinceIndex = 0
}

// appendedAgain is appended for a batch that the walk after resume comes upon. The first one has its entry, if there
// are any.
func (s *segment) appendedAgain(h header, p indexPrefix, interval int64) {
	if p.offsets > 0 && h.position == p.position {
		s.size, s.sinceIndex = h.end(), h.size
		return
	}
	s.appended(h.last, h.maxTimestamp, h.size, interval)
}

// cutIndexes cuts the files to what was taken over.
func cutIndexes(fsys vfs.FS, s *segment, p indexPrefix) error {
	return errors.Join(
		cutFile(fsys, s.offsets.path, int64(p.offsets)*offsetEntryBytes, false),
		cutFile(fsys, s.times.path, int64(p.times)*timeEntryBytes, false))
}
