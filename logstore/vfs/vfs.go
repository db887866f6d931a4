// Package vfs is the file system that everything at rest goes through: the operating system's (OS), one in memory that
// can lose power (Mem), and one that fails on purpose (errorfs). It is handed in, so that a test can crash at every write.
package vfs

import (
	"io"
	"io/fs"
	"time"
)

// FS is a file system. Paths are slash-separated. Errors satisfy errors.Is with fs.ErrNotExist, fs.ErrExist and the like.
//
// Nothing is durable before it is synced: a file's bytes by its Sync, the names in a directory (create, rename, remove)
// by SyncDir. A Volume's Sync does both for all.
type FS interface {
	// Open opens name for reading.
	Open(name string) (File, error)
	// OpenFile opens name for reading and writing, with the flags of os.OpenFile (os.O_RDWR, O_CREATE, O_EXCL, O_TRUNC).
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// ReadDir lists a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	MkdirAll(name string, perm fs.FileMode) error
	// Rename replaces newName atomically.
	Rename(oldName, newName string) error
	Remove(name string) error
	RemoveAll(name string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
	// Volume is the file system that holds dir, to be synced as a whole. errors.ErrUnsupported says that it cannot be, or
	// that it would not tell of every error.
	Volume(dir string) (Volume, error)
	// Lock takes an exclusive lock on name, created if missing. It is released by Close or the process's end.
	// A lock held by another process is ErrLocked.
	Lock(name string) (io.Closer, error)
	// DiskUsage is the size of the file system that holds name and what is left of it, in bytes.
	DiskUsage(name string) (total, available uint64, err error)
}

// File is an open file. ReadAt and WriteAt may be called by many goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Name is the name given to Open.
	Name() string
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	// Sync is fdatasync: the bytes, and the size if it changed.
	Sync() error
	// Chtimes sets the modification time, which recovery reads as a segment's last append where no record tells.
	Chtimes(mtime time.Time) error
	// Fd is the operating system's descriptor for sendfile, and false where there is none.
	Fd() (uintptr, bool)
}

// DropCache has the file read from the disk again, but for what is still to be written. It is called after a sync that
// failed: the kernel goes on showing the pages that it could not write, takes them for written, and no later sync
// writes them. Without it, a process that starts again would believe in bytes that the next power cut takes away.
// It does nothing where there is no such cache.
func DropCache(f File) {
	if d, ok := f.(interface{ DropCache() }); ok {
		d.DropCache()
	}
}
