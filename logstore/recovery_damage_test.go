package logstore

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// TestGarbledTails: the last batch, and what may lie behind it, overwritten with zeros, noise, or what stood elsewhere in
// the file, by bytes and by sectors. All before it stays, nothing that was not written is believed, and offsets go on.
//
//	RECOVERY_RUNS=10000 go test ./logstore -run TestGarbledTails
func TestGarbledTails(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	l := create(t, s, DefaultLogConfig())
	for i, size := range []int{40, 3000, 9000, 100, 14_000} {
		if _, err := l.Append(noise(uint64(i), 3, size/3), AppendOptions{LeaderEpoch: int32(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := contents(t, l)
	left := mem.KillClone()
	closeStore(t, s)
	data, err := readFile(left, testLog)
	if err != nil {
		t.Fatal(err)
	}
	last := lastBatchAt(t, data)
	accepted := 0
	for i := range sized(t, inFull(10_000)) {
		seed := firstSeed(t) + uint64(i)
		r := rand.New(rand.NewPCG(seed, 11))
		garbled, what := garble(r, data, last)
		fs := left.KillClone()
		if err := writeFile(fs, testLog, garbled, false); err != nil {
			t.Fatal(err)
		}
		what = fmt.Sprintf("RECOVERY_SEED=%d: %s", seed, what)
		s := open(t, fs, "data")
		l := s.Get(testTopic)
		if err := l.Err(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		want := lines[:len(lines)-3]
		if len(garbled) >= len(data) && bytes.Equal(garbled[:len(data)], data) {
			want = lines
			accepted++
		}
		if got := contents(t, l); !slices.Equal(got, want) {
			t.Fatalf("%s: %d records, want %d", what, len(got), len(want))
		}
		if a := add(t, l, batch(100, 1, 5)); a.FirstOffset != int64(len(want)) {
			t.Fatalf("%s: goes on at %d", what, a.FirstOffset)
		}
		closeStore(t, s)
	}
	t.Logf("%d of them left the batch whole", accepted)
}

// noise is a batch of records that look like nothing else.
func noise(seed uint64, n, valueBytes int) record.Batch {
	r := rand.New(rand.NewPCG(seed, 99))
	b := record.NewBuilder(record.NewOptions())
	for i := range n {
		value := make([]byte, valueBytes)
		for j := range value {
			value[j] = byte(r.Uint32())
		}
		b.Add(int64(i), nil, value)
	}
	return b.Batch()
}

// lastBatchAt is where the last batch of a segment begins.
func lastBatchAt(t *testing.T, data []byte) (at int) {
	t.Helper()
	for next := 0; next < len(data); {
		_, rest, err := record.Next(data[next:])
		if err != nil {
			t.Fatal(err)
		}
		at, next = next, len(data)-len(rest)
	}
	return at
}

// garble overwrites a part from last on, at any byte or at whole sectors. Whatever is changed of the batch is not all
// under its checksum: the leader epoch, four bytes, is left as it is, unless more than it is hit.
func garble(r *rand.Rand, data []byte, last int) ([]byte, string) {
	out := slices.Clone(data)
	out = append(out, make([]byte, r.IntN(3)*r.IntN(9000))...)
	unit := []int{1, 512, 4096}[r.IntN(3)]
	from := (last + r.IntN(len(out)-last)) / unit * unit
	to := min(len(out), from+unit*(1+r.IntN(1+(len(out)-from)/unit)))
	if r.IntN(4) == 0 { // a part of a sector
		to = from + r.IntN(to-from+1)
	}
	from = max(from, last)
	to = max(to, from)
	kind := []string{"zeros", "noise", "stale", "cut"}[r.IntN(4)]
	switch kind {
	case "zeros":
		clear(out[from:to])
	case "noise":
		for i := from; i < to; i++ {
			out[i] = byte(r.Uint32())
		}
	case "stale":
		at := r.IntN(last) / unit * unit
		copy(out[from:to], data[at:last])
	case "cut":
		out = out[:from]
	}
	if from > last+11 && to <= last+16 { // nothing but the leader epoch
		copy(out[last+12:last+16], data[last+12:])
	}
	return out, fmt.Sprintf("%s in [%d, %d) of %d, the last batch in [%d, %d)", kind, from, to, len(out), last, len(data))
}

// busyLog is a log with all that may stand beside batches: several segments, epochs, producers, transactions that were
// aborted, and timestamps out of order.
func busyLog(t *testing.T, r *rand.Rand) (mem *vfs.Mem, s *Store, l *Log) {
	t.Helper()
	mem = vfs.NewMem(nil)
	s = open(t, mem, "data")
	c := DefaultLogConfig()
	c.SegmentBytes, c.IndexIntervalBytes = 2000, 100
	l = create(t, s, c)
	sequences := map[int64]int32{}
	ongoing := map[int64]bool{}
	for i := range 70 {
		o := AppendOptions{LeaderEpoch: int32(i / 20)}
		pid := int64(r.IntN(4))
		b := record.NewOptions()
		switch {
		case pid == 3:
		case ongoing[pid] && r.IntN(3) == 0:
			o.Origin = Coordinator
			if _, err := l.Append(record.EndTxn{Commit: r.IntN(3) == 0}.Batch(int64(1000+i), pid, 0), o); err != nil {
				t.Fatal(err)
			}
			delete(ongoing, pid)
			continue
		default:
			b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = pid, 0, sequences[pid], pid > 0
			ongoing[pid] = pid > 0
		}
		n := 1 + r.IntN(3)
		build := record.NewBuilder(b)
		for range n {
			build.Add(int64(1000+i+r.IntN(30)), nil, make([]byte, r.IntN(200)))
		}
		if b.ProducerID >= 0 {
			sequences[pid] += int32(n)
		}
		if _, err := l.Append(build.Batch(), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(l.End())
	return mem, s, l
}

// answers is all that a log says, found out the long way: whoever loses an index must come to the same.
func answers(l *Log) (string, error) {
	out := &strings.Builder{}
	end := l.End()
	fmt.Fprintf(out, "offsets [%d, %d) stable %d epoch %d producers %v\n", l.LogStart(), end, l.LastStableOffset(), l.LatestEpoch(), l.ActiveProducers())
	for offset := l.LogStart(); offset < end; offset++ {
		slice, err := l.Read(offset, 1, end, true)
		if err != nil {
			return "", err
		}
		aborted, err := l.AbortedTransactions(offset, offset+1)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(out, "%d: [%d, %d) epoch %d aborted %v\n", offset, slice.FirstOffset, slice.NextOffset, l.EpochAt(offset), aborted)
		slice.Release()
	}
	for ms := int64(995); ms < 1105; ms++ {
		offset, at, epoch, ok, err := l.OffsetForTimestamp(ms, end)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(out, "at %d: %d %d %d %t\n", ms, offset, at, epoch, ok)
	}
	offset, at, epoch, ok, err := l.MaxTimestamp(end)
	fmt.Fprintf(out, "newest %d %d %d %t\n", offset, at, epoch, ok)
	return out.String(), err
}

// TestDerivedFilesDamaged: indexes, snapshots and checkpoints that are deleted, cut, overwritten, filled with zeros or
// swapped between segments are made again, and every answer is what it was. Where no answer can be given the log is
// offline, and nothing of it is changed.
//
//	RECOVERY_RUNS=1000 go test ./logstore -run TestDerivedFilesDamaged
func TestDerivedFilesDamaged(t *testing.T) {
	seedOf := rand.New(rand.NewPCG(13, 13))
	mem, s, l := busyLog(t, seedOf)
	want, err := answers(l)
	if err != nil {
		t.Fatal(err)
	}
	killed := mem.KillClone()
	closeStore(t, s)
	if !strings.Contains(want, "aborted [{") {
		t.Fatal("nothing was aborted")
	}
	refused := 0
	for i := range sized(t, inFull(1000)) {
		seed := firstSeed(t) + uint64(i)
		r := rand.New(rand.NewPCG(seed, 14))
		left := mem.KillClone()
		if r.IntN(2) == 0 {
			left = killed.KillClone()
		}
		var hurt []string
		for range 1 + r.IntN(3) {
			hurt = append(hurt, hurtSomething(t, r, left))
		}
		before := snapshotOf(t, left, "data/t-0")
		s, err := Open("data", Options{FS: left, NodeID: 1})
		if err != nil {
			t.Fatalf("RECOVERY_SEED=%d: %q: %v", seed, hurt, err)
		}
		l := s.Get(testTopic)
		if err := l.Err(); err != nil {
			refused++
			if !strings.Contains(err.Error(), "newer") && !strings.Contains(err.Error(), "short") || snapshotOf(t, left, "data/t-0") != before {
				t.Fatalf("RECOVERY_SEED=%d: %q: %v", seed, hurt, err)
			}
			s.Close()
			continue
		}
		l.SetHighWatermark(l.End())
		got, err := answers(l)
		if err != nil || got != want {
			t.Fatalf("RECOVERY_SEED=%d: %q: %v\n%s", seed, hurt, err, firstDifference(got, want))
		}
		closeStore(t, s)
	}
	t.Logf("%d times the log was offline", refused)
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("got  %s\nwant %s", a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

// hurtSomething damages one file that is derived. Flips are left to files that have a checksum, or are checked against
// the segment: the text of a checkpoint has none.
func hurtSomething(t *testing.T, r *rand.Rand, left *vfs.Mem) string {
	t.Helper()
	names := []string{"data/" + recoveryPointName, "data/" + highWatermarkName, "data/" + cleanerName}
	entries, err := left.ReadDir("data/t-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasSuffix(name, logExt) && name != partitionName && !strings.HasSuffix(name, txnIndexExt) {
			names = append(names, "data/t-0/"+name)
		}
	}
	name := names[r.IntN(len(names))]
	data, err := readFile(left, name)
	if err != nil {
		return name + " is not there"
	}
	isText := strings.Contains(name, "checkpoint")
	what := []string{"deleted", "cut", "flipped", "zeros", "noise", "another's"}[r.IntN(6)]
	switch what {
	case "deleted":
		left.Remove(name)
		return name + " deleted"
	case "cut":
		data = data[:r.IntN(len(data)+1)]
	case "flipped":
		for range 1 + r.IntN(3) {
			if len(data) > 0 && !isText {
				data[r.IntN(len(data))] ^= 1 << r.IntN(8)
			}
		}
	case "zeros":
		from := r.IntN(len(data) + 1)
		clear(data[from:])
	case "noise":
		for i := r.IntN(len(data) + 1); i < len(data); i++ {
			data[i] = byte(128 + r.IntN(128))
		}
	case "another's":
		if other := names[r.IntN(len(names))]; extOf(other) == extOf(name) && !isText && !strings.HasSuffix(name, snapshotExt) {
			data, _ = readFile(left, other)
		}
	}
	if err := writeFile(left, name, data, false); err != nil {
		t.Fatal(err)
	}
	return name + " " + what
}

// extOf is a file's extension.
func extOf(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// TestTxnIndexDamaged: entries that cannot be true are found, and made again from the markers.
func TestTxnIndexDamaged(t *testing.T) {
	mem, s, l := busyLog(t, rand.New(rand.NewPCG(13, 13)))
	want, err := answers(l)
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	entries, _ := mem.ReadDir("data/t-0")
	tried := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), txnIndexExt) {
			continue
		}
		name := "data/t-0/" + e.Name()
		whole, _ := readFile(mem, name)
		for what, data := range map[string][]byte{
			"cut inside":         whole[:len(whole)-5],
			"zeros":              make([]byte, len(whole)),
			"zeros at end":       append(slices.Clone(whole), make([]byte, 68)...),
			"twice":              append(slices.Clone(whole), whole...),
			"empty":              {},
			"negative":           append(bytes.Repeat([]byte{0, 0, 255}, 12)[:34], whole[34:]...),
			"beyond the segment": append(slices.Clone(whole), AbortedTxn{1, math.MaxInt32, math.MaxInt32 + 1, 0}.encode()...),
		} {
			for _, running := range []bool{false, true} {
				tried++
				left := mem.KillClone()
				if !running {
					writeFile(left, name, data, false)
				}
				s := open(t, left, "data")
				if running {
					writeFile(left, name, data, false)
				}
				l := s.Get(testTopic)
				l.SetHighWatermark(l.End())
				got, err := answers(l)
				if err != nil || got != want {
					t.Errorf("%s %s, while running %t: %v\n%s", name, what, running, err, firstDifference(got, want))
				}
				s.Close()
			}
		}
	}
	if tried == 0 {
		t.Fatal("there is no transaction index")
	}
}

// TestRecoveryKilledFiveDeep: a start is killed, or loses power, at some operation; so is the next, five deep. The last
// one finds what the first would have.
//
//	RECOVERY_RUNS=2000 go test ./logstore -run TestRecoveryKilledFiveDeep
func TestRecoveryKilledFiveDeep(t *testing.T) {
	depths := [6]int{}
	for i := range sized(t, 150) {
		seed := firstSeed(t) + uint64(i)
		r := rand.New(rand.NewPCG(seed, 4))
		afterFailedSync := i%2 == 0
		var left *vfs.Mem
		var f failedSync
		if afterFailedSync {
			f = failSync(t, seed)
			left = f.mem
		} else {
			mem, s, _ := busyLog(t, r)
			left = mem.CrashClone(r, 50+r.IntN(51))
			s.Close()
			f.what = fmt.Sprintf("RECOVERY_SEED=%d", seed)
			if r.IntN(2) == 0 {
				f.what += ", " + hurtSomething(t, r, left)
			}
		}
		first := endOf(left.KillClone())
		depth := 0
		for ; depth < 5; depth++ {
			next := crashWhileOpening(left, r)
			if next == nil {
				break
			}
			left = next
		}
		depths[depth]++
		if afterFailedSync { // what was not synced may go with a power cut
			if err := f.holds(left, r); err != nil {
				t.Fatalf("%s, %d starts killed: %v", f.what, depth, err)
			}
		} else if last := endOf(left); first != last {
			t.Fatalf("%s, %d starts killed: a start comes to something else than the first would have\n%s", f.what, depth, firstDifference(last, first))
		}
	}
	t.Logf("starts killed before the one that was not, by depth: %v", depths)
}

// endOf opens, and says what the log comes to.
func endOf(left *vfs.Mem) string {
	s, err := Open("data", Options{FS: left, NodeID: 1})
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	l := s.Get(testTopic)
	if l == nil {
		return "nothing"
	}
	if err := l.Err(); err != nil {
		label, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "KAFKA_STORAGE_ERROR: t-0: recovery: "), ":")
		return label
	}
	text, err := answers(l)
	return fmt.Sprint(text, err)
}

// crashWhileOpening is what a kill or a power cut leaves at some operation of a start; nil if that came to its end first.
func crashWhileOpening(left *vfs.Mem, r *rand.Rand) (crashed *vfs.Mem) {
	disk, at := errorfs.New(left), r.IntN(30)
	kill := r.IntN(2) == 0
	disk.OnOp(func(op errorfs.Op) {
		if crashed != nil || !op.Changes() {
			return
		}
		if at--; at >= 0 {
			return
		}
		if crashed = left.KillClone(); !kill {
			crashed = left.CrashClone(r, 0)
		}
	})
	if s, err := Open("data", Options{FS: disk, NodeID: 1}); err == nil {
		disk.OnOp(nil)
		s.Close()
	}
	return crashed
}
