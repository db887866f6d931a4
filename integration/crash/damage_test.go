package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/verifier"
)

// A bit of a record turns over on the disk while the broker is down: doctor finds it, the broker starts, serves everything
// before and behind it and every other partition, answers CORRUPT_MESSAGE at that place, and says so once.
func TestFlippedBit(t *testing.T) {
	if launch.Against() == "kafka" {
		launch.Skip(t, "Apache Kafka does not verify what it sends")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	b := launch.Start(t, launch.Options{Set: properties(nil)})
	client := verifier.Client(t, b.Bootstrap)
	if _, err := kadm.NewClient(client).CreateTopics(ctx, 1, 1, nil, "bad", "good"); err != nil {
		t.Fatal(err)
	}
	const records, damaged = 60, 31
	for i := range records { // one batch each
		for _, topic := range []string{"bad", "good"} {
			r := &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "record %04d of many", i)}
			if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	client.Close()
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, code := doctor(t, b.DataDir); code != 0 {
		t.Fatalf("doctor calls a good directory wrong: %s", out)
	}
	segment := filepath.Join(b.DataDir, "bad-0", "00000000000000000000.log")
	data, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), fmt.Sprintf("record %04d", damaged))
	if at < 0 {
		t.Fatal("the record is not in its segment")
	}
	data[at] ^= 4
	if err := os.WriteFile(segment, data, 0o644); err != nil {
		t.Fatal(err)
	}
	out, code := doctor(t, b.DataDir)
	if code != 1 || !strings.Contains(out, segment) || !strings.Contains(out, fmt.Sprintf("offset %d", damaged)) {
		t.Errorf("doctor: exit code %d, %s", code, out)
	}
	if _, err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	if out, code := doctor(t, b.DataDir); code != 1 || !strings.Contains(out, "in use") {
		t.Errorf("doctor beside the broker: exit code %d, %s", code, out)
	}
	for range 3 {
		for _, want := range []struct {
			topic      string
			from, upTo int64
			err        error
		}{
			{"bad", 0, damaged, kerr.CorruptMessage}, {"bad", damaged, damaged, kerr.CorruptMessage}, {"bad", damaged + 1, records, nil}, {"good", 0, records, nil},
		} {
			if upTo, err := consume(t, b, want.topic, want.from, records); upTo != want.upTo || !errors.Is(err, want.err) {
				t.Errorf("%s from %d: up to %d, %v; want up to %d, %v", want.topic, want.from, upTo, err, want.upTo, want.err)
			}
		}
	}
	if said := b.Said("records are damaged", segment); len(said) != 1 {
		t.Errorf("the broker's log says %d times that records are damaged: %q", len(said), said)
	}
}

// consume reads from an offset up to end, or to the first error, and says how far it came.
func consume(t *testing.T, b *launch.Broker, topic string, from, end int64) (int64, error) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.KeepRetryableFetchErrors(), // franz-go would ask again and again
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	next := from
	for next < end {
		fetches := client.PollFetches(ctx)
		for _, r := range fetches.Records() {
			if r.Offset != next {
				return next, fmt.Errorf("offset %d follows %d", r.Offset, next-1)
			}
			next++
		}
		if err := fetches.Err(); err != nil {
			return next, err
		}
	}
	return next, nil
}

// doctor runs ottla doctor --scrub, and returns what it said.
func doctor(t *testing.T, dir string) (out string, code int) {
	t.Helper()
	binary, err := launch.Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "doctor", "--scrub", dir)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(said), cmd.ProcessState.ExitCode()
}
