// Package dump prints what stands in the files of a data directory: every kind that FORMAT.md names. It reads only, takes
// no lock, and so may look at a directory that a broker is using; the end of a file may then be half-written.
//
//	dump.go         which printer a path gets
//	printer.go      lines: words for people, or one JSON object each
//	segment.go      batches, and where to go on behind bytes that are none
//	records.go      records; those of internal topics decoded
//	legacy.go       messages of formats v0 and v1, also those inside of others
//	describe.go     decoded records as JSON
//	index.go        offset and time index, held against the segment
//	small.go        checkpoints, snapshots, marks
//	metadata.go     the metadata log's own files
//	directory.go    a partition's directory, a data directory
package dump

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/ottla/ottla/coordinator/quorum"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
)

// Options say what is printed.
type Options struct {
	FS   vfs.FS
	JSON bool // one object a line
	// Records are printed, not only the batches around them.
	Records bool
	// Raw prints the records of internal topics as bytes.
	Raw bool
	// Deep goes into every file of a directory.
	Deep bool
}

// Paths prints files and directories, and says how many things were wrong in them. The error is one of writing to w.
func Paths(w io.Writer, paths []string, o Options) (wrong int, err error) {
	d := &dumper{Options: o, printer: newPrinter(w, o.JSON)}
	for _, name := range paths {
		d.path(path.Clean(name))
	}
	return d.wrong, d.flush()
}

type dumper struct {
	Options
	*printer
}

func (d *dumper) path(name string) {
	info, err := d.FS.Stat(name)
	switch {
	case err != nil:
		d.at(name)
		d.problem(-1, err)
	case !info.IsDir():
		d.file(name)
	case d.isPartition(name):
		d.partition(name)
	default:
		d.dataDirectory(name)
	}
}

// isPartition tells a partition's directory by its name, or by a segment in it.
func (d *dumper) isPartition(dir string) bool {
	if _, _, ok := logstore.ParseDirName(path.Base(dir)); ok {
		return true
	}
	entries, _ := d.FS.ReadDir(dir)
	for _, e := range entries {
		if kind, _, _ := logstore.KindOf(e.Name()); kind == logstore.KindSegment {
			return true
		}
	}
	return false
}

// file prints one file.
func (d *dumper) file(name string) {
	d.at(name)
	kind, base, mark := logstore.KindOf(path.Base(name))
	what := string(kind)
	if kind == logstore.KindForeign {
		what = metadataKind(path.Base(name))
	}
	info, err := d.FS.Stat(name)
	if err != nil {
		d.problem(-1, err)
		return
	}
	fields := []field{{"type", what}, {"bytes", info.Size()}}
	if base >= 0 {
		fields = append(fields, field{"baseOffset", base})
	}
	if mark != "" {
		fields = append(fields, field{"mark", mark})
	}
	d.head("file", fields...)
	print := printers[kind]
	if kind == logstore.KindForeign {
		print = metadataPrinters[what]
	}
	if print == nil {
		return // an empty mark, or not ours to read
	}
	if err := print(d, name, base); err != nil {
		d.problem(-1, err)
	}
}

// printers print a file behind its head. An error is a problem of the file.
var printers map[logstore.FileKind]func(d *dumper, name string, base int64) error

func init() { // not in the declaration: directories print files
	printers = map[logstore.FileKind]func(*dumper, string, int64) error{
		logstore.KindSegment:           (*dumper).segment,
		logstore.KindOffsetIndex:       (*dumper).offsetIndex,
		logstore.KindTimeIndex:         (*dumper).timeIndex,
		logstore.KindTxnIndex:          (*dumper).txnIndex,
		logstore.KindProducerSnapshot:  (*dumper).producerSnapshot,
		logstore.KindLeaderEpochs:      (*dumper).leaderEpochs,
		logstore.KindPartitionMetadata: (*dumper).partitionMetadata,
		logstore.KindOffsetCheckpoint:  (*dumper).offsetCheckpoint,
		logstore.KindMetaProperties:    (*dumper).metaProperties,
		logstore.KindCleanShutdown:     (*dumper).cleanShutdown,
		logstore.KindRetentionClock:    (*dumper).retentionClock,
		logstore.KindSyncFailed:        (*dumper).syncFailed,
	}
}

const (
	kindState      = "quorum state"
	kindImage      = "metadata snapshot"
	kindCheckpoint = "Apache Kafka's metadata snapshot"
)

var metadataPrinters = map[string]func(d *dumper, name string, base int64) error{
	kindState:      (*dumper).quorumState,
	kindImage:      (*dumper).image,
	kindCheckpoint: (*dumper).segment,
}

func metadataKind(name string) string {
	name = strings.TrimSuffix(name, ".tmp")
	switch {
	case name == quorum.StateName:
		return kindState
	case quorum.IsSnapshot(name):
		return kindImage
	case strings.HasSuffix(name, ".checkpoint"):
		return kindCheckpoint
	}
	return string(logstore.KindForeign)
}

// smallMax bounds what is read into memory whole.
const smallMax = 256 << 20

func (d *dumper) read(name string) ([]byte, error) {
	f, err := d.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > smallMax {
		return nil, fmt.Errorf("%d bytes is more than such a file can have", info.Size())
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}
