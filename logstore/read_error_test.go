package logstore

import (
	"errors"
	"math"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// TestDiskErrorOnRead: row 20. A disk that does not give a partition's bytes is an error of that partition alone, as long as
// it lasts, and is told of once.
func TestDiskErrorOnRead(t *testing.T) {
	fs := errorfs.New(vfs.NewMem(nil))
	var told []error
	s := open(t, fs, "data", func(o *Options) {
		o.Events.Unreadable = func(_ TopicPartition, err error) { told = append(told, err) }
	})
	bad := create(t, s, DefaultLogConfig())
	good, err := s.Create(TopicPartition{"t", 1}, [16]byte{1}, DefaultLogConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Log{bad, good} {
		add(t, l, batch(1, 3, 10))
		add(t, l, batch(2, 3, 10))
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	read := func(l *Log) error {
		slice, err := l.Read(0, 1<<20, math.MaxInt64, true)
		slice.Release()
		return err
	}
	fs.Add("read of data/t-0/*.log #1 -> EIO", "read of data/t-0/*.log #2 -> EIO", "read of data/t-0/*.log #3 -> EIO")
	for range 3 {
		if err := read(bad); !errors.Is(err, protocol.KafkaStorageError) {
			t.Errorf("a read that the disk refuses: %v", err)
		}
		if err := read(good); err != nil {
			t.Errorf("another partition: %v", err)
		}
	}
	if err := read(bad); err != nil || bad.Err() != nil {
		t.Errorf("once the disk gives it again: %v, %v", err, bad.Err())
	}
	if len(told) != 1 {
		t.Errorf("told %v", told)
	}
	add(t, bad, batch(3, 1, 10))
	closeStore(t, s)
}
