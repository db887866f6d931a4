package record

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ottla/ottla/protocol"
)

// Rules are what a topic's configuration, the request and the clock say about a batch that a client produces.
type Rules struct {
	MaxBytes       int   // max.message.bytes: of a whole batch, as it came and as it is stored
	ProduceVersion int16 // of the request
	NowMs          int64

	LogAppendTime     bool  // message.timestamp.type
	TimestampBeforeMs int64 // message.timestamp.before.max.ms
	TimestampAfterMs  int64 // message.timestamp.after.max.ms
	Compacted         bool  // cleanup.policy contains compact: every record needs a key

	Recompress bool // compression.type is not "producer": batches of another codec are stored in Codec
	Codec      Codec
	Level      int // compression.<codec>.level, or DefaultLevel

	// MaxUncompressedBytes bounds what a batch may decompress to. 0 stands for DefaultMaxUncompressedBytes, or MaxBytes
	// where that is more.
	MaxUncompressedBytes int
}

// Validated is a batch that may be appended.
type Validated struct {
	Batch Batch // the bytes that were passed, patched in place, or others where they had to be rewritten
	// MaxTimestamp is that of the batch, under LogAppendTime the append's. The offset of the first record that has it
	// is the base offset and MaxTimestampDelta; 0 where no record has a timestamp.
	MaxTimestamp      int64
	MaxTimestampDelta int32
	Rewritten         bool
	// RecordErrors say which records a batch was refused for. They come with an error, and only then.
	RecordErrors []RecordError
}

// RecordError is why one record was refused. Index counts from 0 in its batch.
type RecordError struct {
	Index   int32
	Message string
}

// maxRecordErrors bounds an answer: a batch can hold 100,000 bad records. Clients take those not named as rejected
// along with the named ones, which they are.
const maxRecordErrors = 100

// Validate checks what a client produces to one partition, which must be one batch, and makes it what is to be stored:
// timestamp type and maximum are patched, and a batch of another codec than the topic's is compressed anew. Every
// record is walked over, and decompressed for it, but looked into only for its lengths.
//
// The error is a *protocol.Error. Sources of the rules: ProduceRequest.validateRecords,
// UnifiedLog.analyzeAndValidateRecords, LogValidator. Stricter than Kafka 4.3.1, which misses them: record lengths
// inside compressed batches, offset deltas inside uncompressed ones, bytes after the batch or after the compressed
// records.
func Validate(b []byte, r Rules) (Validated, error) {
	batch, err := only(b)
	if err != nil {
		return Validated{}, err
	}
	if err := checkHeader(batch, r); err != nil {
		return Validated{}, err
	}
	limit := r.MaxUncompressedBytes
	if limit == 0 {
		limit = max(DefaultMaxUncompressedBytes, r.MaxBytes)
	}
	v := validator{batch: batch, rules: r}
	if err := v.walk(limit); err != nil {
		return Validated{}, err
	}
	if v.failed > 0 {
		return Validated{RecordErrors: v.errors}, v.refusal()
	}
	out := Validated{Batch: batch, MaxTimestamp: v.maxMs, MaxTimestampDelta: v.maxDelta}
	codec := batch.Codec()
	if r.Recompress {
		codec = r.Codec
	}
	if codec != batch.Codec() || v.renumber {
		out.Rewritten = true
		if out.Batch, err = rewrite(batch, codec, r.Level, v.renumber, r.MaxBytes, limit); err != nil {
			return Validated{}, v.codecError(err)
		}
	}
	if r.LogAppendTime {
		out.MaxTimestamp, out.MaxTimestampDelta = r.NowMs, 0
	}
	out.Batch.setTimestamp(r.LogAppendTime, out.MaxTimestamp)
	return out, nil
}

// only is the one batch that b must be.
func only(b []byte) (Batch, error) {
	batch, rest, err := Next(b)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, protocol.Errorf(protocol.InvalidRecord, "%d bytes hold no whole record batch", len(b))
	case err == ErrLegacyFormat:
		return nil, protocol.Errorf(protocol.InvalidRecord, "only record batches of format v2 can be written, this is %v; use a newer client", err)
	case err != nil:
		return nil, &protocol.Error{Code: protocol.CorruptMessage, Message: err.Error()}
	case len(rest) > 0:
		return nil, protocol.Errorf(protocol.InvalidRecord, "%d bytes follow the record batch: a partition takes one batch of a request", len(rest))
	}
	return batch, nil
}

