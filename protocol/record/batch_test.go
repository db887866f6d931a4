package record

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestBatchFields(t *testing.T) {
	b := make(Batch, HeaderBytes)
	for i := range b {
		b[i] = byte(i) // so that each field reads as its place
	}
	if b.BaseOffset() != 0x0001020304050607 || b.Length() != 0x08090a0b || b.LeaderEpoch() != 0x0c0d0e0f || b.Magic() != 0x10 ||
		b.CRC() != 0x11121314 || b.Attributes() != 0x1516 || b.LastOffsetDelta() != 0x1718191a || b.BaseTimestamp() != 0x1b1c1d1e1f202122 ||
		b.MaxTimestamp() != 0x232425262728292a || b.ProducerID() != 0x2b2c2d2e2f303132 || b.ProducerEpoch() != 0x3334 ||
		b.BaseSequence() != 0x35363738 || b.Count() != 0x393a3b3c {
		t.Errorf("a field is read from the wrong place")
	}
	if b.LastOffset() != 0x0001020304050607+0x1718191a || b.NextOffset() != b.LastOffset()+1 {
		t.Errorf("last offset %x, next %x", b.LastOffset(), b.NextOffset())
	}
	before := bytes.Clone(b)
	b.SetBaseOffset(-2)
	b.SetLeaderEpoch(-3)
	if b.BaseOffset() != -2 || b.LeaderEpoch() != -3 || !bytes.Equal(b[8:12], before[8:12]) || !bytes.Equal(b[16:], before[16:]) {
		t.Errorf("patched: %x", b)
	}
}

func TestBatchFlags(t *testing.T) {
	b := make(Batch, HeaderBytes)
	for attributes, want := range map[int16][5]bool{
		0:       {},
		0x08:    {true},
		0x10:    {false, true},
		0x20:    {false, false, true},
		0x40:    {false, false, false, true},
		^0x78:   {},
		0x78:    {true, true, true, true},
		-0x8000: {},
	} {
		b.put16(atAttributes, attributes)
		b.put64(atBaseTimestamp, 77)
		horizon, ok := b.DeleteHorizon()
		if got := [5]bool{b.IsLogAppendTime(), b.IsTransactional(), b.IsControl(), ok}; got != want || horizon != 77 {
			t.Errorf("attributes %x: %v, want %v; horizon %d", attributes, got, want, horizon)
		}
		if b.Codec() != Codec(attributes&7) {
			t.Errorf("attributes %x: codec %d", attributes, b.Codec())
		}
	}
	b.put64(atProducerID, NoProducerID)
	b.put32(atBaseSequence, NoSequence)
	if b.HasProducerID() || b.LastSequence() != NoSequence {
		t.Error("no producer has an id, or a sequence")
	}
}

func TestSequencesWrap(t *testing.T) {
	for _, test := range [][3]int32{{0, 0, 0}, {0, 5, 5}, {1<<31 - 1, 1, 0}, {1<<31 - 2, 3, 1}, {1<<31 - 1, 1<<31 - 1, 1<<31 - 2}, {-1, 1, 0}} {
		if got := AddSequence(test[0], test[1]); got != test[2] {
			t.Errorf("%d records after %d comes %d, want %d", test[1], test[0], got, test[2])
		}
	}
}

func TestNext(t *testing.T) {
	good := smallBatch(None, 2)
	legacy := bytes.Clone(good[:30])
	legacy[atMagic] = 1
	Batch(legacy).put32(atLength, 18)
	tests := []struct {
		name  string
		bytes []byte
		want  error
		size  int // of the batch, and of what Peek says
	}{
		{"nothing", nil, io.EOF, 0},
		{"one byte", good[:1], io.ErrUnexpectedEOF, 0},
		{"up to magic", good[:16], io.ErrUnexpectedEOF, 0},
		{"half", good[:40], io.ErrUnexpectedEOF, 0},
		{"whole", good, nil, len(good)},
		{"whole, and more", append(bytes.Clone(good), 1, 2, 3), nil, len(good)},
		{"zeros", make([]byte, 100), ErrCorrupt, 0},
		{"legacy", legacy, ErrLegacyFormat, 30},
		{"half of legacy", legacy[:29], io.ErrUnexpectedEOF, 0},
	}
	for _, test := range tests {
		batch, rest, err := Next(test.bytes)
		if !errors.Is(err, test.want) || len(batch) != test.size || len(batch)+len(rest) != len(test.bytes) || cap(batch) != len(batch) {
			t.Errorf("%s: %d and %d bytes, %v", test.name, len(batch), len(rest), err)
		}
	}
	if size, err := Peek(good[:17]); size != len(good) || err != nil {
		t.Errorf("17 bytes tell %d, %v", size, err)
	}
}

// A record's headers are looked at when they are asked for: then lies are an error.
func TestHeadersThatLie(t *testing.T) {
	for name, headers := range map[string][]byte{
		"none":              {},
		"negative":          {1},
		"more than bytes":   {0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0},
		"name of null":      {2, 1, 0},
		"name too long":     {2, 20, 'a', 0},
		"value too long":    {2, 2, 'a', 20},
		"bytes after them":  {2, 2, 'a', 0, 9},
		"bytes after none":  {0, 9},
		"second is missing": {4, 2, 'a', 0},
	} {
		if got, err := (Record{headers: headers}).Headers(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// What iterating says of a batch whose checksum nobody asked for.
func TestRecordsOfDamagedBatches(t *testing.T) {
	whole := smallBatch(None, 3)
	count := func(b Batch) (n int, err error) {
		for _, err := range b.Records(0) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	for at := HeaderBytes; at < len(whole); at++ {
		b := bytes.Clone(whole)
		b[at] = 0xff
		if n, err := count(b); err != nil && !errors.Is(err, ErrCorrupt) || err == nil && n != 3 {
			t.Errorf("0xff at %d: %d records, %v", at, n, err)
		}
		if n, err := count(whole[:at:at]); !errors.Is(err, ErrCorrupt) || n > 2 {
			t.Errorf("cut at %d: %d records, %v", at, n, err)
		}
	}
	if n, err := count(append(bytes.Clone(whole), 0)); !errors.Is(err, ErrCorrupt) || n != 3 {
		t.Errorf("a byte more: %d records, %v", n, err)
	}
	if n, err := count(sealed(5, 1, []byte("x"))); !errors.Is(err, ErrCorrupt) || n != 0 {
		t.Errorf("codec 5: %d records, %v", n, err)
	}
	if n, err := count(sealed(Gzip, 0, nil)); err != nil || n != 0 { // compaction leaves such
		t.Errorf("empty: %d records, %v", n, err)
	}
}
