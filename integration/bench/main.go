// Command bench prints the broker's speed and memory as figures, and as ratios to kfake, franz-go's in-memory fake broker,
// measured in the same minute by the same client: a shared machine's absolute figures mean little, its ratios more.
//
// ROUNDS (default 3) and RECORDS (default 300000 a round) come from the environment. Figures are medians, with the lowest
// and highest in brackets. Words after the command name the parts to run; without one all are but recovery,
// which wants 12 GiB of disk.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ottla/ottla/integration/launch"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "kfake" {
		serveKfake(os.Args[2])
		return
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// parts are what can be measured.
var parts = []struct {
	name string
	run  func(*bench) error
}{
	{"throughput", (*bench).throughput},
	{"starts", (*bench).starts},
	{"memory", (*bench).memory},
	{"partitions", (*bench).partitions},
	{"sync", (*bench).syncStrategies},
	{"durable", (*bench).durable},
	{"amplification", (*bench).amplification},
	{"sparse", (*bench).sparse},
	{"recovery", (*bench).recovery},
}

// chosen are the parts of these names; without names, all that fit any disk.
func chosen(names []string) (run []func(*bench) error, err error) {
	var known []string
	for _, p := range parts {
		known = append(known, p.name)
		if len(names) == 0 && p.name != "recovery" || slices.Contains(names, p.name) {
			run = append(run, p.run)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q is none of %v", name, known)
		}
	}
	return run, nil
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func run(names []string) error {
	parts, err := chosen(names)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ottla-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, rounds: number("ROUNDS", 3), records: number("RECORDS", 300_000)}
	for _, part := range parts {
		if err := part(b); err != nil {
			return err
		}
	}
	return nil
}

type bench struct {
	dir     string
	rounds  int
	records int // in a round
	brokers int // started so far: each has a folder of its own
}

func (b *bench) start(set map[string]string) (*launch.Broker, error) {
	b.brokers++
	return launch.Open(launch.Options{Dir: filepath.Join(b.dir, strconv.Itoa(b.brokers)), Set: set})
}

// end closes a broker and frees its disk.
func (b *bench) end(broker *launch.Broker) error {
	for _, complaint := range broker.Close() {
		return fmt.Errorf("%s", complaint)
	}
	return os.RemoveAll(filepath.Dir(broker.DataDir))
}

// starts tells how long a broker takes until it answers: on an empty folder, and after SIGKILL under load.
func (b *bench) starts() error {
	var empty []time.Duration
	for range 2*b.rounds + 1 {
		broker, err := b.start(nil)
		if err != nil {
			return err
		}
		empty = append(empty, broker.Started)
		if err := b.end(broker); err != nil {
			return err
		}
	}
	fmt.Printf("%-52s %s\n", "exec to first answer, empty folder", durations(empty))
	for _, mode := range []string{"fsync", "pagecache"} {
		var back []time.Duration
		for range b.rounds {
			broker, err := b.start(map[string]string{"log.durability": mode})
			if err != nil {
				return err
			}
			if err := killUnderLoad(broker, b.records); err != nil {
				return err
			}
			took, err := broker.Restart()
			if err != nil {
				return err
			}
			back = append(back, took)
			if err := b.end(broker); err != nil {
				return err
			}
		}
		fmt.Printf("%-52s %s\n", "exec to first answer, after SIGKILL under load, "+mode, durations(back))
	}
	return nil
}

func durations(d []time.Duration) string {
	slices.Sort(d)
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
	return fmt.Sprintf("%v [%v %v]", round(d[len(d)/2]), round(d[0]), round(d[len(d)-1]))
}

func median(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}
