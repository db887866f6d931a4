package logstore

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
	"pgregory.net/rapid"
)

// model is a log as a list of records: slow, and too simple to be wrong. The real one must answer as it does, whatever
// is done to both.
type model struct {
	start   int64
	batches []modelBatch
	// dropped: batches below start that may or may not be there any more.
}

type modelBatch struct {
	base    int64
	epoch   int32
	bytes   int
	records []modelRecord
}

type modelRecord struct {
	offset, timestamp int64
	value             string
}

func (b modelBatch) last() int64 { return b.base + int64(len(b.records)) - 1 }

func (m *model) end() int64 {
	if len(m.batches) == 0 {
		return m.start
	}
	return m.batches[len(m.batches)-1].last() + 1
}

func (m *model) each(from, upTo int64, visit func(b modelBatch, r modelRecord)) {
	for _, b := range m.batches {
		for _, r := range b.records {
			if r.offset >= max(from, m.start) && r.offset < upTo {
				visit(b, r)
			}
		}
	}
}

func (m *model) forTimestamp(ts, upTo int64) (found modelRecord, epoch int32, ok bool) {
	m.each(0, upTo, func(b modelBatch, r modelRecord) {
		if !ok && r.timestamp >= ts {
			found, epoch, ok = r, b.epoch, true
		}
	})
	return found, epoch, ok
}

func (m *model) maxTimestamp(upTo int64) (found modelRecord, ok bool) {
	m.each(0, upTo, func(_ modelBatch, r modelRecord) {
		if !ok || r.timestamp > found.timestamp {
			found, ok = r, true
		}
	})
	return found, ok
}

// boundaries are the offsets that a high watermark may have.
func (m *model) boundaries() []int64 {
	out := []int64{m.start}
	for _, b := range m.batches {
		if b.last()+1 > m.start {
			out = append(out, b.last()+1)
		}
	}
	return out
}

func (m *model) truncate(to int64) {
	m.batches = slices.DeleteFunc(m.batches, func(b modelBatch) bool { return b.last() >= to })
	m.start = min(m.start, to)
}

// twins are the two logs side by side.
type twins struct {
	fs      *vfs.Mem
	store   *Store
	log     *Log
	model   model
	config  LogConfig
	clockMs int64
	epoch   int32
	cuts    int
}

const modelDir = "data"

func (w *twins) open(t *rapid.T, clean bool) {
	s, err := Open(modelDir, Options{FS: w.fs, NodeID: 1, MaxOpenSegments: 3})
	if err != nil {
		t.Fatal(err)
	}
	if w.store != nil && s.WasClean() != clean {
		t.Fatalf("clean is %v", s.WasClean())
	}
	w.store = s
	if w.log, err = s.Create(testTopic, [16]byte{1}, w.config); err != nil {
		t.Fatal(err)
	}
	if err := w.log.Err(); err != nil {
		t.Fatal(err)
	}
}

func (w *twins) append(t *rapid.T) {
	n := rapid.IntRange(1, 5).Draw(t, "records")
	size := rapid.SampledFrom([]int{0, 10, 90, 700}).Draw(t, "bytes")
	if rapid.IntRange(0, 4).Draw(t, "new epoch") == 0 {
		w.epoch++
	}
	b := record.NewBuilder(record.NewOptions())
	mb := modelBatch{base: w.log.End(), epoch: w.epoch}
	for i := range n {
		w.clockMs += int64(rapid.IntRange(-5, 20).Draw(t, "step"))
		value := fmt.Sprintf("%d.%d.%d", w.cuts, mb.base, i)
		value += string(make([]byte, size))
		b.Add(w.clockMs, nil, []byte(value))
		mb.records = append(mb.records, modelRecord{mb.base + int64(i), w.clockMs, value})
	}
	batch := b.Batch()
	mb.bytes = len(batch)
	a, err := w.log.Append(batch, AppendOptions{LeaderEpoch: w.epoch})
	if err != nil {
		t.Fatal(err)
	}
	if a.FirstOffset != mb.base || a.LastOffset != mb.last() {
		t.Fatalf("appended at %d to %d, want %d to %d", a.FirstOffset, a.LastOffset, mb.base, mb.last())
	}
	w.model.batches = append(w.model.batches, mb)
}

