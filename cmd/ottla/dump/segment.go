package dump

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// tally sums a segment up.
type tally struct {
	batches, records int64
	first, next      int64 // offsets; next is one past the last
	oldest, newest   int64 // of the batches' largest timestamps
	end              int64 // position behind the last batch
	wrong            int
}

func newTally(base int64) tally {
	return tally{first: -1, next: base, oldest: math.MaxInt64, newest: record.NoTimestamp}
}

func (t *tally) add(b logstore.SegmentBatch) {
	if t.first < 0 {
		t.first = b.Base
	}
	t.batches++
	t.records++
	if b.Header != nil {
		t.records += int64(b.Header.Count()) - 1
	}
	t.next = b.Last + 1
	t.end = b.Position + b.Size
	t.newest = max(t.newest, b.MaxTimestamp)
	t.oldest = min(t.oldest, b.MaxTimestamp)
}

func (t *tally) fields() []field {
	fields := []field{{"batches", t.batches}, {"records", t.records}}
	if t.batches > 0 {
		fields = append(fields, field{"firstOffset", t.first}, field{"nextOffset", t.next},
			field{"oldest", millis(t.oldest)}, field{"newest", millis(t.newest)})
	}
	return append(fields, field{"wrong", t.wrong})
}

// segment prints the batches of a segment, and of Kafka's metadata snapshots, which are written alike.
func (d *dumper) segment(name string, base int64) error {
	t := newTally(max(base, 0))
	visit := func(file vfs.File, b logstore.SegmentBatch) {
		d.batch(b)
		if d.Records && b.Checksum == nil {
			d.records(file, name, b)
		}
	}
	if err := d.walk(name, &t, visit); err != nil {
		return err
	}
	d.line(1, "end", t.fields()...)
	return nil
}

// walk goes over a segment from its beginning, tells of what is wrong, and goes on behind it. The error is the disk's.
func (d *dumper) walk(name string, t *tally, visit func(vfs.File, logstore.SegmentBatch)) error {
	file, err := d.FS.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	r := logstore.ReadSegment(file, 0, info.Size())
	defer r.Close()
	say := func(position int64, err error) {
		t.wrong++
		d.problem(position, err)
	}
	for {
		position := r.Position()
		b, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, record.ErrCorrupt):
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%d bytes are left, less than the batch that begins here", info.Size()-position)
			}
		case err != nil:
			return err
		case b.Base < t.next:
			err = fmt.Errorf("offset %d does not follow %d", b.Base, t.next-1)
		case b.Checksum != nil:
			if !follows(file, b, info.Size()) {
				err = b.Checksum // the length may be what is wrong
				break
			}
			say(position, b.Checksum)
			fallthrough
		default:
			t.add(b)
			visit(file, b)
			continue
		}
		next, searchErr := nextBatch(file, position+1, info.Size(), t.next)
		if searchErr != nil {
			return searchErr
		}
		say(position, fmt.Errorf("%w: %d bytes hold no batch", err, next-position))
		r.GoTo(next)
	}
}

// follows tells whether another batch begins where b ends, or the segment ends there.
func follows(file io.ReaderAt, b logstore.SegmentBatch, size int64) bool {
	r := logstore.ReadSegment(file, b.Position+b.Size, size)
	defer r.Close()
	next, err := r.Next()
	return errors.Is(err, io.EOF) || err == nil && next.Base > b.Last
}

// nextBatch looks for the next position at which a batch begins that is whole, has a good checksum, and no offset below
// from; the segment's size if there is none.
func nextBatch(file io.ReaderAt, position, size, from int64) (int64, error) {
	const overlap = record.HeaderBytes
	window := make([]byte, min(1<<20, max(0, size-position)))
	for position < size {
		n, err := file.ReadAt(window[:min(int64(len(window)), size-position)], position)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		last := n - overlap // the last place at which a header stands in the window whole
		for i := 0; i <= last; i++ {
			length, err := record.Peek(window[i:])
			if err != nil || int64(length) > size-position-int64(i) {
				continue
			}
			if base := record.Batch(window[i:]).BaseOffset(); base < from || base-from > math.MaxInt32 {
				continue
			}
			if isBatch(file, position+int64(i), size) {
				return position + int64(i), nil
			}
		}
		if last < 0 || position+int64(n) >= size {
			return size, nil
		}
		position += int64(last) + 1
	}
	return size, nil
}

func isBatch(file io.ReaderAt, position, size int64) bool {
	r := logstore.ReadSegment(file, position, size)
	defer r.Close()
	b, err := r.Next()
	return err == nil && b.Checksum == nil
}

// batch prints a batch's header.
func (d *dumper) batch(b logstore.SegmentBatch) {
	fields := []field{
		{"position", b.Position}, {"bytes", b.Size}, {"baseOffset", b.Base}, {"lastOffset", b.Last}, {"magic", b.Magic},
	}
	crc := field{"crc", "ok"}
	if b.Checksum != nil {
		crc.value = "WRONG"
	}
	h := b.Header
	if h == nil {
		d.line(1, "message", append(fields, field{"maxTimestamp", millis(b.MaxTimestamp)}, crc)...)
		return
	}
	fields = append(fields,
		field{"count", h.Count()},
		field{"leaderEpoch", h.LeaderEpoch()},
		field{"codec", h.Codec().String()},
		field{"baseTimestamp", millis(h.BaseTimestamp())},
		field{"maxTimestamp", millis(h.MaxTimestamp())},
		field{"logAppendTime", h.IsLogAppendTime()})
	if h.HasProducerID() || d.json {
		fields = append(fields, field{"producerId", h.ProducerID()}, field{"producerEpoch", h.ProducerEpoch()},
			field{"baseSequence", h.BaseSequence()}, field{"lastSequence", h.LastSequence()})
	}
	fields = append(fields, field{"transactional", h.IsTransactional()}, field{"control", h.IsControl()})
	if horizon, ok := h.DeleteHorizon(); ok {
		fields = append(fields, field{"deleteHorizon", millis(horizon)})
	}
	d.line(1, "batch", append(fields, crc)...)
}
