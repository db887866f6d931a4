package launch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// once builds what several tests of a process share.
var once struct {
	sync.Once
	path string
	err  error
}

// Binary is the path of the ottla binary under test.
func Binary() (string, error) {
	once.Do(func() {
		once.path = os.Getenv("OTTLA_BIN")
		switch {
		case once.path == "":
			once.path, once.err = build()
		case !filepath.IsAbs(once.path):
			once.path = filepath.Join(Root(), once.path)
		}
	})
	return once.path, once.err
}

// build compiles the binary beside its final name, so that tests in other processes never see half of it.
func build() (string, error) {
	dir := filepath.Join(Root(), ".cache", "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	part := filepath.Join(dir, fmt.Sprintf("ottla-%d", os.Getpid()))
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", part, "./cmd/ottla")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/ottla: %w\n%s", err, out)
	}
	path := filepath.Join(dir, "ottla")
	return path, os.Rename(part, path)
}

// Root is the repository's top folder.
func Root() string {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	panic("no go.mod above the working directory: integration programs run inside the repository")
}
