package crash

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/verifier"
)

// failpoints are operations before which the broker is killed, by the rules of errorfs. DATA is the data directory, N the
// number of the operation, which grows from crash to crash: times each of its steps.
var failpoints = []struct {
	name, operation string
	step            int
}{
	{"compaction: the new segment is written", "write of DATA/keyed-*/*.log.cleaned #N", 2},
	{"compaction: it is synced", "sync of DATA/keyed-*/*.log.cleaned #N", 1},
	{"compaction: its index is named", "rename of DATA/keyed-*/*.index.swap #N", 1},
	{"compaction: it is named", "rename of DATA/keyed-*/*.log.swap #N", 1},
	{"compaction: the old ones go", "rename of DATA/keyed-*/*.log.deleted #N", 2},
	{"compaction: it takes their name", "rename of DATA/keyed-*/*.log #N", 1},
	{"compaction: its index takes its name", "rename of DATA/keyed-*/*.index #N", 1},
	{"roll: the new segment", "open of DATA/left-*/*.log #N", 5},
	{"roll: its name", "syncdir of DATA/left-* #N", 3},
	{"roll: the old index is written", "write of *.index #N", 4},
	{"roll: the old time index is written", "write of *.timeindex #N", 4},
	{"append", "write of DATA/right-*/*.log #N", 100},
	{"sync", "sync of DATA/right-*/*.log #N", 60},
	{"producer snapshot is written", "write of *.snapshot* #N", 3},
	{"producer snapshot is synced", "sync of *.snapshot* #N", 1},
	{"leader epochs", "rename of leader-epoch-checkpoint #N", 2},
	{"recovery points are written", "write of recovery-point-offset-checkpoint* #N", 1},
	{"recovery points are renamed", "rename of recovery-point-offset-checkpoint #N", 1},
	{"log starts", "rename of log-start-offset-checkpoint #N", 1},
	{"retention: a segment gets its last name", "rename of *.log.deleted #N", 1},
	{"retention: a segment is removed", "remove of *.log.deleted #N", 1},
	{"offset commit is written", "write of DATA/__consumer_offsets-*/*.log #N", 15},
	{"offset commit is synced", "sync of DATA/__consumer_offsets-*/*.log #N", 15},
	{"topic is made: the entry is written", "write of DATA/__cluster_metadata-0/*.log #N", 4},
	{"topic is made: the entry is synced", "sync of DATA/__cluster_metadata-0/*.log #N", 4},
	{"topic is made: its directory", "mkdir of DATA/churn-* #N", 4},
	{"topic is made: its identity", "write of DATA/churn-*/partition.metadata #N", 4},
	{"topic is deleted: it is put aside", "rename of DATA/churn-*-delete #N", 2},
	{"topic is deleted: it is removed", "remove of DATA/churn-*-delete #N", 2},
}

// TestKillAtEveryFailpoint kills the broker three times before each of them, and lets it come back.
func TestKillAtEveryFailpoint(t *testing.T) {
	binary := failbroker(t)
	work := verifier.Ordinary
	work.Trimmed, work.Deep, work.Keyed = "short", 300_000, "keyed"
	crashes := 0
	verifier.Loop{
		Row: 3, Cycles: verifier.Cycles(t, 3*len(failpoints)), Seed: verifier.Seed(t), Work: work,
		Between: func(*rand.Rand) time.Duration { return 0 },
		Open: func(t *testing.T) *launch.Broker {
			return launch.Start(t, launch.Options{Binary: binary, Set: properties(map[string]string{
				"log.roll.ms": "400", "log.retention.check.interval.ms": "300", "log.segment.delete.delay.ms": "200",
				"log.cleaner.backoff.ms": "200", "log.cleaner.dedupe.buffer.size": "4194304",
			})})
		},
		Crash: func(t *testing.T, b *launch.Broker) {
			point := failpoints[crashes%len(failpoints)]
			n := point.step * (1 + crashes/len(failpoints)%3)
			crashes++
			t.Logf("%s, the %dth time", point.name, n)
			killAt(t, b, strings.NewReplacer("DATA", b.DataDir, "#N", fmt.Sprintf("#%d", n)).Replace(point.operation)+" -> kill")
		},
	}.Run(t)
}

// killAt starts the broker again with a rule by which it kills itself.
func killAt(t *testing.T, b *launch.Broker, rule string) {
	t.Helper()
	b.Kill()
	b.Env = []string{"FAILPOINT=" + rule}
	defer func() { b.Env = nil }()
	if err := b.Exec(); err != nil {
		t.Fatal(err)
	}
	if !b.Ended(30 * time.Second) {
		t.Fatalf("the load never came to %s", rule)
	}
	if said := b.Said("FAIL"); len(said) > 0 {
		t.Fatal(said)
	}
}

var failbrokerOnce struct {
	sync.Once
	path string
	err  error
}

// failbroker builds the broker that kills itself.
func failbroker(t *testing.T) string {
	t.Helper()
	f := &failbrokerOnce
	f.Do(func() {
		f.path = filepath.Join(launch.Root(), ".cache", "bin", "failbroker")
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", f.path, "./integration/crash/failbroker")
		cmd.Dir = launch.Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			f.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if f.err != nil {
		t.Fatal(f.err)
	}
	return f.path
}
