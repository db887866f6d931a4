package protocol

import "io"

// Part is a piece of an encoded response: bytes in memory, or a range of a file that is sent without being copied.
type Part struct {
	// Bytes are the piece, unless File is set.
	Bytes []byte
	// File, Off and Len name a range of a segment file. Whoever made the part keeps the file open until it is released.
	File FileRange
	Off  int64
	Len  int64
}

// FileRange is what a part needs of a file: a descriptor for sendfile where there is one, and ReadAt where there is none.
type FileRange interface {
	io.ReaderAt
	Fd() (uintptr, bool)
}

// Size is the length of the piece in bytes.
func (p Part) Size() int64 {
	if p.File != nil {
		return p.Len
	}
	return int64(len(p.Bytes))
}
