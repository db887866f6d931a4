package logstore

import (
	"errors"
	"os"
	"sync"

	"github.com/ottla/ottla/logstore/vfs"
)

// handle is a segment's file, opened when somebody needs it and shared by all who do. While nobody does, the pool may
// close it: an idle log costs no descriptor.
type handle struct {
	pool *handlePool

	mu   sync.Mutex // after Log.mu, before handlePool.mu
	path string
	file vfs.File // open exactly while the handle is in the pool
	refs int
	// idle is set when the pool passes by, and cleared by a use: the file is closed when the pool finds it set.
	idle bool
	// gone: the segment was deleted. The file is closed with its last user.
	gone bool

	inPool int // place in pool.open, guarded by pool.mu
}

// errGone is the answer to someone who comes for a segment that was deleted meanwhile.
var errGone = errors.New("segment was deleted")

// acquire opens the file if it is closed. Every acquire has its release.
func (h *handle) acquire() (vfs.File, error) {
	h.mu.Lock()
	if h.gone {
		h.mu.Unlock()
		return nil, errGone
	}
	excess := 0
	if h.file == nil {
		file, err := h.pool.fs.OpenFile(h.path, os.O_RDWR, 0)
		if err != nil {
			h.mu.Unlock()
			return nil, err
		}
		h.file = file
		excess = h.pool.insert(h)
	}
	h.refs++
	h.idle = false
	file := h.file
	h.mu.Unlock()
	if excess > 0 {
		h.pool.shrink()
	}
	return file, nil
}

func (h *handle) release() {
	h.mu.Lock()
	h.refs--
	if h.refs < 0 {
		panic("logstore: a segment file was released twice")
	}
	h.unlockAndClose(h.refs == 0 && h.gone)
}

// drop ends the handle: no one acquires it any more.
func (h *handle) drop() {
	h.mu.Lock()
	h.gone = true
	h.unlockAndClose(h.refs == 0)
}

// reopen has the file opened again by its next user: another one has its name now. Nobody uses it.
func (h *handle) reopen() {
	h.mu.Lock()
	h.unlockAndClose(h.refs == 0)
}

// move renames the file. Whoever comes meanwhile waits, and opens it under its new name.
func (h *handle) move(path string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.pool.fs.Rename(h.path, path); err != nil {
		return err
	}
	h.path = path
	return nil
}

// unlockAndClose unlocks h, and closes its file if yes. Nothing is lost by an error of Close: a file with unsynced
// bytes is in use until they are synced.
func (h *handle) unlockAndClose(yes bool) {
	file := h.file
	if yes && file != nil {
		h.file = nil
		h.pool.remove(h)
	}
	h.mu.Unlock()
	if yes && file != nil {
		file.Close()
	}
}

// handlePool bounds how many unused segment files stay open. Files in use are open in any number.
type handlePool struct {
	fs  vfs.FS
	max int

	mu   sync.Mutex
	open []*handle
	hand int // where the next search for an idle file begins
}

// insert adds an opened handle and says by how many there are too many.
func (p *handlePool) insert(h *handle) (excess int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.inPool = len(p.open)
	p.open = append(p.open, h)
	return len(p.open) - p.max
}

func (p *handlePool) remove(h *handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.open) - 1
	p.open[h.inPool] = p.open[last]
	p.open[h.inPool].inPool = h.inPool
	p.open[last] = nil
	p.open = p.open[:last]
}

// shrink passes by the open files, at most twice each: once to mark those that are idle, once to find them still so.
func (p *handlePool) shrink() {
	for tries := 2 * p.max; tries > 0; tries-- {
		h := p.candidate()
		if h == nil {
			return
		}
		h.mu.Lock()
		wasIdle := h.idle
		h.idle = true
		h.unlockAndClose(wasIdle && h.refs == 0)
	}
}

// candidate is the next file to look at, nil if few enough are open.
func (p *handlePool) candidate() *handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) <= p.max {
		return nil
	}
	p.hand = (p.hand + 1) % len(p.open)
	return p.open[p.hand]
}
