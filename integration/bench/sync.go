package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// syncStrategies compares ways to make appends to many files durable together, with nothing of the broker around them:
// waiters append 1 KiB to their file and wait until it is on the disk, over and over. Beside them the log store does the
// same with its partitions. Each runs for a second, in turn with the others, ROUNDS times.
func (b *bench) syncStrategies() error {
	fmt.Printf("durable appends of 1 KiB; median of %d rounds, [lowest highest]\n", b.rounds)
	for _, c := range []struct{ files, waiters int }{{1, 1}, {1, 256}, {10, 1}, {10, 26}, {100, 1}, {100, 3}, {1000, 1}} {
		if err := b.syncCase(c.files, c.waiters); err != nil {
			return err
		}
	}
	return nil
}

// strategy makes appends to files durable.
type strategy struct {
	name  string
	start func(dir string, files int) (appender, error)
}

// appender returns from append when 1 KiB more of a file is on the disk.
type appender interface {
	append(file int)
	close() error
}

func strategies() []strategy {
	all := []strategy{}
	for _, workers := range []int{1, 4, 8, 16, 32, 64} {
		name := fmt.Sprintf("fdatasync, %d at a time", workers)
		if workers == 1 {
			name = "fdatasync in sequence"
		}
		all = append(all, onFiles(name, func(a *appended) committer { return newParallel(a, workers) }))
	}
	return append(all,
		onFiles("syncfs", func(a *appended) committer { return newRounds(a.syncFS) }),
		onFiles("write-ahead file", func(a *appended) committer { return newAhead(a) }),
		strategy{"the log store", newStoreAppender})
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
	dir := filepath.Join(b.dir, "sync")
	defer os.RemoveAll(dir)
	a, err := s.start(dir, files)
	if err != nil {
		return f, err
	}
	before := diskWritten()
	began := time.Now()
	took := make([][]time.Duration, files*waiters)
	var wait sync.WaitGroup
	for i := range took {
		wait.Go(func() {
			for time.Since(began) < syncRoundTime {
				at := time.Now()
				a.append(i % files)
				took[i] = append(took[i], time.Since(at))
			}
		})
	}
	wait.Wait()
	all := slices.Concat(took...)
	f.rate = float64(len(all)) / time.Since(began).Seconds()
	if err := a.close(); err != nil {
		return f, err
	}
	f.written = float64(diskWritten()-before) / float64(len(all)*appendBytes)
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	f.p50, f.p99 = ms(all[len(all)/2]), ms(all[len(all)*99/100])
	return f, nil
}
