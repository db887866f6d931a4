package record

import (
	"bytes"
	"io"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

var kgoCodecs = map[Codec]kgo.CompressionCodec{
	Gzip: kgo.GzipCompression(), Snappy: kgo.SnappyCompression(), LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression(),
}

// What franz-go's client compresses is read, and what is compressed here is read by franz-go, at every level.
func TestCodecsAgreeWithFranzGo(t *testing.T) {
	noise := make([]byte, 200_000)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(noise)
	levels := map[Codec][]int{
		Gzip:   {DefaultLevel, -1, 1, 5, 9},
		Snappy: {DefaultLevel},
		LZ4:    {DefaultLevel, 1, 3, 9, 17},
		Zstd:   {DefaultLevel, -131072, -5, 1, 3, 9, 22},
	}
	for name, plain := range map[string][]byte{"nothing": {}, "byte": {1}, "text": text(300_000), "block": text(64 << 10), "noise": noise, "zeros": make([]byte, 300_000)} {
		for codec, theirs := range kgoCodecs {
			compressor, err := kgo.DefaultCompressor(theirs)
			if err != nil {
				t.Fatal(err)
			}
			compressed, _ := compressor.Compress(new(bytes.Buffer), plain)
			if got, err := Decompress(nil, codec, compressed, 0); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s of %s by franz-go: %v", codec, name, err)
			}
			for _, level := range levels[codec] {
				compressed := Compress([]byte("before"), codec, level, plain)
				if !bytes.HasPrefix(compressed, []byte("before")) {
					t.Errorf("%s does not append", codec)
				}
				if len(plain) > 0 {
					got, err := kgo.DefaultDecompressor().Decompress(compressed[6:], kgo.CompressionCodecType(codec))
					if err != nil || !bytes.Equal(got, plain) {
						t.Errorf("%s of %s at level %d, by franz-go: %v", codec, name, level, err)
					}
				}
				got, err := Decompress(nil, codec, compressed[6:], 0)
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s of %s at level %d: %v", codec, name, level, err)
				}
				if name == "text" && len(compressed) > len(plain)/2 {
					t.Errorf("%s at level %d makes %d of %d", codec, level, len(compressed), len(plain))
				}
			}
		}
	}
}

// Frames as other clients write them: any block size, checksums of blocks and of the whole, the size up front.
func TestLZ4Frames(t *testing.T) {
	plain := text(5 << 20)
	for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb} {
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		if err := w.Apply(lz4.BlockSizeOption(size), lz4.BlockChecksumOption(true), lz4.ChecksumOption(true), lz4.SizeOption(uint64(len(plain)))); err != nil {
			t.Fatal(err)
		}
		w.Write(plain)
		w.Close()
		got, err := Decompress(nil, LZ4, out.Bytes(), 0)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("blocks of %v: %v", size, err)
		}
		for _, at := range []int{4, 5, 10, 14, 100, out.Len() / 2} { // header, checksum of it, a block's checksum
			damaged := bytes.Clone(out.Bytes())
			damaged[at] ^= 4
			if got, err := Decompress(nil, LZ4, damaged, 0); err == nil && !bytes.Equal(got, plain) {
				t.Errorf("blocks of %v: damage at %d was not seen", size, at)
			}
		}
	}
}

func TestCodecNames(t *testing.T) {
	for codec := None; codec <= Zstd; codec++ {
		if got, err := ParseCodec(codec.String()); err != nil || got != codec {
			t.Errorf("%s: %v, %v", codec, got, err)
		}
	}
	if got, err := ParseCodec("uncompressed"); err != nil || got != None {
		t.Errorf("uncompressed: %v, %v", got, err)
	}
	if _, err := ParseCodec("producer"); err == nil {
		t.Error("producer is no codec")
	}
	if got := Codec(6).String(); got != "codec 6" {
		t.Error(got)
	}
}

func BenchmarkRecompress(b *testing.B) {
	batch := benchBatch(Zstd, 900, 1000)
	for to := None; to <= LZ4; to++ {
		b.Run(to.String(), func(b *testing.B) {
			rules := testRules()
			rules.Recompress, rules.Codec = true, to
			b.SetBytes(900_000)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Validate(batch, rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// An idle decoder holds no more than a producer of zstd's level 3 needs.
func TestDecodersLetGoOfLargeWindows(t *testing.T) {
	var frame bytes.Buffer
	lz4Frame := lz4.NewWriter(&frame) // of blocks of 4 MiB
	lz4Frame.Write(text(3 << 20))
	lz4Frame.Close()
	for codec, payload := range map[Codec][]byte{Snappy: s2.EncodeSnappy(nil, text(3<<20)), LZ4: frame.Bytes()} {
		d := new(decoder)
		r, err := d.open(codec, payload, 4<<20)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != 3<<20 {
			t.Fatalf("%s: %d, %v", codec, n, err)
		}
		if d.forget(); d.snappy.block != nil || d.lz4.block != nil {
			t.Errorf("%s: a block of %d was kept", codec, cap(d.snappy.block)+cap(d.lz4.block))
		}
	}
	for window, kept := range map[int]bool{1 << 20: true, 2 << 20: true, 4 << 20: false, 8 << 20: false} {
		frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, byte(bits.Len(uint(window))-1-10) << 3, 5<<3 | 1, 0, 0, 'h', 'e', 'l', 'l', 'o'}
		d := new(decoder)
		r, err := d.open(Zstd, frame, 100)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != "hello" {
			t.Fatalf("%q, %v", b, err)
		}
		if d.forget(); (d.zstd != nil) != kept {
			t.Errorf("window of %d: kept %t", window, d.zstd != nil)
		}
	}
}
