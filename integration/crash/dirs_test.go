package crash

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/verifier"
	"github.com/twmb/franz-go/pkg/kadm"
)

// SIGKILL while every partition is on its way to another data directory: nothing acknowledged is lost, doubled, or out of
// order, and no start is refused.
func TestKillDuringMoves(t *testing.T) {
	seed := verifier.Seed(t)
	random := rand.New(rand.NewPCG(seed, 31))
	var dirs []string
	verifier.Loop{
		Row: 101, Cycles: verifier.Cycles(t, 8), Seed: seed, Work: verifier.Ordinary,
		Open: func(t *testing.T) *launch.Broker {
			dir := t.TempDir()
			dirs = []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
			return launch.Start(t, launch.Options{Dir: dir, Set: properties(map[string]string{"log.dirs": dirs[0] + "," + dirs[1]})})
		},
		Crash: func(t *testing.T, b *launch.Broker) {
			if err := verifier.MoveAll(t.Context(), kadm.NewClient(verifier.Client(t, b.Bootstrap)), dirs, random); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond) // when the crash comes is the test's input
			b.Kill()
		},
	}.Run(t)
}
