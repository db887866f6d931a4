package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/ottla/ottla/protocol"
)

const now = 1_700_000_000_000 // of testRules

func smallBatch(codec Codec, records int) Batch {
	o := NewOptions()
	o.Codec = codec
	b := NewBuilder(o)
	for i := range records {
		b.Add(now+int64(i), []byte("k"), []byte("v"))
	}
	return b.Batch()
}

// sealed is a batch of raw bytes as records, with the header of a good one.
func sealed(codec Codec, count int32, payload []byte) Batch {
	b := Batch(append(bytes.Clone(smallBatch(None, 1)[:HeaderBytes]), payload...))
	b.put32(atLength, int32(len(b)-LogOverheadBytes))
	b.put16(atAttributes, int16(codec))
	b.put32(atLastOffsetDelta, count-1)
	b.put32(atCount, count)
	b.updateCRC()
	return b
}

// patched is b with change made and the checksum right.
func patched(b Batch, change func(b Batch)) Batch {
	b = bytes.Clone(b)
	change(b)
	b.updateCRC()
	return b
}

func TestValidateRefuses(t *testing.T) {
	plain := smallBatch(None, 3)
	tests := []struct {
		name  string
		batch []byte
		rules func(*Rules)
		want  protocol.Code
	}{
		{"nothing", nil, nil, protocol.InvalidRecord},
		{"less than a header up to magic", plain[:16], nil, protocol.InvalidRecord},
		{"part of a batch", plain[:70], nil, protocol.InvalidRecord},
		{"two batches", append(bytes.Clone(plain), plain...), nil, protocol.InvalidRecord},
		{"bytes after the batch", append(bytes.Clone(plain), 1, 2, 3), nil, protocol.InvalidRecord},
		{"format v0", patched(plain, func(b Batch) { b[atMagic] = 0 }), nil, protocol.InvalidRecord},
		{"format v1", patched(plain, func(b Batch) { b[atMagic] = 1 }), nil, protocol.InvalidRecord},
		{"format v3", patched(plain, func(b Batch) { b[atMagic] = 3 }), nil, protocol.CorruptMessage},
		{"length below a message's", patched(plain, func(b Batch) { b.put32(atLength, 5) }), nil, protocol.CorruptMessage},
		{"length below a header's", patched(plain, func(b Batch) { b.put32(atLength, 48) }), nil, protocol.CorruptMessage},
		{"negative length", patched(plain, func(b Batch) { b.put32(atLength, -16) }), nil, protocol.CorruptMessage},
		{"zstd in an old request", smallBatch(Zstd, 1), func(r *Rules) { r.ProduceVersion = 6 }, protocol.UnsupportedCompressionType},
		{"base offset", patched(plain, func(b Batch) { b.SetBaseOffset(3) }), nil, protocol.InvalidRecord},
		{"too large", plain, func(r *Rules) { r.MaxBytes = len(plain) - 1 }, protocol.MessageTooLarge},
		{"checksum", func() []byte { b := bytes.Clone(plain); b[len(b)-1]++; return b }(), nil, protocol.CorruptMessage},
		{"codec 5", patched(plain, func(b Batch) { b.put16(atAttributes, 5) }), nil, protocol.UnsupportedCompressionType},
		{"codec 7", patched(plain, func(b Batch) { b.put16(atAttributes, 7) }), nil, protocol.UnsupportedCompressionType},
		{"no records", sealed(None, 0, nil), nil, protocol.InvalidRecord},
		{"negative count", patched(plain, func(b Batch) { b.put32(atCount, -1); b.put32(atLastOffsetDelta, -2) }), nil, protocol.InvalidRecord},
		{"count is not the offsets'", patched(plain, func(b Batch) { b.put32(atCount, 2) }), nil, protocol.InvalidRecord},
		{"offsets wrap", patched(plain, func(b Batch) { b.put32(atCount, -1<<31); b.put32(atLastOffsetDelta, 1<<31-1) }), nil, protocol.InvalidRecord},
		{"one record more than counted", patched(plain, func(b Batch) { b.put32(atCount, 2); b.put32(atLastOffsetDelta, 1) }), nil, protocol.InvalidRecord},
		{"one record less than counted", patched(plain, func(b Batch) { b.put32(atCount, 4); b.put32(atLastOffsetDelta, 3) }), nil, protocol.InvalidRecord},
		{"2³¹-1 records", patched(plain, func(b Batch) { b.put32(atCount, 1<<31-1); b.put32(atLastOffsetDelta, 1<<31-2) }), nil, protocol.InvalidRecord},
		{"control batch", patched(plain, func(b Batch) { b.put16(atAttributes, controlBit) }), nil, protocol.InvalidRecord},
		{"producer id without sequence", patched(plain, func(b Batch) { b.put64(atProducerID, 5) }), nil, protocol.InvalidRecord},
		{"transaction without producer id", patched(plain, func(b Batch) { b.put16(atAttributes, transactionalBit) }), nil, protocol.InvalidRecord},
		{"offset delta of a record", patched(plain, func(b Batch) { b[HeaderBytes+3] = 2 }), nil, protocol.InvalidRecord},
		{"record length too long", patched(plain, func(b Batch) { b[HeaderBytes] += 2 }), nil, protocol.InvalidRecord},
		{"record length too short", patched(plain, func(b Batch) { b[HeaderBytes] -= 2 }), nil, protocol.InvalidRecord},
		{"record length negative", patched(plain, func(b Batch) { b[HeaderBytes] = 1 }), nil, protocol.InvalidRecord},
		{"key longer than its record", patched(plain, func(b Batch) { b[HeaderBytes+4] = 0x7e }), nil, protocol.InvalidRecord},
		{"value longer than its record", patched(plain, func(b Batch) { b[HeaderBytes+6] = 0x7e }), nil, protocol.InvalidRecord},
		{"value of null where bytes are", patched(plain, func(b Batch) { b[HeaderBytes+6] = 1 }), nil, protocol.InvalidRecord},
		{"more headers than bytes", patched(plain, func(b Batch) { b[HeaderBytes+8] = 2 }), nil, protocol.InvalidRecord},
		{"negative number of headers", patched(plain, func(b Batch) { b[HeaderBytes+8] = 1 }), nil, protocol.InvalidRecord},
		{"header without name", sealed(None, 1, []byte{20, 0, 0, 0, 1, 1, 2, 1, 2, 'v', 0}), nil, protocol.InvalidRecord},
		{"varint without end", sealed(None, 1, bytes.Repeat([]byte{0xff}, 20)), nil, protocol.InvalidRecord},
		{"timestamp too late", plain, func(r *Rules) { r.NowMs -= r.TimestampAfterMs + 1 }, protocol.InvalidTimestamp},
		{"timestamp too early", plain, func(r *Rules) { r.TimestampBeforeMs = 10; r.NowMs += 11 }, protocol.InvalidTimestamp},
		{"timestamps wrap", patched(plain, func(b Batch) { b.put64(atBaseTimestamp, 1<<63-2) }), nil, protocol.InvalidTimestamp},
		{"timestamp before all time", patched(plain, func(b Batch) { b.put64(atBaseTimestamp, -1<<63) }), nil, protocol.InvalidTimestamp},
		{"append time set by a client", patched(plain, func(b Batch) { b.put16(atAttributes, logAppendTimeBit) }), func(r *Rules) { r.LogAppendTime = true }, protocol.InvalidTimestamp},
		{"not gzip", sealed(Gzip, 1, []byte("hello, world, hello, world")), nil, protocol.InvalidRecord},
		{"not lz4", sealed(LZ4, 1, []byte("hello, world, hello, world")), nil, protocol.InvalidRecord},
		{"not zstd", sealed(Zstd, 1, []byte("hello, world, hello, world")), nil, protocol.InvalidRecord},
		{"not snappy", sealed(Snappy, 1, []byte("hello, world, hello, world")), nil, protocol.InvalidRecord},
		{"compressed nothing", sealed(Zstd, 1, nil), nil, protocol.InvalidRecord},
	}
	for _, test := range tests {
		rules := testRules()
		if test.rules != nil {
			test.rules(&rules)
		}
		v, err := Validate(test.batch, rules)
		var e *protocol.Error
		if !errors.As(err, &e) || e.Code != test.want || e.Message == "" {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if v.Batch != nil {
			t.Errorf("%s: gave a batch", test.name)
		}
	}
}

// Whatever is cut off or hung on to a compressed payload is refused, and so are counts that lie.
func TestValidateRefusesDamagedCompression(t *testing.T) {
	for codec := Gzip; codec <= Zstd; codec++ {
		whole := benchBatch(codec, 50, 1000)
		payload, count := whole[HeaderBytes:], whole.Count()
		for cut := 1; cut < len(payload); cut += max(1, len(payload)/200) {
			if _, err := Validate(sealed(codec, count, payload[:len(payload)-cut]), testRules()); protocol.CodeOf(err) != protocol.InvalidRecord {
				t.Errorf("%s cut by %d of %d: %v", codec, cut, len(payload), err)
			}
		}
		for _, tail := range [][]byte{{0}, {1, 2, 3, 4, 5, 6}, bytes.Repeat([]byte{0}, 100), payload, xerialMagic} {
			if _, err := Validate(sealed(codec, count, append(bytes.Clone(payload), tail...)), testRules()); protocol.CodeOf(err) != protocol.InvalidRecord {
				t.Errorf("%s with %.10x after it: %v", codec, tail, err)
			}
		}
		for _, lie := range []int32{count - 1, count + 1} {
			if _, err := Validate(sealed(codec, lie, payload), testRules()); protocol.CodeOf(err) != protocol.InvalidRecord {
				t.Errorf("%s of %d records that are %d: %v", codec, lie, count, err)
			}
		}
		nested := Compress(nil, codec, DefaultLevel, payload)
		if _, err := Validate(sealed(codec, count, nested), testRules()); protocol.CodeOf(err) != protocol.InvalidRecord {
			t.Errorf("%s twice: %v", codec, err)
		}
	}
}

func TestValidateRecordErrors(t *testing.T) {
	b := NewBuilder(NewOptions())
	b.Add(now, nil, []byte("no key"))
	b.Add(now, []byte("k"), nil)
	b.Add(now+7200_000, []byte("k"), []byte("late"))
	b.Add(now+7200_000, nil, []byte("no key and late"))
	rules := testRules()
	rules.Compacted = true
	v, err := Validate(b.Batch(), rules)
	if protocol.CodeOf(err) != protocol.InvalidTimestamp || !strings.Contains(err.Error(), "3 of 4 records") {
		t.Errorf("%v", err)
	}
	var got []string
	for _, e := range v.RecordErrors {
		got = append(got, fmt.Sprintf("%d %s", e.Index, e.Message))
	}
	want := "0 a compacted topic takes no record without a key," +
		"2 timestamp 1700007200000 is not within [-9223370336854775807, 1700003600000]," +
		"3 a compacted topic takes no record without a key"
	if strings.Join(got, ",") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ","), want)
	}
}

