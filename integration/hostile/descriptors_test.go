package hostile

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestFewDescriptors: with 256 and with 1,024 descriptors, 500 partitions and 2,000 clients that only connect, who was
// there before goes on, nothing spins, and when they have gone the next one gets in.
func TestFewDescriptors(t *testing.T) {
	for _, limit := range []int{256, 1024} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			b := launch.Start(t, launch.Options{Descriptors: limit})
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			w := newWide(t, ctx, b.Bootstrap)
			w.round(t, ctx) // all connections that the client needs are there
			var crowd []net.Conn
			defer func() {
				for _, c := range crowd {
					c.Close()
				}
			}()
			for range 2000 {
				if c, err := net.DialTimeout("tcp", b.Bootstrap, time.Second); err == nil {
					crowd = append(crowd, c) // it may be closed at once, or never be accepted
				}
			}
			for range 3 {
				w.round(t, ctx)
			}
			before := processorTicks(t, b.PID())
			time.Sleep(2 * time.Second) // what is measured, not what is waited for
			if used := processorTicks(t, b.PID()) - before; used > 100 {
				t.Errorf("the broker used %d0 ms of processor time in two idle seconds", used)
			}
			open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", b.PID()))
			if err == nil && len(open) >= limit {
				t.Errorf("all %d descriptors are in use", len(open))
			}
			for _, c := range crowd {
				c.Close()
			}
			crowd = nil
			for !launch.Answers(b.Bootstrap) {
				if ctx.Err() != nil {
					t.Fatal("nobody gets in after the crowd has gone")
				}
				time.Sleep(10 * time.Millisecond)
			}
			w.round(t, ctx)
			if offline := b.Said("offline"); len(offline) > 0 {
				t.Error(offline[0])
			}
		})
	}
}

// wide writes to and reads from many partitions.
type wide struct {
	client *kgo.Client
	rounds int
}

const widePartitions = 500

func newWide(t *testing.T, ctx context.Context, bootstrap string) *wide {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("wide"),
		kgo.ConsumeTopics("wide"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	created, err := kadm.NewClient(c).CreateTopics(ctx, widePartitions, 1, nil, "wide")
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return &wide{client: c}
}

// round writes a record to every partition, and reads them all.
func (w *wide) round(t *testing.T, ctx context.Context) {
	t.Helper()
	value := fmt.Sprint("round ", w.rounds)
	w.rounds++
	var records []*kgo.Record
	for p := range widePartitions {
		records = append(records, &kgo.Record{Partition: int32(p), Value: []byte(value)})
	}
	if err := w.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	got := map[int32]bool{}
	for len(got) < widePartitions {
		fetches := w.client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s: %d of %d partitions were read", value, len(got), widePartitions)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) == value {
				got[r.Partition] = true
			}
		})
	}
}

// processorTicks is the processor time that a process has used, in ticks of 10 ms.
func processorTicks(t *testing.T, pid int) (ticks int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("no /proc")
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on: see proc(5)
	var user, system int
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return user + system
}
