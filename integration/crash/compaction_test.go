package crash

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/results"
	"github.com/ottla/ottla/integration/verifier"
)

// compacting makes a broker compact all the time.
func compacting(more map[string]string) map[string]string {
	set := properties(map[string]string{
		"log.segment.bytes": "1048576", "log.cleaner.backoff.ms": "1", "log.cleaner.min.cleanable.ratio": "0.01",
		"log.segment.delete.delay.ms": "50", "log.cleaner.dedupe.buffer.size": "4096",
	})
	for name, value := range more {
		set[name] = value
	}
	return set
}

// TestKillWhileCompacting kills the broker while it compacts what a producer overwrites and deletes. After every start
// the newest acknowledged state of every key is there, offsets ascend, and nothing is read that was not written.
//
// Row 71: 10 kills; OTTLA_CRASH_CYCLES for more.
func TestKillWhileCompacting(t *testing.T) {
	if launch.Against() == "kafka" {
		t.Skip("it is about our broker")
	}
	cycles, seed := verifier.Cycles(t, 10), verifier.Seed(t)
	row := results.Begin(t, 71, seed)
	b := launch.Start(t, launch.Options{Set: compacting(nil)})
	w := &overwriter{t: t, b: b, rand: rand.New(rand.NewPCG(seed, 71)), acked: map[string]int64{}, sent: map[string]int64{}}
	w.create()
	for cycle := range cycles {
		w.produceFor(time.Duration(200+w.rand.IntN(400)) * time.Millisecond)
		if _, err := b.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := w.verify(); err != nil {
			row.Fail(seed, err.Error())
			t.Fatalf("cycle %d, seed %d: %v", cycle, seed, err)
		}
		row.Crash(int64(len(w.acked)))
	}
	rounds := len(b.Said("compacted a log"))
	size := dirBytes(t, filepath.Join(b.DataDir, "overwritten-0"))
	t.Logf("FIGURE row 71: %d kills, %d rounds of compaction, %d keys, %d MiB written, %d MiB left", cycles, rounds, len(w.acked), w.bytes>>20, size>>20)
	if rounds < cycles {
		t.Errorf("%d rounds in %d cycles", rounds, cycles)
	}
	if left := b.Said("cannot be compacted"); len(left) > 0 {
		t.Errorf("%q", left)
	}
}

// overwriter writes ascending numbers under few keys: a value says which number of its key it is.
type overwriter struct {
	t           *testing.T
	b           *launch.Broker
	rand        *rand.Rand
	acked, sent map[string]int64 // the newest number of a key; a negative one was a deletion
	bytes       int64
}

func (w *overwriter) create() {
	c, err := kgo.NewClient(kgo.SeedBrokers(w.b.Bootstrap))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	policy, retention := "compact", "86400000"
	if _, err := kadm.NewClient(c).CreateTopic(w.t.Context(), 1, 1, map[string]*string{"cleanup.policy": &policy, "delete.retention.ms": &retention}, "overwritten"); err != nil {
		w.t.Fatal(err)
	}
}

// produceFor produces, and kills the broker after a while, under the load.
func (w *overwriter) produceFor(d time.Duration) {
	c, err := kgo.NewClient(kgo.SeedBrokers(w.b.Bootstrap), kgo.AllowIdempotentProduceCancellation(), kgo.ProducerBatchMaxBytes(64<<10), kgo.ProducerLinger(0))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	killed := make(chan struct{})
	time.AfterFunc(d, func() {
		w.b.Kill()
		cancel() // what was in flight stays unknown
		close(killed)
	})
	for {
		select {
		case <-killed:
			return
		default:
		}
		batch := make([]*kgo.Record, 0, 200)
		for range cap(batch) {
			key := fmt.Sprintf("key%d", w.rand.IntN(500))
			n := max(w.sent[key], -w.sent[key]) + 1
			r := &kgo.Record{Topic: "overwritten", Key: []byte(key), Value: append(strconv.AppendInt(nil, n, 10), make([]byte, 500)...)}
			if w.sent[key] = n; n%10 == 0 {
				w.sent[key], r.Value = -n, nil
			}
			w.bytes += int64(len(r.Value))
			r.Headers = []kgo.RecordHeader{{Key: "n", Value: strconv.AppendInt(nil, n, 10)}}
			batch = append(batch, r)
		}
		for _, r := range c.ProduceSync(ctx, batch...) {
			if r.Err != nil {
				<-killed
				return
			}
			n, _ := strconv.ParseInt(string(r.Record.Headers[0].Value), 10, 64)
			if r.Record.Value == nil {
				n = -n
			}
			w.acked[string(r.Record.Key)] = n
		}
	}
}

