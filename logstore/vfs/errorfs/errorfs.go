// Package errorfs is a file system that fails on purpose, by rules of one line:
//
//	sync of *.log #3 -> EIO                      the third sync of a file of that name
//	sync of *.log #3+ -> EIO                     the third and all later
//	rename of leader-epoch-checkpoint -> EACCES  every one
//	write of *.index after 4096 bytes -> short   the write that would pass 4096 bytes in all stops there, and all later
//	write of * after 1000000 bytes -> ENOSPC     a disk that fills up
//	any of /data/topic-0/* #7 -> EIO             a pattern with a slash is one of whole names
//	grow of * #7+ -> ENOSPC                      the disk is full from the seventh operation on that needs room
//	read of *.log #1+ -> delay 5ms
//	rename of *.swap #2 -> kill                  the process, before the second, as kill -9 does
//
// The first rule that acts on an operation decides. A rule counts the operations that it matches. A sync that fails
// does to a file of vfs.Mem what a kernel does: no later sync makes good for it.
package errorfs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// Op is an operation about to happen.
type Op struct {
	Kind  string
	Name  string // of the file as it was opened, or the name that the operation is given
	Bytes int    // to be read or written
	Makes bool   // the file, if it is not there: of an Open
}

func (o Op) String() string { return fmt.Sprintf("%s %s %d", o.Kind, o.Name, o.Bytes) }

// grows tells whether the operation needs room. A write over what is there does not always; it is taken for one that does.
func (o Op) grows() bool { return o.Kind == Write || o.Kind == Mkdir || o.Makes }

// Changes tells whether the operation can make a difference to what a power cut leaves.
func (o Op) Changes() bool {
	switch o.Kind {
	case Read, List, Stat, Close, Usage, Chtimes:
		return false
	}
	return true
}

// FS is a file system under rules.
type FS struct {
	vfs.FS

	mu    sync.Mutex // guards the rules' counters and the fields below
	rules []*rule
	hook  func(Op)
	fired []string
}

// New puts inner under rules. A rule that cannot be read panics: it stands in a test.
func New(inner vfs.FS, rules ...string) *FS {
	f := &FS{FS: inner}
	f.Add(rules...)
	return f
}

// Add adds rules; their counting starts now.
func (f *FS) Add(rules ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, text := range rules {
		r, err := parse(text)
		if err != nil {
			panic(err)
		}
		f.rules = append(f.rules, r)
	}
}

// Clear removes all rules.
func (f *FS) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// OnOp has hook called before each operation, one at a time. It must not use the file system.
func (f *FS) OnOp(hook func(Op)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Fired is what the rules have failed so far, one line each.
func (f *FS) Fired() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.fired...)
}

// before decides what happens to op: an error, of a read or write after pass of its bytes, or nothing.
func (f *FS) before(op Op) (pass int, err error) {
	r, pass := f.judge(op)
	if r == nil {
		return op.Bytes, nil
	}
	if r.kill {
		endProcess()
	}
	time.Sleep(r.delay)
	if r.err == nil {
		return op.Bytes, nil
	}
	return pass, &fs.PathError{Op: op.Kind, Path: op.Name, Err: r.err}
}

// endProcess does not return.
func endProcess() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {}
}

func (f *FS) judge(op Op) (acting *rule, pass int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hook != nil {
		f.hook(op)
	}
	for _, r := range f.rules {
		if !r.matches(op) {
			continue
		}
		if acts, n := r.counts(op); acts && acting == nil {
			acting, pass = r, n
			f.fired = append(f.fired, fmt.Sprintf("%s: %s", r.text, op))
		}
	}
	return acting, pass
}

// Open opens name for reading.
func (f *FS) Open(name string) (vfs.File, error) {
	return f.open(Op{Kind: Open, Name: name}, func() (vfs.File, error) { return f.FS.Open(name) })
}

// OpenFile opens name with flags.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	op := Op{Kind: Open, Name: name}
	if flag&os.O_CREATE != 0 {
		_, err := f.FS.Stat(name)
		op.Makes = err != nil
	}
	return f.open(op, func() (vfs.File, error) { return f.FS.OpenFile(name, flag, perm) })
}

func (f *FS) open(op Op, do func() (vfs.File, error)) (vfs.File, error) {
	if _, err := f.before(op); err != nil {
		return nil, err
	}
	inner, err := do()
	if err != nil {
		return nil, err
	}
	return &file{inner, f}, nil
}

// ReadDir lists a directory.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	if _, err := f.before(Op{Kind: List, Name: name}); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(name)
}

