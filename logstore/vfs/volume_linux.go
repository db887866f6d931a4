package vfs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// osVolume is the root of what is synced. The kernel counts errors of write-back a file system, and an open file
// remembers how far it has heard of them: so the file stays open from before the first write.
type osVolume struct{ root *os.File }

// openVolume refuses where syncfs would be silent about errors: before Linux 5.8 about those of write-back, before 5.17
// about those of the file system's own metadata; and on file systems that stand on others, or on a network, of which
// nobody has shown that they pass errors on.
func openVolume(dir string) (Volume, error) {
	if major, minor := kernelVersion(); major < 5 || major == 5 && minor < 17 {
		return nil, fmt.Errorf("%w: Linux %d.%d does not tell errors of syncfs", errors.ErrUnsupported, major, minor)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return nil, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if s.Type != unix.EXT4_SUPER_MAGIC && s.Type != unix.XFS_SUPER_MAGIC {
		return nil, fmt.Errorf("%w: file system of type %#x", errors.ErrUnsupported, s.Type)
	}
	root, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &osVolume{root}, nil
}

func (v *osVolume) Sync() error {
	return osFile{v.root}.control(func(fd int) error {
		for {
			err := unix.Syncfs(fd)
			if err != unix.EINTR {
				return os.NewSyscallError("syncfs", err)
			}
		}
	})
}

// Pending counts what all programs have written to any disk and the kernel has not.
func (v *osVolume) Pending() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return -1
	}
	var kib int64
	_, rest, _ := strings.Cut(string(text), "\nDirty:")
	if n, _ := fmt.Sscanf(rest, "%d kB", &kib); n != 1 {
		return -1
	}
	return kib << 10
}

func (v *osVolume) Close() error { return v.root.Close() }

func kernelVersion() (major, minor int) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor) // 0 is too old
	}
	return major, minor
}
