package logstore

import (
	"context"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/ottla/ottla/protocol"
)

// TopicPartition names a log.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Log is one partition's records: a row of segment files, their indexes, what is known of producers, and the leader
// epochs. Its methods may be called by many goroutines.
//
// Offsets: logStart ≤ flushed ≤ end. Everything below synced is on disk; flushed is what may be shown, which is synced
// in fsync mode and end in page-cache mode. Lock order is in doc.go.
type Log struct {
	store   *Store
	tp      TopicPartition
	topicID [16]byte

	// Written under mu, read without.
	logStart, end, flushed atomic.Int64
	highWatermark          atomic.Int64
	txns                   *transactions
	offline                atomic.Pointer[offlineError]
	// nameless: a crash took partition.metadata before it was durable, and Create has not given it again yet.
	nameless  atomic.Bool
	onFlushed atomic.Pointer[func(flushed int64, err error)]
	onMoved   atomic.Pointer[func(to *Log)]
	successor atomic.Pointer[Log] // set once: what a move has put in this log's place

	// appendMu makes changes one after the other: appends, rolls, truncation, deletion of segments. It is held over
	// writes to the page cache, never over a sync, but for truncation.
	appendMu  sync.Mutex
	producers *producerState // guarded by appendMu
	changed   bool           // guarded by appendMu: since the start, so that Close has something to write
	// snapshotAt is the offset of the last producer snapshot that stands beside those at segments' bases, -1 if none.
	snapshotAt int64 // guarded by appendMu

	// compacting is held by a compaction from its beginning to its end, and by whoever may not meet one. The first lock
	// taken. Who waits for it counts in compactionPauses, and the compaction gives up.
	compacting       sync.Mutex
	compactionPauses atomic.Int32
	compactionStop   atomic.Pointer[context.CancelFunc] // of the one that runs
	uncleanable      atomic.Pointer[offlineError]       // why it is not compacted until a restart

	// mu guards the fields below, and Log.segments' own. It is never held over file operations.
	mu       sync.Mutex
	dir      string
	config   LogConfig
	segments []*segment // by base, at least one; the last is active
	epochs   leaderEpochs
	hints    readHints
	damages  []*Damage // that were reported
	// unreadableAt is when Events.Unreadable was last told, in ms.
	unreadableAt int64
	// cuts counts truncations: what was found out before one, without mu, is not true after it.
	cuts int
	// cutting is the offset that a truncation under way will cut at, math.MaxInt64 while there is none. Nothing from
	// there on may count as synced any more.
	cutting int64
	// swaps counts segments that compaction put in the place of others.
	swaps int

	synced        int64
	unsynced      []*segment // whose bytes a sync must cover, oldest first; each has its file acquired
	unsyncedBytes int64
	unsyncedCount int64 // records
	dirDirty      bool  // names in dir were made or removed since its last sync
	newborn       bool  // dir itself and partition.metadata have not been synced
	startHeld     bool  // segments below logStart were deleted, and a power cut may bring them back
	waiters       []flushWaiter
	lazy          bool // in flusher.lazy

	// Guarded by checkpointer.mu.
	touched   bool  // in checkpointer.touched
	unwritten int64 // bytes synced since the recovery point was written
	replay    int64 // bytes that a restart would walk over again for producer state and indexes

	logStartWritten int64 // the start that is durable, by a checkpoint or by the first segment's name; guarded by checkpointer.writing

	flush flushState // guarded by flusher.mu
}

// TopicPartition names the log.
func (l *Log) TopicPartition() TopicPartition { return l.tp }

// DataDir is the data directory that the log lies in.
func (l *Log) DataDir() string { return l.store.dir }

// DirectoryID is the id of that directory.
func (l *Log) DirectoryID() [16]byte { return l.store.meta.directoryID }

// TopicID is the id in partition.metadata; zero if the directory has none.
func (l *Log) TopicID() [16]byte { return l.topicID }

// SetConfig takes effect with the next append, retention run or segment.
func (l *Log) SetConfig(c LogConfig) {
	c = c.withDefaults()
	l.mu.Lock()
	turnedDurable := c.durable() && !l.config.durable()
	l.config = c
	if !c.durable() {
		l.flushed.Store(l.end.Load())
	}
	mayCompact := c.Compact && len(l.segments) > 1
	l.mu.Unlock()
	if mayCompact {
		l.store.cleaner.note(l)
	}
	if turnedDurable {
		l.store.flusher.enqueue(l) // what may be shown does not go back; it is synced as soon as can be
	}
}

// LogStart is the first offset that may be read.
func (l *Log) LogStart() int64 { return l.logStart.Load() }

// LocalLogStart is the first offset held here: LogStart, until tiering comes.
func (l *Log) LocalLogStart() int64 { return l.logStart.Load() }

// End is the offset that the next record gets.
func (l *Log) End() int64 { return l.end.Load() }

// Flushed is one past the last record that may be shown to anybody: what is on disk, or End in page-cache mode.
// It goes back only by truncation.
func (l *Log) Flushed() int64 { return l.flushed.Load() }

