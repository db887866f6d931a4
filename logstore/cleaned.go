package logstore

import (
	"errors"
	"os"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
)

// cleanedSegment is a segment that compaction is making, in files named .cleaned. A start removes what a crash leaves
// of them.
type cleanedSegment struct {
	log     *Log
	seg     *segment // as it will be
	file    vfs.File // nil once it is closed
	written int64    // bytes in the file; seg.size counts those that wait, too
}

func (k *compaction) newCleaned(base int64) (*cleanedSegment, error) {
	l := k.log
	w := &cleanedSegment{log: l, seg: l.newSegment(base)}
	for _, ext := range segmentExts { // of an attempt that could not tidy up
		if err := removeFile(l.store.fs, w.seg.path(ext)+cleanedExt); err != nil {
			return nil, err
		}
	}
	file, err := l.store.fs.OpenFile(w.seg.path(logExt)+cleanedExt, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	w.file = file
	return w, nil
}

// segmentExts are a segment's files.
var segmentExts = []string{logExt, indexExt, timeIndexExt, txnIndexExt}

// add takes a batch, or a message of an older format, into account that is about to be written.
func (w *cleanedSegment) add(b []byte, intervalBytes int64) error {
	h, err := parseHeader(b, w.seg.size, int64(len(b)))
	if err != nil {
		return err
	}
	w.seg.appended(h.last, h.maxTimestamp, h.size, intervalBytes)
	return nil
}

// finish makes the batches durable, and writes what goes with them. The file keeps the age of the newest that it
// replaces: where records have no time, retention goes by it.
func (w *cleanedSegment) finish(aborted []AbortedTxn, newest *segment) error {
	fs := w.log.store.fs
	info, err := fs.Stat(newest.path(logExt))
	if err != nil {
		return err
	}
	if err := w.file.Chtimes(info.ModTime()); err != nil {
		return err
	}
	if !mutant.Is(mutant.SwapWithoutSync) {
		if err := w.file.Sync(); err != nil {
			vfs.DropCache(w.file)
			return err
		}
	}
	err = w.file.Close()
	w.file = nil
	if err != nil {
		return err
	}
	s := w.seg
	s.indexTime()
	for _, x := range []*index{&s.offsets, &s.times} {
		if err := writeFile(fs, x.path+cleanedExt, x.tail, false); err != nil {
			return err
		}
		x.onFile, x.tail = len(x.tail)/x.width, nil
	}
	if s.txns = len(aborted); s.txns == 0 {
		return nil
	}
	name := s.path(txnIndexExt) + cleanedExt
	return errors.Join(writeAbortedTxns(fs, name, 0, aborted), syncFile(fs, name))
}

// discard gives the segment up. What cannot be removed now is when its name is needed again, or at the next start.
func (w *cleanedSegment) discard() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
	for _, ext := range segmentExts {
		if err := removeFile(w.log.store.fs, w.seg.path(ext)+cleanedExt); err != nil {
			w.log.store.failed("removing an unfinished compaction's files", err)
		}
	}
}
