package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"
)

func create(t *testing.T, f FS, name, content string) File {
	t.Helper()
	file, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte(content), 0); err != nil {
		t.Fatal(err)
	}
	return file
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dump is every file below dir, as "name=content" where the content is short and its size where not.
func dump(t *testing.T, f FS, dir string) string {
	t.Helper()
	var out []string
	entries, err := f.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			out = append(out, name+"/")
			if inner := dump(t, f, name); inner != "" {
				out = append(out, inner)
			}
			continue
		}
		out = append(out, fmt.Sprintf("%s=%s", name, content(t, f, name)))
	}
	return strings.Join(out, " ")
}

func content(t *testing.T, f FS, name string) []byte {
	t.Helper()
	file, err := f.Open(name)
	must(t, err)
	defer file.Close()
	b, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<40))
	must(t, err)
	info, err := file.Stat()
	must(t, err)
	if info.Size() != int64(len(b)) {
		t.Fatalf("%s: size %d, but %d bytes can be read", name, info.Size(), len(b))
	}
	return b
}

// What stands after a crash that loses all that was not synced.
func TestMemCrashLosesWhatWasNotSynced(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, m *Mem)
		want string
	}{
		{"nothing synced", func(t *testing.T, m *Mem) {
			create(t, m, "d/a", "x")
		}, ""},
		{"file synced, its directory not", func(t *testing.T, m *Mem) {
			must(t, create(t, m, "d/a", "x").Sync())
		}, ""},
		{"directory synced, file not", func(t *testing.T, m *Mem) {
			create(t, m, "d/a", "x")
			must(t, m.SyncDir("d"))
		}, "d/a="},
		{"both synced", func(t *testing.T, m *Mem) {
			must(t, create(t, m, "d/a", "x").Sync())
			must(t, m.SyncDir("d"))
		}, "d/a=x"},
		{"overwritten since", func(t *testing.T, m *Mem) {
			f := create(t, m, "d/a", "old")
			must(t, f.Sync())
			must(t, m.SyncDir("d"))
			f.WriteAt([]byte("newer"), 0)
		}, "d/a=old"},
		{"truncated since", func(t *testing.T, m *Mem) {
			f := create(t, m, "d/a", "old")
			must(t, f.Sync())
			must(t, m.SyncDir("d"))
			must(t, f.Truncate(1))
		}, "d/a=old"},
		{"renamed over another, directory not synced", func(t *testing.T, m *Mem) {
			must(t, create(t, m, "d/a", "old").Sync())
			must(t, create(t, m, "d/a.tmp", "new").Sync())
			must(t, m.SyncDir("d"))
			must(t, m.Rename("d/a.tmp", "d/a"))
		}, "d/a=old d/a.tmp=new"},
		{"renamed over another, directory synced, file not", func(t *testing.T, m *Mem) {
			must(t, create(t, m, "d/a", "old").Sync())
			create(t, m, "d/a.tmp", "new")
			must(t, m.Rename("d/a.tmp", "d/a"))
			must(t, m.SyncDir("d"))
		}, "d/a="},
		{"removed, directory not synced", func(t *testing.T, m *Mem) {
			must(t, create(t, m, "d/a", "x").Sync())
			must(t, m.SyncDir("d"))
			must(t, m.Remove("d/a"))
		}, "d/a=x"},
		{"directory removed and synced above", func(t *testing.T, m *Mem) {
			must(t, m.MkdirAll("d/e", 0o755))
			must(t, create(t, m, "d/e/a", "x").Sync())
			must(t, m.SyncDir("d/e"))
			must(t, m.SyncDir("d"))
			must(t, m.RemoveAll("d/e"))
			must(t, m.SyncDir("d"))
		}, ""},
		{"a directory's own name is the parent's", func(t *testing.T, m *Mem) {
			must(t, m.MkdirAll("d/e", 0o755))
			must(t, create(t, m, "d/e/a", "x").Sync())
			must(t, m.SyncDir("d/e"))
		}, ""},
		{"a failed sync is not made good by the next", func(t *testing.T, m *Mem) {
			f := create(t, m, "d/a", "old")
			must(t, f.Sync())
			must(t, m.SyncDir("d"))
			f.WriteAt([]byte("new"), 0)
			f.(*memFile).LoseSync()
			if got := content(t, m, "d/a"); string(got) != "new" {
				t.Errorf("readers see %q", got)
			}
			must(t, f.Sync())
		}, "d/a=old"},
		{"what a failed sync lost, the cache dropped", func(t *testing.T, m *Mem) {
			f := create(t, m, "d/a", "old")
			must(t, f.Sync())
			must(t, m.SyncDir("d"))
			f.WriteAt([]byte("newer"), 0)
			f.(*memFile).LoseSync()
			DropCache(f)
			if got := content(t, m, "d/a"); string(got) != "old" {
				t.Errorf("readers see %q", got)
			}
			f.WriteAt([]byte("N"), 0)
			DropCache(f) // what is still to be written stays
			if got := content(t, m, "d/a"); string(got) != "Nld" {
				t.Errorf("readers see %q", got)
			}
		}, "d/a=old"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := NewMem(nil)
			must(t, m.MkdirAll("d", 0o755))
			must(t, m.SyncDir("/"))
			test.do(t, m)
			before := dump(t, m, "d")
			if got := dump(t, m.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "d"); got != test.want {
				t.Errorf("after a crash %q, want %q", got, test.want)
			}
			killed := m.KillClone()
			if got := dump(t, killed, "d"); got != before {
				t.Errorf("after a kill %q, want %q", got, before)
			}
			if got := dump(t, killed.CrashClone(rand.New(rand.NewPCG(1, 1)), 0), "d"); got != test.want {
				t.Errorf("after a kill and a crash %q, want %q", got, test.want)
			}
			if got := dump(t, m, "d"); got != before {
				t.Errorf("the original became %q, was %q", got, before)
			}
		})
	}
}

