package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Where the fields of a record batch v2 lie.
const (
	atBaseOffset      = 0
	atLength          = 8
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21
	atLastOffsetDelta = 23
	atProducerID      = 43
	atSequence        = 53
	atCount           = 57
	atRecords         = record.HeaderBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal makes the checksum right: a liar knows how.
func seal(b []byte) []byte {
	if len(b) > atAttributes {
		binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	}
	return b
}

// A batch that lies is answered with a code, and nothing of it is appended.
func TestLyingBatches(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	p := b.dial(t)
	produced(t, p, "t", 10)
	put16 := func(at int, v uint16) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint16(b[at:], v); return seal(b) }
	}
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return seal(b) }
	}
	for _, lie := range []struct {
		name string
		tell func([]byte) []byte
		want protocol.Code
	}{
		{"a null in place of a batch", func([]byte) []byte { return nil }, protocol.InvalidRecord},
		{"no byte", func([]byte) []byte { return []byte{} }, protocol.InvalidRecord},
		{"one byte", func(b []byte) []byte { return b[:1] }, protocol.InvalidRecord},
		{"all but the last byte", func(b []byte) []byte { return b[:len(b)-1] }, protocol.InvalidRecord},
		{"a byte too many", func(b []byte) []byte { return append(b, 0) }, protocol.InvalidRecord},
		{"two batches", func(b []byte) []byte { return append(b, b...) }, protocol.InvalidRecord},
		{"length 0", put32(atLength, 0), protocol.CorruptMessage},
		{"length -1", put32(atLength, 1<<32-1), protocol.CorruptMessage},
		{"length 2³¹-1", put32(atLength, 1<<31-1), protocol.InvalidRecord},
		{"base offset 1", func(b []byte) []byte { b[atBaseOffset+7] = 1; return b }, protocol.InvalidRecord},
		{"base offset -1", func(b []byte) []byte { binary.BigEndian.PutUint64(b, 1<<64-1); return b }, protocol.InvalidRecord},
		{"magic 0", func(b []byte) []byte { b[atMagic] = 0; return b }, protocol.InvalidRecord},
		{"magic 1", func(b []byte) []byte { b[atMagic] = 1; return b }, protocol.InvalidRecord},
		{"magic 3", func(b []byte) []byte { b[atMagic] = 3; return b }, protocol.CorruptMessage},
		{"CRC 0", func(b []byte) []byte { binary.BigEndian.PutUint32(b[atCRC:], 0); return b }, protocol.CorruptMessage},
		{"a bit of a value", func(b []byte) []byte { b[len(b)-2] ^= 1; return b }, protocol.CorruptMessage},
		{"codec 5", put16(atAttributes, 5), protocol.UnsupportedCompressionType},
		{"codec 7", put16(atAttributes, 7), protocol.UnsupportedCompressionType},
		{"gzip that is none", put16(atAttributes, 1), protocol.InvalidRecord},
		{"snappy that is none", put16(atAttributes, 2), protocol.InvalidRecord},
		{"lz4 that is none", put16(atAttributes, 3), protocol.InvalidRecord},
		{"zstd that is none", put16(atAttributes, 4), protocol.InvalidRecord},
		{"a control batch", put16(atAttributes, 0x20), protocol.InvalidRecord},
		{"a transaction's control batch", put16(atAttributes, 0x30), protocol.TransactionalIDAuthorizationFailed},
		{"a transactional batch without an id", put16(atAttributes, 0x10), protocol.TransactionalIDAuthorizationFailed},
		{"count 0", put32(atCount, 0), protocol.InvalidRecord},
		{"count -1", put32(atCount, 1<<32-1), protocol.InvalidRecord},
		{"count 2³¹-1", put32(atCount, 1<<31-1), protocol.InvalidRecord},
		{"last offset delta 2³¹-1", put32(atLastOffsetDelta, 1<<31-1), protocol.InvalidRecord},
		{"last offset delta -1", put32(atLastOffsetDelta, 1<<32-1), protocol.InvalidRecord},
		{"2³¹-1 records in one", func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[atLastOffsetDelta:], 1<<31-2)
			return put32(atCount, 1<<31-1)(b)
		}, protocol.InvalidRecord},
		{"a producer without a sequence", func(b []byte) []byte {
			binary.BigEndian.PutUint64(b[atProducerID:], 1)
			binary.BigEndian.PutUint32(b[atSequence:], 1<<32-1)
			return seal(b)
		}, protocol.InvalidRecord},
		{"a record of negative length", func(b []byte) []byte { b[atRecords] = 1; return seal(b) }, protocol.InvalidRecord},
		{"a record of 0 bytes", func(b []byte) []byte { b[atRecords] = 0; return seal(b) }, protocol.InvalidRecord},
		{"a record beyond the batch", func(b []byte) []byte { b[atRecords] = 0x7e; return seal(b) }, protocol.InvalidRecord},
	} {
		answer := mustAsk[*kmsg.ProduceResponse](t, p, produceTo("t", lie.tell(bytes.Clone(batchOf(10))))).Topics[0].Partitions[0]
		if answer.ErrorCode != int16(lie.want) {
			t.Errorf("%s: %s, want %s", lie.name, protocol.Code(answer.ErrorCode), lie.want)
		}
	}
	if end := readAll(t, p, "t"); end != 1 {
		t.Errorf("the log ends at %d: lies were appended", end)
	}
	produced(t, p, "t", 10)
}

