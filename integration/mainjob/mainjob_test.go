package mainjob

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ottla/ottla/integration/launch"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "mainjob"
	group      = "mainjob"
	partitions = 6
	members    = 3
)

func TestMain(m *testing.M) {
	if os.Getenv(memberFolder) != "" {
		if err := runMember(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMainJob(t *testing.T) {
	launch.NeedProgram(t, "kcat")
	size := int64(64 << 20)
	if text := os.Getenv("OTTLA_MAINJOB_BYTES"); text != "" {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(size>>20)*time.Second)
	defer cancel()
	dir := t.TempDir()
	input := filepath.Join(dir, "input")
	lines := makeInput(t, input, size)
	b := launch.Start(t, launch.Options{Dir: filepath.Join(dir, "broker"), Set: map[string]string{"group.initial.rebalance.delay.ms": "500"}})
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	j := &job{t: t, ctx: ctx, broker: b, admin: admin, lines: lines}

	begin := time.Now()
	j.produce(input)
	produced := time.Since(begin)
	begin = time.Now()
	folders := j.consume(dir)
	consumed := time.Since(begin)
	if t.Failed() {
		return
	}
	again, err := verify(input, folders, partitions)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkCommits(folders, partitions); err != nil {
		t.Fatal(err)
	}
	t.Logf("FIGURE %d MiB, %d lines: produced in %v and consumed in %v, each with the broker killed once (back in %v), and a member killed; %d lines delivered again, all above the last commit",
		size>>20, lines, produced.Round(time.Millisecond), consumed.Round(time.Millisecond), j.restarts, again)
}

type job struct {
	t        *testing.T
	ctx      context.Context
	broker   *launch.Broker
	admin    *kadm.Client
	lines    int64
	restarts []time.Duration
}

// bounce kills the broker and starts it again.
func (j *job) bounce() {
	j.broker.Kill()
	took, err := j.broker.Restart()
	if err != nil {
		j.t.Fatal(err)
	}
	j.restarts = append(j.restarts, took.Round(100*time.Microsecond))
}

// until polls progress, which other processes make.
func (j *job) until(what string, is func() bool) {
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for ; !is(); <-tick.C {
		if j.ctx.Err() != nil {
			j.t.Fatalf("still not: %s", what)
		}
	}
}

// produce sends the file through kcat, and kills the broker when a fifth of it is there.
func (j *job) produce(input string) {
	in, err := os.Open(input)
	if err != nil {
		j.t.Fatal(err)
	}
	defer in.Close()
	// -E: kcat would otherwise give up when its only broker goes away.
	kcat := exec.CommandContext(j.ctx, "kcat", "-b", j.broker.Bootstrap, "-P", "-E", "-t", topic, "-X", "enable.idempotence=true", "-X", "reconnect.backoff.max.ms=200")
	var said syncBuffer
	kcat.Stdin, kcat.Stdout, kcat.Stderr = in, &said, &said
	if err := kcat.Start(); err != nil {
		j.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- kcat.Wait() }() // ends with kcat, which ctx ends at the latest
	j.until("a fifth of the lines produced", func() bool { return j.produced() > j.lines/5 })
	select {
	case err := <-ended:
		j.t.Fatalf("kcat had ended before the broker was killed: %v\n%s", err, said.String())
	default:
	}
	j.bounce()
	if err := <-ended; err != nil {
		j.t.Fatalf("kcat: %v\n%s", err, said.String())
	}
	if n := j.produced(); n != j.lines {
		j.t.Fatalf("%d lines in, %d records there", j.lines, n)
	}
}

func (j *job) produced() (n int64) {
	ends, err := j.admin.ListEndOffsets(j.ctx, topic)
	if err != nil {
		return 0
	}
	ends.Each(func(o kadm.ListedOffset) { n += max(o.Offset, 0) })
	return n
}

func (j *job) committed() (n int64) {
	offsets, err := j.admin.FetchOffsets(j.ctx, group)
	if err != nil {
		return 0
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
	return n
}

// consume runs the group. A member is killed when a tenth is committed, the broker when a third is.
func (j *job) consume(dir string) (folders []string) {
	var running []*exec.Cmd
	for m := range members {
		folder := filepath.Join(dir, fmt.Sprintf("member-%d", m))
		if err := os.Mkdir(folder, 0o755); err != nil {
			j.t.Fatal(err)
		}
		cmd := exec.CommandContext(j.ctx, os.Args[0])
		cmd.Env = append(os.Environ(), memberFolder+"="+folder, memberBootstrap+"="+j.broker.Bootstrap)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			j.t.Fatal(err)
		}
		j.t.Cleanup(func() { cmd.Process.Kill() })
		folders, running = append(folders, folder), append(running, cmd)
	}
	j.until("a tenth committed", func() bool { return j.committed() > j.lines/10 })
	running[0].Process.Kill()
	running[0].Wait()
	j.until("a third committed", func() bool { return j.committed() > j.lines/3 })
	if n := j.committed(); n >= j.lines {
		j.t.Fatal("all was read before the broker was killed")
	}
	j.bounce()
	j.until("all committed", func() bool { return j.committed() == j.lines })
	for _, cmd := range running[1:] {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			j.t.Errorf("member: %v", err)
		}
	}
	return folders
}
