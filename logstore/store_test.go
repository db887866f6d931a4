package logstore

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// open opens a store, and fails the test if it cannot.
func open(t testing.TB, fs vfs.FS, dir string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{FS: fs, NodeID: 1}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

var testTopic = TopicPartition{"t", 0}

// create makes the test's log.
func create(t testing.TB, s *Store, c LogConfig) *Log {
	t.Helper()
	l, err := s.Create(testTopic, [16]byte{1}, c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// batch has n records of so many bytes.
func batch(ms int64, n, valueBytes int) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	for i := range n {
		b.Add(ms+int64(i), nil, bytes.Repeat([]byte{byte(i)}, valueBytes))
	}
	return b.Batch()
}

func add(t testing.TB, l *Log, b record.Batch) Appended {
	t.Helper()
	a, err := l.Append(b, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// contents are the log's records, one a line.
func contents(t testing.TB, l *Log) (lines []string) {
	t.Helper()
	for b, err := range l.Batches(l.LogStart(), l.End()) {
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records(1 << 20) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%d@%d %x", r.Offset, r.Timestamp, r.Value))
		}
	}
	return lines
}

func TestAppendCloseReopen(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"os": vfs.OS(), "mem": vfs.NewMem(nil)} {
		t.Run(name, func(t *testing.T) {
			dir := "data"
			if name == "os" {
				dir = t.TempDir()
			}
			s := open(t, fs, dir)
			c := DefaultLogConfig()
			c.SegmentBytes = 20_000
			l := create(t, s, c)
			for i := range 200 {
				add(t, l, batch(int64(1000+i*10), 3, 100))
			}
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			if l.End() != 600 || l.Flushed() != 600 {
				t.Fatalf("end %d flushed %d", l.End(), l.Flushed())
			}
			want := contents(t, l)
			if len(want) != 600 {
				t.Fatalf("%d records", len(want))
			}
			l.SetHighWatermark(600)
			closeStore(t, s)

			s = open(t, fs, dir)
			if !s.WasClean() {
				t.Error("not clean")
			}
			l = s.Get(testTopic)
			if err := l.Err(); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, l); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d records after reopening", len(got))
			}
			if l.HighWatermark() != 600 || l.TopicID() != [16]byte{1} {
				t.Errorf("high watermark %d, id %x", l.HighWatermark(), l.TopicID())
			}
			closeStore(t, s)
		})
	}
}
