package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/ottla/ottla/logstore/vfs"
)

// A segment's transaction index names the aborted transactions whose marker stands in the segment, by marker offset.
// Big-endian: version int16 = 0 · producerId int64 · firstOffset int64 · lastOffset int64 (the marker's) ·
// lastStableOffset int64. There is no file while there are no entries. It must be on disk before the recovery point
// passes an entry's marker; above it recovery writes the entries again.
const (
	txnIndexVersion  = 0
	txnIndexOffset   = 2 // of the first field
	abortedTxnBytes  = txnIndexOffset + 4*8
	txnEntriesAtOnce = 120
)

func (t AbortedTxn) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, txnIndexVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(t.ProducerID))
	b = binary.BigEndian.AppendUint64(b, uint64(t.FirstOffset))
	b = binary.BigEndian.AppendUint64(b, uint64(t.LastOffset))
	return binary.BigEndian.AppendUint64(b, uint64(t.LastStableOffset))
}

func parseAbortedTxn(b []byte) (AbortedTxn, error) {
	if version := binary.BigEndian.Uint16(b); version != txnIndexVersion {
		return AbortedTxn{}, versionError(int64(version), txnIndexVersion)
	}
	field := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[txnIndexOffset+8*i:])) }
	t := AbortedTxn{field(0), field(1), field(2), field(3)}
	if t.ProducerID < 0 || t.FirstOffset < 0 || t.LastOffset < t.FirstOffset {
		return t, fmt.Errorf("transaction of producer %d from %d to %d", t.ProducerID, t.FirstOffset, t.LastOffset)
	}
	return t, nil
}

// errTxnIndex is the error for bytes that are no entry.
var errTxnIndex = errors.New("damaged transaction index")

// writeAbortedTxns writes entries from index at on. Aborts are rare: the file is not kept open.
func writeAbortedTxns(fs vfs.FS, name string, at int, txns []AbortedTxn) error {
	var b []byte
	for _, t := range txns {
		b = append(b, t.encode()...)
	}
	f, err := fs.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, int64(at*abortedTxnBytes))
	return errors.Join(err, f.Close())
}

// eachAbortedTxn reads the first count entries in order until yield says no.
func eachAbortedTxn(fs vfs.FS, name string, count int, yield func(AbortedTxn) bool) error {
	if count == 0 {
		return nil
	}
	f, err := fs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, min(count, txnEntriesAtOnce)*abortedTxnBytes)
	for i := 0; i < count; {
		n := min(count-i, txnEntriesAtOnce)
		if _, err := f.ReadAt(buf[:n*abortedTxnBytes], int64(i*abortedTxnBytes)); err == io.EOF {
			return fmt.Errorf("%w: %s: it ends before entry %d", errTxnIndex, name, i+n)
		} else if err != nil {
			return err
		}
		for j := range n {
			t, err := parseAbortedTxn(buf[j*abortedTxnBytes:])
			if err != nil {
				return fmt.Errorf("%w: %s: entry %d: %w", errTxnIndex, name, i+j, err)
			}
			if !yield(t) {
				return nil
			}
		}
		i += n
	}
	return nil
}

// AbortedTxn is an aborted transaction: its producer's records in [FirstOffset, LastOffset] are not to be shown to a
// read_committed consumer. LastOffset is the marker's.
type AbortedTxn struct {
	ProducerID              int64
	FirstOffset, LastOffset int64
	LastStableOffset        int64 // when the marker was written
}

// AbortedTransactions are those that overlap [from, upTo), by first offset.
func (l *Log) AbortedTransactions(from, upTo int64) ([]AbortedTxn, error) {
	if err := l.Err(); err != nil {
		return nil, err
	}
	for {
		views, swaps := l.txnViews(from)
		found, err := l.abortedIn(views, from, upTo)
		if l.swapped(views, swaps) {
			continue // compaction came in between: the files were not the segments' any more
		}
		if err != nil {
			return nil, l.storageError(err)
		}
		slices.SortFunc(found, func(a, b AbortedTxn) int { return compareOffsets(a.FirstOffset, b.FirstOffset) })
		return found, nil
	}
}

func (l *Log) abortedIn(views []txnView, from, upTo int64) (found []AbortedTxn, err error) {
	for _, v := range views {
		more := true
		visit := func(t AbortedTxn) bool {
			if t.LastOffset >= from && t.FirstOffset < upTo {
				found = append(found, t)
			}
			// A later entry can only be of a transaction that was open at this one's marker, or began after it.
			more = t.LastStableOffset < upTo
			return more
		}
		if v.replaced {
			_ = slices.ContainsFunc(v.entries, func(t AbortedTxn) bool { return !visit(t) })
		} else if err = l.eachTxnOf(v, visit); errors.Is(err, os.ErrNotExist) {
			err = nil // retention took the segment meanwhile
			continue
		}
		if err != nil || !more {
			return found, err
		}
	}
	return found, nil
}

// eachTxnOf visits the entries of a segment's file, which is made again if it cannot be true.
func (l *Log) eachTxnOf(v txnView, visit func(AbortedTxn) bool) error {
	entries, err := v.read(l.store.fs)
	if err == nil {
		err = l.verifyTxns(v, entries)
	}
	if errors.Is(err, errTxnIndex) && l.repairTxnIndex(v.seg, err) {
		l.mu.Lock()
		v.count = v.seg.txns
		l.mu.Unlock()
		entries, err = v.read(l.store.fs)
	}
	for _, t := range entries {
		if err == nil && !visit(t) {
			break
		}
	}
	return err
}

// read checks what it reads: markers ascend, within the segment.
func (v txnView) read(fsys vfs.FS) (entries []AbortedTxn, err error) {
	name, last := v.seg.path(txnIndexExt), v.seg.base-1
	var wrong error
	err = eachAbortedTxn(fsys, name, v.count, func(t AbortedTxn) bool {
		if entries = append(entries, t); !t.follows(last) {
			wrong = fmt.Errorf("%w: %s: %+v after a marker at %d", errTxnIndex, name, t, last)
			return false
		}
		last = t.LastOffset
		return true
	})
	if err == nil {
		err = wrong
	}
	return entries, err
}

// follows tells whether an entry can stand behind one whose marker is at last.
func (t AbortedTxn) follows(last int64) bool {
	return t.FirstOffset < t.LastOffset && last < t.LastOffset
}

// txnView is a segment's transaction index: its file, or what compaction has kept of it while it replaces the segment.
type txnView struct {
	seg      *segment
	count    int
	sum      txnSum
	cuts     int
	replaced bool
	entries  []AbortedTxn
}

// txnViews are the transaction indexes from the segment that holds offset on, those without entries left out.
func (l *Log) txnViews(offset int64) (views []txnView, swaps int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments[max(l.segmentAt(offset), 0):] {
		if s.txns > 0 {
			views = append(views, txnView{s, s.txns, s.txnSum, l.cuts, s.replacing, s.aborted})
		}
	}
	return views, l.swaps
}

// swapped tells whether one of the views may have been of another segment's file.
func (l *Log) swapped(views []txnView, swaps int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.swaps != swaps || slices.ContainsFunc(views, func(v txnView) bool { return v.seg.replacing != v.replaced })
}

// txnEntries are all entries of a sealed segment's transaction index.
func (l *Log) txnEntries(s *segment) (entries []AbortedTxn, err error) {
	l.mu.Lock()
	count := s.txns
	l.mu.Unlock()
	err = eachAbortedTxn(l.store.fs, s.path(txnIndexExt), count, func(t AbortedTxn) bool {
		entries = append(entries, t)
		return true
	})
	return entries, err
}
