package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/s2"
)

// Java frames snappy in blocks (the xerial format): 8 bytes of magic, version and compatible version as int32, then
// per block an int32 length and a snappy block. Other clients send one bare snappy block. Both are read, the first is
// written.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHeaderBytes = 16
	xerialVersion     = 1
	xerialBlockBytes  = 32 << 10
)

var errSnappy = errors.New("invalid snappy block")

// snappyReader decompresses either form.
type snappyReader struct {
	in       []byte // what is left
	framed   bool
	maxBytes int
	block    []byte // memory for the current block
	out      []byte // what is left of it
}

func (s *snappyReader) reset(payload []byte, maxBytes int) error {
	s.in, s.out, s.maxBytes = payload, nil, maxBytes
	s.framed = len(payload) >= xerialHeaderBytes && bytes.HasPrefix(payload, xerialMagic)
	if !s.framed {
		return nil
	}
	if compatible := binary.BigEndian.Uint32(payload[12:]); compatible < xerialVersion {
		return errors.New("unknown version of the xerial format")
	}
	s.in = payload[xerialHeaderBytes:]
	return nil
}

func (s *snappyReader) Read(p []byte) (int, error) {
	for len(s.out) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

func (s *snappyReader) next() error {
	if len(s.in) == 0 {
		return io.EOF
	}
	block := s.in
	if s.framed {
		if len(block) < 4 || uint64(binary.BigEndian.Uint32(block)) > uint64(len(block)-4) {
			return io.ErrUnexpectedEOF
		}
		length := binary.BigEndian.Uint32(block)
		block = block[4 : 4+length]
	}
	s.in = s.in[len(block):]
	if s.framed {
		s.in = s.in[4:]
	}
	size, err := snappySize(block)
	if err != nil {
		return err
	}
	if size > s.maxBytes {
		return ErrTooLarge
	}
	if cap(s.block) < size {
		s.block = make([]byte, max(size, xerialBlockBytes))
	}
	s.out, err = s2.Decode(s.block[:size], block)
	return err
}

// snappySize walks over a block's elements and returns what they add up to, which must be what the block claims: no
// memory is taken for a claim. It refuses what the decoder would take beyond snappy (a copy from offset 0 is an
// extension of s2), because consumers' decoders would stop there.
func snappySize(block []byte) (int, error) {
	claim, n := binary.Uvarint(block)
	if n <= 0 || claim > 1<<32-1 {
		return 0, errSnappy
	}
	size := 0
	for b := block[n:]; len(b) > 0; {
		var length, offset, skip int
		switch tag := int(b[0]); tag & 3 {
		case 0: // literal; lengths from 61 stand in 1 to 4 bytes of their own
			length, offset, skip = tag>>2+1, -1, 1
			if extra := length - 60; extra > 0 {
				if len(b) <= extra {
					return 0, errSnappy
				}
				length = 1
				for i := range extra {
					length += int(b[1+i]) << (8 * i)
				}
				skip += extra
			}
			skip += length
		case 1:
			if len(b) < 2 {
				return 0, errSnappy
			}
			length, offset, skip = tag>>2&7+4, tag>>5<<8|int(b[1]), 2
		case 2:
			if len(b) < 3 {
				return 0, errSnappy
			}
			length, offset, skip = tag>>2+1, int(binary.LittleEndian.Uint16(b[1:])), 3
		case 3:
			if len(b) < 5 {
				return 0, errSnappy
			}
			length, offset, skip = tag>>2+1, int(binary.LittleEndian.Uint32(b[1:])), 5
		}
		if offset == 0 || offset > size || skip > len(b) {
			return 0, errSnappy
		}
		size += length
		b = b[skip:]
	}
	if uint64(size) != claim {
		return 0, errSnappy
	}
	return size, nil
}

// snappyWriter writes the framed form.
type snappyWriter struct {
	w       io.Writer
	pending []byte // less than a block
	block   []byte
}

func (s *snappyWriter) reset(w io.Writer) error {
	s.w, s.pending = w, s.pending[:0]
	header := append(make([]byte, 0, xerialHeaderBytes), xerialMagic...)
	header = binary.BigEndian.AppendUint32(header, xerialVersion)
	header = binary.BigEndian.AppendUint32(header, xerialVersion)
	_, err := w.Write(header)
	return err
}

func (s *snappyWriter) Write(p []byte) (int, error) {
	return writeBlocks(&s.pending, p, xerialBlockBytes, s.writeBlock)
}

func (s *snappyWriter) Close() error {
	if len(s.pending) == 0 {
		return nil
	}
	return s.writeBlock(s.pending)
}

func (s *snappyWriter) writeBlock(p []byte) error {
	if s.block == nil {
		s.block = make([]byte, 4+s2.MaxEncodedLen(xerialBlockBytes))
	}
	encoded := s2.EncodeSnappy(s.block[4:], p)
	binary.BigEndian.PutUint32(s.block, uint32(len(encoded)))
	_, err := s.w.Write(s.block[:4+len(encoded)])
	return err
}
