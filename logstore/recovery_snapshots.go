package logstore

import (
	"errors"
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

// inspectTxnIndex reads what is asked of a transaction index before it is used: its size, and the first entry's version.
func (sf *segmentFacts) inspectTxnIndex(fsys vfs.FS, name string) {
	info, err := fsys.Stat(name)
	if err == nil && info.Size() > 0 {
		sf.txnBytes = info.Size()
		err = eachAbortedTxn(fsys, name, min(1, int(sf.txnBytes)/abortedTxnBytes), func(AbortedTxn) bool { return false })
	}
	switch {
	case errors.Is(err, errNewerVersion):
		sf.txnIs = fileFacts{isNewer, err}
	case errors.Is(err, errTxnIndex):
		sf.txnIs = fileFacts{isDamaged, err}
	case err != nil:
		sf.txnIs = fileFacts{isUnreadable, err}
	case sf.txnBytes == 0:
		sf.txnIs = fileFacts{isEmpty, errors.New("nothing is in it")}
	case sf.txnBytes%abortedTxnBytes != 0:
		sf.txnIs = fileFacts{isDamaged, errors.New("the last entry is cut off")}
	default:
		sf.txnIs = fileFacts{is: isGood}
	}
}