// Stat describes what name refers to.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	if _, err := f.before(Op{Kind: Stat, Name: name}); err != nil {
		return nil, err
	}
	return f.FS.Stat(name)
}

// Lock takes a lock.
func (f *FS) Lock(name string) (io.Closer, error) {
	if _, err := f.before(Op{Kind: Lock, Name: name}); err != nil {
		return nil, err
	}
	return f.FS.Lock(name)
}

// DiskUsage is the disk's size and what is left.
func (f *FS) DiskUsage(name string) (total, available uint64, err error) {
	if _, err := f.before(Op{Kind: Usage, Name: name}); err != nil {
		return 0, 0, err
	}
	return f.FS.DiskUsage(name)
}

// MkdirAll makes a directory.
func (f *FS) MkdirAll(name string, perm fs.FileMode) error {
	return f.do(Mkdir, name, func() error { return f.FS.MkdirAll(name, perm) })
}

// Rename renames.
func (f *FS) Rename(oldName, newName string) error {
	return f.do(Rename, newName, func() error { return f.FS.Rename(oldName, newName) })
}

// Remove removes a file.
func (f *FS) Remove(name string) error {
	return f.do(Remove, name, func() error { return f.FS.Remove(name) })
}

// RemoveAll removes name and what is in it, as one operation.
func (f *FS) RemoveAll(name string) error {
	return f.do(Remove, name, func() error { return f.FS.RemoveAll(name) })
}

// SyncDir makes names durable.
func (f *FS) SyncDir(name string) error {
	return f.do(SyncDir, name, func() error { return f.FS.SyncDir(name) })
}

// Volume is the file system, to be synced as a whole.
func (f *FS) Volume(dir string) (vfs.Volume, error) {
	inner, err := f.FS.Volume(dir)
	if err != nil {
		return nil, err
	}
	return &volume{inner, f, dir}, nil
}

// volume is a file system that is synced as a whole, under rules.
type volume struct {
	vfs.Volume
	fs  *FS
	dir string
}

func (v *volume) Sync() error {
	_, err := v.fs.before(Op{Kind: SyncFS, Name: v.dir})
	if err == nil {
		return v.Volume.Sync()
	}
	loseSync(v.Volume)
	return err
}

// loseSync does to what vfs.Mem gave what a kernel does when the disk takes nothing.
func loseSync(of any) {
	if mem, ok := of.(interface{ LoseSync() }); ok {
		mem.LoseSync()
	}
}

func (f *FS) do(kind, name string, op func() error) error {
	if _, err := f.before(Op{Kind: kind, Name: name}); err != nil {
		return err
	}
	return op()
}

// file is an open file under the rules of its file system.
type file struct {
	vfs.File
	fs *FS
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	pass, err := f.fs.before(Op{Kind: Read, Name: f.Name(), Bytes: len(p)})
	return f.part(f.File.ReadAt, p, off, pass, err)
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	pass, err := f.fs.before(Op{Kind: Write, Name: f.Name(), Bytes: len(p)})
	return f.part(f.File.WriteAt, p, off, pass, err)
}

func (f *file) part(do func([]byte, int64) (int, error), p []byte, off int64, pass int, fault error) (int, error) {
	if fault == nil {
		return do(p, off)
	}
	if pass == 0 {
		return 0, fault
	}
	n, err := do(p[:pass], off)
	if err != nil {
		return n, err
	}
	return n, fault
}

func (f *file) Stat() (fs.FileInfo, error) {
	if _, err := f.fs.before(Op{Kind: Stat, Name: f.Name()}); err != nil {
		return nil, err
	}
	return f.File.Stat()
}

func (f *file) Truncate(size int64) error {
	return f.fs.do(Truncate, f.Name(), func() error { return f.File.Truncate(size) })
}

func (f *file) Chtimes(mtime time.Time) error {
	return f.fs.do(Chtimes, f.Name(), func() error { return f.File.Chtimes(mtime) })
}

// Close closes the file even where it is to fail, as close does.
func (f *file) Close() error {
	_, fault := f.fs.before(Op{Kind: Close, Name: f.Name()})
	if err := f.File.Close(); err != nil {
		return err
	}
	return fault
}

// DropCache never fails: it asks nothing of the disk.
func (f *file) DropCache() { vfs.DropCache(f.File) }

func (f *file) Sync() error {
	_, err := f.fs.before(Op{Kind: Sync, Name: f.Name()})
	if err == nil {
		return f.File.Sync()
	}
	loseSync(f.File)
	return err
}
