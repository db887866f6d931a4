// Command report reads what go test -json wrote and tells what matters: failures whole, figures, what was not run and
// why, and last go's own closing line of each package with its time. It fails when a test did.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// event is one line of go test -json. Source: go doc test2json.
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string // of build-output
}

// report gathers over all files.
type report struct {
	output  map[string][]string // of each test, by package and name
	failed  []string            // tests, in order
	skipped []string            // "package test: why"
	figures []string
	closing []string // go's own lines
	broken  []string // what did not build
	tests   map[string]int
	passed  int
	bad     bool
}

func main() {
	r := &report{output: map[string][]string{}, tests: map[string]int{}}
	for _, name := range os.Args[1:] {
		if err := r.read(name); err != nil {
			fmt.Println(err)
			r.bad = true
		}
	}
	r.print()
	if r.bad {
		os.Exit(1)
	}
}

func (r *report) read(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	lines := 0
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			lines++
			var e event
			if json.Unmarshal(line, &e) != nil {
				r.broken = append(r.broken, string(line))
			} else {
				r.take(e)
			}
		}
		if err != nil {
			if lines == 0 {
				return fmt.Errorf("%s is empty: no test ran", name)
			}
			return nil
		}
	}
}

func (r *report) take(e event) {
	id := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[id] = append(r.output[id], e.Output)
		switch {
		case e.Test == "" && closes(e.Output):
			r.closing = append(r.closing, e.Output)
		case strings.Contains(e.Output, "FIGURE "):
			_, figure, _ := strings.Cut(e.Output, "FIGURE ")
			r.figures = append(r.figures, strings.TrimPrefix(e.Package, "github.com/ottla/ottla/")+": "+figure)
		}
	case "build-output":
		r.broken = append(r.broken, e.Output)
	case "fail", "build-fail":
		r.bad = true
		if e.Test != "" {
			r.failed = append(r.failed, id)
		}
	case "skip":
		if e.Test != "" {
			r.skipped = append(r.skipped, id+": "+why(r.output[id]))
		}
	case "pass":
		if e.Test != "" {
			r.passed++
		}
	}
	if e.Action != "output" && e.Action != "fail" {
		delete(r.output, id) // a test that passed has nothing more to say
	}
}

// closes tells go's closing line of a package.
func closes(line string) bool {
	for _, begin := range []string{"ok  \t", "FAIL\t", "---"} { // not "?", which stands for a package without tests
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return strings.Contains(line, "coverage:") && strings.HasPrefix(line, "\t")
}

// why is what a test said when it was skipped.
func why(output []string) string {
	for _, line := range output {
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(strings.TrimSpace(line), "--- ") {
			return strings.TrimSpace(line)
		}
	}
	return "no reason given"
}

func (r *report) print() {
	for _, line := range r.broken {
		fmt.Print(line)
	}
	for _, id := range r.failed {
		fmt.Printf("=== FAILED %s\n%s\n", id, strings.Join(r.output[id], ""))
	}
	if r.bad {
		r.printPackageOutput()
	}
	fmt.Println("figures (no test judges them):")
	for _, line := range r.figures {
		fmt.Print("  " + line)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, len(r.failed), len(r.skipped))
	slices.Sort(r.skipped)
	for _, line := range r.skipped {
		fmt.Println("  SKIPPED " + line)
	}
	for _, line := range r.closing {
		fmt.Print(line)
	}
}

// printPackageOutput shows what packages said outside of any test: a crash, a time-out, a broker that did not end well.
func (r *report) printPackageOutput() {
	for id, lines := range r.output {
		if strings.HasSuffix(id, " ") && slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "FAIL") || strings.HasPrefix(l, "panic:") }) {
			text := strings.Join(lines, "")
			fmt.Printf("=== %s\n%s\n", id, text[:min(len(text), 8000)])
		}
	}
}
