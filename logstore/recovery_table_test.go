package logstore

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
)

var update = flag.Bool("update", false, "write the tables of RECOVERY.md anew")

// TestTablesAreComplete: every combination of facts fits exactly one row, every row fits some, and no label is used twice.
func TestTablesAreComplete(t *testing.T) {
	labels, total := map[string]string{}, 0
	for _, table := range tables {
		fits := map[string]int{}
		combinations(table.facts, nil, func(values []string) {
			total++
			defer func() {
				if r := recover(); r != nil {
					t.Error(r)
				}
			}()
			fits[table.find(values...).label]++
		})
		for _, r := range table.rows {
			if fits[r.label] == 0 {
				t.Errorf("%s: row %s fits nothing", table.kind, r.label)
			}
			if of := labels[r.label]; of != "" {
				t.Errorf("row %s is of %s and of %s", r.label, of, table.kind)
			}
			labels[r.label] = table.kind
			for i, when := range r.when {
				for value := range strings.SplitSeq(when, "|") {
					if when != either && !strings.Contains(" "+strings.Join(table.facts[i].values, " ")+" ", " "+value+" ") {
						t.Errorf("%s: row %s asks for %s %q", table.kind, r.label, table.facts[i].name, value)
					}
				}
			}
		}
	}
	t.Logf("%d combinations of facts, %d rows", total, len(labels))
}

func combinations(facts []fact, values []string, visit func(values []string)) {
	if len(facts) == 0 {
		visit(values)
		return
	}
	for _, value := range facts[0].values {
		combinations(facts[1:], append(values[:len(values):len(values)], value), visit)
	}
}

