package vfs

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that keeps apart what a program sees and what a power cut would leave: see CrashClone.
// Names start at one root, with or without a leading slash.
type Mem struct {
	mu       sync.RWMutex // guards everything below, the nodes of the tree included
	root     *memNode
	now      func() time.Time
	locked   map[string]bool
	capacity int64 // in bytes; writes beyond fail with ENOSPC
	stale    bool  // power cuts expose what the disk held before
	pages    int64 // taken by the files that have a name
	losses   int   // syncs that failed, of a file or of all
}

// NewMem is an empty file system. Modification times come from now; nil leaves them at the epoch where Chtimes does
// not set them.
func NewMem(now func() time.Time) *Mem {
	if now == nil {
		now = func() time.Time { return time.Unix(0, 0) }
	}
	return &Mem{root: newDir(0o755, now()), now: now, locked: map[string]bool{}, capacity: 1 << 40}
}

// SetCapacity makes the disk as large as this, in bytes. It may be smaller than what is stored.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// ExposeStale has power cuts leave garbage where a file grew and its new pages were not written, as file systems do that
// write names and sizes before data (ext4 with data=writeback).
func (m *Mem) ExposeStale() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stale = true
}

// memNode is a file or a directory. It lives as long as a name, an open file or a change not yet durable refers to it.
type memNode struct {
	mode    fs.FileMode
	modTime time.Time

	content memContent // of a file

	entries map[string]*memNode // of a directory: nil for a file
	durable map[string]*memNode // the entries as of the last SyncDir
	pending []memChange         // what has happened to them since, in order
}

// memChange is one change to a directory that a power cut may undo: node got the name to, and lost the name from if
// that is not empty; a removal has no to. A rename to another directory is a change of both.
type memChange struct {
	node     *memNode
	from, to string
}

func newDir(perm fs.FileMode, mtime time.Time) *memNode {
	return &memNode{mode: fs.ModeDir | perm, modTime: mtime, entries: map[string]*memNode{}, durable: map[string]*memNode{}}
}

func (n *memNode) isDir() bool { return n.entries != nil }

// change applies c and remembers it until the next SyncDir.
func (n *memNode) change(c memChange) {
	apply(n.entries, c)
	n.pending = append(n.pending, c)
}

// apply is a no-op where the name that a change takes away is not the node's, because an earlier change was lost.
func apply(entries map[string]*memNode, c memChange) {
	if c.from != "" {
		if entries[c.from] != c.node {
			return
		}
		delete(entries, c.from)
	}
	if c.to != "" {
		entries[c.to] = c.node
	}
}

// Open opens name for reading.
func (m *Mem) Open(name string) (File, error) { return m.OpenFile(name, os.O_RDONLY, 0) }

// OpenFile opens name with the flags of os.OpenFile.
func (m *Mem) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, node, err := m.lookup("open", name)
	switch {
	case err != nil:
		return nil, err
	case node != nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, pathError("open", name, fs.ErrExist)
	case node != nil && node.isDir() && flag != os.O_RDONLY:
		return nil, pathError("open", name, syscall.EISDIR)
	case node == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, fs.ErrNotExist)
	case node == nil:
		node = &memNode{mode: perm.Perm(), modTime: m.now()}
		dir.change(memChange{node: node, to: base})
	case flag&os.O_TRUNC != 0:
		m.pages += node.content.truncate(0)
	}
	return &memFile{fs: m, name: name, node: node, writable: flag&(os.O_RDWR|os.O_WRONLY) != 0, heard: node.content.heard()}, nil
}

// ReadDir lists a directory.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, _, node, err := m.lookup("readdir", name)
	if err != nil {
		return nil, err
	}
	if node == nil {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	if !node.isDir() {
		return nil, pathError("readdir", name, syscall.ENOTDIR)
	}
	entries := make([]fs.DirEntry, 0, len(node.entries))
	for _, base := range slices.Sorted(maps.Keys(node.entries)) {
		entries = append(entries, fs.FileInfoToDirEntry(node.entries[base].info(base)))
	}
	return entries, nil
}

// Stat describes what name refers to.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, base, node, err := m.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	if node == nil {
		return nil, pathError("stat", name, fs.ErrNotExist)
	}
	return node.info(base), nil
}

