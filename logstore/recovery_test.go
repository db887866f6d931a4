package logstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

const testLog = "data/t-0/00000000000000000000.log"

// killed is a directory with three batches of three records, whose process was killed, and the bytes of its segment.
func killed(t *testing.T) (*vfs.Mem, []byte, []string) {
	t.Helper()
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	l := create(t, s, DefaultLogConfig())
	for i := range 3 {
		add(t, l, batch(int64(i*10), 3, 40))
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := contents(t, l)
	clone := mem.KillClone()
	closeStore(t, s)
	data, err := readFile(clone, testLog)
	if err != nil {
		t.Fatal(err)
	}
	return clone, data, lines
}

// TestTornTail: the last batch cut at every byte, and garbled, is dropped; all before it stay; offsets go on.
func TestTornTail(t *testing.T) {
	mem, data, lines := killed(t)
	last := 2 * len(data) / 3
	r := rand.New(rand.NewPCG(1, 2))
	try := func(name string, tail []byte) {
		fs := mem.KillClone()
		if err := writeFile(fs, testLog, append(slices.Clone(data[:last]), tail...), false); err != nil {
			t.Fatal(err)
		}
		s := open(t, fs, "data")
		l := s.Get(testTopic)
		if err := l.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := contents(t, l); !slices.Equal(got, lines[:6]) {
			t.Fatalf("%s: %v", name, got)
		}
		if a := add(t, l, batch(100, 1, 5)); a.FirstOffset != 6 {
			t.Fatalf("%s: goes on at %d", name, a.FirstOffset)
		}
		closeStore(t, s)
		s = open(t, fs, "data")
		if got := contents(t, s.Get(testTopic)); len(got) != 7 {
			t.Fatalf("%s: %d records after one more start", name, len(got))
		}
		closeStore(t, s)
	}
	for n := range len(data) - last {
		try(fmt.Sprintf("cut at byte %d", n), data[last:last+n])
	}
	for i := range 300 {
		tail := slices.Clone(data[last:])
		from := r.IntN(len(tail))
		for j := range tail[from:] {
			tail[from+j] = byte(r.Uint32())
		}
		if slices.Equal(tail, data[last:]) || from < 17 && from >= 12 { // the leader epoch is not under the checksum
			continue
		}
		try(fmt.Sprintf("garble %d from %d", i, from), tail)
		zeros := append(slices.Clone(data[last:last+from]), make([]byte, len(tail)-from+r.IntN(600))...)
		if !slices.Equal(zeros[:len(tail)], data[last:]) { // it may end with zeros
			try(fmt.Sprintf("zeros %d from %d", i, from), zeros)
		}
	}
}

// TestDamageBelowRecoveryPoint: nothing is cut, the message says where and what to do, and other logs are served.
func TestDamageBelowRecoveryPoint(t *testing.T) {
	mem, data, _ := killed(t)
	for name, change := range map[string]func(b []byte) []byte{
		"cut":              func(b []byte) []byte { return b[:len(b)-1] },
		"magic overwriten": func(b []byte) []byte { b[len(b)*2/3+16] = 9; return b },
		"gone":             func(b []byte) []byte { return nil },
	} {
		fs := mem.KillClone()
		changed := change(slices.Clone(data))
		writeFile(fs, testLog, changed, false)
		writeFile(fs, "data/"+recoveryPointName, []byte("0\n1\nt 0 9\n"), false)
		s := open(t, fs, "data")
		if _, err := s.Create(TopicPartition{"u", 0}, [16]byte{2}, DefaultLogConfig()); err != nil {
			t.Error(err)
		}
		err := s.Get(testTopic).Err()
		if err == nil || !strings.Contains(err.Error(), "t-0") || !strings.Contains(err.Error(), "restore") {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Close(); err == nil {
			t.Errorf("%s: closed as if all were well", name)
		}
		if after, _ := readFile(fs, testLog); !slices.Equal(after, changed) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestDirectoriesThatAreRefused(t *testing.T) {
	fresh := func() vfs.FS {
		mem := vfs.NewMem(nil)
		s := open(t, mem, "data", func(o *Options) { o.ClusterID = "ours" })
		create(t, s, DefaultLogConfig())
		closeStore(t, s)
		return mem
	}
	for _, test := range []struct {
		name   string
		change func(fs vfs.FS, o *Options)
		want   []string
	}{
		{"other cluster", func(_ vfs.FS, o *Options) { o.ClusterID = "theirs" }, []string{"ours", "theirs"}},
		{"other node", func(_ vfs.FS, o *Options) { o.NodeID = 7 }, []string{"node 1", "node 7"}},
		{"newer format", func(fs vfs.FS, _ *Options) {
			writeFile(fs, "data/"+metaName, []byte("version=2\ncluster.id=ours\nnode.id=1\n"), false)
		}, []string{"version 2"}},
		{"corrupt", func(fs vfs.FS, _ *Options) { writeFile(fs, "data/"+metaName, []byte("version=1\n"), false) }, []string{"cluster.id"}},
		{"missing", func(fs vfs.FS, _ *Options) { fs.Remove("data/" + metaName) }, []string{"1 partitions"}},
	} {
		mem := fresh()
		o := Options{FS: mem, NodeID: 1}
		test.change(mem, &o)
		_, err := Open("data", o)
		if err == nil {
			t.Errorf("%s: opened", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: says nothing of %q", test.name, err, want)
			}
		}
		if _, err := mem.Stat("data/t-0/00000000000000000000.log"); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestLockAndForeignNames(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	if _, err := Open("data", Options{FS: mem, NodeID: 1}); !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), "data") {
		t.Errorf("second open: %v", err)
	}
	create(t, s, DefaultLogConfig())
	closeStore(t, s)
	mem.MkdirAll("data/not a partition", 0o755)
	mem.MkdirAll("data/my.backup-delete", 0o755)
	mem.MkdirAll("data/x-0.0123456789abcdef0123456789abcdef-delete", 0o755)
	writeFile(mem, "data/note.txt", nil, false)
	writeFile(mem, "data/t-0/00000000000000000000.odd", nil, false)
	var seen []string
	s = open(t, mem, "data", func(o *Options) { o.Events.Foreign = func(p string) { seen = append(seen, p) } })
	closeStore(t, s)
	slices.Sort(seen)
	if want := "[data/my.backup-delete data/not a partition data/note.txt data/t-0/00000000000000000000.odd]"; fmt.Sprint(seen) != want {
		t.Errorf("%v, want %s", seen, want)
	}
	if _, err := mem.Stat("data/note.txt"); err != nil {
		t.Error("a foreign file was touched:", err)
	}
}

// TestCleanStartOpensLittle: of a log without records a clean start lists the directory once and opens the file with its
// topic's id. Ten thousand of them are not unusual.
func TestCleanStartOpensLittle(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	createMany(t, s, 1)
	closeStore(t, s)
	fs := errorfs.New(mem)
	var ops []string
	fs.OnOp(func(op errorfs.Op) {
		if strings.Contains(op.Name, "many-0") && op.Kind != errorfs.Close {
			ops = append(ops, op.Kind+" "+path.Base(op.Name))
		}
	})
	s = open(t, fs, "data")
	fs.OnOp(nil)
	closeStore(t, s)
	if want := []string{"list many-0", "open partition.metadata", "stat partition.metadata", "read partition.metadata"}; !slices.Equal(ops, want) {
		t.Errorf("%q, want %q", ops, want)
	}
}
