package errorfs

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kinds of operations, as rules and Op name them.
const (
	Open     = "open" // Open and OpenFile
	Read     = "read"
	Write    = "write"
	Truncate = "truncate"
	Sync     = "sync"
	Chtimes  = "chtimes"
	Close    = "close"
	Mkdir    = "mkdir"
	Rename   = "rename" // by its new name
	Remove   = "remove" // Remove and RemoveAll
	SyncDir  = "syncdir"
	SyncFS   = "syncfs" // of a Volume, by the directory that it was opened with
	List     = "list"   // ReadDir
	Stat     = "stat"   // of a name or a file
	Lock     = "lock"
	Usage    = "usage" // DiskUsage

	// Grow is, in rules, what needs room on the disk: writes, and making files and directories.
	Grow = "grow"
)

var kinds = []string{Open, Read, Write, Truncate, Sync, Chtimes, Close, Mkdir, Rename, Remove, SyncDir, SyncFS, List, Stat, Lock, Usage, Grow}

var errnos = map[string]error{
	"EIO":    syscall.EIO,
	"ENOSPC": syscall.ENOSPC,
	"EROFS":  syscall.EROFS,
	"EACCES": syscall.EACCES,
	"EMFILE": syscall.EMFILE,
	"ENOENT": syscall.ENOENT,
	"short":  io.ErrShortWrite,
}

// rule is one line, parsed, and what it has counted. FS.mu guards the counters.
type rule struct {
	text    string
	kind    string // "" for any
	glob    string
	nth     int   // 0: every
	onwards bool  // the nth and all later
	after   int64 // bytes that pass before it acts; -1 where it does not count bytes
	err     error // nil for a delay alone
	delay   time.Duration
	kill    bool

	seen  int
	bytes int64
}

// Check tells what is wrong with a rule.
func Check(text string) error {
	_, err := parse(text)
	return err
}

// parse reads a rule. The grammar stands in the package's documentation.
func parse(text string) (*rule, error) {
	bad := func(what string) error { return fmt.Errorf("errorfs: rule %q: %s", text, what) }
	words := slices.DeleteFunc(strings.Fields(text), func(w string) bool { return w == "->" || w == "→" })
	if len(words) < 4 || words[1] != "of" {
		return nil, bad("want <operation> of <files> [#n | #n+ | after <n> bytes] -> <what happens>")
	}
	r := &rule{text: text, kind: words[0], glob: words[2], after: -1}
	if r.kind == "any" {
		r.kind = ""
	} else if !slices.Contains(kinds, r.kind) {
		return nil, bad("no operation is called " + r.kind)
	}
	if _, err := path.Match(r.glob, ""); err != nil {
		return nil, bad("pattern of files: " + err.Error())
	}
	words = words[3:]
	switch {
	case strings.HasPrefix(words[0], "#"):
		number, onwards := strings.CutSuffix(words[0][1:], "+")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, bad("operations count from #1")
		}
		r.nth, r.onwards, words = n, onwards, words[1:]
	case words[0] == "after" && len(words) > 2 && words[2] == "bytes":
		n, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil || n < 0 || r.kind != Write && r.kind != Read {
			return nil, bad("reads and writes act after a number of bytes")
		}
		r.after, words = n, words[3:]
	}
	return r, r.parseAction(words, bad)
}

func (r *rule) parseAction(words []string, bad func(string) error) error {
	if len(words) == 2 && words[0] == "delay" {
		d, err := time.ParseDuration(words[1])
		if err != nil {
			return bad(err.Error())
		}
		r.delay = d
		return nil
	}
	if len(words) == 1 && words[0] == "kill" {
		r.kill = true
		return nil
	}
	if len(words) != 1 || errnos[words[0]] == nil {
		return bad("what happens must be delay <duration>, kill, short, or one of the errors EIO, ENOSPC, EROFS, EACCES, EMFILE, ENOENT")
	}
	r.err = errnos[words[0]]
	if r.err == io.ErrShortWrite && r.kind != Write {
		return bad("only writes can be short")
	}
	return nil
}

// matches tells whether the rule speaks of op at all. A pattern without a slash is one of last names.
func (r *rule) matches(op Op) bool {
	switch r.kind {
	case "", op.Kind:
	case Grow:
		if !op.grows() {
			return false
		}
	default:
		return false
	}
	name := op.Name
	if !strings.Contains(r.glob, "/") {
		name = path.Base(name)
	}
	ok, _ := path.Match(r.glob, name)
	return ok
}

// counts counts op, which matches, and tells whether the rule acts on it, and after how many of its bytes.
func (r *rule) counts(op Op) (acts bool, pass int) {
	r.seen++
	if r.after >= 0 {
		before := r.bytes
		r.bytes += int64(op.Bytes)
		return r.bytes > r.after, int(max(0, r.after-before))
	}
	if r.err == io.ErrShortWrite {
		pass = op.Bytes / 2
	}
	return r.nth == 0 || r.seen == r.nth || r.onwards && r.seen > r.nth, pass
}
