package logstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// rootFacts are what the data directory holds beside the logs' own files.
type rootFacts struct {
	tookOver   bool // the metadata log of an Apache Kafka was set aside
	dir        string
	partitions []TopicPartition
	futures    []future
	lost       []TopicPartition // that had records, and have no directory
	names      []namedFacts     // the others
	meta       metaProperties
	metaIs     fileFacts
	marker     fileFacts
	files      map[string]fileFacts // offset checkpoints, by name
	known      checkpoints
	// clock is the latest time that is known to have come, zero if none is.
	clock time.Time
}

// future is the directory of a copy that a move from another directory began.
type future struct {
	tp  TopicPartition
	dir string
}

// namedFacts is a name and what it looks like.
type namedFacts struct{ name, is string }

// fileFacts are a small file's content, as a value of contentFact, and what was wrong with it.
type fileFacts struct {
	is  string
	err error
}

// readSmall reads a small file and has it parsed.
func readSmall(fsys vfs.FS, name string, parse func(data []byte) error) fileFacts {
	data, err := readFile(fsys, name)
	var parseErr error
	if err == nil {
		parseErr = parse(data)
	}
	is := contentOf(data, err, parseErr)
	switch is {
	case isUnreadable:
		return fileFacts{is, err}
	case isDamaged, isNewer:
		return fileFacts{is, parseErr}
	case isEmpty:
		return fileFacts{is, errors.New("nothing is in it")}
	}
	return fileFacts{is: is}
}

// checkpoints are what the files of offsets in the data directory say of every log.
type checkpoints struct {
	points, starts, marks map[TopicPartition]int64
	// cleaned is how far Kafka's cleaner came: below it, a hole between offsets is what compaction leaves.
	cleaned map[TopicPartition]int64
	// noPoints: the recovery points could not be read. A log without one is then not simply a new one.
	noPoints bool
	// noCleaned: neither could how far Kafka's cleaner came.
	noCleaned bool
}

// inspectRoot reads the data directory's own files, and changes nothing.
func inspectRoot(fsys vfs.FS, dir string) (f rootFacts, err error) {
	f = rootFacts{dir: dir, files: map[string]fileFacts{}}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return f, err
	}
	for _, e := range entries {
		f.list(e)
	}
	f.metaIs = readSmall(fsys, join(dir, metaName), func(data []byte) (err error) {
		f.meta, err = parseMetaProperties(data)
		return err
	})
	f.marker = readSmall(fsys, join(dir, cleanShutdownName), parseMarkerFile)
	for name, into := range map[string]*map[TopicPartition]int64{
		recoveryPointName: &f.known.points, logStartName: &f.known.starts, highWatermarkName: &f.known.marks, cleanerName: &f.known.cleaned,
	} {
		is := readSmall(fsys, join(dir, name), func(data []byte) error {
			offsets, err := parseOffsets(data)
			if err == nil && len(data) > 0 {
				*into = offsets
			}
			return err
		})
		f.files[name] = is
	}
	f.listLost()
	f.known.noPoints = f.known.points == nil
	f.known.noCleaned = f.files[cleanerName].is == isDamaged
	f.files[retentionClockName] = readSmall(fsys, join(dir, retentionClockName), func(data []byte) (err error) {
		f.clock, err = parseClock(data)
		return err
	})
	if info, err := fsys.Stat(join(dir, recoveryPointName)); err == nil && f.clock.IsZero() && info.ModTime().Unix() > 0 {
		f.clock = info.ModTime() // at least; what was unpacked from an image may have none
	}
	return f, nil
}

// list puts a name where it belongs.
func (f *rootFacts) list(e fs.DirEntry) {
	name := e.Name()
	tp, isPartition := parsePartitionDir(name)
	is := fileOther
	switch {
	case e.IsDir() && isPartition:
		f.partitions = append(f.partitions, tp)
		return
	case !e.IsDir() && ownName(strings.TrimSuffix(name, tmpExt)):
		return
	case e.IsDir() && name == kafkaMetadataName:
		f.tookOver = true
		return
	case !e.IsDir():
	case isSetAside(name, deleteSuffix):
		is = dirDelete
	case isSetAside(name, straySuffix):
		is = dirStray
	default:
		is = dirOther
		if tp, ok := parseFutureDir(name); ok && isSetAside(name, futureSuffix) {
			f.futures = append(f.futures, future{tp, join(f.dir, name)})
			is = dirFuture
		}
	}
	f.names = append(f.names, namedFacts{name, is})
}

// listLost notes logs that had records and have no directory any more. Of a log that was deleted, the checkpoints forget
// it before its directory is removed.
func (f *rootFacts) listLost() {
	there := map[TopicPartition]bool{}
	for _, tp := range f.partitions {
		there[tp] = true
	}
	for tp, point := range f.known.points {
		if point == 0 || there[tp] || f.isSetAside(tp) || f.tookOver && tp.String() == metadataLogName {
			continue
		}
		f.lost = append(f.lost, tp)
	}
	slices.SortFunc(f.lost, compareTopicPartitions)
	for _, tp := range f.lost {
		f.names = append(f.names, namedFacts{tp.String(), dirLost})
	}
}

