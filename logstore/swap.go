package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
)

// A compacted segment takes the place of those that it was made of in steps, each durable before the next, so that at
// any moment the names alone tell a start whether the old ones hold or the new one:
//
//	1  the new indexes: .cleaned → .swap        2  the new .log: .cleaned → .swap
//	   the old segments hold until here; from here on the new one does
//	3  the old segments: → .deleted             4  the new .log: .swap → its name
//	5  the new indexes: .swap → their names
//
// Apache Kafka (LocalLog.replaceSegments, LogLoader) goes the same way with fewer syncs, and believes the same names:
// either software finishes what the other began.

// swapIn puts s, which is finished, in the place of old, which end at next. Nobody waits for it but who may not meet a
// compaction: appends and reads go on, the latter in the old files.
func (l *Log) swapIn(s *segment, old []*segment, aborted [][]AbortedTxn, next int64) error {
	if err := l.markReplacing(old, aborted, next); err != nil {
		return err
	}
	if err := l.nameSwap(s); err != nil {
		if undone := l.unnameSwap(s); undone == nil && isShortage(err) {
			l.unmarkReplacing(old)
			return err
		}
		return l.fail("compacting", err)
	}
	marked, err := l.moveAway(old)
	if err == nil {
		err = finishNames(l.store.fs, l.dir, []string{segmentName(s.base, logExt) + swapExt}, l.swapNames(s))
	}
	if err != nil {
		return l.fail("compacting", err)
	}
	config := l.takeIn(s, old)
	for _, o := range old {
		o.handle.drop()
	}
	l.removeLater(marked, config.fileDeleteDelay())
	return nil
}

// markReplacing takes the old segments out of the reach of everybody who uses their names, if they are still there.
// What their transaction indexes say stays in memory meanwhile.
func (l *Log) markReplacing(old []*segment, aborted [][]AbortedTxn, next int64) error {
	l.appendMu.Lock() // an index that is being made again is finished first
	defer l.appendMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	from := slices.Index(l.segments, old[0])
	to := from + len(old)
	if l.Err() != nil || from < 0 || to >= len(l.segments) || !slices.Equal(l.segments[from:to], old) || l.segments[to].base != next {
		return errCompactionAborted // retention was here
	}
	for i, o := range old {
		o.replacing, o.aborted = true, aborted[i]
	}
	return nil
}

func (l *Log) unmarkReplacing(old []*segment) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range old {
		o.replacing, o.aborted = false, nil
	}
}

// isReplaced tells whether the names of the segment's indexes may be those of another one.
func (l *Log) isReplaced(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.replacing
}

// nameSwap is steps 1 and 2.
func (l *Log) nameSwap(s *segment) error {
	fsys := l.store.fs
	for _, ext := range []string{indexExt, timeIndexExt, txnIndexExt} {
		if err := renameIfThere(fsys, s.path(ext)+cleanedExt, s.path(ext)+swapExt); err != nil {
			return err
		}
	}
	if err := fsys.SyncDir(l.dir); err != nil {
		return err
	}
	if err := fsys.Rename(s.path(logExt)+cleanedExt, s.path(logExt)+swapExt); err != nil || mutant.Is(mutant.SwapBeforeNamed) {
		return err
	}
	return fsys.SyncDir(l.dir)
}

// unnameSwap takes steps 1 and 2 back.
func (l *Log) unnameSwap(s *segment) error {
	var errs []error
	for _, ext := range segmentExts {
		errs = append(errs, removeFile(l.store.fs, s.path(ext)+swapExt))
	}
	return errors.Join(errs...)
}

func (l *Log) swapNames(s *segment) (names []string) {
	for _, ext := range []string{indexExt, timeIndexExt, txnIndexExt} {
		names = append(names, segmentName(s.base, ext)+swapExt)
	}
	return names
}

// moveAway is step 3. Readers that hold an old segment go on in its file. The producers' state stands at the base of
// the new segment as it did; where no segment begins any more, nobody looks for it.
func (l *Log) moveAway(old []*segment) (marked []string, err error) {
	fsys := l.store.fs
	for i, o := range old {
		name := o.path(logExt)
		if err := o.handle.move(name + deletedExt); err != nil {
			return marked, err
		}
		marked = append(marked, name+deletedExt)
		exts := []string{indexExt, timeIndexExt, txnIndexExt, snapshotExt}
		if i == 0 {
			exts = exts[:3]
		}
		for _, ext := range exts {
			name := o.path(ext)
			err := fsys.Rename(name, name+deletedExt)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return marked, err
			}
			marked = append(marked, name+deletedExt)
		}
	}
	return marked, fsys.SyncDir(l.dir)
}

