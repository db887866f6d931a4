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

// settle makes durable what a start will not rebuild below the point it returns. The indexes are not of that kind: a
// start sees what they lack. The caller holds checkpointer.writing.
func (l *Log) settle() (point int64, err error) {
	l.mu.Lock()
	point = l.synced
	if mutant.Is(mutant.PointAheadOfSync) {
		point = l.end.Load()
	}
	epochs := l.epochs.dirty
	var txns []*segment
	for _, s := range l.segments {
		if s.txnsDirty {
			s.txnsDirty = false
			txns = append(txns, s)
		}
	}
	l.mu.Unlock()

	for _, s := range txns {
		if mutant.Is(mutant.SkipTxnIndexSync) {
			break
		}
		if err := syncIfThere(l.store.fs, s.path(txnIndexExt)); err != nil {
			// Not tried again, as with the batches; the next start writes the entries from them.
			return 0, l.fail("syncing "+s.path(txnIndexExt), err)
		}
	}
	if epochs {
		err = errors.Join(err, l.writeEpochs())
	}
	if len(txns) > 0 || epochs {
		err = errors.Join(err, l.store.fs.SyncDir(l.directory()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if mutant.Is(mutant.PointAheadOfSync) {
		return point, nil
	}
	return min(point, l.synced), nil // a truncation may have come in between
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
	l.mu.Lock()
	data, name := l.epochs.encode(), join(l.dir, epochsName)
	l.epochs.dirty = false
	l.mu.Unlock()
	if err := replaceFile(l.store.fs, name, data); err != nil {
		l.mu.Lock()
		l.epochs.dirty = true
		l.mu.Unlock()
		return err
	}
	return nil
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