func (w *twins) read(t *rapid.T) {
	offset := rapid.Int64Range(w.model.start-1, w.model.end()+1).Draw(t, "offset")
	upTo := min(rapid.SampledFrom(w.model.boundaries()).Draw(t, "upTo"), w.log.Flushed()) // which may move
	limit := rapid.SampledFrom([]int{0, 1, 150, 1000, 5000, math.MaxInt32}).Draw(t, "maxBytes")
	minOne := rapid.Bool().Draw(t, "minOne")
	s, err := w.log.Read(offset, limit, upTo, minOne)
	if offset < w.model.start || offset > w.model.end() {
		if !errors.Is(err, protocol.OffsetOutOfRange) {
			t.Fatalf("read at %d of [%d, %d]: %v", offset, w.model.start, w.model.end(), err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if s.Bytes == 0 && !minOne { // perhaps all files that may be open are to be synced
		if err := w.log.Flush(); err != nil {
			t.Fatal(err)
		}
		if s, err = w.log.Read(offset, limit, upTo, minOne); err != nil {
			t.Fatal(err)
		}
	}
	defer s.Release()
	i := slices.IndexFunc(w.model.batches, func(b modelBatch) bool { return b.last() >= offset })
	if offset >= upTo || w.model.batches[i].bytes > limit && !minOne {
		if s.Bytes != 0 {
			t.Fatalf("read at %d up to %d, %d bytes: %d bytes, want none", offset, upTo, limit, s.Bytes)
		}
		return
	}
	if s.Bytes == 0 {
		t.Fatalf("read at %d up to %d, %d bytes: nothing", offset, upTo, limit)
	}
	data := make([]byte, s.Bytes)
	if _, err := s.Parts[0].File.ReadAt(data, s.Parts[0].Off); err != nil {
		t.Fatal(err)
	}
	if s.FirstOffset != w.model.batches[i].base {
		t.Fatalf("read at %d begins at %d, want %d", offset, s.FirstOffset, w.model.batches[i].base)
	}
	total := 0
	for len(data) > 0 {
		batch, rest, err := record.Next(data)
		if err != nil {
			t.Fatal(err)
		}
		data = rest
		mb := w.model.batches[i]
		i++
		w.same(t, batch, mb)
		if total += len(batch); mb.last() >= upTo || total > limit && total > len(batch) {
			t.Fatalf("read at %d up to %d, %d bytes: holds the batch at %d", offset, upTo, limit, mb.base)
		}
		if s.NextOffset < mb.last()+1 {
			t.Fatalf("next offset %d after %d", s.NextOffset, mb.last())
		}
	}
	// What was left out would not have fitted, or is in another segment.
	if i < len(w.model.batches) {
		next := w.model.batches[i]
		fits := next.last() < upTo && total+next.bytes <= limit
		if s.NextOffset != next.base || fits && !w.isBase(next.base) {
			t.Fatalf("read at %d up to %d, %d bytes: ends before the batch at %d, says %d", offset, upTo, limit, next.base, s.NextOffset)
		}
	}
}

func (w *twins) isBase(offset int64) bool {
	return slices.ContainsFunc(w.log.segments, func(s *segment) bool { return s.base == offset })
}

func (w *twins) same(t *rapid.T, batch record.Batch, mb modelBatch) {
	if batch.BaseOffset() != mb.base || batch.LeaderEpoch() != mb.epoch {
		t.Fatalf("batch at %d of epoch %d, want %d of %d", batch.BaseOffset(), batch.LeaderEpoch(), mb.base, mb.epoch)
	}
	i := 0
	for r, err := range batch.Records(1 << 20) {
		if err != nil {
			t.Fatal(err)
		}
		if got := (modelRecord{r.Offset, r.Timestamp, string(r.Value)}); got != mb.records[i] {
			t.Fatalf("record %v, want %v", got, mb.records[i])
		}
		i++
	}
}

func (w *twins) timestamps(t *rapid.T) {
	ts := w.clockMs + int64(rapid.IntRange(-500, 30).Draw(t, "ts"))
	upTo := min(rapid.SampledFrom(w.model.boundaries()).Draw(t, "upTo"), w.log.Flushed())
	offset, timestamp, epoch, ok, err := w.log.OffsetForTimestamp(ts, upTo)
	if err != nil {
		t.Fatal(err)
	}
	want, wantEpoch, wantOK := w.model.forTimestamp(ts, upTo)
	if ok != wantOK || ok && (offset != want.offset || timestamp != want.timestamp || epoch != wantEpoch) {
		t.Fatalf("offset for %d up to %d: %d@%d epoch %d %v, want %d@%d epoch %d %v", ts, upTo, offset, timestamp, epoch, ok, want.offset, want.timestamp, wantEpoch, wantOK)
	}
	offset, timestamp, _, ok, err = w.log.MaxTimestamp(upTo)
	if err != nil {
		t.Fatal(err)
	}
	want, wantOK = w.model.maxTimestamp(upTo)
	if ok != wantOK || ok && (offset != want.offset || timestamp != want.timestamp) {
		t.Fatalf("newest up to %d: %d@%d %v, want %d@%d %v", upTo, offset, timestamp, ok, want.offset, want.timestamp, wantOK)
	}
}

// epochs compares with what the batches say: the end of an epoch is the base of the first batch of a later one.
func (w *twins) epochs(t *rapid.T) {
	for _, b := range w.model.batches {
		if b.last() >= w.model.start {
			if got := w.log.EpochAt(max(b.base, w.model.start)); got != b.epoch {
				t.Fatalf("epoch at %d is %d, want %d", b.base, got, b.epoch)
			}
		}
	}
	if n := len(w.model.batches); n > 0 && w.model.end() > w.model.start {
		if got := w.log.LatestEpoch(); got != w.model.batches[n-1].epoch {
			t.Fatalf("latest epoch %d, want %d", got, w.model.batches[n-1].epoch)
		}
	}
}

func (w *twins) everything(t *rapid.T) {
	var batches []modelBatch
	for _, b := range w.model.batches {
		if b.last() >= w.model.start {
			batches = append(batches, b)
		}
	}
	if w.log.LogStart() != w.model.start || w.log.End() != w.model.end() {
		t.Fatalf("log is [%d, %d), want [%d, %d)", w.log.LogStart(), w.log.End(), w.model.start, w.model.end())
	}
	flushed := w.log.Flushed()
	for batch, err := range w.log.Batches(w.model.start, flushed) {
		if err != nil {
			t.Fatal(err)
		}
		w.same(t, batch, batches[0])
		batches = batches[1:]
	}
	if len(batches) > 0 && batches[0].base < flushed {
		t.Fatalf("log [%d, %d) flushed %d ends before %d (%d records)", w.log.LogStart(), w.log.End(), w.log.Flushed(), batches[0].base, len(batches[0].records))
	}
	w.epochs(t)
}

// sync also brings the model's notion of flushed up: everything.
func (w *twins) flush(t *rapid.T) {
	if err := w.log.Flush(); err != nil {
		t.Fatal(err)
	}
	if w.log.Flushed() != w.log.End() {
		t.Fatalf("flushed %d of %d", w.log.Flushed(), w.log.End())
	}
}

// crashed takes over what a crash left: everything flushed, and perhaps more.
func (w *twins) crashed(t *rapid.T, flushed int64) {
	end := w.log.End()
	if end < flushed || end > w.model.end() {
		t.Fatalf("log ends at %d; %d was flushed and %d appended", end, flushed, w.model.end())
	}
	w.model.truncate(end)
	if start := w.log.LogStart(); start > w.model.start && flushed <= w.model.start {
		// Not even the first segment had been promised: a later one may be the first that survived.
		w.model.start = start
	}
	w.cuts++
}

// damageIndex does something to an index file, or a snapshot, of the closed directory.
func (w *twins) damageIndex(t *rapid.T) {
	dir := join(modelDir, testTopic.String())
	entries, err := w.fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if _, ext, ok := parseSegmentName(e.Name()); ok && ext != logExt {
			names = append(names, join(dir, e.Name()))
		}
	}
	if len(names) == 0 {
		return
	}
	name := rapid.SampledFrom(names).Draw(t, "file")
	switch rapid.SampledFrom([]string{"remove", "cut", "flip", "zeros"}).Draw(t, "damage") {
	case "remove":
		err = w.fs.Remove(name)
	case "cut":
		info, _ := w.fs.Stat(name)
		err = cutFile(w.fs, name, rapid.Int64Range(0, info.Size()).Draw(t, "size"), false)
	case "flip":
		err = flip(w.fs, name, rapid.Int().Draw(t, "bit"))
	case "zeros":
		data, _ := readFile(w.fs, name)
		err = writeFile(w.fs, name, append(data, make([]byte, 96)...), false)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// flip turns over one bit of a file.
func flip(fs vfs.FS, name string, bit int) error {
	data, err := readFile(fs, name)
	if err != nil || len(data) == 0 {
		return err
	}
	bit = int(uint(bit) % uint(8*len(data)))
	data[bit/8] ^= 1 << (bit % 8)
	return writeFile(fs, name, data, false)
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &twins{fs: vfs.NewMem(nil), clockMs: 1_700_000_000_000, config: DefaultLogConfig()}
		w.config.SegmentBytes = rapid.SampledFrom([]int64{800, 3000, 1 << 20}).Draw(t, "segment.bytes")
		w.config.IndexIntervalBytes = rapid.SampledFrom([]int64{0, 100, 4096}).Draw(t, "index.interval.bytes")
		w.config.SegmentMs = rapid.SampledFrom([]int64{50, 1 << 40}).Draw(t, "segment.ms")
		w.config.SegmentIndexBytes = rapid.SampledFrom([]int64{40, 1 << 20}).Draw(t, "segment.index.bytes")
		w.config.FileDeleteDelayMs = 0
		w.config.RetentionMs = -1
		w.config.PageCache = rapid.Bool().Draw(t, "pagecache")
		w.open(t, false)
		defer func() { w.store.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				for range rapid.IntRange(1, 12).Draw(t, "batches") {
					w.append(t)
				}
			},
			"flush":     w.flush,
			"read":      w.read,
			"timestamp": w.timestamps,
			"truncate": func(t *rapid.T) {
				to := rapid.Int64Range(w.model.start, w.model.end()+1).Draw(t, "to")
				if err := w.log.TruncateTo(to); err != nil {
					t.Fatal(err)
				}
				before := w.model.end()
				w.model.truncate(to)
				if w.cuts++; w.log.End() != w.model.end() && to < before && w.model.end() > w.model.start {
					t.Fatalf("truncated to %d: end %d, want %d", to, w.log.End(), w.model.end())
				}
				if len(w.model.batches) == 0 || w.model.end() < w.model.start {
					w.model = model{start: w.log.LogStart()}
				}
			},
			"start again": func(t *rapid.T) {
				at := rapid.Int64Range(0, w.model.end()+50).Draw(t, "at")
				if err := w.log.TruncateFullyAndStartAt(at); err != nil {
					t.Fatal(err)
				}
				w.model = model{start: at}
				w.cuts++
			},
			"delete records": func(t *rapid.T) {
				w.flush(t)
				w.log.SetHighWatermark(w.log.End())
				to := rapid.Int64Range(w.model.start, w.model.end()).Draw(t, "to")
				if err := w.log.AdvanceLogStart(to); err != nil {
					t.Fatal(err)
				}
				w.model.start = to
			},
			"retention": func(t *rapid.T) {
				w.flush(t)
				w.log.SetHighWatermark(w.log.End())
				w.config.RetentionBytes = rapid.SampledFrom([]int64{-1, 0, 2000}).Draw(t, "retention.bytes")
				w.config.RetentionMs = rapid.SampledFrom([]int64{-1, 300}).Draw(t, "retention.ms")
				w.log.SetConfig(w.config)
				if err := w.log.ApplyRetention(w.clockMs); err != nil {
					t.Fatal(err)
				}
				w.checkRetention(t)
				w.config.RetentionBytes, w.config.RetentionMs = -1, -1
				w.log.SetConfig(w.config)
			},
			"close": func(t *rapid.T) {
				if err := w.store.Close(); err != nil {
					t.Fatal(err)
				}
				found := examined(w.fs, modelDir)
				w.open(t, true)
				if slices.ContainsFunc(found, func(f Finding) bool { return strings.HasSuffix(f.File, logExt) }) {
					t.Fatalf("doctor: %+v", found)
				}
				w.everything(t)
			},
			"close and damage": func(t *rapid.T) {
				if err := w.store.Close(); err != nil {
					t.Fatal(err)
				}
				w.damageIndex(t)
				w.open(t, true)
				w.everything(t)
			},
			"kill": func(t *rapid.T) {
				w.store.checkpoints.run() // sometimes it has run, sometimes not: see the next
				w.kill(t)
			},
			"kill before the checkpoint": w.kill,
			"kill and damage": func(t *rapid.T) {
				fs := w.fs.KillClone()
				w.store.Close()
				w.fs = fs
				w.damageIndex(t)
				w.open(t, false)
				w.everything(t)
			},
			"power cut": func(t *rapid.T) {
				flushed := w.log.Flushed()
				if w.config.PageCache {
					flushed = w.model.start
				}
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
				fs := w.fs.CrashClone(r, rapid.SampledFrom([]int{0, 30, 70, 100}).Draw(t, "percent"))
				w.store.Close()
				w.fs = fs
				w.open(t, false)
				w.crashed(t, flushed)
				w.everything(t)
			},
			"": func(t *rapid.T) {
				if w.log.Flushed() == w.log.End() {
					w.everything(t)
				}
			},
		})
	})
}

