package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/ottla/ottla/logstore/vfs"
)

// DirPlan is what a start would do with a data directory. Rows and what is done are those of RECOVERY.md.
type DirPlan struct {
	Dir string `json:"dir"`
	// InUse: a process has the directory, and changes it. What is said here was true of single files for a moment.
	InUse   bool       `json:"inUse"`
	Refused string     `json:"refused,omitempty"` // why the directory would not be opened; Logs are not looked at then
	Clean   bool       `json:"clean"`             // it was closed cleanly
	Files   []FilePlan `json:"files"`             // of the directory itself
	Logs    []LogPlan  `json:"logs"`
}

// FilePlan is what would be done with one file.
type FilePlan struct {
	Name  string `json:"name"`
	Row   string `json:"row"`
	Do    string `json:"do"`
	Why   string `json:"why,omitempty"`
	Quiet bool   `json:"quiet,omitempty"` // the ordinary course of things
}

// LogPlan is what would be done with a partition.
type LogPlan struct {
	Topic         string     `json:"topic"`
	Partition     int32      `json:"partition"`
	Row           string     `json:"row"`
	Do            string     `json:"do"`
	Why           string     `json:"why,omitempty"`
	RecoveryPoint int64      `json:"recoveryPoint"` // -1: none is known
	Start         int64      `json:"logStart"`
	End           int64      `json:"logEnd"`
	Segments      int        `json:"segments"`
	CutBytes      int64      `json:"cutBytes"`
	ReadBytes     int64      `json:"readBytes"` // to find this out, as a start would
	Files         []FilePlan `json:"files"`
}

// PlanOf says what a start would do with a data directory, and does nothing: not a byte is written, and no lock file is
// made where there is none. While it looks it holds the directory's lock, so that nobody starts meanwhile; if somebody
// has it, it looks all the same and says so. What OpenDirs finds by comparing several directories it does not know.
func PlanOf(dir string, o Options) (p DirPlan, err error) {
	if o.FS == nil {
		o.FS = vfs.OS()
	}
	lock, inUse, err := lockIfThere(o.FS, join(dir, lockName))
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	o.FS, o.Events = readOnly{o.FS}, Events{}
	s := newStore(dir, o)
	found, err := inspectRoot(s.fs, dir)
	if err != nil {
		return p, err
	}
	root := decideRoot(found, o.ClusterID, o.NodeID)
	p = DirPlan{Dir: dir, InUse: inUse, Clean: root.clean, Files: showFiles(root.files)}
	if root.refuse != nil {
		p.Refused = root.refuse.Error()
		return p, nil
	}
	s.clean = root.clean
	slices.SortFunc(found.partitions, compareTopicPartitions)
	p.Logs = make([]LogPlan, len(found.partitions))
	logs, at := make([]*Log, len(p.Logs)), map[*Log]int{}
	for i, tp := range found.partitions {
		logs[i] = s.newLog(tp)
		at[logs[i]] = i
	}
	return p, inParallel(logs, 2*runtime.GOMAXPROCS(0), func(l *Log) error {
		p.Logs[at[l]] = l.show(found.known)
		return nil
	})
}

// lockIfThere takes the lock of a directory that was in use before. Without a lock file nobody has it.
func lockIfThere(fsys vfs.FS, name string) (lock io.Closer, inUse bool, err error) {
	if _, err = fsys.Stat(name); err == nil {
		lock, err = fsys.Lock(name)
	}
	switch {
	case err == nil:
		return lock, false, nil
	case errors.Is(err, vfs.ErrLocked):
		return noLock{}, true, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return noLock{}, false, nil // who may not write may still look
	}
	return nil, false, err
}

type noLock struct{}

func (noLock) Close() error { return nil }

