package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Sizes and marks of the format.
const (
	HeaderBytes      = 61 // up to the first record
	LogOverheadBytes = 12 // base offset and length: what stands before the bytes that the length counts
	Magic            = 2  // the only format that is written

	NoTimestamp     int64 = -1
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoLeaderEpoch   int32 = -1
)

// Byte positions of the header fields.
const (
	atBaseOffset      = 0
	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21
	atLastOffsetDelta = 23
	atBaseTimestamp   = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atBaseSequence    = 53
	atCount           = 57
)

// Bits of the attributes.
const (
	codecMask              = 0x07
	logAppendTimeBit       = 0x08
	transactionalBit       = 0x10
	controlBit             = 0x20
	deleteHorizonBit       = 0x40
	unusedBits       int16 = ^0x7f
)

// ErrCorrupt is what every error says about bytes that cannot be a batch or whose checksum is wrong.
var ErrCorrupt = errors.New("corrupt record batch")

// ErrLegacyFormat is the error for a message of format v0 or v1, which Kafka wrote before 0.11 and may still stand in
// migrated segments.
var ErrLegacyFormat = errors.New("message format v0 or v1")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a view of one whole batch. It is made by Next or a Builder; its accessors do not check lengths again.
type Batch []byte

// BaseOffset is the offset of the first record, also when compaction removed that record.
func (b Batch) BaseOffset() int64 { return b.int64(atBaseOffset) }

// LastOffset is the offset of the last record, also when compaction removed that record.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// NextOffset is one past the last offset.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// Length is the length field: the bytes after itself.
func (b Batch) Length() int32 { return b.int32(atLength) }

// LeaderEpoch is the epoch of the leader that appended the batch. The checksum does not cover it.
func (b Batch) LeaderEpoch() int32 { return b.int32(atLeaderEpoch) }

// Magic is the format version.
func (b Batch) Magic() int8 { return int8(b[atMagic]) }

// CRC is the checksum as the header states it.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[atCRC:]) }

// Attributes are the flags and the codec.
func (b Batch) Attributes() int16 { return b.int16(atAttributes) }

// Codec is how the records are compressed; it may be one that does not exist.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & codecMask) }

// IsLogAppendTime tells whether every record's timestamp is MaxTimestamp, the broker's clock at the append.
func (b Batch) IsLogAppendTime() bool { return b.Attributes()&logAppendTimeBit != 0 }

// IsTransactional tells whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.Attributes()&transactionalBit != 0 }

// IsControl tells whether the batch holds a control record.
func (b Batch) IsControl() bool { return b.Attributes()&controlBit != 0 }

// DeleteHorizon is the time after which compaction may drop the batch's tombstones; it stands in place of the base
// timestamp (KIP-534).
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	return b.BaseTimestamp(), b.Attributes()&deleteHorizonBit != 0
}

// LastOffsetDelta is the last offset less the base offset.
func (b Batch) LastOffsetDelta() int32 { return b.int32(atLastOffsetDelta) }

// BaseTimestamp is what the records' timestamp deltas count from, in ms.
func (b Batch) BaseTimestamp() int64 { return b.int64(atBaseTimestamp) }

// MaxTimestamp is the largest timestamp of the records, or the append's under LogAppendTime, in ms.
func (b Batch) MaxTimestamp() int64 { return b.int64(atMaxTimestamp) }

// ProducerID is NoProducerID for a producer that is not idempotent.
func (b Batch) ProducerID() int64 { return b.int64(atProducerID) }

// HasProducerID tells whether an idempotent or transactional producer wrote the batch.
func (b Batch) HasProducerID() bool { return b.ProducerID() > NoProducerID }

// ProducerEpoch tells a restarted producer from its predecessor.
func (b Batch) ProducerEpoch() int16 { return b.int16(atProducerEpoch) }

// BaseSequence is the sequence number of the first record.
func (b Batch) BaseSequence() int32 { return b.int32(atBaseSequence) }

// LastSequence is the sequence number of the last record. Sequences wrap from 2³¹-1 to 0.
func (b Batch) LastSequence() int32 {
	base := b.BaseSequence()
	if base == NoSequence {
		return NoSequence
	}
	return AddSequence(base, b.LastOffsetDelta())
}

// Count is the number of records, less than the offsets span where compaction removed some.
func (b Batch) Count() int32 { return b.int32(atCount) }

// SetBaseOffset moves the batch to an offset, in place.
func (b Batch) SetBaseOffset(offset int64) { b.put64(atBaseOffset, offset) }

// SetLeaderEpoch stamps the appending leader's epoch, in place.
func (b Batch) SetLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], uint32(epoch))
}

// CheckCRC compares the checksum with the bytes.
func (b Batch) CheckCRC() error {
	if got := b.computeCRC(); got != b.CRC() {
		return fmt.Errorf("%w: checksum at offset %d is %08x, the header says %08x", ErrCorrupt, b.BaseOffset(), got, b.CRC())
	}
	return nil
}

// AddSequence is the sequence number n records after sequence, n ≥ 0.
func AddSequence(sequence, n int32) int32 {
	return int32((int64(sequence) + int64(n)) & 0x7fffffff)
}

// setTimestamp patches timestamp type and maximum, and the checksum if either changed.
func (b Batch) setTimestamp(logAppendTime bool, maxMs int64) {
	attributes := b.Attributes() &^ logAppendTimeBit
	if logAppendTime {
		attributes |= logAppendTimeBit
	}
	if attributes == b.Attributes() && maxMs == b.MaxTimestamp() {
		return
	}
	b.put16(atAttributes, attributes)
	b.put64(atMaxTimestamp, maxMs)
	b.updateCRC()
}

func (b Batch) computeCRC() uint32 { return crc32.Checksum(b[atAttributes:], castagnoli) }
func (b Batch) updateCRC()         { binary.BigEndian.PutUint32(b[atCRC:], b.computeCRC()) }

func (b Batch) int16(at int) int16 { return int16(binary.BigEndian.Uint16(b[at:])) }
func (b Batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) int64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }

func (b Batch) put16(at int, v int16) { binary.BigEndian.PutUint16(b[at:], uint16(v)) }
func (b Batch) put32(at int, v int32) { binary.BigEndian.PutUint32(b[at:], uint32(v)) }
func (b Batch) put64(at int, v int64) { binary.BigEndian.PutUint64(b[at:], uint64(v)) }
