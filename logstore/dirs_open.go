package logstore

import (
	"errors"
	"slices"
	"sync"
)

// OpenDirs opens data directories, log.dirs in their order and metadata.log.dir ("" is the first), in parallel. One
// that its disk keeps from being opened is offline; the others start, unless it is the metadata log's, or all are. It
// refuses, naming both sides and deleting nothing, directories of different clusters or nodes, one that is a copy of
// another, a partition in two of them, and what Open refuses.
func OpenDirs(paths []string, metadata string, o Options) (*Dirs, error) {
	var all []*Dir
	for _, path := range paths {
		all = append(all, &Dir{path: path})
	}
	d := newDirs(all, all[0])
	if i := slices.Index(paths, metadata); i >= 0 {
		d.metadata = all[i]
	} else if metadata != "" {
		d.metadata = &Dir{path: metadata}
		all = append(all[:len(all):len(all)], d.metadata)
	}
	d.lost = o.Events.Lost
	offline := o.Events.DirOffline
	o.Events.DirOffline = func(dir string, err error) {
		if offline != nil {
			offline(dir, err)
		}
		d.reckon()
	}
	if err := openAll(all, d.metadata, o); err != nil {
		for _, dir := range all {
			if dir.store != nil {
				err = errors.Join(err, dir.store.abandon())
			}
		}
		return nil, err
	}
	d.opened.Store(true)
	for _, dir := range d.dirs {
		if dir.store == nil {
			o.Events.DirOffline(dir.path, dir.err)
		}
	}
	d.reckon()
	return d, nil
}

// reckon finds out, after a directory went offline, whether there is still something that can be served.
func (d *Dirs) reckon() {
	if !d.opened.Load() {
		return
	}
	if err := d.Err(); err != nil && d.isLost.CompareAndSwap(false, true) && d.lost != nil {
		d.lost(err)
	}
}

// openAll takes all directories, compares what they say of themselves, and only then changes anything.
func openAll(all []*Dir, metadata *Dir, o Options) error {
	if err := each(all, o, (*Dir).take); err != nil {
		return err
	}
	if err := metadata.err; err != nil {
		return err
	}
	clusterID, err := agree(all, metadata)
	if err != nil {
		return err
	}
	if err := settleTwins(all); err != nil {
		return err
	}
	if o.ClusterID == "" {
		o.ClusterID = clusterID
	}
	if err := each(all, o, (*Dir).start); err != nil {
		return err
	}
	return metadata.err
}

// each runs a part of the start for all directories at once. What it returns only a person can put right, or there is no
// other directory; any other error takes its directory offline.
func each(all []*Dir, o Options, f func(*Dir, Options) error) error {
	var wait sync.WaitGroup
	for _, dir := range all {
		if dir.err == nil {
			wait.Go(func() { dir.err = f(dir, o) })
		}
	}
	wait.Wait()
	var errs []error
	bad := 0
	for _, dir := range all {
		var r refusal
		if errors.As(dir.err, &r) {
			errs = append(errs, dir.err)
		}
		if dir.err != nil {
			bad++
		}
	}
	if err := errors.Join(errs...); err != nil || bad < len(all) {
		return err
	}
	for _, dir := range all {
		errs = append(errs, dir.err)
	}
	return errors.Join(errs...)
}

func (d *Dir) take(o Options) (err error) {
	d.store, err = take(d.path, o)
	return err
}

func (d *Dir) start(o Options) error {
	err := d.store.start(o)
	if err == nil {
		return nil
	}
	err = errors.Join(err, d.store.abandon())
	d.store = nil
	return err
}

// abandon lets go of a store that was taken, and perhaps started, without another word to its files.
func (s *Store) abandon() error {
	s.timers.stop()
	s.flusher.workers.Wait()
	for _, l := range s.each() {
		for _, seg := range l.segments {
			seg.handle.drop()
		}
	}
	return errors.Join(s.closeVolumes(), s.lock.Close())
}

// agree compares what the directories say of themselves: one cluster, which it returns, and ids that differ. The node is
// the same, or Open would have refused.
func agree(all []*Dir, metadata *Dir) (clusterID string, err error) {
	var first *Dir
	byID := map[[16]byte]*Dir{}
	partitions := 0
	for _, dir := range all {
		if dir.err != nil {
			continue
		}
		s := dir.store
		partitions += len(s.found.partitions)
		if dir != metadata && slices.ContainsFunc(s.found.partitions, func(tp TopicPartition) bool { return tp.String() == metadataLogName }) {
			return "", refuse("the metadata log is in %s, and is to be in %s: set metadata.log.dir=%s; nothing was changed", dir.path, metadata.path, dir.path)
		}
		if !s.known {
			continue
		}
		if first == nil {
			first = dir
		}
		if first.store.meta.clusterID != s.meta.clusterID {
			return "", refuse("data directory %s belongs to cluster %s, and %s to cluster %s: they cannot be used together; nothing was changed",
				first.path, first.store.meta.clusterID, dir.path, s.meta.clusterID)
		}
		if twin := byID[s.meta.directoryID]; twin != nil && s.meta.directoryID != [16]byte{} {
			return "", refuse("data directories %s and %s have the same directory.id %s: one is a copy of the other; leave one out; nothing was changed",
				twin.path, dir.path, idText(s.meta.directoryID))
		}
		byID[s.meta.directoryID] = dir
	}
	if first == nil {
		return idText(newID()), nil
	}
	if len(all) > 1 && !metadata.store.known && partitions > 0 {
		return "", refuse("data directory %s, in which the metadata log is to be, is empty, and the others hold %d partitions of cluster %s: restore it, or set metadata.log.dir to where the metadata log is; nothing was changed",
			metadata.path, partitions, first.store.meta.clusterID)
	}
	return first.store.meta.clusterID, nil
}
