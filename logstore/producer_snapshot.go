package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/ottla/ottla/logstore/mutant"
)

// A producer snapshot is the state before the offset in its name. Big-endian:
//
//	version int16 = 1 · crc uint32 (CRC-32C of all that follows) · count int32 · count × {
//	producerId int64 · epoch int16 · lastSequence int32 · lastOffset int64 · offsetDelta int32 · timestamp int64 ·
//	coordinatorEpoch int32 · currentTxnFirstOffset int64 (-1 none) }
//
// Of each producer only the last batch is kept (lastOffset -1: none).
const (
	snapshotVersion     = 1
	snapshotHeaderBytes = 2 + 4 + 4
	snapshotEntryBytes  = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8 // 46
)

func (s *producerState) encodeSnapshot() []byte {
	b := make([]byte, snapshotHeaderBytes, snapshotHeaderBytes+len(s.producers)*snapshotEntryBytes)
	binary.BigEndian.PutUint16(b, snapshotVersion)
	binary.BigEndian.PutUint32(b[6:], uint32(len(s.producers)))
	for id, p := range s.producers {
		last := producedBatch{lastSequence: -1, lastOffset: -1}
		if len(p.batches) > 0 {
			last = p.last()
		}
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = binary.BigEndian.AppendUint16(b, uint16(p.epoch))
		b = binary.BigEndian.AppendUint32(b, uint32(last.lastSequence))
		b = binary.BigEndian.AppendUint64(b, uint64(last.lastOffset))
		b = binary.BigEndian.AppendUint32(b, uint32(last.offsetDelta))
		b = binary.BigEndian.AppendUint64(b, uint64(p.lastTimestamp))
		b = binary.BigEndian.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = binary.BigEndian.AppendUint64(b, uint64(p.txnFirstOffset))
	}
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

// parseSnapshot reads the state before end, with the transactions that are open in it.
func parseSnapshot(b []byte, end int64) (*producerState, *transactions, error) {
	if len(b) < snapshotHeaderBytes {
		return nil, nil, errors.New("the header is cut off")
	}
	version := binary.BigEndian.Uint16(b)
	sum := crc32.Checksum(b[6:], castagnoli)
	want := binary.BigEndian.Uint32(b[2:])
	count := int64(int32(binary.BigEndian.Uint32(b[6:])))
	b = b[snapshotHeaderBytes:]
	good := sum == want || mutant.Is(mutant.SkipSnapshotCRC)
	whole := good && count*snapshotEntryBytes == int64(len(b))
	switch {
	case version != snapshotVersion && whole:
		// All else is as this version has it: the version is what was damaged.
		return nil, nil, fmt.Errorf("version %d on what is of version %d", version, snapshotVersion)
	case version != snapshotVersion:
		return nil, nil, versionError(int64(version), snapshotVersion)
	case !good:
		return nil, nil, fmt.Errorf("checksum is %08x, the header says %08x", sum, want)
	case !whole:
		return nil, nil, fmt.Errorf("%d producers are announced in %d bytes", count, len(b))
	}
	s, t := newProducerState(end), newTransactions()
	for ; len(b) > 0; b = b[snapshotEntryBytes:] {
		id, p := parseSnapshotEntry(b)
		s.producers[id] = p
		if p.txnFirstOffset >= 0 {
			t.begin(id, p.txnFirstOffset)
		}
	}
	return s, t, nil
}

func parseSnapshotEntry(b []byte) (id int64, p *producer) {
	p = newProducer()
	p.epoch = int16(binary.BigEndian.Uint16(b[8:]))
	p.lastTimestamp = int64(binary.BigEndian.Uint64(b[26:]))
	p.coordinatorEpoch = int32(binary.BigEndian.Uint32(b[34:]))
	p.txnFirstOffset = max(-1, int64(binary.BigEndian.Uint64(b[38:])))
	last := producedBatch{
		lastSequence: int32(binary.BigEndian.Uint32(b[10:])),
		lastOffset:   int64(binary.BigEndian.Uint64(b[14:])),
		offsetDelta:  int32(binary.BigEndian.Uint32(b[22:])),
		timestamp:    p.lastTimestamp,
	}
	if last.lastOffset >= 0 {
		p.add(last)
	}
	return int64(binary.BigEndian.Uint64(b)), p
}
