package logstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// The crash test of compaction takes the power away, or kills the process, before every single operation on the files of
// some rounds of compaction, and fails each of them. What is left must be something between what stood there before the
// round and after it, must say the same of transactions and producers, and must be compacted as well as if nothing had
// happened.
//
//	CRASHTEST_SEED=17 go test ./logstore -run Compaction
//	CRASHTEST_RUNS=1000 go test ./logstore -run Compaction

// keyed is a compacted log and what was ever appended to it.
type keyed struct {
	rand    *rand.Rand
	mem     *vfs.Mem
	fs      *errorfs.FS
	store   *logstore.Store
	log     *logstore.Log
	config  logstore.LogConfig
	cleaner logstore.CleanerConfig
	nowMs   atomic.Int64

	appended map[int64]keyedRecord
	open     map[int64]int64 // first offset of a producer's transaction
	aborted  map[int64]bool  // offsets
	seq      map[int64]int32
	epoch    map[int64]int16
}

type keyedRecord struct {
	pid, ms    int64
	key, value string
	tombstone  bool
}

var keyedPartition = logstore.TopicPartition{Topic: "keyed", Partition: 0}

func newKeyed(seed uint64) *keyed {
	r := rand.New(rand.NewPCG(seed, 11))
	w := &keyed{
		rand:     r,
		appended: map[int64]keyedRecord{}, open: map[int64]int64{}, aborted: map[int64]bool{}, seq: map[int64]int32{}, epoch: map[int64]int16{},
	}
	w.nowMs.Store(1_700_000_000_000)
	w.mem = vfs.NewMem(w.now)
	w.fs = errorfs.New(w.mem)
	w.config = logstore.DefaultLogConfig()
	w.config.Compact, w.config.Delete = true, r.IntN(3) == 0
	w.config.RetentionMs, w.config.RetentionBytes = -1, -1
	w.config.SegmentBytes = pick[int64](r, 300, 900, 2500)
	w.config.IndexIntervalBytes = pick[int64](r, 0, 200, 4096)
	w.config.FileDeleteDelayMs = pick[int64](r, 0, 100)
	w.config.DeleteRetentionMs = pick[int64](r, 0, 100, 1<<40)
	w.config.PageCache = r.IntN(3) == 0
	w.cleaner = logstore.DefaultCleanerConfig()
	w.cleaner.DedupeBufferBytes = pick[int64](r, 1, 300, 1<<20)
	return w
}

func (w *keyed) now() time.Time { return time.UnixMilli(w.nowMs.Load()) }

func (w *keyed) options() logstore.Options {
	return logstore.Options{FS: w.fs, Now: w.now, NodeID: 1, MaxOpenSegments: 2}
}

func (w *keyed) openStore() (err error) {
	if w.store, err = logstore.Open(crashDir, w.options()); err != nil {
		return err
	}
	w.log, err = w.store.Create(keyedPartition, [16]byte{1}, w.config)
	return err
}

// append appends some batches, and makes them such that they may be compacted.
func (w *keyed) append(batches int) error {
	for range batches {
		w.nowMs.Add(w.rand.Int64N(20))
		pid := int64(w.rand.IntN(6)) - 1
		first, inTxn := w.open[pid]
		if inTxn && w.rand.IntN(3) == 0 {
			if err := w.endTxn(pid, first); err != nil {
				return err
			}
			continue
		}
		if err := w.data(pid); err != nil {
			return err
		}
	}
	if w.rand.IntN(4) > 0 {
		for pid, first := range w.open {
			if err := w.endTxn(pid, first); err != nil {
				return err
			}
		}
	}
	if err := w.log.Flush(); err != nil {
		return err
	}
	w.log.SetHighWatermark(w.log.End())
	return nil
}

func (w *keyed) endTxn(pid, first int64) error {
	commit := w.rand.IntN(2) == 0
	m := record.EndTxn{Commit: commit, CoordinatorEpoch: 1}.Batch(w.nowMs.Load(), pid, w.epoch[pid])
	a, err := w.log.Append(m, logstore.AppendOptions{Origin: logstore.Coordinator})
	delete(w.open, pid)
	for offset := first; !commit && offset < a.FirstOffset; offset++ {
		if r, ok := w.appended[offset]; ok && r.pid == pid {
			w.aborted[offset] = true
		}
	}
	return err
}

