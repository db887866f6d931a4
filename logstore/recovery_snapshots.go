package logstore

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/ottla/ottla/logstore/vfs"
)

// findSnapshot takes the producers' state from the newest good snapshot that is not above what is verified; without
// one, nothing at the log's first offset. It notes what those that it read are.
func (f *facts) findSnapshot(l *Log) {
	f.producers, f.txns = newProducerState(f.segments[0].base), newTransactions()
	// Batches below the first segment are deleted, not to come: a snapshot at its base is all that is left of them.
	upTo := max(f.verifiedFrom(), f.segments[0].base)
	for i := range slices.Backward(f.snapshots) {
		s := &f.snapshots[i]
		if s.offset > upTo {
			continue
		}
		s.is = readSmall(l.store.fs, join(f.dir, segmentName(s.offset, snapshotExt)), func(data []byte) error {
			state, txns, err := parseSnapshot(data, s.offset)
			if err == nil {
				f.producers, f.txns = state, txns
			}
			return err
		})
		if s.is.is == isGood {
			return
		}
	}
}

// inspectTxnIndex reads a transaction index, of which there is one only where transactions were aborted. Behind the
// last entry that can be true, a crash may have left anything above the recovery point.
func (sf *segmentFacts) inspectTxnIndex(fsys vfs.FS, name string, next int64) {
	info, err := fsys.Stat(name)
	if err != nil {
		sf.txnIs = fileFacts{isUnreadable, err}
		return
	}
	sf.txnBytes = info.Size()
	if next < 0 {
		next = math.MaxInt64
	}
	count, last := int(sf.txnBytes)/abortedTxnBytes, sf.base-1
	read := 0
	err = eachAbortedTxn(fsys, name, count, func(t AbortedTxn) bool {
		if !t.follows(last) || t.LastOffset >= next {
			return false
		}
		read, last = read+1, t.LastOffset
		return true
	})
	switch {
	case errors.Is(err, errNewerVersion) && read == 0:
		sf.txnIs = fileFacts{isNewer, err}
	case errors.Is(err, errTxnIndex):
		sf.txnIs = fileFacts{isDamaged, err}
	case err != nil:
		sf.txnIs = fileFacts{isUnreadable, err}
	case sf.txnBytes == 0:
		sf.txnIs = fileFacts{isEmpty, errors.New("nothing is in it")}
	case read < count:
		sf.txnIs = fileFacts{isDamaged, fmt.Errorf("entry %d does not follow the marker at %d", read, last)}
	case sf.txnBytes%abortedTxnBytes != 0:
		sf.txnIs = fileFacts{isDamaged, errors.New("the last entry is cut off")}
	default:
		sf.txnIs = fileFacts{is: isGood}
	}
}
