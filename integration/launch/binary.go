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

// build compiles the binary into the repository's cache.
func build() (string, error) {
	path := filepath.Join(Root(), ".cache", "bin", "ottla")
	return path, Build(path)
}

// Build compiles the static binary, beside its final name first, so that tests in other processes never see half of it.
func Build(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	part := fmt.Sprintf("%s-%d", path, os.Getpid())
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", part, "./cmd/ottla")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/ottla: %w\n%s", err, out)
	}
	return os.Rename(part, path)
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
