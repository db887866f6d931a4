package compact

import (
	"math"
	"slices"
	"testing"
)

// three are sealed segments of 100 bytes each, of offsets [0, 30), with the active one behind.
func three(change func(f *Facts)) Facts {
	f := Facts{
		Checkpoint: -1, LogEnd: 35, Stable: 35, Active: 30, NowMs: 10_000,
		MinCleanableRatio: 0.5, MaxCompactionLagMs: math.MaxInt64,
		Segments: []Segment{
			{Base: 0, Next: 10, Bytes: 100, FirstTimestamp: 1000, NewestTimestamp: 2000},
			{Base: 10, Next: 20, Bytes: 100, FirstTimestamp: 3000, NewestTimestamp: 4000},
			{Base: 20, Next: 30, Bytes: 100, FirstTimestamp: 5000, NewestTimestamp: 6000},
		},
	}
	change(&f)
	return f
}

func TestAssess(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(f *Facts)
		want   Work
	}{
		{"all is dirty", func(*Facts) {}, Work{From: 0, To: 30, DirtyBytes: 300, Due: true, Waiting: true}},
		{"a third is", func(f *Facts) { f.Checkpoint = 20 }, Work{From: 20, To: 30, CleanBytes: 200, DirtyBytes: 100, Waiting: true}},
		{"exactly the ratio is not more", func(f *Facts) { f.Checkpoint, f.MinCleanableRatio = 20, 1.0/3 },
			Work{From: 20, To: 30, CleanBytes: 200, DirtyBytes: 100, Waiting: true}},
		{"nothing is", func(f *Facts) { f.Checkpoint = 30 }, Work{From: 30, To: 30, CleanBytes: 300}},
		{"nothing is, and a ratio of 0", func(f *Facts) { f.Checkpoint, f.MinCleanableRatio = 30, 0 }, Work{From: 30, To: 30, CleanBytes: 300}},
		{"a transaction is open in the second", func(f *Facts) { f.Stable = 15 }, Work{From: 0, To: 10, DirtyBytes: 100, Due: true, Waiting: true}},
		{"in the first", func(f *Facts) { f.Stable = 5 }, Work{From: 0, To: 0, Waiting: true}},
		{"the second is too young", func(f *Facts) { f.MinCompactionLagMs = 6500 }, Work{From: 0, To: 10, DirtyBytes: 100, Due: true, Waiting: true}},
		{"one record waits for too long", func(f *Facts) { f.Checkpoint, f.MaxCompactionLagMs = 20, 4000 },
			Work{From: 20, To: 30, CleanBytes: 200, DirtyBytes: 100, Overdue: true, Due: true, Waiting: true}},
		{"not yet", func(f *Facts) { f.Checkpoint, f.MaxCompactionLagMs = 20, 5000 }, Work{From: 20, To: 30, CleanBytes: 200, DirtyBytes: 100, Waiting: true}},
		{"too long, and may not be touched", func(f *Facts) { f.Stable, f.MaxCompactionLagMs = 5, 4000 }, Work{From: 0, To: 0, Waiting: true}},
		{"records were deleted", func(f *Facts) { f.Checkpoint, f.LogStart = 5, 12 }, Work{From: 12, To: 30, DirtyBytes: 200, Due: true, Waiting: true}},
		{"the checkpoint is of another log", func(f *Facts) { f.Checkpoint = 36 }, Work{From: 0, To: 30, DirtyBytes: 300, Due: true, Waiting: true}},
		{"the checkpoint is in the active segment", func(f *Facts) { f.Checkpoint = 33 }, Work{From: 33, To: 33, CleanBytes: 300}},
	} {
		if got := Assess(three(c.change)); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestTheMostUrgentComesFirst(t *testing.T) {
	work := []Work{
		{DirtyBytes: 60, CleanBytes: 40}, {DirtyBytes: 10, CleanBytes: 90, Overdue: true}, {DirtyBytes: 90, CleanBytes: 10}, {DirtyBytes: 20, CleanBytes: 80, Overdue: true},
	}
	slices.SortFunc(work, func(a, b Work) int {
		if a.Before(b) {
			return -1
		}
		return 1
	})
	want := []int64{20, 10, 90, 60}
	for i, w := range work {
		if w.DirtyBytes != want[i] {
			t.Fatalf("%+v, want %v", work, want)
		}
	}
}

func TestGroups(t *testing.T) {
	segments := []Segment{
		{Base: 0, Next: 10, Bytes: 40}, {Base: 10, Next: 20, Bytes: 40}, {Base: 20, Next: 30, Bytes: 40},
		{Base: 30, Next: 40, Bytes: 200}, {Base: 40, Next: 50, Bytes: 1, IndexBytes: 30}, {Base: 50, Next: 60, Bytes: 1, IndexBytes: 30},
		{Base: 60, Next: 60 + 1<<31, Bytes: 1}, {Base: 60 + 1<<31, Next: 70 + 1<<31, Bytes: 1},
	}
	got := Groups(segments, 100, 50)
	want := [][2]int{{0, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 7}, {7, 8}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