func TestValidateBoundsRecordErrors(t *testing.T) {
	b := NewBuilder(NewOptions())
	for range 100_000 {
		b.Add(now, nil, nil)
	}
	rules := testRules()
	rules.Compacted = true
	v, err := Validate(b.Batch(), rules)
	if protocol.CodeOf(err) != protocol.InvalidRecord || len(v.RecordErrors) != maxRecordErrors || !strings.Contains(err.Error(), "100000 of 100000") {
		t.Errorf("%d errors, %v", len(v.RecordErrors), err)
	}
}

// What is accepted as it is: the same bytes in the same memory.
func TestValidateKeepsTheBytes(t *testing.T) {
	for codec := None; codec <= Zstd; codec++ {
		b := benchBatch(codec, 100, 100)
		before := bytes.Clone(b)
		v, err := Validate(b, testRules())
		if err != nil {
			t.Fatal(err)
		}
		if &v.Batch[0] != &b[0] || !bytes.Equal(b, before) || v.Rewritten {
			t.Errorf("%s: the batch was changed", codec)
		}
		if v.MaxTimestamp != now+99 || v.MaxTimestampDelta != 99 {
			t.Errorf("%s: max timestamp %d at %d", codec, v.MaxTimestamp, v.MaxTimestampDelta)
		}
	}
}

