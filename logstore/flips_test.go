package logstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Row 12: one bit of a segment is flipped, in every field of a batch and in its records, and each of those who look must
// find it: recovery, the first fetch, iteration, compaction, the scrub and doctor. Every flip counts but one that neither the checksum nor a neighbour nor the
// leader-epoch checkpoint can tell: of the fields outside the checksum, those of the last batch that move it up into the
// room above it. There is none here, because the log goes on in another segment.

// flipField is a field of a batch, and how many of its bits are flipped in each batch that is visited.
type flipField struct {
	name      string
	at, bytes int
}

var flipFields = []flipField{
	{"base offset", 0, 8}, {"length", 8, 4}, {"leader epoch", 12, 4}, {"magic", 16, 1}, {"crc", 17, 4},
	{"attributes", 21, 2}, {"last offset delta", 23, 4}, {"timestamps", 27, 16}, {"producer", 43, 14}, {"count", 57, 4}, {"records", 61, 0},
}

// flipLog is a log of two segments in several leader epochs: small batches and large, compressed and not. Nothing was
// compacted.
type flipLog struct {
	mem     *vfs.Mem
	store   *Store
	log     *Log
	name    string   // of the first segment's file
	batches []header // in it
	seg     *segment
	r       *rand.Rand
}

func newFlipLog(t *testing.T, seed uint64) *flipLog {
	t.Helper()
	f := &flipLog{mem: vfs.NewMem(nil), r: rand.New(rand.NewPCG(seed, 12))}
	f.store = open(t, f.mem, "data")
	c := DefaultLogConfig()
	c.IndexIntervalBytes = 700
	f.log = create(t, f.store, c)
	add := func(i int) {
		o := record.NewOptions()
		o.Codec = record.Codec(f.r.IntN(5))
		b := record.NewBuilder(o)
		for j := range 1 + f.r.IntN(6) {
			b.Add(int64(1000*i+j), []byte{byte(j)}, fmt.Appendf(nil, "%0*d", 1+f.r.IntN(300), i))
		}
		if _, err := f.log.Append(b.Batch(), AppendOptions{LeaderEpoch: int32(i / 10)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 60 {
		add(i)
	}
	f.seg = f.log.active()
	c.SegmentBytes = 1
	f.log.SetConfig(c)
	add(60)
	add(61)
	if err := f.log.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.checkpoints.write([]*Log{f.log}); err != nil {
		t.Fatal(err)
	}
	if err := f.log.walk(f.seg, 0, f.seg.size, func(h header) error { h.v2 = nil; f.batches = append(f.batches, h); return nil }); err != nil {
		t.Fatal(err)
	}
	f.name = f.seg.path(logExt)
	t.Cleanup(func() { closeStore(t, f.store) })
	return f
}

// flip turns one bit, and forgets what was found out before.
func (f *flipLog) flip(t *testing.T, position int64, bit int) {
	t.Helper()
	file, err := f.mem.OpenFile(f.name, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	if _, err := file.ReadAt(b[:], position); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << bit
	if _, err := file.WriteAt(b[:], position); err != nil {
		t.Fatal(err)
	}
	f.log.mu.Lock()
	f.seg.verified, f.log.damages, f.log.hints = verified{}, nil, readHints{}
	f.log.mu.Unlock()
}

// byFetch has consumers read the damaged batch h: one that asks for an offset in it, and one that comes from before.
func (f *flipLog) byFetch(t *testing.T, h header) error {
	offset := h.base + f.r.Int64N(h.last-h.base+1)
	slice, err := f.log.Read(offset, 1<<20, math.MaxInt64, true)
	if err == nil {
		slice.Release()
		return fmt.Errorf("a fetch at %d is given [%d, %d)", offset, slice.FirstOffset, slice.NextOffset)
	}
	if protocol.CodeOf(err) != protocol.CorruptMessage {
		return err
	}
	if len(f.log.Damages()) == 0 {
		return fmt.Errorf("a fetch at %d is refused without a trace", offset)
	}
	if f.r.IntN(2) == 0 { // also for one that knows nothing yet
		f.seg.verified, f.log.damages, f.log.hints = verified{}, nil, readHints{}
	}
	for from := max(0, h.base-f.r.Int64N(40)); ; {
		slice, err := f.log.Read(from, 1+f.r.IntN(5000), math.MaxInt64, true)
		if err != nil {
			if protocol.CodeOf(err) != protocol.CorruptMessage {
				return err
			}
			return nil
		}
		slice.Release()
		if slice.Bytes == 0 {
			return fmt.Errorf("a consumer waits forever at %d", from)
		}
		if slice.NextOffset > h.base || slice.Parts[0].Off+slice.Parts[0].Len > h.position {
			return fmt.Errorf("a fetch at %d is given up to %d", from, slice.NextOffset)
		}
		from = slice.NextOffset
	}
}

// byRecovery looks at the directory as a start does after a kill that came before anything was known to be durable.
func (f *flipLog) byRecovery(t *testing.T, h header) error {
	if f.epochFits(t, h) {
		return nil
	}
	fresh := f.store.newLog(f.log.tp)
	facts, err := f.store.inspect(fresh, checkpoints{}, nil)
	if err != nil {
		return err
	}
	p := decide(facts)
	if p.offline == nil && p.cut == 0 {
		return errors.New("recovery keeps everything")
	}
	if last := f.batches[len(f.batches)-1]; h.position == last.position && p.offline == nil && p.keep == 2 {
		return nil // its neighbour is in the next segment: that one tells of a leader epoch too large
	}
	// Of two batches that disagree on the leader epoch, where no checkpoint is believed, it may be the other one.
	if p.offline == nil && (p.keep != 1 || p.keepBytes > h.position || p.keepBytes < f.before(h)) {
		return fmt.Errorf("recovery keeps %d bytes of %d segments, where %d are good", p.keepBytes, p.keep, h.position)
	}
	return nil
}

// epochFits tells whether the leader epoch that the batch has now is another one, and might be right by its neighbours. Then
// the checkpoint has the say, which recovery does not believe above the recovery point.
func (f *flipLog) epochFits(t *testing.T, h header) bool {
	b, err := readFile(f.mem, f.name)
	if err != nil {
		t.Fatal(err)
	}
	epoch := int32(binary.BigEndian.Uint32(b[h.position+12:]))
	before, after := int32(0), int32(math.MaxInt32)
	for _, o := range f.batches {
		if o.position < h.position {
			before = o.leaderEpoch
		} else if o.position > h.position {
			after = min(after, o.leaderEpoch)
		}
	}
	return epoch != h.leaderEpoch && epoch >= before && epoch <= min(after, 6) // in the next segment it is 6
}

// before is where the batch before h begins.
func (f *flipLog) before(h header) (position int64) {
	for _, b := range f.batches {
		if b.position < h.position {
			position = b.position
		}
	}
	return position
}

func (f *flipLog) byIteration(t *testing.T, h header) error {
	f.seg.verified, f.log.damages, f.log.hints = verified{}, nil, readHints{}
	for b, err := range f.log.Batches(0, f.log.End()) {
		if err != nil {
			return nil
		}
		if b.BaseOffset() >= h.base {
			return fmt.Errorf("iteration comes to %d", b.BaseOffset())
		}
	}
	return errors.New("iteration goes to the end")
}

// inFull is how often a test does what it does many times: n times in the run that is about it (make test has one, without
// -race, with FULL=1), a fifth of that elsewhere.
func inFull(n int) int {
	if os.Getenv("FULL") != "" {
		return n
	}
	return n / 5
}

func TestFlipsAreFound(t *testing.T) {
	flips := inFull(10_000)
	f := newFlipLog(t, 1)
	finders := []struct {
		name string
		find func(*testing.T, header) error
	}{{"recovery", f.byRecovery}, {"first fetch", f.byFetch}, {"iteration", f.byIteration}, {"doctor", f.byDoctor}, {"scrub", f.byScrub}, {"compaction", f.byCompaction}}
	for n := range flips {
		h := f.batches[f.r.IntN(len(f.batches))]
		field := flipFields[n%len(flipFields)]
		if field.bytes == 0 {
			field.bytes = int(h.size) - field.at
		}
		position, bit := h.position+int64(field.at+f.r.IntN(field.bytes)), f.r.IntN(8)
		for _, finder := range finders {
			if finder.name == "doctor" && n%4 != 0 {
				continue // it copies the directory each time
			}
			f.flip(t, position, bit)
			err := finder.find(t, h)
			f.flip(t, position, bit)
			if err != nil {
				t.Fatalf("flip %d: bit %d of byte %d, %s of the batch with offsets %d to %d at %d: %s: %v", n, bit, position, field.name, h.base, h.last, h.position, finder.name, err)
			}
		}
	}
	if got := contents(t, f.log); len(got) != int(f.log.End()) {
		t.Fatalf("%d records are left of %d", len(got), f.log.End())
	}
}

// byDoctor has the directory examined as it is.
func (f *flipLog) byDoctor(t *testing.T, h header) error {
	found, wrong := false, ""
	if _, err := Examine("data", ExamineOptions{FS: f.mem.KillClone(), Scrub: true, Found: func(x Finding) {
		found = found || x.File == f.name && x.Position == h.position && !x.Note
		wrong += fmt.Sprintf("%+v\n", x)
	}}); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("doctor says nothing of byte %d of the log, but:\n%s", h.position, wrong)
	}
	return nil
}

// byScrub has the store look for itself.
func (f *flipLog) byScrub(t *testing.T, h header) error {
	x := &scrubber{store: f.store}
	x.begin()
	for x.round.find() {
		x.round.examine(1 + f.r.Int64N(20_000))
	}
	for _, d := range f.log.Damages() {
		if d.Position == h.position && d.File == f.name {
			return nil
		}
	}
	return fmt.Errorf("the scrub finds %+v", f.log.Damages())
}

// byCompaction reads the segment as compaction does.
func (f *flipLog) byCompaction(t *testing.T, h header) error {
	k := &compaction{log: f.log, throttle: new(throttle), config: f.log.configuration(), in: make([]byte, 4096)}
	k.settings.IOBufferBytes = 4096
	err := k.eachBatch(f.seg, func(record.Batch, bool) error { return nil }) // nothing of a group is kept after an error
	if !isDamage(err) {
		return fmt.Errorf("compaction: %w", cmp.Or(err, errors.New("goes to the end")))
	}
	return nil
}
