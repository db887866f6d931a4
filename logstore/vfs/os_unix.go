//go:build unix

package vfs

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func lockFd(fd int) error {
	err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return os.NewSyscallError("flock", err)
}

func chtimesFd(fd int, mtime time.Time) error {
	t := unix.NsecToTimeval(mtime.UnixNano())
	return os.NewSyscallError("futimes", unix.Futimes(fd, []unix.Timeval{t, t}))
}

func diskUsage(name string) (total, available uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	block := uint64(s.Bsize)
	return s.Blocks * block, s.Bavail * block, nil
}
