package logstore_test

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// point is a crash: what was left of the file system, and what it must hold.
type point struct {
	fs       *vfs.Mem
	promises []promise
	what     string
}

// promised is how many records must be there.
func (c point) promised() (records int64) {
	for _, p := range c.promises {
		records += max(0, p.flushed-p.startMin)
	}
	return records
}

// verify opens what a crash left, and holds it against the promises. Some are crashed again: while they recover, and
// as soon as they have.
func (c point) verify(r *rand.Rand) error {
	if err := c.startFull(); err != nil {
		return err
	}
	fs := errorfs.New(c.fs)
	var again []*vfs.Mem
	if r.IntN(4) == 0 {
		at := r.IntN(12)
		fs.OnOp(func(op errorfs.Op) {
			if op.Changes() {
				if at--; at == 0 {
					again = append(again, c.fs.CrashClone(r, pick(r, 0, 50, 100)))
				}
			}
		})
	}
	opened, err := c.check(fs, r, true)
	if err != nil {
		return err
	}
	for _, fs := range again {
		if _, err := (point{fs, c.promises, c.what}).check(fs, r, false); err != nil {
			return fmt.Errorf("after another crash while recovering: %w", err)
		}
	}
	if opened == nil {
		return nil
	}
	// What a log shows when it is open is as good as flushed: readers saw it.
	for i := range c.promises {
		if c.promises[i].mayBeMissing {
			return nil
		}
	}
	if _, err := (point{opened.fs, opened.promises, c.what}).check(opened.fs, r, false); err != nil {
		return fmt.Errorf("after another crash, just recovered: %w", err)
	}
	return nil
}

// check opens, compares, and goes on with the log. It returns what a second crash would leave, and what must be there.
func (c point) check(fs vfs.FS, r *rand.Rand, goOn bool) (opened *point, err error) {
	now := func() time.Time { return time.UnixMilli(1_700_000_100_000) }
	o := logstore.Options{FS: fs, Now: now, NodeID: 1}
	for _, add := range crashOptions {
		add(&o)
	}
	s, err := logstore.Open(crashDir, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	again := &point{fs: c.fs.CrashClone(r, 0)}
	for i, p := range c.promises {
		l := s.Get(logstore.TopicPartition{Topic: "crash", Partition: int32(i)})
		found, err := p.verify(l)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		if l == nil || p.isOlder(l) {
			again.promises = append(again.promises, p)
			continue
		}
		p.restarting = p.restarting || p.headless(l)
		if !p.restarting {
			p.flushed, p.startMin, p.startMax = max(p.flushed, l.End()), l.LogStart(), l.LogStart()
		}
		again.promises = append(again.promises, p)
		if !goOn || p.restarting {
			continue
		}
		if err := lookups(l, found, r); err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
		if err := carriesOn(l); err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return again, nil
}

// listing is every file below dir with its size, and the text of checkpoints.
func listing(fs vfs.FS, dir string) string {
	entries, err := fs.ReadDir(dir)
	if err != nil {
		return err.Error() + "\n"
	}
	var out strings.Builder
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			out.WriteString(listing(fs, name))
			continue
		}
		fmt.Fprintf(&out, "  %s", name)
		f, err := fs.Open(name)
		if err != nil {
			return err.Error() + "\n"
		}
		info, _ := f.Stat()
		if b := make([]byte, info.Size()); strings.Contains(name, "checkpoint") {
			f.ReadAt(b, 0)
			fmt.Fprintf(&out, " %q\n", b)
		} else {
			fmt.Fprintf(&out, " %d\n", len(b))
		}
		f.Close()
	}
	return out.String()
}
