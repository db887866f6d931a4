package errorfs

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
)

// script runs operations of one letter on files: each line is what it said.
func script(f *FS, steps string) string {
	var out []string
	files := map[string]vfs.File{}
	for step := range strings.FieldsSeq(steps) {
		op, name, _ := strings.Cut(step, ":")
		var err error
		var n int
		switch op {
		case "open":
			files[name], err = f.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		case "write":
			n, err = files[name].WriteAt(make([]byte, 100), 0)
		case "read":
			n, err = files[name].ReadAt(make([]byte, 10), 0)
		case "sync":
			err = files[name].Sync()
		case "close":
			err = files[name].Close()
		case "truncate":
			err = files[name].Truncate(1)
		case "chtimes":
			err = files[name].Chtimes(time.Unix(1, 0))
		case "fstat":
			_, err = files[name].Stat()
		case "stat":
			_, err = f.Stat(name)
		case "list":
			_, err = f.ReadDir(name)
		case "mkdir":
			err = f.MkdirAll(name, 0o755)
		case "rename":
			err = f.Rename(name, name+".new")
		case "remove":
			err = f.Remove(name)
		case "removeall":
			err = f.RemoveAll(name)
		case "syncdir":
			err = f.SyncDir(name)
		case "syncfs":
			var v vfs.Volume
			if v, err = f.Volume(name); err == nil {
				err = v.Sync()
			}
		case "lock":
			_, err = f.Lock(name)
		case "usage":
			_, _, err = f.DiskUsage(name)
		default:
			panic(op)
		}
		var errno syscall.Errno
		switch {
		case err == nil:
			out = append(out, "ok")
		case errors.As(err, &errno):
			out = append(out, fmt.Sprint(errnoName(errno)))
		case errors.Is(err, io.ErrShortWrite):
			out = append(out, fmt.Sprint("short:", n))
		default:
			out = append(out, err.Error())
		}
	}
	return strings.Join(out, " ")
}

func errnoName(e syscall.Errno) string {
	for name, err := range errnos {
		if err == e {
			return name
		}
	}
	return e.Error()
}

func TestRules(t *testing.T) {
	tests := []struct{ rules, steps, want string }{
		{"sync of *.log #2 -> EIO", "open:a.log open:b.log sync:a.log sync:b.log sync:a.log", "ok ok ok EIO ok"},
		{"sync of *.log #2+ → EIO", "open:a.log sync:a.log sync:a.log sync:a.log", "ok ok EIO EIO"},
		{"sync of *.log EIO", "open:a.log open:a.index sync:a.log sync:a.index", "ok ok EIO ok"},
		{"write of a after 150 bytes -> short", "open:a write:a write:a write:a", "ok ok short:50 short:0"},
		{"write of a after 250 bytes ENOSPC", "open:a open:b write:a write:b write:a write:a write:b", "ok ok ok ok ok ENOSPC ok"},
		{"write of a #2 -> short", "open:a write:a write:a write:a", "ok ok short:50 ok"},
		{"read of a #1 -> EIO", "open:a write:a read:a read:a", "ok ok EIO ok"},
		{"any of a #3 -> EROFS", "open:a write:a write:a write:a", "ok ok EROFS ok"},
		{"open of d/* -> EMFILE", "mkdir:d open:d/a", "ok EMFILE"},
		{"open of d/* -> EMFILE", "mkdir:d open:a", "ok ok"},
		{"truncate of a EIO;chtimes of a EIO;close of a EIO;stat of a EIO", "open:a truncate:a chtimes:a fstat:a stat:a close:a", "ok EIO EIO EIO EIO EIO"},
		{"mkdir of d EACCES;list of / EIO;usage of / EIO;lock of l EACCES", "mkdir:d list:/ usage:/ lock:l", "EACCES EIO EIO EACCES"},
		{"rename of *.new EIO;syncdir of / EIO;remove of a EIO", "open:a rename:a syncdir:/ remove:a removeall:a", "ok EIO EIO EIO EIO"},
		{"syncfs of / #2 -> EIO", "syncfs:/ syncfs:/ syncfs:/", "ok EIO ok"},
		{"sync of a #1 -> EIO;sync of a #2 -> ENOSPC", "open:a sync:a sync:a sync:a", "ok EIO ENOSPC ok"},
	}
	for _, test := range tests {
		f := New(vfs.NewMem(nil), strings.Split(test.rules, ";")...)
		if got := script(f, test.steps); got != test.want {
			t.Errorf("%s\n%s\ngot  %s\nwant %s\n%q", test.rules, test.steps, got, test.want, f.Fired())
		}
	}
}

