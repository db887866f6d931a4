package hostile

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What may stand in a data directory.
var (
	topLevel = regexp.MustCompile(`^(meta\.properties|\.lock|\.kafka_cleanshutdown|bootstrap\.checkpoint|[a-z-]*-checkpoint|[a-z-]+)(\.tmp)?$`)
	folder   = regexp.MustCompile(`^([A-Za-z0-9._-]{1,249})-[0-9]+$|^[A-Za-z0-9._-]+\.[0-9a-f]{32}-(delete|stray)$`)
	inFolder = regexp.MustCompile(`^[0-9]{20}\.(log|index|timeindex|txnindex|snapshot)(\.deleted|\.cleaned|\.swap)?$|^(leader-epoch-checkpoint|partition\.metadata)(\.tmp)?$`)
	// In the metadata log's folder quorum keeps its own.
	inQuorum = regexp.MustCompile(`^[0-9]{20}(-[0-9]{10})?\.[a-z]+(\.[a-z]+)?$|^(quorum-state|leader-epoch-checkpoint|partition\.metadata)(\.tmp)?$`)
)

// checkNames fails for every name in a data directory that has no business there.
func checkNames(t testing.TB, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // gone while we looked
		}
		rel, _ := filepath.Rel(dir, path)
		parts := strings.Split(rel, string(filepath.Separator))
		name := parts[len(parts)-1]
		ok := false
		switch {
		case rel == ".":
			ok = true
		case len(parts) == 1 && e.IsDir():
			ok = folder.MatchString(name)
		case len(parts) == 1:
			ok = topLevel.MatchString(name)
		case len(parts) == 2 && !e.IsDir() && parts[0] == "__cluster_metadata-0":
			ok = inQuorum.MatchString(name)
		case len(parts) == 2 && !e.IsDir():
			ok = inFolder.MatchString(name)
		}
		if !ok {
			t.Errorf("in the data directory: %q", rel)
		}
		files++
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("%d files in the data directory, %v", files, err)
	}
}
