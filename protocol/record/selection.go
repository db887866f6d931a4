package record

// NoDeleteHorizon says that a batch has, or gets, no delete horizon.
const NoDeleteHorizon int64 = -1

// Selection is some of a batch's records, and the batch that is made of them: compaction's work on one batch. Offsets,
// sequence numbers, timestamps, codec, producer and leader epoch stay what they were. The zero value is ready; memory is
// kept from one batch to the next.
type Selection struct {
	batch        Batch
	payload      []byte  // the records, uncompressed
	kept         []piece // of payload, neighbours joined
	count        int32
	maxTimestamp int64
	tombstone    bool

	inflated []byte
	moved    []byte
}

type piece struct{ from, to int }

// keptInflated is how much of what a batch decompressed to is worth holding on to.
const keptInflated = 4 << 20

// Select looks at every record of a batch that is known to be intact, and takes those that keep says. A compressed batch
// is decompressed, to maxBytes at most: ErrTooLarge beyond. A record is valid while keep runs.
func (s *Selection) Select(b Batch, maxBytes int, keep func(Record) bool) error {
	s.batch, s.payload, s.kept = b, b[HeaderBytes:], s.kept[:0]
	s.count, s.maxTimestamp, s.tombstone = 0, NoTimestamp, false
	if cap(s.inflated) > keptInflated {
		s.inflated = nil
	}
	if b.Codec() != None && b.Count() > 0 {
		var err error
		if s.inflated, err = Decompress(s.inflated[:0], b.Codec(), s.payload, maxBytes); err != nil {
			return err
		}
		s.payload = s.inflated
	}
	base, baseMs, maxMs, logAppendTime := b.BaseOffset(), b.BaseTimestamp(), b.MaxTimestamp(), b.IsLogAppendTime()
	at, rest := 0, s.payload
	for i := range b.Count() {
		r, after, ok := cutRecord(rest)
		if !ok {
			return corruptRecord(b, i)
		}
		next := at + len(rest) - len(after)
		r.Offset += base
		r.Timestamp += baseMs
		if logAppendTime {
			r.Timestamp = maxMs
		}
		if keep(r) {
			s.take(r, at, next)
		}
		at, rest = next, after
	}
	if len(rest) != 0 {
		return trailingBytes(b, len(rest))
	}
	return nil
}

func (s *Selection) take(r Record, from, to int) {
	if n := len(s.kept); n > 0 && s.kept[n-1].to == from {
		s.kept[n-1].to = to
	} else {
		s.kept = append(s.kept, piece{from, to})
	}
	s.count++
	s.maxTimestamp = max(s.maxTimestamp, r.Timestamp)
	s.tombstone = s.tombstone || r.Value == nil
}

// Count is how many records were taken.
func (s *Selection) Count() int32 { return s.count }

// All tells whether every record was taken.
func (s *Selection) All() bool { return s.count == s.batch.Count() }

// HasTombstone tells whether a record without a value is among those taken.
func (s *Selection) HasTombstone() bool { return s.tombstone }

// AppendTo appends the batch of the records that were taken, at least one, to dst. With a horizon, which the batch must
// not have already, it is written into the batch: its records' timestamps then count from there (KIP-534).
func (s *Selection) AppendTo(dst []byte, horizonMs int64) []byte {
	at := len(dst)
	dst = append(dst, s.batch[:HeaderBytes]...)
	switch {
	case s.batch.Codec() != None:
		dst = Compress(dst, s.batch.Codec(), DefaultLevel, s.gather(horizonMs))
	case horizonMs != NoDeleteHorizon:
		dst = s.appendMoved(dst, horizonMs)
	default:
		for _, p := range s.kept {
			dst = append(dst, s.payload[p.from:p.to]...)
		}
	}
	batch := Batch(dst[at:])
	batch.put32(atLength, int32(len(batch)-LogOverheadBytes))
	batch.put32(atCount, s.count)
	if horizonMs != NoDeleteHorizon {
		batch.put16(atAttributes, batch.Attributes()|deleteHorizonBit)
		batch.put64(atBaseTimestamp, horizonMs)
	}
	if !batch.IsLogAppendTime() {
		batch.put64(atMaxTimestamp, s.maxTimestamp)
	}
	batch.updateCRC()
	return dst
}

// gather is the records that were taken, in one piece.
func (s *Selection) gather(horizonMs int64) []byte {
	switch {
	case horizonMs != NoDeleteHorizon:
		s.moved = s.appendMoved(s.moved[:0], horizonMs)
		return s.moved
	case len(s.kept) == 1:
		return s.payload[s.kept[0].from:s.kept[0].to]
	}
	s.moved = s.moved[:0]
	for _, p := range s.kept {
		s.moved = append(s.moved, s.payload[p.from:p.to]...)
	}
	return s.moved
}

// appendMoved appends the records with timestamps that count from another base.
func (s *Selection) appendMoved(dst []byte, baseMs int64) []byte {
	by := s.batch.BaseTimestamp() - baseMs
	for _, p := range s.kept {
		for at := p.from; at < p.to; {
			length, n := varint32(s.payload[at:])
			body := s.payload[at+n : at+n+int(length)]
			at += n + int(length)
			delta, m := varint64(body[1:])
			moved := delta + by
			if s.batch.IsLogAppendTime() {
				moved = s.batch.MaxTimestamp() - baseMs
			}
			dst = appendVarint(dst, int64(int(length)-m+sizeVarint(moved)))
			dst = append(dst, body[0])
			dst = appendVarint(dst, moved)
			dst = append(dst, body[1+m:]...)
		}
	}
	return dst
}

// AppendEmptied appends b without its records to dst: what stays of a batch whose offsets, or whose producer's sequence
// numbers, must not be lost.
func AppendEmptied(dst []byte, b Batch) []byte {
	at := len(dst)
	dst = append(dst, b[:HeaderBytes]...)
	e := Batch(dst[at:])
	e.put32(atLength, HeaderBytes-LogOverheadBytes)
	e.put16(atAttributes, b.Attributes()&^(codecMask|deleteHorizonBit))
	e.put64(atBaseTimestamp, NoTimestamp)
	e.put32(atCount, 0)
	e.updateCRC()
	return dst
}