// Batches damaged at random: what the broker takes is sound, and what it refuses leaves nothing.
func TestDamagedBatches(t *testing.T) {
	b := attack(t, nil)
	b.create("t", 1, nil)
	random, _ := seeded(t)
	p := b.dial(t)
	n := scale(5000, 1000, 200_000)
	sound := [][]byte{}
	for codec := record.None; codec <= record.Zstd; codec++ {
		o := record.NewOptions()
		o.Codec = codec
		builder := record.NewBuilder(o)
		for i := range 5 {
			builder.Add(time.Now().UnixMilli()+int64(i), []byte("key"), bytes.Repeat([]byte("value "), 10), record.Header{Key: "h", Value: []byte("v")})
		}
		sound = append(sound, builder.Batch())
	}
	codes := map[protocol.Code]int{}
	appended := int64(0)
	const window = 64
	for done := 0; done < n; done += window {
		var sent [window][]byte
		for i := range sent {
			sent[i] = damaged(random, sound[random.IntN(len(sound))])
			if err := p.send(produceTo("t", sent[i])); err != nil {
				t.Fatal(err)
			}
		}
		for i := range sent {
			_, body, err := p.receive()
			if err != nil {
				t.Fatal(err)
			}
			resp, err := decode(produceTo("t", nil), body)
			if err != nil {
				t.Fatal(err)
			}
			answer := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
			codes[protocol.Code(answer.ErrorCode)]++
			if answer.ErrorCode == 0 {
				if answer.BaseOffset != appended {
					t.Fatalf("appended at %d, where %d is next", answer.BaseOffset, appended)
				}
				appended += int64(binary.BigEndian.Uint32(sent[i][atCount:]))
			}
		}
	}
	t.Logf("FIGURE %d damaged batches: %v", n, codes)
	if end := readAll(t, b.dial(t), "t"); end != appended {
		t.Errorf("the log ends at %d, acknowledged were %d", end, appended)
	}
	if codes[protocol.UnknownServerError] > 0 || codes[protocol.None] == 0 || codes[protocol.CorruptMessage] == 0 || codes[protocol.InvalidRecord] == 0 {
		t.Errorf("the damage does not test much: %v", codes)
	}
}

func damaged(random *rand.Rand, sound []byte) []byte {
	b := bytes.Clone(sound)
	for range 1 + random.IntN(3) {
		at := random.IntN(len(b))
		switch random.IntN(6) {
		case 0:
			b = b[:max(at, 1)]
		case 1:
			b = append(b, b[at:]...)
		default:
			b[at] = []byte{b[at] ^ 1<<random.IntN(8), 0, 0xff, 0x7f, 0x80, byte(random.Uint32())}[random.IntN(6)]
		}
	}
	if random.IntN(8) > 0 {
		seal(b)
	}
	return b
}

// Small batches that decompress to very much, many at once.
func TestDecompressionBombs(t *testing.T) {
	b := attack(t, map[string]string{"message.max.bytes": fmt.Sprint(16 << 20)})
	b.create("t", 1, nil)
	b.works("before the attack")
	const zeros = 256 << 20 // four times what a batch may decompress to
	var bombs []kmsg.Request
	for codec := record.Gzip; codec <= record.Zstd; codec++ {
		payload := record.Compress(nil, codec, record.DefaultLevel, make([]byte, zeros))
		t.Logf("%s: %d zeros in %d bytes", codec, zeros, len(payload))
		for _, count := range []uint32{1, 1<<31 - 1} {
			batch := bytes.Clone(batchOf(0))[:atRecords]
			batch = append(batch, payload...)
			binary.BigEndian.PutUint32(batch[atLength:], uint32(len(batch)-atLength-4))
			binary.BigEndian.PutUint16(batch[atAttributes:], uint16(codec))
			binary.BigEndian.PutUint32(batch[atCount:], count)
			binary.BigEndian.PutUint32(batch[atLastOffsetDelta:], count-1)
			bombs = append(bombs, produceTo("t", seal(batch)))
		}
	}
	g := b.watchMemory()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			p, err := b.dialed()
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Close()
			resp, err := p.ask(bombs[i%len(bombs)])
			if err != nil {
				t.Error(err)
				return
			}
			switch code := protocol.Code(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode); code {
			case protocol.MessageTooLarge, protocol.InvalidRecord:
			default:
				t.Errorf("a bomb was answered with %s", code)
			}
		})
	}
	all.Wait()
	g.below(t, 128<<20, "16 decompression bombs of 256 MiB")
	if end := readAll(t, b.dial(t), "t"); end != 0 {
		t.Errorf("the log ends at %d: bombs were appended", end)
	}
}
