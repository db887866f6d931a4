package dump

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
)

// legacyMessage is a message of format v0 or v1.
func legacyMessage(offset int64, magic int8, key, value []byte) []byte {
	return rawMessage(offset, magic, 0, key, value)
}

// packedMessage is one of format v1 that holds others.
func packedMessage(lastOffset int64, codec byte, packed []byte) []byte {
	return rawMessage(lastOffset, 1, codec, nil, packed)
}

func rawMessage(offset int64, magic int8, attributes byte, key, value []byte) []byte {
	b := []byte{byte(magic), attributes}
	if magic == 1 {
		b = binary.BigEndian.AppendUint64(b, uint64(started.UnixMilli()+offset))
	}
	for _, field := range [][]byte{key, value} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(field)))
		b = append(b, field...)
	}
	head := binary.BigEndian.AppendUint64(nil, uint64(offset))
	head = binary.BigEndian.AppendUint32(head, uint32(4+len(b)))
	return append(binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(b)), b...)
}

// FuzzAnything: whatever a file holds, a dump ends, says so in JSON that is some, and changes nothing.
func FuzzAnything(f *testing.F) {
	names := []string{
		"topic-0/00000000000000000000.log", "topic-0/00000000000000000000.index", "topic-0/00000000000000000000.timeindex",
		"topic-0/00000000000000000000.txnindex", "topic-0/00000000000000000000.snapshot", "topic-0/leader-epoch-checkpoint",
		"topic-0/partition.metadata", "meta.properties", "recovery-point-offset-checkpoint",
		"__cluster_metadata-0/quorum-state", "__cluster_metadata-0/00000000000000000001-0000000001.image",
		"__cluster_metadata-0/00000000000000000000.log", "__consumer_offsets-0/00000000000000000000.log",
	}
	var segment []byte
	for _, b := range batches() {
		segment = append(segment, b...)
	}
	for i := range names {
		f.Add(i, segment)
		f.Add(i, legacyMessage(0, 1, nil, []byte("v")))
		f.Add(i, []byte("0\n1\ntopic 0 1\n"))
	}
	f.Fuzz(func(t *testing.T, which int, content []byte) {
		if which < 0 || which >= len(names) {
			return
		}
		fs := vfs.NewMem(now)
		for _, partition := range []string{"/topic-0", "/__cluster_metadata-0", "/__consumer_offsets-0"} {
			fs.MkdirAll(dir+partition, 0o755)
		}
		name := dir + "/" + names[which]
		write(t, fs, name, content)
		text, _ := printed(t, fs, Options{JSON: true, Records: true, Deep: true}, name, dir)
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("not JSON: %s", line)
			}
		}
		if !bytes.Equal(read(t, fs, name), content) {
			t.Fatal("the file was changed")
		}
	})
}