// finishNames is steps 4 and 5. Those names that are gone already have been given before.
func finishNames(fsys vfs.FS, dir string, logs, indexes []string) error {
	for _, names := range [][]string{logs, indexes} {
		for _, name := range names {
			name = join(dir, name)
			if err := renameIfThere(fsys, name, strings.TrimSuffix(name, swapExt)); err != nil {
				return err
			}
		}
		if err := fsys.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func renameIfThere(fsys vfs.FS, from, to string) error {
	if err := fsys.Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// takeIn makes s one of the log's segments in the place of old.
func (l *Log) takeIn(s *segment, old []*segment) LogConfig {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	from := slices.Index(l.segments, old[0])
	if from < 0 || !slices.Equal(l.segments[from:from+len(old)], old) {
		panic("logstore: segments changed while compaction replaced them")
	}
	// A new slice: assess looks at the old one without mu.
	l.segments = slices.Concat(l.segments[:from], []*segment{s}, l.segments[from+len(old):])
	l.swaps++
	l.hints = readHints{}
	return l.config
}

// swapPlan is what a start does about the files of a compaction that a crash interrupted.
type swapPlan struct {
	unfinished []string // .swap that do not hold: removed before the .cleaned that tells so
	remove     []string // then these are
	logs       []string // then these lose their .swap,
	indexes    []string // and then these
}

func (p swapPlan) empty() bool {
	return len(p.unfinished)+len(p.remove)+len(p.logs)+len(p.indexes) == 0
}

// planSwap is the table of names and decisions:
//
//	x.cleaned                                                remove: it was not finished
//	x.swap, at or above the base of some .cleaned            remove: it was not finished either, and the old ones hold
//	.log.swap otherwise                                      it holds: remove segments with a base in it, name it
//	another x.swap, with a .log or a .log.swap of its base   name it
//	another x.swap                                           remove
//
// nextOf is the offset after the last batch of a .log.swap.
//
// Source: LogLoader.removeTempFilesAndCollectSwapFiles, LogLoader.load.
func planSwap(names []string, nextOf func(base int64) (int64, error)) (p swapPlan, err error) {
	firstCleaned := int64(math.MaxInt64)
	for _, name := range names {
		if base, ext, ok := parseSegmentName(name); ok && strings.HasSuffix(ext, cleanedExt) {
			firstCleaned = min(firstCleaned, base)
			p.remove = append(p.remove, name)
		}
	}
	logs := map[int64]bool{} // bases with a .log, or one to come
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	var indexes []string
	for _, name := range names {
		base, ext, ok := parseSegmentName(name)
		switch {
		case !ok:
		case ext == logExt:
			logs[base] = true
		case !strings.HasSuffix(ext, swapExt):
		case base >= firstCleaned:
			p.unfinished = append(p.unfinished, name)
		case ext != logExt+swapExt:
			indexes = append(indexes, name)
		default:
			next, err := nextOf(base)
			if err != nil {
				return swapPlan{}, err
			}
			logs[base] = true
			from, to = min(from, base), max(to, next)
			p.logs = append(p.logs, name)
		}
	}
	for _, name := range names {
		base, ext, ok := parseSegmentName(name)
		replaced := ok && base >= from && base < to
		if replaced && (slices.Contains(segmentExts, ext) || ext == snapshotExt && base > from) {
			p.remove = append(p.remove, name)
			if ext == logExt && !slices.Contains(p.logs, name+swapExt) {
				delete(logs, base)
			}
		}
	}
	for _, name := range indexes {
		if base, _, _ := parseSegmentName(name); logs[base] {
			p.indexes = append(p.indexes, name)
		} else {
			p.remove = append(p.remove, name)
		}
	}
	return p, nil
}

// finishSwap brings the names of a partition's files to where an interrupted compaction was going, or back. It may be
// interrupted itself, and done again. listing is what is in the directory; nil if that has changed.
func (l *Log) finishSwap() (listing []fs.DirEntry, err error) {
	p, listing, err := l.readSwap()
	if err != nil || p.empty() {
		return listing, err
	}
	return nil, l.finish(p)
}

func (l *Log) finish(p swapPlan) error {
	fsys := l.store.fs
	for _, names := range [][]string{p.unfinished, p.remove} {
		for _, name := range names {
			if err := removeFile(fsys, join(l.dir, name)); err != nil {
				return err
			}
		}
		if err := fsys.SyncDir(l.dir); err != nil {
			return err
		}
	}
	if len(p.logs)+len(p.indexes) == 0 {
		return nil
	}
	return finishNames(fsys, l.dir, p.logs, p.indexes)
}

// readSwap plans by the directory's names, and changes nothing.
func (l *Log) readSwap() (p swapPlan, entries []fs.DirEntry, err error) {
	if entries, err = l.store.fs.ReadDir(l.dir); err != nil {
		return p, nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	p, err = planSwap(names, l.endOfSwap)
	return p, entries, err
}

// endOfSwap is the offset after the last batch of the .log.swap at base.
func (l *Log) endOfSwap(base int64) (next int64, err error) {
	name := join(l.dir, segmentName(base, logExt)+swapExt)
	f, err := l.store.fs.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	scan := newScanner(f, 0, info.Size())
	defer scan.done()
	for next = base; ; {
		h, err := scan.header()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if isDamage(err) || err == nil && h.base < next {
			return 0, fmt.Errorf("%s, which a compaction left, is damaged at byte %d: the bytes are kept; restore the partition from a replica or a backup, or delete it", name, scan.next)
		}
		if err != nil {
			return 0, err
		}
		next = h.last + 1
	}
}
