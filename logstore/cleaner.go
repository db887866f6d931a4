package logstore

import (
	"errors"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/ottla/ottla/logstore/compact"
)

// CleanerConfig is what compaction may take. The keys are Kafka's, without "log.cleaner.".
type CleanerConfig struct {
	Threads           int           // threads: logs compacted at the same time
	DedupeBufferBytes int64         // dedupe.buffer.size: memory for keys, of all threads
	LoadFactor        float64       // io.buffer.load.factor: how full that memory gets
	IOBufferBytes     int           // io.buffer.size: memory for reading and writing, of all threads
	MaxBytesPerSecond float64       // io.max.bytes.per.second: read and written, of all threads
	Backoff           time.Duration // backoff.ms: between looks at logs of which none was due
}

// DefaultCleanerConfig is Kafka's defaults.
func DefaultCleanerConfig() CleanerConfig {
	return CleanerConfig{
		Threads: 1, DedupeBufferBytes: 128 << 20, LoadFactor: 0.9, IOBufferBytes: 512 << 10,
		MaxBytesPerSecond: math.MaxFloat64, Backoff: 15 * time.Second,
	}
}

// minBufferBytes: less than that at once is not worth a system call.
const minBufferBytes = 64 << 10

// bufferBytes is what a thread reads, and what it writes, at once.
func (c CleanerConfig) bufferBytes() int {
	return max(c.IOBufferBytes/max(c.Threads, 1)/2, minBufferBytes)
}

// Cleaner compacts the logs of all stores that it is given to (Options.Cleaner). It has a goroutine for each thread that
// compacts, and a timer while some compacted log has sealed segments that are dirty; else nothing.
//
// A log that cannot be compacted is left alone until a restart, and Events.Uncleanable told; a full disk is no reason.
type Cleaner struct {
	throttle throttle
	threads  sync.WaitGroup

	mu      sync.Mutex // taken after Log.mu
	config  CleanerConfig
	closed  bool
	dirty   map[*Log]bool // that may have something to compact; true while a thread has it
	running int
	timer   *time.Timer // nil unless one is armed
}

// NewCleaner makes a cleaner. Close ends it, after the stores.
func NewCleaner(c CleanerConfig) *Cleaner {
	k := &Cleaner{dirty: map[*Log]bool{}}
	k.SetConfig(c)
	return k
}

// SetConfig takes effect with the next log; the throttle at once. A nil cleaner takes none.
func (c *Cleaner) SetConfig(config CleanerConfig) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.config = config
	c.throttle.set(config.MaxBytesPerSecond)
	if c.timer != nil && c.timer.Stop() {
		c.timer = nil
	}
	c.arm()
}

// Close lets threads end, which the closing of stores has stopped, and starts none again.
func (c *Cleaner) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	c.mu.Unlock()
	c.threads.Wait()
}

// note takes notice of a log that may have something to compact. A nil cleaner takes none.
func (c *Cleaner) note(l *Log) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.dirty[l]; !known {
		c.dirty[l] = false
		c.arm()
	}
}

// forget takes no more notice of a store's logs.
func (c *Cleaner) forget(s *Store) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.dirty, func(l *Log, _ bool) bool { return l.store == s })
}

// arm has the logs looked at in a while, if there are any. mu is held.
func (c *Cleaner) arm() {
	if c.closed || c.timer != nil || c.running > 0 || len(c.dirty) == 0 || c.config.Threads <= 0 {
		return
	}
	c.timer = time.AfterFunc(max(c.config.Backoff, 1), c.start)
}

// start starts the threads.
func (c *Cleaner) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = nil
	if c.closed {
		return
	}
	for c.running < min(c.config.Threads, len(c.dirty)) {
		c.running++
		c.threads.Go(c.work)
	}
}

// work compacts the most urgent logs, one after the other, until none is due.
func (c *Cleaner) work() {
	for {
		l, w, config := c.choose()
		if l == nil {
			break
		}
		again := l.runCompaction(w, config, &c.throttle)
		c.mu.Lock()
		if c.dirty[l] {
			c.dirty[l] = false
		}
		c.mu.Unlock()
		if !again {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	c.arm()
}

// choose takes the most urgent log that is due, and forgets those that have nothing to compact.
func (c *Cleaner) choose() (chosen *Log, work compact.Work, config CleanerConfig) {
	for _, l := range c.free() {
		w, waiting := l.compactionDue()
		c.mu.Lock()
		switch taken, known := c.dirty[l]; {
		case !known || taken:
		case !waiting:
			delete(c.dirty, l)
		case w.Due && (chosen == nil || w.Before(work)):
			if chosen != nil {
				c.dirty[chosen] = false
			}
			chosen, work = l, w
			c.dirty[l] = true
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return chosen, work, c.config
}

// free are the logs that no thread has.
func (c *Cleaner) free() (logs []*Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	for l, taken := range c.dirty {
		if !taken {
			logs = append(logs, l)
		}
	}
	return logs
}

// compactionDue is what there is to do for the log, and whether there may be at a later time.
func (l *Log) compactionDue() (w compact.Work, waiting bool) {
	config := l.configuration()
	if !config.Compact || l.Err() != nil || l.uncleanable.Load() != nil {
		return w, false
	}
	w, err := l.assess(l.store.retentionNow().UnixMilli())
	if err != nil {
		l.markUncleanable(err)
		return w, false
	}
	return w, w.Waiting
}

// runCompaction compacts the log, unless somebody keeps compactions away, and tells what came of it. It says whether
// another log may be tried at once.
func (l *Log) runCompaction(w compact.Work, config CleanerConfig, t *throttle) (goOn bool) {
	if !l.compacting.TryLock() {
		return false
	}
	stats, err := l.compact(w, config, t)
	l.compacting.Unlock()
	switch {
	case err == nil:
		if f := l.store.events.Compacted; f != nil {
			f(l.tp, stats)
		}
		return true
	case errors.Is(err, errCompactionAborted) || l.Err() != nil:
	case isShortage(err):
		l.store.failed("compacting "+l.tp.String(), err)
	default:
		l.markUncleanable(err)
		return true
	}
	return false
}

func (l *Log) markUncleanable(err error) {
	if l.Err() == nil && l.uncleanable.CompareAndSwap(nil, &offlineError{err}) {
		if f := l.store.events.Uncleanable; f != nil {
			f(l.tp, err)
		}
	}
}

// Uncleanable is why the log is not compacted until a restart, nil if it is.
func (l *Log) Uncleanable() error {
	if e := l.uncleanable.Load(); e != nil {
		return e.err
	}
	return nil
}

// Compact makes one round over the log now, whether it is due or not, if there is anything that may be compacted.
func (l *Log) Compact(c CleanerConfig) (CompactionStats, error) {
	l.compacting.Lock()
	defer l.compacting.Unlock()
	if err := l.Err(); err != nil {
		return CompactionStats{}, err
	}
	w, err := l.assess(l.store.retentionNow().UnixMilli())
	if err != nil || w.To <= w.From {
		return CompactionStats{From: w.From, To: w.From}, err
	}
	var t throttle
	t.set(c.MaxBytesPerSecond)
	return l.compact(w, c, &t)
}
