package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// The log is one that the store has written itself: of each MiB, a small batch, and one whose only record is a value of
// zeros, which are left out of the file. Both have true checksums. Its indexes have an entry for each small batch.
const (
	sparseStride = 1 << 20
	sparseReads  = 2000
	sparseBegin  = int64(1_700_000_000_000) // ms
)

var sparsePartition = logstore.TopicPartition{Topic: "sparse"}

// sparse tells how long it takes to open a log of 1, 10 and 100 GiB, in segments of 1 GiB, and to read at a random offset:
// the first time at a place, when its batch is verified. The page cache is warm, or, with COLD=1 as root, dropped before
// each opening.
func (b *bench) sparse() error {
	var opens, firsts, reads []time.Duration
	for _, gib := range []int{1, 10, 100} {
		dir := filepath.Join(b.dir, fmt.Sprintf("sparse-%d", gib))
		took, err := timed(func() error { return writeSparse(dir, int64(gib)<<30) })
		if err != nil {
			return err
		}
		segments, err := filepath.Glob(filepath.Join(dir, sparsePartition.String(), "*.log"))
		if err != nil {
			return err
		}
		fmt.Printf("%d GiB in %d segments, written in %v\n", gib, len(segments), took.Round(time.Millisecond))
		s, err := readSparse(dir, 2*b.rounds+1)
		if err != nil {
			return err
		}
		opens = append(opens, quantiles("open it, clean", s.opens))
		firsts = append(firsts, quantiles("first read after that, at a random offset", s.firsts))
		reads = append(reads, quantiles("reads of other random offsets", s.reads))
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	ratio := func(d []time.Duration) float64 { return float64(d[2]) / float64(d[0]) }
	fmt.Printf("100 GiB against 1 GiB: open +%v for each segment more (its end is looked at), first read ×%.1f, read ×%.1f\n",
		(opens[2]-opens[0])/(100-1), ratio(firsts), ratio(reads))
	return nil
}

// quantiles prints what something took, and gives the median.
func quantiles(what string, took []time.Duration) time.Duration {
	slices.Sort(took)
	median, p99 := took[len(took)/2], took[len(took)*99/100]
	fmt.Printf("  %-50s median %v, p99 %v\n", what, median.Round(time.Microsecond), p99.Round(time.Microsecond))
	return median
}

// writeSparse has the store write a log of so many bytes, and closes it.
func writeSparse(dir string, size int64) error {
	hole := sparseBatch(sparseBegin, sparseStride-512)
	s, err := logstore.Open(dir, logstore.Options{NodeID: 1, FS: holedFS{vfs.OS(), len(bytes.TrimRight(hole, "\x00"))}})
	if err != nil {
		return err
	}
	config := logstore.DefaultLogConfig()
	config.PageCache = true
	l, err := s.Create(sparsePartition, [16]byte{1}, config)
	if err != nil {
		return err
	}
	for at, ms := int64(0), sparseBegin; at < size; ms++ {
		small := sparseBatch(ms, 200)
		for _, batch := range []record.Batch{small, hole} {
			if _, err := l.Append(batch, logstore.AppendOptions{}); err != nil {
				return err
			}
			at += int64(len(batch))
		}
	}
	return s.Close()
}

func sparseBatch(ms int64, valueBytes int) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	b.Add(ms, nil, make([]byte, valueBytes))
	return b.Batch()
}

// holedFS leaves out of a large write all but its head, after which it is zeros. It syncs nothing: no power cut comes.
type holedFS struct {
	vfs.FS
	head int
}

func (h holedFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := h.FS.OpenFile(name, flag, perm)
	return holedFile{f, h.head}, err
}

type holedFile struct {
	vfs.File
	head int
}

func (f holedFile) WriteAt(p []byte, off int64) (int, error) {
	if len(p) < sparseStride/2 {
		return f.File.WriteAt(p, off)
	}
	if n, err := f.File.WriteAt(p[:f.head], off); err != nil {
		return n, err
	}
	return len(p), f.Truncate(off + int64(len(p)))
}

func (holedFile) Sync() error { return nil }

type sparseFigures struct{ opens, firsts, reads []time.Duration }

// readSparse opens and closes the log so many times, and reads from it.
func readSparse(dir string, rounds int) (f sparseFigures, err error) {
	random := rand.New(rand.NewPCG(1, 1))
	for range rounds {
		if os.Getenv("COLD") != "" {
			if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("1"), 0); err != nil {
				return f, err
			}
		}
		var s *logstore.Store
		took, err := timed(func() (err error) {
			s, err = logstore.Open(dir, logstore.Options{NodeID: 1})
			return err
		})
		if err != nil {
			return f, err
		}
		f.opens = append(f.opens, took)
		l := s.Get(sparsePartition)
		if !s.WasClean() || l.Err() != nil {
			return f, fmt.Errorf("the log is not as it was left: %v", l.Err())
		}
		for i := range 1 + sparseReads/rounds {
			took, err := timed(func() error { return readAt(l, 2*random.Int64N(l.End()/2)) })
			if err != nil {
				return f, err
			}
			if i == 0 {
				f.firsts = append(f.firsts, took)
			} else {
				f.reads = append(f.reads, took)
			}
		}
		if err := s.Close(); err != nil {
			return f, err
		}
	}
	return f, nil
}

// readAt reads the one batch at offset.
func readAt(l *logstore.Log, offset int64) error {
	slice, err := l.Read(offset, 1024, math.MaxInt64, true)
	if err != nil {
		return err
	}
	defer slice.Release()
	if slice.FirstOffset != offset || slice.NextOffset != offset+1 {
		return fmt.Errorf("reading at %d gave %d to %d", offset, slice.FirstOffset, slice.NextOffset)
	}
	return nil
}