func (w *keyed) data(pid int64) error {
	o := record.NewOptions()
	o.Codec = pick(w.rand, record.None, record.None, record.LZ4, record.Gzip) // zstd has channels, which a bubble keeps
	if pid >= 0 {
		o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = pid, w.epoch[pid], w.seq[pid], pid >= 3
	}
	b := record.NewBuilder(o)
	first := w.log.End()
	if _, inTxn := w.open[pid]; o.Transactional && !inTxn {
		w.open[pid] = first
	}
	for i := range 1 + w.rand.Int64N(4) {
		r := keyedRecord{pid: pid, ms: w.nowMs.Load(), key: "key" + strconv.Itoa(w.rand.IntN(12)), tombstone: w.rand.IntN(4) == 0}
		r.value = strconv.FormatInt(first+i, 10)
		w.appended[first+i] = r
		if r.tombstone {
			b.Add(r.ms, []byte(r.key), nil)
		} else {
			b.Add(r.ms, []byte(r.key), []byte(r.value))
		}
	}
	batch := b.Batch()
	if pid >= 0 {
		w.seq[pid] = record.AddSequence(batch.LastSequence(), 1)
	}
	_, err := w.log.Append(batch, logstore.AppendOptions{})
	return err
}

// contents are the offsets of the records in the log, and of those that a read_committed consumer sees. Each must be
// what was appended there.
func (w *keyed) contents(l *logstore.Log) (all, committed []int64, err error) {
	if err := l.Err(); err != nil {
		return nil, nil, err
	}
	aborted, err := l.AbortedTransactions(l.LogStart(), l.End())
	if err != nil {
		return nil, nil, err
	}
	skipping := map[int64]bool{}
	next := l.LogStart()
	for b, err := range l.Batches(l.LogStart(), l.End()) {
		if err != nil {
			return nil, nil, err
		}
		if b.BaseOffset() < next {
			return nil, nil, fmt.Errorf("batch at %d follows offset %d", b.BaseOffset(), next-1)
		}
		next = b.NextOffset()
		for len(aborted) > 0 && aborted[0].FirstOffset <= b.LastOffset() {
			skipping[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		if b.IsControl() {
			if b.Count() > 0 {
				if end, ok, err := b.EndTxn(); err != nil || !ok {
					return nil, nil, fmt.Errorf("marker at %d: %v", b.BaseOffset(), err)
				} else if !end.Commit {
					delete(skipping, b.ProducerID())
				}
			}
			continue
		}
		for r, err := range b.Records(0) {
			if err != nil {
				return nil, nil, err
			}
			want, ok := w.appended[r.Offset]
			if value := []byte(want.value); !ok || string(r.Key) != want.key || r.Timestamp != want.ms || (r.Value == nil) != want.tombstone || r.Value != nil && !bytes.Equal(r.Value, value) {
				return nil, nil, fmt.Errorf("invented: %d %q=%q at %d ms, want %+v", r.Offset, r.Key, r.Value, r.Timestamp, want)
			}
			all = append(all, r.Offset)
			if !b.IsTransactional() || !skipping[b.ProducerID()] {
				committed = append(committed, r.Offset)
				if w.aborted[r.Offset] {
					return nil, nil, fmt.Errorf("the aborted record at %d is shown", r.Offset)
				}
			}
		}
	}
	return all, committed, nil
}

// newest are the offsets that no compaction may take, of those in all: the newest committed one of every key, if it has a value.
func (w *keyed) newest(all []int64) (must []int64) {
	byKey := map[string]int64{}
	for _, offset := range all {
		if !w.aborted[offset] {
			byKey[w.appended[offset].key] = offset
		}
	}
	for _, offset := range byKey {
		if !w.appended[offset].tombstone {
			must = append(must, offset)
		}
	}
	return must
}

// between is what one round may leave at any moment.
type between struct {
	before, after, committed []int64 // committed after the round
	producers                []logstore.Producer
	end                      int64
}

func contains(all, some []int64) error {
	for _, offset := range some {
		if _, found := slices.BinarySearch(all, offset); !found {
			return fmt.Errorf("the record at %d is lost", offset)
		}
	}
	return nil
}

// verify opens what is left of a round, and goes on with it.
func (w *keyed) verify(fs vfs.FS, b between) error {
	s, err := logstore.Open(crashDir, logstore.Options{FS: fs, Now: w.now, NodeID: 1})
	if err != nil {
		return err
	}
	defer s.Close()
	l := s.Get(keyedPartition)
	if l == nil {
		return errors.New("the partition is gone")
	}
	l.SetConfig(w.config)
	found, committed, err := w.contents(l)
	if err != nil {
		return err
	}
	if l.End() != b.end {
		return fmt.Errorf("the log ends at %d, want %d", l.End(), b.end)
	}
	if err := errors.Join(contains(found, b.after), contains(committed, b.committed)); err != nil {
		return err
	}
	if err := contains(b.before, found); err != nil {
		return fmt.Errorf("what was compacted away came back: %w", err)
	}
	if names := leftovers(fs); names != "" {
		return fmt.Errorf("left over: %s", names)
	}
	for _, p := range l.ActiveProducers() {
		i := slices.IndexFunc(b.producers, func(q logstore.Producer) bool { return q.ProducerID == p.ProducerID })
		if i < 0 || b.producers[i].LastSequence != p.LastSequence || b.producers[i].Epoch != p.Epoch || b.producers[i].TxnFirstOffset != p.TxnFirstOffset {
			return fmt.Errorf("producer %+v, want one of %+v", p, b.producers)
		}
	}
	if got := l.ActiveProducers(); len(got) != len(b.producers) {
		return fmt.Errorf("%d producers, want %d", len(got), len(b.producers))
	}
	l.SetHighWatermark(l.End())
	for {
		stats, err := l.Compact(w.cleaner)
		if err != nil {
			return fmt.Errorf("compacting what is left: %w", err)
		}
		if stats.To == stats.From {
			break
		}
	}
	again, _, err := w.contents(l)
	if err != nil {
		return fmt.Errorf("after compacting what was left: %w", err)
	}
	if err := contains(again, w.newest(found)); err != nil {
		return fmt.Errorf("after compacting what was left: %w", err)
	}
	return carriesOn(l)
}

// leftovers are files of an unfinished compaction.
func leftovers(fs vfs.FS) (names string) {
	for line := range strings.Lines(listing(fs, crashDir)) {
		if strings.Contains(line, ".swap") || strings.Contains(line, ".cleaned") {
			names += line
		}
	}
	return names
}

// state is the log before a round; finish completes it after.
func (w *keyed) state() (b between, err error) {
	b.before, _, err = w.contents(w.log)
	b.producers, b.end = w.log.ActiveProducers(), w.log.End()
	return b, err
}

// keyedCrash is what a crash in a round left.
type keyedCrash struct {
	fs   *vfs.Mem
	what string
}

// crashEverywhere notes a crash before every operation that makes a difference.
func (w *keyed) crashEverywhere(r *rand.Rand, crashes *[]keyedCrash) {
	w.fs.OnOp(func(op errorfs.Op) {
		if !op.Changes() {
			return
		}
		c := keyedCrash{what: "before " + op.String()}
		if r.IntN(3) == 0 {
			c.fs, c.what = w.mem.KillClone(), c.what+", kill"
		} else {
			percent := pick(r, 0, 0, 20, 50, 80, 100)
			c.fs, c.what = w.mem.CrashClone(r, percent), fmt.Sprintf("%s, power cut at %d %%", c.what, percent)
		}
		*crashes = append(*crashes, c)
	})
}

// recovering is what a second crash leaves while what the first one left is opened; nil if it did not come to it.
func (c keyedCrash) recovering(w *keyed, r *rand.Rand) (again *vfs.Mem) {
	first := c.fs.KillClone()
	fs := errorfs.New(first)
	at := 1 + r.IntN(15)
	fs.OnOp(func(op errorfs.Op) {
		if op.Changes() {
			if at--; at == 0 {
				again = first.CrashClone(r, pick(r, 0, 50, 100))
			}
		}
	})
	s, err := logstore.Open(crashDir, logstore.Options{FS: fs, Now: w.now, NodeID: 1})
	fs.OnOp(nil)
	if err == nil {
		s.Close()
	}
	return again
}

func (w *keyed) check(c keyedCrash, b between, r *rand.Rand) error {
	if r.IntN(3) == 0 {
		if again := c.recovering(w, r); again != nil {
			left := listing(again, crashDir)
			if err := w.verify(again, b); err != nil {
				return fmt.Errorf("%s, and another crash while recovering: %w\nleft:\n%s", c.what, err, left)
			}
		}
	}
	left := listing(c.fs, crashDir)
	if err := w.verify(c.fs, b); err != nil {
		return fmt.Errorf("%s: %w\nleft:\n%s", c.what, err, left)
	}
	return nil
}

func TestCrashInCompaction(t *testing.T) {
	total := 0
	for _, seed := range seeds(t, 2) {
		synctest.Test(t, func(t *testing.T) {
			n, err := newKeyed(seed).crashRounds(rand.New(rand.NewPCG(seed, 12)))
			total += n
			if err != nil {
				t.Fatalf("CRASHTEST_SEED=%d: %v", seed, err)
			}
		})
	}
	t.Logf("%d crashes", total)
}

// crashRounds crashes some rounds everywhere.
func (w *keyed) crashRounds(r *rand.Rand) (total int, err error) {
	if err := w.openStore(); err != nil {
		return 0, err
	}
	for range 4 {
		if err := w.append(5 + w.rand.IntN(25)); err != nil {
			return total, err
		}
		time.Sleep(pick(w.rand, 0, 2*time.Second))
		b, err := w.state()
		if err != nil {
			return total, err
		}
		var crashes []keyedCrash
		w.crashEverywhere(r, &crashes)
		_, err = w.log.Compact(w.cleaner)
		w.fs.OnOp(nil)
		if err == nil {
			b.after, b.committed, err = w.contents(w.log)
		}
		if err == nil {
			err = contains(b.after, w.newest(b.before))
		}
		if err != nil {
			return total, fmt.Errorf("without a crash: %w", err)
		}
		for i, c := range crashes {
			total++
			if err := w.check(c, b, r); err != nil {
				return total, fmt.Errorf("crash %d of %d: %w\nbefore %v\nafter %v", i, len(crashes), err, b.before, b.after)
			}
		}
	}
	return total, w.store.Close()
}

// TestFailInCompaction fails every operation of a round, one after the other: the disk is broken there, or full. The log
// goes on as it was or as it would be, or it is offline; after a restart it is one of the two in any case.
func TestFailInCompaction(t *testing.T) {
	total, offline := 0, 0
	for _, seed := range seeds(t, 2) {
		synctest.Test(t, func(t *testing.T) {
			w := newKeyed(seed)
			r := rand.New(rand.NewPCG(seed, 13))
			if err := errors.Join(w.openStore(), w.append(40)); err != nil {
				t.Fatal(err)
			}
			b, err := w.state()
			if err != nil {
				t.Fatal(err)
			}
			start := w.mem.KillClone()
			_, err = w.log.Compact(w.cleaner)
			if err == nil {
				b.after, b.committed, err = w.contents(w.log)
			}
			if err = errors.Join(err, w.store.Close()); err != nil {
				t.Fatal(err)
			}
			for _, errno := range []string{"EIO", "ENOSPC"} {
				for n := 1; ; n++ {
					w.mem = start.KillClone()
					w.fs = errorfs.New(w.mem)
					fired, wentOffline, err := w.failOnce(fmt.Sprintf("any of * #%d -> %s", n, errno), b, r)
					if err != nil {
						t.Fatalf("CRASHTEST_SEED=%d operation %d: %s: %v: %v\nbefore %v\nafter %v", seed, n, errno, fired, err, b.before, b.after)
					}
					if len(fired) == 0 {
						break
					}
					total++
					if wentOffline {
						offline++
					}
				}
			}
		})
	}
	t.Logf("%d operations failed, %d of them took the log offline", total, offline)
	if offline == total {
		t.Error("whatever fails in a compaction takes the log offline")
	}
}

func (w *keyed) failOnce(rule string, b between, r *rand.Rand) (fired []string, offline bool, err error) {
	if err := w.openStore(); err != nil {
		return nil, false, err
	}
	w.log.SetHighWatermark(w.log.End())
	synctest.Wait()
	w.fs.Add(rule)
	_, failure := w.log.Compact(w.cleaner)
	w.fs.Clear()
	synctest.Wait()
	if fired = w.fs.Fired(); len(fired) == 0 && failure != nil {
		return nil, false, failure
	}
	if offline = w.log.Err() != nil; !offline {
		found, committed, err := w.contents(w.log)
		if err == nil {
			err = errors.Join(contains(found, b.after), contains(committed, b.committed), contains(b.before, found))
		}
		if err == nil && leftovers(w.mem) != "" {
			err = fmt.Errorf("left over: %s", leftovers(w.mem))
		}
		if err != nil {
			return fired, false, err
		}
	}
	left := w.mem.KillClone()
	if r.IntN(2) == 0 {
		left = w.mem.CrashClone(r, pick(r, 0, 50, 100))
	}
	w.store.Close()
	return fired, offline, w.verify(left, b)
}
