package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOSLockIsExclusive(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".lock")
	held, err := OS().Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OS().Lock(name); !errors.Is(err, ErrLocked) {
		t.Fatalf("second lock: %v, want ErrLocked", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OS().Lock(name)
	if err != nil {
		t.Fatalf("lock after release: %v", err)
	}
	again.Close()
}

func TestOSFile(t *testing.T) {
	dir := t.TempDir()
	f, err := OS().OpenFile(filepath.Join(dir, "a"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("hello"), 3); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := OS().SyncDir(dir); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Fd(); !ok {
		t.Error("an OS file has a descriptor")
	}
	// The name is gone when the time is set: a segment may be renamed while it is open.
	if err := OS().Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	want := time.UnixMilli(1700000000123)
	if err := f.Chtimes(want); err != nil {
		t.Fatal(err)
	}
	info, err := OS().Stat(filepath.Join(dir, "b"))
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(want) || info.Size() != 8 {
		t.Errorf("got %v, %d bytes", info.ModTime(), info.Size())
	}
	if _, err := OS().Open(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of a renamed file: %v", err)
	}
	total, available, err := OS().DiskUsage(dir)
	if err != nil || total == 0 || available > total {
		t.Errorf("disk usage %d of %d, %v", available, total, err)
	}
	DropCache(f)
	b := make([]byte, 5)
	if _, err := f.ReadAt(b, 3); err != nil || string(b) != "hello" {
		t.Errorf("after dropping the cache: %q, %v", b, err)
	}
	f.Close()
	if err := f.Sync(); err == nil {
		t.Error("sync of a closed file succeeded")
	}
}
