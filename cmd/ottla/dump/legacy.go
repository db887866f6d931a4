package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// message prints a message of format v0 or v1. One that is compressed holds others in its value.
func (d *dumper) message(b logstore.SegmentBatch, whole []byte) {
	m, err := logstore.ParseLegacyMessage(whole)
	if err != nil {
		d.problem(b.Position, err)
		return
	}
	codec := record.Codec(m.Attributes & 7)
	if codec == record.None {
		d.legacyRecord(m)
		return
	}
	inside, err := unpack(codec, m)
	for _, one := range inside {
		d.legacyRecord(one)
	}
	if err != nil {
		d.problem(b.Position, fmt.Errorf("the messages inside, packed by %s: %w", codec, err))
	}
}

func (d *dumper) legacyRecord(m logstore.LegacyMessage) {
	d.line(2, "record", field{"offset", m.Offset}, field{"timestamp", millis(m.Timestamp)}, field{"key", m.Key}, field{"value", m.Value})
}

// unpack is the messages inside of a compressed one, as far as they can be read. In format v1 their offsets count from 0,
// and the outer message bears that of the last; with LogAppendTime its timestamp is theirs.
func unpack(codec record.Codec, outer logstore.LegacyMessage) (inside []logstore.LegacyMessage, err error) {
	set, err := record.Decompress(nil, codec, outer.Value, record.DefaultMaxUncompressedBytes)
	if err != nil {
		return nil, err
	}
	r := logstore.ReadSegment(bytes.NewReader(set), 0, int64(len(set)))
	defer r.Close()
	for err == nil {
		var b logstore.SegmentBatch
		if b, err = r.Next(); err != nil {
			break
		}
		if err = b.Checksum; err != nil || b.Header != nil {
			err = errors.Join(err, errors.New("not a message of format v0 or v1"))
			break
		}
		var m logstore.LegacyMessage
		if m, err = logstore.ParseLegacyMessage(set[b.Position : b.Position+b.Size]); err == nil {
			inside = append(inside, m)
		}
	}
	if outer.Timestamp != record.NoTimestamp && len(inside) > 0 {
		const logAppendTime = 1 << 3
		first := outer.Offset - inside[len(inside)-1].Offset
		for i := range inside {
			inside[i].Offset += first
			if outer.Attributes&logAppendTime != 0 {
				inside[i].Timestamp = outer.Timestamp
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return inside, err
}
