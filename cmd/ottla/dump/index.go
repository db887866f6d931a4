package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// offsetIndex prints an offset index, and holds it against the segment if that is there: at every entry's position
// begins a batch that ends with the entry's offset, or, in an index of an older Kafka, before it.
func (d *dumper) offsetIndex(name string, base int64) error {
	entries, err := d.index(name, base, logstore.ParseOffsetIndex)
	if err != nil {
		return err
	}
	for i, e := range entries {
		d.line(1, "entry", field{"entry", i}, field{"offset", e.Offset}, field{"position", e.Position})
	}
	i := 0
	return d.against(name, func(b logstore.SegmentBatch) {
		for ; i < len(entries) && entries[i].Position <= b.Position; i++ {
			if e := entries[i]; e.Position < b.Position || b.Last > e.Offset {
				d.problem(int64(i*8), fmt.Errorf("offset %d is said to be at %d, where no batch ends with it", e.Offset, e.Position))
			}
		}
	}, func(end int64) {
		for ; i < len(entries); i++ {
			d.problem(int64(i*8), fmt.Errorf("offset %d is said to be at %d, and the batches end at %d", entries[i].Offset, entries[i].Position, end))
		}
	})
}

// timeIndex prints a time index, and holds it against the segment: no record up to an entry's offset is newer than it
// says, and the batch with that offset is as new.
func (d *dumper) timeIndex(name string, base int64) error {
	entries, err := d.index(name, base, logstore.ParseTimeIndex)
	if err != nil {
		return err
	}
	for i, e := range entries {
		d.line(1, "entry", field{"entry", i}, field{"timestamp", millis(e.Timestamp)}, field{"offset", e.Offset})
	}
	i, newest := 0, record.NoTimestamp
	return d.against(name, func(b logstore.SegmentBatch) {
		newest = max(newest, b.MaxTimestamp)
		for ; i < len(entries) && entries[i].Offset <= b.Last; i++ {
			if e := entries[i]; e.Offset < b.Base || newest != e.Timestamp {
				d.problem(int64(i*12), fmt.Errorf("offset %d is said to be the first of %d, and up to it the newest is %d", e.Offset, e.Timestamp, newest))
			}
		}
	}, func(int64) {
		for ; i < len(entries); i++ {
			d.problem(int64(i*12), fmt.Errorf("offset %d is not in the segment", entries[i].Offset))
		}
	})
}

func (d *dumper) index(name string, base int64, parse func([]byte, int64) ([]logstore.IndexEntry, []byte)) ([]logstore.IndexEntry, error) {
	b, err := d.read(name)
	if err != nil {
		return nil, err
	}
	entries, rest := parse(b, base)
	if zeros := bytes.Count(rest, []byte{0}); len(rest) > 0 && zeros < len(rest) {
		d.problem(int64(len(b)-len(rest)), fmt.Errorf("%d bytes follow that are no entries and do not ascend", len(rest)))
	} else if len(rest) > 0 {
		d.line(1, "preallocated", field{"bytes", len(rest)})
	}
	return entries, nil
}

// against walks over the segment beside an index. What is wrong with the segment is told with the segment.
func (d *dumper) against(name string, visit func(logstore.SegmentBatch), ended func(end int64)) error {
	segment := name[:strings.LastIndexByte(name, '/')+1+20] + ".log"
	if _, _, mark := logstore.KindOf(name[strings.LastIndexByte(name, '/')+1:]); mark != "" {
		segment += mark // both are on their way out, or in
	}
	file, err := d.FS.Open(segment)
	if errors.Is(err, fs.ErrNotExist) {
		d.line(1, "unchecked", field{"why", "the segment is not there"})
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	r := logstore.ReadSegment(file, 0, info.Size())
	defer r.Close()
	for {
		b, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			ended(r.Position())
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, record.ErrCorrupt):
			d.line(1, "unchecked", field{"from", r.Position()}, field{"why", "the segment is damaged there"})
			return nil
		case err != nil:
			return err
		}
		visit(b)
	}
}
