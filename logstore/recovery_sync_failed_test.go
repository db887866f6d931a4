package logstore

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// sized is how much a test does: so much in CI, more if RECOVERY_RUNS says so.
func sized(t testing.TB, otherwise int) int {
	t.Helper()
	if text := os.Getenv("RECOVERY_RUNS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return otherwise
}

// firstSeed is the first of a test's seeds.
func firstSeed(t testing.TB) uint64 {
	t.Helper()
	if text := os.Getenv("RECOVERY_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 0
}

// stubborn is a file system whose cache cannot be dropped, as a kernel's need not be: only reading past it helps.
type stubborn struct{ vfs.FS }

type stubbornFile struct{ vfs.File }

func (s stubborn) Open(name string) (vfs.File, error) { return s.OpenFile(name, os.O_RDONLY, 0) }

func (s stubborn) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := s.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return stubbornFile{f}, nil
}

func (s stubborn) OpenPastCache(name string) (vfs.File, error) { return vfs.PastCache(s.FS, name) }

// LoseSync is what errorfs asks for.
func (f stubbornFile) LoseSync() { f.File.(interface{ LoseSync() }).LoseSync() }

// failedSync is a log whose sync failed, and what it had promised.
type failedSync struct {
	mem     *vfs.Mem
	flushed int64
	lines   []string // of all that was appended
	what    string
}

// failSync appends, flushes, and appends more, of which a sync fails.
func failSync(t *testing.T, seed uint64) (out failedSync) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { out = failSyncInBubble(t, seed) })
	return out
}

func failSyncInBubble(t *testing.T, seed uint64) failedSync {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 19))
	mem := vfs.NewMem(nil)
	rule := []string{"sync of *.log #1 -> EIO", "sync of *.log #1 -> EIO", "sync of *.log #2 -> EIO", "syncdir of data/t-0 #1 -> EIO", "sync of partition.metadata #1 -> EIO"}[r.IntN(5)]
	below := vfs.FS(mem)
	if r.IntN(2) == 0 {
		below = stubborn{mem}
	}
	disk := errorfs.New(below)
	if r.IntN(8) == 0 { // the mark cannot be written, but the cache can be dropped
		disk = errorfs.New(mem, "write of sync-failed -> EIO")
	}
	s := open(t, disk, "data")
	c := DefaultLogConfig()
	c.SegmentBytes = []int64{300, 900, 1 << 20}[r.IntN(3)]
	c.IndexIntervalBytes = int64(r.IntN(3) * 100)
	c.PageCache = r.IntN(4) == 0
	l := create(t, s, c)
	out := failedSync{mem: mem, what: fmt.Sprintf("seed %d: %s, segments of %d", seed, rule, c.SegmentBytes)}
	appendSome := func(n int) {
		for range n {
			ms, n, size := int64(r.IntN(1000)), 1+r.IntN(3), r.IntN(200)
			a, err := l.Append(batch(ms, n, size), AppendOptions{})
			if err != nil {
				return
			}
			synctest.Wait()
			for i := range n {
				out.lines = append(out.lines, fmt.Sprintf("%d@%d %x", a.FirstOffset+int64(i), ms+int64(i), bytes.Repeat([]byte{byte(i)}, size)))
			}
		}
	}
	if r.IntN(5) > 0 {
		appendSome(r.IntN(6))
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	out.flushed = l.End()
	if r.IntN(2) == 0 {
		if err := s.checkpoints.write([]*Log{l}); err != nil {
			t.Fatal(err)
		}
	}
	disk.Add(rule)
	for range 4 { // a rule may have nothing to fail at first
		appendSome(1 + r.IntN(4))
		if l.Flush() != nil {
			break
		}
		out.flushed = l.End()
	}
	if l.Err() != nil {
		if _, err := l.Append(batch(1, 1, 1), AppendOptions{}); err == nil {
			t.Fatalf("%s: appended after a failed sync", out.what)
		}
		if err := l.Flush(); err == nil {
			t.Fatalf("%s: a second sync made good for the first", out.what)
		}
	}
	if !c.PageCache {
		out.flushed = l.Flushed()
	}
	out.mem = mem.KillClone()
	s.Close()
	return out
}

// holds opens what is left, and compares. What is shown must outlive a power cut.
func (f failedSync) holds(left *vfs.Mem, r *rand.Rand) error {
	s, err := Open("data", Options{FS: left, NodeID: 1})
	if err != nil {
		return err
	}
	end := int64(0)
	if l := s.Get(testTopic); l != nil {
		if err := l.Err(); err != nil {
			return err
		}
		lines, err := f.compare(l)
		if err != nil {
			return err
		}
		end = int64(len(lines))
	} else if f.flushed > 0 {
		return fmt.Errorf("the partition is gone")
	}
	after := left.CrashClone(r, 0)
	s.Close()
	if s, err = Open("data", Options{FS: after, NodeID: 1}); err != nil {
		return fmt.Errorf("after a power cut: %w", err)
	}
	defer s.Close()
	l := s.Get(testTopic)
	if l == nil && end > 0 {
		return fmt.Errorf("after a power cut: the partition is gone, and %d records had been shown", end)
	}
	if l == nil {
		return nil
	}
	if err := l.Err(); err != nil {
		return fmt.Errorf("after a power cut: %w", err)
	}
	if l.End() < end {
		return fmt.Errorf("after a power cut: ends at %d, and %d had been shown", l.End(), end)
	}
	_, err = f.compare(l)
	return err
}