// Every block of a crashed file is the old one, the new one or, past the old end, zeros; and every mixture is met.
func TestMemCrashTearsFiles(t *testing.T) {
	const size = 3 * pageBytes
	m := NewMem(nil)
	f := create(t, m, "a", strings.Repeat("o", size))
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	f.WriteAt(bytes.Repeat([]byte("n"), 2*size), 0)
	r := rand.New(rand.NewPCG(7, 7))
	met := map[string]bool{}
	for range 500 {
		b := content(t, m.CrashClone(r, 50), "a")
		if len(b)%pageBytes != 0 || len(b) < size || len(b) > 2*size {
			t.Fatalf("size %d", len(b))
		}
		met[fmt.Sprint("size ", len(b)/pageBytes)] = true
		for at := 0; at < len(b); at += 512 {
			block := b[at : at+512]
			kind := fmt.Sprintf("%c", block[0])
			if !bytes.Equal(block, bytes.Repeat(block[:1], 512)) || (kind == "o") != (at < size && kind != "n") {
				t.Fatalf("block at %d is %.20q", at, block)
			}
			if at%pageBytes > 0 && block[0] != b[at-1] {
				met["torn page"] = true
			}
			met[kind] = true
		}
	}
	for _, want := range []string{"o", "n", "\x00", "torn page", "size 3", "size 4", "size 5", "size 6"} {
		if !met[want] {
			t.Errorf("never met %q", want)
		}
	}
}

