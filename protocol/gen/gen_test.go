package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestWithoutComments(t *testing.T) {
	in := "{ // a \"comment\"\n \"a\": \"http://b\\\"//\", // c\n \"d\": 1 }"
	want := "{               \n \"a\": \"http://b\\\"//\",     \n \"d\": 1 }"
	if got := string(withoutComments([]byte(in))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestParseVersions(t *testing.T) {
	for in, want := range map[string]versions{
		"3": {3, 3}, "0-4": {0, 4}, "2+": {2, noEnd}, "none": {0, -1}, "": {0, -1},
	} {
		if got := parseVersions(in); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func TestGoName(t *testing.T) {
	for in, want := range map[string]string{
		"topicId": "TopicID", "Isr": "ISR", "LastKnownElr": "LastKnownELR", "PartitionIds": "PartitionIDs", "Id": "ID",
		"group": "Group", "EndPoints": "EndPoints", "Idle": "Idle", "isKRaft": "IsKRaft",
	} {
		if got := goName(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestWalkOps(t *testing.T) {
	d := &definition{Name: "R", ValidVersions: "0-1", FlexibleVersions: "1+", Fields: []*field{
		{Name: "A", Type: "int32", Versions: "0+"},
		{Name: "B", Type: "bool", Versions: "0+"},
		{Name: "C", Type: "string", Versions: "1+", NullableVersions: "1+"},
		{Name: "D", Type: "[]int64", Versions: "0+"},
		{Name: "E", Type: "bytes", Versions: "1+", TaggedVersions: "1+", Tag: 7},
	}}
	for version, want := range []string{
		"{fixed, false, 5, 0, 0}, // A, B\n{array, false, 8, 8, 0}, // D\n",
		"{fixed, false, 5, 0, 0}, // A, B\n{compactStr, true, 0, 16, 0}, // C\n{compactArray, false, 8, 8, 0}, // D\n" +
			"{tags, false, 1, 0, 0},\n{tag, false, 7, 0, 1}, // E\n{compactBlob, false, 0, 0, 0}, // E\n",
	} {
		w := walkWriter{definition: d, version: int16(version), flexible: version >= 1}
		ops, err := w.fields(d.Fields, reflect.TypeFor[struct{}]())
		if err != nil {
			t.Fatal(err)
		}
		if got := render(ops); got != want {
			t.Errorf("version %d:\n%s, want\n%s", version, got, want)
		}
	}
}

// What is committed is what the generator writes, where the jars are at hand.
func TestGeneratedFilesAreFresh(t *testing.T) {
	libs := os.Getenv("OTTLA_KAFKA_LIBS")
	if libs == "" {
		t.Skip("OTTLA_KAFKA_LIBS names no directory with the jars of an Apache Kafka release")
	}
	tree := t.TempDir()
	for _, dir := range []string{"protocol", "coordinator/record"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := generate(libs, tree); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(tree, "*", "*_gen.go"))
	if err != nil || len(made) == 0 {
		t.Fatal(made, err)
	}
	more, _ := filepath.Glob(filepath.Join(tree, "*", "*", "*_gen.go"))
	for _, path := range append(made, more...) {
		name, _ := filepath.Rel(tree, path)
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join("..", "..", name)); err != nil || string(got) != string(want) {
			t.Errorf("%s is stale: go generate ./protocol (%v)", name, err)
		}
	}
}
