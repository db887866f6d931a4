package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// explain says of a data directory that cannot be written what somebody needs to put it right. It is the first of dirs
// that the error names.
func explain(err error, dirs []string) error {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		return err
	}
	dir := dirs[max(slices.IndexFunc(dirs, func(dir string) bool { return strings.Contains(err.Error(), dir) }), 0)]
	path, info := nearest(dir)
	if info == nil {
		return err
	}
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("data directory %s: %s is on a read-only file system: %w", dir, path, err)
	}
	return fmt.Errorf("data directory %s: uid %d must be able to write to %s, which belongs to uid %s with mode %s: %w",
		dir, os.Getuid(), path, owner(info), info.Mode(), err)
}

// nearest is dir, or the nearest directory above it that is there, and what is known of it; nil for nothing.
func nearest(dir string) (string, fs.FileInfo) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return dir, nil
	}
	for {
		info, err := os.Stat(path)
		if err == nil {
			return path, info
		}
		above := filepath.Dir(path)
		if above == path {
			return path, nil
		}
		path = above
	}
}
