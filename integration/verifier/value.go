package verifier

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	valueBytes  = 200
	valueHeader = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// value is what a record says of itself: crc32c u32 of what follows · producer u32 · number u64, big-endian, then padding.
func value(producer int, number int64) []byte {
	v := make([]byte, valueBytes)
	binary.BigEndian.PutUint32(v[4:], uint32(producer))
	binary.BigEndian.PutUint64(v[8:], uint64(number))
	for i := valueHeader; i < len(v); i++ {
		v[i] = byte(number + int64(i))
	}
	binary.BigEndian.PutUint32(v, crc32.Checksum(v[4:], castagnoli))
	return v
}

// recordOf reads what a record says of itself. One that is not whole has a negative number.
func recordOf(r *kgo.Record) Record {
	at := Place{r.Topic, r.Partition, r.Offset}
	if len(r.Value) != valueBytes || binary.BigEndian.Uint32(r.Value) != crc32.Checksum(r.Value[4:], castagnoli) {
		return Record{at, -1, -1}
	}
	return Record{at, int(binary.BigEndian.Uint32(r.Value[4:])), int64(binary.BigEndian.Uint64(r.Value[8:]))}
}

func (r Record) String() string {
	if r.Number < 0 {
		return fmt.Sprintf("%s: a damaged record", r.Place)
	}
	return fmt.Sprintf("%s: producer %d's number %d", r.Place, r.Producer, r.Number)
}

func (p Place) String() string { return fmt.Sprintf("%s-%d offset %d", p.Topic, p.Partition, p.Offset) }