func (w *twins) kill(t *rapid.T) {
	fs := w.fs.KillClone()
	w.store.Close()
	w.fs = fs
	w.open(t, false)
	w.everything(t)
}

// checkRetention: the start is where it was, or at a segment; nothing went that had to stay, nothing stayed that had to
// go.
func (w *twins) checkRetention(t *rapid.T) {
	start := w.log.LogStart()
	if start < w.model.start || start > w.model.end() {
		t.Fatalf("log start went from %d to %d of %d", w.model.start, start, w.model.end())
	}
	gone := 0
	for _, b := range w.model.batches {
		if b.last() < start {
			gone++
			continue
		}
	}
	total := int64(0)
	for _, b := range w.model.batches[gone:] {
		total += int64(b.bytes)
	}
	c := w.config
	first := w.log.segments[0]
	if c.RetentionBytes >= 0 && len(w.log.segments) > 1 && w.log.Size()-first.size >= c.RetentionBytes {
		t.Fatalf("%d bytes stay, of which the first segment has %d, with retention.bytes %d", w.log.Size(), first.size, c.RetentionBytes)
	}
	if c.RetentionBytes > 0 && start > w.model.start && w.log.Size() < c.RetentionBytes && c.RetentionMs < 0 {
		t.Fatalf("only %d bytes stay with retention.bytes %d", w.log.Size(), c.RetentionBytes)
	}
	if c.RetentionMs >= 0 && c.RetentionBytes < 0 {
		for _, b := range w.model.batches {
			for _, r := range b.records {
				if r.offset >= w.model.start && b.last() < start && r.timestamp >= w.clockMs-c.RetentionMs {
					t.Fatalf("the record at %d went, of %d at %d", r.offset, r.timestamp, w.clockMs)
				}
			}
		}
	}
	w.model.start = start
}