// MkdirAll makes a directory and those above it.
func (m *Mem) MkdirAll(name string, perm fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.root
	for base := range parts(name) {
		next := node.entries[base]
		if next == nil {
			next = newDir(perm.Perm(), m.now())
			node.change(memChange{node: next, to: base})
		}
		if !next.isDir() {
			return pathError("mkdir", name, syscall.ENOTDIR)
		}
		node = next
	}
	return nil
}

// Rename replaces newName. A power cut undoes the whole of it or nothing; therefore it is refused between directories,
// where file systems differ.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldDir, oldBase, node, err := m.lookup("rename", oldName)
	if err != nil {
		return err
	}
	newDir, newBase, replaced, err := m.lookup("rename", newName)
	switch {
	case err != nil:
		return err
	case node == nil:
		return pathError("rename", oldName, fs.ErrNotExist)
	case oldDir != newDir:
		return pathError("rename", newName, syscall.EXDEV)
	case replaced != nil && replaced.isDir(): // os.Rename does not replace even an empty one
		return pathError("rename", newName, fs.ErrExist)
	case replaced != nil && node.isDir():
		return pathError("rename", newName, syscall.ENOTDIR)
	case replaced == node:
		return nil
	case replaced != nil:
		m.pages -= replaced.content.allocated()
	}
	oldDir.change(memChange{node: node, from: oldBase, to: newBase})
	return nil
}

// Remove removes a file or an empty directory. Who has the file open goes on using it.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, node, err := m.lookup("remove", name)
	switch {
	case err != nil:
		return err
	case node == nil:
		return pathError("remove", name, fs.ErrNotExist)
	case len(node.entries) > 0:
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.remove(dir, base, node)
	return nil
}

// RemoveAll removes name and what is in it.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, node, err := m.lookup("remove", name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && node == nil {
		return nil
	}
	if err != nil {
		return err
	}
	m.remove(dir, base, node)
	return nil
}

func (m *Mem) remove(dir *memNode, base string, node *memNode) {
	for _, child := range slices.Sorted(maps.Keys(node.entries)) {
		m.remove(node, child, node.entries[child])
	}
	m.pages -= node.content.allocated()
	dir.change(memChange{node: node, from: base})
}

// SyncDir makes the names in a directory durable, though not its own name.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _, node, err := m.lookup("sync", name)
	switch {
	case err != nil:
		return err
	case node == nil:
		return pathError("sync", name, fs.ErrNotExist)
	case !node.isDir():
		return pathError("sync", name, syscall.ENOTDIR)
	}
	node.sync()
	return nil
}

// Lock takes the lock for whoever shares this file system. A clone has its own.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := clean(name)
	if m.locked[key] {
		return nil, pathError("lock", name, ErrLocked)
	}
	m.locked[key] = true
	return &memLock{m, key, f}, nil
}

type memLock struct {
	fs  *Mem
	key string
	f   File
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	delete(l.fs.locked, l.key)
	l.fs.mu.Unlock()
	return l.f.Close()
}

// DiskUsage is the capacity and what is left of it.
func (m *Mem) DiskUsage(string) (total, available uint64, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return uint64(m.capacity), uint64(max(0, m.capacity-m.pages*pageBytes)), nil
}

// lookup finds the directory that name is in, and what it refers to, nil if nothing.
func (m *Mem) lookup(op, name string) (dir *memNode, base string, node *memNode, err error) {
	node, base = m.root, "/"
	for part := range parts(name) {
		switch {
		case node == nil:
			return nil, "", nil, pathError(op, name, fs.ErrNotExist)
		case !node.isDir():
			return nil, "", nil, pathError(op, name, syscall.ENOTDIR)
		}
		dir, base, node = node, part, node.entries[part]
	}
	return dir, base, node, nil
}

func clean(name string) string { return path.Clean("/" + name) }

// parts are the names in a path, from the root.
func parts(name string) iter.Seq[string] {
	name = clean(name)[1:]
	return func(yield func(string) bool) {
		for more := name != ""; more; {
			var part string
			if part, name, more = strings.Cut(name, "/"); !yield(part) {
				return
			}
		}
	}
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }
