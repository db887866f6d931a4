package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/ottla/ottla/protocol/record"
)

// This file is what tools may see of the bytes at rest. Everything here asks the parser that the store itself uses;
// nothing opens a log, and nothing is changed.

// FileKind is what a file is, as its name tells.
type FileKind string

// The kinds of files of a data directory. FORMAT.md has a section for each.
const (
	KindForeign           FileKind = "foreign file"
	KindSegment           FileKind = "segment"
	KindOffsetIndex       FileKind = "offset index"
	KindTimeIndex         FileKind = "time index"
	KindTxnIndex          FileKind = "transaction index"
	KindProducerSnapshot  FileKind = "producer snapshot"
	KindLeaderEpochs      FileKind = "leader epochs"
	KindPartitionMetadata FileKind = "partition metadata"
	KindSyncFailed        FileKind = "mark of a failed sync"
	KindOffsetCheckpoint  FileKind = "offset checkpoint"
	KindMetaProperties    FileKind = "meta properties"
	KindCleanShutdown     FileKind = "mark of a clean shutdown"
	KindRetentionClock    FileKind = "retention clock"
	KindLock              FileKind = "lock"
	KindProbe             FileKind = "probe of the disk"
)

// kindsByName are the files with a name of their own, kindsByExt those with a base offset before it.
var (
	kindsByName = map[string]FileKind{
		epochsName: KindLeaderEpochs, partitionName: KindPartitionMetadata, syncFailedName: KindSyncFailed,
		recoveryPointName: KindOffsetCheckpoint, highWatermarkName: KindOffsetCheckpoint,
		logStartName: KindOffsetCheckpoint, cleanerName: KindOffsetCheckpoint,
		metaName: KindMetaProperties, cleanShutdownName: KindCleanShutdown, lockName: KindLock,
		retentionClockName: KindRetentionClock, probeName: KindProbe,
	}
	kindsByExt = map[string]FileKind{
		logExt: KindSegment, indexExt: KindOffsetIndex, timeIndexExt: KindTimeIndex,
		txnIndexExt: KindTxnIndex, snapshotExt: KindProducerSnapshot,
	}
)

// KindOf tells what a file is by its name: its kind, the base offset in the name (-1 without), and the mark at its end if
// it is on its way in or out (".deleted", ".cleaned", ".swap", ".tmp").
func KindOf(name string) (kind FileKind, base int64, mark string) {
	for _, ext := range []string{deletedExt, cleanedExt, swapExt, tmpExt} {
		if whole, ok := strings.CutSuffix(name, ext); ok {
			name, mark = whole, ext
		}
	}
	if kind, ok := kindsByName[name]; ok {
		return kind, -1, mark
	}
	if base, ext, ok := parseSegmentName(name); ok && kindsByExt[ext] != "" {
		return kindsByExt[ext], base, mark
	}
	return KindForeign, -1, mark
}

// setAsideName is a partition's directory that is not in use: deleted, unknown to the metadata, or not yet in its place.
var setAsideName = regexp.MustCompile(`^(.*)\.[0-9a-f]{32}-([a-z]+)$`)

// ParseDirName reads the name of a partition's directory. aside is "" for one in use, else what it waits for ("delete",
// "stray", "future"); of such a one the topic's name may be cut short.
func ParseDirName(name string) (tp TopicPartition, aside string, ok bool) {
	if parts := setAsideName.FindStringSubmatch(name); parts != nil {
		name, aside = parts[1], parts[2]
	}
	tp, ok = parsePartitionDir(name)
	return tp, aside, ok
}

// A SegmentReader walks over the batches of a segment's file. Unlike recovery it goes on behind a wrong checksum.
type SegmentReader struct{ scan *scanner }

// SegmentBatch is a batch where it stands, or a message of format v0 or v1.
type SegmentBatch struct {
	Position, Size int64
	Base, Last     int64 // offsets; of a compressed message of v1 both are the last
	MaxTimestamp   int64 // record.NoTimestamp in format v0
	LeaderEpoch    int32
	Magic          int8
	// Header is the batch up to its records, good until the next call. Nil for formats v0 and v1.
	Header record.Batch
	// Checksum is nil when it is right, else what is wrong with it.
	Checksum error
}