func TestValidateTimestamps(t *testing.T) {
	records := func(times ...int64) Batch {
		b := NewBuilder(NewOptions())
		for _, ms := range times {
			b.Add(ms, nil, nil)
		}
		return b.Batch()
	}
	tests := []struct {
		name      string
		batch     Batch
		appendMs  bool
		max       int64
		maxDelta  int32
		attribute int16
	}{
		{"the first of two equal", records(now, now+5, now+1, now+5), false, now + 5, 1, 0},
		{"a maximum that lies", patched(records(now, now+5), func(b Batch) { b.put64(atMaxTimestamp, 1) }), false, now + 5, 1, 0},
		{"none", records(NoTimestamp, NoTimestamp), false, NoTimestamp, 0, 0},
		{"before 1970, as Kafka", records(-5000), false, NoTimestamp, 0, 0},
		{"far off, where nothing is too far", records(1<<62, -1<<62), false, 1 << 62, 0, 0},
		{"append time", records(now-5, now-3), true, now, 0, logAppendTimeBit},
		{"append time takes any", records(1<<62, -1<<62), true, now, 0, logAppendTimeBit},
		{"the client's bit is taken off", patched(records(now, now+5), func(b Batch) {
			b.put16(atAttributes, logAppendTimeBit)
			b.put64(atMaxTimestamp, now-999)
		}), false, now + 5, 1, 0},
	}
	for _, test := range tests {
		rules := testRules()
		rules.LogAppendTime = test.appendMs
		rules.TimestampAfterMs = 1<<63 - 1
		v, err := Validate(test.batch, rules)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		b := v.Batch
		if v.MaxTimestamp != test.max || v.MaxTimestampDelta != test.maxDelta || b.MaxTimestamp() != test.max || b.Attributes() != test.attribute {
			t.Errorf("%s: max %d at %d, in the header %d, attributes %x", test.name, v.MaxTimestamp, v.MaxTimestampDelta, b.MaxTimestamp(), b.Attributes())
		}
		if err := b.CheckCRC(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A batch of every codec stored in every codec holds the same records.
func TestValidateRecompresses(t *testing.T) {
	for from := None; from <= Zstd; from++ {
		for to := None; to <= Zstd; to++ {
			for _, appendTime := range []bool{false, true} {
				batch := benchBatch(from, 300, 1000)
				want := describe(t, batch)
				rules := testRules()
				rules.Recompress, rules.Codec, rules.LogAppendTime = true, to, appendTime
				v, err := Validate(batch, rules)
				if err != nil {
					t.Fatalf("%s to %s: %v", from, to, err)
				}
				if v.Batch.Codec() != to || v.Rewritten != (from != to) || v.Batch.IsLogAppendTime() != appendTime {
					t.Errorf("%s to %s: became %s, rewritten %t", from, to, v.Batch.Codec(), v.Rewritten)
				}
				if err := v.Batch.CheckCRC(); err != nil {
					t.Errorf("%s to %s: %v", from, to, err)
				}
				if int(v.Batch.Length()) != len(v.Batch)-LogOverheadBytes {
					t.Errorf("%s to %s: length %d of %d", from, to, v.Batch.Length(), len(v.Batch))
				}
				if appendTime {
					v.Batch.setTimestamp(false, now)
				}
				if got := describe(t, v.Batch); got != want {
					t.Errorf("%s to %s: other records", from, to)
				}
			}
		}
	}
}

func TestValidateChecksTheSizeAfterRecompressing(t *testing.T) {
	batch := benchBatch(Zstd, 300, 1000)
	rules := testRules()
	rules.Recompress, rules.Codec, rules.MaxBytes = true, None, 200_000
	if _, err := Validate(batch, rules); protocol.CodeOf(err) != protocol.MessageTooLarge {
		t.Errorf("%v, want MESSAGE_TOO_LARGE", err)
	}
}

// Old clients numbered the records in a compressed batch as they liked; the batch is written anew.
func TestValidateRenumbers(t *testing.T) {
	for from := Gzip; from <= Zstd; from++ {
		for _, recompress := range []bool{false, true} {
			b := NewBuilder(NewOptions())
			for i := range 200 {
				b.Add(now+int64(i), []byte("key"), text(i), Header{"h", []byte("v")})
			}
			good := b.Batch()
			want := describe(t, good)
			var payload []byte
			rest := good[HeaderBytes:]
			for len(rest) > 0 {
				r, next, ok := cutRecord(rest)
				if !ok {
					t.Fatal("the builder's record cannot be read")
				}
				body := appendVarint([]byte{0}, r.Timestamp)
				body = appendVarint(body, 5-r.Offset*3)
				body = append(appendBytes(appendBytes(body, r.Key), r.Value), r.headers...)
				payload = append(appendVarint(payload, int64(len(body))), body...)
				rest = next
			}
			bad := sealed(from, good.Count(), Compress(nil, from, DefaultLevel, payload))
			rules := testRules()
			rules.Recompress, rules.Codec = recompress, None
			v, err := Validate(bad, rules)
			if err != nil {
				t.Fatalf("%s: %v", from, err)
			}
			if got := describe(t, v.Batch); got != want || !v.Rewritten {
				t.Errorf("%s: rewritten %t\ngot  %.200s\nwant %.200s", from, v.Rewritten, got, want)
			}
			if wantCodec := map[bool]Codec{false: from, true: None}[recompress]; v.Batch.Codec() != wantCodec {
				t.Errorf("%s became %s", from, v.Batch.Codec())
			}
			if _, err := Validate(v.Batch, testRules()); err != nil {
				t.Errorf("%s: what was rewritten is refused: %v", from, err)
			}
		}
	}
}

// Snappy comes framed from Java and bare from others.
func TestValidateTakesBareSnappy(t *testing.T) {
	plain := benchBatch(None, 100, 1000)
	bare := sealed(Snappy, 100, s2.EncodeSnappy(nil, plain[HeaderBytes:]))
	if v, err := Validate(bare, testRules()); err != nil || v.Rewritten {
		t.Fatal(err)
	}
	if describe(t, bare) != describe(t, plain) {
		t.Error("other records")
	}
}

// The library's decoder reads more than snappy, which consumers do not: a copy from offset 0 repeats the last offset.
func TestValidateRefusesS2(t *testing.T) {
	record := []byte("\x20\x00\x00\x00\x01\x14ababababab\x00")
	block := []byte("\x11\x1c\x20\x00\x00\x00\x01\x14ab" + "\x01\x02" + "\x01\x00" + "\x00\x00") // literal, copy, repeat, literal
	if got, err := s2.Decode(nil, block); err != nil || !bytes.Equal(got, record) {
		t.Fatalf("the block is not even s2: %q, %v", got, err)
	}
	if _, err := Validate(sealed(None, 1, record), testRules()); err != nil {
		t.Errorf("the record itself: %v", err)
	}
	if _, err := Validate(sealed(Snappy, 1, block), testRules()); protocol.CodeOf(err) != protocol.InvalidRecord {
		t.Errorf("%v", err)
	}
}

// The cost of a batch is its bytes: no record costs memory.
func TestValidateDoesNotAllocatePerRecord(t *testing.T) {
	for codec := None; codec <= Zstd; codec++ {
		few, many := benchBatch(codec, 10, 100), benchBatch(codec, 5000, 100)
		rules := testRules()
		allocs := func(b Batch) float64 {
			return testing.AllocsPerRun(20, func() {
				if _, err := Validate(b, rules); err != nil {
					t.Fatal(err)
				}
			})
		}
		a, b := allocs(few), allocs(many)
		t.Logf("%s: %v allocations for 10 records, %v for 5000", codec, a, b)
		if codec == None && b != 0 || b > a+3 {
			t.Errorf("%s: %v allocations for 10 records, %v for 5000", codec, a, b)
		}
	}
}

func TestRecordsDoNotAllocate(t *testing.T) {
	b := benchBatch(None, 1000, 100)
	if n := testing.AllocsPerRun(20, func() {
		for _, err := range b.Records(0) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
