package crash

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/results"
	"github.com/ottla/ottla/integration/verifier"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	large           = "large"
	largePartitions = 4
	largeRecord     = 16 << 10
)

// TestKillDuringRecovery kills the broker while it recovers a log of some hundred MiB, up to five times in a row, and lets it
// come back: what was acknowledged is there, and what a crash had left behind the end is not.
func TestKillDuringRecovery(t *testing.T) {
	seed, cycles := verifier.Seed(t), verifier.Cycles(t, 10)
	counters := results.Begin(t, 4, seed)
	random := verifier.Random(seed, 0)
	b := launch.Start(t, launch.Options{Set: map[string]string{"log.durability": "pagecache", "log.segment.bytes": "67108864"}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(cycles)*time.Minute+5*time.Minute)
	defer cancel()
	sums := fillLarge(t, ctx, b, 256<<20/largeRecord)
	longest := recoverAgain(t, b)
	kills, deepest := 0, 0
	for cycle := range cycles {
		b.Kill()
		tear(t, b.DataDir, random)
		deep := 1 + random.IntN(5)
		for range deep {
			forgetPoints(t, b.DataDir)
			if err := b.Exec(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(random.Int64N(int64(longest)))) // when the kill comes is the test's input
			b.Kill()
			kills++
		}
		deepest = max(deepest, deep)
		forgetPoints(t, b.DataDir)
		if _, err := b.Restart(); err != nil {
			counters.Fail(seed, err.Error())
			t.Fatal(err)
		}
		if err := checkLarge(t, ctx, b, sums); err != nil {
			counters.Fail(seed, err.Error())
			t.Fatalf("cycle %d, %d kills during recovery: %v", cycle, deep, err)
		}
		counters.Count(int64(deep), int64(len(sums)))
	}
	t.Logf("FIGURE %d kills during recovery of 256 MiB, %d deep; recovery undisturbed took %v", kills, deepest, longest.Round(time.Millisecond))
}

// spot is where a record of the large topic stands.
type spot struct {
	partition int32
	offset    int64
}

// fillLarge sends that many records, and returns the checksums of their values.
func fillLarge(t *testing.T, ctx context.Context, b *launch.Broker, records int) map[spot]uint32 {
	t.Helper()
	c := verifier.Client(t, b.Bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1<<20))
	if _, err := kadm.NewClient(c).CreateTopic(ctx, largePartitions, 1, nil, large); err != nil {
		t.Fatal(err)
	}
	type ack struct {
		spot
		sum uint32
	}
	acks := make(chan ack, records)
	var failed atomic.Value
	for i := range records {
		value := make([]byte, largeRecord)
		for at := 0; at < len(value); at += 8 {
			binary.BigEndian.PutUint64(value[at:], uint64(i*largeRecord+at))
		}
		c.Produce(ctx, &kgo.Record{Topic: large, Partition: int32(i % largePartitions), Value: value}, func(r *kgo.Record, err error) {
			if err != nil {
				failed.Store(err)
				return
			}
			acks <- ack{spot{r.Partition, r.Offset}, crc32.ChecksumIEEE(r.Value)}
		})
	}
	if err := c.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := failed.Load(); err != nil {
		t.Fatal(err)
	}
	close(acks)
	sums := make(map[spot]uint32, records)
	for a := range acks {
		sums[a.spot] = a.sum
	}
	return sums
}

// checkLarge reads everything.
func checkLarge(t *testing.T, ctx context.Context, b *launch.Broker, want map[spot]uint32) error {
	t.Helper()
	c := verifier.Client(t, b.Bootstrap)
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, large)
	if err != nil {
		return err
	}
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	if total != int64(len(want)) {
		return fmt.Errorf("%d records, want %d", total, len(want))
	}
	c = verifier.Client(t, b.Bootstrap, kgo.ConsumeTopics(large), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	for seen := map[spot]bool{}; len(seen) < len(want); {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("after %d records: %w", len(seen), err)
		}
		var bad error
		fetches.EachRecord(func(r *kgo.Record) {
			at := spot{r.Partition, r.Offset}
			if sum, ok := want[at]; !ok || seen[at] || sum != crc32.ChecksumIEEE(r.Value) {
				bad = fmt.Errorf("partition %d offset %d is not what was acknowledged", at.partition, at.offset)
			}
			seen[at] = true
		})
		if bad != nil {
			return bad
		}
	}
	return nil
}

// recoverAgain is how long a start takes that has to read everything.
func recoverAgain(t *testing.T, b *launch.Broker) time.Duration {
	t.Helper()
	b.Kill()
	forgetPoints(t, b.DataDir)
	took, err := b.Restart()
	if err != nil {
		t.Fatal(err)
	}
	return took
}

// forgetPoints takes the recovery points back to the beginning, as if nothing had ever been synced: the next start looks at
// every batch.
func forgetPoints(t *testing.T, dataDir string) {
	t.Helper()
	name := filepath.Join(dataDir, "recovery-point-offset-checkpoint")
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, line := range lines {
		if words := strings.Fields(line); len(words) == 3 && words[0] == large {
			lines[i] = words[0] + " " + words[1] + " 0"
		}
	}
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tear puts behind the end of a log what a crash could have left of a batch that was never acknowledged: the beginning of an
// earlier batch, noise, or zeros.
func tear(t *testing.T, dataDir string, random *rand.Rand) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dataDir, large+"-*", "*.log"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no segments in %s: %v", dataDir, err)
	}
	slices.Sort(names)
	last := map[string]string{} // the newest segment of each partition
	for _, name := range names {
		last[filepath.Dir(name)] = name
	}
	name := last[filepath.Dir(names[random.IntN(len(names))])]
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	junk := make([]byte, 1+random.IntN(100_000))
	switch random.IntN(3) {
	case 0:
		n, _ := f.ReadAt(junk, 0)
		junk = junk[:n]
	case 1:
		for i := range junk {
			junk[i] = byte(random.Uint32())
		}
	}
	if _, err := f.Write(junk); err != nil {
		t.Fatal(err)
	}
}
