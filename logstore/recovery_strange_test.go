package logstore

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// TestIdentityDamaged: a directory whose meta.properties is not what was written is refused, or it is the same
// directory still; nothing is deleted, and nothing is changed where it is refused.
//
//	RECOVERY_RUNS=2000 go test ./logstore -run TestIdentityDamaged
func TestIdentityDamaged(t *testing.T) {
	mem, data, _ := killed(t)
	s := open(t, mem, "data")
	cluster := s.ClusterID()
	s.Close()
	whole, err := readFile(mem, "data/"+metaName)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range sized(t, 200) {
		r := rand.New(rand.NewPCG(firstSeed(t)+uint64(i), 15))
		left := mem.KillClone()
		meta := slices.Clone(whole)
		what := []string{"gone", "cut", "flipped", "zeros", "noise", "lines swapped"}[r.IntN(6)]
		switch what {
		case "cut":
			meta = meta[:r.IntN(len(meta))]
		case "flipped":
			meta[r.IntN(len(meta))] ^= 1 << r.IntN(8)
		case "zeros":
			clear(meta[r.IntN(len(meta)):])
		case "noise":
			for j := r.IntN(len(meta)); j < len(meta); j++ {
				meta[j] = byte(r.Uint32())
			}
		case "lines swapped":
			lines := strings.SplitAfter(string(meta), "\n")
			r.Shuffle(len(lines), func(a, b int) { lines[a], lines[b] = lines[b], lines[a] })
			meta = []byte(strings.Join(lines, ""))
		}
		if what == "gone" {
			left.Remove("data/" + metaName)
		} else {
			writeFile(left, "data/"+metaName, meta, false)
		}
		before := snapshotOf(t, left, "data")
		s, err := Open("data", Options{FS: left, NodeID: 1, ClusterID: cluster})
		if err != nil {
			refused++
			if after := snapshotOf(t, left, "data"); after != before {
				t.Errorf("%d, %s: refused (%v), and changed", i, what, err)
			}
			if !strings.Contains(err.Error(), metaName) {
				t.Errorf("%d, %s: %v: names no file", i, what, err)
			}
			continue
		}
		if s.ClusterID() != cluster || s.Get(testTopic) == nil || s.Get(testTopic).Err() != nil {
			t.Errorf("%d, %s: opened as cluster %s", i, what, s.ClusterID())
		}
		s.Close()
		if now, _ := readFile(left, testLog); !slices.Equal(now, data) {
			t.Errorf("%d, %s: the segment was changed", i, what)
		}
	}
	t.Logf("%d refused", refused)
}

