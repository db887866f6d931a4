package logstore

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// move copies a log to another Store, file by file, into a directory of its own, <topic>-<partition>.<uuid>-future. It
// goes round until little is missing; the rest is copied, and the two exchanged, while appends wait.
type move struct {
	dirs *Dirs
	tp   TopicPartition
	from *Log
	to   *Store
	dir  string // the copy

	ctx    context.Context // ends with cancel: this is a thing that runs, not a call
	cancel func()
	keep   atomic.Bool // leave the copy where it is
	done   chan struct{}
	began  time.Time

	bytes   atomic.Int64 // copied
	reached atomic.Int64 // offset below which everything is copied

	// What follows belongs to run.
	copied map[int64]copiedSegment // by base
	cuts   int                     // Log.cuts that copied stands on
	old    string                  // what became of the old directory
}

// copiedSegment is how far a segment is copied. Compaction may have put another one in its place since.
type copiedSegment struct {
	seg    *segment
	bytes  int64
	sealed bool // with all that stands beside it: nothing of it changes any more
}

// While appends wait so much is copied at most, unless more came in since the last look.
const finalBytes = 256 << 10

const moveBytes = 256 << 10

func newMove(d *Dirs, from *Log, to *Store) *move {
	v := &move{dirs: d, tp: from.tp, from: from, to: to, dir: join(to.dir, setAside(from.tp, futureSuffix)),
		done: make(chan struct{}), began: from.store.now(), copied: map[int64]copiedSegment{}}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	v.reached.Store(from.logStart.Load())
	return v
}

// run moves the partition. An error leaves it where it is.
func (v *move) run() {
	defer v.cancel()
	moved, err := v.try()
	if moved {
		if err == nil {
			v.tellMoved()
		} else {
			v.failed(err)
		}
		return
	}
	if !v.keep.Load() {
		if removeErr := v.to.fs.RemoveAll(v.dir); removeErr != nil {
			v.to.failed("removing "+v.dir, removeErr)
		}
	}
	if v.ctx.Err() == nil {
		v.failed(err)
	}
}

func (v *move) tellMoved() {
	if f := v.to.events.Moved; f != nil {
		f(v.tp, v.from.store.dir, v.to.dir, v.bytes.Load(), v.to.now().Sub(v.began))
	}
}

// try copies and exchanges. Once moved, an error says what is wrong with the log in its new place.
func (v *move) try() (moved bool, err error) {
	v.from.compactionPauses.Add(1)
	defer v.from.compactionPauses.Add(-1)
	if err := v.begin(); err != nil {
		return false, err
	}
	for left := int64(finalBytes) + 1; left > finalBytes; {
		if left, err = v.round(true); err != nil {
			return false, err
		}
	}
	if assign := v.dirs.moves.assign; assign != nil {
		if err := assign(v.ctx, v.tp, v.from.topicID, v.to.meta.directoryID); err != nil {
			return false, err
		}
	}
	if moved, err = v.exchange(); moved {
		v.settle()
		return true, err
	}
	if assign := v.dirs.moves.assign; assign != nil { // it stays, after all
		err = errors.Join(err, assign(context.WithoutCancel(v.ctx), v.tp, v.from.topicID, v.from.store.meta.directoryID))
	}
	return false, err
}

// begin makes the directory, durably: a start must know of the copy.
func (v *move) begin() error {
	if err := v.ctx.Err(); err != nil {
		return err
	}
	fs := v.to.fs
	if err := fs.MkdirAll(v.dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		writeFile(fs, join(v.dir, partitionName), encodePartitionMetadata(v.from.topicID), true),
		fs.SyncDir(v.dir), v.to.syncRoot())
}

// round copies what is missing, and says how many bytes have come since.
func (v *move) round(paced bool) (left int64, err error) {
	l := v.from
	segments, sizes, end := v.look()
	if err := l.Err(); err != nil {
		return 0, err
	}
	if err := v.dropStale(segments, sizes); err != nil {
		return 0, err
	}
	for i, s := range segments {
		if err := v.copySegment(s, sizes[i], i+1 < len(segments), paced); err != nil {
			if errors.Is(err, errGone) {
				return finalBytes + 1, nil // retention or compaction took it: the next round sees what is there
			}
			return 0, err
		}
	}
	v.reached.Store(end)
	return l.Size() - sum(sizes), nil
}

