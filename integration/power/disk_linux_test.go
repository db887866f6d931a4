package power

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"golang.org/x/sys/unix"
)

// disk is an ext4 file system in a file.
type disk struct {
	image, mount string
	options      string // of mount
}

// diskBytes is the size of the file system; its file has holes.
const diskBytes = 2 << 30

// newDisk makes a file system and mounts it for the time of a test. options are those of mount beside loop.
func newDisk(t *testing.T, options string) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		launch.Skip(t, "a power cut needs root, for a file system of its own")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		launch.Skip(t, "a power cut needs loop devices: "+err.Error())
	}
	launch.NeedProgram(t, "mkfs.ext4")
	dir := t.TempDir()
	d := &disk{image: filepath.Join(dir, "image"), mount: filepath.Join(dir, "mount"), options: strings.Trim("loop,"+options, ",")}
	if err := os.Mkdir(d.mount, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, diskBytes); err != nil {
		t.Fatal(err)
	}
	if err := run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", d.image); err != nil {
		t.Fatal(err)
	}
	if err := d.attach(); err != nil {
		launch.Skip(t, "a power cut needs loop devices: "+err.Error())
	}
	t.Cleanup(func() { _ = unix.Unmount(d.mount, unix.MNT_DETACH) }) // runs after the broker's end, which was started later
	return d
}

// dataDir is where a broker's data goes: a folder of its own, as lost+found is none of a broker's.
func (d *disk) dataDir() string { return filepath.Join(d.mount, "data") }

func (d *disk) attach() error { return run("mount", "-o", d.options, d.image, d.mount) }

// Source: linux/fs/ext4/ext4.h.
const (
	ioctlShutdown  = 0x8004587d
	shutdownNoSync = 2 // EXT4_GOING_FLAGS_NOLOGFLUSH
)

// cut takes the power away: from now on nothing reaches the disk, and who tries to write or sync gets EIO.
func (d *disk) cut() error {
	f, err := os.Open(d.mount)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.IoctlSetPointerInt(int(f.Fd()), ioctlShutdown, shutdownNoSync)
}

// freeze stops a process as a power cut would, at once: it may be in the middle of system calls, but none of its threads goes on
// with what they return. That matters, as the kernel answers an fdatasync in which the cut comes with success, though what it
// was to write is lost: a machine without power could not have told anybody.
func freeze(pid int) error {
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		return err
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil || time.Now().After(end) {
			return fmt.Errorf("process %d does not stop: %v", pid, err)
		}
		if !slices.ContainsFunc(threads, runs) {
			return nil
		}
	}
}

// runs tells whether a thread may still come to run code of its process: it is neither stopped nor in the middle of I/O,
// after which it will stop.
func runs(stat string) bool {
	text, err := os.ReadFile(stat)
	if err != nil {
		return false // it has ended
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return !slices.Contains([]string{"T", "t", "D", "Z", "X"}, fields[0])
}

// boot mounts what a cut has left. No process has a file of it open any more.
func (d *disk) boot() error {
	err := unix.Unmount(d.mount, 0)
	for end := time.Now().Add(10 * time.Second); err == unix.EBUSY && time.Now().Before(end); err = unix.Unmount(d.mount, 0) {
		time.Sleep(time.Millisecond) // the kernel is still closing what the killed process had open
	}
	if err != nil {
		return fmt.Errorf("umount %s: %w", d.mount, err)
	}
	return d.attach()
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// TestTheCutLoses: what was synced stays, what was not is gone. Otherwise the other tests would prove nothing.
func TestTheCutLoses(t *testing.T) {
	d := newDisk(t, "")
	write := func(name string, sync bool) {
		f, err := os.Create(filepath.Join(d.mount, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString("text"); err != nil {
			t.Fatal(err)
		}
		if sync {
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("synced", true)
	write("not-synced", false)
	if err := d.cut(); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Create(filepath.Join(d.mount, "after")); err == nil {
		f.Close()
		t.Error("a file was made after the cut")
	}
	if err := d.boot(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(d.mount, "synced")); err != nil || string(text) != "text" {
		t.Errorf("what was synced is %q: %v", text, err)
	}
	for _, name := range []string{"not-synced", "after"} {
		if _, err := os.Stat(filepath.Join(d.mount, name)); err == nil {
			t.Errorf("%s has survived", name)
		}
	}
}
