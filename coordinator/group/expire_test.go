package group

import (
	"strings"
	"testing"
	"time"
)

// The wall clock may jump. Offsets expire by the time that is handed in for that.
func TestOffsetsDoNotExpireByAClockThatJumped(t *testing.T) {
	w := newWorld(t)
	believed := began
	c := w.limits()
	c.RetentionNow = func() time.Time { return believed }
	w.begin(c)
	w.run("commit s t:0=1")
	wake := func() string {
		w.out.Reset()
		w.now = w.now.Add(10 * 365 * 24 * time.Hour)
		w.apply(w.m.Wake(w.now))
		return w.out.String()
	}
	if got := wake(); strings.Contains(got, "gone") {
		t.Errorf("a jump of ten years: %s", got)
	}
	believed = believed.Add(8 * 24 * time.Hour)
	if got := wake(); !strings.Contains(got, "log offset s t:0 gone") {
		t.Errorf("after a week that was: %s", got)
	}
}
