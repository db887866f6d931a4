//go:build unix && !linux && !darwin

package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

func syncFd(fd int) error { return os.NewSyscallError("fsync", unix.Fsync(fd)) }

func dropFd(int) error { return nil }
