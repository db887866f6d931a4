package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/ottla/ottla/integration/verifier"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

const (
	slowRate       = 1 << 20 // bytes a second, by the kernel
	slowFor        = 10 * time.Second
	stallsFor      = 21 * time.Second
	stall          = 5 * time.Second // of each sync, by failbroker
	slowPartitions = 4
	slowValue      = 64 << 10
	slowProducers  = 16 // with up to 16 MiB on their way each: more than slowBudget
	slowBudget     = 128 << 20

	slowResidentMax = 512 << 20
	slowReadP99Max  = 50 * time.Millisecond
	slowRecoverMax  = 5 * time.Second
)

// TestSlowDisk: row 22. The disk takes 1 MiB a second, then each sync of it sticks for 5 s, while producers offer more than
// fits into the broker's memory. Nothing is acknowledged before it is durable, memory is bounded, what was flushed before is
// read as ever, and when the disk is quick again so is the broker.
func TestSlowDisk(t *testing.T) {
	launch.Chaos(t)
	b := launch.Start(t, launch.Options{Binary: failbroker(t), Set: map[string]string{
		"queued.max.request.bytes": strconv.Itoa(slowBudget), "log.durability": "fsync"}})
	b.Kill()
	b.Env = []string{"SLOWPOINT=sync of *.log -> delay " + stall.String()}
	if _, err := b.Restart(); err != nil {
		t.Fatal(err)
	}
	disk := throttled(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s := &slowDisk{t: t, b: b, random: verifier.Random(verifier.Seed(t), 22)}
	s.begin(ctx)

	s.phase("quick", 3*time.Second)
	disk(slowRate)
	slow := s.phase("1 MiB/s", slowFor)
	disk(0)
	s.phase("quick again", 3*time.Second)
	s.signal(syscall.SIGUSR1)
	probes := make(chan []slowAck)
	go func() { probes <- s.probeFor(ctx, stallsFor) }()
	stalled := s.phase("each sync takes 5 s", stallsFor)
	s.signal(syscall.SIGUSR2)
	probed := <-probes
	recovered := s.recovers(ctx, stalled.to)

	// What the disk had been given before goes on being acknowledged for a moment.
	late := slow.from.Add(slowFor / 2)
	if n := s.ackedBetween(late, slow.to) * slowValue; n > 2*slowRate*int(slow.to.Sub(late)/time.Second) {
		t.Errorf("%d MiB were acknowledged in %v by a disk of 1 MiB/s", n>>20, slow.to.Sub(late))
	}
	checked := 0
	for _, a := range probed {
		if a.sent.Before(stalled.from.Add(time.Second)) || a.acked.After(stalled.to) {
			continue // a sync may have begun before, or ended after
		}
		checked++
		if took := a.acked.Sub(a.sent); took < stall {
			t.Errorf("a record was acknowledged after %v, where a sync takes %v", took, stall)
		}
	}
	if checked == 0 {
		t.Error("nothing was acknowledged while syncs took so long")
	}
	for _, p := range []*phase{slow, stalled} {
		if p.p99() > slowReadP99Max {
			t.Errorf("%s: reads of flushed records took %v (p99), goal %v", p.name, p.p99(), slowReadP99Max)
		}
	}
	if s.resident > slowResidentMax {
		t.Errorf("%d MiB resident, goal %d", s.resident>>20, slowResidentMax>>20)
	}
	if recovered > stall+slowRecoverMax {
		t.Errorf("recovered after %v, of which a sync that was under way took %v", recovered, stall)
	}
	t.Logf("FIGURE %d MiB resident at most; quick again %v after the disk, with syncs of %v under way", s.resident>>20, recovered.Round(time.Millisecond), stall)
	s.end(ctx)
}

// throttled puts the broker under a limit of bytes that it may write a second, 0 for none.
func throttled(t *testing.T, b *launch.Broker) (limit func(bytesPerSecond int)) {
	t.Helper()
	group := filepath.Join("/sys/fs/cgroup/blkio", fmt.Sprintf("ottla-test-%d", b.PID()))
	if err := os.Mkdir(group, 0o755); err != nil {
		launch.Skip(t, "a slow disk needs root and blkio of cgroup v1: "+err.Error())
	}
	t.Cleanup(func() { // before the broker's end, which goes back to where it came from
		_ = os.WriteFile("/sys/fs/cgroup/blkio/cgroup.procs", []byte(strconv.Itoa(b.PID())), 0)
		if err := os.Remove(group); err != nil {
			t.Error(err)
		}
	})
	var stat unix.Stat_t
	if err := unix.Stat(b.DataDir, &stat); err != nil {
		t.Fatal(err)
	}
	limit = func(bytesPerSecond int) {
		line := fmt.Sprintf("%d:%d %d", unix.Major(stat.Dev), unix.Minor(stat.Dev), bytesPerSecond)
		if err := os.WriteFile(filepath.Join(group, "blkio.throttle.write_bps_device"), []byte(line), 0); err != nil {
			launch.Skip(t, "a slow disk needs one that can be throttled: "+err.Error())
		}
	}
	limit(0)
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(b.PID())), 0); err != nil {
		t.Fatal(err)
	}
	return limit
}

// slowDisk is the load.
type slowDisk struct {
	t        *testing.T
	b        *launch.Broker
	random   *rand.Rand
	reader   *kgo.Client
	topicID  [16]byte
	readable int64 // offsets below it were flushed before the disk was slow
	stop     context.CancelFunc
	running  sync.WaitGroup
	resident int64

	mu   sync.Mutex // guards acks
	acks []time.Time
}

