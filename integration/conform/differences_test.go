package conform

import (
	"fmt"
	"os"
	"strings"
)

// A difference is a leaf in which ours answers otherwise than Apache Kafka. "(none)" stands for a leaf that is not there.
type difference struct {
	script, step string
	version      int16
	path         string
	kafka, ours  string
}

func (d difference) String() string {
	return fmt.Sprintf("%s | %s v%d | %s | %s | %s", d.script, d.step, d.version, d.path, d.kafka, d.ours)
}

// compare finds where two transcripts of a script differ.
func compare(script string, kafka, ours transcript) []difference {
	type key struct {
		step    string
		version int16
	}
	theirs := map[key][]leaf{}
	for _, a := range kafka {
		theirs[key{a.step, a.version}] = a.leaves
	}
	var out []difference
	for _, a := range ours {
		k := key{a.step, a.version}
		want, ok := theirs[k]
		if !ok {
			out = append(out, difference{script, a.step, a.version, "", "(never recorded)", "(asked)"})
			continue
		}
		delete(theirs, k)
		out = append(out, compareLeaves(difference{script: script, step: a.step, version: a.version}, want, a.leaves)...)
	}
	for k := range theirs {
		out = append(out, difference{script, k.step, k.version, "", "(recorded)", "(never asked)"})
	}
	return out
}

func compareLeaves(at difference, kafka, ours []leaf) []difference {
	got := map[string]string{}
	for _, l := range ours {
		got[l.path] = l.value
	}
	var out []difference
	add := func(path, want, have string) {
		d := at
		d.path, d.kafka, d.ours = path, want, have
		out = append(out, d)
	}
	seen := map[string]bool{}
	for _, l := range kafka {
		seen[l.path] = true
		have, ok := got[l.path]
		switch {
		case !ok:
			add(l.path, l.value, "(none)")
		case !same(l.path, l.value, have):
			add(l.path, l.value, have)
		}
	}
	for _, l := range ours {
		if !seen[l.path] {
			add(l.path, "(none)", l.value)
		}
	}
	return out
}

// same tells whether two values mean the same. Texts for people may be worded otherwise.
func same(path, kafka, ours string) bool {
	switch lastField(path) {
	case "ErrorMessage":
		return (kafka == "null") == (ours == "null") && (kafka == `""`) == (ours == `""`)
	}
	return kafka == ours
}

// A reviewed line of testdata/differences.txt: "script | step | path | Apache Kafka's value | ours | why". In the first
// five, * stands for anything; a step may end with its version.
type reviewed struct {
	script, step, path, kafka, ours, why string

	line int
	used bool
}

const differencesFile = "testdata/differences.txt"

func readReviewed() ([]*reviewed, error) {
	text, err := os.ReadFile(differencesFile)
	if err != nil {
		return nil, err
	}
	var out []*reviewed
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			return nil, fmt.Errorf("%s:%d: %d cells instead of 6", differencesFile, i+1, len(cells))
		}
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
			if cells[j] == "" {
				return nil, fmt.Errorf("%s:%d: cell %d is empty", differencesFile, i+1, j+1)
			}
		}
		out = append(out, &reviewed{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], i + 1, false})
	}
	return out, nil
}

func (r *reviewed) covers(d difference) bool {
	return glob(r.script, d.script) &&
		(glob(r.step, d.step) || glob(r.step, fmt.Sprintf("%s v%d", d.step, d.version))) &&
		glob(r.path, d.path) && glob(r.kafka, d.kafka) && glob(r.ours, d.ours)
}

// glob matches * against anything; every other character stands for itself.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}
