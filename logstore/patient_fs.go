package logstore

import (
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// patientFS waits a little for a free descriptor where the process has none left: what could not be opened was not
// tried, so nothing is lost by trying it again. A sync of a directory that found none is not a sync that failed.
type patientFS struct {
	vfs.FS
	free func() // lets go of what nobody uses
}

// A call is tried so often, after waits of 1, 2, 4 ms and so on: for two seconds in all.
const patientTries = 12

func (p patientFS) Open(name string) (f vfs.File, err error) {
	err = p.try(func() error { f, err = p.FS.Open(name); return err })
	return f, err
}

func (p patientFS) OpenFile(name string, flag int, perm fs.FileMode) (f vfs.File, err error) {
	err = p.try(func() error { f, err = p.FS.OpenFile(name, flag, perm); return err })
	return f, err
}

func (p patientFS) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = p.try(func() error { entries, err = p.FS.ReadDir(name); return err })
	return entries, err
}

func (p patientFS) SyncDir(name string) error {
	return p.try(func() error { return p.FS.SyncDir(name) })
}

func (p patientFS) try(do func() error) error {
	wait := time.Millisecond
	for tries := 1; ; tries++ {
		err := do()
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) || tries == patientTries {
			return err
		}
		p.free()
		time.Sleep(wait)
		wait *= 2
	}
}
