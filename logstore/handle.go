package logstore

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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

// errCrowded is the answer to someone who would have to wait until fewer files are in use, and does not.
var errCrowded = errors.New("too many segments are in use")

// acquire opens the file if it is closed. Every acquire has its release. While as many files are in use as may be open,
// it waits, but not for long.
func (h *handle) acquire() (vfs.File, error) { return h.open(handlePatience) }

// acquireNow is acquire that does not wait.
func (h *handle) acquireNow() (vfs.File, error) { return h.open(0) }

func (h *handle) open(patience time.Duration) (vfs.File, error) {
	h.mu.Lock()
	if h.file == nil && !h.gone {
		h.mu.Unlock()
		if !h.pool.makeRoom(patience) && patience == 0 {
			return nil, errCrowded
		}
		defer h.pool.opened()
		h.mu.Lock()
	}
	defer h.mu.Unlock()
	if h.gone {
		return nil, errGone
	}
	if h.file == nil {
		file, err := h.pool.fs.OpenFile(h.path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		h.file = file
		h.pool.insert(h)
	}
	h.refs++
	h.idle = false
	return h.file, nil
}

func (h *handle) release() {
	h.mu.Lock()
	h.refs--
	if h.refs < 0 {
		panic("logstore: a segment file was released twice")
	}
	unused := h.refs == 0
	h.unlockAndClose(unused && h.gone)
	if unused {
		h.pool.released()
	}
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

// letGo closes the file if nobody uses it.
func (h *handle) letGo() {
	h.mu.Lock()
	h.unlockAndClose(h.refs == 0)
}

// handlePool bounds how many segment files are open, and closes those that nobody has used for a while.
type handlePool struct {
	fs     vfs.FS
	max    int
	timers *timers
	// crowded is called, without locks of the pool, by who is about to wait for room: files whose bytes nobody waits for are
	// in use until they are synced.
	crowded func()

	mu      sync.Mutex
	open    []*handle
	opening int           // that makeRoom has let through and that are not in open yet
	hand    int           // where the next search for an idle file begins
	armed   bool          // a timer will sweep
	freed   chan struct{} // closed when a file is let go while somebody waits for that; nil while nobody does

	waited atomic.Bool // freed may be there
}

const (
	// handleIdle is how often idle files are looked for: they close after once to twice that.
	handleIdle = 20 * time.Second
	// handlePatience bounds how long a file waits to be opened while all that may be open are in use. It is opened then:
	// readers that are slow must not keep a partition from being written to.
	handlePatience = time.Second
)

// insert adds an opened handle.
func (p *handlePool) insert(h *handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.inPool = len(p.open)
	p.open = append(p.open, h)
	if !p.armed {
		p.armed = true
		p.timers.after(handleIdle, p.sweep)
	}
}

func (p *handlePool) remove(h *handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.open) - 1
	p.open[h.inPool] = p.open[last]
	p.open[h.inPool].inPool = h.inPool
	p.open[last] = nil
	p.open = p.open[:last]
	p.wake()
}

// wake tells who waits for room that there may be some. mu is held.
func (p *handlePool) wake() {
	if p.freed != nil {
		close(p.freed)
		p.freed = nil
		p.waited.Store(false)
	}
}

// released is called when a file has no user any more.
func (p *handlePool) released() {
	if !p.waited.Load() {
		return
	}
	p.mu.Lock()
	p.wake()
	p.mu.Unlock()
}

// makeRoom returns when one more file may be opened, or false when patience has run out: then it may be opened all the
// same, unless there was no patience. Whoever opens says when it is done, by opened.
func (p *handlePool) makeRoom(patience time.Duration) bool {
	var out *time.Timer
	for {
		freed, room := p.take()
		if room {
			return true
		}
		if p.shrink() {
			continue
		}
		if patience == 0 {
			return false
		}
		if out == nil {
			out = time.NewTimer(patience)
			defer out.Stop()
			p.crowded()
		}
		select {
		case <-freed:
		case <-out.C:
			p.mu.Lock()
			p.opening++
			p.mu.Unlock()
			return false
		}
	}
}

// take takes room for a file, or says who tells when there may be some.
func (p *handlePool) take() (freed chan struct{}, room bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open)+p.opening < p.max {
		p.opening++
		return nil, true
	}
	if p.freed == nil {
		p.freed = make(chan struct{})
		p.waited.Store(true)
	}
	return p.freed, false
}

// opened ends what makeRoom began.
func (p *handlePool) opened() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening--
	p.wake()
}

// shrink passes by the open files, at most twice each: once to mark those that are idle, once to find one still so, which
// it closes.
func (p *handlePool) shrink() (closed bool) {
	for tries := 2 * p.max; tries > 0; tries-- {
		h, room := p.candidate()
		if room || h == nil {
			return room
		}
		h.mu.Lock()
		closing := h.idle && h.refs == 0
		h.idle = true
		h.unlockAndClose(closing)
	}
	return false
}

// candidate is the next file to look at, unless there is room by now.
func (p *handlePool) candidate() (h *handle, room bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open)+p.opening < p.max {
		return nil, true
	}
	if len(p.open) == 0 {
		return nil, false // all are being opened
	}
	p.hand = (p.hand + 1) % len(p.open)
	return p.open[p.hand], false
}

// sweep closes the files that nobody has used since the last one. It comes again while files are open.
func (p *handlePool) sweep() {
	for _, h := range p.all() {
		h.mu.Lock()
		closing := h.idle && h.refs == 0
		h.idle = h.refs == 0
		h.unlockAndClose(closing)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed = len(p.open) > 0; p.armed {
		p.timers.after(handleIdle, p.sweep)
	}
}

// closeIdle closes every file that nobody uses.
func (p *handlePool) closeIdle() {
	for _, h := range p.all() {
		h.letGo()
	}
}

func (p *handlePool) all() []*handle {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.open)
}
