package logstore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
)

// The fault test does the same random things while one operation on the files fails, or a few do. Whatever the store
// answers, it may not lose what it said was flushed: the process is killed at the end, or the power is cut, and the
// files are opened again without faults.
//
//	CRASHTEST_SEED=17 go test ./logstore -run TestFailEveryOperation

// faults fail the nth operation, by kind: on a disk that is broken, full, or was remounted.
func faults(r *rand.Rand) []string {
	n := 1 + r.IntN(250)
	switch r.IntN(8) {
	case 0:
		return []string{fmt.Sprintf("sync of *.log #%d -> EIO", 1+r.IntN(40))}
	case 1:
		return []string{fmt.Sprintf("syncdir of * #%d -> EIO", 1+r.IntN(40))}
	case 2:
		return []string{fmt.Sprintf("write of *.log after %d bytes -> short", r.IntN(20_000))}
	case 3:
		return []string{fmt.Sprintf("write of * #%d+ -> ENOSPC", 1+r.IntN(100))}
	case 4:
		return []string{fmt.Sprintf("any of * #%d+ -> EIO", n)}
	case 5:
		return []string{fmt.Sprintf("any of *checkpoint* #%d+ -> EIO", 1+r.IntN(30))}
	default:
		return []string{fmt.Sprintf("any of * #%d -> EIO", n)}
	}
}

func TestFailEveryOperation(t *testing.T) {
	failed, unharmed := 0, 0
	for _, seed := range seeds(t, 300) {
		w := newWorld(seed)
		w.faulty = true
		rules := faults(w.crashes)
		var left point
		synctest.Test(t, func(t *testing.T) {
			w.steps = append(w.steps, "first open")
			if err := w.open(); err != nil {
				t.Fatal(err)
			}
			w.fs.Add(rules...)
			left = w.suffer(t, seed)
		})
		if len(w.fs.Fired()) > 0 {
			failed++
		} else {
			unharmed++
		}
		files := listing(left.fs, crashDir)
		if err := left.verifyAfterFaults(rand.New(rand.NewPCG(seed, 3))); err != nil {
			t.Fatalf("CRASHTEST_SEED=%d %q: %s: %v\npromised: %+v\nleft:\n%sfailed: %q\nsteps: %q", seed, rules, left.what, err, left.promises, files, w.fs.Fired(), w.steps)
		}
	}
	t.Logf("%d runs with a fault, %d without", failed, unharmed)
}

// suffer goes on whatever fails: what comes after a failure must do no harm. It returns what is left, and what was
// promised.
func (w *world) suffer(t *testing.T, seed uint64) point {
	t.Helper()
	for range 40 {
		err := w.step()
		if err == nil {
			continue
		}
		if len(w.fs.Fired()) == 0 {
			t.Fatalf("CRASHTEST_SEED=%d without a fault: %v\nsteps: %q", seed, err, w.steps)
		}
		if code := protocol.CodeOf(err); code != protocol.KafkaStorageError {
			t.Fatalf("CRASHTEST_SEED=%d a fault is answered with %s: %v\nfailed: %q\nsteps: %q", seed, code, err, w.fs.Fired(), w.steps)
		}
	}
	synctest.Wait()
	w.settle()
	p := point{what: "left as it is"}
	if w.crashes.IntN(2) == 0 {
		p.what = "closed"
		if err := w.store.Close(); err == nil {
			w.change(func() {
				for _, p := range w.partitions {
					if !p.refused {
						p.floor = p.end()
					}
				}
			})
		}
	}
	w.mu.Lock()
	p.promises = w.promises()
	w.mu.Unlock()
	if w.crashes.IntN(2) == 0 {
		p.fs = w.mem.KillClone()
		p.what += ", kill"
	} else {
		p.fs = w.mem.CrashClone(w.crashes, pick(w.crashes, 0, 50, 100))
		p.what += ", power cut"
	}
	if p.what[0] == 'l' {
		w.store.Close()
	}
	return p
}

// verifyAfterFaults opens what is left on a disk that fails again, sometimes, before it holds it against the promises.
func (c point) verifyAfterFaults(r *rand.Rand) error {
	if r.IntN(2) == 0 {
		what := pick(r, "open of *.log", "read of *.log", "sync of *", "write of *", "truncate of *", "rename of *", "remove of *", "syncdir of *")
		fs := errorfs.New(c.fs, fmt.Sprintf("%s #%d -> EIO", what, 1+r.IntN(20)))
		if s, err := logstore.Open(crashDir, logstore.Options{FS: fs, NodeID: 1}); err == nil {
			s.Close()
		}
	}
	return c.verify(r)
}
