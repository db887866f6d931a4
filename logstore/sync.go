package logstore

import (
	"errors"
	"time"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
)

// flushWaiter waits until everything below offset is on disk.
type flushWaiter struct {
	offset int64
	done   chan error // with room for the answer
}

// Flush returns when everything appended before it is on disk, in either mode.
func (l *Log) Flush() error {
	l.mu.Lock()
	if err := l.Err(); err != nil || l.synced >= l.end.Load() {
		l.mu.Unlock()
		return err
	}
	w := flushWaiter{l.end.Load(), make(chan error, 1)}
	l.waiters = append(l.waiters, w)
	l.mu.Unlock()
	l.store.flusher.enqueue(l)
	return <-w.done
}

// flushBelow flushes where something below offset is not on disk: a log start above what is durable would leave a start
// without the producers' state there.
func (l *Log) flushBelow(offset int64) error {
	l.mu.Lock()
	done := l.synced >= offset
	l.mu.Unlock()
	if done {
		return nil
	}
	return l.Flush()
}

// flushSoon asks for a sync of what is not on disk, and does not wait.
func (l *Log) flushSoon() {
	l.mu.Lock()
	due := l.Err() == nil && l.synced < l.end.Load()
	l.mu.Unlock()
	if due {
		l.store.flusher.enqueue(l)
	}
}

// afterAppend moves flushed in page-cache mode, and says when the append is to be synced. mu is held.
func (l *Log) afterAppend(end int64) syncWhen {
	if l.config.durable() {
		if mutant.Is(mutant.AckBeforeSync) {
			l.flushed.Store(end)
		}
		return syncNow
	}
	l.flushed.Store(end)
	if l.unsyncedBytes > maxLazyBytes || l.unsyncedCount >= l.config.FlushMessages {
		return syncNow
	}
	if l.lazy {
		return syncLater
	}
	l.lazy = true
	return syncSoon
}

// syncJob is one round of a log's sync: what it covers, taken under mu, and what must be done for it, without.
type syncJob struct {
	target   int64 // everything below is covered
	cuts     int   // Log.cuts when it was taken
	segments []*segment
	bytes    int64
	dir      string
	dirDirty bool
	newborn  bool
}

// syncDirty makes durable what was appended before it began. Run by one worker of the flusher at a time.
func (l *Log) syncDirty() {
	began := l.store.now()
	job, ok := l.takeSyncJob()
	if !ok {
		l.letGo()
		l.store.flusher.synced(l)
		return
	}
	what, err := l.runSyncJob(job)
	l.endSyncJob(job, began, what, err)
}

// syncTogether is syncDirty for many logs, by one sync of the file system. Run by a worker of the flusher in a round.
func (s *Store) syncTogether(logs []*Log) {
	began := s.now()
	jobs := make([]syncJob, len(logs))
	taken := make([]bool, len(logs))
	for i, l := range logs {
		jobs[i], taken[i] = l.takeSyncJob()
	}
	err := s.flusher.syncVolume(len(logs))
	for i, l := range logs {
		if !taken[i] {
			l.letGo()
			s.flusher.synced(l)
			continue
		}
		what, err := "", err
		if err != nil {
			what, err = l.runSyncJob(jobs[i])
		}
		l.endSyncJob(jobs[i], began, what, err)
	}
}

