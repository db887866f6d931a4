package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// ErrLocked is the answer of Lock when another process, or this one, holds the lock.
var ErrLocked = errors.New("locked by another process")

// OS is the operating system's file system.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) Open(name string) (File, error) { return openOS(name, os.O_RDONLY, 0) }

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return openOS(name, flag, perm)
}

func (osFS) ReadDir(name string) ([]fs.DirEntry, error)    { return os.ReadDir(name) }
func (osFS) Stat(name string) (fs.FileInfo, error)         { return os.Stat(name) }
func (osFS) MkdirAll(name string, perm fs.FileMode) error  { return os.MkdirAll(name, perm) }
func (osFS) Rename(oldName, newName string) error          { return os.Rename(oldName, newName) }
func (osFS) Remove(name string) error                      { return os.Remove(name) }
func (osFS) RemoveAll(name string) error                   { return os.RemoveAll(name) }
func (osFS) Volume(dir string) (Volume, error)             { return openVolume(dir) }
func (osFS) DiskUsage(name string) (uint64, uint64, error) { return diskUsage(name) }

// SyncDir opens the directory for the one sync: a descriptor kept per directory would cost one per partition.
func (osFS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock locks the open file, not its name or its content: the lock ends with the process however it ends, and a stale
// lock file left behind means nothing. The file is never removed, because a waiter might hold the removed one.
func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := (osFile{f}).control(lockFd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func openOS(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// osFile is an *os.File whose Sync is the cheapest call that makes bytes and size durable.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return f.control(syncFd) }

// Chtimes goes by the descriptor: the file may have been renamed since it was opened.
func (f osFile) Chtimes(mtime time.Time) error {
	return f.control(func(fd int) error { return chtimesFd(fd, mtime) })
}

// DropCache cannot do more than ask.
func (f osFile) DropCache() { _ = f.control(dropFd) }

func (f osFile) Fd() (fd uintptr, ok bool) {
	err := f.control(func(n int) error { fd = uintptr(n); return nil })
	return fd, err == nil
}

// control runs op while the descriptor cannot be closed and given to another file. os.File.Fd would not hold it.
func (f osFile) control(op func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var opErr error
	if err := conn.Control(func(fd uintptr) { opErr = op(int(fd)) }); err != nil {
		return err
	}
	if opErr != nil {
		return &os.PathError{Op: "control", Path: f.Name(), Err: opErr}
	}
	return nil
}