// What the disk held before shows only where a file grew and nothing was written; it never replaces what was synced.
func TestMemCrashExposesStalePages(t *testing.T) {
	m := NewMem(nil)
	m.ExposeStale()
	f := create(t, m, "a", strings.Repeat("o", pageBytes))
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	f.WriteAt(bytes.Repeat([]byte("n"), 2*pageBytes), pageBytes)
	r := rand.New(rand.NewPCG(7, 7))
	met := map[string]int{}
	for range 200 {
		b := content(t, m.CrashClone(r, 50), "a")
		if string(b[:pageBytes]) != strings.Repeat("o", pageBytes) {
			t.Fatal("what was synced has changed")
		}
		for at := pageBytes; at < len(b); at += 512 {
			switch block := b[at : at+512]; {
			case bytes.Equal(block, bytes.Repeat([]byte("n"), 512)):
				met["new"]++
			case bytes.Equal(block, zeros[:512]):
				met["zeros"]++
			default:
				met["garbage"]++
			}
		}
	}
	if met["new"] == 0 || met["zeros"] == 0 || met["garbage"] == 0 {
		t.Errorf("met %v", met)
	}
	for range 20 {
		if b := content(t, m.CrashClone(r, 0), "a"); len(b) != pageBytes {
			t.Fatalf("%d bytes where nothing survives", len(b))
		}
	}
}

func TestMemCrashIsDeterministic(t *testing.T) {
	m := NewMem(nil)
	for i := range 20 {
		f := create(t, m, fmt.Sprint("f", i), "abc")
		if i%3 == 0 {
			must(t, f.Sync())
		}
	}
	clone := func(seed uint64) string {
		return dump(t, m.CrashClone(rand.New(rand.NewPCG(seed, 0)), 50), "/")
	}
	if a, b := clone(1), clone(1); a != b {
		t.Errorf("one seed gave\n%s\n%s", a, b)
	}
	if clone(1) == clone(2) {
		t.Error("two seeds gave the same")
	}
}

// The same random operations on Mem and on the operating system's files show the same, errors included.
func TestMemEqualsOS(t *testing.T) {
	for seed := range uint64(20) {
		m, dir := NewMem(nil), t.TempDir()
		must(t, m.MkdirAll(dir, 0o755))
		r := rand.New(rand.NewPCG(seed, 1))
		for step := range 300 {
			op := randomOp(r, dir)
			a, b := op.run(m), op.run(OS())
			if a != b {
				t.Fatalf("seed %d step %d %s: Mem %s, OS %s", seed, step, op.name, a, b)
			}
		}
		if a, b := dump(t, m, dir), dump(t, OS(), dir); a != b {
			t.Fatalf("seed %d: Mem\n%s\nOS\n%s", seed, a, b)
		}
		if a, b := dump(t, m.CrashClone(r, 100), dir), dump(t, OS(), dir); a != b {
			t.Fatalf("seed %d: after a crash that lost nothing\n%s\nOS\n%s", seed, a, b)
		}
		if a, b := dump(t, m.KillClone(), dir), dump(t, OS(), dir); a != b {
			t.Fatalf("seed %d: after a kill\n%s\nOS\n%s", seed, a, b)
		}
	}
}

type fsOp struct {
	name string
	run  func(f FS) string
}

