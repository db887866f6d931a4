package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// dumped is a data directory with one log.
func dumped(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s, err := logstore.Open(dir, logstore.Options{NodeID: 7})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Create(logstore.TopicPartition{Topic: "topic"}, [16]byte{1}, logstore.DefaultLogConfig())
	if err != nil {
		t.Fatal(err)
	}
	b := record.NewBuilder(record.NewOptions())
	b.Add(1, []byte("key"), []byte("value"))
	if _, err := l.Append(b.Batch(), logstore.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDump(t *testing.T) {
	dir := dumped(t)
	segment := filepath.Join(dir, "topic-0", "00000000000000000000.log")
	code, out, errs := typed(nil, "dump", "--records", segment)
	if code != 0 || !strings.Contains(out, `record offset=0 timestamp=1970-01-01T00:00:00.001Z key="key" value="value"`) {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	code, out, _ = typed(nil, "dump", "--json", dir)
	for line := range strings.Lines(out) {
		if code != 0 || !json.Valid([]byte(line)) {
			t.Errorf("exit %d: %s", code, line)
		}
	}
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1]++
	if err := os.WriteFile(segment, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = typed(nil, "dump", segment); code != 1 || !strings.Contains(out, "WRONG") || !strings.Contains(errs, "1 things are wrong") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if code, _, _ = typed(nil, "dump", filepath.Join(dir, "nothing")); code != 1 {
		t.Errorf("exit %d", code)
	}
}

// TestDumpPlan: what a start would do is shown, also where it would refuse, and nothing is done.
func TestDumpPlan(t *testing.T) {
	dir := dumped(t)
	code, out, errs := typed(nil, "dump", "plan", dir)
	if code != 0 || !strings.Contains(out, "closed cleanly, 1 logs") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if code, out, _ = typed(nil, "dump", "plan", "--json", dir); code != 0 || !json.Valid([]byte(out)) {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out, _ = typed(nil, "dump", "plan", "--node-id", "8", dir); code != 1 || !strings.Contains(out, "refused") {
		t.Errorf("exit %d: %s", code, out)
	}
	segment := filepath.Join(dir, "topic-0", "00000000000000000000.log")
	if err := os.Truncate(segment, 70); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = typed(nil, "dump", "plan", dir); code != 1 || !strings.Contains(errs, "1 of 1 logs would be offline") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if info, err := os.Stat(segment); err != nil || info.Size() != 70 {
		t.Errorf("the plan changed the segment: %v", err)
	}
}
