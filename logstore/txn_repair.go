package logstore

import "errors"

// repairTxnIndex makes a segment's transaction index again from its batches, and says whether it could. It may be called
// by readers, without locks.
func (l *Log) repairTxnIndex(s *segment, why error) bool {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	if l.Err() != nil || l.isReplaced(s) || !l.has(s) {
		return false
	}
	if err := l.rebuildTxnIndex(s); err != nil {
		l.store.failed("making the transaction index of "+s.path(logExt)+" again", err)
		return false
	}
	l.indexRebuilt(s.path(txnIndexExt), why.Error())
	return true
}

// has tells whether a segment is still the log's. The caller holds appendMu.
func (l *Log) has(s *segment) bool {
	i := l.segmentAt(s.base)
	return i >= 0 && l.segments[i] == s
}

// rebuildTxnIndex replays the producers up to the segment, and the segment. The caller holds appendMu, or is the only
// one who knows the log.
func (l *Log) rebuildTxnIndex(s *segment) error {
	entries, err := l.replayTxns(s)
	if err != nil {
		return err
	}
	var data []byte
	for _, t := range entries {
		data = append(data, t.encode()...)
	}
	name := s.path(txnIndexExt)
	if len(entries) == 0 {
		err = removeFile(l.store.fs, name)
	} else {
		err = replaceFile(l.store.fs, name, data)
	}
	if err = errors.Join(err, l.store.fs.SyncDir(l.dir)); err != nil {
		return err
	}
	l.mu.Lock()
	s.txns, s.txnsDirty, s.txnSum = len(entries), false, sumOf(entries)
	l.mu.Unlock()
	return nil
}
