package logstore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// BenchmarkCompaction compacts a log of 256 MiB on the disk: records of 1 KiB, uncompressed, in batches of 16. MB/s are
// bytes of segments gone over in a second of a round, which reads the dirty ones twice, once for their keys; MB/core-s the
// same in a second of processor time, which other work on the machine does not change. Next to them stands what it takes
// to read the same bytes twice, write as many as stayed, and sync them, in pieces of the same size.
func BenchmarkCompaction(b *testing.B) {
	for _, c := range []struct {
		name string
		keys int
	}{
		{"half-stays", 128 << 10}, // each key twice
		{"one-in-ten-stays", 26 << 10},
	} {
		b.Run(c.name, func(b *testing.B) { benchCompaction(b, c.keys) })
	}
}

func benchCompaction(b *testing.B, keys int) {
	const total = 256 << 20
	var read, written int64
	var took, bare, cores time.Duration
	for range b.N {
		dir := b.TempDir()
		s, err := logstore.Open(dir, logstore.Options{NodeID: 1, PageCache: true})
		if err != nil {
			b.Fatal(err)
		}
		config := logstore.DefaultLogConfig()
		config.Compact, config.PageCache, config.SegmentBytes, config.FileDeleteDelayMs = true, true, 64<<20, 0
		l, err := s.Create(keyedPartition, [16]byte{1}, config)
		if err != nil {
			b.Fatal(err)
		}
		fillKeyed(b, l, keys, total)
		before := processorTime(b)
		stats, err := l.Compact(logstore.DefaultCleanerConfig())
		cores += processorTime(b) - before
		if err != nil || stats.To == stats.From {
			b.Fatal(stats, err)
		}
		read, written, took = read+stats.BytesRead, written+stats.BytesWritten, took+stats.Took
		bare += bareCopy(b, filepath.Join(dir, "bare"), stats.BytesRead, stats.BytesWritten)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		os.RemoveAll(dir)
	}
	mbs := float64(read) / 1e6 / took.Seconds()
	b.ReportMetric(mbs, "MB/s")
	b.ReportMetric(float64(read)/1e6/cores.Seconds(), "MB/core-s")
	b.ReportMetric(float64(read)/1e6/bare.Seconds(), "bare-MB/s")
	b.ReportMetric(bare.Seconds()/took.Seconds(), "of-bare")
	b.ReportMetric(float64(written)/float64(read), "stays")
	b.ReportMetric(0, "ns/op")
}

// processorTime is what the process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fillKeyed appends records of 1 KiB under random keys.
func fillKeyed(b *testing.B, l *logstore.Log, keys int, total int64) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	value := make([]byte, 1000)
	for appended := int64(0); appended < total; {
		batch := record.NewBuilder(record.NewOptions())
		for range 16 {
			batch.Add(1_700_000_000_000, fmt.Appendf(nil, "key-%012d", r.IntN(keys)), value)
		}
		appended += int64(batch.Size())
		if _, err := l.Append(batch.Batch(), logstore.AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		b.Fatal(err)
	}
	l.SetHighWatermark(l.End())
}

// bareCopy reads and writes files, and nothing else.
func bareCopy(b *testing.B, name string, read, write int64) time.Duration {
	b.Helper()
	piece := make([]byte, 256<<10)
	in, err := os.Create(name + ".in")
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	for at := int64(0); at < read; at += int64(len(piece)) {
		in.WriteAt(piece, at)
	}
	in.Sync()
	out, err := os.Create(name + ".out")
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	began := time.Now()
	for range 2 { // as the pass over keys
		for at := int64(0); at < read; at += int64(len(piece)) {
			if _, err := in.ReadAt(piece, at); err != nil {
				b.Fatal(err)
			}
		}
	}
	for at := int64(0); at < write; at += int64(len(piece)) {
		if _, err := out.WriteAt(piece, at); err != nil {
			b.Fatal(err)
		}
	}
	if err := out.Sync(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}
