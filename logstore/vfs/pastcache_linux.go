package vfs

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// directAlign is what O_DIRECT wants of positions, lengths and memory: the largest block that disks have.
const directAlign = 4096

// OpenPastCache is what PastCache calls.
func (fsys osFS) OpenPastCache(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, syscall.EINVAL) {
		return droppedFirst(fsys, name)
	}
	if err != nil {
		return nil, err
	}
	return directFile{osFile{f}}, nil
}

// directFile reads whole aligned blocks and hands on the part that is asked for.
type directFile struct{ osFile }

const directBytes = 1 << 20

var directBuffers = sync.Pool{New: func() any {
	b := make([]byte, directBytes+directAlign)
	skip := (directAlign - int(uintptr(unsafe.Pointer(&b[0]))%directAlign)) % directAlign
	aligned := b[skip : skip+directBytes]
	return &aligned
}}

func (f directFile) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &os.PathError{Op: "read", Path: f.Name(), Err: syscall.EINVAL}
	}
	buffer := directBuffers.Get().(*[]byte)
	defer directBuffers.Put(buffer)
	for n < len(p) {
		from := (off + int64(n)) &^ (directAlign - 1)
		skip := int(off + int64(n) - from)
		want := min(directBytes, (skip+len(p)-n+directAlign-1)&^(directAlign-1))
		got, err := f.File.ReadAt((*buffer)[:want], from)
		if got > skip {
			n += copy(p[n:], (*buffer)[skip:got])
		}
		if n < len(p) && (err != nil || got < want) {
			if err == nil {
				err = io.EOF
			}
			return n, err
		}
	}
	return n, nil
}
