package vfs

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPastCacheReads: any range of any file is read as it is read through the cache.
func TestPastCacheReads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{0, 1, 4095, 4096, 4097, directBytes - 1, directBytes + 5000} {
		name := filepath.Join(t.TempDir(), "f")
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := PastCache(OS(), name)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			off := r.IntN(size + 2)
			p := make([]byte, r.IntN(size+5000))
			n, err := f.ReadAt(p, int64(off))
			want := data[min(off, size):min(off+len(p), size)]
			if !bytes.Equal(p[:n], want) || (n < len(p)) != (err == io.EOF) || err != nil && err != io.EOF {
				t.Fatalf("size %d: %d bytes at %d: got %d, %v", size, len(p), off, n, err)
			}
		}
		f.Close()
	}
}

// TestPastCacheReadsTheDisk: on ext4, bytes that were changed on the disk behind the cache are seen, and an ordinary read
// does not see them.
func TestPastCacheReadsTheDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: not root, so no file system of its own can be mounted")
	}
	dir := t.TempDir()
	image, at := filepath.Join(dir, "image"), filepath.Join(dir, "at")
	run := func(name string, args ...string) {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED: %s: %v: %s", name, err, out)
		}
	}
	f, err := os.Create(image)
	if err != nil || f.Truncate(16<<20) != nil || f.Close() != nil || os.Mkdir(at, 0o755) != nil {
		t.Fatal(err)
	}
	run("mkfs.ext4", "-q", "-F", image)
	run("mount", "-o", "loop", image, at)
	defer func() {
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	}()
	old, changed := bytes.Repeat([]byte("what was written "), 4096)[:8192], bytes.Repeat([]byte("what the disk has"), 4096)[:8192]
	name := filepath.Join(at, "f")
	file, err := OS().OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt(old, 0); err != nil || file.Sync() != nil {
		t.Fatal(err)
	}
	disk, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	all, err := io.ReadAll(disk)
	if err != nil {
		t.Fatal(err)
	}
	block := bytes.Index(all, old)
	if block < 0 {
		t.Skip("SKIPPED: the file is not in one piece on the disk")
	}
	if _, err := disk.WriteAt(changed, int64(block)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(old))
	if _, err := file.ReadAt(got, 0); err != nil || !bytes.Equal(got, old) {
		t.Fatalf("the cache was not used: %.17q, %v", got, err)
	}
	past, err := PastCache(OS(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer past.Close()
	if _, err := past.ReadAt(got, 0); err != nil || !bytes.Equal(got, changed) {
		t.Errorf("read past the cache: %.17q, %v", got, err)
	}
}