// TestRecoveryDoc: RECOVERY.md shows the tables as they are. go test ./logstore -run TestRecoveryDoc -update writes them.
func TestRecoveryDoc(t *testing.T) {
	const name, begin = "RECOVERY.md", "<!-- The rest is written by TestRecoveryDoc. -->\n"
	doc, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, found, ok := strings.Cut(string(doc), begin)
	if !ok {
		t.Fatalf("%s has no line %q", name, begin)
	}
	want := strings.Builder{}
	for _, table := range tables {
		want.WriteString("\n" + table.markdown())
	}
	if *update {
		if err := os.WriteFile(name, []byte(head+begin+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if found != want.String() {
		t.Errorf("%s does not show the tables; go test ./logstore -run TestRecoveryDoc -update", name)
	}
}

// markdown is the table as it stands in RECOVERY.md.
func (t *table) markdown() string {
	b := strings.Builder{}
	fmt.Fprintf(&b, "## `%s`\n\n%s\n\n| row |", t.kind, t.about)
	for _, f := range t.facts {
		fmt.Fprintf(&b, " %s |", f.name)
	}
	b.WriteString(" what is done | |\n|---|" + strings.Repeat("---|", len(t.facts)) + "---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| `%s` |", r.label)
		for _, when := range r.when {
			fmt.Fprintf(&b, " %s |", strings.ReplaceAll(when, "|", ", "))
		}
		fmt.Fprintf(&b, " %s | %s |\n", r.do, r.says)
	}
	return b.String()
}

// TestDecide: what the tables come to for a whole log.
func TestDecide(t *testing.T) {
	seg := func(base, bytes, next int64) segmentFacts {
		return segmentFacts{base: base, bytes: bytes, next: next, seg: &segment{base: base, size: bytes}, txnIs: fileFacts{is: isAbsent}}
	}
	torn := func(s segmentFacts, below bool) segmentFacts {
		s.bad, s.badBelow, s.seg = errors.New("torn"), below, &segment{base: s.base, size: s.bytes / 2}
		return s
	}
	none := facts{point: -1, logStart: -1, topicIDIs: fileFacts{is: isGood}, epochsIs: fileFacts{is: isAbsent}, syncFailed: syncFailure{fileFacts: fileFacts{is: isAbsent}}}
	with := func(change func(f *facts)) facts { f := none; change(&f); return f }
	for _, test := range []struct {
		name string
		f    facts
		want string
	}{
		{"empty directory", none, "begin-again [0, 0)"},
		{"empty directory, records were promised", with(func(f *facts) { f.point = 4 }), "short: offline"},
		{"empty directory, closed cleanly", with(func(f *facts) { f.clean = true }), "segment-missing: offline"},
		{"empty directory, all below the log start", with(func(f *facts) { f.point, f.logStart = 4, 9 }), "set-aside [9, 9)"},
		{"whole", with(func(f *facts) { f.segments = []segmentFacts{seg(0, 10, 5)} }), "whole keep 1 [0, 5)"},
		{"empty segment", with(func(f *facts) { f.segments = []segmentFacts{seg(7, 0, 7)} }), "whole keep 1 [7, 7)"},
		{"torn above", with(func(f *facts) { f.segments = []segmentFacts{seg(0, 10, 5), torn(seg(5, 10, 6), false), seg(9, 1, 10)} }), "torn-tail cut 6 keep 2 [0, 6)"},
		{"torn, and who knows", with(func(f *facts) {
			f.noPoints, f.segments = true, []segmentFacts{torn(seg(5, 10, 6), false)}
			f.segments[0].goodAfter = true
		}), "doubtful: offline"},
		{"torn below", with(func(f *facts) { f.segments = []segmentFacts{torn(seg(5, 10, 6), true)} }), "damaged: offline"},
		{"ends early", with(func(f *facts) { f.point = 6; f.segments = []segmentFacts{seg(0, 10, 5)} }), "short: offline"},
		{"ends above a clean close", with(func(f *facts) {
			f.clean, f.point = true, 4
			f.segments = []segmentFacts{seg(0, 10, 5)}
		}), "end-moved keep 1 [0, 5)"},
		{"ends above an empty log's clean close", with(func(f *facts) {
			f.clean, f.point = true, 0
			f.segments = []segmentFacts{seg(0, 10, 5)}
		}), "end-moved keep 1 [0, 5)"},
		{"ends where a clean close left it", with(func(f *facts) {
			f.clean, f.point = true, 5
			f.segments = []segmentFacts{seg(0, 10, 5)}
		}), "whole keep 1 [0, 5)"},
		{"ends below what a failed sync left", with(func(f *facts) {
			f.point, f.syncFailed = 4, syncFailure{fileFacts{is: isGood}, 6}
			f.segments = []segmentFacts{seg(0, 10, 5)}
		}), "short: offline"},
		{"all below the log start", with(func(f *facts) { f.logStart = 6; f.segments = []segmentFacts{seg(0, 10, 5)} }), "begin-again [6, 6)"},
		{"log start inside", with(func(f *facts) { f.logStart = 5; f.segments = []segmentFacts{seg(0, 10, 5)} }), "whole keep 1 [5, 5)"},
		{"id torn, nothing promised", with(func(f *facts) {
			f.topicIDIs = fileFacts{isDamaged, fs.ErrInvalid}
			f.segments = []segmentFacts{seg(0, 10, 5)}
		}), "whole keep 1 [0, 5)"},
		{"id lost", with(func(f *facts) {
			f.topicIDIs = fileFacts{is: isAbsent}
			f.point = 1
			f.segments = []segmentFacts{seg(0, 10, 5)}
		}), "id-lost: offline"},
		{"newer id, nothing promised", with(func(f *facts) {
			f.topicIDIs = fileFacts{isNewer, fs.ErrInvalid}
		}), "id-newer: offline"},
	} {
		p := decide(test.f)
		got := fmt.Sprintf("%s keep %d [%d, %d)", p.row.label, p.keep, p.start, p.end)
		switch {
		case p.offline != nil:
			got, _, _ = strings.Cut(p.offline.Error(), ":")
			got += ": offline"
		case p.row.do == doRestart:
			got = fmt.Sprintf("%s [%d, %d)", p.row.label, p.start, p.end)
		case p.cut > 0:
			got = fmt.Sprintf("%s cut %d keep %d [%d, %d)", p.row.label, p.cut, p.keep, p.start, p.end)
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestNewerVersions: a file of a newer version takes the log offline, or has the directory refused. The message names
// the file and both versions, and nothing is changed.
func TestNewerVersions(t *testing.T) {
	for _, test := range []struct{ name, text, row string }{
		{"data/" + metaName, "version=2\ncluster.id=ours\nnode.id=1\n", "meta-newer"},
		{"data/" + recoveryPointName, "1\n0\n", "checkpoint-newer"},
		{"data/" + logStartName, "1\n0\n", "checkpoint-newer"},
		{"data/" + highWatermarkName, "1\n0\n", "checkpoint-newer"},
		{"data/" + cleanerName, "1\n0\n", "checkpoint-newer"},
		{"data/t-0/" + partitionName, "version: 1\ntopic_id: AQAAAAAAAAAAAAAAAAAAAA", "id-newer"},
		{"data/t-0/" + epochsName, "1\n0\n", "epochs-newer"},
		{"data/t-0/" + syncFailedName, "1\n0\n", "sync-failed-newer"},
		{"data/t-0/00000000000000000000.txnindex", "\x00\x01 34 bytes of newer software......", "txnindex-newer"},
		{"data/t-0/00000000000000000000.snapshot", "\x00\x02 what newer software says.", "snapshot-newer"},
	} {
		mem, _, _ := killed(t)
		if err := writeFile(mem, test.name, []byte(test.text), false); err != nil {
			t.Fatal(err)
		}
		if test.row == "txnindex-newer" { // above a recovery point a crash may have left anything
			if err := cmp.Or(writeFile(mem, "data/"+cleanShutdownName, cleanShutdown, false),
				writeOffsets(mem, "data/"+recoveryPointName, map[TopicPartition]int64{testTopic: 9})); err != nil {
				t.Fatal(err)
			}
		}
		before := snapshotOf(t, mem, "data/t-0")
		s, err := Open("data", Options{FS: mem, NodeID: 1})
		if err == nil {
			err = s.Get(testTopic).Err()
			s.Close()
		}
		if err == nil {
			t.Errorf("%s: opened", test.name)
			continue
		}
		for _, want := range []string{test.row + ":", test.name, "version", "newer software"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: says nothing of %q", test.name, err, want)
			}
		}
		if after := snapshotOf(t, mem, "data/t-0"); after != before {
			t.Errorf("%s: changed:\n%s\nto\n%s", test.name, before, after)
		}
		if data, _ := readFile(mem, test.name); string(data) != test.text {
			t.Errorf("%s was changed", test.name)
		}
	}
}

// snapshotOf is every file below dir, with its content.
func snapshotOf(t testing.TB, fsys vfs.FS, dir string) string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := strings.Builder{}
	for _, e := range entries {
		name := join(dir, e.Name())
		if e.IsDir() {
			out.WriteString(snapshotOf(t, fsys, name))
			continue
		}
		data, err := readFile(fsys, name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %d %08x\n", name, len(data), crc32.Checksum(data, castagnoli))
	}
	return out.String()
}

// readOffsets reads an offset checkpoint.
func readOffsets(fsys vfs.FS, name string) (map[TopicPartition]int64, error) {
	data, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	return parseOffsets(data)
}
