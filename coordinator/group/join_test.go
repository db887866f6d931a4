package group

import (
	"math"
	"strings"
	"testing"
)

func TestMemberIDsFitTheirRecord(t *testing.T) {
	j := join{machine: &Machine{config: Config{NewID: func() string { return "random" }}}}
	for name, want := range map[string]string{
		"":                                     "-random",
		"client":                               "client-random",
		strings.Repeat("x", math.MaxInt16-7):   strings.Repeat("x", math.MaxInt16-7) + "-random",
		strings.Repeat("x", math.MaxInt16-6):   strings.Repeat("x", math.MaxInt16-7) + "-random",
		strings.Repeat("x", 2*math.MaxInt16+7): strings.Repeat("x", math.MaxInt16-7) + "-random",
	} {
		if got := j.newID(name); got != want {
			t.Errorf("the id for a name of %d bytes has %d, want %d", len(name), len(got), len(want))
		}
	}
}
