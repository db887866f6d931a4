// Package record reads, checks and writes Kafka's record batches, format v2: what a producer sends, what stands in a
// segment file and what a consumer receives are the same bytes.
//
//	batch.go     Batch: a view of one batch, its header fields, the few that may be patched in place
//	next.go      Next: one batch after the other in a run of bytes
//	records.go   Record: iterating over a batch's records
//	walk.go      the walk over the lengths of every record of a batch, in a window of fixed size
//	validate.go  Validate: everything that Produce checks before a batch is appended
//	rewrite.go   the few batches that cannot be kept as they came: another codec, odd inner offsets
//	selection.go Selection: a batch made of some of another's records, as compaction leaves it
//	codec.go     the codecs' names; compress.go, decompress.go: gzip, snappy, lz4 and zstd, with a cap on what comes out
//	builder.go   Builder: batches for coordinators, tools and tests
//	control.go   control batches: transaction markers, leader change
//
// Layout of a batch, big-endian. The checksum covers attributes to the end, so that a broker can set the base offset
// and the leader epoch without computing it again.
//
//	 0 baseOffset int64        21 attributes int16        43 producerId int64
//	 8 batchLength int32       23 lastOffsetDelta int32   51 producerEpoch int16
//	12 leaderEpoch int32       27 baseTimestamp int64     53 baseSequence int32
//	16 magic int8 = 2          35 maxTimestamp int64      57 recordCount int32
//	17 crc uint32 (CRC-32C)                               61 records, one compressed block if the codec is not none
//
// A record: length varint (of what follows) · attributes int8 · timestampDelta varlong · offsetDelta varint ·
// keyLength varint (-1 null) · key · valueLength varint (-1 null) · value · headerCount varint ·
// headerCount × {keyLength varint · key · valueLength varint (-1 null) · value}. All varints are zigzag.
//
// Source: org.apache.kafka.common.record.DefaultRecordBatch and DefaultRecord.
package record