// TestStrangeFiles: what people do to directories. Nothing is renumbered, nothing that is not ours is deleted, and a log
// that lacks what it had is offline.
func TestStrangeFiles(t *testing.T) {
	mem, s, l := busyLog(t, rand.New(rand.NewPCG(15, 15)))
	var bases []int64
	for _, seg := range l.segments {
		bases = append(bases, seg.base)
	}
	if len(bases) < 5 {
		t.Fatalf("%d segments", len(bases))
	}
	killedThen := func() *vfs.Mem { // the recovery point is at the end
		if err := s.checkpoints.write([]*Log{l}); err != nil {
			t.Fatal(err)
		}
		return mem.KillClone()
	}()
	closeStore(t, s)
	name := func(i int, ext string) string { return "data/t-0/" + segmentName(bases[i], ext) }
	last := len(bases) - 1
	remove := func(names ...string) func(fs *vfs.Mem) {
		return func(fs *vfs.Mem) {
			for _, n := range names {
				fs.Remove(n)
			}
		}
	}
	for _, test := range []struct {
		what string
		do   func(fs *vfs.Mem)
		row  string // or rows, "closed:" or "killed:" before those of one state; the log's, or the reason why it is offline
	}{
		{"a middle segment is gone", remove(name(2, logExt)), "segment-missing"},
		{"... and its indexes, too", remove(name(2, logExt), name(2, indexExt), name(2, timeIndexExt), name(2, txnIndexExt)), "segment-missing"},
		{"... and everything of it", remove(name(2, logExt), name(2, indexExt), name(2, timeIndexExt), name(2, txnIndexExt), name(2, snapshotExt)), "gap"},
		{"the last segment is gone", remove(name(last, logExt)), "short"},
		{"all segments are gone", func(fs *vfs.Mem) {
			for i := range bases {
				fs.Remove(name(i, logExt))
			}
		}, "short segment-missing"},
		{"all files are gone", func(fs *vfs.Mem) {
			fs.RemoveAll("data/t-0")
			fs.MkdirAll("data/t-0", 0o755)
		}, "short segment-missing"},
		{"another partition's segment in the middle", func(fs *vfs.Mem) {
			data, _ := readFile(fs, name(1, logExt))
			writeFile(fs, name(2, logExt), data, false)
		}, "damaged"},
		{"another partition's segment at the end", func(fs *vfs.Mem) {
			data, _ := readFile(fs, name(1, logExt))
			writeFile(fs, name(last, logExt), data, false)
		}, "damaged"},
		{"a sealed segment was cut at a batch", func(fs *vfs.Mem) {
			data, _ := readFile(fs, name(1, logExt))
			writeFile(fs, name(1, logExt), data[:lastBatchAt(t, data)], false)
		}, "gap"},
		{"a sealed segment was cut in a batch", func(fs *vfs.Mem) {
			data, _ := readFile(fs, name(1, logExt))
			writeFile(fs, name(1, logExt), data[:len(data)-3], false)
		}, "damaged"},
		{"a batch was added at the end", func(fs *vfs.Mem) {
			data, _ := readFile(fs, name(last, logExt))
			more := slices.Clone(data[lastBatchAt(t, data):])
			b, _, _ := record.Next(more)
			binary.BigEndian.PutUint64(more, uint64(b.NextOffset()))
			writeFile(fs, name(last, logExt), append(data, more...), false)
		}, "closed:end-moved killed:whole"},
		{"the last batch's base offset is another", func(fs *vfs.Mem) {
			data, _ := readFile(fs, name(last, logExt))
			data[lastBatchAt(t, data)+5]++ // 65,536 more
			writeFile(fs, name(last, logExt), data, false)
		}, "closed:end-moved killed:whole"},
		{"partition.metadata is gone", remove("data/t-0/" + partitionName), "id-lost"},
		{"the log start is beyond the end", func(fs *vfs.Mem) {
			writeFile(fs, "data/"+logStartName, []byte("0\n1\nt 0 999999\n"), false)
		}, "short set-aside"},
		{"foreign files", func(fs *vfs.Mem) {
			writeFile(fs, "data/t-0/notes.tmp", []byte("mine"), false)
			writeFile(fs, "data/t-0/backup.deleted", []byte("mine"), false)
			writeFile(fs, "data/t-0/00000000000000000003.log.orig", []byte("mine"), false)
			writeFile(fs, "data/mine.tmp", []byte("mine"), false)
			fs.MkdirAll("data/t-0/old", 0o755)
			fs.MkdirAll("data/t-0.backup-delete", 0o755)
		}, "whole"},
		{"recovery points are gone, and the end is torn", func(fs *vfs.Mem) {
			fs.Remove("data/" + recoveryPointName)
			fs.Remove("data/" + cleanShutdownName)
			data, _ := readFile(fs, name(last, logExt))
			writeFile(fs, name(last, logExt), append(data, "torn"...), false)
		}, "torn-tail"},
		{"recovery points are gone, and a batch in the middle is damaged", func(fs *vfs.Mem) {
			fs.Remove("data/" + recoveryPointName)
			fs.Remove("data/" + cleanShutdownName)
			data, _ := readFile(fs, name(1, logExt))
			data[len(data)/2]++
			writeFile(fs, name(1, logExt), data, false)
		}, "doubtful"},
		{"recovery points are gone, and a batch before the last is damaged", func(fs *vfs.Mem) {
			fs.Remove("data/" + recoveryPointName)
			fs.Remove("data/" + cleanShutdownName)
			data, _ := readFile(fs, name(last, logExt))
			data[lastBatchAt(t, data)-1]++
			writeFile(fs, name(last, logExt), data, false)
		}, "doubtful"},
		{"all segments are gone, and the recovery points", func(fs *vfs.Mem) {
			fs.Remove("data/" + recoveryPointName)
			for i := range bases {
				fs.Remove(name(i, logExt))
			}
		}, "segment-missing"},
	} {
		for state, from := range map[string]*vfs.Mem{"closed": mem, "killed": killedThen} {
			what := test.what + ", " + state
			left := from.KillClone()
			test.do(left)
			p, err := PlanOf("data", Options{FS: left, NodeID: 1})
			if err != nil || p.Refused != "" || len(p.Logs) != 1 {
				t.Fatalf("%s: %+v, %v", what, p, err)
			}
			if rows := strings.Fields(test.row); !slices.Contains(rows, p.Logs[0].Row) && !slices.Contains(rows, state+":"+p.Logs[0].Row) {
				t.Errorf("%s: %s, want %s\n%s", what, p.Logs[0].Row, test.row, p)
			}
			before := snapshotOf(t, left, "data/t-0")
			s := open(t, left, "data")
			l := s.Get(testTopic)
			if (l.Err() != nil) != (p.Logs[0].Do == string(doOffline)) || l.Err() == nil && l.End() != p.Logs[0].End {
				t.Errorf("%s: a start comes to %v, the plan to %s", what, l.Err(), p)
			}
			s.Close()
			if after := snapshotOf(t, left, "data/t-0"); p.Logs[0].Do == string(doOffline) && after != before {
				t.Errorf("%s: changed\n%s\nto\n%s", what, before, after)
			}
			if p.Logs[0].Row == "set-aside" {
				after := snapshotOf(t, left, "data/t-0")
				if strings.Count(after, setAsideExt) != len(bases) {
					t.Errorf("%s: segments are gone:\n%s", what, after)
				}
			}
			if test.what == "foreign files" {
				if after := snapshotOf(t, left, "data"); strings.Count(after, " 4 ") < 4 {
					t.Errorf("%s: a foreign file is gone:\n%s", what, after)
				}
			}
		}
	}
}