// syncVolume is called in a round. An error does not say whose bytes it is about, a stranger's perhaps, or those of a
// log that is offline for it already. Then each log of the round asks about its own file: this is no second try, for the
// kernel tells of bytes that it lost to everyone who had the file open when they were written, as the log had.
func (f *flusher) syncVolume(logs int) error {
	began := f.now()
	err := f.volume.Sync()
	if mutant.Is(mutant.IgnoreVolumeError) {
		err = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.choice.tookTogether(logs, f.now().Sub(began), err, f.now())
	return err
}

// endSyncJob tells everybody how a sync of the log ended, and lets its files go.
func (l *Log) endSyncJob(job syncJob, began time.Time, what string, err error) {
	if err != nil && !l.isDeleted() {
		// Not tried again: the kernel takes the pages that it could not write for written, and would now say that
		// all is well. What is above flushed is unknown until a restart has read it from the disk.
		l.markSyncFailed(job.dir)
		_ = l.fail(what, err)
	}
	for _, s := range job.segments {
		s.handle.release()
	}
	if err != nil {
		l.letGo()
	}
	var waiters []flushWaiter
	moved := false
	if err == nil {
		moved, waiters = l.finishSyncJob(job)
	}
	l.store.flusher.synced(l)
	for _, w := range waiters {
		w.done <- nil
	}
	if moved {
		l.tellFlushed(job.target, nil)
		if f := l.store.events.Flushed; f != nil {
			f(l.tp, job.target, l.store.now().Sub(began))
		}
	}
	if err == nil {
		l.store.checkpoints.note(l, job.bytes)
	}
}

// isDeleted tells whether the directory was renamed under a sync, which then does not find it.
func (l *Log) isDeleted() bool {
	l.store.naming.Lock()
	defer l.store.naming.Unlock()
	return l.store.Get(l.tp) != l
}

func (l *Log) takeSyncJob() (job syncJob, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Err() != nil {
		return job, false
	}
	job = syncJob{min(l.end.Load(), l.cutting), l.cuts, l.unsynced, l.unsyncedBytes, l.dir, l.dirDirty, l.newborn}
	for _, s := range job.segments {
		s.dirty = false
	}
	l.unsynced, l.unsyncedBytes, l.unsyncedCount, l.dirDirty = nil, 0, 0, false
	return job, true
}

// runSyncJob syncs files before the directory that names them, and that one before the data directory.
func (l *Log) runSyncJob(job syncJob) (what string, err error) {
	for _, s := range job.segments {
		if mutant.Is(mutant.AckBeforeSync) {
			break
		}
		if err := s.handle.file.Sync(); err != nil {
			vfs.DropCache(s.handle.file)
			return "syncing " + s.handle.path, err
		}
	}
	if mutant.Is(mutant.SkipDirSync) {
		return "", nil
	}
	if job.newborn {
		return "syncing a new partition", l.syncNewborn(job.dir)
	}
	if job.dirDirty && !mutant.Is(mutant.SkipDirSync) {
		return "syncing directory " + job.dir, l.store.fs.SyncDir(job.dir)
	}
	return "", nil
}

// bear is syncNewborn where it has not happened yet. The caller holds appendMu.
func (l *Log) bear() error {
	l.mu.Lock()
	newborn, dir := l.newborn, l.dir
	l.mu.Unlock()
	if !newborn {
		return nil
	}
	return l.syncNewborn(dir)
}

// syncNewborn makes a new partition's directory durable.
func (l *Log) syncNewborn(dir string) error {
	return errors.Join(syncIfThere(l.store.fs, join(dir, partitionName)), l.store.fs.SyncDir(dir), l.store.syncRoot())
}

// finishSyncJob moves synced, and flushed in fsync mode, up to the job's target. After a truncation it moves nothing:
// what was synced may have been cut since.
func (l *Log) finishSyncJob(job syncJob) (moved bool, waiters []flushWaiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if job.newborn {
		l.newborn = false
	}
	if l.cuts != job.cuts {
		if len(l.waiters) > 0 {
			defer l.store.flusher.enqueue(l)
		}
		return false, nil
	}
	l.synced = max(l.synced, job.target)
	if l.config.durable() && l.flushed.Load() < job.target {
		l.flushed.Store(job.target)
		moved = true
	}
	waiting := l.waiters[:0]
	for _, w := range l.waiters {
		if w.offset <= l.synced {
			waiters = append(waiters, w)
		} else {
			waiting = append(waiting, w)
		}
	}
	l.waiters = waiting
	return moved, waiters
}
