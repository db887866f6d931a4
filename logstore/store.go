package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
)

// Options say how a store is opened. Zero fields get the defaults named.
type Options struct {
	FS        vfs.FS           // vfs.OS()
	Now       func() time.Time // time.Now
	NodeID    int32            // checked against meta.properties
	ClusterID string           // checked against meta.properties; "" takes what it says, or makes one
	PageCache bool             // the mode of logs until SetConfig says otherwise
	Cleaner   *Cleaner         // compacts logs; nil: nobody does
	Events    Events

	RetentionCheckMs       int64 // log.retention.check.interval.ms; 0: only who calls ApplyRetention
	ProducerIDExpirationMs int64 // producer.id.expiration.ms (86400000)
	MaxOpenSegments        int   // segment files open at once (4096)
	MaxParallelSyncs       int   // 16
	MinSyncedTogether      int   // so many logs that wait are synced by one sync of the file system (16); negative: never
	Space                  SpaceLimits
	Scrub                  ScrubConfig
	// RetentionClock says what is old. Nil goes by Now.
	RetentionClock *RetentionClock
}

// Store is a data directory of partition logs. It holds the directory's lock until Close.
type Store struct {
	dir                  string
	fs                   vfs.FS
	now                  func() time.Time
	events               Events
	cleaner              *Cleaner
	config               LogConfig // of logs until SetConfig says otherwise
	retentionCheck       time.Duration
	retentionClock       *RetentionClock // nil: now
	producerExpirationMs atomic.Int64

	meta  metaProperties
	known bool // meta was read, not made
	clean bool
	found rootFacts // by look, until open
	// futures are copies that a move had begun before the start, until they are removed.
	futures []future
	lock    io.Closer
	health
	closed atomic.Bool
	// renaming: a timer will sync the data directory's names.
	renaming atomic.Bool

	minTogether int
	handles     handlePool
	timers      timers
	flusher     flusher
	checkpoints checkpointer
	space       space
	removals    removals
	scrub       scrubber

	retaining sync.Mutex // makes runs of retention one after the other; taken before all others
	naming    sync.Mutex // makes creations and deletions one after the other; the first lock taken
	mu        sync.RWMutex
	logs      map[TopicPartition]*Log // guarded by mu
	// lost are the recovery points of logs that had records and whose directory is not there. Guarded by naming.
	lost map[TopicPartition]int64
}

func newStore(dir string, o Options) *Store {
	s := &Store{
		dir: dir, fs: o.FS, now: o.Now, events: o.Events, cleaner: o.Cleaner,
		config:         DefaultLogConfig(),
		retentionCheck: time.Duration(o.RetentionCheckMs) * time.Millisecond,
		retentionClock: o.RetentionClock,
		logs:           map[TopicPartition]*Log{},
		lost:           map[TopicPartition]int64{},
	}
	if s.fs == nil {
		s.fs = vfs.OS()
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.SetProducerIDExpiration(o.ProducerIDExpirationMs)
	s.config.PageCache = o.PageCache
	s.fs = patientFS{s.fs, s.handles.closeIdle}
	s.handles.fs, s.handles.max, s.handles.timers, s.handles.crowded = s.fs, o.MaxOpenSegments, &s.timers, s.flusher.enqueueLazy
	if s.handles.max <= 0 {
		s.handles.max = 4096
	}
	s.flusher.max, s.flusher.sync, s.flusher.syncAll, s.flusher.timers, s.flusher.now = o.MaxParallelSyncs, (*Log).syncDirty, s.syncTogether, &s.timers, s.now
	s.minTogether = cmp.Or(o.MinSyncedTogether, minTogether)
	s.flusher.choice.min = s.minTogether
	if s.flusher.max <= 0 {
		s.flusher.max = 16
	}
	s.space.store, s.space.mu.decider.limits = s, o.Space
	s.removals.store, s.scrub.store = s, s
	s.checkpoints.store, s.checkpoints.points, s.checkpoints.gone = s, map[TopicPartition]int64{}, map[TopicPartition]bool{}
	s.checkpoints.cleaned, s.checkpoints.adopted = map[TopicPartition]int64{}, map[TopicPartition]int64{}
	return s
}

func (s *Store) newLog(tp TopicPartition) *Log {
	l := &Log{store: s, tp: tp, dir: join(s.dir, tp.String()), config: s.config, txns: newTransactions(), snapshotAt: -1, cutting: math.MaxInt64}
	l.producers = newProducerState(0)
	return l
}

// ClusterID is the cluster that the directory belongs to.
func (s *Store) ClusterID() string { return s.meta.clusterID }

// DirectoryID identifies the directory (directory.id in meta.properties).
func (s *Store) DirectoryID() [16]byte { return s.meta.directoryID }

// WasClean tells whether the directory had been closed cleanly.
func (s *Store) WasClean() bool { return s.clean }

// Dir is the directory.
func (s *Store) Dir() string { return s.dir }

// DiskUsage is the size of the file system and what is left of it, in bytes.
func (s *Store) DiskUsage() (total, usable int64, err error) {
	t, u, err := s.fs.DiskUsage(s.dir)
	return int64(t), int64(u), err
}

// Get is the partition's log, nil if there is none.
func (s *Store) Get(tp TopicPartition) *Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.logs[tp]
}