// TestUnreadableFiles: a disk that does not give a file is not a file that is not there. The partition is offline, or the
// directory refused, and served whole when the disk is well again.
func TestUnreadableFiles(t *testing.T) {
	mem, s, l := busyLog(t, rand.New(rand.NewPCG(15, 16)))
	lines := contents(t, l)
	if err := s.checkpoints.write([]*Log{l}); err != nil {
		t.Fatal(err)
	}
	killed := mem.KillClone()
	closeStore(t, s)
	for _, test := range []struct {
		rule    string
		refused bool
	}{
		{"open of " + metaName, true},
		{"read of " + metaName, true},
		{"open of " + recoveryPointName, true},
		{"read of " + recoveryPointName, true},
		{"read of " + highWatermarkName, true},
		{"read of " + partitionName, false},
		{"read of " + epochsName, false},
		{"open of " + epochsName, false},
		{"read of *.snapshot", false},
		{"read of *.txnindex", false},
		{"read of *.log", false},
		{"list of data/t-0", false},
	} {
		left := killed.KillClone()
		before := snapshotOf(t, left, "data/t-0")
		s, err := Open("data", Options{FS: errorfs.New(left, test.rule+" -> EIO"), NodeID: 1})
		if (err != nil) != test.refused {
			t.Errorf("%s: %v", test.rule, err)
		}
		if err == nil {
			if s.Get(testTopic).Err() == nil {
				t.Errorf("%s: the log is served", test.rule)
			}
			s.Close()
		}
		if after := snapshotOf(t, left, "data/t-0"); after != before {
			t.Errorf("%s: changed\n%s\nto\n%s", test.rule, before, after)
		}
		s = open(t, left, "data")
		if got := contents(t, s.Get(testTopic)); !slices.Equal(got, lines) {
			t.Errorf("%s: then %d records, want %d", test.rule, len(got), len(lines))
		}
		closeStore(t, s)
	}
}

