package logstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
)

// examined is what doctor finds in a closed directory; what stops it is a finding too.
func examined(fs vfs.FS, dir string) (found []Finding) {
	_, err := Examine(dir, ExamineOptions{FS: fs, Scrub: true, Found: func(f Finding) { found = append(found, f) }})
	if err != nil {
		found = append(found, Finding{What: err.Error()})
	}
	return found
}

// TestDoctor: each kind of file, damaged, is found, in its place, and nothing else is; the directory is not changed.
func TestDoctor(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	c := DefaultLogConfig()
	c.SegmentBytes, c.IndexIntervalBytes = 2000, 100
	l := create(t, s, c)
	for i := range 40 {
		add(t, l, batch(int64(i*10), 3, 40))
	}
	closeStore(t, s)
	if found := examined(mem, "data"); len(found) > 0 {
		t.Fatalf("of a good directory: %+v", found)
	}
	sealed := "data/t-0/" + segmentName(0, "")
	for _, test := range []struct {
		file string
		bit  int
		want string
	}{
		{testLog, 8*100 + 1, testLog + " 0 0: corrupt record batch: checksum"},
		{sealed + indexExt, 8*10 + 4, sealed + indexExt + " 16 -1: the entries do not ascend"},
		{sealed + timeIndexExt, 8*7 + 3, sealed + timeIndexExt + " 0"},
		{"data/" + recoveryPointName, 8 * 2, "data/" + recoveryPointName + " -1 -1"},
		{"data/t-0/" + segmentName(120, snapshotExt), 8 * 7, "data/t-0/" + segmentName(120, snapshotExt) + " -1"},
		{"data/t-0/" + epochsName, 8 * 2, "data/t-0/" + epochsName + " -1"},
		{"data/t-0/" + partitionName, 8 * 2, "data/t-0 -1 -1: id-"},
		{"data/" + metaName, 8 * 2, "data/" + metaName + " -1 -1"},
	} {
		fs := mem.KillClone()
		if err := flip(fs, test.file, test.bit); err != nil {
			t.Fatal(err)
		}
		before := fs.KillClone()
		found := examined(fs, "data")
		var lines []string
		for _, f := range found {
			lines = append(lines, fmt.Sprintf("%s %d %d: %s", f.File, f.Position, f.Offset, f.What))
		}
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, test.want) }) {
			t.Errorf("%s: %q", test.file, lines)
		}
		a, _ := readFile(before, test.file)
		b, err := readFile(fs, test.file)
		if err != nil || !slices.Equal(a, b) {
			t.Errorf("%s was changed: %v", test.file, err)
		}
	}
}

func TestDoctorGoesOnBehindDamage(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	l := create(t, s, DefaultLogConfig())
	var places []int64
	for i := range 30 {
		places = append(places, l.active().size)
		add(t, l, batch(int64(i*10), 3, 40))
	}
	closeStore(t, s)
	for _, i := range []int{3, 4, 17} {
		if err := flip(mem, testLog, int(places[i]+90)*8); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	for _, f := range examined(mem, "data") {
		got = append(got, f.Position)
	}
	if want := []int64{places[3], places[4], places[17]}; !slices.Equal(got, want) {
		t.Errorf("found at %v, damaged at %v", got, want)
	}
}

func TestDoctorKeepsOut(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	defer closeStore(t, s)
	if _, err := Examine("data", ExamineOptions{FS: mem}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("of a directory in use: %v", err)
	}
	mem.MkdirAll("empty", 0o755)
	if _, err := Examine("empty", ExamineOptions{FS: mem}); err == nil || !strings.Contains(err.Error(), "no data directory") {
		t.Errorf("of an empty directory: %v", err)
	}
	if _, err := mem.Stat("empty/" + lockName); err == nil {
		t.Error("a file was made in a directory that is not ours")
	}
}
