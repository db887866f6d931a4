package results

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Read reads a file of counters.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

func parse(text []byte) (*File, error) {
	f := new(File)
	if len(text) == 0 {
		return f, nil
	}
	return f, json.Unmarshal(text, f)
}

// appendTo adds a run to the file, which other runs may be adding to, and writes the table.
func appendTo(path string, t Tally, found []Found) error {
	return update(path, func(f *File) error {
		f.Add(t, found)
		return nil
	})
}

// MarkFixed says of what was found by a row with a seed how it was fixed.
func MarkFixed(path string, row int, seed uint64, how string) error {
	return mark(path, row, seed, func(b *Found) { b.Fixed = how })
}

// MarkStanding says of what was found by a row with a seed why it is not fixed.
func MarkStanding(path string, row int, seed uint64, why string) error {
	return mark(path, row, seed, func(b *Found) { b.Stands = why })
}

func mark(path string, row int, seed uint64, note func(*Found)) error {
	return update(path, func(f *File) error {
		known := false
		for i := range f.Found {
			if b := &f.Found[i]; b.Row == row && b.Seed == seed {
				known = true
				note(b)
			}
		}
		if !known {
			return fmt.Errorf("nothing was found by row %d with seed %d", row, seed)
		}
		return nil
	})
}

func update(path string, change func(*File) error) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close() // which also gives up the lock
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	f, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := change(f); err != nil {
		return err
	}
	text, err = json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if _, err := file.WriteAt(text, 0); err != nil {
		return err
	}
	if err := file.Truncate(int64(len(text))); err != nil {
		return err
	}
	return os.WriteFile(TablePath(path), []byte(f.Table()), 0o644)
}

// TablePath is where the table of a file of counters stands.
func TablePath(path string) string {
	return strings.TrimSuffix(path, filepath.Ext(path)) + ".md"
}

// Table is the file as Markdown: one line for each row, over all commits.
func (f *File) Table() string {
	var out strings.Builder
	out.WriteString("# What the crash tests have seen\n\n" +
		"Written by the tests themselves (`make chaos`; package `integration/results`), never by hand. Counters add up over all runs.\n" +
		"\"Looked for\" counts every acknowledged record once for each crash after which it was looked for.\n\n" +
		"| Row | Crash | Crashes | Acknowledged records looked for | Lost | Doubled | Runs | Commits | Bugs found, fixed |\n" +
		"| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, row := range f.rows() {
		sum, commits := Tally{Row: row}, 0
		for _, t := range f.Tallies {
			if t.Row == row {
				sum.add(t)
				commits++
			}
		}
		found, fixed := 0, 0
		for _, b := range f.Found {
			if b.Row == row {
				found++
				if b.Fixed != "" {
					fixed++
				}
			}
		}
		lost := fmt.Sprint(sum.Lost)
		if sum.LostAllowed > 0 {
			lost += fmt.Sprintf(" (and %d within the window)", sum.LostAllowed)
		}
		fmt.Fprintf(&out, "| %d | %s | %d | %d | %s | %d | %d | %d | %d, %d |\n", row, Rows[row], sum.Crashes, sum.Acked, lost, sum.Doubled, sum.Runs, commits, found, fixed)
	}
	if len(f.Found) > 0 {
		out.WriteString("\n## Bugs that runs have found\n\n| Row | Seed | Commit | What | Fixed |\n| ---: | ---: | --- | --- | --- |\n")
		for _, b := range f.Found {
			fmt.Fprintf(&out, "| %d | %d | %s | %s | %s |\n", b.Row, b.Seed, b.Commit, cell(b.What), cell(b.Fixed+b.standing()))
		}
	}
	return out.String()
}

// standing says that it is not fixed.
func (b Found) standing() string {
	if b.Fixed != "" || b.Stands == "" {
		return ""
	}
	return "NOT FIXED: " + b.Stands
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func (f *File) rows() (rows []int) {
	for _, t := range f.Tallies {
		rows = append(rows, t.Row)
	}
	for _, b := range f.Found {
		rows = append(rows, b.Row)
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}
