package logstore

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

func compacted() LogConfig {
	c := DefaultLogConfig()
	c.Compact, c.Delete, c.SegmentBytes, c.FileDeleteDelayMs = true, false, 400, 0
	return c
}

func compactNow(t *testing.T, l *Log) CompactionStats {
	t.Helper()
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(l.End())
	stats, err := l.Compact(DefaultCleanerConfig())
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// TestSlicesOutliveCompaction: what was read before a segment was replaced stays where it was, until it is released.
func TestSlicesOutliveCompaction(t *testing.T) {
	s := open(t, vfs.OS(), t.TempDir())
	defer closeStore(t, s)
	l := create(t, s, compacted())
	for i := range 20 {
		add(t, l, keyedBatch(int64(i), "key", bytes.Repeat([]byte{byte(i)}, 100)))
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	slice, err := l.Read(0, 1<<20, l.End(), true)
	if err != nil || slice.Bytes == 0 {
		t.Fatal(slice, err)
	}
	part := slice.Parts[0]
	before := make([]byte, part.Len)
	if _, err := part.File.ReadAt(before, part.Off); err != nil {
		t.Fatal(err)
	}
	compactNow(t, l)
	after := make([]byte, part.Len)
	if _, err := part.File.ReadAt(after, part.Off); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the slice has changed, %v", err)
	}
	slice.Release()
	again, err := l.Read(0, 1<<20, l.End(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Release()
	if again.Bytes >= len(before) {
		t.Errorf("%d bytes are read where %d were", again.Bytes, len(before))
	}
}

// legacyMessage is a message of format v1.
func legacyMessage(offset int64, key, value string) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(offset))
	b = binary.BigEndian.AppendUint32(b, uint32(4+1+1+8+4+len(key)+4+len(value)))
	b = append(b, 0, 0, 0, 0, 1, 0) // crc, magic, attributes
	b = binary.BigEndian.AppendUint64(b, 1000)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(key))), key...)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(value))), value...)
	binary.BigEndian.PutUint32(b[legacyAtCRC:], crc32.ChecksumIEEE(b[legacyAtMagic:]))
	return b
}

// TestLegacyMessagesAreLeftAlone: they stay to the byte, and what follows them is compacted.
func TestLegacyMessagesAreLeftAlone(t *testing.T) {
	mem := vfs.NewMem(nil)
	s := open(t, mem, "data")
	create(t, s, compacted())
	closeStore(t, s)
	legacy := slices.Concat(legacyMessage(0, "a", "old"), legacyMessage(1, "a", "older format"))
	file := slices.Clone(legacy)
	for offset := int64(2); offset < 6; offset++ {
		b := keyedBatch(2000, "a", []byte{byte(offset)})
		b.SetBaseOffset(offset)
		file = append(file, b...)
	}
	if err := writeFile(mem, "data/t-0/"+segmentName(0, logExt), file, true); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{cleanShutdownName, recoveryPointName} {
		if err := mem.Remove("data/" + name); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, mem, "data")
	defer closeStore(t, s)
	l := create(t, s, compacted())
	for range 10 {
		add(t, l, keyedBatch(3000, "a", make([]byte, 100)))
	}
	stats := compactNow(t, l)
	if stats.LeftAlone != 2 || stats.RecordsKept >= stats.RecordsRead {
		t.Errorf("%+v", stats)
	}
	slice, err := l.Read(0, 1<<20, l.End(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer slice.Release()
	got := make([]byte, len(legacy)+record.HeaderBytes)
	if _, err := slice.Parts[0].File.ReadAt(got, slice.Parts[0].Off); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if next, _, err := record.Next(got[len(legacy):]); !bytes.Equal(got[:len(legacy)], legacy) || err == nil && next.BaseOffset() == 2 {
		t.Errorf("after compaction the log begins with %x", got)
	}
}
