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
