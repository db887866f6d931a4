package logstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"time"

	"github.com/ottla/ottla/logstore/compact"
	"github.com/ottla/ottla/protocol/record"
)

// CompactionStats is what a compaction of a log did.
type CompactionStats struct {
	From, To                 int64 // the dirty offsets that it covered are [From, To)
	BytesRead, BytesWritten  int64 // of segments, without the pass over the dirty ones for their keys
	KeyBytesRead             int64 // of that pass
	RecordsRead, RecordsKept int64
	Keyless                  int64 // records without a key, which were dropped
	LeftAlone                int64 // batches that cannot be looked into, which were kept: see compact.Round
	Segments                 int   // that were replaced
	Took                     time.Duration
}

// errCompactionAborted ends a compaction that something more important came in the way of. It is tried again.
var errCompactionAborted = errors.New("compaction aborted")

// pauseCompaction aborts a compaction of the log that runs, waits for its end, and keeps others away until resume.
func (l *Log) pauseCompaction() (resume func()) {
	l.stopCompaction()
	l.compacting.Lock()
	return func() {
		l.compactionPauses.Add(-1)
		l.compacting.Unlock()
	}
}

// stopCompaction asks a compaction to give up, and others not to begin while compactionPauses is not lowered again.
func (l *Log) stopCompaction() {
	l.compactionPauses.Add(1)
	if stop := l.compactionStop.Load(); stop != nil {
		(*stop)()
	}
}

// endCompactions aborts a compaction of the log that runs, waits for its end, and lets none begin again.
func (l *Log) endCompactions() {
	l.stopCompaction()
	l.compacting.Lock() // whoever has it is done
	defer l.compacting.Unlock()
}

// assess finds out what compaction could do for the log.
func (l *Log) assess(nowMs int64) (compact.Work, error) {
	firstDirty := l.store.checkpoints.firstDirty(l)
	l.mu.Lock()
	c := l.config
	f := compact.Facts{
		Checkpoint: firstDirty, LogStart: l.logStart.Load(), LogEnd: l.end.Load(),
		Stable:            min(l.LastStableOffset(), l.synced),
		Active:            l.active().base,
		NowMs:             nowMs,
		MinCleanableRatio: c.MinCleanableDirtyRatio, MinCompactionLagMs: c.MinCompactionLagMs, MaxCompactionLagMs: c.MaxCompactionLagMs,
	}
	sealed := slices.Clone(l.segments[:len(l.segments)-1])
	for _, s := range sealed {
		f.Segments = append(f.Segments, l.compactable(s))
	}
	l.mu.Unlock()
	for i, s := range sealed {
		var err error
		if c.MinCompactionLagMs > 0 {
			var n newest
			n, err = l.newestOf(s)
			f.Segments[i].NewestTimestamp = n.timestamp
		}
		if err == nil && c.MaxCompactionLagMs < math.MaxInt64 {
			f.Segments[i].FirstTimestamp, err = l.firstTimestampOf(s)
		}
		if err != nil {
			return compact.Work{}, err
		}
	}
	return compact.Assess(f), nil
}

// compactable is what package compact is told of a sealed segment. mu is held.
func (l *Log) compactable(s *segment) compact.Segment {
	bound := func(x *index) int64 {
		if x.onFile == unknownEntries {
			return s.size / max(l.config.IndexIntervalBytes, record.HeaderBytes) * int64(x.width)
		}
		return int64(x.count() * x.width)
	}
	next := l.segments[l.segmentAt(s.base)+1].base
	return compact.Segment{Base: s.base, Next: next, Bytes: s.size, IndexBytes: bound(&s.offsets), TimeIndexBytes: bound(&s.times)}
}

// firstTimestampOf is what max.compaction.lag.ms counts from.
func (l *Log) firstTimestampOf(s *segment) (int64, error) {
	l.mu.Lock()
	first, empty := s.firstTimestamp, s.size == 0
	l.mu.Unlock()
	if first == unknownTimestamp && !empty {
		if err := l.loadFirstTimestamp(s); err != nil {
			return 0, err
		}
		l.mu.Lock()
		first = s.firstTimestamp
		l.mu.Unlock()
	}
	return first, nil
}

