package mutants

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/mutant"
)

const root = "../.."

// TestEachMutantIsNoticed builds each package's tests once, sees that they pass as they are, and that each mutant's test
// fails with it.
func TestEachMutantIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs other packages' tests")
	}
	dir := t.TempDir()
	for _, pkg := range packages() {
		t.Run(pkg, func(t *testing.T) {
			binary := filepath.Join(dir, strings.ReplaceAll(pkg, "/", "_")+".test")
			build := exec.Command("go", "test", "-c", "-tags", "mutant", "-o", binary, "./"+pkg)
			build.Dir = root
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var tests []string
			for _, m := range mutant.All {
				if m.Package == pkg && !slices.Contains(tests, m.Test) {
					tests = append(tests, m.Test)
				}
			}
			if out, failed := run(t, binary, pkg, strings.Join(tests, "|"), ""); failed {
				t.Fatalf("the tests fail without a mutant:\n%s", out)
			}
			for _, m := range mutant.All {
				if m.Package != pkg {
					continue
				}
				t.Run(string(m.Name), func(t *testing.T) {
					if out, failed := run(t, binary, pkg, m.Test, m.Name); !failed {
						t.Errorf("nothing was noticed of it (%s):\n%s", m.Breaks, out)
					}
				})
			}
		})
	}
}

func packages() (list []string) {
	for _, m := range mutant.All {
		if !slices.Contains(list, m.Package) {
			list = append(list, m.Package)
		}
	}
	return list
}

// run runs tests of a package with a mutant, "" for none, and tells whether one failed.
func run(t *testing.T, binary, pkg, tests string, name mutant.Name) (out string, failed bool) {
	t.Helper()
	cmd := exec.Command(binary, "-test.run", "^("+tests+")$", "-test.failfast", "-test.timeout", "60s")
	cmd.Dir = filepath.Join(root, pkg)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { // what is found here is no finding
		return strings.HasPrefix(v, "OTTLA_") || strings.HasPrefix(v, "CRASHTEST_")
	}), "OTTLA_MUTANT="+string(name))
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "no tests to run") {
		t.Fatalf("%s has no test %s", pkg, tests)
	}
	return string(b[:min(len(b), 4000)]), err != nil
}

// TestEveryMutantHasARowAndASite: a name without a row is never tried, one without a site breaks nothing.
func TestEveryMutantHasARowAndASite(t *testing.T) {
	declared, sites := names(t), sites(t)
	for constant, name := range declared {
		row := slices.IndexFunc(mutant.All, func(m mutant.Mutant) bool { return m.Name == name })
		if row < 0 {
			t.Errorf("mutant.%s has no row in mutant.All", constant)
		}
		if len(sites[constant]) == 0 {
			t.Errorf("mutant.%s is asked about nowhere", constant)
		}
	}
	for constant, where := range sites {
		if declared[constant] == "" {
			t.Errorf("%s asks about mutant.%s, which is not declared", where, constant)
		}
	}
	seen := map[mutant.Name]bool{}
	for _, m := range mutant.All {
		if seen[m.Name] || m.Breaks == "" || m.Package == "" || m.Test == "" {
			t.Errorf("the row of %q comes twice or lacks something: %+v", m.Name, m)
		}
		seen[m.Name] = true
	}
	if len(declared) < 3 {
		t.Errorf("only %d mutants are found: does the search work?", len(declared))
	}
}

// names are the constants of type Name, by identifier.
func names(t *testing.T) map[string]mutant.Name {
	found := map[string]mutant.Name{}
	eachFile(t, filepath.Join(root, "logstore/mutant"), func(_ string, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || fmt.Sprint(spec.Type) != "Name" {
				return true
			}
			if text, ok := spec.Values[0].(*ast.BasicLit); ok {
				found[spec.Names[0].Name] = mutant.Name(strings.Trim(text.Value, `"`))
			}
			return true
		})
	})
	return found
}

// sites are the places that ask mutant.Is about a name, by identifier.
func sites(t *testing.T) map[string][]string {
	found := map[string][]string{}
	eachFile(t, root, func(file string, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 || selected(call.Fun) != "Is" {
				return true
			}
			if name := selected(call.Args[0]); name != "" {
				found[name] = append(found[name], file)
			}
			return true
		})
	})
	return found
}

// selected is X of the expression mutant.X.
func selected(e ast.Expr) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); !ok || x.Name != "mutant" {
		return ""
	}
	return s.Sel.Name
}

// eachFile parses the Go files below dir but for tests.
func eachFile(t *testing.T, dir string, visit func(name string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && strings.HasPrefix(e.Name(), ".") && name != dir:
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(name, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
