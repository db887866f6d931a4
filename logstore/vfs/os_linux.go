package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFd leaves out what fsync adds to fdatasync: a journal commit for nothing but a newer modification time.
func syncFd(fd int) error {
	for {
		err := unix.Fdatasync(fd)
		if err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// dropFd evicts clean pages, those of a failed write among them; dirty ones stay.
func dropFd(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) }