// All are the logs, by topic and partition. Those found damaged at Open are among them, with Err set.
func (s *Store) All() []*Log {
	logs := s.each()
	slices.SortFunc(logs, func(a, b *Log) int { return compareTopicPartitions(a.tp, b.tp) })
	return logs
}

// count is how many logs there are.
func (s *Store) count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.logs)
}

// each is All in any order.
func (s *Store) each() []*Log {
	s.mu.RLock()
	defer s.mu.RUnlock()
	logs := make([]*Log, 0, len(s.logs))
	for _, l := range s.logs {
		logs = append(logs, l)
	}
	return logs
}

// lostError says that a log had records and its directory is not there. naming is held.
func (s *Store) lostError(tp TopicPartition) error {
	point, lost := s.lost[tp]
	if !lost || mutant.Is(mutant.BelieveEmptiness) {
		return nil
	}
	return fmt.Errorf("lost-log: %s is missing, and %s says that it was durable up to offset %d: restore it from a replica or a backup; or, to have it begin again empty, stop the broker and take the log's line out of that file",
		join(s.dir, tp.String()), join(s.dir, recoveryPointName), point)
}

// missing is the answer for a log that was here and is lost, nil for any other.
func (s *Store) missing(tp TopicPartition) error {
	s.naming.Lock()
	defer s.naming.Unlock()
	if err := s.lostError(tp); err != nil {
		return protocol.Errorf(protocol.KafkaStorageError, "%s: %v", tp, err)
	}
	return nil
}

// forgetLost says that a log is a new one, whatever there was of its name.
func (s *Store) forgetLost(tp TopicPartition) {
	s.naming.Lock()
	defer s.naming.Unlock()
	if _, lost := s.lost[tp]; !lost {
		return
	}
	delete(s.lost, tp)
	s.checkpoints.writing.Lock()
	defer s.checkpoints.writing.Unlock()
	delete(s.checkpoints.points, tp)
	s.checkpoints.gone[tp] = true
}

