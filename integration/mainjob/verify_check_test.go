package mainjob

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// read is one record of a member's file.
type read struct {
	offset int64
	value  string
}

// stage lays out what members would leave behind: reads by partition, and events.
func stage(t *testing.T, reads []map[int32][]read, events []string) (folders []string) {
	t.Helper()
	for m := range reads {
		folder := t.TempDir()
		folders = append(folders, folder)
		for p, rs := range reads[m] {
			var b []byte
			for _, r := range rs {
				b = binary.BigEndian.AppendUint64(b, uint64(r.offset))
				b = binary.BigEndian.AppendUint32(b, uint32(len(r.value)))
				b = append(b, r.value...)
			}
			write(t, filepath.Join(folder, fmt.Sprintf("%d.records", p)), b)
		}
		write(t, filepath.Join(folder, "events"), []byte(events[m]))
	}
	return folders
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTheVerifierSees breaks each promise once.
func TestTheVerifierSees(t *testing.T) {
	input := filepath.Join(t.TempDir(), "input")
	write(t, input, []byte("0\ta\n1\tb\n2\tc\n3\td\n"))
	good := func() []map[int32][]read {
		return []map[int32][]read{
			{0: {{0, "0\ta"}, {1, "2\tc"}}, 1: {{0, "1\tb"}}},
			{0: {{1, "2\tc"}}, 1: {{1, "3\td"}}},
		}
	}
	events := []string{"10 assigned 0\n11 began 0 0\n12 committed 0 1\n13 committed 1 1\n13 assigned 1\n14 began 1 0\n", "20 assigned 0\n21 began 0 1\n22 assigned 1\n23 began 1 1\n"}
	folders := stage(t, good(), events)
	if again, err := verify(input, folders, 2); err != nil || again != 1 {
		t.Fatalf("%v, %d delivered again, expected 1", err, again)
	}
	if err := checkCommits(folders, 2); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(r []map[int32][]read)
		want   string
	}{
		"a hole":        {func(r []map[int32][]read) { r[0][0] = r[0][0][1:] }, "offset 0 of 2 was never read"},
		"a missing end": {func(r []map[int32][]read) { r[1][1] = nil }, "line 3 was never read"},
		"another byte":  {func(r []map[int32][]read) { r[0][1][0].value = "1\tx" }, "line 1 is"},
		"out of order": {func(r []map[int32][]read) {
			r[0][0][0].value, r[0][0][1].value, r[1][0][0].value = "2\tc", "0\ta", "0\ta"
		}, "line 0 was never read"},
		"one too many":      {func(r []map[int32][]read) { r[1][1] = append(r[1][1], read{2, "4\te"}) }, "none of the file's"},
		"a line twice":      {func(r []map[int32][]read) { r[1][1][0].value = "2\tc" }, "line 3 was never read"},
		"read differently":  {func(r []map[int32][]read) { r[1][0][0].value = "2\tx" }, "differently"},
		"without a number":  {func(r []map[int32][]read) { r[0][1][0].value = "b" }, "has no number"},
		"an empty record":   {func(r []map[int32][]read) { r[0][1][0].value = "" }, "has no number"},
		"numbers elsewhere": {func(r []map[int32][]read) { r[0][1][0].value = "9\tb" }, "line 1 was never read"},
	} {
		reads := good()
		c.change(reads)
		if _, err := verify(input, stage(t, reads, events), 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	early := []string{events[0], strings.Replace(events[1], "began 0 1", "began 0 0", 1)}
	if err := checkCommits(stage(t, good(), early), 2); err == nil || !strings.Contains(err.Error(), "although 1 was committed") {
		t.Errorf("began below the last commit: %v", err)
	}
}
