package logstore

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ottla/ottla/logstore/mutant"
)

// The exchange, with the state that a crash after each step leaves:
//
//	the copy is completed and synced, moved-from in it, its directory synced   the old one holds, the copy is dropped
//	the offsets are in the new directory's checkpoints, synced
//	the copy is renamed to <topic>-<partition>                                 the old one holds, or both are there
//	the new data directory is synced                                           both are there
//	the old one is renamed to ...-delete
//	the old data directory is synced                                           the new one holds
//	moved-from is removed                                                      the new one holds
//
// Both being there, the one whose moved-from names the other's directory holds: it has everything up to the exchange,
// durably, and whatever was appended since. Without such a file nobody knows, and the start is refused.
//
// Appends wait from before the first step until the new directory is synced.

// exchange puts the copy in the log's place. Before the rename an error changes nothing; after it the partition has moved,
// though an error may have taken it offline there.
func (v *move) exchange() (moved bool, err error) {
	l, from, to := v.from, v.from.store, v.to
	first, second := from, to
	if first.dir > second.dir {
		first, second = second, first
	}
	defer l.pauseCompaction()()
	first.naming.Lock()
	defer first.naming.Unlock()
	second.naming.Lock()
	defer second.naming.Unlock()
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if err := cmp.Or(v.ctx.Err(), l.Err(), to.Err()); err != nil {
		return false, err
	}
	if from.Get(v.tp) != l || to.Get(v.tp) != nil {
		return false, ErrMoved
	}
	if err := v.complete(); err != nil {
		return false, err
	}
	delete(to.lost, v.tp)
	known := l.offsets()
	if err := to.checkpoints.adopt(v.tp, known); err != nil {
		return false, errors.Join(err, to.checkpoints.disown(v.tp))
	}
	fresh := to.newLog(v.tp)
	if err := to.fs.Rename(v.dir, fresh.dir); err != nil {
		to.suspect(err)
		return false, errors.Join(err, to.checkpoints.disown(v.tp))
	}
	if !mutant.Is(mutant.SkipMoveSync) {
		err = to.syncRoot()
	}
	fresh.config = l.configuration()
	if err == nil {
		err = fresh.load(known)
	}
	if err != nil {
		err = fresh.fail("taking over from "+from.dir, err)
	}
	fresh.producers, l.producers = l.producers, fresh.producers // memory knows more batches of each than a snapshot
	v.handOver(fresh)
	v.retire()
	return true, err
}

// complete copies what is missing and all that changes with every append, durably. appendMu is held.
func (v *move) complete() error {
	l, fs := v.from, v.to.fs
	s := l.active()
	l.mu.Lock()
	s.indexTime()
	l.mu.Unlock()
	l.writeIndexes(s)
	for left := int64(1); left > 0; {
		var err error
		if left, err = v.round(false); err != nil {
			return err
		}
	}
	if err := v.copyBeside(s); err != nil {
		return err
	}
	l.mu.Lock()
	epochs := l.epochs.encode()
	l.mu.Unlock()
	return errors.Join(
		removeMovedFrom(l.store, l.dir),
		v.copySnapshot(),
		writeFile(fs, join(v.dir, epochsName), epochs, true),
		writeFile(fs, join(v.dir, movedFromName), []byte(idText(l.store.meta.directoryID)), true),
		fs.SyncDir(v.dir))
}

// copySnapshot copies the producer snapshot that stands beside those at segments' bases. None is taken of the state now:
// it would have only the last batch of each producer, and after a crash those before it, which clients may send again,
// could not be told. A start replays what came after the snapshot, as it always does.
func (v *move) copySnapshot() error {
	l := v.from
	if l.snapshotAt < 0 {
		return nil
	}
	name := segmentName(l.snapshotAt, snapshotExt)
	data, err := readFile(l.store.fs, join(l.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = writeFile(v.to.fs, join(v.dir, name), data, true)
	}
	return err
}

// offsets is what the checkpoints are to say of the log once everything up to its end is durable.
func (l *Log) offsets() checkpoints {
	one := func(offset int64) map[TopicPartition]int64 { return map[TopicPartition]int64{l.tp: offset} }
	known := checkpoints{points: one(l.end.Load()), starts: one(l.logStart.Load()), marks: one(l.highWatermark.Load())}
	if cleaned := l.store.checkpoints.firstDirty(l); cleaned >= 0 {
		known.cleaned = one(cleaned)
	}
	return known
}

// adopt has the checkpoints speak of a log before it is there, durably.
func (c *checkpointer) adopt(tp TopicPartition, known checkpoints) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	delete(c.gone, tp)
	c.adopted[tp] = known.starts[tp]
	c.points[tp] = known.points[tp]
	delete(c.cleaned, tp)
	maps.Copy(c.cleaned, known.cleaned)
	return errors.Join(c.writePoints(), c.writeCleaned(), c.writeStarts())
}

// disown undoes adopt.
func (c *checkpointer) disown(tp TopicPartition) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	delete(c.points, tp)
	delete(c.cleaned, tp)
	delete(c.adopted, tp)
	c.gone[tp] = true
	return c.forgetGone()
}