// compaction is one round on one log. Only its cleaner's goroutine uses it.
type compaction struct {
	log      *Log
	settings CleanerConfig
	throttle *throttle
	stop     <-chan struct{} // closed when somebody waits for the compaction to end
	work     compact.Work
	config   LogConfig
	round    compact.Round
	stats    CompactionStats

	in  []byte // read buffer
	out []byte // what is to be written next
}

// compact makes one round over the log's dirty offsets. The caller holds compacting.
//
// Where it ends early, no file but those of whole groups of segments has changed, and the next round does the rest.
func (l *Log) compact(w compact.Work, c CleanerConfig, t *throttle) (CompactionStats, error) {
	began := l.store.now()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l.compactionStop.Store(&stop)
	defer l.compactionStop.Store(nil)
	k := &compaction{log: l, settings: c, throttle: t, stop: ctx.Done(), work: w, config: l.configuration(), in: make([]byte, c.bufferBytes())}
	k.stats.From, k.stats.To = w.From, w.From
	err := k.run(l.store.retentionNow().UnixMilli())
	k.stats.RecordsRead, k.stats.RecordsKept = k.round.Stats.RecordsRead, k.round.Stats.RecordsKept
	k.stats.Keyless, k.stats.LeftAlone = k.round.Stats.Keyless, k.round.Stats.LeftAlone
	k.stats.Took = l.store.now().Sub(began)
	return k.stats, err
}

func (k *compaction) run(nowMs int64) error {
	segments := k.segments()
	if len(segments) == 0 || k.aborted() {
		return errCompactionAborted // retention took them, or the store is closed
	}
	if err := k.promise(); err != nil {
		return err
	}
	k.round = compact.Round{
		NowMs: nowMs, DeleteRetentionMs: k.config.DeleteRetentionMs, MaxInflated: record.DefaultMaxUncompressedBytes,
		LastOf: k.log.lastOfProducer,
	}
	if err := k.learn(segments); err != nil {
		return k.unlessGone(segments, err)
	}
	to := k.round.Keys.Covered() + 1
	facts := make([]compact.Segment, 0, len(segments))
	k.log.mu.Lock()
	for _, s := range segments {
		if s.base < to {
			facts = append(facts, k.log.compactable(s))
		}
	}
	k.log.mu.Unlock()
	k.round.Txns = compact.NewTransactions()
	for _, g := range compact.Groups(facts, k.config.SegmentBytes, k.config.SegmentIndexBytes) {
		if err := k.replace(segments[g[0]:g[1]], facts[g[1]-1].Next); err != nil {
			return err
		}
	}
	k.stats.To = to
	if err := k.log.store.checkpoints.cleanedTo(k.log, to); err != nil {
		k.log.store.failed("writing the cleaner checkpoint", err) // the next round does more than it needs to
	}
	return nil
}

// segments are those that the round goes over: sealed, from the one that holds the log start up to the work's end.
func (k *compaction) segments() []*segment {
	l := k.log
	l.mu.Lock()
	defer l.mu.Unlock()
	to := l.segmentAt(k.work.To - 1)
	if to < 0 || to+1 >= len(l.segments) || l.segments[to+1].base != k.work.To {
		return nil
	}
	from := max(l.segmentAt(l.logStart.Load()), 0)
	if from > to {
		return nil // DeleteRecords took what there was to do
	}
	return slices.Clone(l.segments[from : to+1])
}

// promise has the recovery point pass the work, durably: recovery believes what lies below it, and takes offsets that
// are missing above for a lost tail.
func (k *compaction) promise() error {
	l := k.log
	c := &l.store.checkpoints
	if err := errors.Join(c.write([]*Log{l}), l.store.syncRoot()); err != nil {
		l.store.failed("writing checkpoints", err)
		return errCompactionAborted
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.points[l.tp] < k.work.To {
		return errCompactionAborted // truncated
	}
	return nil
}

// learn reads the keys of the dirty offsets.
func (k *compaction) learn(segments []*segment) error {
	dirty := 0
	for dirty < len(segments)-1 && segments[dirty+1].base <= k.work.From {
		dirty++
	}
	segments = segments[dirty:]
	k.round.Keys = compact.NewOffsetMap(k.settings.DedupeBufferBytes/int64(max(k.settings.Threads, 1)), k.settings.LoadFactor,
		k.work.To-segments[0].base)
	k.round.Keys.Cover(k.work.From - 1)
	k.round.Txns = compact.NewTransactions()
	for i, s := range segments {
		if err := k.addAborted(s); err != nil {
			return err
		}
		more := true
		err := k.eachBatch(s, func(b record.Batch, legacy bool) (err error) {
			if legacy {
				k.round.Keys.Cover(b.BaseOffset())
				return nil
			}
			if more, err = k.round.Learn(b, k.work.From); err == nil && !more {
				return errStop
			}
			return err
		})
		k.stats.KeyBytesRead += s.size
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return err
		}
		next := k.work.To
		if i+1 < len(segments) {
			next = segments[i+1].base
		}
		k.round.Keys.Cover(next - 1)
	}
	return nil
}

