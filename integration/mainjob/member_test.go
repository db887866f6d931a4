package mainjob

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member of the group is a process of its own, so that it can be killed: this test binary, started again.
//
// It writes what it reads to FOLDER/P.records for partition P, as: offset u64 · length u32 · value, big-endian, and what
// it knows of its rights to FOLDER/events, a line each: "TIME assigned P" before it asks where to begin, "TIME began P
// OFFSET" at the first record after that, and "TIME committed P OFFSET" after the broker has acknowledged. TIME is in ns.
// Records are flushed to their files before they are committed.
type memberFiles struct {
	folder  string
	records map[int32]*bufio.Writer

	mu     sync.Mutex // guards what follows
	events *os.File
	given  map[int32]bool // assigned, and nothing read yet
}

// member variables of the environment.
const (
	memberFolder    = "OTTLA_MAINJOB_MEMBER"
	memberBootstrap = "OTTLA_MAINJOB_BOOTSTRAP"
)

// commitEvery leaves something to deliver again when a member is killed.
const commitEvery = 200 * time.Millisecond

func runMember() error {
	folder := os.Getenv(memberFolder)
	events, err := os.Create(filepath.Join(folder, "events"))
	if err != nil {
		return err
	}
	f := &memberFiles{folder: folder, events: events, records: map[int32]*bufio.Writer{}, given: map[int32]bool{}}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := kgo.NewClient(
		kgo.SeedBrokers(os.Getenv(memberBootstrap)), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.RetryTimeout(time.Minute),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, given map[string][]int32) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, p := range given[topic] {
				f.event("assigned %d", p)
				f.given[p] = true
			}
		}),
	)
	if err != nil {
		return err
	}
	defer c.CloseAllowingRebalance()
	committed := time.Now()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, commitEvery)
		fetches := c.PollRecords(poll, 20_000)
		cancel()
		if err := f.write(fetches); err != nil {
			return err
		}
		if time.Since(committed) >= commitEvery {
			c.CommitOffsetsSync(ctx, c.UncommittedOffsets(), f.committed)
			committed = time.Now()
		}
		c.AllowRebalance()
	}
	return nil
}

// event is called with mu held.
func (f *memberFiles) event(format string, args ...any) {
	fmt.Fprintf(f.events, "%d "+format+"\n", append([]any{time.Now().UnixNano()}, args...)...)
}

func (f *memberFiles) write(fetches kgo.Fetches) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed error
	var head [12]byte
	fetches.EachRecord(func(r *kgo.Record) {
		if f.given[r.Partition] {
			f.event("began %d %d", r.Partition, r.Offset)
			delete(f.given, r.Partition)
		}
		w := f.records[r.Partition]
		if w == nil {
			file, err := os.Create(filepath.Join(f.folder, fmt.Sprintf("%d.records", r.Partition)))
			if err != nil {
				failed = err
				return
			}
			w = bufio.NewWriterSize(file, 1<<20)
			f.records[r.Partition] = w
		}
		binary.BigEndian.PutUint64(head[:], uint64(r.Offset))
		binary.BigEndian.PutUint32(head[8:], uint32(len(r.Value)))
		w.Write(head[:])
		w.Write(r.Value)
	})
	for _, w := range f.records {
		if err := w.Flush(); err != nil {
			failed = err
		}
	}
	return failed
}

func (f *memberFiles) committed(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	if err != nil || resp == nil {
		return // outcome unknown: nothing was promised
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	accepted := map[int32]bool{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			accepted[p.Partition] = p.ErrorCode == 0
		}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if accepted[p.Partition] {
				f.event("committed %d %d", p.Partition, p.Offset)
			}
		}
	}
}
