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
// Of each producer only the last batch is there (lastOffset -1: none). That is where Kafka ends; it does not look at what
// follows, which its checksum covers. Where a producer had more batches on their way, they are told of there, or the
// producer could not repeat them after a start from the snapshot:
//
//	version int16 = 1 · count int32 · count × { producerId int64 · batches int8 · batches × {
//	lastSequence int32 · lastOffset int64 · offsetDelta int32 · timestamp int64 } }
//
// Those are the batches before the last one, oldest first.
const (
	snapshotVersion     = 1
	snapshotHeaderBytes = 2 + 4 + 4
	snapshotEntryBytes  = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8 // 46

	// plausibleVersions: a snapshot is not synced, so that a power cut may leave in its place what the disk held before. That
	// is no newer software's.
	plausibleVersions = 15

	earlierVersion     = 1
	earlierHeaderBytes = 2 + 4
	earlierEntryBytes  = 8 + 1
	earlierBatchBytes  = 4 + 8 + 4 + 8 // 24
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
	b = s.appendEarlier(b)
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

// appendEarlier appends the batches before each producer's last, if there are any.
func (s *producerState) appendEarlier(b []byte) []byte {
	header, count := len(b), 0
	for id, p := range s.producers {
		if len(p.batches) < 2 || mutant.Is(mutant.ForgetEarlierBatches) {
			continue
		}
		if count++; count == 1 {
			b = append(b, make([]byte, earlierHeaderBytes)...)
		}
		earlier := p.batches[:len(p.batches)-1]
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = append(b, byte(len(earlier)))
		for _, e := range earlier {
			b = binary.BigEndian.AppendUint32(b, uint32(e.lastSequence))
			b = binary.BigEndian.AppendUint64(b, uint64(e.lastOffset))
			b = binary.BigEndian.AppendUint32(b, uint32(e.offsetDelta))
			b = binary.BigEndian.AppendUint64(b, uint64(e.timestamp))
		}
	}
	if count > 0 {
		binary.BigEndian.PutUint16(b[header:], earlierVersion)
		binary.BigEndian.PutUint32(b[header+2:], uint32(count))
	}
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
	whole := good && count >= 0 && count*snapshotEntryBytes <= int64(len(b))
	switch {
	case version != snapshotVersion && whole:
		// All else is as this version has it: the version is what was damaged.
		return nil, nil, fmt.Errorf("version %d on what is of version %d", version, snapshotVersion)
	case version > plausibleVersions:
		return nil, nil, fmt.Errorf("version %d: the bytes are those of something else", version)
	case version != snapshotVersion:
		return nil, nil, versionError(int64(version), snapshotVersion)
	case !good:
		return nil, nil, fmt.Errorf("checksum is %08x, the header says %08x", sum, want)
	case !whole:
		return nil, nil, fmt.Errorf("%d producers are announced in %d bytes", count, len(b))
	}
	s, t := newProducerState(end), newTransactions()
	for ; count > 0; count-- {
		id, p := parseSnapshotEntry(b)
		s.producers[id] = p
		if p.txnFirstOffset >= 0 {
			t.begin(id, p.txnFirstOffset)
		}
		b = b[snapshotEntryBytes:]
	}
	return s, t, s.parseEarlier(b)
}

// parseEarlier reads what stands behind the producers, if anything does.
func (s *producerState) parseEarlier(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if len(b) < earlierHeaderBytes {
		return fmt.Errorf("%d bytes follow the producers", len(b))
	}
	if version := binary.BigEndian.Uint16(b); version != earlierVersion {
		return versionError(int64(version), earlierVersion)
	}
	count := int64(binary.BigEndian.Uint32(b[2:]))
	for b = b[earlierHeaderBytes:]; len(b) >= earlierEntryBytes; count-- {
		p, n := s.producers[int64(binary.BigEndian.Uint64(b))], int(b[8])
		b = b[earlierEntryBytes:]
		if p == nil || len(p.batches) != 1 || n >= retainedBatches || len(b) < n*earlierBatchBytes {
			return errors.New("earlier batches of a producer that cannot have them")
		}
		last := p.batches[0]
		p.batches = make([]producedBatch, 0, retainedBatches)
		for ; n > 0; n-- {
			p.batches = append(p.batches, producedBatch{
				lastSequence: int32(binary.BigEndian.Uint32(b)),
				lastOffset:   int64(binary.BigEndian.Uint64(b[4:])),
				offsetDelta:  int32(binary.BigEndian.Uint32(b[12:])),
				timestamp:    int64(binary.BigEndian.Uint64(b[16:])),
			})
			b = b[earlierBatchBytes:]
		}
		p.batches = append(p.batches, last)
	}
	if count != 0 || len(b) != 0 {
		return fmt.Errorf("earlier batches of %d producers are missing, %d bytes are left", count, len(b))
	}
	return nil
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
