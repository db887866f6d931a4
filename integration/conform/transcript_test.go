package conform

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An answer is what came back for one request at one version.
type answer struct {
	step    string
	version int16
	leaves  []leaf
}

// A transcript is all answers of a script, in order.
//
// Golden text: a line "== STEP vA-vB" begins the answers that versions A to B have in common, and each line after it is
// "PATH = VALUE". Values are quoted where they could hold a newline.
type transcript []answer

func (t transcript) String() string {
	var b strings.Builder
	for i := 0; i < len(t); {
		j := i + 1
		for j < len(t) && t[j].step == t[i].step && t[j].version == t[j-1].version+1 && slices.Equal(t[j].leaves, t[i].leaves) {
			j++
		}
		fmt.Fprintf(&b, "== %s v%d", t[i].step, t[i].version)
		if j-i > 1 {
			fmt.Fprintf(&b, "-v%d", t[j-1].version)
		}
		b.WriteByte('\n')
		for _, l := range t[i].leaves {
			fmt.Fprintf(&b, "%s = %s\n", l.path, l.value)
		}
		i = j
	}
	return b.String()
}

func parse(text string) (transcript, error) {
	var t transcript
	begin := 0 // of the answers that the current heading covers
	for number, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if heading, ok := strings.CutPrefix(line, "== "); ok {
			step, versions, _ := cutLast(heading, " v")
			from, to, ranged := strings.Cut(versions, "-v")
			first, err1 := strconv.Atoi(from)
			last, err2 := first, error(nil)
			if ranged {
				last, err2 = strconv.Atoi(to)
			}
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("line %d: no versions in %q", number+1, line)
			}
			begin = len(t)
			for v := first; v <= last; v++ {
				t = append(t, answer{step: step, version: int16(v)})
			}
			continue
		}
		path, value, ok := strings.Cut(line, " = ")
		if !ok || begin == len(t) {
			return nil, fmt.Errorf("line %d: %q is no leaf", number+1, line)
		}
		for i := begin; i < len(t); i++ {
			t[i].leaves = append(t[i].leaves, leaf{path, value})
		}
	}
	return t, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func goldenFile(script string) string { return filepath.Join("testdata", script+".golden") }

func readGolden(script string) (transcript, error) {
	text, err := os.ReadFile(goldenFile(script))
	if err != nil {
		return nil, fmt.Errorf("%w: record it with -update", err)
	}
	t, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", goldenFile(script), err)
	}
	return t, nil
}