// isSetAside tells whether a directory that is not in use any more, or not yet, may be the log's.
func (f *rootFacts) isSetAside(tp TopicPartition) bool {
	for _, n := range f.names {
		m := setAsideForm.FindStringSubmatch(n.name)
		if m == nil || n.is == dirOther || n.is == fileOther {
			continue
		}
		at := strings.LastIndexByte(n.name, '.')
		topic, partition, _ := cutLast(n.name[:at], '-')
		if partition == strconv.Itoa(int(tp.Partition)) && strings.HasPrefix(tp.Topic, topic) {
			return true
		}
	}
	return false
}

// cutLast cuts at the last sep.
func cutLast(s string, sep byte) (before, after string, found bool) {
	if at := strings.LastIndexByte(s, sep); at >= 0 {
		return s[:at], s[at+1:], true
	}
	return s, "", false
}

// setAsideForm is what setAside makes: anything that only resembles it is somebody else's. The topic may be cut short.
var setAsideForm = regexp.MustCompile(`^.+-[0-9]+\.[0-9a-f]{32}(-[a-z]+)$`)

func isSetAside(name, suffix string) bool {
	m := setAsideForm.FindStringSubmatch(name)
	return m != nil && m[1] == suffix
}

func ownName(name string) bool {
	switch name {
	case lockName, metaName, cleanShutdownName, recoveryPointName, highWatermarkName, logStartName, cleanerName, retentionClockName, probeName, bootstrapName:
		return true
	}
	return false
}

// parseMarkerFile looks at the version only: that the file is there is all that it says to a store.
func parseMarkerFile(data []byte) error {
	if len(bytes.Trim(data, "\x00")) == 0 {
		return nil
	}
	var marker struct{ Version *int64 }
	if err := json.Unmarshal(data, &marker); err != nil {
		return err
	}
	if marker.Version == nil || *marker.Version != 0 {
		return versionError(max(-1, deref(marker.Version)), 0)
	}
	return nil
}

func deref(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// used tells whether somebody's records are, or were, in the directory.
func (f *rootFacts) used() bool {
	for _, n := range f.names {
		if n.is == dirDelete || n.is == dirStray || n.is == dirFuture {
			return true
		}
	}
	return len(f.partitions)+len(f.known.points)+len(f.known.starts)+len(f.known.marks) > 0
}

// filePlan is what is done with one file, and why.
type filePlan struct {
	name string
	row  *row
	err  error // what is wrong with it
}

// rootPlan is what a start does with the data directory itself.
type rootPlan struct {
	refuse error
	clean  bool // everything in it is durable
	meta   *row
	files  []filePlan
}

// decideRoot knows nothing but the facts, and who asks.
func decideRoot(f rootFacts, clusterID string, nodeID int32) (p rootPlan) {
	add := func(name string, t *table, is fileFacts, more ...string) *row {
		r := t.find(append([]string{is.is}, more...)...)
		p.files = append(p.files, filePlan{name, r, is.err})
		return r
	}
	owner, identity := ofUs, error(nil)
	if f.metaIs.is == isGood {
		owner, identity = f.meta.ownedBy(join(f.dir, metaName), clusterID, nodeID)
	}
	meta := f.metaIs
	if identity != nil {
		meta.err = identity
	}
	p.meta = add(metaName, &metaTable, meta, choose(f.used(), isUsed, isUnused), owner, choose(f.meta.directoryID != [16]byte{}, hasID, hasNoID))
	p.clean = add(cleanShutdownName, &markerTable, f.marker).label == "clean"
	for _, name := range []string{recoveryPointName, logStartName, highWatermarkName, cleanerName, retentionClockName} {
		add(name, &offsetsTable, f.files[name])
	}
	for _, n := range f.names {
		add(n.name, &rootTable, fileFacts{is: n.is})
	}
	for _, file := range p.files {
		if file.row.do == doRefuse && p.refuse == nil {
			p.refuse = f.refusal(file)
		}
	}
	return p
}

// refusal says why the directory is refused, and what to do.
func (f *rootFacts) refusal(file filePlan) error {
	name, label := join(f.dir, file.name), file.row.label
	switch label {
	case "meta-other-cluster", "meta-other-node":
		return file.err
	case "meta-lost":
		return fmt.Errorf("%s: %s is missing, and there are %d partitions in the directory: restore it, or choose an empty directory; nothing was changed", label, name, len(f.partitions))
	case "meta-damaged":
		return fmt.Errorf("%s: %s: %w: restore it (version=1, cluster.id and node.id); nothing was changed", label, name, file.err)
	case "meta-newer", "checkpoint-newer":
		return fmt.Errorf("%s: %s: %w: start the software that wrote it; nothing was changed", label, name, file.err)
	}
	return fmt.Errorf("%s: %s cannot be read: %w: the disk may be failing; nothing was changed", label, name, file.err)
}
