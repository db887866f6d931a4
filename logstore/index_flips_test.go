package logstore

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
)

// TestIndexFlipsChangeNoAnswer: whichever bit is flipped in an offset index, a time index, a transaction index or a producer
// snapshot of a directory that was closed, every answer is what it was, or the log is offline.
func TestIndexFlipsChangeNoAnswer(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 12))
	mem, s, l := busyLog(t, r)
	want, err := answers(l)
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	var names []string
	entries, _ := mem.ReadDir("data/t-0")
	for _, e := range entries {
		if _, ext, ok := parseSegmentName(e.Name()); ok && ext != logExt {
			if info, _ := e.Info(); info.Size() > 0 {
				names = append(names, "data/t-0/"+e.Name())
			}
		}
	}
	kinds := map[string]int{}
	try := func(fs *vfs.Mem, what string) {
		s := open(t, fs, "data")
		l := s.Get(testTopic)
		if err := l.Err(); err != nil && strings.Contains(err.Error(), "newer") {
			s.Close()
			return // the bit made it another version, which is refused
		}
		got, err := answers(l)
		if err != nil || got != want {
			t.Fatalf("%s: %v\n%s", what, err, firstDifference(got, want))
		}
		closeStore(t, s)
	}
	try(mem.KillClone(), "nothing")
	for range inFull(1500) {
		name := names[r.IntN(len(names))]
		info, err := mem.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		bit := r.IntN(int(info.Size()) * 8)
		fs := mem.KillClone()
		if err := flip(fs, name, bit); err != nil {
			t.Fatal(err)
		}
		kinds[name[strings.LastIndex(name, "."):]]++
		try(fs, fmt.Sprintf("bit %d of %s", bit, name))
	}
	if len(kinds) != 4 {
		t.Errorf("flipped in %v", kinds)
	}
}
