package logstore

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"

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

// look inspects the directory itself, and refuses what is to be refused.
func (s *Store) look(o Options) (err error) {
	if s.found, err = inspectRoot(s.fs, s.dir); err != nil {
		return fmt.Errorf("data directory %s: %w", s.dir, err)
	}
	s.meta, s.known = s.found.meta, s.found.metaIs.is == isGood
	p := decideRoot(s.found, o.ClusterID, o.NodeID)
	if p.refuse == nil {
		if s.retentionClock != nil {
			s.retentionClock.know(s.found.clock)
		}
		return nil
	}
	err = fmt.Errorf("data directory %s: %w", s.dir, p.refuse)
	if isDiskTrouble(err) {
		return err
	}
	return refusal{err}
}

// start recovers what look has found.
func (s *Store) start(o Options) error {
	began := s.now()
	err := s.openVolumes(o)
	if err == nil {
		err = s.open(o)
	}
	if err != nil {
		return errors.Join(err, s.closeVolumes())
	}
	s.space.measure()
	if s.retentionCheck > 0 {
		s.retainAgain()
	}
	s.SetScrub(o.Scrub)
	if f := s.events.Opened; f != nil {
		f(s.dir, len(s.logs), s.clean, s.now().Sub(began))
	}
	return nil
}

// openVolumes opens the file system, once for each of its two users: an error is told once.
func (s *Store) openVolumes(o Options) (err error) {
	if o.MinSyncedTogether < 0 {
		return nil
	}
	for _, into := range []**volume{&s.flusher.volume, &s.checkpoints.volume} {
		v, err := s.fs.Volume(s.dir)
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("data directory %s: %w", s.dir, err)
		}
		*into = &volume{Volume: v}
	}
	return nil
}

func (s *Store) closeVolumes() error {
	var errs []error
	for _, v := range []**volume{&s.flusher.volume, &s.checkpoints.volume} {
		if *v != nil {
			errs = append(errs, (*v).Close())
			*v = nil
		}
	}
	return errors.Join(errs...)
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
	s.found, s.futures = rootFacts{}, found.futures
	p := decideRoot(found, o.ClusterID, o.NodeID)
	if err := s.applyRoot(found, p, o); err != nil {
		return fmt.Errorf("data directory %s: %w", s.dir, err)
	}
	return inParallel(s.each(), 2*runtime.GOMAXPROCS(0), func(l *Log) error {
		if err := l.load(found.known); err != nil {
			_ = l.fail("recovery", err) // this partition only
		}
		return nil
	})
}

// applyRoot does what was decided about the data directory itself, and lists the logs.
func (s *Store) applyRoot(found rootFacts, p rootPlan, o Options) error {
	if err := s.identify(found.meta, p.meta, o); err != nil {
		return err
	}
	var deleted []string
	for _, f := range p.files {
		name := join(s.dir, f.name)
		s.decided(TopicPartition{}, name, f)
		switch f.row.label {
		case "foreign", "stray-log":
			s.foreign(name)
		case "checkpoint-damaged":
			s.failed("reading a checkpoint, which is done without", fmt.Errorf("%s: %w", name, f.err))
		case "deleted-log":
			deleted = append(deleted, name)
		case "clean", "marker-not-believed": // nobody will think so again
			if err := s.fs.Remove(name); err != nil {
				return err
			}
		}
	}
	s.clean = p.clean
	// What a killed process wrote is believed now, and shown: a power cut must not take it back.
	if err := s.syncRoot(); err != nil {
		return err
	}
	for _, tp := range found.partitions {
		s.logs[tp] = s.newLog(tp)
		if point, ok := found.known.points[tp]; ok {
			s.checkpoints.points[tp] = point
		}
		if cleaned, ok := found.known.cleaned[tp]; ok {
			s.checkpoints.cleaned[tp] = cleaned
		}
	}
	for _, named := range []map[TopicPartition]int64{found.known.points, found.known.starts, found.known.cleaned} {
		for tp := range named {
			if s.logs[tp] == nil && !slices.Contains(found.lost, tp) {
				s.checkpoints.gone[tp] = true
			}
		}
	}
	for _, tp := range found.lost { // the checkpoint goes on saying it
		s.lost[tp] = found.known.points[tp]
		s.checkpoints.points[tp] = found.known.points[tp]
	}
	for _, name := range deleted {
		s.timers.after(0, func() { s.removeDir(name) })
	}
	return nil
}

// load brings one log from its files into memory.
func (l *Log) load(known checkpoints) error {
	listing, err := l.finishSwap()
	if err != nil {
		l.keepOffline(facts{logStart: offsetOf(known.starts, l.tp), highWatermark: offsetOf(known.marks, l.tp)})
		return err
	}
	f, err := l.store.inspect(l, known, listing)
	if err == nil {
		p := decide(f)
		if err = p.offline; err == nil {
			err = l.apply(f, p)
		}
		if r := l.store.events.Recovered; err == nil && r != nil && !f.clean {
			r(l.tp, max(f.point, 0), p.end, f.read)
		}
	}
	if err != nil {
		l.keepOffline(f)
	}
	return err
}

// keepOffline remembers what the checkpoints say of a log that is not used, so that they go on saying it.
func (l *Log) keepOffline(f facts) {
	l.topicID = f.topicID
	l.logStart.Store(f.logStart)
	l.highWatermark.Store(max(f.highWatermark, 0))
	l.segments = nil
}

func (s *Store) foreign(path string) {
	if f := s.events.Foreign; f != nil {
		f(path)
	}
}

// identify takes over meta.properties, or makes it.
func (s *Store) identify(m metaProperties, meta *row, o Options) error {
	if meta.do == doKeep {
		s.meta = m
		return nil
	}
	if meta.label == "meta-new" {
		m = metaProperties{clusterID: o.ClusterID, nodeID: o.NodeID}
		if m.clusterID == "" {
			m.clusterID = idText(newID())
		}
		if err := s.checkpoints.writePoints(); err != nil { // see checkpoints.noPoints
			return err
		}
	}
	m.directoryID = newID()
	s.meta = m
	if err := replaceFile(s.fs, join(s.dir, metaName), m.encode()); err != nil {
		return err
	}
	return s.syncRoot()
}

// decided tells of what is not the ordinary course of things.
func (s *Store) decided(tp TopicPartition, name string, p filePlan) {
	f := s.events.Decided
	if f == nil || p.row.quiet {
		return
	}
	why := p.row.says
	if p.err != nil {
		why = p.err.Error()
	}
	f(tp, name, p.row.label, string(p.row.do), why)
}
