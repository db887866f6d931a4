package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// Of a sealed segment below the recovery point only its end is looked at: whether the next one begins there. No crash
// opens such a joint, but people lose files.

// inspectJoint walks from the last index entry of segment i to its end; without an index that names a batch, over all
// headers.
func (l *Log) inspectJoint(f *facts, i int) error {
	sf, next := &f.segments[i], f.segments[i+1].base
	if next <= f.cleaned {
		return nil // compaction has been here
	}
	s := l.newSegment(sf.base)
	from, err := lastIndexed(l.store.fs, s)
	if err != nil {
		return err
	}
	file, done, err := l.openToInspect(f, sf, s)
	if err != nil {
		return err
	}
	defer s.handle.drop()
	defer done()
	scan := newScanner(file, from, sf.bytes)
	defer scan.done()
	defer func() { f.read += scan.read }()
	sf.next = sf.base
	if _, err := scan.verify(); err != nil && err != io.EOF && !isDamage(err) {
		return err
	} else if err == nil {
		scan.next = from
	} else {
		scan.next = 0 // the index is wrong, which is seen when it is used
	}
	for {
		h, err := scan.peek()
		if err == nil && h.base < sf.next {
			err = fmt.Errorf("%w: offset %d does not follow %d", record.ErrCorrupt, h.base, sf.next-1)
		}
		switch {
		case errors.Is(err, io.EOF):
			f.judgeJoint(sf, next)
			return nil
		case isDamage(err):
			sf.bad, sf.badBelow, sf.badOffset, sf.badAt = err, true, sf.next, scan.next
			return nil
		case err != nil:
			return err
		}
		sf.next, scan.next = h.last+1, h.end()
	}
}

// lastIndexed is the position in the last entry of a segment's offset index, 0 without one.
func lastIndexed(fsys vfs.FS, s *segment) (position int64, err error) {
	file, err := fsys.Open(s.offsets.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() < offsetEntryBytes {
		return 0, err
	}
	b := make([]byte, offsetEntryBytes)
	if _, err := file.ReadAt(b, info.Size()/offsetEntryBytes*offsetEntryBytes-offsetEntryBytes); err != nil && err != io.EOF {
		return 0, err
	}
	return max(0, int64(parseOffsetEntry(b).position)), nil
}

// judgeJoint compares a segment's end with the base of the next. What else is left of a segment between them tells that
// there was one.
func (f *facts) judgeJoint(sf *segmentFacts, next int64) {
	if sf.next >= next {
		return
	}
	gap := fmt.Sprintf("%s ends with offset %d, and the next segment begins with %d", segmentName(sf.base, logExt), sf.next-1, next)
	traces := 0
	for _, name := range f.orphans {
		if base, _, _ := parseSegmentName(name); base >= sf.next && base < next {
			traces++
		}
	}
	for _, s := range f.snapshots {
		if s.offset >= sf.next && s.offset < next {
			traces++
		}
	}
	if traces == 0 {
		f.gaps = append(f.gaps, gap)
		return
	}
	sf.bad, sf.badHole, sf.badBelow = errors.New(gap), true, true
	sf.badOffset, sf.badAt = sf.next, sf.bytes
}
