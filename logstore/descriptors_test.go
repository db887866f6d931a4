package logstore

import (
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// Without a free descriptor nothing is written and nothing is unknown: the partition is there again when one is free.
func TestOutOfDescriptors(t *testing.T) {
	for _, before := range []int{0, 1} { // the first batch opens the segment, the second would begin another one
		fs := errorfs.New(vfs.NewMem(nil))
		s := open(t, fs, "/data")
		l := create(t, s, LogConfig{SegmentBytes: 100})
		for range before {
			add(t, l, batch(1, 1, 10))
		}
		fs.Add("open of *.log -> EMFILE")
		if _, err := l.Append(batch(1, 1, 10), AppendOptions{}); protocol.CodeOf(err) != protocol.KafkaStorageError {
			t.Errorf("after %d batches: %v, want KAFKA_STORAGE_ERROR", before, err)
		}
		fs.Clear()
		add(t, l, batch(1, 1, 10))
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := len(contents(t, l)); got != before+1 {
			t.Errorf("%d records, want %d", got, before+1)
		}
		closeStore(t, s)
	}
}