// handOver puts the new log in the place of the old one for everybody. Both stores' naming and the old log's appendMu are
// held. Readers get the new log before the old one's files have other names: they would take one that is missing for one
// that retention took.
func (v *move) handOver(fresh *Log) {
	l, from, to := v.from, v.from.store, v.to
	to.mu.Lock()
	to.logs[v.tp] = fresh
	to.mu.Unlock()
	to.checkpoints.writing.Lock()
	delete(to.checkpoints.adopted, v.tp)
	to.checkpoints.writing.Unlock()
	l.successor.Store(fresh)
	if f := l.onMoved.Load(); f != nil {
		(*f)(fresh)
	}
	l.offline.Store(&offlineError{ErrMoved})
	from.mu.Lock()
	delete(from.logs, v.tp)
	from.mu.Unlock()
	l.mu.Lock()
	waiters, unsynced := l.waiters, l.unsynced
	l.waiters, l.unsynced = nil, nil
	l.mu.Unlock()
	for _, w := range waiters { // everything is on disk, in the new place
		w.done <- fresh.Err()
	}
	for _, s := range unsynced {
		s.handle.release()
	}
}

// retire renames the old log's directory, which nobody uses any more. The locks are those of handOver, which has come
// first.
func (v *move) retire() {
	l, from := v.from, v.from.store
	from.checkpoints.writing.Lock()
	defer from.checkpoints.writing.Unlock()
	delete(from.checkpoints.points, v.tp)
	delete(from.checkpoints.cleaned, v.tp)
	from.checkpoints.gone[v.tp] = true
	old := join(from.dir, setAside(v.tp, deleteSuffix))
	if err := from.fs.Rename(l.dir, old); err != nil {
		from.failed("setting aside "+l.dir, err) // the next start does it: see settleTwins
	} else {
		v.old = old
	}
	l.mu.Lock()
	for _, s := range l.segments {
		s.handle.drop()
	}
	l.mu.Unlock()
}

// settle makes the end of the move durable, and removes the old directory, if it could be set aside. No lock is held.
func (v *move) settle() {
	from, l, old := v.from.store, v.from.successor.Load(), v.old
	l.tellFlushed(l.flushed.Load(), l.Err())
	if old == "" {
		return
	}
	delay := time.Duration(max(l.configuration().FileDeleteDelayMs, 0)) * time.Millisecond
	from.removals.after(delay, func() { from.removeDir(old) })
	if err := from.syncRoot(); err != nil {
		from.failed("syncing "+from.dir, err)
		return
	}
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.Err() == nil {
		if err := removeMovedFrom(l.store, l.dir); err != nil {
			l.store.failed("removing "+movedFromName, err)
		}
	}
}

// removeMovedFrom removes the file, if it is there, durably: once the partition moves back it would be untrue. A start
// leaves it: it does no harm.
func removeMovedFrom(s *Store, dir string) error {
	return errors.Join(removeFile(s.fs, join(dir, movedFromName)), s.fs.SyncDir(dir))
}

// movedFrom is what a partition's directory says of where it was moved from, zero if nothing.
func (s *Store) movedFrom(tp TopicPartition) (dir [16]byte, err error) {
	name := join(join(s.dir, tp.String()), movedFromName)
	if _, err := s.fs.Stat(name); err != nil {
		return dir, nil
	}
	data, err := readFile(s.fs, name)
	if err != nil {
		return dir, err
	}
	dir, _ = parseID(strings.TrimSpace(string(data)))
	return dir, nil
}

// settleTwins decides which of two directories of a partition holds. It refuses, and changes nothing, where one of them
// is not what a move has left.
func settleTwins(all []*Dir) error {
	homes := map[TopicPartition]*Dir{}
	type twin struct {
		tp      TopicPartition
		old, to *Dir
	}
	var twins []twin
	refused := map[TopicPartition]error{}
	for _, dir := range all {
		if dir.err != nil {
			continue
		}
		for _, tp := range dir.store.found.partitions {
			home := homes[tp]
			if homes[tp] = dir; home == nil {
				continue
			}
			a, err1 := home.store.movedFrom(tp)
			b, err2 := dir.store.movedFrom(tp)
			if err := errors.Join(err1, err2); err != nil {
				return err
			}
			switch fromDir, fromHome := a == dir.store.meta.directoryID, b == home.store.meta.directoryID; {
			case fromHome && !fromDir:
				twins = append(twins, twin{tp, home, dir})
			case fromDir && !fromHome:
				twins = append(twins, twin{tp, dir, home})
				homes[tp] = home
			default:
				refused[tp] = refuse("%s is in %s and in %s: only a person can tell which one is right; move the other out of the way; nothing was changed", tp, home.path, dir.path)
			}
		}
	}
	var errs []error
	for _, tp := range slices.SortedFunc(maps.Keys(refused), compareTopicPartitions) {
		errs = append(errs, refused[tp])
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, t := range twins {
		if err := t.old.store.forgetTwin(t.tp); err != nil {
			return err
		}
	}
	return nil
}

// forgetTwin sets aside a partition's directory that a move has left behind, before the store is started.
func (s *Store) forgetTwin(tp TopicPartition) error {
	dir := join(s.dir, setAside(tp, deleteSuffix))
	if err := s.fs.Rename(join(s.dir, tp.String()), dir); err != nil {
		return err
	}
	err := s.syncRoot()
	if err == nil {
		s.found, err = inspectRoot(s.fs, s.dir)
	}
	return err
}
