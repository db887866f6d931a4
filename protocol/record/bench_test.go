package record

import (
	"fmt"
	"testing"
)

func benchBatch(codec Codec, records, valueBytes int) Batch {
	o := NewOptions()
	o.Codec = codec
	b := NewBuilder(o)
	value := text(records * valueBytes)
	for i := range records {
		b.Add(1_700_000_000_000+int64(i), fmt.Appendf(nil, "key-%d", i), value[i*valueBytes:(i+1)*valueBytes])
	}
	return b.Batch()
}

func testRules() Rules {
	return Rules{
		MaxBytes: 1048588, ProduceVersion: 13, NowMs: 1_700_000_000_000,
		TimestampBeforeMs: 1<<63 - 1, TimestampAfterMs: 3600_000, Level: DefaultLevel,
	}
}

// ns/op is a record's; checking the checksum is in it.
func BenchmarkValidate(b *testing.B) {
	for codec := None; codec <= Zstd; codec++ {
		for _, size := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", codec, size), func(b *testing.B) {
				records := min(1000, 900_000/size)
				batch := benchBatch(codec, records, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				b.ResetTimer()
				for i := 0; i < b.N; i += records {
					if _, err := Validate(batch, testRules()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	batch := benchBatch(None, 1000, 100)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += 1000 {
		for r, err := range batch.Records(0) {
			if err != nil || len(r.Value) != 100 {
				b.Fatal(err)
			}
		}
	}
}
