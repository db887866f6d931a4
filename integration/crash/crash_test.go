package crash

import (
	"testing"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/verifier"
)

// properties make segments, indexes and snapshots that many cycles have something to do with.
func properties(more map[string]string) map[string]string {
	set := map[string]string{
		"log.segment.bytes":                "4194304", // some rolls in every run
		"log.index.interval.bytes":         "2000",
		"log.segment.delete.delay.ms":      "1000",
		"group.initial.rebalance.delay.ms": "0",
	}
	for name, value := range more {
		set[name] = value
	}
	return set
}

// SIGKILL leaves the page cache as it is: neither mode may lose anything that was acknowledged.
func TestKillWithFsync(t *testing.T)     { killLoop(t, 1, "fsync", 30) }
func TestKillWithPageCache(t *testing.T) { killLoop(t, 2, "pagecache", 10) }

func killLoop(t *testing.T, row int, durability string, cycles int) {
	verifier.Loop{
		Row: row, Cycles: verifier.Cycles(t, cycles), Seed: verifier.Seed(t), Work: verifier.Ordinary,
		Open: func(t *testing.T) *launch.Broker {
			return launch.Start(t, launch.Options{Set: properties(map[string]string{"log.durability": durability})})
		},
		Crash: func(_ *testing.T, b *launch.Broker) { b.Kill() },
	}.Run(t)
}
