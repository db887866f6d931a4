package quorum

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// TestEveryFileIsInTheFormat: each file that the quorum writes beside the log stands in FORMAT.md.
func TestEveryFileIsInTheFormat(t *testing.T) {
	format, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	mem := newMem()
	fsys := errorfs.New(mem)
	var mu sync.Mutex
	seen := map[string]string{}
	fsys.OnOp(func(errorfs.Op) {
		entries, err := mem.ReadDir(testDir + "/__cluster_metadata-0")
		if err != nil {
			return // not made yet
		}
		mu.Lock()
		defer mu.Unlock()
		for _, e := range entries {
			if kind, _, _ := logstore.KindOf(e.Name()); kind == logstore.KindForeign {
				seen[regexp.MustCompile(`^[0-9]{20}-[0-9]{10}`).ReplaceAllString(e.Name(), "INDEX-TERM")] = e.Name()
			}
		}
	})
	var w workload
	if err := w.run(fsys); err != nil {
		t.Fatal(err)
	}
	fsys.OnOp(nil)
	for pattern, name := range seen {
		whole, _ := strings.CutSuffix(pattern, ".tmp") // FORMAT.md says of each how it is replaced
		if !strings.Contains(string(format), "`"+whole+"`") {
			t.Errorf("%s is not in FORMAT.md, as `%s`", name, whole)
		}
	}
	for _, must := range []string{StateName, "INDEX-TERM.image"} {
		if seen[must] == "" {
			t.Errorf("%s did not come to be", must)
		}
	}
}
