package broker

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// Whatever clients call their topics and groups, no operation of the file system names anything outside the data directory.
func TestNoPathLeavesTheDataDirectory(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "a", "data")
	fs := errorfs.New(vfs.OS())
	var mu sync.Mutex
	outside, inside := map[string]bool{}, 0
	fs.OnOp(func(op errorfs.Op) {
		mu.Lock()
		defer mu.Unlock()
		// The directory itself is made where it is missing, and the names above it are synced.
		if name := filepath.Clean(op.Name); name == dir || strings.HasPrefix(name, dir+"/") || strings.HasPrefix(dir, name+"/") {
			inside++
			return
		}
		outside[op.String()] = true
	})
	b, err := Open(Options{Config: configOf(t, dir, nil), FS: fs, Log: logTo(t)})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"..", ".", "/", "../x", "../../x", "../data/x", root + "/x", "a/../../x", "x\x00", "x\x00/../y", "\\", "~", "...", "..x", "-", "x-0", strings.Repeat("../", 60)}
	cl := client(t, b, kgo.AllowAutoTopicCreation())
	adm := kadm.NewClient(cl)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	adm.CreateTopics(ctx, 1, 1, nil, names...)
	for _, name := range names {
		adm.CreatePartitions(ctx, 1, name)
		adm.Metadata(ctx, name)
		adm.CommitOffsets(ctx, name, kadm.Offsets{"x-0": {0: {Topic: "x-0", At: 1}}})
		adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: kadm.StringPtr("100")}}, name)
	}
	adm.DeleteTopics(ctx, names...)
	cl.Close()
	stop(t, b)
	mu.Lock()
	defer mu.Unlock()
	for op := range outside {
		t.Errorf("outside the data directory: %q", op)
	}
	if inside < 100 {
		t.Errorf("only %d operations were seen", inside)
	}
}
