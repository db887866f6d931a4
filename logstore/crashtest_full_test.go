package logstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ottla/ottla/protocol"
)

// A disk that is full from some write on, whichever that is, harms nothing: what fails is answered KAFKA_STORAGE_ERROR,
// no log goes offline, all goes on once there is room, and nothing is lost that was flushed. Only a log that was about to
// begin again, empty, may stay offline: its old segments are gone, and a new one could not be made.
//
//	CRASHTEST_SEED=17 go test ./logstore -run TestFullDiskAtEveryWrite
func TestFullDiskAtEveryWrite(t *testing.T) {
	refused := 0
	for _, seed := range seeds(t, 200) {
		w := newWorld(seed)
		w.faulty = true
		first := 1 + w.crashes.IntN(120)
		synctest.Test(t, func(t *testing.T) {
			w.steps = append(w.steps, "first open")
			if err := w.open(); err != nil {
				t.Fatal(err)
			}
			w.fs.Add(fmt.Sprintf("grow of * #%d+ -> ENOSPC", first))
			fail := func(err error) {
				t.Helper()
				t.Fatalf("CRASHTEST_SEED=%d, full from write %d on: %v\nfailed: %q\nsteps: %q", seed, first, err, w.fs.Fired(), w.steps)
			}
			for range 30 {
				if err := w.step(); err != nil {
					refused++
					if !errors.Is(err, protocol.KafkaStorageError) {
						fail(err)
					}
				}
				if err := w.online(); err != nil {
					fail(err)
				}
			}
			w.fs.Clear()
			w.steps = append(w.steps, "there is room")
			for range 20 {
				if err := w.step(); err != nil {
					fail(err)
				}
			}
			synctest.Wait()
			w.settle()
			left := point{what: "after a full disk", promises: w.promises(), fs: w.mem.KillClone()}
			if err := w.store.Close(); err != nil && !slices.ContainsFunc(w.partitions, func(p *partition) bool { return p.restarting }) {
				fail(err)
			}
			if err := left.verify(rand.New(rand.NewPCG(seed, 3))); err != nil {
				fail(err)
			}
			left.fs = w.mem.KillClone()
			if err := left.verify(rand.New(rand.NewPCG(seed, 4))); err != nil {
				fail(err)
			}
		})
	}
	t.Logf("%d steps were refused", refused)
}

// online is why a log is offline.
func (w *world) online() error {
	for _, p := range w.partitions {
		if err := p.log.Err(); err != nil && !p.restarting {
			return err
		}
	}
	return nil
}
