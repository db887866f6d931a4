//go:build cgo

package compat

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ottla/ottla/integration/launch"
)

// The README's first programs, taken out of it, built and run against the broker.
func TestReadmePrograms(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(launch.Root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	programs := strings.Split(string(text), "```go\n")[1:]
	if len(programs) != 2 {
		t.Fatalf("%d programs in the README", len(programs))
	}
	for _, p := range programs {
		program, _, _ := strings.Cut(p, "```")
		program = strings.ReplaceAll(program, "localhost:9092", bootstrap(t))
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
			t.Fatal(err)
		}
		run := exec.CommandContext(withPatience(t), "go", "run", file)
		run.Dir = launch.Root()
		out, err := run.CombinedOutput()
		if err != nil || string(out) != "hello\n" {
			t.Errorf("%v: %s\n%s", err, out, program)
		}
	}
}