func TestRulesThatCannotBeRead(t *testing.T) {
	for _, text := range []string{
		"", "sync of *.log", "sync *.log -> EIO", "fly of * -> EIO", "sync of [ -> EIO", "sync of * #0 -> EIO", "sync of * #x -> EIO",
		"sync of * after 5 bytes -> EIO", "sync of * -> short", "sync of * -> EWHAT", "sync of * -> delay soon", "write of * after x bytes -> EIO",
		"sync of * -> EIO EIO",
	} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(vfs.NewMem(nil), "sync of a #2 -> delay 5s")
		start := time.Now()
		if got := script(f, "open:a sync:a sync:a"); got != "ok ok ok" {
			t.Error(got)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// After a failed sync, as on Linux: reads see the new bytes, the next sync reports success, and a power cut shows that
// it was none.
func TestFailedSyncIsNotMadeGood(t *testing.T) {
	m := vfs.NewMem(nil)
	f := New(m, "sync of a #2 -> EIO")
	if got := script(f, "open:a sync:a syncdir:/ write:a sync:a sync:a"); got != "ok ok ok ok EIO ok" {
		t.Fatal(got)
	}
	size := func(m *vfs.Mem) int64 {
		info, err := m.Stat("a")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if now, after := size(m), size(m.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)); now != 100 || after != 0 {
		t.Errorf("size %d, after a power cut %d", now, after)
	}
}

func TestOnOpSeesEveryOperation(t *testing.T) {
	f := New(vfs.NewMem(nil))
	var ops []string
	f.OnOp(func(op Op) {
		if op.Changes() {
			ops = append(ops, op.String())
		}
	})
	script(f, "mkdir:d open:d/a write:d/a read:d/a sync:d/a close:d/a rename:d/a syncdir:d")
	want := "mkdir d 0,open d/a 0,write d/a 100,sync d/a 0,rename d/a.new 0,syncdir d 0"
	if got := strings.Join(ops, ","); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRulesComeAndGo(t *testing.T) {
	f := New(vfs.NewMem(nil))
	if got := script(f, "open:a sync:a"); got != "ok ok" || len(f.Fired()) != 0 {
		t.Fatal(got, f.Fired())
	}
	f.Add("sync of a #1 -> EIO") // counts from now
	if got := script(f, "open:a sync:a sync:a"); got != "ok EIO ok" || strings.Join(f.Fired(), ",") != "sync of a #1 -> EIO: sync a 0" {
		t.Fatal(got, f.Fired())
	}
	f.Add("any of * -> EIO")
	f.Clear()
	if got := script(f, "mkdir:d open:d/a write:d/a truncate:d/a chtimes:d/a fstat:d/a stat:d/a list:d sync:d/a syncdir:d rename:d/a remove:d/a.new removeall:d lock:l usage:/"); strings.Contains(got, "EIO") {
		t.Fatal(got)
	}
}

func TestDropCacheReachesTheFile(t *testing.T) {
	f := New(vfs.NewMem(nil), "sync of a -> EIO")
	file, err := f.OpenFile("a", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	file.WriteAt([]byte("lost"), 0)
	file.Sync()
	vfs.DropCache(file)
	if info, _ := file.Stat(); info.Size() != 0 {
		t.Errorf("%d bytes", info.Size())
	}
	if r, err := f.Open("a"); err != nil || r.Name() != "a" {
		t.Errorf("%v", err)
	}
}
