package quorum

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/record"
)

// entry is a change of the metadata: what a raft entry of type command carries.
//
//	Entry v1: version u8 · after i64 · records to the end, each: length uvarint · the record in Kafka's framing
//
// Nothing here has a checksum: the record batch around it does.
type entry struct {
	// after is the offset of the entry that this one was decided on, -1 for none. It is dropped unless that is the last
	// one applied: every node drops it alike.
	after   int64
	records []cluster.Record
}

const entryVersion = 1

// errStale is the answer to an entry that was decided on an older state: it must be decided again.
var errStale = errors.New("decided on an older state")

func (e entry) encode() []byte {
	b := append(make([]byte, 0, 64+64*len(e.records)), entryVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(e.after))
	var scratch []byte
	for _, r := range e.records {
		scratch = record.AppendMetadata(scratch[:0], r)
		b = binary.AppendUvarint(b, uint64(len(scratch)))
		b = append(b, scratch...)
	}
	return b
}

func decodeEntry(b []byte) (entry, error) {
	if len(b) < 9 {
		return entry{}, fmt.Errorf("has %d bytes, too few for a change of the metadata", len(b))
	}
	if b[0] != entryVersion {
		return entry{}, fmt.Errorf("has format %d; this build knows format %d", b[0], entryVersion)
	}
	e := entry{after: int64(binary.BigEndian.Uint64(b[1:]))}
	for b = b[9:]; len(b) > 0; {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return entry{}, fmt.Errorf("record %d has a length past the end", len(e.records))
		}
		r, err := record.ReadMetadata(b[n : n+int(size)])
		if err != nil {
			return entry{}, fmt.Errorf("record %d: %w", len(e.records), err)
		}
		e.records = append(e.records, r)
		b = b[n+int(size):]
	}
	return e, nil
}

// The body of a snapshot:
//
//	Image v1: version u8 · offset i64 · epoch i32 · records to the end, as in an entry
const imageVersion = 1

// recordBytesMax bounds a record read from a snapshot before memory is taken for it.
const recordBytesMax = 64 << 20

// writeImage writes an image and says how many bytes that took.
func writeImage(w io.Writer, image *cluster.Image) (int64, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	b := binary.BigEndian.AppendUint64([]byte{imageVersion}, uint64(image.Offset()))
	b = binary.BigEndian.AppendUint32(b, uint32(image.Epoch()))
	written := int64(len(b))
	_, _ = out.Write(b) // bufio keeps the error for Flush
	var head [binary.MaxVarintLen64]byte
	for r := range image.Records() {
		b = record.AppendMetadata(b[:0], r)
		n := binary.PutUvarint(head[:], uint64(len(b)))
		_, _ = out.Write(head[:n])
		_, _ = out.Write(b)
		written += int64(n + len(b))
	}
	return written, out.Flush()
}

// readImage reads what writeImage wrote.
func readImage(r io.Reader) (*cluster.Image, int64, error) {
	b, err := readImageBody(r)
	if err != nil {
		return nil, 0, err
	}
	image, _, err := cluster.Empty().Apply(b.offset, b.epoch, b.records)
	if err != nil {
		return nil, 0, fmt.Errorf("snapshot: %w", err)
	}
	return image, b.size, nil
}

// imageBody is an image as it is written.
type imageBody struct {
	offset  int64
	epoch   int32
	records []cluster.Record
	size    int64 // bytes
}

func readImageBody(r io.Reader) (body imageBody, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var head [13]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return body, fmt.Errorf("snapshot: %w", err)
	}
	if head[0] != imageVersion {
		return body, fmt.Errorf("snapshot has format %d; this build knows format %d", head[0], imageVersion)
	}
	body.offset, body.epoch = int64(binary.BigEndian.Uint64(head[1:])), int32(binary.BigEndian.Uint32(head[9:]))
	body.size = int64(len(head))
	for {
		length, err := binary.ReadUvarint(in)
		if err == io.EOF {
			return body, nil
		}
		if err != nil || length > recordBytesMax {
			return body, fmt.Errorf("snapshot: record %d has no proper length", len(body.records))
		}
		b := make([]byte, length)
		if _, err := io.ReadFull(in, b); err != nil {
			return body, fmt.Errorf("snapshot: record %d: %w", len(body.records), err)
		}
		rec, err := record.ReadMetadata(b)
		if err != nil {
			return body, fmt.Errorf("snapshot: record %d: %w", len(body.records), err)
		}
		body.records = append(body.records, rec)
		body.size += int64(length)
	}
}
