package logstore

import (
	"errors"
	"slices"
	"sort"
	"strconv"
)

// leaderEpochs says in which leader epoch each record was first appended: entries ascend in both fields. It is kept in
// leader-epoch-checkpoint, which must be on disk before the recovery point passes an entry's offset: above it, recovery
// finds the epochs in the batches again.
//
// Source: org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache.
type leaderEpochs struct {
	entries []epochEntry
	dirty   bool // since the file was written
}

// epochEntry: the records from start on, up to the next entry's, were appended in epoch.
type epochEntry struct {
	epoch int32
	start int64
}

// latest is -1 where nothing was appended in a known epoch.
func (e *leaderEpochs) latest() int32 {
	if len(e.entries) == 0 {
		return -1
	}
	return e.entries[len(e.entries)-1].epoch
}

// assign notes that the record at start was appended in epoch. Entries that contradict it are dropped: the newest
// append is the truth.
func (e *leaderEpochs) assign(epoch int32, start int64) {
	if epoch < 0 {
		return
	}
	if n := len(e.entries); n > 0 && e.entries[n-1].epoch == epoch && e.entries[n-1].start <= start {
		return
	}
	keep := len(e.entries)
	for keep > 0 && (e.entries[keep-1].epoch >= epoch || e.entries[keep-1].start >= start) {
		keep--
	}
	e.entries = append(e.entries[:keep], epochEntry{epoch, start})
	e.dirty = true
}

// truncateFromEnd forgets epochs that begin at or above end.
func (e *leaderEpochs) truncateFromEnd(end int64) {
	for n := len(e.entries); n > 0 && e.entries[n-1].start >= end; n-- {
		e.entries = e.entries[:n-1]
		e.dirty = true
	}
}

// truncateFromStart forgets epochs that ended at or below start; the one that holds start begins there.
func (e *leaderEpochs) truncateFromStart(start int64) {
	i := e.indexOf(start)
	if i < 0 || i == 0 && e.entries[0].start == start {
		return
	}
	e.entries = slices.Delete(e.entries, 0, i)
	e.entries[0].start = start
	e.dirty = true
}

// indexOf is the entry that holds offset, -1 if it lies below all.
func (e *leaderEpochs) indexOf(offset int64) int {
	return sort.Search(len(e.entries), func(i int) bool { return e.entries[i].start > offset }) - 1
}

// at is the epoch of offset, -1 if unknown.
func (e *leaderEpochs) at(offset int64) int32 {
	if i := e.indexOf(offset); i >= 0 {
		return e.entries[i].epoch
	}
	return -1
}

// endOffsetFor answers OffsetForLeaderEpoch (KIP-101, KIP-279): the largest epoch known that is not above the one
// asked for, and one past its last offset. The current epoch ends at the log's end; one older than all known ended
// before the first of them began (KIP-279); there is no answer for one that is newer.
func (e *leaderEpochs) endOffsetFor(epoch int32, logEnd int64) (int32, int64) {
	if epoch < 0 || len(e.entries) == 0 {
		return -1, -1
	}
	if epoch == e.latest() {
		return epoch, logEnd
	}
	higher := sort.Search(len(e.entries), func(i int) bool { return e.entries[i].epoch > epoch })
	switch higher {
	case len(e.entries):
		return -1, -1
	case 0:
		return epoch, e.entries[0].start
	}
	return e.entries[higher-1].epoch, e.entries[higher].start
}

func (e *leaderEpochs) encode() []byte {
	return appendCheckpoint(nil, len(e.entries), func(b []byte, i int) []byte {
		b = strconv.AppendInt(b, int64(e.entries[i].epoch), 10)
		b = append(b, ' ')
		return strconv.AppendInt(b, e.entries[i].start, 10)
	})
}

func parseLeaderEpochs(data []byte) (e leaderEpochs, err error) {
	err = parseCheckpoint(data, func(fields []string) error {
		if len(fields) != 2 {
			return errors.New("want epoch and start offset")
		}
		epoch, err1 := strconv.ParseInt(fields[0], 10, 32)
		start, err2 := strconv.ParseInt(fields[1], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if n := len(e.entries); epoch < 0 || start < 0 || n > 0 && (e.entries[n-1].epoch >= int32(epoch) || e.entries[n-1].start >= start) {
			return errors.New("epochs and offsets must ascend")
		}
		e.entries = append(e.entries, epochEntry{int32(epoch), start})
		return nil
	})
	return e, err
}
