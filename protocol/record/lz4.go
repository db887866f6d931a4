package record

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format v1.5.1 as far as Kafka's own reader goes, so that nothing is stored that Java's consumers cannot
// read: one frame of independent blocks, any block size, block checksums verified, a content checksum skipped.
//
//	magic u32 · flags u8 · block size u8 · [content size u64] · header checksum u8 ·
//	blocks: {size u32 (top bit: stored) · bytes · [checksum u32]} · 0 u32 · [content checksum u32]     little-endian
const (
	lz4Magic      = 0x184d2204
	lz4Version    = 1 << 6
	lz4Blocks     = 1 << 5 // blocks do not refer to earlier ones
	lz4BlockSum   = 1 << 4
	lz4Size       = 1 << 3
	lz4ContentSum = 1 << 2
	lz4Reserved   = 3
	lz4Stored     = 1 << 31

	lz4BlockBytes = 64 << 10 // of the frames that are written, as Kafka's
)

var (
	errLZ4        = errors.New("invalid lz4 frame")
	errLZ4Trailer = errors.New("bytes after the lz4 frame")
)

// lz4Reader decompresses one frame.
type lz4Reader struct {
	in       []byte // what is left
	flags    byte
	maxBlock int
	done     bool
	block    []byte // memory for the current block
	out      []byte // what is left of it
}

func (l *lz4Reader) reset(payload []byte) error {
	*l = lz4Reader{block: l.block}
	if len(payload) < 7 || binary.LittleEndian.Uint32(payload) != lz4Magic {
		return errLZ4
	}
	l.flags = payload[4]
	if l.flags&(3<<6|lz4Blocks|lz4Reserved) != lz4Version|lz4Blocks {
		return errors.New("lz4 frame of another version or with dependent blocks")
	}
	size := payload[5] >> 4
	if size < 4 || size > 7 || payload[5]&0x8f != 0 {
		return errors.New("invalid lz4 block size")
	}
	l.maxBlock = 1 << (8 + 2*size)
	end := 6
	if l.flags&lz4Size != 0 {
		end += 8
	}
	if len(payload) <= end || payload[end] != byte(xxh32(payload[4:end])>>8) {
		return errors.New("wrong checksum of the lz4 frame header")
	}
	l.in = payload[end+1:]
	return nil
}

func (l *lz4Reader) Read(p []byte) (int, error) {
	for len(l.out) == 0 {
		if l.done {
			return 0, io.EOF
		}
		if err := l.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.out)
	l.out = l.out[n:]
	return n, nil
}

func (l *lz4Reader) next() error {
	word, err := l.uint32()
	if err != nil {
		return err
	}
	if word == 0 {
		return l.end()
	}
	size := int(word &^ lz4Stored)
	if size > l.maxBlock {
		return errLZ4
	}
	if size > len(l.in) {
		return io.ErrUnexpectedEOF
	}
	block := l.in[:size]
	l.in = l.in[size:]
	if l.flags&lz4BlockSum != 0 {
		sum, err := l.uint32()
		if err != nil {
			return err
		}
		if sum != xxh32(block) {
			return errors.New("wrong checksum of an lz4 block")
		}
	}
	if word&lz4Stored != 0 {
		l.out = block
		return nil
	}
	// A block grows to 255 times its size at most.
	if room := min(l.maxBlock, 255*size); cap(l.block) < room {
		l.block = make([]byte, room)
	}
	n, err := lz4.UncompressBlock(block, l.block[:min(cap(l.block), l.maxBlock)])
	l.out = l.block[:n]
	return err
}

func (l *lz4Reader) end() error {
	l.done = true
	if l.flags&lz4ContentSum != 0 {
		if _, err := l.uint32(); err != nil {
			return err
		}
	}
	if len(l.in) > 0 {
		return errLZ4Trailer
	}
	return nil
}

func (l *lz4Reader) uint32() (uint32, error) {
	if len(l.in) < 4 {
		return 0, io.ErrUnexpectedEOF
	}
	v := binary.LittleEndian.Uint32(l.in)
	l.in = l.in[4:]
	return v, nil
}

// lz4Writer writes a frame as Kafka's does: 64 KiB blocks, no checksums but the header's.
type lz4Writer struct {
	w       io.Writer
	level   int
	pending []byte // less than a block
	block   []byte
	fast    lz4.Compressor
}

func (l *lz4Writer) reset(w io.Writer, level int) error {
	l.w, l.level, l.pending = w, level, l.pending[:0]
	const flags, blockSize = lz4Version | lz4Blocks, 4 << 4
	header := binary.LittleEndian.AppendUint32(make([]byte, 0, 7), lz4Magic)
	header = append(header, flags, blockSize, byte(xxh32([]byte{flags, blockSize})>>8))
	_, err := w.Write(header)
	return err
}

func (l *lz4Writer) Write(p []byte) (int, error) {
	return writeBlocks(&l.pending, p, lz4BlockBytes, l.writeBlock)
}

func (l *lz4Writer) Close() error {
	if len(l.pending) > 0 {
		if err := l.writeBlock(l.pending); err != nil {
			return err
		}
	}
	_, err := l.w.Write([]byte{0, 0, 0, 0})
	return err
}

func (l *lz4Writer) writeBlock(p []byte) error {
	if l.block == nil {
		l.block = make([]byte, 4+lz4.CompressBlockBound(lz4BlockBytes))
	}
	n, err := l.compress(p, l.block[4:])
	if err != nil {
		return err
	}
	word := uint32(n)
	if n == 0 || n >= len(p) { // does not compress
		n = copy(l.block[4:], p)
		word = uint32(n) | lz4Stored
	}
	binary.LittleEndian.PutUint32(l.block, word)
	_, err = l.w.Write(l.block[:4+n])
	return err
}

// compress maps Kafka's levels: 9, its default, is the fast compressor; others are the high compressor's. The library
// has nine of those where Kafka counts to 17.
func (l *lz4Writer) compress(src, dst []byte) (int, error) {
	if l.level == DefaultLevel || l.level == 9 {
		return l.fast.CompressBlock(src, dst)
	}
	high := lz4.CompressorHC{Level: lz4.CompressionLevel(1 << (8 + max(1, min(l.level, 9))))}
	return high.CompressBlock(src, dst)
}

// writeBlocks cuts what is written into blocks of a size, keeping the rest in pending.
func writeBlocks(pending *[]byte, p []byte, size int, write func([]byte) error) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if len(*pending) == 0 && len(p) >= size {
			if err := write(p[:size]); err != nil {
				return 0, err
			}
			p = p[size:]
			continue
		}
		n := min(len(p), size-len(*pending))
		*pending = append(*pending, p[:n]...)
		p = p[n:]
		if len(*pending) == size {
			if err := write(*pending); err != nil {
				return 0, err
			}
			*pending = (*pending)[:0]
		}
	}
	return written, nil
}
