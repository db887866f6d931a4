package record

import (
	"encoding/binary"
	"fmt"
	"io"
)

// legacyMinBytes is the least size of a v0 message: offset, length, crc, magic, attributes, null key, null value.
const legacyMinBytes = 26

// Next cuts the first batch off b. It checks lengths and the format, not the checksum and not the records.
//
// At the end of b the error is io.EOF; for a batch that b does not hold whole, io.ErrUnexpectedEOF; for bytes that no
// batch begins with, one that wraps ErrCorrupt. For a message of format v0 or v1 it is ErrLegacyFormat, and batch is
// the message: only BaseOffset and Length may be asked of it.
func Next(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, io.EOF
	}
	size, err := Peek(b)
	if err != nil && err != ErrLegacyFormat {
		return nil, b, err
	}
	if size > len(b) {
		return nil, b, io.ErrUnexpectedEOF
	}
	return Batch(b[:size:size]), b[size:], err
}

// Peek is the size of the batch that begins b, from its first 17 bytes, whether or not b holds the rest.
// Its errors are Next's.
func Peek(b []byte) (size int, err error) {
	if len(b) <= atMagic {
		return 0, io.ErrUnexpectedEOF
	}
	length := int32(binary.BigEndian.Uint32(b[atLength:]))
	size = LogOverheadBytes + int(length)
	switch magic := int8(b[atMagic]); {
	case magic == 0 || magic == 1:
		if length < legacyMinBytes-LogOverheadBytes {
			return 0, fmt.Errorf("%w: a message of %d bytes", ErrCorrupt, length)
		}
		return size, ErrLegacyFormat
	case magic != Magic:
		return 0, fmt.Errorf("%w: format v%d is unknown", ErrCorrupt, magic)
	case length < HeaderBytes-LogOverheadBytes:
		return 0, fmt.Errorf("%w: length %d is less than a header", ErrCorrupt, length)
	}
	return size, nil
}
