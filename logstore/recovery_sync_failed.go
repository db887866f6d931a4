package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
)

// A sync that failed proves that the disk may lack what the page cache shows, marked clean: neither another sync nor a
// read through the cache tells. The log goes offline, and sync-failed says so to the next start, with the offset up to
// which all had been synced before. That start
//
//	1  reads what lies above the recovery point past the cache, and cuts it to what is good (inspect, decide)
//	2  writes each segment that reaches above the offset into a new file, reads that one past the cache, syncs it
//	3  gives the new files their names, and syncs the directory
//	4  removes the mark, and only then is the log used
//
// Killed anywhere, it is done again. What fails leaves the log offline, and the mark.
//
// The mark is a checkpoint of one line, "synced" and an offset. It is not synced itself: after a power cut the cache is
// gone, and it has nothing to warn of. If it cannot be written either, a disk that takes no more bytes has to be mounted
// again, or replaced, and the cache goes with that; where it does not, the pages that failed were asked to be dropped
// when the sync failed, and the next start checks all above the recovery point, which has not passed them.

// syncFailure is what the mark says.
type syncFailure struct {
	fileFacts
	synced int64 // 0 if it does not say
}

func readSyncFailure(fsys vfs.FS, dir string) (f syncFailure) {
	f.fileFacts = readSmall(fsys, join(dir, syncFailedName), func(data []byte) (err error) {
		f.synced, err = parseSyncFailure(data)
		return err
	})
	return f
}

func encodeSyncFailure(synced int64) []byte {
	return appendCheckpoint(nil, 1, func(b []byte, _ int) []byte {
		return strconv.AppendInt(append(b, "synced "...), synced, 10)
	})
}

func parseSyncFailure(data []byte) (synced int64, err error) {
	lines := 0
	err = parseCheckpoint(data, func(fields []string) error {
		if lines++; lines > 1 || len(fields) != 2 || fields[0] != "synced" {
			return errors.New(`want one line, "synced" and an offset`)
		}
		synced, err = strconv.ParseInt(fields[1], 10, 64)
		if err == nil && synced < 0 {
			err = fmt.Errorf("offset %d", synced)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return synced, nil
}

// is there, in whatever state.
func (f *syncFailure) there() bool { return f.is != isAbsent && !mutant.Is(mutant.IgnoreSyncFailed) }

// markSyncFailed leaves the mark. It is all that can be done: see above for when it cannot.
func (l *Log) markSyncFailed(dir string) {
	l.mu.Lock()
	synced := l.synced
	l.mu.Unlock()
	if mutant.Is(mutant.SkipSyncFailedMark) {
		return
	}
	_ = writeFile(l.store.fs, join(dir, syncFailedName), encodeSyncFailure(synced), false)
}

// openToInspect opens a segment for inspection: past the cache if it is not to be believed, which knows another size,
// too.
func (l *Log) openToInspect(f *facts, sf *segmentFacts, s *segment) (file vfs.File, done func(), err error) {
	if !f.syncFailed.there() {
		file, err = s.handle.acquire()
		return file, s.handle.release, err
	}
	if file, err = vfs.PastCache(l.store.fs, s.path(logExt)); err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	sf.bytes = info.Size()
	return file, func() { file.Close() }, nil
}

// rewriteTail is steps 2 to 4: everything below from is durable.
func (l *Log) rewriteTail(from int64) error {
	l.synced = min(from, l.end.Load())
	for _, s := range l.segments[max(l.segmentAt(from), 0):] {
		if err := l.rewriteSegment(s, from); err != nil {
			return fmt.Errorf("after a failed sync, writing %s anew: %w", s.path(logExt), err)
		}
	}
	if err := l.syncNames(); err != nil {
		return err
	}
	if err := removeFile(l.store.fs, join(l.dir, syncFailedName)); err != nil {
		return err
	}
	l.synced = l.end.Load()
	return l.store.fs.SyncDir(l.dir)
}

// rewriteSegment puts a new file in the place of a segment's, with the same batches.
func (l *Log) rewriteSegment(s *segment, from int64) error {
	fsys, name := l.store.fs, s.path(logExt)
	old, err := vfs.PastCache(fsys, name)
	if err != nil {
		return err
	}
	defer old.Close()
	file, err := fsys.OpenFile(name+tmpExt, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	err = copyBytes(file, old, s.size)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := l.verifyRewritten(s, name+tmpExt, from); err != nil {
		return err
	}
	if err := fsys.Rename(name+tmpExt, name); err != nil {
		return err
	}
	s.handle.reopen()
	return nil
}

// copyBytes copies the first size bytes.
func copyBytes(to vfs.File, from io.ReaderAt, size int64) error {
	buf := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; {
		b := buf[:min(int64(len(buf)), size-at)]
		if _, err := from.ReadAt(b, at); err != nil {
			return err
		}
		if _, err := to.WriteAt(b, at); err != nil {
			return err
		}
		at += int64(len(b))
	}
	return nil
}

// verifyRewritten reads back what was written: the batches at or above from are good, and end where they did.
func (l *Log) verifyRewritten(s *segment, name string, from int64) error {
	file, err := vfs.PastCache(l.store.fs, name)
	if err != nil {
		return err
	}
	defer file.Close()
	scan := newVerifier(file, 0, s.size)
	defer scan.done()
	for {
		h, err := scan.peek()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && h.last >= from {
			err = scan.checkCRC(&h)
		}
		if err != nil {
			return fmt.Errorf("at byte %d of %s: %w", scan.next, name, err)
		}
		scan.next = h.end()
	}
}
