package full

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ottla/ottla/integration/launch"
	"golang.org/x/sys/unix"
)

// disk is a small file system.
type disk struct {
	t     *testing.T
	mount string
}

const diskBytes = 96 << 20

// kinds are what disks are made of.
var kinds = map[string]func(t *testing.T, mount string) error{
	"tmpfs": func(_ *testing.T, mount string) error {
		return unix.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes))
	},
	"ext4": func(t *testing.T, mount string) error {
		launch.NeedProgram(t, "mkfs.ext4")
		image := filepath.Join(t.TempDir(), "image")
		if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, diskBytes)); err != nil {
			return err
		}
		if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", image).CombinedOutput(); err != nil {
			return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
		}
		if out, err := exec.Command("mount", "-o", "loop", image, mount).CombinedOutput(); err != nil {
			return fmt.Errorf("mount: %w: %s", err, out)
		}
		return nil
	},
}

// newDisk mounts one for the time of a test.
func newDisk(t *testing.T, kind string) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		launch.Skip(t, "filling a disk needs root, for a file system of its own")
	}
	d := &disk{t, t.TempDir()}
	if err := kinds[kind](t, d.mount); err != nil {
		launch.Skip(t, "filling a disk needs a file system of its own: "+err.Error())
	}
	t.Cleanup(func() { _ = unix.Unmount(d.mount, unix.MNT_DETACH) }) // after the broker's end, which is started later
	return d
}

// others has other software take so many bytes of the disk, or all that there are.
func (d *disk) others(bytes int64) (name string) {
	d.t.Helper()
	f, err := os.CreateTemp(d.mount, "others")
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for taken := int64(0); taken < bytes; taken += int64(len(block)) {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			if len(block) == 1 {
				break
			}
			block, taken = block[:len(block)/2], 0
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
	return f.Name()
}

func (d *disk) free() int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(d.mount, &s); err != nil {
		d.t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}