func sum(sizes []int64) (total int64) {
	for _, n := range sizes {
		total += n
	}
	return total
}

// look takes the log as it is. After a truncation nothing that was copied counts.
func (v *move) look() (segments []*segment, sizes []int64, end int64) {
	l := v.from
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.cuts != l.cuts {
		v.cuts = l.cuts
		for base := range v.copied {
			v.copied[base] = copiedSegment{} // of no segment
		}
	}
	for _, s := range l.segments {
		segments, sizes = append(segments, s), append(sizes, s.size)
	}
	return segments, sizes, l.end.Load()
}

// dropStale removes copies of segments that are not there any more.
func (v *move) dropStale(segments []*segment, sizes []int64) error {
	now := map[int64]*segment{}
	for _, s := range segments {
		now[s.base] = s
	}
	for base, c := range v.copied {
		if now[base] != nil && now[base] == c.seg {
			continue
		}
		for _, ext := range []string{logExt, indexExt, timeIndexExt, txnIndexExt, snapshotExt} {
			if err := removeFile(v.to.fs, join(v.dir, segmentName(base, ext))); err != nil {
				return err
			}
		}
		v.bytes.Add(-c.bytes)
		delete(v.copied, base)
	}
	return nil
}

// copySegment brings the copy of a segment up to size, and if it is sealed what stands beside it.
func (v *move) copySegment(s *segment, size int64, sealed, paced bool) error {
	c, there := v.copied[s.base]
	if c.sealed || there && c.bytes == size && !sealed {
		return nil
	}
	c.seg = s
	name := join(v.dir, segmentName(s.base, logExt))
	if c.bytes < size || !there {
		if err := v.copyBatches(s, name, c.bytes, size, paced); err != nil {
			return err
		}
		v.bytes.Add(size - c.bytes)
		c.bytes = size
	}
	v.copied[s.base] = c // if the segment goes meanwhile, so must the copy
	if sealed {
		if err := v.copyBeside(s); err != nil {
			return err
		}
		c.sealed = true
	}
	v.copied[s.base] = c
	return nil
}

// copyBatches copies [from, to) of a segment's file, durably, with the time of its last change, by which records without
// a timestamp expire.
func (v *move) copyBatches(s *segment, name string, from, to int64, paced bool) error {
	source, err := s.handle.acquire()
	if err != nil {
		return err
	}
	defer s.handle.release()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	f, err := v.to.fs.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	err = v.copyRange(source, f, from, to, paced)
	if err == nil {
		err = f.Chtimes(info.ModTime())
	}
	if err == nil {
		if err = f.Sync(); err != nil {
			vfs.DropCache(f)
		}
	}
	return errors.Join(err, f.Close())
}

func (v *move) copyRange(source io.ReaderAt, f io.WriterAt, from, to int64, paced bool) error {
	buf := make([]byte, min(moveBytes, to-from))
	for at := from; at < to; {
		b := buf[:min(int64(len(buf)), to-at)]
		if paced {
			if err := v.dirs.moves.pace.wait(v.ctx, len(b)); err != nil {
				return err
			}
			if v.to.space.short() {
				return errors.New("the disk that it was to move to is full")
			}
		}
		if _, err := source.ReadAt(b, at); err != nil {
			return v.from.storageError(err)
		}
		if _, err := f.WriteAt(b, at); err != nil {
			v.to.suspect(err)
			return err
		}
		at += int64(len(b))
	}
	return nil
}

// copyBeside copies a segment's indexes and producer snapshot, as far as they are there. What is missing or behind is made
// again from the batches; only the transaction index must be durable.
func (v *move) copyBeside(s *segment) error {
	l := v.from
	l.mu.Lock()
	whole := len(s.offsets.tail) == 0 && len(s.times.tail) == 0
	l.mu.Unlock()
	exts := []string{txnIndexExt, snapshotExt}
	if whole {
		exts = append(exts, indexExt, timeIndexExt)
	}
	for _, ext := range exts {
		data, err := readFile(l.store.fs, s.path(ext))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = writeFile(v.to.fs, join(v.dir, segmentName(s.base, ext)), data, ext == txnIndexExt)
		}
		if err != nil {
			return err
		}
	}
	if l.isReplaced(s) {
		return errGone // by compaction: the files may be those of another segment
	}
	return nil
}