// compare reads the log: the beginning of what was appended, and all that was flushed.
func (f failedSync) compare(l *Log) ([]string, error) {
	if f.flushed == 0 && l.LogStart() > 0 {
		return f.lines[:min(int64(len(f.lines)), l.End())], nil // nothing was promised, and the first segment is gone
	}
	var lines []string
	for b, err := range l.Batches(0, l.End()) {
		if err != nil {
			return nil, err
		}
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				return nil, err
			}
			lines = append(lines, fmt.Sprintf("%d@%d %x", r.Offset, r.Timestamp, r.Value))
		}
	}
	if int64(len(lines)) < f.flushed {
		return nil, fmt.Errorf("%d records are left, and %d had been flushed", len(lines), f.flushed)
	}
	if len(lines) > len(f.lines) || !slices.Equal(lines, f.lines[:len(lines)]) {
		return nil, fmt.Errorf("other records than were appended: %q of %q", lines, f.lines)
	}
	if _, err := l.store.fs.Stat(join(l.dir, syncFailedName)); err == nil {
		return nil, fmt.Errorf("served, and the mark of a failed sync is still there")
	}
	return lines, nil
}

// TestFailedSync: after a sync that failed, nothing is acknowledged; the next start serves what was flushed before, and
// nothing that a power cut takes back, also where that start fails itself, or is killed.
//
//	RECOVERY_SEED=17 RECOVERY_RUNS=1 go test ./logstore -run TestFailedSync
func TestFailedSync(t *testing.T) {
	kinds := []string{"open of *.log*", "read of *", "write of *.tmp", "sync of *", "rename of *", "remove of *", "syncdir of *"}
	for i := range sized(t, 1000) {
		seed := firstSeed(t) + uint64(i)
		f := failSync(t, seed)
		r := rand.New(rand.NewPCG(seed, 20))
		left := f.mem
		if r.IntN(3) == 0 {
			left = left.CrashClone(r, r.IntN(101))
		}
		var rule string
		if r.IntN(2) == 0 { // a first start on a disk that fails again
			rule = fmt.Sprintf("%s #%d -> EIO", kinds[r.IntN(len(kinds))], 1+r.IntN(6))
			if s, err := Open("data", Options{FS: errorfs.New(left, rule), NodeID: 1}); err == nil {
				s.Close()
			}
			left = left.KillClone()
		}
		if err := f.holds(left, r); err != nil {
			mark, _ := readFile(f.mem, "data/t-0/"+syncFailedName)
			t.Fatalf("%s, then %q: %v\nmark %q, flushed %d of %d\n%s", f.what, rule, err, mark, f.flushed, len(f.lines), snapshotOf(t, f.mem, "data"))
		}
	}
}

// TestFailedSyncCrashes: the start after a failed sync may be killed, or lose power, or fail, at every operation.
func TestFailedSyncCrashes(t *testing.T) {
	points := 0
	for i := range sized(t, 10) {
		seed := firstSeed(t) + uint64(i)
		f := failSync(t, seed)
		r := rand.New(rand.NewPCG(seed, 21))
		var left []*vfs.Mem
		var ops []errorfs.Op
		base := f.mem.KillClone()
		disk := errorfs.New(base)
		disk.OnOp(func(op errorfs.Op) {
			if op.Changes() {
				ops = append(ops, op)
				left = append(left, base.CrashClone(r, r.IntN(101)), base.KillClone())
			}
		})
		if err := f.holdsOn(disk, base, r); err != nil {
			t.Fatalf("%s: %v", f.what, err)
		}
		for j, mem := range left {
			points++
			if err := f.holds(mem, r); err != nil {
				t.Fatalf("%s, crashed before operation %d, %s: %v", f.what, j/2, ops[j/2], err)
			}
		}
		for j := range ops {
			points++
			base := f.mem.KillClone()
			rule := fmt.Sprintf("any of * #%d -> EIO", j+1)
			if s, err := Open("data", Options{FS: errorfs.New(base, rule), NodeID: 1}); err == nil {
				s.Close()
			}
			if err := f.holds(base.KillClone(), r); err != nil {
				t.Fatalf("%s, %s: %v", f.what, rule, err)
			}
		}
	}
	t.Logf("%d points", points)
}

// holdsOn is holds on a file system that is watched.
func (f failedSync) holdsOn(disk vfs.FS, mem *vfs.Mem, r *rand.Rand) error {
	s, err := Open("data", Options{FS: disk, NodeID: 1})
	if err != nil {
		return err
	}
	s.Close()
	return f.holds(mem, r)
}
