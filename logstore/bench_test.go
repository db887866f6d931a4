package logstore

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
)

// TestAllocations: an append allocates nothing, a read one small thing, whatever their sizes.
func TestAllocations(t *testing.T) {
	s := open(t, vfs.OS(), t.TempDir())
	defer closeStore(t, s)
	c := DefaultLogConfig()
	c.PageCache = true
	l := create(t, s, c)
	b := batch(1, 10, 1000)
	add(t, l, b)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := l.Append(b, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 { // index entries grow a slice now and then
		t.Errorf("%v allocations an append", n)
	}
	offset := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		slice, err := l.Read(offset, 1<<20, math.MaxInt64, true)
		if err != nil {
			t.Fatal(err)
		}
		if offset = slice.NextOffset; offset == l.End() {
			offset = 0
		}
		slice.Release()
	}); n > 2 {
		t.Errorf("%v allocations a read", n)
	}
}

func benchAppend(b *testing.B, pageCache bool, bytes int) {
	s := open(b, vfs.OS(), b.TempDir())
	defer s.Close()
	c := DefaultLogConfig()
	c.PageCache = pageCache
	l := create(b, s, c)
	data := batch(1, 1, bytes)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(data, AppendOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend1KiBPageCache(b *testing.B)  { benchAppend(b, true, 940) }
func BenchmarkAppend64KiBPageCache(b *testing.B) { benchAppend(b, true, 64<<10) }
func BenchmarkAppend1KiBFsync(b *testing.B)      { benchAppend(b, false, 940) }

func BenchmarkReadSequential(b *testing.B) {
	s := open(b, vfs.OS(), b.TempDir())
	defer s.Close()
	c := DefaultLogConfig()
	c.PageCache = true
	l := create(b, s, c)
	data := batch(1, 1, 16<<10)
	for range 4000 {
		add(b, l, data)
	}
	b.ReportAllocs()
	offset := int64(0)
	for b.Loop() {
		slice, err := l.Read(offset, 1<<20, math.MaxInt64, true)
		if err != nil {
			b.Fatal(err)
		}
		if offset = slice.NextOffset; offset >= l.End() {
			offset = 0
		}
		slice.Release()
	}
}

// BenchmarkReadFirst reads what nobody has looked at: it is verified on the way. Its pair is BenchmarkReadAgain.
func BenchmarkReadFirst(b *testing.B) { benchReadAll(b, true) }
func BenchmarkReadAgain(b *testing.B) { benchReadAll(b, false) }

func benchReadAll(b *testing.B, first bool) {
	for _, bytes := range []int{100, 1 << 10, 16 << 10, 512 << 10} {
		b.Run(fmt.Sprintf("batches of %d", bytes), func(b *testing.B) {
			s := open(b, vfs.OS(), b.TempDir())
			defer s.Close()
			c := DefaultLogConfig()
			c.PageCache = true
			l := create(b, s, c)
			data := batch(1, 1, bytes)
			for range (32 << 20) / len(data) {
				add(b, l, data)
			}
			b.SetBytes(l.Size())
			b.ReportAllocs()
			for b.Loop() {
				if first {
					l.active().verified = verified{}
				}
				for offset := int64(0); offset < l.End(); {
					slice, err := l.Read(offset, 1<<20, math.MaxInt64, true)
					if err != nil {
						b.Fatal(err)
					}
					offset = slice.NextOffset
					slice.Release()
				}
			}
		})
	}
}

// BenchmarkGroupCommit256 has 256 who each append 1 KiB and wait until it is durable; BenchmarkBareGroupCommit256 is
// the same with nothing but a file and fdatasync: the bound.
func BenchmarkGroupCommit256(b *testing.B) {
	s := open(b, vfs.OS(), b.TempDir())
	defer s.Close()
	l := create(b, s, DefaultLogConfig())
	data := batch(1, 1, 940)
	waiters256(b, func() {
		if _, err := l.Append(slices.Clone(data), AppendOptions{}); err != nil {
			b.Error(err)
		}
		if err := l.Flush(); err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkBareGroupCommit256(b *testing.B) {
	f, err := vfs.OS().OpenFile(filepath.Join(b.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	data := batch(1, 1, 940)
	var mu sync.Mutex
	var at int64
	var waiting []chan struct{}
	wake := make(chan struct{}, 1)
	go func() {
		for range wake {
			mu.Lock()
			now := waiting
			waiting = nil
			mu.Unlock()
			if err := f.Sync(); err != nil {
				b.Error(err)
			}
			for _, w := range now {
				close(w)
			}
		}
	}()
	defer close(wake)
	waiters256(b, func() {
		done := make(chan struct{})
		mu.Lock()
		f.WriteAt(data, at)
		at += int64(len(data))
		waiting = append(waiting, done)
		mu.Unlock()
		select {
		case wake <- struct{}{}:
		default:
		}
		<-done
	})
}

func waiters256(b *testing.B, op func()) {
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			op()
		}
	})
}
