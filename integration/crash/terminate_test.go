package crash

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/verifier"
)

// TestTerminate asks the broker to end while it is under load: it does, in time and with exit code 0, leaves the mark by which
// the next start skips recovery, and nothing acknowledged is lost.
func TestTerminate(t *testing.T) {
	var slowest time.Duration
	verifier.Loop{
		Row: 25, Cycles: verifier.Cycles(t, 10), Seed: verifier.Seed(t), Work: verifier.Ordinary,
		Open: func(t *testing.T) *launch.Broker {
			return launch.Start(t, launch.Options{Set: properties(map[string]string{"log.durability": "fsync"})})
		},
		Crash: func(t *testing.T, b *launch.Broker) {
			begin := time.Now()
			if err := b.Stop(); err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, time.Since(begin))
			if _, err := os.Stat(filepath.Join(b.DataDir, ".kafka_cleanshutdown")); err != nil {
				t.Fatalf("the next start will recover: %v", err)
			}
		},
	}.Run(t)
	t.Logf("FIGURE slowest end %v after SIGTERM (5 s are allowed on an idle machine)", slowest.Round(time.Millisecond))
}
