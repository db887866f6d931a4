package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
)

// A file that cannot be written or read takes its partition offline, no more: one bad sector is not a bad disk. But each
// such error has the directory probed: a small file is written, synced, and read back past the cache. If that fails too,
// the directory is offline, with all its partitions, until a restart.

// health is what a Store knows of its disk.
type health struct {
	offline atomic.Pointer[offlineError]
	probing atomic.Bool
}

// Err is why the directory is offline, nil while it is not.
func (s *Store) Err() error {
	if e := s.health.offline.Load(); e != nil {
		return e.err
	}
	return nil
}

// suspect has the disk probed, off the caller's path, if err can be its fault.
func (s *Store) suspect(err error) {
	if isDiskTrouble(err) && s.Err() == nil && s.probing.CompareAndSwap(false, true) {
		s.timers.after(0, s.probe)
	}
}

// isDiskTrouble tells of an error that the operating system gave, other than a shortage.
func isDiskTrouble(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && !isShortage(err)
}

// probe finds out whether the directory can still be written and read.
func (s *Store) probe() {
	defer s.probing.Store(false)
	if err := s.tryDisk(); err != nil && !isShortage(err) {
		s.goOffline(err)
	}
}

func (s *Store) tryDisk() error {
	name, want := join(s.dir, probeName), bytes.Repeat([]byte("probe "), 512)
	f, err := s.fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	got := make([]byte, len(want))
	_, err = f.WriteAt(want, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		vfs.DropCache(f)
		_, err = f.ReadAt(got, 0)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s was read back as other bytes than were written", name)
	}
	return errors.Join(s.fs.Remove(name), s.syncRoot())
}

// goOffline gives the directory up, with every log in it: nothing is written there any more.
func (s *Store) goOffline(cause error) {
	err := fmt.Errorf("data directory %s is offline until a restart: %w", s.dir, cause)
	s.naming.Lock() // nothing is created meanwhile
	fell := s.health.offline.CompareAndSwap(nil, &offlineError{err})
	logs := s.each()
	s.naming.Unlock()
	if !fell {
		return
	}
	for _, l := range logs {
		l.fall(protocol.Errorf(protocol.KafkaStorageError, "%s: %v", l.tp, err))
	}
	if f := s.events.DirOffline; f != nil {
		f(s.dir, err)
	}
}
