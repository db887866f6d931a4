package record

// Options say what a Builder puts into the batch's header. NewOptions gives the defaults of a plain batch.
type Options struct {
	Codec         Codec
	Level         int // of the codec, as Kafka counts it; DefaultLevel for the codec's own
	BaseOffset    int64
	LeaderEpoch   int32
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
}

// NewOptions is the header of a batch that no idempotent producer wrote, uncompressed, at offset 0.
func NewOptions() Options {
	return Options{
		Level:         DefaultLevel,
		LeaderEpoch:   NoLeaderEpoch,
		ProducerID:    NoProducerID,
		ProducerEpoch: NoProducerEpoch,
		BaseSequence:  NoSequence,
	}
}

// Builder makes one batch. Records get consecutive offsets.
type Builder struct {
	options Options
	batch   []byte // header, then the records uncompressed
	count   int32
	baseMs  int64
	maxMs   int64
	scratch []byte
}

// NewBuilder begins a batch.
func NewBuilder(o Options) *Builder {
	return &Builder{options: o, batch: make([]byte, HeaderBytes, 512), maxMs: NoTimestamp}
}

// Add appends a record; nil means no key, or no value. It copies what it is given.
func (b *Builder) Add(timestampMs int64, key, value []byte, headers ...Header) {
	if b.count == 0 {
		b.baseMs = timestampMs
	}
	b.maxMs = max(b.maxMs, timestampMs)
	s := append(b.scratch[:0], 0) // attributes
	s = appendVarint(s, timestampMs-b.baseMs)
	s = appendVarint(s, int64(b.count))
	s = appendBytes(s, key)
	s = appendBytes(s, value)
	s = appendVarint(s, int64(len(headers)))
	for _, h := range headers {
		s = appendVarint(s, int64(len(h.Key)))
		s = append(s, h.Key...)
		s = appendBytes(s, h.Value)
	}
	b.scratch = s
	b.batch = appendVarint(b.batch, int64(len(s)))
	b.batch = append(b.batch, s...)
	b.count++
}

// Count is the number of records added.
func (b *Builder) Count() int { return int(b.count) }

// Size is the size of the batch so far, before compression.
func (b *Builder) Size() int { return len(b.batch) }

// Batch finishes the batch and gives it away. A batch without records has no meaning: it panics.
// The builder must not be used after it.
func (b *Builder) Batch() Batch {
	if b.count == 0 {
		panic("record: Builder.Batch without records")
	}
	o := b.options
	attributes := int16(o.Codec)
	if o.Transactional {
		attributes |= transactionalBit
	}
	if o.Control {
		attributes |= controlBit
	}
	batch := Batch(b.batch)
	if o.Codec != None {
		out := append(make([]byte, 0, HeaderBytes+len(b.batch)/2), b.batch[:HeaderBytes]...)
		batch = Compress(out, o.Codec, o.Level, b.batch[HeaderBytes:])
	}
	batch.SetBaseOffset(o.BaseOffset)
	batch.put32(atLength, int32(len(batch)-LogOverheadBytes))
	batch.SetLeaderEpoch(o.LeaderEpoch)
	batch[atMagic] = Magic
	batch.put16(atAttributes, attributes)
	batch.put32(atLastOffsetDelta, b.count-1)
	batch.put64(atBaseTimestamp, b.baseMs)
	batch.put64(atMaxTimestamp, b.maxMs)
	batch.put64(atProducerID, o.ProducerID)
	batch.put16(atProducerEpoch, o.ProducerEpoch)
	batch.put32(atBaseSequence, o.BaseSequence)
	batch.put32(atCount, b.count)
	batch.updateCRC()
	return batch
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return appendVarint(b, -1)
	}
	b = appendVarint(b, int64(len(v)))
	return append(b, v...)
}