// show inspects and decides, as load does.
func (l *Log) show(known checkpoints) LogPlan {
	out := LogPlan{Topic: l.tp.Topic, Partition: l.tp.Partition, RecoveryPoint: offsetOf(known.points, l.tp)}
	swap, listing, err := l.readSwap()
	if err == nil && !swap.empty() {
		out.Row, out.Do = "interrupted-compaction", "finish"
		out.Why = fmt.Sprintf("%d files are removed, %d get their names; what that leaves is looked at then", len(swap.unfinished)+len(swap.remove), len(swap.logs)+len(swap.indexes))
		return out
	}
	var f facts
	if err == nil {
		f, err = l.store.inspect(l, known, listing)
	}
	for i := range f.segments {
		if seg := f.segments[i].seg; seg != nil {
			seg.handle.drop()
		}
	}
	if err != nil {
		out.Row, out.Do, out.Why = "unreadable", string(doOffline), err.Error()
		return out
	}
	p := decide(f)
	out.Row, out.Do, out.Why = p.row.label, string(p.row.do), p.why
	out.Start, out.End, out.Segments, out.CutBytes, out.ReadBytes = p.start, p.end, p.keep, p.cut, f.read
	if p.offline != nil {
		out.Row, _, _ = strings.Cut(p.offline.Error(), ":")
		out.Do, out.Why, out.CutBytes = string(doOffline), p.offline.Error(), 0
	}
	out.Files = showFiles(p.files)
	return out
}

func showFiles(files []filePlan) []FilePlan {
	out := make([]FilePlan, 0, len(files))
	for _, f := range files {
		shown := FilePlan{f.name, f.row.label, string(f.row.do), f.row.says, f.row.quiet}
		if f.err != nil {
			shown.Why = f.err.Error()
		}
		out = append(out, shown)
	}
	return out
}

// String is the plan as text: a line for each log, and for what is not the ordinary course of things.
func (p DirPlan) String() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s: ", p.Dir)
	switch {
	case p.Refused != "":
		fmt.Fprintf(b, "refused: %s\n", p.Refused)
	case p.Clean:
		fmt.Fprintf(b, "closed cleanly, %d logs\n", len(p.Logs))
	default:
		fmt.Fprintf(b, "not closed cleanly, %d logs\n", len(p.Logs))
	}
	if p.InUse {
		b.WriteString("  in use by a process that changes it: this was true of single files for a moment\n")
	}
	writeFilePlans(b, p.Files)
	for _, l := range p.Logs {
		fmt.Fprintf(b, "%s-%d: %s: %s offsets [%d, %d) segments=%d recoveryPoint=%d cutBytes=%d readBytes=%d", l.Topic, l.Partition, l.Do, l.Row, l.Start, l.End, l.Segments, l.RecoveryPoint, l.CutBytes, l.ReadBytes)
		if l.Why != "" {
			fmt.Fprintf(b, ": %s", l.Why)
		}
		b.WriteString("\n")
		writeFilePlans(b, l.Files)
	}
	return b.String()
}

func writeFilePlans(b *strings.Builder, files []FilePlan) {
	for _, f := range files {
		if !f.Quiet {
			fmt.Fprintf(b, "  %s: %s: %s: %s\n", f.Name, f.Do, f.Row, f.Why)
		}
	}
}

// readOnly is a file system that cannot be changed.
type readOnly struct{ vfs.FS }

func (r readOnly) refused(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: syscall.EROFS}
}

func (r readOnly) OpenFile(name string, flag int, _ fs.FileMode) (vfs.File, error) {
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		return nil, r.refused("open", name)
	}
	return r.Open(name)
}

func (r readOnly) OpenPastCache(name string) (vfs.File, error) { return vfs.PastCache(r.FS, name) }

func (r readOnly) MkdirAll(name string, _ fs.FileMode) error { return r.refused("mkdir", name) }
func (r readOnly) Rename(name, _ string) error               { return r.refused("rename", name) }
func (r readOnly) Remove(name string) error                  { return r.refused("remove", name) }
func (r readOnly) RemoveAll(name string) error               { return r.refused("remove", name) }
func (r readOnly) SyncDir(name string) error                 { return r.refused("sync", name) }
