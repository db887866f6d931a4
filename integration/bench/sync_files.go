package main

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// committer returns from commit when what was appended to the file before is on the disk.
type committer interface {
	commit(file int)
	close()
}

// onFiles is a strategy on plain files.
func onFiles(name string, start func(*appended) committer) strategy {
	return strategy{name, func(dir string, files int) (appender, error) {
		a, err := newAppended(dir, files)
		if err != nil {
			return nil, err
		}
		return fileAppender{a, start(a)}, nil
	}}
}

type fileAppender struct {
	*appended
	by committer
}

func (f fileAppender) append(i int) {
	f.appended.append(i)
	f.by.commit(i)
}

// close syncs what the strategy still owes the files: it counts among what it writes.
func (f fileAppender) close() error {
	f.by.close()
	f.syncEach()
	f.appended.close()
	return f.failed()
}

// appended are files that are appended to.
type appended struct {
	dir   string
	root  *os.File
	files []*appendFile
	err   atomic.Pointer[error]
}

type appendFile struct {
	*os.File
	mu    sync.Mutex // held over the write
	size  int64
	dirty atomic.Bool
}

func newAppended(dir string, files int) (*appended, error) {
	a := &appended{dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if a.root, err = os.Open(dir); err != nil {
		return nil, err
	}
	for i := range files {
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, &appendFile{File: f})
		a.append(i)
	}
	a.syncFS()
	a.syncEach()
	return a, a.failed()
}

func (a *appended) append(i int) {
	f := a.files[i]
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.WriteAt(oneKiB[:], f.size)
	f.size += appendBytes
	f.dirty.Store(true)
	a.note(err)
}

var oneKiB [appendBytes]byte

func (a *appended) sync(i int) {
	a.files[i].dirty.Store(false)
	a.note(fdatasync(a.files[i].File))
}

// syncEach syncs what is dirty, one after the other.
func (a *appended) syncEach() {
	for i := range a.files {
		if a.files[i].dirty.Load() {
			a.sync(i)
		}
	}
}

func (a *appended) syncFS() { a.note(syncfs(a.root)) }

func (a *appended) note(err error) {
	if err != nil {
		a.err.CompareAndSwap(nil, &err)
	}
}

func (a *appended) failed() error {
	if err := a.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (a *appended) close() {
	for _, f := range a.files {
		f.Close()
	}
	a.root.Close()
}

// parallel is one fdatasync a file, so many files at a time: who comes while one is under way waits for the next.
type parallel struct {
	a       *appended
	queue   chan int // with room for all files
	workers sync.WaitGroup
	files   []parallelFile
}

type parallelFile struct {
	mu      sync.Mutex
	queued  bool
	waiting []chan struct{}
}

func newParallel(a *appended, workers int) *parallel {
	p := &parallel{a: a, queue: make(chan int, len(a.files)), files: make([]parallelFile, len(a.files))}
	for range workers {
		p.workers.Go(p.work)
	}
	return p
}

func (p *parallel) commit(i int) {
	done := make(chan struct{})
	f := &p.files[i]
	f.mu.Lock()
	f.waiting = append(f.waiting, done)
	if !f.queued {
		f.queued = true
		p.queue <- i
	}
	f.mu.Unlock()
	<-done
}

func (p *parallel) work() {
	for i := range p.queue {
		f := &p.files[i]
		f.mu.Lock()
		served := f.waiting
		f.waiting = nil
		f.mu.Unlock()
		p.a.sync(i)
		f.mu.Lock()
		if len(f.waiting) > 0 {
			p.queue <- i
		} else {
			f.queued = false
		}
		f.mu.Unlock()
		for _, w := range served {
			close(w)
		}
	}
}

func (p *parallel) close() {
	close(p.queue)
	p.workers.Wait()
}

// rounds is one sync for all that wait: who comes while it is under way waits for the next.
type rounds struct {
	sync    func()
	wake    chan struct{}
	ended   chan struct{}
	mu      sync.Mutex
	waiting []chan struct{}
}

func newRounds(sync func()) *rounds {
	r := &rounds{sync: sync, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go r.run()
	return r
}

func (r *rounds) commit(int) {
	done := make(chan struct{})
	r.mu.Lock()
	r.waiting = append(r.waiting, done)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	<-done
}

func (r *rounds) run() {
	defer close(r.ended)
	for range r.wake {
		r.mu.Lock()
		served := r.waiting
		r.waiting = nil
		r.mu.Unlock()
		r.sync()
		for _, w := range served {
			close(w)
		}
	}
}

func (r *rounds) close() {
	close(r.wake)
	<-r.ended
}

// ahead writes what was appended once more, into one file for all that is synced at once; the files themselves are
// synced off that path, every aheadBytes or every second. The file is the best that one can have: its blocks are
// written beforehand, and used again and again.
type ahead struct {
	*rounds
	a       *appended
	file    *os.File
	at      int64
	since   time.Time
	syncing sync.WaitGroup
	pending atomic.Int64 // appends that wait to be written
	buf     []byte
}

const (
	aheadBytes  = 32 << 20 // half of the file: the other half is in use while this one's records reach their files
	aheadHeader = 32       // partition, offset, length, checksum
)

func newAhead(a *appended) *ahead {
	w := &ahead{a: a, since: time.Now(), buf: make([]byte, 1<<20)}
	var err error
	if w.file, err = os.Create(filepath.Join(a.dir, "ahead")); err == nil {
		for at := int64(0); at < 2*aheadBytes && err == nil; at += int64(len(w.buf)) {
			_, err = w.file.WriteAt(w.buf, at)
		}
	}
	a.note(err)
	a.note(w.file.Sync())
	w.rounds = newRounds(w.write)
	return w
}

func (w *ahead) commit(i int) {
	w.pending.Add(1)
	w.rounds.commit(i)
}

func (w *ahead) write() {
	bytes := w.pending.Swap(0) * (appendBytes + aheadHeader)
	for bytes > 0 {
		n := min(bytes, int64(len(w.buf)))
		_, err := w.file.WriteAt(w.buf[:n], w.at)
		w.a.note(err)
		bytes -= n
		w.at += n
	}
	w.a.note(fdatasync(w.file))
	if w.at%aheadBytes+1<<20 < aheadBytes && time.Since(w.since) < time.Second {
		return
	}
	w.syncing.Wait() // the other half is still needed until then
	w.since = time.Now()
	if w.at = w.at/aheadBytes*aheadBytes + aheadBytes; w.at >= 2*aheadBytes {
		w.at = 0
	}
	w.syncing.Go(w.a.syncFS)
}

func (w *ahead) close() {
	w.rounds.close()
	w.syncing.Wait()
	w.file.Close()
}
