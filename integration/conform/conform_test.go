package conform

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var update = flag.Bool("update", false, "record the answers of a live Apache Kafka")

// settings of both brokers: Apache Kafka's defaults but for what would only cost time.
var settings = map[string]string{
	"group.initial.rebalance.delay.ms": "0",
	"log.durability":                   "pagecache",
}

// scripts by name. Each file *_script_test.go adds its own. They share one broker: topics and groups bear the script's
// name.
var scripts = map[string]func(*session){}

func TestConform(t *testing.T) {
	var b *launch.Broker
	if *update {
		launch.NeedJava(t)
		var err error
		// Records bear time stamps of 1970, to be the same in every run: retention must not come by, half a minute after the start.
		set := maps.Clone(settings)
		set["log.initial.task.delay.ms"] = "3600000"
		if b, err = launch.OpenKafka(launch.Options{Dir: t.TempDir(), Set: set}); err != nil {
			t.Fatal(err)
		}
		defer b.Kill()
	} else {
		b = launch.Start(t, launch.Options{Set: settings})
	}
	ranges := versionRanges(t, b.Bootstrap)
	review, err := readReviewed()
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		t.Run(name, func(t *testing.T) {
			ran++
			s := &session{t: t, bootstrap: b.Bootstrap, names: newNamer(b.Bootstrap, b.DataDir), ranges: ranges}
			defer s.hangUp()
			scripts[name](s)
			settle(t, name, s.got, review)
		})
	}
	if *update || ran < len(scripts) {
		return
	}
	for _, r := range review {
		if !r.used {
			t.Errorf("%s:%d: there is no such difference: %s | %s | %s", differencesFile, r.line, r.script, r.step, r.path)
		}
	}
}

// settle records a transcript, or compares it with the one recorded.
func settle(t *testing.T, name string, got transcript, review []*reviewed) {
	if *update {
		if err := os.WriteFile(goldenFile(name), []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := readGolden(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range compare(name, want, got) {
		if !reviewedBy(review, d) {
			t.Errorf("%s", d)
		}
	}
}

func reviewedBy(review []*reviewed, d difference) bool {
	found := false
	for _, r := range review {
		if r.covers(d) {
			r.used, found = true, true
		}
	}
	return found
}

const versionsFile = "testdata/versions.txt"

// versionRanges are the APIs and versions that Apache Kafka advertises: asked of it when recording, read back otherwise.
func versionRanges(t *testing.T, bootstrap string) map[int16][2]int16 {
	ranges := map[int16][2]int16{}
	if !*update {
		text, err := os.ReadFile(versionsFile)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var numbers [3]int16
			for i, word := range strings.Fields(line)[:3] {
				n, err := strconv.Atoi(word)
				if err != nil {
					t.Fatalf("%s: %v", versionsFile, err)
				}
				numbers[i] = int16(n)
			}
			ranges[numbers[0]] = [2]int16{numbers[1], numbers[2]}
		}
		return ranges
	}
	s := &session{t: t, bootstrap: bootstrap, names: newNamer("-", "-")}
	defer s.hangUp()
	req := kmsg.NewPtrApiVersionsRequest()
	req.SetVersion(4)
	req.ClientSoftwareName, req.ClientSoftwareVersion = "conform", "1"
	resp, leaves := s.exchange(req)
	if resp == nil {
		t.Fatal(leaves)
	}
	var text strings.Builder
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		ranges[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
		fmt.Fprintf(&text, "%d %d %d %s\n", k.ApiKey, k.MinVersion, k.MaxVersion, kmsg.NameForKey(k.ApiKey))
	}
	if err := os.WriteFile(versionsFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return ranges
}