func randomOp(r *rand.Rand, dir string) fsOp {
	pick := func() string {
		return path.Join(dir, []string{"a", "b", "d", "d/a", "d/b", "e/x"}[r.IntN(6)])
	}
	name, other := pick(), pick()
	for path.Dir(other) != path.Dir(name) {
		other = pick()
	}
	at, data := r.Int64N(3*pageBytes), bytes.Repeat([]byte{byte('a' + r.IntN(26))}, r.IntN(2*pageBytes))
	flag := []int{os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_CREATE | os.O_TRUNC, os.O_RDONLY}[r.IntN(5)]
	withFile := func(flag int, do func(file File) string) func(f FS) string {
		return func(f FS) string {
			file, err := f.OpenFile(name, flag, 0o644)
			if err != nil {
				return kind(err)
			}
			defer file.Close()
			return do(file)
		}
	}
	ops := []fsOp{
		{"open", withFile(flag, func(file File) string {
			n, err := file.WriteAt(data, at)
			return fmt.Sprint(n, kind(err))
		})},
		{"truncate", withFile(os.O_RDWR, func(file File) string { return kind(file.Truncate(at)) })},
		{"read", withFile(os.O_RDONLY, func(file File) string {
			b := make([]byte, len(data))
			n, err := file.ReadAt(b, at)
			return fmt.Sprint(n, err, bytes.Count(b, []byte{'a'}))
		})},
		{"sync", withFile(os.O_RDWR, func(file File) string { return kind(file.Sync()) })},
		{"chtimes", withFile(os.O_RDWR, func(file File) string {
			if err := file.Chtimes(time.Unix(at, 0)); err != nil {
				return err.Error()
			}
			info, err := file.Stat()
			return fmt.Sprint(info.ModTime().Unix(), info.Size(), kind(err))
		})},
		{"mkdir", func(f FS) string { return kind(f.MkdirAll(path.Join(dir, "d"), 0o755)) }},
		{"remove", func(f FS) string { return kind(f.Remove(name)) }},
		{"removeall", func(f FS) string { return kind(f.RemoveAll(name)) }},
		{"rename", func(f FS) string { return kind(f.Rename(name, other)) }},
		{"syncdir", func(f FS) string { return kind(f.SyncDir(dir)) }},
		{"stat", func(f FS) string {
			info, err := f.Stat(name)
			if err != nil || info.IsDir() {
				return kind(err)
			}
			return fmt.Sprint(info.Size(), info.Name())
		}},
		{"readdir", func(f FS) string {
			_, err := f.ReadDir(name)
			return kind(err)
		}},
	}
	op := ops[r.IntN(len(ops))]
	op.name += " " + name
	return op
}

// kind is what two file systems must agree on about an error.
func kind(err error) string {
	for _, known := range []error{fs.ErrNotExist, fs.ErrExist, syscall.EISDIR, syscall.ENOTDIR, syscall.ENOTEMPTY, syscall.EBADF} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "other: " + err.Error()
	}
	return "ok"
}

// What lay past a file's end does not come back when the file grows, neither for a reader nor after a crash.
func TestMemGrowsWithZeros(t *testing.T) {
	m := NewMem(nil)
	f := create(t, m, "a", strings.Repeat("x", 300))
	must(t, f.Truncate(100))
	must(t, f.Truncate(200))
	if got := string(content(t, m, "a")); got != strings.Repeat("x", 100)+strings.Repeat("\x00", 100) {
		t.Errorf("%q", got)
	}
	must(t, f.Truncate(100))
	must(t, f.Sync())
	must(t, m.SyncDir("/"))
	f.WriteAt(bytes.Repeat([]byte("y"), 200), 100)
	r := rand.New(rand.NewPCG(3, 3))
	for range 100 {
		clone := m.CrashClone(r, 50)
		file, err := clone.OpenFile("a", os.O_RDWR, 0)
		must(t, err)
		info, _ := file.Stat()
		if info.Size() != 100 {
			continue
		}
		must(t, file.Truncate(300))
		if got := string(content(t, clone, "a")); got != strings.Repeat("x", 100)+strings.Repeat("\x00", 200) {
			t.Fatalf("%q", got)
		}
	}
}

// Neither a clone nor its original sees what is written to the other.
func TestMemClonesShareNothing(t *testing.T) {
	clones := map[string]func(m *Mem) *Mem{
		"crash": func(m *Mem) *Mem { return m.CrashClone(rand.New(rand.NewPCG(1, 1)), 100) },
		"kill":  (*Mem).KillClone,
	}
	for name, cloneOf := range clones {
		m := NewMem(nil)
		f := create(t, m, "a", "original")
		clone := cloneOf(m)
		f.WriteAt([]byte("ORIGINAL"), 0)
		if got := string(content(t, clone, "a")); got != "original" {
			t.Errorf("%s: the clone became %q", name, got)
		}
		file, err := clone.OpenFile("a", os.O_RDWR, 0)
		must(t, err)
		file.WriteAt([]byte("clone"), 0)
		must(t, clone.Rename("a", "b"))
		if got := dump(t, m, "/"); got != "/a=ORIGINAL" {
			t.Errorf("%s: the original became %q", name, got)
		}
	}
}