// addAborted tells the round of the transactions whose abort markers stand in the segment or above and that began
// before its end.
func (k *compaction) addAborted(s *segment) error {
	l := k.log
	l.mu.Lock()
	next := l.end.Load()
	if i := l.segmentAt(s.base) + 1; i < len(l.segments) {
		next = l.segments[i].base
	}
	l.mu.Unlock()
	txns, err := l.AbortedTransactions(s.base, next)
	if err != nil {
		return err
	}
	told := make([]compact.AbortedTxn, len(txns))
	for i, t := range txns {
		told[i] = compact.AbortedTxn(t)
	}
	k.round.Txns.Add(told)
	return nil
}

// replace makes one segment of several that follow each other, the last of which ends at next, and puts it in their
// place.
func (k *compaction) replace(old []*segment, next int64) error {
	l := k.log
	w, err := k.newCleaned(old[0].base)
	if err != nil {
		return err
	}
	var aborted [][]AbortedTxn
	for i, s := range old {
		var entries []AbortedTxn
		if entries, err = l.txnEntries(s); err != nil {
			break
		}
		aborted = append(aborted, entries)
		if _, err = l.newestOf(s); err != nil { // from now on it is known, and needs no index
			break
		}
		if err = k.addAborted(s); err != nil {
			break
		}
		if err = k.copySegment(w, s, i == len(old)-1); err != nil {
			break
		}
	}
	if err == nil {
		var retained []AbortedTxn
		for _, t := range k.round.Txns.TakeRetained() {
			retained = append(retained, AbortedTxn(t))
		}
		err = w.finish(retained, old[len(old)-1])
	}
	if err == nil {
		err = l.swapIn(w.seg, old, aborted, next)
	}
	if err != nil {
		w.discard()
		return k.unlessGone(old, err)
	}
	k.stats.Segments += len(old)
	return nil
}

// unlessGone is err, but for segments that retention has taken meanwhile: then it is no wonder.
func (k *compaction) unlessGone(segments []*segment, err error) error {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	for _, s := range segments {
		if !slices.Contains(k.log.segments, s) {
			return errCompactionAborted
		}
	}
	return err
}

// copySegment appends what stays of a segment. last says that it is the last of its group.
func (k *compaction) copySegment(w *cleanedSegment, s *segment, last bool) error {
	end := int64(0)
	err := k.eachBatch(s, func(b record.Batch, legacy bool) error {
		end += int64(len(b))
		at := len(k.out)
		if legacy {
			k.round.Stats.LeftAlone++
			k.out = append(k.out, b...)
		} else {
			var err error
			if k.out, err = k.round.Append(k.out, b, last && end == s.size); err != nil {
				return err
			}
		}
		if at == len(k.out) {
			return nil
		}
		if err := w.add(k.out[at:], k.config.IndexIntervalBytes); err != nil {
			return err
		}
		if len(k.out) >= len(k.in) {
			return k.flush(w)
		}
		return nil
	})
	k.stats.BytesRead += end
	if err != nil {
		return err
	}
	return k.flush(w)
}

// flush writes what has gathered.
func (k *compaction) flush(w *cleanedSegment) error {
	n := len(k.out)
	if n == 0 {
		return nil
	}
	if _, err := w.file.WriteAt(k.out, w.written); err != nil {
		return err
	}
	w.written += int64(n)
	k.stats.BytesWritten += int64(n)
	k.out = k.out[:0]
	if cap(k.out) > 4*len(k.in) {
		k.out = nil
	}
	return k.throttle.wait(int64(n), k.stop)
}

