package logstore

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/protocol"
)

// Dirs are the data directories of one broker, each a Store: log.dirs, and metadata.log.dir if that is another. A
// partition lives in one of them. One that cannot be used is offline, with what it holds; the others go on.
type Dirs struct {
	dirs     []*Dir // log.dirs, in their order
	metadata *Dir   // one of dirs, or another
	lost     func(error)
	opened   atomic.Bool // OpenDirs is through
	isLost   atomic.Bool // lost was called

	placing sync.Mutex // makes creations one after the other, so that what they count holds; taken before Store.naming

	moves moves

	mu       sync.Mutex // guards the fields below; the last lock taken
	cordoned map[string]bool
	wishes   map[TopicPartition]*Dir // where partitions are to be created that are not there yet
}

// Dir is one data directory.
type Dir struct {
	path  string
	store *Store // nil if it could not be opened
	err   error  // why not
}

// Path names the directory as the configuration does.
func (d *Dir) Path() string { return d.path }

// Err is why the directory is offline, nil while it is not.
func (d *Dir) Err() error {
	if d.store == nil {
		return d.err
	}
	return d.store.Err()
}

// DiskUsage is the size of the directory's file system and what is left of it, in bytes.
func (d *Dir) DiskUsage() (total, usable int64, err error) {
	if err := d.Err(); err != nil {
		return 0, 0, err
	}
	return d.store.DiskUsage()
}

// DirsOf is a single directory that is open already.
func DirsOf(s *Store) *Dirs {
	d := &Dir{path: s.dir, store: s}
	return newDirs([]*Dir{d}, d)
}

func newDirs(dirs []*Dir, metadata *Dir) *Dirs {
	d := &Dirs{dirs: dirs, metadata: metadata, cordoned: map[string]bool{}, wishes: map[TopicPartition]*Dir{}}
	d.moves.init(len(dirs))
	return d
}

// Each are the directories that partitions live in, in their order.
func (d *Dirs) Each() []*Dir { return d.dirs }

// Metadata is the directory that the metadata log lives in.
func (d *Dirs) Metadata() *Store { return d.metadata.store }

// ClusterID is the cluster that the directories belong to.
func (d *Dirs) ClusterID() string { return d.Metadata().ClusterID() }

// DirectoryIDs identify the directories that are not offline.
func (d *Dirs) DirectoryIDs() (ids [][16]byte) {
	for _, s := range d.online() {
		ids = append(ids, s.DirectoryID())
	}
	return ids
}

// Err is why no partition can be served any more: all directories are offline, or the metadata log's is. Nil while it
// is otherwise.
func (d *Dirs) Err() error {
	if err := d.metadata.Err(); err != nil {
		return err
	}
	if len(d.online()) > 0 {
		return nil
	}
	var errs []error
	for _, dir := range d.dirs {
		errs = append(errs, dir.Err())
	}
	return errors.Join(errs...)
}

// stores are those that are open, offline or not, the metadata log's among them.
func (d *Dirs) stores() (stores []*Store) {
	for _, dir := range d.dirs {
		if dir.store != nil {
			stores = append(stores, dir.store)
		}
	}
	if s := d.metadata.store; !slices.Contains(stores, s) {
		stores = append(stores, s)
	}
	return stores
}

// online are the stores that partitions can be in, and that are not offline.
func (d *Dirs) online() (stores []*Store) {
	for _, dir := range d.dirs {
		if dir.Err() == nil {
			stores = append(stores, dir.store)
		}
	}
	return stores
}

// Get is the partition's log, nil if there is none.
func (d *Dirs) Get(tp TopicPartition) *Log {
	for _, dir := range d.dirs {
		if dir.store != nil {
			if l := dir.store.Get(tp); l != nil {
				return l
			}
		}
	}
	return nil
}

// All are the logs of all directories, by topic and partition. Those that are offline are among them, with Err set.
func (d *Dirs) All() (logs []*Log) {
	for _, s := range d.stores() {
		logs = append(logs, s.each()...)
	}
	slices.SortFunc(logs, func(a, b *Log) int { return compareTopicPartitions(a.tp, b.tp) })
	return logs
}

// Assignment is what the metadata says of a partition that is to be opened.
type Assignment struct {
	Dir [16]byte // the directory that it is in, zero if that is not known
	New bool     // it was decided on just now: it cannot be anywhere yet
}

