package logstore

import (
	"errors"
	"os"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
)

// What a log has beside its batches can be made again from them. So none of it is on the path of an acknowledgement:
// it is written when there is much of it, and durable only when the recovery point, below which a start does not look
// for it, goes past. This file is all of that.

// settling is what must be durable before a log's recovery point goes up to point.
type settling struct {
	log    *Log
	point  int64
	epochs bool       // leader-epoch-checkpoint
	txns   []*segment // whose transaction indexes
}

func (l *Log) takeSettling() settling {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := settling{log: l, point: l.synced, epochs: l.epochs.dirty}
	if mutant.Is(mutant.PointAheadOfSync) {
		t.point = l.end.Load()
	}
	for _, s := range l.segments {
		if s.txnsDirty {
			s.txnsDirty = false
			t.txns = append(t.txns, s)
		}
	}
	return t
}

func (t settling) nothing() bool { return !t.epochs && len(t.txns) == 0 }

// settle makes durable what a start will not rebuild below the points of logs, and returns the points. The indexes are
// not of that kind: a start sees what they lack. Logs of which something failed are left out. writing is held.
func (c *checkpointer) settle(logs []*Log) (points map[*Log]int64, err error) {
	points = map[*Log]int64{}
	var due []settling
	for _, l := range logs {
		if l.Err() != nil || l.nameless.Load() {
			continue // offline, deleted, or nobody's
		}
		if t := l.takeSettling(); t.nothing() {
			points[l] = t.point
		} else {
			due = append(due, t)
		}
	}
	if c.volume == nil || len(due) < c.store.minTogether || c.settleTogether(due, points) != nil {
		err = c.settleEach(due, points) // also where the file system had an error, perhaps of a stranger's
	}
	for l, point := range points {
		if mutant.Is(mutant.PointAheadOfSync) {
			break
		}
		l.mu.Lock()
		points[l] = min(point, l.synced) // a truncation may have come in between
		l.mu.Unlock()
	}
	return points, err
}

func (c *checkpointer) settleEach(due []settling, points map[*Log]int64) error {
	var errs []error
	for _, t := range due {
		err := t.syncTxns()
		if err == nil && t.epochs {
			err = t.log.writeEpochs()
		}
		if err == nil {
			err = c.store.fs.SyncDir(t.log.directory())
		}
		if err == nil {
			points[t.log] = t.point
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (t settling) syncTxns() error {
	for _, s := range t.txns {
		if mutant.Is(mutant.SkipTxnIndexSync) && s.txns > 1 {
			continue // an index without any entry is seen to be damaged, one that lacks the last is not
		}
		if err := syncIfThere(t.log.store.fs, s.path(txnIndexExt)); err != nil {
			// Not tried again, as with the batches; the next start writes the entries from them.
			return t.log.fail("syncing "+s.path(txnIndexExt), err)
		}
	}
	return nil
}

// settleTogether is settleEach with two syncs of the file system for all: of the content, then of the names.
func (c *checkpointer) settleTogether(due []settling, points map[*Log]int64) error {
	for _, t := range due {
		if !t.epochs {
			continue
		}
		data, name := t.log.takeEpochs()
		if err := writeFile(c.store.fs, name+tmpExt, data, false); err != nil {
			return err
		}
	}
	if err := c.volume.Sync(); err != nil {
		return err
	}
	for _, t := range due {
		if !t.epochs {
			continue
		}
		name := join(t.log.directory(), epochsName)
		if err := c.store.fs.Rename(name+tmpExt, name); err != nil {
			return err
		}
	}
	if err := c.volume.Sync(); err != nil {
		return err
	}
	for _, t := range due {
		points[t.log] = t.point
	}
	return nil
}

// syncIfThere: a file that is not there was deleted with its segment, or is made again when it is missed.
func syncIfThere(fs vfs.FS, name string) error {
	if err := syncFile(fs, name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// writeEpochsIfRoom is writeEpochs after a truncation. Where the disk is full it may wait: a start does not believe the
// file above the recovery point, and that does not pass an epoch which is not written.
func (l *Log) writeEpochsIfRoom() error {
	err := l.store.checkpoints.writeEpochs(l)
	if isShortage(err) {
		l.store.failed("writing the leader epochs of "+l.tp.String(), err)
		return nil
	}
	return err
}

// writeEpochs replaces leader-epoch-checkpoint. The caller holds checkpointer.writing: the file must not go back.
func (l *Log) writeEpochs() error {
	data, name := l.takeEpochs()
	if err := replaceFile(l.store.fs, name, data); err != nil {
		l.mu.Lock()
		l.epochs.dirty = true
		l.mu.Unlock()
		return err
	}
	return nil
}

// takeEpochs is what the file is to hold, and its name.
func (l *Log) takeEpochs() (data []byte, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epochs.dirty = false
	return l.epochs.encode(), join(l.dir, epochsName)
}

// writeAllIndexes is writeIndexes for the active segment, and for those that were sealed while the disk was full.
func (l *Log) writeAllIndexes() {
	for _, s := range l.segments {
		if s == l.active() || len(s.offsets.tail)+len(s.times.tail) > 0 {
			l.writeIndexes(s)
		}
	}
}

// writeIndexes moves index entries from memory to the files, which it makes if need be. They are not synced. On an
// error the entries stay in memory until the next occasion. The caller holds appendMu.
func (l *Log) writeIndexes(s *segment) {
	if err := errors.Join(l.writeIndex(&s.offsets), l.writeIndex(&s.times)); err != nil {
		l.store.failed("writing the indexes of "+s.path(logExt), err)
	}
}

func (l *Log) writeIndex(x *index) error {
	l.mu.Lock()
	entries, at := x.pending()
	l.mu.Unlock()
	f, err := l.store.fs.OpenFile(x.path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		_, err = f.WriteAt(entries, at)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	l.mu.Lock()
	x.written(len(entries))
	l.dirDirty = true
	l.mu.Unlock()
	return nil
}

// shortenReplay writes down what a restart would otherwise have to walk over the log's end for.
func (l *Log) shortenReplay() error {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.Err() != nil {
		return nil
	}
	l.writeAllIndexes()
	l.takeSnapshot(l.end.Load())
	return nil
}

// takeSnapshot writes the producers' state at offset, the log's end. It is not synced: one that a crash damaged is
// told by its checksum, and an older one is used. Those at segments' bases stay with their segments; another one gives
// way to the next. The caller holds appendMu.
func (l *Log) takeSnapshot(offset int64) {
	name := join(l.dir, segmentName(offset, snapshotExt))
	// By another name first: where the disk is full, one that stood there must not be lost over it.
	err := writeFile(l.store.fs, name+tmpExt, l.producers.encodeSnapshot(), false)
	if err == nil {
		err = l.store.fs.Rename(name+tmpExt, name)
	}
	if err != nil {
		l.store.failed("writing "+name, err)
		return
	}
	if old := l.snapshotAt; old >= 0 && old != offset {
		if at := l.segmentAt(old); at < 0 || l.segments[at].base != old {
			if err := removeFile(l.store.fs, join(l.dir, segmentName(old, snapshotExt))); err != nil {
				l.store.failed("removing a producer snapshot", err)
			}
		}
	}
	l.snapshotAt = offset
}

func (l *Log) directory() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dir
}
