package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"syscall"
	"time"
)

const pageBytes = 4 << 10

// memContent is the bytes of a file: as they are read, and as the disk holds them.
type memContent struct {
	pages     []memPage // those of the larger size
	size      int64
	durable   int64 // the size on disk
	sizeDirty bool

	losses int  // by syncs of the whole file system
	told   bool // somebody has heard of the last of them
}

// memPage is one page. A page that nobody wrote is nil and reads as zeros.
type memPage struct {
	seen  *[pageBytes]byte
	disk  *[pageBytes]byte
	owned bool // seen is no other page's: it may be written in place
	dirty bool // seen is to be written to disk by the next sync
}

// allocated is the pages that count against the capacity.
func (c *memContent) allocated() (n int64) {
	for i := range c.pages {
		if c.pages[i].seen != nil {
			n++
		}
	}
	return n
}

func (c *memContent) readAt(p []byte, off int64) (n int) {
	for n < len(p) && off < c.size {
		from := int(off % pageBytes)
		want := int(min(int64(pageBytes-from), c.size-off, int64(len(p)-n)))
		if page := c.pages[off/pageBytes].seen; page != nil {
			copy(p[n:], page[from:from+want])
		} else {
			clear(p[n : n+want])
		}
		n += want
		off += int64(want)
	}
	return n
}

// writeAt takes at most free new pages. It returns what it wrote and how many pages it took.
func (c *memContent) writeAt(p []byte, off, free int64) (n int, taken int64) {
	for n < len(p) {
		page, isNew := c.writable(off/pageBytes, free > taken)
		if page == nil {
			break
		}
		if isNew {
			taken++
		}
		w := copy(page[off%pageBytes:], p[n:])
		n += w
		off += int64(w)
	}
	if n > 0 && off > c.size {
		c.size, c.sizeDirty = off, true
	}
	return n, taken
}

// writable gives a page to write to, nil where it would be a new one and none may be taken.
func (c *memContent) writable(i int64, mayTake bool) (page *[pageBytes]byte, isNew bool) {
	for int64(len(c.pages)) <= i {
		c.pages = append(c.pages, memPage{})
	}
	p := &c.pages[i]
	if p.seen == nil && !mayTake {
		return nil, false
	}
	if !p.owned {
		page = new([pageBytes]byte)
		if p.seen != nil {
			*page = *p.seen
		}
		isNew = p.seen == nil
		p.seen, p.owned = page, true
	}
	p.dirty = true
	return p.seen, isNew
}

// truncate returns by how much the pages that count grew.
func (c *memContent) truncate(size int64) (grown int64) {
	if size == c.size {
		return 0
	}
	if size < c.size {
		if from := size % pageBytes; from != 0 {
			if page, _ := c.writable(size/pageBytes, false); page != nil {
				clear(page[from:])
			}
		}
		for i := (size + pageBytes - 1) / pageBytes; i < int64(len(c.pages)); i++ {
			if c.pages[i].seen != nil {
				grown--
			}
			c.pages[i].seen, c.pages[i].owned, c.pages[i].dirty = nil, false, true
		}
	}
	for int64(len(c.pages))*pageBytes < size {
		c.pages = append(c.pages, memPage{})
	}
	c.size, c.sizeDirty = size, true
	return grown
}

// sync writes what is dirty to the disk.
func (c *memContent) sync() {
	for i := range c.pages {
		if p := &c.pages[i]; p.dirty {
			p.disk, p.dirty, p.owned = p.seen, false, false
		}
	}
	if c.sizeDirty {
		c.durable, c.sizeDirty = c.size, false
	}
	c.pages = c.pages[:(max(c.size, c.durable)+pageBytes-1)/pageBytes]
}

// lose is what a sync that failed leaves: readers go on seeing the new bytes, the kernel takes them for written, and no
// later sync writes them, unless somebody writes to the page again.
func (c *memContent) lose() {
	for i := range c.pages {
		c.pages[i].dirty = false
	}
	c.sizeDirty = false
}

// drop is DropCache.
func (c *memContent) drop() (grown int64) {
	for i := range c.pages {
		if p := &c.pages[i]; !p.dirty && p.seen != p.disk {
			if p.seen != nil {
				grown--
			}
			if p.disk != nil {
				grown++
			}
			p.seen, p.owned = p.disk, false
		}
	}
	if !c.sizeDirty {
		c.size = c.durable
	}
	return grown
}

// memFile is an open file.
type memFile struct {
	fs       *Mem
	name     string
	node     *memNode
	writable bool
	closed   bool // guarded by fs.mu
	heard    int  // memContent.losses told; guarded by fs.mu
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
	if f.closed {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	if f.node.isDir() {
		return 0, pathError("read", f.name, syscall.EISDIR)
	}
	if off < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	n := f.node.content.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.change("write", func() error {
		if off < 0 {
			return fs.ErrInvalid
		}
		var taken int64
		n, taken = f.node.content.writeAt(p, off, f.fs.capacity/pageBytes-f.fs.pages)
		f.fs.pages += taken
		if n < len(p) {
			return syscall.ENOSPC
		}
		return nil
	})
	return n, err
}

func (f *memFile) Truncate(size int64) error {
	return f.change("truncate", func() error {
		if size < 0 {
			return fs.ErrInvalid
		}
		f.fs.pages += f.node.content.truncate(size)
		return nil
	})
}

// change runs op on a file that is open for writing, and sets the modification time.
func (f *memFile) change(name string, op func() error) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError(name, f.name, fs.ErrClosed)
	}
	if !f.writable {
		return pathError(name, f.name, syscall.EBADF)
	}
	f.node.modTime = f.fs.now()
	if err := op(); err != nil {
		return pathError(name, f.name, err)
	}
	return nil
}

func (f *memFile) Sync() (err error) {
	closed := f.locked("sync", func() {
		c := &f.node.content
		c.sync()
		if f.heard < c.losses {
			f.heard, c.told = c.losses, true
			err = pathError("sync", f.name, syscall.EIO)
		}
	})
	return errors.Join(closed, err)
}

// DropCache is what vfs.DropCache calls.
func (f *memFile) DropCache() {
	_ = f.locked("drop", func() { f.fs.pages += f.node.content.drop() })
}

// LoseSync makes the file what it is after a sync that failed with EIO. errorfs calls it.
func (f *memFile) LoseSync() {
	_ = f.locked("sync", func() {
		f.node.content.lose()
		f.fs.losses++
	})
}

func (f *memFile) Chtimes(mtime time.Time) error {
	return f.locked("chtimes", func() { f.node.modTime = mtime })
}

func (f *memFile) Close() error { return f.locked("close", func() { f.closed = true }) }

func (f *memFile) Stat() (info fs.FileInfo, err error) {
	err = f.locked("stat", func() { info = f.node.info(path.Base(f.name)) })
	return info, err
}

func (f *memFile) Fd() (uintptr, bool) { return 0, false }

func (f *memFile) locked(name string, op func()) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError(name, f.name, fs.ErrClosed)
	}
	op()
	return nil
}

// memInfo is a memNode as it was when it was asked.
type memInfo struct {
	name    string
	size    int64
	mode    fs.FileMode
	modTime time.Time
}

func (n *memNode) info(name string) fs.FileInfo {
	return memInfo{name, n.content.size, n.mode, n.modTime}
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) Mode() fs.FileMode  { return i.mode }
func (i memInfo) ModTime() time.Time { return i.modTime }
func (i memInfo) IsDir() bool        { return i.mode.IsDir() }
func (i memInfo) Sys() any           { return nil }