// OnFlushed sets the function that hears of Flushed moving in fsync mode, after each sync that covers this log. The
// flusher calls it without locks; two calls may come in either order: take the larger. In page-cache mode Append moves
// Flushed itself and nobody is called. In both modes it is called with an error when the log goes offline.
func (l *Log) OnFlushed(f func(flushed int64, err error)) { l.onFlushed.Store(&f) }

// OnMoved sets the function that is called when a move to another data directory has put another Log in this one's place,
// before this one answers ErrMoved to everything. Appends wait meanwhile: it must be quick.
func (l *Log) OnMoved(f func(to *Log)) {
	l.onMoved.Store(&f)
	if to := l.successor.Load(); to != nil {
		f(to)
	}
}

func (l *Log) tellFlushed(flushed int64, err error) {
	if f := l.onFlushed.Load(); f != nil {
		(*f)(flushed, err)
	}
}

// SetHighWatermark tells the log how far it is replicated: nothing at or above hw is deleted by retention, and the last
// stable offset is held below it. It is kept in replication-offset-checkpoint. It may go back.
func (l *Log) SetHighWatermark(hw int64) {
	if l.highWatermark.Swap(hw) == hw {
		return
	}
	l.txns.replicatedTo(hw)
	l.store.checkpoints.note(l, 0)
}

// HighWatermark is what SetHighWatermark was last told; after Open, what the checkpoint says, within [LogStart, End].
func (l *Log) HighWatermark() int64 { return l.highWatermark.Load() }

// LastStableOffset is one past the last record that a read_committed consumer may see: the first offset of the oldest
// transaction that is open, or decided above the high watermark, and never above the high watermark. Retention may have
// deleted the beginning of that transaction.
func (l *Log) LastStableOffset() int64 {
	return max(min(l.txns.unstable.Load(), l.highWatermark.Load()), l.logStart.Load())
}

// EndOffsetForEpoch is the largest epoch known that is not above epoch, and where it ended (KIP-101, KIP-279);
// -1, -1 if there is nothing to say.
func (l *Log) EndOffsetForEpoch(epoch int32) (largest int32, endOffset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.endOffsetFor(epoch, l.end.Load())
}

// LatestEpoch is the last appended leader epoch, -1 if none.
func (l *Log) LatestEpoch() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.latest()
}

// EpochAt is the leader epoch of an offset in [LogStart, End], -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs.at(offset)
}

// Producer is what is known of a producer (DescribeProducers).
type Producer struct {
	ProducerID       int64
	Epoch            int16
	LastSequence     int32 // -1 if none
	LastTimestamp    int64
	CoordinatorEpoch int32 // -1 if none
	TxnFirstOffset   int64 // of its open transaction, -1 if none
}

// ActiveProducers lists the producers, by id.
func (l *Log) ActiveProducers() []Producer {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	return l.producers.list()
}

// OngoingTransaction is the first offset of the producer's open transaction.
func (l *Log) OngoingTransaction(producerID int64) (firstOffset int64, ok bool) {
	return l.txns.openOf(producerID)
}

// Size is the bytes of all segments.
func (l *Log) Size() (bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		bytes += s.size
	}
	return bytes
}

// Err is why the log is offline, nil while it is not.
func (l *Log) Err() error {
	if e := l.offline.Load(); e != nil {
		return e.err
	}
	return nil
}

// offlineError lets an error be swapped in once.
type offlineError struct{ err error }

// fail takes the log offline, for good: what the disk holds is not known any more. It returns what every caller is
// told from now on.
func (l *Log) fail(what string, cause error) error {
	err := protocol.Errorf(protocol.KafkaStorageError, "%s: %s: %v: the partition is offline at offset %d until a restart", l.tp, what, cause, l.flushed.Load())
	if !l.fall(err) {
		return l.Err()
	}
	if f := l.store.events.Offline; f != nil {
		f(l.tp, err)
	}
	l.store.suspect(cause)
	return err
}

// fall takes the log offline and tells who waits, unless it was already.
func (l *Log) fall(err error) bool {
	if !l.offline.CompareAndSwap(nil, &offlineError{err}) {
		return false
	}
	l.refuseWaiters(err)
	l.tellFlushed(l.flushed.Load(), err)
	l.letGo()
	return true
}

// letGo lets go of the files of a log that is offline, but for those that readers still have.
func (l *Log) letGo() {
	l.mu.Lock()
	unsynced, segments := l.unsynced, slices.Clone(l.segments)
	for _, s := range unsynced {
		s.dirty = false
	}
	l.unsynced = nil
	l.mu.Unlock()
	for _, s := range unsynced {
		s.handle.release()
	}
	for _, s := range segments {
		s.handle.letGo()
	}
}

func (l *Log) refuseWaiters(err error) {
	l.mu.Lock()
	waiters := l.waiters
	l.waiters = nil
	l.mu.Unlock()
	for _, w := range waiters {
		w.done <- err
	}
}

// active is the segment that is appended to. mu or appendMu is held.
func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }

// segmentAt is the index of the segment that offset belongs to: the last with a base that is not above it; -1 if it
// lies below all. mu or appendMu is held.
func (l *Log) segmentAt(offset int64) int {
	return sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > offset }) - 1
}
