// Package results counts what the crash tests have seen since there are any: how often the broker, or its store in memory,
// was crashed, how many acknowledged records were looked for afterwards, and how many were missing or doubled.
//
// A test begins a Run. Where OTTLA_RESULTS names a file, its counters are added to those in that file, and the table beside
// it is written anew. Nothing but this package writes either; integration/crash holds the ones that are committed.
package results

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Rows are what is counted apart, by the number that the tests' names and the table go by.
var Rows = map[int]string{
	1:   "SIGKILL under load, fsync",
	2:   "SIGKILL under load, pagecache",
	3:   "SIGKILL at a named operation of the store",
	4:   "SIGKILL during recovery, up to five deep",
	5:   "power cut under load, fsync",
	6:   "power cut under load, pagecache: loss is bounded, and seen",
	7:   "power cut right after a topic or commit was acknowledged",
	8:   "power cut under load on ext4 with other commit intervals and data modes",
	9:   "crash before an operation of the store, in memory",
	16:  "full disk, and room again",
	17:  "SIGKILL, and starts on a full disk",
	25:  "SIGTERM under load",
	71:  "SIGKILL while compacting under load",
	101: "SIGKILL while partitions move between data directories",
	102: "power cut while partitions move between data directories",
}

// Tally is the counters of one row at one commit.
type Tally struct {
	Row     int
	Commit  string
	Runs    int64 // of a test
	Crashes int64
	Acked   int64 // acknowledged records that were looked for after a crash, counted for each time
	Lost    int64 // of them, where the row allows none
	Doubled int64
	// LostAllowed is what a relaxed mode lost within its window: that it is not 0 shows that the test can see loss.
	LostAllowed int64  `json:",omitempty"`
	Seeds       Ranges // what the runs can be repeated with
}

// Found is a bug that a run has found. It stays in the file when it is fixed.
type Found struct {
	Row    int
	Seed   uint64
	Commit string
	What   string
	Fixed  string // how; "" while it is not
	Stands string `json:",omitempty"` // why it is not fixed so far
}

// Run is one run of one test.
type Run struct {
	mu    sync.Mutex // guards the fields below: tests count from many goroutines
	tally Tally
	seeds []uint64
	found []Found
}

// Begin begins a run, which ends with the test. A run that fails without saying why counts as having found something.
func Begin(t testing.TB, row int, seeds ...uint64) *Run {
	if Rows[row] == "" {
		t.Fatalf("results: row %d has no name", row)
	}
	r := &Run{tally: Tally{Row: row, Runs: 1}, seeds: seeds}
	t.Cleanup(func() { r.end(t) })
	return r
}

// Crash counts a crash, and the acknowledged records that were all found after it.
func (r *Run) Crash(acked int64) { r.add(Tally{Crashes: 1, Acked: acked}) }

// Count counts a number of crashes and records at once.
func (r *Run) Count(crashes, acked int64) { r.add(Tally{Crashes: crashes, Acked: acked}) }

// LossAllowed counts records that a relaxed mode lost, and may lose.
func (r *Run) LossAllowed(records int64) { r.add(Tally{LostAllowed: records}) }

// Seed notes that the run has also used this seed, to its end.
func (r *Run) Seed(seed uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seeds = append(r.seeds, seed)
}

// Fail notes what was found to be wrong. The caller fails its test.
func (r *Run) Fail(seed uint64, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, Found{Row: r.tally.Row, Seed: seed, What: firstLine(what)})
}

func (r *Run) add(t Tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.add(t)
}

func (r *Run) end(t testing.TB) {
	path := os.Getenv("OTTLA_RESULTS")
	if path == "" || t.Skipped() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.Failed() && len(r.found) == 0 {
		r.found = []Found{{Row: r.tally.Row, Seed: first(r.seeds), What: t.Name() + " failed"}}
	}
	r.tally.Commit = commit()
	r.tally.Seeds = rangesOf(r.seeds)
	for i := range r.found {
		r.found[i].Commit = r.tally.Commit
	}
	if err := appendTo(path, r.tally, r.found); err != nil {
		t.Errorf("the counters of this run are lost: %v", err)
	}
}

func first(seeds []uint64) uint64 {
	if len(seeds) == 0 {
		return 0
	}
	return seeds[0]
}

// firstLine keeps the table readable.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 300)]
}

// commit names the source that runs.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func (t *Tally) add(o Tally) {
	t.Runs += o.Runs
	t.Crashes += o.Crashes
	t.Acked += o.Acked
	t.Lost += o.Lost
	t.Doubled += o.Doubled
	t.LostAllowed += o.LostAllowed
	t.Seeds = merge(t.Seeds, o.Seeds)
}

// File is everything that was counted.
type File struct {
	Tallies []Tally
	Found   []Found
}

// Add adds one run.
func (f *File) Add(t Tally, found []Found) {
	f.Found = append(f.Found, found...)
	i := slices.IndexFunc(f.Tallies, func(o Tally) bool { return o.Row == t.Row && o.Commit == t.Commit })
	if i < 0 {
		f.Tallies = append(f.Tallies, t)
		slices.SortStableFunc(f.Tallies, func(a, b Tally) int { return cmp.Compare(a.Row, b.Row) })
		return
	}
	f.Tallies[i].add(t)
}

// Check tells what in the file may not stand in one that is committed.
func (f *File) Check() (wrong []string) {
	for _, t := range f.Tallies {
		if Rows[t.Row] == "" {
			wrong = append(wrong, fmt.Sprintf("row %d has no name", t.Row))
		}
		if t.Lost != 0 || t.Doubled != 0 {
			wrong = append(wrong, fmt.Sprintf("row %d at %s: %d lost, %d doubled", t.Row, t.Commit, t.Lost, t.Doubled))
		}
		if t.Crashes < 0 || t.Acked < 0 || t.Runs <= 0 {
			wrong = append(wrong, fmt.Sprintf("row %d at %s: counters %+v", t.Row, t.Commit, t))
		}
	}
	for _, b := range f.Found {
		if b.Fixed == "" && b.Stands == "" {
			wrong = append(wrong, fmt.Sprintf("row %d, seed %d at %s is not fixed: %s", b.Row, b.Seed, b.Commit, b.What))
		}
	}
	return wrong
}