// ReadSegment begins at a position at which a batch begins. size is the file's.
func ReadSegment(file io.ReaderAt, position, size int64) *SegmentReader {
	return &SegmentReader{newVerifier(file, position, size)}
}

// Next is the next batch. At the end the error is io.EOF; record.ErrCorrupt or io.ErrUnexpectedEOF where no whole batch
// begins, and the reader stays there; any other error is the disk's.
func (r *SegmentReader) Next() (SegmentBatch, error) {
	h, err := r.scan.peek()
	if err != nil {
		return SegmentBatch{}, err
	}
	b := SegmentBatch{
		Position: h.position, Size: h.size, Base: h.base, Last: h.last,
		MaxTimestamp: h.maxTimestamp, LeaderEpoch: h.leaderEpoch, Magic: record.Magic,
	}
	if h.v2 == nil {
		b.Magic = int8(r.scan.window[h.position-r.scan.at+legacyAtMagic])
	}
	if err := r.scan.checkCRC(&h); errors.Is(err, record.ErrCorrupt) {
		b.Checksum = err
	} else if err != nil {
		return SegmentBatch{}, err
	}
	b.Header = h.v2
	r.scan.next = h.end()
	return b, nil
}

// Position is where the next batch is looked for.
func (r *SegmentReader) Position() int64 { return r.scan.next }

// GoTo goes to another position.
func (r *SegmentReader) GoTo(position int64) { r.scan.next = position }

// Close lets go of the reader's memory. The file is the caller's.
func (r *SegmentReader) Close() { r.scan.done() }

// IndexEntry is an entry of an offset index (Position) or a time index (Timestamp).
type IndexEntry struct {
	Offset    int64
	Position  int64
	Timestamp int64
}

// ParseOffsetIndex reads the entries of an offset index, up to where they stop to ascend: a file that was preallocated,
// or lost pages, goes on with zeros. rest is what follows.
func ParseOffsetIndex(b []byte, base int64) (entries []IndexEntry, rest []byte) {
	return parseIndex(b, offsetEntryBytes, func(b []byte) (IndexEntry, bool) {
		e := parseOffsetEntry(b)
		return IndexEntry{Offset: base + int64(e.relative), Position: int64(e.position)}, e.relative >= 0 && e.position >= 0
	})
}

// ParseTimeIndex reads the entries of a time index, as ParseOffsetIndex does.
func ParseTimeIndex(b []byte, base int64) (entries []IndexEntry, rest []byte) {
	return parseIndex(b, timeEntryBytes, func(b []byte) (IndexEntry, bool) {
		e := parseTimeEntry(b)
		return IndexEntry{Offset: base + int64(e.relative), Timestamp: e.timestamp}, e.relative >= 0 && e.timestamp >= 0
	})
}

func parseIndex(b []byte, width int, parse func([]byte) (IndexEntry, bool)) ([]IndexEntry, []byte) {
	n := prefixEntries(b, width, func(b []byte) bool { _, ok := parse(b); return ok })
	if n == 1 && len(b) > width && len(bytes.Trim(b, "\x00")) == 0 {
		n = 0 // nothing but room for entries
	}
	entries := make([]IndexEntry, n)
	for i := range entries {
		entries[i], _ = parse(b[i*width:])
	}
	return entries, b[n*width:]
}

// ParseTxnIndex reads the entries of a transaction index, up to the first that is none.
func ParseTxnIndex(b []byte) (txns []AbortedTxn, err error) {
	for ; len(b) >= abortedTxnBytes; b = b[abortedTxnBytes:] {
		t, err := parseAbortedTxn(b)
		if err != nil {
			return txns, err
		}
		txns = append(txns, t)
	}
	if len(b) > 0 {
		return txns, io.ErrUnexpectedEOF
	}
	return txns, nil
}

