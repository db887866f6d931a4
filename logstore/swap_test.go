package logstore

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// swapDir is a directory of names and what they hold.
type swapDir map[string]string

// steps are what finishSwap does about it, each a name that goes and the one that it gets, if any.
func (d swapDir) steps(t *testing.T) (steps [][2]string) {
	t.Helper()
	p, err := planSwap(slices.Sorted(maps.Keys(d)), func(int64) (int64, error) { return 10, nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(p.unfinished, p.remove) {
		steps = append(steps, [2]string{name, ""})
	}
	for _, name := range slices.Concat(p.logs, p.indexes) {
		steps = append(steps, [2]string{name, strings.TrimSuffix(name, swapExt)})
	}
	return steps
}

func (d swapDir) after(steps [][2]string) swapDir {
	d = maps.Clone(d)
	for _, s := range steps {
		content, ok := d[s[0]]
		if !ok {
			continue
		}
		delete(d, s[0])
		if s[1] != "" {
			d[s[1]] = content
		}
	}
	return d
}

// TestSwapOfEveryCombination goes through every set of names that a partition may hold, killed after every step, and
// holds what comes of it against what must be true of any.
func TestSwapOfEveryCombination(t *testing.T) {
	all := []string{
		segmentName(0, logExt), segmentName(0, indexExt), segmentName(5, logExt), segmentName(5, txnIndexExt), segmentName(5, snapshotExt), segmentName(10, logExt),
		segmentName(0, logExt) + swapExt, segmentName(0, txnIndexExt) + swapExt, segmentName(5, indexExt) + swapExt,
		segmentName(0, logExt) + cleanedExt, segmentName(5, logExt) + cleanedExt, segmentName(0, logExt) + deletedExt,
	}
	for bits := range 1 << len(all) {
		d := swapDir{}
		for i, name := range all {
			if bits&(1<<i) != 0 {
				d[name] = "of " + name
			}
		}
		steps := d.steps(t)
		final := d.after(steps)
		if why := d.wrong(final); why != "" {
			t.Fatalf("%v becomes %v: %s", d, final, why)
		}
		for i := range steps {
			again := d.after(steps[:i])
			if got := again.after(again.steps(t)); !maps.Equal(got, final) {
				t.Fatalf("%v, killed after %v: becomes %v, want %v", d, steps[:i], got, final)
			}
		}
	}
}

// wrong is what is wrong about the end of it.
func (d swapDir) wrong(final swapDir) string {
	has := func(d swapDir, base int64, ext string) bool { return d[segmentName(base, ext)] != "" }
	for name := range final {
		if strings.HasSuffix(name, swapExt) || strings.HasSuffix(name, cleanedExt) {
			return name + " is left"
		}
	}
	holds := has(d, 0, logExt+swapExt) && !has(d, 0, logExt+cleanedExt)
	switch {
	case holds && final[segmentName(0, logExt)] != "of "+segmentName(0, logExt)+swapExt:
		return "the compacted segment is lost"
	case holds && (has(final, 5, logExt) || has(final, 5, snapshotExt)):
		return "a segment that was replaced is left"
	case !holds && (has(d, 5, logExt) != has(final, 5, logExt) || final[segmentName(0, logExt)] != d[segmentName(0, logExt)]):
		return "a segment that holds is lost"
	case has(d, 10, logExt) != has(final, 10, logExt):
		return "a segment behind is lost"
	case has(d, 0, logExt+deletedExt) != has(final, 0, logExt+deletedExt):
		return "what somebody else removes is gone"
	}
	return ""
}
