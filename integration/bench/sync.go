package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// syncStrategies compares ways to make appends to many files durable together, with nothing of the broker around them:
// waiters append 1 KiB to their file and wait until it is on the disk, over and over. Each strategy runs for a second,
// in turn with the others, ROUNDS times.
func (b *bench) syncStrategies() error {
	fmt.Printf("durable appends of 1 KiB; median of %d rounds, [lowest highest]\n", b.rounds)
	for _, c := range []struct{ files, waiters int }{{1, 1}, {1, 256}, {10, 1}, {10, 26}, {100, 1}, {100, 3}, {1000, 1}} {
		if err := b.syncCase(c.files, c.waiters); err != nil {
			return err
		}
	}
	return nil
}

// strategy makes files durable.
type strategy struct {
	name  string
	start func(*appended) committer
}

// committer returns from commit when what was appended to the file before is on the disk.
type committer interface {
	commit(file int)
	close()
}

func strategies() []strategy {
	all := []strategy{}
	for _, workers := range []int{1, 4, 8, 16, 32, 64} {
		name := fmt.Sprintf("fdatasync, %d at a time", workers)
		if workers == 1 {
			name = "fdatasync in sequence"
		}
		all = append(all, strategy{name, func(a *appended) committer { return newParallel(a, workers) }})
	}
	return append(all,
		strategy{"syncfs", func(a *appended) committer { return newRounds(a.syncFS) }},
		strategy{"write-ahead file", func(a *appended) committer { return newAhead(a) }})
}

func (b *bench) syncCase(files, waiters int) error {
	fmt.Printf("%d files, %d waiters each\n", files, waiters)
	got := map[string][]syncFigures{}
	for range b.rounds {
		for _, s := range strategies() {
			f, err := b.syncRound(s, files, waiters)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			got[s.name] = append(got[s.name], f)
		}
	}
	rate := func(f syncFigures) float64 { return f.rate }
	base := medianOf(got[strategies()[0].name], rate)
	for _, s := range strategies() {
		f := got[s.name]
		rates := make([]float64, len(f))
		for i := range f {
			rates[i] = f[i].rate
		}
		slices.Sort(rates)
		fmt.Printf("  %-26s %8.0f/s [%.0f %.0f] %6.2f of sequence, p50 %7.2f ms, p99 %7.2f ms, %5.1f bytes to the disk for one\n",
			s.name, medianOf(f, rate), rates[0], rates[len(rates)-1], medianOf(f, rate)/base,
			medianOf(f, func(f syncFigures) float64 { return f.p50 }), medianOf(f, func(f syncFigures) float64 { return f.p99 }),
			medianOf(f, func(f syncFigures) float64 { return f.written }))
	}
	return nil
}

func medianOf(f []syncFigures, of func(syncFigures) float64) float64 {
	x := make([]float64, len(f))
	for i := range f {
		x[i] = of(f[i])
	}
	return median(x)
}

// syncFigures are one round's. written is bytes that the whole machine wrote to its disks for each byte appended.
type syncFigures struct{ rate, p50, p99, written float64 }

const (
	syncRoundTime = time.Second
	appendBytes   = 1024
)

func (b *bench) syncRound(s strategy, files, waiters int) (f syncFigures, err error) {
	a, err := newAppended(filepath.Join(b.dir, "sync"), files)
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(a.dir)
	defer a.close()
	c := s.start(a)
	before := diskWritten()
	began := time.Now()
	took := make([][]time.Duration, files*waiters)
	var wait sync.WaitGroup
	for i := range took {
		wait.Go(func() {
			for time.Since(began) < syncRoundTime {
				at := time.Now()
				a.append(i % files)
				c.commit(i % files)
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	wait.Wait()
	all := slices.Concat(took...)
	f.rate = float64(len(all)) / time.Since(began).Seconds()
	c.close()
	a.syncEach(0) // what a strategy still owes the files counts among what it writes
	f.written = float64(diskWritten()-before) / float64(len(all)*appendBytes)
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	f.p50, f.p99 = ms(all[len(all)/2]), ms(all[len(all)*99/100])
	return f, a.failed()
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
	a.syncEach(0)
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

// syncEach syncs what is dirty from a file on, one after the other.
func (a *appended) syncEach(from int) {
	for i := from; i < len(a.files); i++ {
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
