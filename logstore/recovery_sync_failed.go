package logstore

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/ottla/ottla/logstore/vfs"
)

// A sync that failed proves that the disk may lack what the page cache shows, marked clean: neither another sync nor a
// read through the cache tells. sync-failed says so to the next start, and up to where all had been synced before.
//
// It is a checkpoint of one line, "synced" and an offset. It is not synced itself: after a power cut the cache is gone,
// and it has nothing to warn of. If it cannot be written either, the next start still reads from the recovery point on,
// and what was in the cache was asked to be dropped when the sync failed.

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
func (f *syncFailure) there() bool { return f.is != isAbsent }

// markSyncFailed leaves the mark. It is all that can be done: see above for when it cannot.
func (l *Log) markSyncFailed(dir string) {
	l.mu.Lock()
	synced := l.synced
	l.mu.Unlock()
	_ = writeFile(l.store.fs, join(dir, syncFailedName), encodeSyncFailure(synced), false)
}
