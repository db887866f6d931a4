package logstore

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"

	"github.com/ottla/ottla/logstore/vfs"
)

// Open takes the directory's lock, reads or makes meta.properties, and recovers every partition, in parallel. It refuses,
// naming both sides and deleting nothing, a directory of another cluster or node, or of a newer format.
func Open(dir string, o Options) (*Store, error) {
	s, err := take(dir, o)
	if err != nil {
		return nil, err
	}
	if err := s.start(o); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// refusal is an error that only a person can put right: the directory is not what this process should work on. Any
// other error of a start is the disk's.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// take takes the directory's lock, and looks at what it holds and whose it is. It changes nothing.
func take(dir string, o Options) (*Store, error) {
	s := newStore(dir, o)
	if err := makeDir(s.fs, dir); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	lock, err := s.fs.Lock(join(dir, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, refuse("data directory %s is in use by another process, which holds %s: %w", dir, lockName, err)
	}
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	s.lock = lock
	if err := s.look(o); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// look lists the directory and reads meta.properties.
func (s *Store) look(o Options) (err error) {
	if s.found, err = s.listRoot(); err != nil {
		return err
	}
	name := join(s.dir, metaName)
	if s.meta, s.known, err = readMetaProperties(s.fs, name); err != nil {
		err = fmt.Errorf("%w; nothing was changed", err)
		if isDiskTrouble(err) {
			return err
		}
		return refusal{err}
	}
	switch n := len(s.found.partitions); {
	case s.known:
		return s.meta.checkIdentity(name, o.ClusterID, o.NodeID)
	case n > 0:
		return refuse("%s is missing, and there are %d partitions in the directory: restore it, or choose an empty directory; nothing was changed", name, n)
	}
	return nil
}

// start recovers what look has found.
func (s *Store) start(o Options) error {
	began := s.now()
	if err := s.open(o); err != nil {
		return err
	}
	s.space.measure()
	if s.retentionCheck > 0 {
		s.retainAgain()
	}
	if f := s.events.Opened; f != nil {
		f(s.dir, len(s.logs), s.clean, s.now().Sub(began))
	}
	return nil
}

// makeDir makes a directory and those above it, durably.
func makeDir(fsys vfs.FS, dir string) error {
	if _, err := fsys.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := path.Dir(path.Clean(dir))
	if err := makeDir(fsys, parent); err != nil {
		return err
	}
	if err := fsys.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return fsys.SyncDir(parent)
}

func (s *Store) open(o Options) error {
	found := s.found
	s.found, s.futures = root{}, found.futures
	if err := s.identify(o); err != nil {
		return err
	}
	known, err := s.readCheckpoints()
	if err != nil {
		return err
	}
	if s.clean, err = s.takeMarker(); err != nil {
		return err
	}
	if !s.clean { // what a killed process wrote is believed now, and shown: a power cut must not take it back
		if err := s.syncRoot(); err != nil {
			return err
		}
	}
	for _, tp := range found.partitions {
		s.logs[tp] = s.newLog(tp)
		if point, ok := known.points[tp]; ok {
			s.checkpoints.points[tp] = point
		}
		if cleaned, ok := known.cleaned[tp]; ok {
			s.checkpoints.cleaned[tp] = cleaned
		}
	}
	for _, named := range []map[TopicPartition]int64{known.points, known.starts, known.cleaned} {
		for tp := range named {
			if s.logs[tp] == nil {
				s.checkpoints.gone[tp] = true
			}
		}
	}
	for _, dir := range found.deleted {
		s.timers.after(0, func() { s.removeDir(dir) })
	}
	return inParallel(s.each(), 2*runtime.GOMAXPROCS(0), func(l *Log) error {
		if err := l.load(known); err != nil {
			_ = l.fail("recovery", err) // this partition only
		}
		return nil
	})
}

// load brings one log from its files into memory.
func (l *Log) load(known checkpoints) error {
	if err := l.finishSwap(); err != nil {
		l.keepOffline(facts{logStart: offsetOf(known.starts, l.tp), highWatermark: offsetOf(known.marks, l.tp)})
		return err
	}
	f, err := l.store.inspect(l, known)
	for _, name := range f.foreign {
		l.store.foreign(join(l.dir, name))
	}
	p := decide(f)
	if err == nil {
		err = p.offline
	}
	if err == nil {
		err = l.apply(f, p)
	}
	if err != nil {
		l.keepOffline(f)
		return err
	}
	if r := l.store.events.Recovered; r != nil && !f.clean {
		r(l.tp, max(f.point, 0), p.end, f.read)
	}
	return nil
}

// keepOffline remembers what the checkpoints say of a log that is not used, so that they go on saying it.
func (l *Log) keepOffline(f facts) {
	l.topicID = f.topicID
	l.logStart.Store(f.logStart)
	l.highWatermark.Store(max(f.highWatermark, 0))
	l.segments = nil
}

// root is what a data directory holds.
type root struct {
	partitions []TopicPartition
	deleted    []string
	futures    []future
}

// future is the directory of a copy that a move from another directory began.
type future struct {
	tp  TopicPartition
	dir string
}

// listRoot sorts the directory's names. What is not known is left alone.
func (s *Store) listRoot() (found root, err error) {
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return found, fmt.Errorf("data directory %s: %w", s.dir, err)
	}
	for _, e := range entries {
		name := e.Name()
		tp, isPartition := parsePartitionDir(name)
		switch {
		case e.IsDir() && strings.HasSuffix(name, deleteSuffix) && strings.Contains(name, "."):
			found.deleted = append(found.deleted, join(s.dir, name))
		case e.IsDir() && strings.HasSuffix(name, futureSuffix):
			if tp, ok := parseFutureDir(name); ok {
				found.futures = append(found.futures, future{tp, join(s.dir, name)})
			} else {
				s.foreign(join(s.dir, name))
			}
		case e.IsDir() && isPartition:
			found.partitions = append(found.partitions, tp)
		case ownName(strings.TrimSuffix(name, tmpExt)):
		default:
			s.foreign(join(s.dir, name))
		}
	}
	return found, nil
}

func ownName(name string) bool {
	switch name {
	case lockName, metaName, cleanShutdownName, recoveryPointName, highWatermarkName, logStartName, cleanerName, probeName:
		return true
	}
	return false
}

func (s *Store) foreign(path string) {
	if f := s.events.Foreign; f != nil {
		f(path)
	}
}

// identify makes meta.properties where look has found none, or none with a directory id.
func (s *Store) identify(o Options) error {
	if s.known && s.meta.directoryID != [16]byte{} {
		return nil
	}
	if s.known {
		s.meta.directoryID = newID()
	} else {
		s.meta = metaProperties{o.ClusterID, o.NodeID, newID()}
		if s.meta.clusterID == "" {
			s.meta.clusterID = idText(newID())
		}
		if err := s.checkpoints.writePoints(); err != nil { // see checkpoints.noPoints
			return err
		}
	}
	if err := replaceFile(s.fs, join(s.dir, metaName), s.meta.encode()); err != nil {
		return err
	}
	return s.syncRoot()
}

// checkpoints are what the files of offsets in the data directory say of every log.
type checkpoints struct {
	points, starts, marks map[TopicPartition]int64
	// noPoints: the recovery points could not be read. A log without one is then not simply a new one.
	noPoints bool
	// cleaned is how far each log is compacted: below it, a hole between offsets is what Kafka's compaction leaves.
	cleaned map[TopicPartition]int64
}

// readCheckpoints reads them. Each is a shortcut: if it is missing or damaged, logs are read as a whole. A disk that
// does not answer is another matter.
func (s *Store) readCheckpoints() (c checkpoints, err error) {
	for name, into := range map[string]*map[TopicPartition]int64{
		recoveryPointName: &c.points, logStartName: &c.starts, highWatermarkName: &c.marks, cleanerName: &c.cleaned,
	} {
		offsets, err := readOffsets(s.fs, join(s.dir, name))
		if errors.Is(err, errBadCheckpoint) {
			s.failed("reading a checkpoint, which is done without", err)
		} else if err != nil {
			return c, fmt.Errorf("data directory %s: %w", s.dir, err)
		}
		*into = offsets
	}
	c.noPoints = c.points == nil
	return c, nil
}

// takeMarker tells whether the directory was closed cleanly, and makes sure that nobody will think so again.
func (s *Store) takeMarker() (clean bool, err error) {
	name := join(s.dir, cleanShutdownName)
	if _, err := s.fs.Stat(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	if err := s.fs.Remove(name); err != nil {
		return false, err
	}
	return true, s.syncRoot()
}