type slowAck struct{ sent, acked time.Time }

// phase is what happened in a part of the test.
type phase struct {
	name     string
	from, to time.Time
	acked    int
	reads    []time.Duration
}

func (p *phase) bytes() int64 { return int64(p.acked) * slowValue }

func (p *phase) p99() time.Duration {
	slices.Sort(p.reads)
	return p.reads[len(p.reads)*99/100]
}

// begin makes the topic, writes what is read, and starts the producers.
func (s *slowDisk) begin(ctx context.Context) {
	s.reader = verifier.Client(s.t, s.b.Bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("slow"),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	made, err := kadm.NewClient(s.reader).CreateTopic(ctx, slowPartitions, 1, nil, "slow")
	if err != nil {
		s.t.Fatal(err)
	}
	s.topicID = made.ID
	for s.readable = 0; s.readable < 256; s.readable++ {
		if err := s.probe(ctx); err != nil {
			s.t.Fatal(err)
		}
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.t.Cleanup(s.stop)
	for range slowProducers {
		c := verifier.Client(s.t, s.b.Bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("slow"),
			kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(16),
			kgo.MaxBufferedBytes(16<<20), kgo.ProduceRequestTimeout(2*time.Minute), kgo.RecordDeliveryTimeout(4*time.Minute))
		s.running.Go(func() { s.keepProducing(ctx, c) })
	}
}

// keepProducing sends as much as is taken until ctx ends, and waits for what was sent.
func (s *slowDisk) keepProducing(ctx context.Context, c *kgo.Client) {
	value := make([]byte, slowValue)
	for i := 0; ctx.Err() == nil; i++ {
		c.Produce(ctx, &kgo.Record{Partition: int32(i % slowPartitions), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil && !errors.Is(err, context.Canceled) {
				s.t.Error(err)
			}
			if err == nil {
				s.mu.Lock()
				s.acks = append(s.acks, time.Now())
				s.mu.Unlock()
			}
		})
	}
}

// probe sends a record and waits for it.
func (s *slowDisk) probe(ctx context.Context) error {
	return s.reader.ProduceSync(ctx, &kgo.Record{Value: make([]byte, slowValue)}).FirstErr()
}

// probeFor sends one record after the other for so long. None waits behind others in its client.
func (s *slowDisk) probeFor(ctx context.Context, last time.Duration) (acks []slowAck) {
	for began := time.Now(); time.Since(began) < last; {
		sent := time.Now()
		if err := s.probe(ctx); err != nil {
			s.t.Error(err)
			return acks
		}
		acks = append(acks, slowAck{sent, time.Now()})
	}
	return acks
}

// phase reads flushed records, and looks at the broker's memory, for so long.
func (s *slowDisk) phase(name string, last time.Duration) *phase {
	p := &phase{name: name, from: time.Now()}
	for time.Since(p.from) < last {
		took, err := s.read()
		if err != nil {
			s.t.Fatal(err)
		}
		p.reads = append(p.reads, took)
		s.look()
		time.Sleep(5 * time.Millisecond) // between reads: a reader that never rests takes the producers' processor
	}
	p.to = time.Now()
	p.acked = s.ackedBetween(p.from, p.to)
	s.t.Logf("FIGURE %s: %d MiB acknowledged in %v, %d reads of flushed records, p99 %v, %d MiB resident at most so far",
		name, p.bytes()>>20, last, len(p.reads), p.p99().Round(time.Microsecond), s.resident>>20)
	return p
}

// ackedBetween counts the records that were acknowledged in that time.
func (s *slowDisk) ackedBetween(from, to time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.acks {
		if at.After(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// read fetches one record.
func (s *slowDisk) read() (time.Duration, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.MaxWaitMillis = 1, 1, 10_000
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = s.random.Int64N(s.readable), 1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = "slow", s.topicID, append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	began := time.Now()
	resp, err := req.RequestWith(s.t.Context(), s.reader.SeedBrokers()[0])
	took := time.Since(began)
	if err == nil && (len(resp.Topics) != 1 || len(resp.Topics[0].Partitions[0].RecordBatches) < slowValue) {
		err = fmt.Errorf("read %+v", resp)
	}
	return took, err
}

func (s *slowDisk) look() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.b.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		s.t.Fatal(err)
	}
	s.resident = max(s.resident, kib<<10)
}

func (s *slowDisk) signal(number syscall.Signal) {
	if err := syscall.Kill(s.b.PID(), number); err != nil {
		s.t.Fatal(err)
	}
}

// recovers is how long it takes, since the disk was quick again, until a record is acknowledged within a second.
func (s *slowDisk) recovers(ctx context.Context, since time.Time) time.Duration {
	for {
		sent := time.Now()
		if err := s.probe(ctx); err != nil {
			s.t.Fatal(err)
		}
		if time.Since(sent) < time.Second {
			return sent.Sub(since)
		}
	}
}

// end waits for the producers: all that was acknowledged is in the log.
func (s *slowDisk) end(ctx context.Context) {
	s.stop()
	s.running.Wait()
	ends, err := kadm.NewClient(s.reader).ListEndOffsets(ctx, "slow")
	if err != nil {
		s.t.Fatal(err)
	}
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	s.mu.Lock()
	defer s.mu.Unlock()
	if total < int64(len(s.acks))+s.readable {
		s.t.Errorf("%d records are in the log, %d were acknowledged", total, int64(len(s.acks))+s.readable)
	}
}
