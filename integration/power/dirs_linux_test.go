package power

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/verifier"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestCutDuringMoves: a power cut while every partition is on its way to another data directory loses nothing.
func TestCutDuringMoves(t *testing.T) {
	seed := verifier.Seed(t)
	random := rand.New(rand.NewPCG(seed, 31))
	var d *disk
	var dirs []string
	verifier.Loop{
		Row: 102, Cycles: verifier.Cycles(t, 5), Seed: seed, Work: verifier.Ordinary,
		Between: func(r *rand.Rand) time.Duration { return time.Duration(20+r.IntN(400)) * time.Millisecond },
		Open: func(t *testing.T) *launch.Broker {
			d = newDisk(t, "")
			dirs = []string{d.dataDir() + "/a", d.dataDir() + "/b"}
			return start(t, d, map[string]string{"log.dirs": dirs[0] + "," + dirs[1]})
		},
		Crash: func(t *testing.T, b *launch.Broker) {
			if err := verifier.MoveAll(t.Context(), kadm.NewClient(verifier.Client(t, b.Bootstrap)), dirs, random); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // when the cut comes is the test's input
			crash(t, d, b)
		},
	}.Run(t)
}

// TestDisksFail: rows 18 and 21. Of two disks one fails under the broker: its partitions answer KAFKA_STORAGE_ERROR, the
// others are served, also after a restart. When the other one fails, too, the process ends with an error in one line.
func TestDisksFail(t *testing.T) {
	a, b := newDisk(t, ""), newDisk(t, "")
	broker := start(t, a, map[string]string{"log.dirs": a.dataDir() + "," + b.dataDir()})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cl := verifier.Client(t, broker.Bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0),
		kgo.RecordDeliveryTimeout(10*time.Second), kgo.DefaultProduceTopic("t"))
	adm := kadm.NewClient(cl)
	if r, err := adm.CreateTopics(ctx, 4, 1, nil, "t"); err != nil || r["t"].Err != nil {
		t.Fatal(err, r)
	}
	at := map[string][]int32{}
	dirs, err := adm.DescribeBrokerLogDirs(ctx, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	dirs.Each(func(d kadm.DescribedLogDir) {
		for p := range d.Topics["t"] {
			at[d.Dir] = append(at[d.Dir], p)
		}
	})
	send := func(dir string) (errs []error) {
		for _, p := range at[dir] {
			if err := cl.ProduceSync(ctx, &kgo.Record{Partition: p, Value: []byte("x")}).FirstErr(); err != nil {
				errs = append(errs, err)
			}
		}
		return errs
	}
	if len(at) != 2 || len(send(a.dataDir())) > 0 || len(send(b.dataDir())) > 0 {
		t.Fatalf("at the start: %v", at)
	}
	ready := func() (int, string) {
		resp, err := http.Get("http://" + broker.HTTP + "/readyz")
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}

	if err := b.cut(); err != nil {
		t.Fatal(err)
	}
	offline := func(when string) {
		t.Helper()
		for _, err := range send(b.dataDir()) {
			if !errors.Is(err, kerr.KafkaStorageError) && !errors.Is(err, kgo.ErrRecordRetries) { // of a connection that ended
				t.Errorf("%s: a lost partition answers %v", when, err)
			}
		}
		if errs := send(b.dataDir()); len(errs) != len(at[b.dataDir()]) {
			t.Errorf("%s: %d of %d lost partitions are refused", when, len(errs), len(at[b.dataDir()]))
		}
		if errs := send(a.dataDir()); len(errs) > 0 {
			t.Errorf("%s: the other disk's: %v", when, errs)
		}
		dirs, err := adm.DescribeBrokerLogDirs(ctx, 1, nil)
		if d := dirs[b.dataDir()]; err != nil || !errors.Is(d.Err, kerr.KafkaStorageError) || dirs[a.dataDir()].Err != nil {
			t.Errorf("%s: %v %+v", when, err, dirs)
		}
		if code, text := ready(); code != http.StatusOK {
			t.Errorf("%s: %d %s", when, code, text)
		}
	}
	offline("one disk has failed")
	if err := broker.Stop(); err != nil {
		t.Errorf("%v", err)
	}
	if _, err := broker.Restart(); err != nil {
		t.Fatal(err)
	}
	offline("after a restart")

	if err := a.cut(); err != nil {
		t.Fatal(err)
	}
	_ = send(a.dataDir())
	if code := broker.ExitCode(20 * time.Second); code <= 0 {
		t.Fatalf("exit code %d", code)
	}
	last := broker.Said("ottla: ")
	if len(last) != 1 || !strings.Contains(last[0], a.dataDir()) || !strings.Contains(last[0], "offline") {
		t.Errorf("%q", last)
	}

	for _, d := range []*disk{a, b} { // new disks, as it were: nothing that was acknowledged is gone
		if err := d.boot(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := broker.Restart(); err != nil {
		t.Fatal(err)
	}
	ends, err := adm.ListEndOffsets(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]int64{a.dataDir(): 3, b.dataDir(): 1} {
		for _, p := range at[dir] {
			if end, ok := ends.Lookup("t", p); !ok || end.Err != nil || end.Offset < want {
				t.Errorf("%d in %s ends at %d, want %d: %v", p, dir, end.Offset, want, end.Err)
			}
		}
	}
}

// TestASecondBroker: row 26. A broker on any directory of another one is refused by name.
func TestASecondBroker(t *testing.T) {
	dir := t.TempDir()
	first := launch.Start(t, launch.Options{Dir: dir + "/first", Set: map[string]string{"log.dirs": dir + "/a," + dir + "/b"}})
	for _, dirs := range []string{"a,b", "b", "c,b"} {
		var paths []string
		for name := range strings.SplitSeq(dirs, ",") {
			paths = append(paths, dir+"/"+name)
		}
		second, err := launch.Open(launch.Options{Dir: t.TempDir(), Set: map[string]string{"log.dirs": strings.Join(paths, ",")}})
		if err == nil {
			second.Kill()
			t.Errorf("%s: a second broker starts", dirs)
			continue
		}
		if !strings.Contains(err.Error(), "in use by another process") || !strings.Contains(err.Error(), fmt.Sprintf("%s/", dir)) {
			t.Errorf("%s: %v", dirs, err)
		}
	}
	if !launch.Answers(first.Bootstrap) {
		t.Error("the first one does not answer any more")
	}
}
