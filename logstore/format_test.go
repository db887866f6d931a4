package logstore_test

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// TestEveryFileIsInTheFormat lives random lives of the crash test: each name that comes to be stands in FORMAT.md, and
// tools know its kind.
func TestEveryFileIsInTheFormat(t *testing.T) {
	format, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{} // an example, by how FORMAT.md writes the name
	for seed := range uint64(12) {
		live(t, seed, func(name string) { seen[written(name)] = name })
	}
	for pattern, name := range seen {
		if !strings.Contains(string(format), "`"+pattern+"`") {
			t.Errorf("%s is not in FORMAT.md, as `%s`", name, pattern)
		}
		if base := path.Base(name); !strings.HasSuffix(pattern, "/") {
			if kind, _, _ := logstore.KindOf(base); kind == logstore.KindForeign {
				t.Errorf("KindOf does not know %s", name)
			}
		}
	}
	for _, must := range []string{"<20 digits>.log", "<20 digits>.index", "<20 digits>.timeindex", "<20 digits>.txnindex",
		"<20 digits>.snapshot", "leader-epoch-checkpoint", "partition.metadata", "meta.properties", ".kafka_cleanshutdown",
		"recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "*.deleted", "*.tmp", "<topic>-<partition>/"} {
		if seen[must] == "" {
			t.Errorf("%s did not come to be: the lives are too short", must)
		}
	}
	t.Logf("%d kinds of names: %v", len(seen), seen)
}

// live lives one life, and tells of every name that is there at any time.
func live(t *testing.T, seed uint64, visit func(name string)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(seed)
		w.steps = append(w.steps, "first open")
		look := func() {
			mem := w.mem
			w.fs.OnOp(func(op errorfs.Op) {
				if op.Changes() {
					names(mem, crashDir, visit)
				}
			})
		}
		look()
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			if err := w.step(); err != nil {
				t.Fatal(err)
			}
		}
		w.fs.OnOp(nil)
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		names(w.mem, crashDir, visit)
	})
}

func names(fs vfs.FS, dir string, visit func(name string)) {
	entries, err := fs.ReadDir(dir)
	if err != nil {
		return // removed meanwhile
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if e.IsDir() {
			visit(name + "/")
			names(fs, name, visit)
		} else {
			visit(name)
		}
	}
}

var (
	twentyDigits = regexp.MustCompile(`^[0-9]{20}`)
	asideName    = regexp.MustCompile(`\.[0-9a-f]{32}-`)
)

// written is a name as FORMAT.md writes those of its kind.
func written(name string) string {
	if whole, isDir := strings.CutSuffix(name, "/"); isDir {
		base := asideName.ReplaceAllString(path.Base(whole), ".<32 hex>-")
		tail := ""
		if at := strings.Index(base, ".<32 hex>"); at >= 0 {
			base, tail = base[:at], base[at:]
		}
		if _, _, ok := logstore.ParseDirName(base); ok {
			return "<topic>-<partition>" + tail + "/"
		}
		return path.Base(whole) + "/"
	}
	base := path.Base(name)
	for _, mark := range []string{".tmp", ".deleted", ".cleaned", ".swap"} {
		if strings.HasSuffix(base, mark) {
			return fmt.Sprintf("*%s", mark)
		}
	}
	return twentyDigits.ReplaceAllString(base, "<20 digits>")
}