// Create makes a partition's directory with one empty segment. If the log exists, it is returned with its new config;
// one of another topic id is InconsistentTopicID. The directory is durable with the first append that is.
func (s *Store) Create(tp TopicPartition, topicID [16]byte, c LogConfig) (*Log, error) {
	if err := tp.valid(); err != nil {
		return nil, protocol.Errorf(protocol.InvalidTopicException, "%v", err)
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	l := s.Get(tp)
	if l == nil {
		l = s.newLog(tp)
		if err := errors.Join(s.Err(), s.lostError(tp)); err != nil {
			return nil, l.storageError(err)
		}
		l.topicID = topicID
		if err := s.checkpoints.forget(tp); err != nil {
			return nil, l.storageError(err)
		}
		if _, err := s.fs.Stat(l.dir); !errors.Is(err, fs.ErrNotExist) {
			// It came after the start: somebody has restored it, and only a start can see what it is.
			return nil, l.storageError(errors.Join(err, fmt.Errorf("%s is there already: start again to have it recovered", l.dir)))
		}
		if err := s.fs.MkdirAll(l.dir, 0o755); err != nil {
			return nil, l.storageError(err)
		}
		if err := l.create(); err != nil {
			return nil, errors.Join(l.storageError(err), s.fs.RemoveAll(l.dir))
		}
		s.mu.Lock()
		s.logs[tp] = l
		s.mu.Unlock()
		if f := s.events.Created; f != nil {
			f(tp, topicID)
		}
	}
	if l.topicID == [16]byte{} && topicID != [16]byte{} && l.Err() == nil {
		if err := l.adopt(topicID); err != nil {
			return nil, l.storageError(err)
		}
	}
	if l.topicID != topicID && l.Err() == nil {
		return nil, protocol.Errorf(protocol.InconsistentTopicID, "%s holds the log of topic id %s, not of %s", l.dir, idText(l.topicID), idText(topicID))
	}
	l.SetConfig(c)
	return l, nil
}

// create fills the directory that was made.
func (l *Log) create() error {
	if err := writeFile(l.store.fs, join(l.dir, partitionName), encodePartitionMetadata(l.topicID), false); err != nil {
		return err
	}
	l.segments = []*segment{l.newSegment(0)}
	l.newborn, l.dirDirty = true, true
	return l.createSegmentFile(l.segments[0])
}

// adopt gives a log that knows no topic id the one it must have: a crash came between its directory and the file.
func (l *Log) adopt(topicID [16]byte) error {
	if err := replaceFile(l.store.fs, join(l.dir, partitionName), encodePartitionMetadata(topicID)); err != nil {
		return err
	}
	l.topicID = topicID
	if err := l.store.fs.SyncDir(l.dir); err != nil {
		return err
	}
	l.nameless.Store(false)
	l.store.checkpoints.note(l, 0)
	return nil
}

// Delete takes a partition away: its directory is renamed at once and removed after file.delete.delay.ms. What was read
// from it before stays readable.
func (s *Store) Delete(tp TopicPartition) error {
	l, dir, err := s.takeAway(tp, deleteSuffix)
	if l == nil && err == nil {
		s.forgetLost(tp)
	}
	if l == nil || err != nil {
		return err
	}
	s.syncRootSoon()
	s.removals.after(l.configuration().fileDeleteDelay(), func() { s.removeDir(dir) })
	if f := s.events.Removed; f != nil {
		f(tp)
	}
	return nil
}

// Stray takes a partition away that the metadata does not know, and keeps its directory under another name.
func (s *Store) Stray(tp TopicPartition) error {
	l, dir, err := s.takeAway(tp, straySuffix)
	if l == nil || err != nil {
		return err
	}
	s.syncRootSoon()
	if f := s.events.Foreign; f != nil {
		f(dir)
	}
	return nil
}

// SetAside takes a partition away and keeps its directory under a name that no partition can have, durably.
func (s *Store) SetAside(tp TopicPartition, name string) error {
	l, _, err := s.takeAwayTo(tp, name)
	if l == nil || err != nil {
		return err
	}
	return s.syncRoot()
}

func (s *Store) removeFilesIn(dir string) error {
	entries, err := s.fs.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, removeFile(s.fs, join(dir, e.Name())))
	}
	return err
}