func TestMemDiskFull(t *testing.T) {
	m := NewMem(nil)
	m.SetCapacity(3 * pageBytes)
	f := create(t, m, "a", strings.Repeat("x", pageBytes))
	n, err := f.WriteAt(make([]byte, 3*pageBytes), pageBytes)
	if n != 2*pageBytes || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if _, available, _ := m.DiskUsage("a"); available != 0 {
		t.Errorf("%d bytes available", available)
	}
	if _, err := f.WriteAt([]byte("y"), 5); err != nil {
		t.Errorf("overwriting needs no space: %v", err)
	}
	must(t, f.Truncate(pageBytes))
	if _, available, _ := m.DiskUsage("a"); available != 2*pageBytes {
		t.Errorf("%d bytes available after truncating", available)
	}
	must(t, m.Remove("a"))
	if _, available, _ := m.DiskUsage("a"); available != 3*pageBytes {
		t.Errorf("%d bytes available after removing", available)
	}
}

func TestMemLock(t *testing.T) {
	m := NewMem(nil)
	if _, err := m.Lock("/x/.lock"); err == nil {
		t.Fatal("locked in a directory that is not there")
	}
	held, err := m.Lock(".lock")
	must(t, err)
	if _, err := m.Lock("/.lock"); !errors.Is(err, ErrLocked) {
		t.Fatalf("second lock: %v", err)
	}
	if _, err := m.CrashClone(rand.New(rand.NewPCG(1, 1)), 100).Lock(".lock"); err != nil {
		t.Errorf("a crash releases locks: %v", err)
	}
	must(t, held.Close())
	if _, err := m.Lock(".lock"); err != nil {
		t.Fatal(err)
	}
}

func TestMemMisuse(t *testing.T) {
	m := NewMem(func() time.Time { return time.Unix(5, 0) })
	f := create(t, m, "a", "x")
	if info, _ := f.Stat(); !info.ModTime().Equal(time.Unix(5, 0)) || info.Mode() != 0o644 {
		t.Errorf("%v %v", info.ModTime(), info.Mode())
	}
	if _, ok := f.Fd(); ok || f.Name() != "a" {
		t.Errorf("descriptor %t, name %s", ok, f.Name())
	}
	r, err := m.Open("a")
	must(t, err)
	b := make([]byte, 1)
	errs := map[string]error{}
	_, errs["read before the start"] = f.ReadAt(b, -1)
	_, errs["write before the start"] = f.WriteAt(b, -1)
	errs["truncate to less than nothing"] = f.Truncate(-1)
	_, errs["write to a file open for reading"] = r.WriteAt(b, 0)
	must(t, f.Close())
	_, errs["read of a closed file"] = f.ReadAt(b, 0)
	_, errs["write of a closed file"] = f.WriteAt(b, 0)
	errs["sync of a closed file"] = f.Sync()
	errs["second close"] = f.Close()
	errs["sync of a directory that is not there"] = m.SyncDir("d")
	errs["sync of a file's names"] = m.SyncDir("a")
	must(t, m.MkdirAll("d", 0o755))
	errs["rename to another directory"] = m.Rename("a", "d/a")
	for what, err := range errs {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func BenchmarkMemCrashClone(b *testing.B) {
	m := NewMem(nil)
	m.MkdirAll("topic-0", 0o755)
	for i := range 20 {
		f, _ := m.OpenFile(fmt.Sprintf("topic-0/%020d.log", i), os.O_RDWR|os.O_CREATE, 0o644)
		f.WriteAt(make([]byte, 64<<10), 0)
		f.Sync()
		f.WriteAt(make([]byte, 1000), 64<<10)
	}
	m.SyncDir("topic-0")
	m.SyncDir("/")
	r := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		m.CrashClone(r, 50)
	}
}
