package logstore

import (
	"errors"
	"maps"
	"math"
	"os"
	"slices"
	"sync"
	"time"
)

// checkpointer writes, off the path of acknowledgements, how far each log needs no recovery: recovery points, and high
// watermarks with them. It runs a second after something moved, or as soon as much has; never while nothing moves. It
// also keeps short what a restart must read again below the recovery points: see Log.shorten.
type checkpointer struct {
	store *Store

	// writing makes one run, or one change of what was written, after the other. It is taken before Log.mu, after
	// Log.appendMu.
	writing sync.Mutex
	points  map[TopicPartition]int64 // what recovery-point-offset-checkpoint says
	cleaned map[TopicPartition]int64 // what cleaner-offset-checkpoint says: a log's first offset that was never compacted
	// gone are deleted partitions that the checkpoints may still name: of a new one of that name it would be untrue.
	gone map[TopicPartition]bool
	// volume is the file system, nil where it cannot be synced as a whole.
	volume *volume
	// adopted are the log starts of logs that a move is about to bring here.
	adopted map[TopicPartition]int64

	mu          sync.Mutex // the last lock taken
	touched     []*Log     // that moved since the last run
	bytes       int64      // synced since the last run
	armed       bool       // a timer will run it
	hurried     bool       // ... at once
	lagging     []*Log     // with bytes that a restart would replay
	replayTotal int64
}

// Bounds of what a restart must check above the recovery points.
const (
	maxUnwrittenBytes = 32 << 20
	maxUnwrittenTotal = 64 << 20
	maxUnwrittenDelay = time.Second
)

// Bounds of what a restart must walk over for producer state and indexes.
const (
	maxReplayBytes = 64 << 20
	maxReplayTotal = 256 << 20
)

// note takes notice that bytes of the log were synced, or that its high watermark moved.
func (c *checkpointer) note(l *Log, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.touched {
		l.touched = true
		c.touched = append(c.touched, l)
	}
	if bytes > 0 && l.replay == 0 {
		c.lagging = append(c.lagging, l)
	}
	c.bytes += bytes
	c.replayTotal += bytes
	l.unwritten += bytes
	l.replay += bytes
	switch {
	case (c.bytes > maxUnwrittenTotal || l.unwritten > maxUnwrittenBytes) && !c.hurried:
		c.armed, c.hurried = true, true
		c.store.timers.after(0, c.run)
	case !c.armed:
		c.armed = true
		c.store.timers.after(maxUnwrittenDelay, c.run)
	}
}

// take hands over what moved.
func (c *checkpointer) take() []*Log {
	c.mu.Lock()
	defer c.mu.Unlock()
	touched := c.touched
	for _, l := range touched {
		l.touched, l.unwritten = false, 0
	}
	c.touched, c.bytes, c.armed, c.hurried = nil, 0, false, false
	return touched
}

// run brings the checkpoints up to date with the logs that moved.
func (c *checkpointer) run() {
	logs := c.take()
	if c.store.Err() != nil {
		return
	}
	if err := c.write(logs); err != nil {
		c.store.failed("writing checkpoints", err)
	}
	c.shorten()
}

// write makes durable what the logs' recovery points stand for, then writes them. On an error the old ones stay good.
func (c *checkpointer) write(logs []*Log) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	for _, l := range logs {
		if l.nameless.Load() { // nothing may count on the log before it is known whose it is
			delete(c.points, l.tp)
		}
	}
	startsErr := c.retryStarts(logs)
	points, err := c.settle(logs)
	errs := []error{startsErr, err}
	for l, point := range points {
		c.points[l.tp] = point
	}
	// The names need no sync: what a power cut brings back is as true, only older.
	errs = append(errs, c.writePoints(), c.writeHighWatermarks())
	if len(c.gone) > 0 {
		errs = append(errs, c.forgetGone())
	}
	return errors.Join(errs...)
}

// forgetGone writes checkpoints that do not name deleted partitions. writing is held.
func (c *checkpointer) forgetGone() error {
	if err := errors.Join(c.writePoints(), c.writeHighWatermarks(), c.writeStarts(), c.writeCleaned()); err != nil {
		return err
	}
	clear(c.gone)
	return nil
}

// forget makes sure that the checkpoints do not say of a new partition what held for a deleted one of its name. Nothing
// else does before the next run, and a kill may come first.
func (c *checkpointer) forget(tp TopicPartition) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.gone[tp] {
		return nil
	}
	return c.forgetGone()
}

// forgetAll has the checkpoints forget all deleted partitions, durably.
func (c *checkpointer) forgetAll() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if len(c.gone) == 0 {
		return nil
	}
	return errors.Join(c.forgetGone(), c.store.syncRoot())
}

