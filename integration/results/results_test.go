package results

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/ottla/ottla/integration/launch"
)

// committed is the file that the repository keeps.
func committed() string { return filepath.Join(launch.Root(), "integration", "crash", "results.json") }

// TestNothingWasEverLost reads the committed counters: they parse, nothing acknowledged was lost, what was found is fixed, and
// the table is theirs.
func TestNothingWasEverLost(t *testing.T) {
	f, err := Read(committed())
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range f.Check() {
		t.Error(wrong)
	}
	table, err := os.ReadFile(TablePath(committed()))
	if err != nil {
		t.Fatal(err)
	}
	if string(table) != f.Table() {
		t.Error("the table is not that of the counters: it is written by the tests, not by hand")
	}
	if len(f.Tallies) == 0 {
		t.Error("nothing was counted")
	}
}

// TestCheckSees gives the check what may not be committed.
func TestCheckSees(t *testing.T) {
	for name, f := range map[string]File{
		"lost":            {Tallies: []Tally{{Row: 1, Runs: 1, Lost: 1}}},
		"doubled":         {Tallies: []Tally{{Row: 1, Runs: 1, Doubled: 1}}},
		"unknown row":     {Tallies: []Tally{{Row: 99, Runs: 1}}},
		"not a counter":   {Tallies: []Tally{{Row: 1, Runs: 1, Crashes: -1}}},
		"not fixed (yet)": {Found: []Found{{Row: 1, What: "lost a record"}}},
	} {
		if len(f.Check()) == 0 {
			t.Errorf("%s: not seen", name)
		}
	}
}

// TestRunsAddUp has many runs write at once.
func TestRunsAddUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	var all sync.WaitGroup
	for seed := range uint64(20) {
		all.Go(func() {
			if err := appendTo(path, Tally{Row: 5, Commit: "c", Runs: 1, Crashes: 2, Acked: 30, Seeds: rangesOf([]uint64{seed})}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := appendTo(path, Tally{Row: 1, Commit: "d", Runs: 1, Crashes: 1}, []Found{{Row: 1, Seed: 7, Commit: "d", What: "a|b"}}); err != nil {
		t.Fatal(err)
	}
	if err := MarkFixed(path, 1, 7, "e"); err != nil {
		t.Fatal(err)
	}
	if err := MarkFixed(path, 1, 8, "e"); err == nil {
		t.Error("marked what was never found")
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Tallies: []Tally{{Row: 1, Commit: "d", Runs: 1, Crashes: 1}, {Row: 5, Commit: "c", Runs: 20, Crashes: 40, Acked: 600, Seeds: Ranges{{0, 19}}}},
		Found:   []Found{{Row: 1, Seed: 7, Commit: "d", What: "a|b", Fixed: "e"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	table, _ := os.ReadFile(TablePath(path))
	for _, line := range []string{"| 5 | power cut under load, fsync | 40 | 600 | 0 | 0 | 20 | 1 | 0, 0 |", `| 1 | 7 | d | a\|b | e |`} {
		if !strings.Contains(string(table), line) {
			t.Errorf("the table lacks %q:\n%s", line, table)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		seeds []uint64
		want  string
	}{
		{nil, ""},
		{[]uint64{5}, "5"},
		{[]uint64{3, 1, 2, 2, 9}, "1-3 9"},
	} {
		if got := rangesOf(c.seeds).String(); got != c.want {
			t.Errorf("%v: %q, want %q", c.seeds, got, c.want)
		}
	}
	var r Ranges
	for _, bad := range []string{`"5-3"`, `"x"`, `"1-y"`, `7`} {
		if err := r.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read as %v", bad, r)
		}
	}
}