// takeAway renames a partition's directory and forgets the log. Nil if there is none.
func (s *Store) takeAway(tp TopicPartition, suffix string) (l *Log, dir string, err error) {
	return s.takeAwayTo(tp, setAside(tp, suffix))
}

func (s *Store) takeAwayTo(tp TopicPartition, name string) (l *Log, dir string, err error) {
	if l := s.Get(tp); l != nil {
		defer l.pauseCompaction()()
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	if l = s.Get(tp); l == nil {
		return nil, "", nil
	}
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	s.checkpoints.writing.Lock()
	defer s.checkpoints.writing.Unlock()
	dir = join(s.dir, name)
	if err := s.fs.Rename(l.dir, dir); err != nil {
		return nil, "", l.storageError(err)
	}
	s.mu.Lock()
	delete(s.logs, tp)
	s.mu.Unlock()
	delete(s.checkpoints.points, tp)
	delete(s.checkpoints.cleaned, tp)
	s.checkpoints.gone[tp] = true
	gone := protocol.Errorf(protocol.UnknownTopicOrPartition, "%s was deleted", tp)
	l.offline.Store(&offlineError{gone})
	l.refuseWaiters(gone)
	l.mu.Lock()
	unsynced := l.unsynced
	l.unsynced = nil
	for _, seg := range l.segments {
		seg.handle.drop()
	}
	l.mu.Unlock()
	for _, seg := range unsynced {
		seg.handle.release()
	}
	return l, dir, nil
}

func (s *Store) removeDir(dir string) {
	err := s.checkpoints.forgetAll() // or the next start would miss it
	if isShortage(err) {
		// What is in the directory makes room for that; its name goes on telling that it was deleted.
		if err = errors.Join(s.syncRoot(), s.removeFilesIn(dir)); err == nil {
			err = s.checkpoints.forgetAll()
		}
	}
	if err != nil {
		s.failed("removing "+dir, err)
		return
	}
	if err := s.fs.RemoveAll(dir); err != nil {
		s.failed("removing "+dir, err)
	}
}

// Space is how much of the disk was free when it was looked at last.
func (s *Store) Space() SpaceStatus { return s.space.status() }

// SetProducerIDExpiration sets producer.id.expiration.ms, 0 for a day. The next look for what is old goes by it.
func (s *Store) SetProducerIDExpiration(ms int64) {
	if ms <= 0 {
		ms = 86_400_000
	}
	s.producerExpirationMs.Store(ms)
}

// SetSpaceLimits takes effect at once.
func (s *Store) SetSpaceLimits(l SpaceLimits) { s.space.setLimits(l) }

// ApplyRetention runs Log.ApplyRetention on every log.
func (s *Store) ApplyRetention(now time.Time) {
	for _, l := range s.each() {
		if err := l.ApplyRetention(now.UnixMilli()); err != nil {
			s.failed("applying retention to "+l.tp.String(), err)
		}
	}
}

// retainAgain is ApplyRetention every log.retention.check.interval.ms.
func (s *Store) retainAgain() {
	s.timers.after(s.retentionCheck, func() {
		s.retain()
		if err := s.writeClock(); err != nil {
			s.failed("noting the time", err)
		}
		s.retainAgain()
	})
}

// retain is ApplyRetention by the store's own clock, and then what log.retention.disk.percent asks for.
func (s *Store) retain() {
	s.retaining.Lock()
	defer s.retaining.Unlock()
	s.ApplyRetention(s.retentionNow())
	if err := s.retainShare(); err != nil {
		s.failed("giving up segments for log.retention.disk.percent", err)
	}
}

// maxRenamingDelay is how long a power cut may bring a deleted partition back.
const maxRenamingDelay = 100 * time.Millisecond

// syncRootSoon has what partitions' directories were renamed to made durable: of many that go, at once. A directory that
// a power cut brought back would be a stray one, which nobody removes.
func (s *Store) syncRootSoon() {
	if !s.renaming.CompareAndSwap(false, true) {
		return
	}
	s.timers.after(maxRenamingDelay, func() {
		s.renaming.Store(false)
		if s.Err() != nil {
			return
		}
		if err := s.syncRoot(); err != nil {
			s.failed("making the names of deleted partitions durable", err)
		}
	})
}

func (s *Store) syncRoot() error { return s.fs.SyncDir(s.dir) }

func (s *Store) failed(what string, err error) {
	if s.Err() != nil {
		return // everything does, and it is known
	}
	s.suspect(err)
	if f := s.events.Failed; f != nil {
		f(what, err)
	}
}

// Close flushes everything, writes producer snapshots, checkpoints and the clean-shutdown marker, and lets the lock go.
// Appends must have ended. Slices may be released later. Without the marker, after an error, the next start recovers.
func (s *Store) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return fmt.Errorf("data directory %s is closed", s.dir)
	}
	s.timers.stop()
	logs := s.each()
	s.cleaner.forget(s)
	for _, l := range logs {
		l.endCompactions()
	}
	for _, l := range logs {
		l.flushSoon() // all are in the queue before the first is waited for
	}
	err := inParallel(logs, s.flusher.max, (*Log).close)
	s.flusher.workers.Wait()
	if err = errors.Join(s.Err(), err); s.Err() == nil {
		err = errors.Join(err, s.syncNames(logs), s.checkpoints.write(logs), s.checkpoints.writeAllLogStarts(), s.writeClock())
	}
	if err == nil {
		err = errors.Join(replaceFile(s.fs, join(s.dir, cleanShutdownName), cleanShutdown), s.syncRoot())
	}
	for _, l := range logs {
		l.mu.Lock()
		for _, seg := range l.segments {
			seg.handle.drop()
		}
		l.mu.Unlock()
	}
	return errors.Join(err, s.closeVolumes(), s.lock.Close())
}

