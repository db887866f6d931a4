package record

import "testing"

// TestSelectionOfLogAppendTime: under LogAppendTime every record keeps the batch's time, whatever the base is.
func TestSelectionOfLogAppendTime(t *testing.T) {
	for _, codec := range []Codec{None, Gzip, Snappy, LZ4, Zstd} {
		o := NewOptions()
		o.Codec, o.BaseOffset = codec, 7
		build := NewBuilder(o)
		for i := range 5 {
			build.Add(1000+int64(i), []byte{byte(i)}, nil)
		}
		b := build.Batch()
		b.setTimestamp(true, 9000)
		var s Selection
		if err := s.Select(b, 0, func(r Record) bool { return r.Key[0]%2 == 0 }); err != nil {
			t.Fatal(err)
		}
		if s.Count() != 3 || s.All() || !s.HasTombstone() {
			t.Fatalf("%s: took %d", codec, s.Count())
		}
		for _, horizon := range []int64{NoDeleteHorizon, 5000, 500_000_000} {
			got := Batch(s.AppendTo([]byte("before"), horizon)[len("before"):])
			if err := got.CheckCRC(); err != nil {
				t.Fatal(err)
			}
			at, has := got.DeleteHorizon()
			if has != (horizon >= 0) || has && at != horizon || !got.IsLogAppendTime() || got.MaxTimestamp() != 9000 || got.LastOffset() != 11 || got.Codec() != codec {
				t.Errorf("%s horizon %d: %d (%t), attributes %b, newest %d, last %d", codec, horizon, at, has, got.Attributes(), got.MaxTimestamp(), got.LastOffset())
			}
			next := int64(7)
			for r, err := range got.Records(0) {
				if err != nil || r.Offset != next || r.Timestamp != 9000 || int64(r.Key[0]) != next-7 {
					t.Fatalf("%s horizon %d: %+v, %v", codec, horizon, r, err)
				}
				next += 2
			}
		}
	}
}

// TestSelectionBounds: what decompresses to more than the bound is not looked into.
func TestSelectionBounds(t *testing.T) {
	o := NewOptions()
	o.Codec = Zstd
	build := NewBuilder(o)
	build.Add(1, []byte("k"), make([]byte, 1<<20))
	var s Selection
	if err := s.Select(build.Batch(), 1000, func(Record) bool { return true }); err != ErrTooLarge {
		t.Errorf("error %v", err)
	}
}