// Create is Store.Create in the directory that holds the partition; without one, in the one that was wished for, or in
// that with the fewest partitions of those that are not cordoned. KafkaStorageError where a directory is offline that may
// hold it: an empty log in another one would pass for all that there is.
func (d *Dirs) Create(tp TopicPartition, topicID [16]byte, c LogConfig, a Assignment) (*Log, error) {
	d.placing.Lock()
	defer d.placing.Unlock()
	if l := d.Get(tp); l != nil {
		return l.store.Create(tp, topicID, c)
	}
	for _, s := range d.online() {
		if a.New {
			s.forgetLost(tp)
		} else if err := s.missing(tp); err != nil {
			return nil, err
		}
	}
	s, err := d.place(tp, a)
	if err != nil {
		return nil, err
	}
	return s.Create(tp, topicID, c)
}

// place chooses the directory of a partition that no open one holds.
func (d *Dirs) place(tp TopicPartition, a Assignment) (*Store, error) {
	d.mu.Lock()
	wish := d.wishes[tp]
	delete(d.wishes, tp)
	d.mu.Unlock()
	online := d.online()
	home := slices.IndexFunc(online, func(s *Store) bool { return a.Dir == s.DirectoryID() })
	known := home >= 0 && !slices.ContainsFunc(online[home].futures, func(f future) bool { return f.tp == tp })
	switch {
	case len(online) == 0:
		return nil, protocol.Errorf(protocol.KafkaStorageError, "%s: every data directory is offline", tp)
	case !a.New && !known && len(online) < len(d.dirs):
		return nil, protocol.Errorf(protocol.KafkaStorageError, "%s: no data directory that is online holds it, and one that is offline may", tp)
	case wish != nil && wish.Err() == nil:
		return wish.store, nil
	case home >= 0:
		return online[home], nil
	}
	return d.roomiest(online), nil
}

// roomiest is the store with the fewest partitions, of those that are not cordoned if there are any.
func (d *Dirs) roomiest(stores []*Store) *Store {
	d.mu.Lock()
	open := slices.DeleteFunc(slices.Clone(stores), func(s *Store) bool { return d.cordoned[s.dir] })
	d.mu.Unlock()
	if len(open) == 0 {
		open = stores
	}
	return slices.MinFunc(open, func(a, b *Store) int { return cmp.Compare(a.count(), b.count()) })
}

// Cordon says which directories take no new partitions.
func (d *Dirs) Cordon(paths []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.cordoned)
	for _, dir := range d.dirs {
		d.cordoned[dir.path] = slices.Contains(paths, dir.path)
	}
}

// Cordoned tells whether a directory takes no new partitions.
func (d *Dirs) Cordoned(path string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cordoned[path]
}

// Delete is Store.Delete in the directory that holds the partition. A move of it ends.
func (d *Dirs) Delete(tp TopicPartition) error {
	d.moves.abort(tp)
	if l := d.Get(tp); l != nil {
		return l.store.Delete(tp)
	}
	return nil
}

// Stray is Store.Stray in the directory that holds the partition.
func (d *Dirs) Stray(tp TopicPartition) error {
	d.moves.abort(tp)
	if l := d.Get(tp); l != nil {
		return l.store.Stray(tp)
	}
	return nil
}

// SetProducerIDExpiration is Store.SetProducerIDExpiration in every directory.
func (d *Dirs) SetProducerIDExpiration(ms int64) {
	for _, s := range d.stores() {
		s.SetProducerIDExpiration(ms)
	}
}

// SetSpaceLimits is Store.SetSpaceLimits in every directory.
func (d *Dirs) SetSpaceLimits(l SpaceLimits) {
	for _, s := range d.stores() {
		s.SetSpaceLimits(l)
	}
}

// Space is how much of the directory's disk was free when it was looked at last.
func (d *Dir) Space() (s SpaceStatus) {
	if d.store != nil {
		s = d.store.Space()
	}
	return s
}

// ApplyRetention is Store.ApplyRetention in every directory.
func (d *Dirs) ApplyRetention(now time.Time) {
	for _, s := range d.stores() {
		s.ApplyRetention(now)
	}
}

// Close closes all directories. One that is offline cannot be closed cleanly, and is no error. Moves that are under way
// begin again after the next start.
func (d *Dirs) Close() error {
	d.moves.close()
	stores := d.stores()
	errs := make([]error, len(stores))
	var wait sync.WaitGroup
	for i, s := range stores {
		wait.Go(func() {
			offline := s.Err() != nil
			if err := s.Close(); !offline {
				errs[i] = err
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
