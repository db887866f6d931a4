package group

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sink is a log that keeps nothing and commits at once: what is left is the cost of deciding, encoding and replaying.
type sink struct {
	end   int64
	watch func(int64)
	bytes int64
}

func (l *sink) Append(b record.Batch, _ int32) (int64, error) {
	l.bytes += int64(len(b))
	l.end += int64(b.Count())
	l.watch(l.end)
	return l.end - 1, nil
}
func (l *sink) MaxBatchBytes() int               { return 1 << 20 }
func (l *sink) LogStart() int64                  { return 0 }
func (l *sink) End() int64                       { return l.end }
func (l *sink) Committed() int64                 { return l.end }
func (l *sink) OnCommitted(f func(int64)) func() { l.watch = f; return func() {} }
func (l *sink) Batches(int64, int64) iter.Seq2[record.Batch, error] {
	return func(func(record.Batch, error) bool) {}
}

func benchRuntime(b *testing.B) *coordinator.Runtime[*Machine] {
	rt := coordinator.NewRuntime(coordinator.Options[*Machine]{
		New: func(int32) *Machine { return New(newWorld(b).config) }, Now: time.Now, CommitTimeout: 5 * time.Second,
	})
	rt.Lead(0, 0, &sink{})
	b.Cleanup(rt.Close)
	return rt
}

// BenchmarkCommit commits offsets of a simple group, a request of n partitions at a time.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rt := benchRuntime(b)
			r := kmsg.NewPtrOffsetCommitRequest()
			r.Version, r.Group, r.Generation, r.RetentionTimeMillis = 9, "group", -1, -1
			topic := kmsg.OffsetCommitRequestTopic{Topic: "topic"}
			for p := range n {
				topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: int32(p), Offset: 1})
			}
			r.Topics = append(r.Topics, topic)
			b.ReportAllocs()
			for b.Loop() {
				call := &CommitCall{Reply: func(*kmsg.OffsetCommitResponse) {}, Fail: func(c protocol.Code) { b.Fatal(c) }}
				rt.Do(0, call.Fail, func(m *Machine, now time.Time) coordinator.Step { return m.Commit(now, call, r) })
			}
		})
	}
}

// BenchmarkHeartbeat beats for one of n members of a partition's groups.
func BenchmarkHeartbeat(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rt := benchRuntime(b)
			beats := make([]*kmsg.HeartbeatRequest, n)
			for i := range n {
				join := kmsg.NewPtrJoinGroupRequest()
				join.Version, join.Group, join.ProtocolType = 3, fmt.Sprint(i), "x"
				join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 1_800_000, 1_800_000
				join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "p"}}
				rt.Do(0, nil, func(m *Machine, now time.Time) coordinator.Step {
					m.config.InitialRebalanceDelay = 0
					return m.Join(now, &JoinCall{Reply: func(a *kmsg.JoinGroupResponse) {
						r := kmsg.NewPtrHeartbeatRequest()
						r.Group, r.MemberID, r.Generation = join.Group, a.MemberID, a.Generation
						beats[i] = r
					}}, Client{}, join)
				})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				r := beats[i%n]
				call := &BeatCall{Fail: func(c protocol.Code) { b.Fatal(c) }, Reply: func(c protocol.Code) {
					if c != protocol.None {
						b.Fatal(c)
					}
				}}
				rt.Do(0, call.Fail, func(m *Machine, now time.Time) coordinator.Step { return m.Beat(now, call, r) })
			}
		})
	}
}

// keep is a log that holds on to its batches.
type keep struct {
	sink
	batches []record.Batch
}

func (l *keep) Append(b record.Batch, epoch int32) (int64, error) {
	l.batches = append(l.batches, b)
	return l.sink.Append(b, epoch)
}

func (l *keep) Batches(int64, int64) iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		for _, b := range l.batches {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// BenchmarkLoad loads 10,000 commits of 1,000 groups.
func BenchmarkLoad(b *testing.B) {
	log := &keep{}
	served := make(chan struct{}, 1)
	rt := coordinator.NewRuntime(coordinator.Options[*Machine]{
		New: func(int32) *Machine { return New(newWorld(b).config) }, Now: time.Now, CommitTimeout: 5 * time.Second,
		Events: coordinator.Events{Loaded: func(int32, int, time.Duration) { served <- struct{}{} }},
	})
	b.Cleanup(rt.Close)
	rt.Lead(0, 0, log)
	<-served
	for i := range 10_000 {
		r := kmsg.NewPtrOffsetCommitRequest()
		r.Version, r.Group, r.Generation, r.RetentionTimeMillis = 9, fmt.Sprint("group-", i%1000), -1, -1
		r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "topic", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: int32(i / 1000), Offset: 1}}}}
		call := &CommitCall{Reply: func(*kmsg.OffsetCommitResponse) {}, Fail: func(c protocol.Code) { b.Fatal(c) }}
		rt.Do(0, call.Fail, func(m *Machine, now time.Time) coordinator.Step { return m.Commit(now, call, r) })
	}
	epoch := int32(0)
	b.ReportAllocs()
	for b.Loop() {
		epoch++
		rt.Lead(0, epoch, log)
		<-served
	}
}