// SnapshotProducer is a producer as a snapshot has it.
type SnapshotProducer struct {
	Producer
	LastOffset  int64 // -1 without a batch
	OffsetDelta int32
	Earlier     []int64 // last offsets of the batches before, oldest first
}

// ParseProducerSnapshot reads a producer snapshot, in the file's order.
func ParseProducerSnapshot(b []byte) (producers []SnapshotProducer, err error) {
	s, _, err := parseSnapshot(b, 0)
	if err != nil {
		return nil, err
	}
	for b = b[snapshotHeaderBytes:]; len(producers) < len(s.producers); b = b[snapshotEntryBytes:] {
		id, _ := parseSnapshotEntry(b)
		p := s.producers[id]
		out := SnapshotProducer{Producer: p.view(id), LastOffset: -1}
		if n := len(p.batches); n > 0 {
			out.LastOffset, out.OffsetDelta = p.last().lastOffset, p.last().offsetDelta
			for _, e := range p.batches[:n-1] {
				out.Earlier = append(out.Earlier, e.lastOffset)
			}
		}
		producers = append(producers, out)
	}
	return producers, nil
}

// EpochStart is an entry of leader-epoch-checkpoint.
type EpochStart struct {
	Epoch       int32
	StartOffset int64
}

// ParseLeaderEpochs reads leader-epoch-checkpoint.
func ParseLeaderEpochs(b []byte) ([]EpochStart, error) {
	e, err := parseLeaderEpochs(b)
	var out []EpochStart
	for _, entry := range e.entries {
		out = append(out, EpochStart{entry.epoch, entry.start})
	}
	return out, err
}

// ParseOffsetCheckpoint reads one of the checkpoints of a data directory.
func ParseOffsetCheckpoint(b []byte) (map[TopicPartition]int64, error) { return parseOffsets(b) }

// ParseRetentionClock reads retention-clock-checkpoint.
func ParseRetentionClock(b []byte) (time.Time, error) { return parseClock(b) }

// ParsePartitionMetadata reads partition.metadata: the topic's id, as 22 characters.
func ParsePartitionMetadata(b []byte) (topicID string, err error) {
	id, err := parsePartitionMetadata(b)
	return idText(id), err
}

// ParseSyncFailed reads sync-failed: the offset below which all was durable before.
func ParseSyncFailed(b []byte) (synced int64, err error) { return parseSyncFailure(b) }

// MetaProperties is what meta.properties says.
type MetaProperties struct {
	ClusterID   string
	NodeID      int32
	DirectoryID string
}

// ParseMetaProperties reads meta.properties.
func ParseMetaProperties(b []byte) (MetaProperties, error) {
	m, err := parseMetaProperties(b)
	return MetaProperties{m.clusterID, m.nodeID, idText(m.directoryID)}, err
}

// LegacyMessage is a message of format v0 or v1.
type LegacyMessage struct {
	Offset     int64
	Timestamp  int64 // record.NoTimestamp in v0
	Attributes int8  // 0–2 codec, 3 LogAppendTime (v1)
	Key, Value []byte
}

// ParseLegacyMessage reads a whole message whose header SegmentReader has given.
func ParseLegacyMessage(b []byte) (m LegacyMessage, err error) {
	m.Offset, m.Timestamp, m.Attributes = int64(binary.BigEndian.Uint64(b)), record.NoTimestamp, int8(b[legacyAtMagic+1])
	rest := b[legacyAtTimestamp:]
	if b[legacyAtMagic] == 1 {
		if len(rest) < 8 {
			return m, io.ErrUnexpectedEOF
		}
		m.Timestamp, rest = int64(binary.BigEndian.Uint64(rest)), rest[8:]
	}
	for _, into := range []*[]byte{&m.Key, &m.Value} {
		if len(rest) < 4 {
			return m, io.ErrUnexpectedEOF
		}
		n := int64(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if n > int64(len(rest)) {
			return m, io.ErrUnexpectedEOF
		}
		if n >= 0 {
			*into, rest = rest[:n:n], rest[n:]
		}
	}
	return m, nil
}
