package record

import (
	"bytes"
	"fmt"
	"testing"
)

// text is compressible, and larger than a block of any codec.
func text(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, "line %d of some text; ", i*i)
	}
	return b[:n]
}

func TestBuilderRoundTrip(t *testing.T) {
	for codec := None; codec <= Zstd; codec++ {
		t.Run(codec.String(), func(t *testing.T) {
			o := NewOptions()
			o.Codec = codec
			o.BaseOffset = 1000
			o.ProducerID, o.ProducerEpoch, o.BaseSequence = 7, 3, 1<<31-1
			b := NewBuilder(o)
			want := []Record{
				{Offset: 1000, Timestamp: 5000, Key: []byte("k"), Value: text(300_000)},
				{Offset: 1001, Timestamp: 4000, Value: []byte{}},
				{Offset: 1002, Timestamp: 9000, Key: []byte{}, Value: nil},
			}
			for _, r := range want {
				b.Add(r.Timestamp, r.Key, r.Value, Header{"h", []byte("v")}, Header{"", nil})
			}
			batch := b.Batch()
			again, rest, err := Next(append(batch, 1, 2))
			if err != nil || !bytes.Equal(again, batch) || len(rest) != 2 {
				t.Fatalf("Next: %d of %d bytes, %v", len(again), len(batch), err)
			}
			if err := batch.CheckCRC(); err != nil {
				t.Fatal(err)
			}
			if batch.LastOffset() != 1002 || batch.MaxTimestamp() != 9000 || batch.LastSequence() != 1 {
				t.Errorf("last offset %d, max timestamp %d, last sequence %d", batch.LastOffset(), batch.MaxTimestamp(), batch.LastSequence())
			}
			i := 0
			for r, err := range batch.Records(0) {
				if err != nil {
					t.Fatal(err)
				}
				w := want[i]
				if r.Offset != w.Offset || r.Timestamp != w.Timestamp || !bytes.Equal(r.Key, w.Key) || !bytes.Equal(r.Value, w.Value) ||
					(r.Key == nil) != (w.Key == nil) || (r.Value == nil) != (w.Value == nil) {
					t.Errorf("record %d is %+v", i, r)
				}
				headers, err := r.Headers()
				if err != nil || len(headers) != 2 || headers[0].Key != "h" || string(headers[0].Value) != "v" || headers[1].Value != nil {
					t.Errorf("headers %v, %v", headers, err)
				}
				i++
			}
			if i != len(want) {
				t.Errorf("%d records", i)
			}
		})
	}
}
