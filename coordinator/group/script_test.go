package group

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts of testdata print into them")

// TestScripts plays the scripts of testdata. A script is a list of paragraphs: commands, one a line, then "----" and what
// they print. Lines that begin with # are comments. Run with -rewrite to accept what is printed now, and read the diff.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	var out strings.Builder
	for i, p := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		commands, want, _ := strings.Cut(p, "\n----")
		got := ""
		for _, line := range strings.Split(commands, "\n") {
			if line != "" && !strings.HasPrefix(line, "#") {
				got += w.run(line)
			}
		}
		if onlyComments(commands) {
			fmt.Fprintf(&out, "%s\n\n", commands)
			continue
		}
		fmt.Fprintf(&out, "%s\n----\n%s\n", commands, got)
		if want = strings.TrimPrefix(want, "\n"); !*rewrite && strings.TrimRight(want, "\n") != strings.TrimRight(got, "\n") {
			t.Errorf("%s, paragraph %d:\n%s\n---- want\n%s\n---- got\n%s", file, i+1, commands, want, got)
		}
	}
	w.finish()
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func onlyComments(commands string) bool {
	for _, line := range strings.Split(commands, "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