// TestLostDirectory: a log whose directory is gone, and was not deleted, does not begin again at 0 by itself: not in this
// directory, not in another, not at the next start. A topic that was deleted does, whenever the kill comes.
func TestLostDirectory(t *testing.T) {
	mem, s, l := busyLog(t, rand.New(rand.NewPCG(15, 17)))
	killed := mem.KillClone() // before the recovery point is written
	if err := s.checkpoints.write([]*Log{l}); err != nil {
		t.Fatal(err)
	}
	settled := mem.KillClone()
	if err := s.Delete(testTopic); err != nil {
		t.Fatal(err)
	}
	deleted := mem.KillClone()
	deletedCut := mem.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
	closeStore(t, s)
	create := func(left *vfs.Mem) error {
		s := open(t, left, "data")
		defer s.Close()
		l, err := s.Create(testTopic, [16]byte{2}, DefaultLogConfig())
		if err == nil && l.End() != 0 {
			t.Errorf("a new log ends at %d", l.End())
		}
		return err
	}
	settled.RemoveAll("data/t-0")
	for range 3 {
		if err := create(settled); err == nil || !strings.Contains(err.Error(), "lost-log") {
			t.Fatalf("a lost log: %v", err)
		}
	}
	d, err := OpenDirs([]string{"data", "more"}, "", Options{FS: settled, NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(testTopic, [16]byte{1}, DefaultLogConfig(), Assignment{}); err == nil || !strings.Contains(err.Error(), "lost-log") {
		t.Errorf("a lost log, two directories: %v", err)
	}
	if l, err := d.Create(testTopic, [16]byte{2}, DefaultLogConfig(), Assignment{New: true}); err != nil || l.End() != 0 {
		t.Errorf("a new topic of its name: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	for what, left := range map[string]*vfs.Mem{"killed": deleted, "power cut": deletedCut} {
		if err := create(left); err != nil {
			t.Errorf("a topic that was deleted, %s: %v", what, err)
		}
	}
	killed.RemoveAll("data/t-0")
	if err := create(killed); err != nil {
		t.Errorf("a log of which nothing was promised: %v", err)
	}
}

// TestRestoredWhileRunning: a directory that came back under a running broker is not taken for the remains of a creation
// that failed, and deleted.
func TestRestoredWhileRunning(t *testing.T) {
	mem, s, _ := busyLog(t, rand.New(rand.NewPCG(15, 18)))
	closeStore(t, s)
	elsewhere := mem.KillClone()
	mem.RemoveAll("data/t-0")
	s = open(t, mem, "data")
	mem.MkdirAll("data/t-0", 0o755)
	entries, _ := elsewhere.ReadDir("data/t-0")
	for _, e := range entries {
		data, _ := readFile(elsewhere, "data/t-0/"+e.Name())
		writeFile(mem, "data/t-0/"+e.Name(), data, true)
	}
	before := snapshotOf(t, mem, "data/t-0")
	s.forgetLost(testTopic)
	if _, err := s.Create(testTopic, [16]byte{1}, DefaultLogConfig()); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("created over what was restored: %v", err)
	}
	s.Close()
	if after := snapshotOf(t, mem, "data/t-0"); after != before {
		t.Errorf("changed\n%s\nto\n%s", before, after)
	}
	s = open(t, mem, "data")
	if l := s.Get(testTopic); l == nil || l.Err() != nil || l.End() == 0 {
		t.Error("what was restored is not served")
	}
	closeStore(t, s)
}

// TestHoleThatCompactionLeft: an Apache Kafka that was killed within a round of compaction has said nothing of the hole
// behind a segment yet. What lies behind it is not taken for what a crash left of a lost tail, which is cut off.
func TestHoleThatCompactionLeft(t *testing.T) {
	for _, compacted := range []bool{true, false} {
		mem := vfs.NewMem(nil)
		s := open(t, mem, "data")
		c := DefaultLogConfig()
		c.SegmentBytes = 500
		l := create(t, s, c)
		for i := range 12 {
			add(t, l, batch(int64(i), 1, 60))
		}
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		after := mem.KillClone()
		closeStore(t, s)
		first := "data/t-0/00000000000000000000.log"
		data, err := readFile(after, first)
		size := len(batch(0, 1, 60))
		if err != nil || len(data) != 3*size {
			t.Fatal(len(data), size, err)
		}
		left := data[:2*size] // the last batch is gone
		if compacted {
			left = data[size : 2*size] // ... and the first
		}
		if err := cmp.Or(writeFile(after, first, left, true), writeFile(after, "data/"+recoveryPointName, []byte("0\n1\nt 0 0\n"), true)); err != nil {
			t.Fatal(err)
		}
		s = open(t, after, "data")
		l = s.Get(testTopic)
		if err := l.Err(); compacted != (err != nil && strings.Contains(err.Error(), "segment-missing") && strings.Contains(err.Error(), `"t 0 3"`)) {
			t.Fatalf("compacted %t: %v", compacted, err)
		}
		if !compacted {
			if l.End() != 2 {
				t.Errorf("a lost tail: the log ends at %d", l.End())
			}
			closeStore(t, s)
			continue
		}
		_ = s.Close()
		if err := cmp.Or(removeFile(after, "data/"+cleanShutdownName), writeFile(after, "data/"+cleanerName, []byte("0\n1\nt 0 3\n"), true)); err != nil {
			t.Fatal(err)
		}
		s = open(t, after, "data")
		if l = s.Get(testTopic); l.Err() != nil || l.End() != 12 {
			t.Errorf("with the line: %d, %v", l.End(), l.Err())
		}
		closeStore(t, s)
	}
}