// retryStarts makes log starts durable that somebody could not. writing is held.
func (c *checkpointer) retryStarts(logs []*Log) error {
	if slices.ContainsFunc(logs, func(l *Log) bool { return l.Err() == nil && l.logStart.Load() > l.logStartWritten }) {
		return c.writeStarts()
	}
	return nil
}

func (c *checkpointer) writePoints() error {
	return writeOffsets(c.store.fs, join(c.store.dir, recoveryPointName), c.points)
}

// writeHighWatermarks is not synced: one that a crash tore is told by its count of lines and done without, since a high
// watermark is found again by replication.
func (c *checkpointer) writeHighWatermarks() error {
	marks := map[TopicPartition]int64{}
	for _, l := range c.store.each() {
		marks[l.tp] = l.highWatermark.Load()
	}
	name := join(c.store.dir, highWatermarkName)
	if err := writeFile(c.store.fs, name+tmpExt, encodeOffsets(marks), false); err != nil {
		return err
	}
	return c.store.fs.Rename(name+tmpExt, name)
}

// lower takes recovery points back, durably, before the log is cut there; Log.cutShort must follow.
func (c *checkpointer) lower(l *Log, to int64) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.cleaned[l.tp] > to { // what is appended there next was never compacted
		c.cleaned[l.tp] = to
		if err := errors.Join(c.writeCleaned(), c.store.syncRoot()); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.cuts++
	l.cutting = to
	l.synced = min(l.synced, to)
	l.mu.Unlock()
	old := c.points[l.tp]
	if old <= to {
		return nil
	}
	c.points[l.tp] = to
	err := errors.Join(c.writePoints(), c.store.syncRoot())
	if err != nil {
		c.points[l.tp] = old // what the file says, perhaps
		l.mu.Lock()
		l.cutting = math.MaxInt64
		l.mu.Unlock()
	}
	return err
}

// writeCleaned writes how far logs are compacted. The name needs no sync: with an older one more is compacted again.
func (c *checkpointer) writeCleaned() error {
	return writeOffsets(c.store.fs, join(c.store.dir, cleanerName), c.cleaned)
}

// cleanedTo notes that everything of the log below offset has been compacted.
func (c *checkpointer) cleanedTo(l *Log, offset int64) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.cleaned[l.tp] = offset
	return c.writeCleaned()
}

// firstDirty is the offset that cleanedTo was last told, -1 if none.
func (c *checkpointer) firstDirty(l *Log) int64 {
	c.writing.Lock()
	defer c.writing.Unlock()
	return offsetOf(c.cleaned, l.tp)
}

// writeEpochs writes the leader epochs now.
func (c *checkpointer) writeEpochs(l *Log) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return l.writeEpochs()
}

// writeLogStarts writes the log starts that the segments' names do not tell, durably. l is a log whose start moved; if
// it went back, anew is true. Callers that come while one writes are served together by the next.
func (c *checkpointer) writeLogStarts(l *Log, anew bool) error {
	want := l.logStart.Load()
	c.writing.Lock()
	defer c.writing.Unlock()
	if l.logStartWritten >= want && !anew {
		return nil
	}
	return c.writeStarts()
}

func (c *checkpointer) writeAllLogStarts() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeStarts()
}

func (c *checkpointer) writeStarts() error {
	starts := maps.Clone(c.adopted)
	logs := c.store.each()
	written := make([]int64, len(logs))
	for i, l := range logs {
		written[i] = l.logStart.Load()
		if written[i] > l.namedStart() {
			starts[l.tp] = written[i]
		}
	}
	err := writeOffsets(c.store.fs, join(c.store.dir, logStartName), starts)
	if err = errors.Join(err, c.store.syncRoot()); err != nil {
		return err
	}
	for i, l := range logs {
		if l.logStartWritten = written[i]; l.Err() == nil {
			l.mu.Lock()
			l.epochs.truncateFromStart(written[i])
			l.mu.Unlock()
		}
	}
	return nil
}

// shorten has producer snapshots taken and indexes written: of one log when a restart would replay much of it, of all
// when it would replay much in all.
func (c *checkpointer) shorten() {
	c.mu.Lock()
	all := c.replayTotal > maxReplayTotal
	var due, rest []*Log
	for _, l := range c.lagging {
		if all || l.replay > maxReplayBytes {
			c.replayTotal -= l.replay
			l.replay = 0
			due = append(due, l)
		} else {
			rest = append(rest, l)
		}
	}
	c.lagging = rest
	c.mu.Unlock()
	for _, l := range due {
		if err := l.shortenReplay(); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.store.failed("writing snapshot and indexes of "+l.tp.String(), err)
		}
	}
}