// checkHeader is all that can be said without looking at the records, cheapest first, but for the codec of an old
// request, which Kafka asks for before all else.
func checkHeader(b Batch, r Rules) error {
	switch codec := b.Codec(); {
	case codec == Zstd && r.ProduceVersion < 7:
		return protocol.Errorf(protocol.UnsupportedCompressionType, "zstd needs Produce version 7, this is version %d", r.ProduceVersion)
	case b.BaseOffset() != 0:
		return protocol.Errorf(protocol.InvalidRecord, "base offset is %d: a client's batch starts at 0", b.BaseOffset())
	case len(b) > r.MaxBytes:
		return tooLarge(len(b), r)
	case b.computeCRC() != b.CRC():
		return &protocol.Error{Code: protocol.CorruptMessage, Message: b.CheckCRC().Error()}
	case !codec.Valid():
		return protocol.Errorf(protocol.UnsupportedCompressionType, "attributes name %s", codec)
	case b.Count() <= 0:
		return protocol.Errorf(protocol.InvalidRecord, "the batch claims %d records", b.Count())
	case int64(b.LastOffsetDelta())+1 != int64(b.Count()):
		return protocol.Errorf(protocol.InvalidRecord, "last offset delta %d does not fit %d records", b.LastOffsetDelta(), b.Count())
	case b.IsControl():
		return protocol.Errorf(protocol.InvalidRecord, "clients cannot write control batches")
	case b.HasProducerID() && b.BaseSequence() < 0:
		return protocol.Errorf(protocol.InvalidRecord, "producer id %d without a sequence number (%d)", b.ProducerID(), b.BaseSequence())
	case b.IsTransactional() && !b.HasProducerID():
		return protocol.Errorf(protocol.InvalidRecord, "a transactional batch without a producer id")
	}
	return nil
}

func tooLarge(size int, r Rules) error {
	return protocol.Errorf(protocol.MessageTooLarge, "the batch takes %d bytes, max.message.bytes is %d", size, r.MaxBytes)
}

// validator is one walk over a batch.
type validator struct {
	batch    Batch
	rules    Rules
	maxMs    int64
	maxDelta int32
	renumber bool // inner offsets are not 0, 1, 2, …
	errors   []RecordError
	failed   int // records refused, of which errors holds the first
	badTimes bool
}

func (v *validator) walk(limit int) error {
	w := walk{buf: v.batch[HeaderBytes:]}
	if codec := v.batch.Codec(); codec != None {
		d := takeDecoder()
		defer d.giveBack()
		src, err := d.open(codec, v.batch[HeaderBytes:], limit)
		if err != nil {
			return v.codecError(err)
		}
		w = walk{buf: d.window[:0], src: src}
	}
	return v.records(&w)
}

func (v *validator) records(w *walk) error {
	base := v.batch.BaseTimestamp()
	earliest, latest := v.timeRange()
	// On a topic of CreateTime the bit is taken off instead, and the records' own timestamps count.
	foreignClock := v.rules.LogAppendTime && v.batch.IsLogAppendTime()
	v.maxMs = NoTimestamp
	for i := range v.batch.Count() {
		e, err := w.next()
		if err != nil {
			return v.recordError(i, err)
		}
		ms := base + e.timestampDelta
		if ms > v.maxMs {
			v.maxMs, v.maxDelta = ms, i
		}
		switch {
		case v.rules.Compacted && !e.hasKey:
			v.refuse(i, "a compacted topic takes no record without a key")
		case (ms < earliest || ms > latest) && ms != NoTimestamp:
			v.badTimes = true
			v.refuse(i, "timestamp %d is not within [%d, %d]", ms, earliest, latest)
		case foreignClock:
			v.badTimes = true
			v.refuse(i, "only the broker sets the timestamp type LogAppendTime")
		}
		if e.offsetDelta != i {
			if v.batch.Codec() == None {
				return protocol.Errorf(protocol.InvalidRecord, "record %d has offset delta %d", i, e.offsetDelta)
			}
			v.renumber = true
		}
	}
	if err := w.finish(); err != nil {
		return v.codecError(err)
	}
	return nil
}

// timeRange is what a record's timestamp must lie in: [now-before, now+after], or anything under LogAppendTime.
func (v *validator) timeRange() (earliest, latest int64) {
	r := v.rules
	if r.LogAppendTime {
		return math.MinInt64, math.MaxInt64
	}
	if r.TimestampAfterMs > math.MaxInt64-r.NowMs {
		return r.NowMs - r.TimestampBeforeMs, math.MaxInt64
	}
	return r.NowMs - r.TimestampBeforeMs, r.NowMs + r.TimestampAfterMs
}

func (v *validator) refuse(i int32, format string, args ...any) {
	if v.failed++; v.failed <= maxRecordErrors {
		v.errors = append(v.errors, RecordError{Index: i, Message: fmt.Sprintf(format, args...)})
	}
}

func (v *validator) refusal() error {
	code := protocol.InvalidRecord
	if v.badTimes {
		code = protocol.InvalidTimestamp
	}
	first := v.errors[0]
	return protocol.Errorf(code, "%d of %d records are refused; record %d: %s", v.failed, v.batch.Count(), first.Index, first.Message)
}

func (v *validator) recordError(i int32, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return v.codecError(err)
	}
	return protocol.Errorf(protocol.InvalidRecord, "record %d of %d: %v", i, v.batch.Count(), err)
}

func (v *validator) codecError(err error) error {
	if errors.Is(err, ErrTooLarge) {
		return protocol.Errorf(protocol.MessageTooLarge, "the batch takes %d bytes; decompressed or as the topic compresses it, it is larger than is taken", len(v.batch))
	}
	return protocol.Errorf(protocol.InvalidRecord, "%s: %v", v.batch.Codec(), err)
}