// verify reads the topic from its start.
func (w *overwriter) verify() error {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(w.b.Bootstrap), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"overwritten": {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, "overwritten")
	if err != nil {
		return err
	}
	end, _ := ends.Lookup("overwritten", 0)
	seen, last := map[string]int64{}, int64(-1)
	for last < end.Offset-1 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("reading up to %d, at %d: %w", end.Offset, last, err)
		}
		for _, r := range fetches.Records() {
			n, err := strconv.ParseInt(string(r.Headers[0].Value), 10, 64)
			if key := string(r.Key); err != nil || r.Offset <= last || n > max(w.sent[key], -w.sent[key]) || n <= max(seen[key], -seen[key]) {
				return fmt.Errorf("offset %d after %d: %s number %d after %d, of %d that were sent", r.Offset, last, key, n, seen[key], w.sent[key])
			} else if r.Value == nil {
				n = -n
			} else if !strings.HasPrefix(string(r.Value), strconv.FormatInt(n, 10)+"\x00") {
				return fmt.Errorf("offset %d: %q is not number %d", r.Offset, r.Value[:10], n)
			}
			last = r.Offset
			seen[string(r.Key)] = n
		}
	}
	for key, n := range w.acked {
		if got := seen[key]; max(got, -got) < max(n, -n) {
			return fmt.Errorf("%s: number %d was acknowledged, %d is the newest", key, n, got)
		}
		// What was sent and not acknowledged may be there: the numbers go on behind it.
		w.sent[key] = max(w.sent[key], -w.sent[key])
	}
	return nil
}

func dirBytes(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(e.Name(), ".log") {
			if info, err := e.Info(); err == nil { // removed meanwhile
				bytes += info.Size()
			}
		}
		return nil
	}); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes
}

// TestCommittedOffsetsAreCompacted: a group that commits again and again does not fill the disk, and what it committed
// last is there after a kill.
func TestCommittedOffsetsAreCompacted(t *testing.T) {
	if launch.Against() == "kafka" {
		t.Skip("it is about our broker")
	}
	b := launch.Start(t, launch.Options{Set: compacting(map[string]string{"offsets.topic.num.partitions": "1", "offsets.topic.segment.bytes": "1048576"})})
	c, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	admin := kadm.NewClient(c)
	const partitions = 500
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, "read"); err != nil {
		t.Fatal(err)
	}
	commits := int64(0)
	for written := int64(0); written < 8<<20; commits++ {
		offsets := kadm.Offsets{}
		for p := range int32(partitions) {
			offsets.Add(kadm.Offset{Topic: "read", Partition: p, At: commits, LeaderEpoch: -1})
			written += 100
		}
		if err := admin.CommitAllOffsets(t.Context(), "group", offsets); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(b.DataDir, "__consumer_offsets-0")
	deadline := time.Now().Add(time.Minute)
	for dirBytes(t, dir) > 3<<20 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	size := dirBytes(t, dir)
	t.Logf("FIGURE __consumer_offsets: %d commits of %d partitions, %d KiB left", commits, partitions, size>>10)
	if size > 3<<20 {
		t.Errorf("%d bytes are left of __consumer_offsets", size)
	}
	b.Kill()
	if _, err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	got, err := admin.FetchOffsets(t.Context(), "group")
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(partitions) {
		if o, ok := got.Lookup("read", p); !ok || o.At != commits-1 {
			t.Fatalf("partition %d: committed %+v, want %d", p, o, commits-1)
		}
	}
}
