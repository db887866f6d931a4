package logstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/ottla/ottla/logstore/mutant"
	"github.com/ottla/ottla/logstore/vfs"
)

// maxSmallFile bounds what is read into memory whole: checkpoints, snapshots, properties.
const maxSmallFile = 256 << 20

// replaceFile makes data the content of a file, or leaves the old content: a crash never shows half of it. The content
// is synced; the name counts after a SyncDir of its directory.
func replaceFile(fs vfs.FS, name string, data []byte) error {
	tmp := name + tmpExt
	if err := writeFile(fs, tmp, data, !mutant.Is(mutant.SkipCheckpointSync)); err != nil {
		return err
	}
	return fs.Rename(tmp, name)
}

// writeFile writes a file of its own. Without sync, whoever reads it after a crash must be able to tell.
func writeFile(fs vfs.FS, name string, data []byte, sync bool) error {
	f, err := fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readFile reads a whole small file.
func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSmallFile {
		return nil, fmt.Errorf("%s: %d bytes is more than such a file can have", name, info.Size())
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if err == io.EOF {
		err = nil
	}
	return data[:n], err
}

// syncFile makes durable what was written to a file by somebody who did not keep it open.
func syncFile(fs vfs.FS, name string) error {
	f, err := fs.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		vfs.DropCache(f)
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// removeFile removes a file that may be gone already.
func removeFile(fs vfs.FS, name string) error {
	if err := fs.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func join(dir, name string) string { return path.Join(dir, name) }

// cutFile makes a file at most size long. A missing one is short enough.
func cutFile(fs vfs.FS, name string, size int64, sync bool) error {
	info, err := fs.Stat(name)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() <= size {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := fs.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if err == nil && sync {
		if err = f.Sync(); err != nil {
			vfs.DropCache(f)
		}
	}
	return errors.Join(err, f.Close())
}
