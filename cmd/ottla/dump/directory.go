package dump

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
)

// partition prints a partition's directory: a line for each segment and one for all, and with Deep every file.
func (d *dumper) partition(dir string) {
	d.at(dir)
	entries, err := d.FS.ReadDir(dir)
	if err != nil {
		d.problem(-1, err)
		return
	}
	d.head("log", d.summary(dir, entries)...)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if kind, base, mark := logstore.KindOf(e.Name()); d.Deep && !e.IsDir() {
			d.file(name)
		} else if kind == logstore.KindSegment && mark == "" {
			d.at(name)
			t := newTally(base)
			if err := d.walk(name, &t, func(vfs.File, logstore.SegmentBatch) {}); err != nil {
				d.problem(-1, err)
			}
			d.line(1, "segment", append([]field{{"baseOffset", base}, {"bytes", t.end}}, t.fields()...)...)
		} else if kind == logstore.KindForeign && metadataPrinters[metadataKind(e.Name())] == nil {
			d.line(1, "foreign", field{"name", e.Name()})
		}
	}
}

// summary is what a partition's directory tells without a look into its segments.
func (d *dumper) summary(dir string, entries []fs.DirEntry) []field {
	var bytes, segments int64
	first, active := int64(-1), ""
	for _, e := range entries {
		kind, base, mark := logstore.KindOf(e.Name())
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // retention took it meanwhile
		}
		if err != nil {
			d.problem(-1, err)
			continue
		}
		if kind == logstore.KindSegment && mark == "" {
			if segments++; first < 0 {
				first = base
			}
			active = e.Name()
			bytes += info.Size()
		}
	}
	fields := []field{{"segments", segments}, {"bytes", bytes}}
	if _, aside, _ := logstore.ParseDirName(path.Base(dir)); aside != "" {
		fields = append(fields, field{"aside", aside})
	}
	if id, err := d.topicID(dir); err != nil {
		d.problem(-1, err)
	} else {
		fields = append(fields, field{"topicId", id})
	}
	if active == "" {
		return fields
	}
	fields = append(fields, field{"firstOffset", first})
	if end, err := d.endOf(path.Join(dir, active)); err != nil {
		d.problem(-1, err)
	} else {
		fields = append(fields, field{"endOffset", end})
	}
	return fields
}

func (d *dumper) topicID(dir string) (any, error) {
	b, err := d.read(path.Join(dir, "partition.metadata"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	id, err := logstore.ParsePartitionMetadata(b)
	if err != nil {
		return nil, fmt.Errorf("partition.metadata: %w", err)
	}
	return id, nil
}

// endOf is one past the last offset of a segment: of the batches from its last index entry on.
func (d *dumper) endOf(segment string) (int64, error) {
	_, base, _ := logstore.KindOf(path.Base(segment))
	file, err := d.FS.Open(segment)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	position := int64(0)
	if b, err := d.read(segment[:len(segment)-len(".log")] + ".index"); err == nil {
		entries, _ := logstore.ParseOffsetIndex(b, base)
		for i := len(entries) - 1; i >= 0; i-- { // the last that is true
			if at := entries[i].Position; at < info.Size() && isBatch(file, at, info.Size()) {
				position = at
				break
			}
		}
	}
	r := logstore.ReadSegment(file, position, info.Size())
	defer r.Close()
	end := base
	for {
		b, err := r.Next()
		if err != nil || b.Checksum != nil || b.Base < end {
			return end, nil // what is wrong is told by who dumps the log
		}
		end = b.Last + 1
	}
}

// dataDirectory prints the files of a data directory, and a line for each log in it.
func (d *dumper) dataDirectory(dir string) {
	d.at(dir)
	entries, err := d.FS.ReadDir(dir)
	if err != nil {
		d.problem(-1, err)
		return
	}
	d.head("directory", field{"entries", len(entries)})
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		_, _, isLog := logstore.ParseDirName(e.Name())
		switch kind, _, _ := logstore.KindOf(e.Name()); {
		case e.IsDir() && isLog && d.Deep:
			d.partition(name)
		case e.IsDir() && isLog:
			d.at(name)
			inside, err := d.FS.ReadDir(name)
			if err != nil {
				d.problem(-1, err)
				continue
			}
			d.head("log", d.summary(name, inside)...)
		case e.IsDir():
			d.at(name)
			d.head("foreign")
		case kind != logstore.KindOffsetCheckpoint || d.Deep:
			d.file(name)
		default:
			d.checked(name)
		}
	}
}

// checked is a checkpoint's head alone: its lines are as many as there are logs.
func (d *dumper) checked(name string) {
	d.at(name)
	b, err := d.read(name)
	if err != nil {
		d.problem(-1, err)
		return
	}
	offsets, err := logstore.ParseOffsetCheckpoint(b)
	d.head("file", field{"type", string(logstore.KindOffsetCheckpoint)}, field{"bytes", len(b)}, field{"logs", len(offsets)})
	if err != nil {
		d.problem(-1, err)
	}
}
