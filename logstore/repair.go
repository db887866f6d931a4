package logstore

import (
	"errors"
	"io"
)

// repairIndexes makes a segment's offset and time index again from its batches, and says whether it could. It may be
// called by readers, without locks.
func (l *Log) repairIndexes(s *segment, why string) bool {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.Err() != nil || l.isReplaced(s) {
		return false
	}
	if err := l.rebuildIndexes(s); err != nil {
		l.store.failed("making the indexes of "+s.path(logExt)+" again", err)
		return false
	}
	l.indexRebuilt(s.path(indexExt), why)
	return true
}

func (l *Log) indexRebuilt(file, why string) {
	if f := l.store.events.IndexRebuilt; f != nil {
		f(l.tp, file, why)
	}
}

// rebuildIndexes walks over the whole segment. The caller holds appendMu.
func (l *Log) rebuildIndexes(s *segment) error {
	l.mu.Lock()
	interval, size, sealed := l.config.IndexIntervalBytes, s.size, s != l.active()
	l.mu.Unlock()
	fresh := l.newSegment(s.base)
	if err := l.walk(s, 0, size, func(h header) error {
		fresh.appended(h.last, h.maxTimestamp, h.size, interval)
		return nil
	}); err != nil {
		return err
	}
	if sealed {
		fresh.indexTime()
	}
	err := errors.Join(
		replaceFile(l.store.fs, s.path(indexExt), fresh.offsets.tail),
		replaceFile(l.store.fs, s.path(timeIndexExt), fresh.times.tail))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.offsets.onFile, s.offsets.tail = len(fresh.offsets.tail)/offsetEntryBytes, nil
	s.times.onFile, s.times.tail = len(fresh.times.tail)/timeEntryBytes, nil
	s.newest, s.newestKnown = fresh.newest, true
	s.lastTime, s.sinceIndex = fresh.lastTime, fresh.sinceIndex
	l.dirDirty = true
	return nil
}

// walk calls visit for each batch of a segment in [from, to), positions where batches begin.
func (l *Log) walk(s *segment, from, to int64, visit func(h header) error) error {
	file, err := s.handle.acquire()
	if err != nil {
		return err
	}
	defer s.handle.release()
	scan := newScanner(file, from, to)
	defer scan.done()
	for {
		h, err := scan.header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return l.damage(s, scan.next, err)
		}
		if err := visit(h); err != nil {
			return err
		}
	}
}