// cleanShutdown is the content of the marker: Kafka reads the broker epoch from it, which a broker without one has
// as -1.
var cleanShutdown = []byte(`{"version":0,"brokerEpoch":-1}`)

// close makes the log such that the next start has nothing to read but ends; syncNames must follow. An offline log is
// left as it is.
func (l *Log) close() error {
	if err := l.Err(); err != nil {
		return err
	}
	if err := l.Flush(); err != nil {
		return err
	}
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if !l.changed {
		return nil
	}
	s := l.active()
	l.mu.Lock()
	s.indexTime()
	l.mu.Unlock()
	l.writeAllIndexes()
	l.takeSnapshot(l.end.Load())
	l.mu.Lock()
	l.dirDirty = true
	l.mu.Unlock()
	return nil
}

// syncNames makes durable the names of the logs' files, and of new logs, once nothing is appended any more.
func (s *Store) syncNames(logs []*Log) error {
	var due []*Log
	for _, l := range logs {
		if l.Err() == nil && (l.dirDirty || l.newborn) {
			due = append(due, l)
		}
	}
	if s.flusher.volume != nil && len(due) >= s.minTogether && s.flusher.volume.Sync() == nil {
		return nil
	}
	newborn := slices.ContainsFunc(due, func(l *Log) bool { return l.newborn })
	err := inParallel(due, s.flusher.max, func(l *Log) (err error) {
		if l.newborn {
			err = syncIfThere(s.fs, join(l.dir, partitionName))
		}
		return errors.Join(err, s.fs.SyncDir(l.dir))
	})
	if newborn {
		err = errors.Join(err, s.syncRoot()) // one for all
	}
	return err
}

// inParallel runs f for all logs, so many at a time.
func inParallel(logs []*Log, n int, f func(*Log) error) error {
	var wait sync.WaitGroup
	errs := make([]error, len(logs))
	turns := make(chan struct{}, n)
	for i, l := range logs {
		turns <- struct{}{}
		wait.Go(func() {
			errs[i] = f(l)
			<-turns
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
