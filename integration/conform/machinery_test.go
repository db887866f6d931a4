package conform

import (
	"slices"
	"testing"
)

func TestTranscriptSurvivesItsText(t *testing.T) {
	same := []leaf{{"ErrorCode", "3 UNKNOWN_TOPIC_OR_PARTITION"}, {"Topic", `"a = b"`}}
	in := transcript{{"with v1 in it", 1, same}, {"with v1 in it", 2, same}, {"with v1 in it", 3, nil}, {"next", 0, nil}}
	out, err := parse(in.String())
	if err != nil || !slices.EqualFunc(in, out, func(a, b answer) bool {
		return a.step == b.step && a.version == b.version && slices.Equal(a.leaves, b.leaves)
	}) {
		t.Fatalf("%v\n%s\nread back:\n%s", err, in, out)
	}
}

func TestDifferencesAreSeen(t *testing.T) {
	kafka := transcript{{"a", 1, []leaf{{"X", "1"}, {"ErrorMessage", `"no"`}}}, {"b", 1, nil}}
	ours := transcript{{"a", 1, []leaf{{"X", "2"}, {"ErrorMessage", `"nay"`}, {"Y", "3"}}}, {"c", 1, nil}}
	var got []string
	for _, d := range compare("s", kafka, ours) {
		got = append(got, d.String())
	}
	want := []string{"s | a v1 | X | 1 | 2", "s | a v1 | Y | (none) | 3", "s | c v1 |  | (never recorded) | (asked)", "s | b v1 |  | (recorded) | (never asked)"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if same("A.ErrorMessage", "null", `"text"`) {
		t.Error("a message where Kafka has none is a difference")
	}
}

func TestReviewCoversWhatItNames(t *testing.T) {
	d := difference{"s", "create", 3, "Topics[0].X", "1", "2"}
	for pattern, want := range map[reviewed]bool{
		{script: "s", step: "create", path: "Topics[*].X", kafka: "1", ours: "2"}: true,
		{script: "*", step: "create v3", path: "*X", kafka: "*", ours: "*"}:       true,
		{script: "s", step: "create v4", path: "*", kafka: "*", ours: "*"}:        false,
		{script: "s", step: "create", path: "*", kafka: "1", ours: "3"}:           false,
	} {
		if pattern.covers(d) != want {
			t.Errorf("%+v covers: %v", pattern, !want)
		}
	}
}