// aborted tells whether somebody waits for the compaction to end, or the log is of no use any more.
func (k *compaction) aborted() bool { return k.log.compactionPauses.Load() > 0 || k.log.Err() != nil }

// eachBatch reads a sealed segment in large pieces and visits its batches, whose checksums are right and whose offsets
// ascend. A message of an older format is marked as such, and its checksum checked too.
func (k *compaction) eachBatch(s *segment, visit func(b record.Batch, legacy bool) error) error {
	file, err := s.handle.acquire()
	if err != nil {
		return err
	}
	defer s.handle.release()
	chain := k.chainOf(s)
	for position := int64(0); position < s.size; {
		if k.aborted() {
			return errCompactionAborted
		}
		window := k.in[:min(int64(len(k.in)), s.size-position)]
		if _, err := file.ReadAt(window, position); err != nil {
			if errors.Is(err, io.EOF) {
				err = k.log.damage(s, position, io.ErrUnexpectedEOF)
			}
			return err
		}
		if err := k.throttle.wait(int64(len(window)), k.stop); err != nil {
			return err
		}
		read, err := k.eachIn(s, position, window, &chain, visit)
		if err != nil {
			return err
		}
		if read == 0 {
			if err := k.grow(s, position, window); err != nil {
				return err
			}
		}
		position += int64(read)
	}
	if cap(k.in) > 2*k.settings.bufferBytes() {
		k.in = make([]byte, k.settings.bufferBytes())
	}
	return nil
}

// chainOf is how the segment's batches must follow each other.
func (k *compaction) chainOf(s *segment) chain {
	l := k.log
	l.mu.Lock()
	defer l.mu.Unlock()
	below := l.end.Load()
	if i := l.segmentAt(s.base) + 1; i < len(l.segments) {
		below = l.segments[i].base
	}
	return newChain(s.base, below, slices.Clone(l.epochs.entries))
}

// eachIn visits the whole batches of a window, and returns their bytes.
func (k *compaction) eachIn(s *segment, position int64, window []byte, chain *chain, visit func(b record.Batch, legacy bool) error) (read int, err error) {
	for rest := window; ; {
		b, after, err := record.Next(rest)
		legacy := errors.Is(err, record.ErrLegacyFormat)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return read, nil
		}
		if err == nil || legacy {
			err = checkBatch(b, chain)
		}
		if err != nil {
			return read, k.log.damage(s, position+int64(read), err)
		}
		if err := visit(b, legacy); err != nil {
			return read, err
		}
		read += len(b)
		rest = after
	}
}

// checkBatch checks a batch before others of a new file follow it: what is damaged may not get a good checksum.
func checkBatch(b record.Batch, c *chain) error {
	h, err := parseHeader(b, 0, int64(len(b)))
	if err != nil {
		return err
	}
	if h.v2 != nil {
		err = b.CheckCRC()
	} else if got, want := crc32.ChecksumIEEE(b[legacyAtMagic:]), binary.BigEndian.Uint32(b[legacyAtCRC:]); got != want {
		err = fmt.Errorf("%w: checksum is %08x, the header says %08x", record.ErrCorrupt, got, want)
	}
	if err == nil {
		err = c.fault(&h)
	}
	if err == nil {
		c.take(&h)
	}
	return err
}

// grow makes room for a batch that is larger than the window.
func (k *compaction) grow(s *segment, position int64, window []byte) error {
	size, err := record.Peek(window)
	if err != nil && !errors.Is(err, record.ErrLegacyFormat) {
		return k.log.damage(s, position, err)
	}
	if size <= len(window) || int64(size) > s.size-position {
		return k.log.damage(s, position, io.ErrUnexpectedEOF)
	}
	k.in = make([]byte, size)
	return nil
}

// lastOfProducer is where an active producer stands.
func (l *Log) lastOfProducer(id int64) (compact.LastRecord, bool) {
	l.appendMu.Lock()
	defer l.appendMu.Unlock()
	p := l.producers.producers[id]
	if p == nil {
		return compact.LastRecord{}, false
	}
	r := compact.LastRecord{DataOffset: -1, Epoch: p.epoch}
	if len(p.batches) > 0 {
		r.DataOffset = p.last().lastOffset
	}
	return r, true
}
