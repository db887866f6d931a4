package logstore

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// sends is a batch of n records of a producer, from a sequence on.
func sends(pid int64, epoch int16, first int32, n int, txn bool) record.Batch {
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = pid, epoch, first, txn
	b := record.NewBuilder(o)
	for range n {
		b.Add(1000, nil, []byte("v"))
	}
	return b.Batch()
}

func ends(pid int64, epoch int16, commit bool, coordinatorEpoch int32) record.Batch {
	return record.EndTxn{Commit: commit, CoordinatorEpoch: coordinatorEpoch}.Batch(1000, pid, epoch)
}

// TestProducerRules is the rules of Kafka's ProducerAppendInfo, a line per append: what is sent, and the answer.
func TestProducerRules(t *testing.T) {
	const (
		client      = Client
		coordinator = Coordinator
		replication = Replication
	)
	for _, test := range []struct {
		name  string
		steps []struct {
			batch  record.Batch
			origin Origin
			want   string
		}
	}{
		{"a new producer may begin anywhere, then each follows the last", steps(
			sends(1, 0, 40, 3, false), client, "0-2",
			sends(1, 0, 43, 1, false), client, "3-3",
			sends(1, 0, 45, 1, false), client, "OUT_OF_ORDER_SEQUENCE_NUMBER",
			sends(1, 0, 44, 1, false), client, "4-4")},
		{"the last five are recognised, older ones and parts are not", steps(
			sends(1, 0, 0, 2, false), client, "0-1", sends(1, 0, 2, 2, false), client, "2-3",
			sends(1, 0, 4, 2, false), client, "4-5", sends(1, 0, 6, 2, false), client, "6-7",
			sends(1, 0, 8, 2, false), client, "8-9", sends(1, 0, 10, 2, false), client, "10-11",
			sends(1, 0, 2, 2, false), client, "2-3 again",
			sends(1, 0, 10, 2, false), client, "10-11 again",
			sends(1, 0, 0, 2, false), client, "OUT_OF_ORDER_SEQUENCE_NUMBER",
			sends(1, 0, 2, 1, false), client, "OUT_OF_ORDER_SEQUENCE_NUMBER")},
		{"sequences wrap", steps(
			sends(1, 0, math.MaxInt32-1, 3, false), client, "0-2",
			sends(1, 0, 1, 1, false), client, "3-3",
			sends(1, 0, math.MaxInt32-1, 3, false), client, "0-2 again",
			sends(2, 0, math.MaxInt32, 1, false), client, "4-4",
			sends(2, 0, 0, 1, false), client, "5-5")},
		{"a new epoch begins with 0, an old one is fenced", steps(
			sends(1, 3, 0, 1, false), client, "0-0",
			sends(1, 4, 1, 1, false), client, "OUT_OF_ORDER_SEQUENCE_NUMBER",
			sends(1, 4, 0, 1, false), client, "1-1",
			sends(1, 3, 1, 1, false), client, "INVALID_PRODUCER_EPOCH",
			sends(1, 3, 0, 1, false), client, "INVALID_PRODUCER_EPOCH",
			sends(1, 4, 0, 1, false), client, "1-1 again")},
		{"what is replicated is not checked", steps(
			sends(1, 3, 0, 1, false), client, "0-0",
			at(1, sends(1, 1, 70, 1, false)), replication, "1-1")},
		{"a transaction allows nothing else of its producer until it ends", steps(
			sends(1, 0, 0, 1, true), client, "0-0",
			sends(1, 0, 1, 1, false), client, "INVALID_TXN_STATE",
			sends(2, 0, 0, 1, false), client, "1-1",
			ends(1, 0, true, 5), coordinator, "2-2",
			sends(1, 0, 1, 1, false), client, "3-3",
			ends(1, 0, true, 4), coordinator, "TRANSACTION_COORDINATOR_FENCED",
			ends(1, -1, true, 6), coordinator, "INVALID_PRODUCER_EPOCH")},
		{"a marker that bumps the epoch restarts the sequence", steps(
			sends(1, 0, 0, 1, true), client, "0-0",
			ends(1, 1, false, 0), coordinator, "1-1",
			sends(1, 0, 1, 1, true), client, "INVALID_PRODUCER_EPOCH",
			sends(1, 1, 1, 1, true), client, "OUT_OF_ORDER_SEQUENCE_NUMBER",
			sends(1, 1, 0, 1, true), client, "2-2")},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, vfs.NewMem(nil), "data")
			defer closeStore(t, s)
			l := create(t, s, DefaultLogConfig())
			for i, step := range test.steps {
				a, err := l.Append(step.batch, AppendOptions{Origin: step.origin})
				got := fmt.Sprintf("%d-%d", a.FirstOffset, a.LastOffset)
				if a.Duplicate {
					got += " again"
				}
				if err != nil {
					got = protocol.CodeOf(err).String()
				}
				if got != step.want {
					t.Errorf("step %d: %s, want %s (%v)", i, got, step.want, err)
				}
			}
		})
	}
}

func at(offset int64, b record.Batch) record.Batch {
	b.SetBaseOffset(offset)
	return b
}

func steps(args ...any) (out []struct {
	batch  record.Batch
	origin Origin
	want   string
}) {
	for i := 0; i < len(args); i += 3 {
		out = append(out, struct {
			batch  record.Batch
			origin Origin
			want   string
		}{args[i].(record.Batch), args[i+1].(Origin), args[i+2].(string)})
	}
	return out
}

// TestTransactionsSurvive: open and aborted transactions and the last stable offset are the same after a clean start,
// a start after a kill, and a truncation that takes a marker back.
func TestTransactionsSurvive(t *testing.T) {
	fs := vfs.NewMem(nil)
	s := open(t, fs, "data")
	c := DefaultLogConfig()
	c.SegmentBytes = 300
	l := create(t, s, c)
	add(t, l, sends(1, 0, 0, 1, true))  // 0
	add(t, l, sends(2, 0, 0, 1, true))  // 1
	add(t, l, sends(1, 0, 1, 1, true))  // 2
	add(t, l, ends(1, 0, false, 1))     // 3: producer 1's [0, 3] aborted
	add(t, l, sends(3, 0, 0, 1, true))  // 4
	add(t, l, ends(2, 0, true, 1))      // 5
	add(t, l, sends(2, 0, 1, 1, false)) // 6
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(7)
	state := func(l *Log) string {
		aborted, err := l.AbortedTransactions(0, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(l.LastStableOffset(), aborted, l.ActiveProducers())
	}
	want := "4 [{1 0 3 1}] [{1 0 1 1000 1 -1} {2 0 1 1000 1 -1} {3 0 0 1000 -1 4}]"
	if got := state(l); got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	killed := fs.KillClone()
	closeStore(t, s)
	for name, fs := range map[string]vfs.FS{"clean": fs, "killed": killed} {
		s := open(t, fs, "data")
		l := s.Get(testTopic)
		l.SetHighWatermark(7)
		if got := state(l); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if err := l.TruncateTo(3); err != nil {
			t.Fatal(err)
		}
		if got, want := state(l), "0 [] [{1 0 1 1000 -1 0} {2 0 0 1000 -1 1}]"; got != want {
			t.Errorf("%s, truncated: %s, want %s", name, got, want)
		}
		closeStore(t, s)
	}
}

func TestProducersExpire(t *testing.T) {
	s := open(t, vfs.NewMem(nil), "data", func(o *Options) { o.ProducerIDExpirationMs = 500 })
	defer closeStore(t, s)
	l := create(t, s, DefaultLogConfig())
	add(t, l, sends(1, 0, 0, 1, false))
	add(t, l, sends(2, 0, 0, 1, true))
	if err := l.ApplyRetention(1499); err != nil || len(l.ActiveProducers()) != 2 {
		t.Fatal(err, l.ActiveProducers())
	}
	if err := l.ApplyRetention(1500); err != nil || len(l.ActiveProducers()) != 1 {
		t.Fatal("a producer with an open transaction stays, the other goes:", err, l.ActiveProducers())
	}
	if a := add(t, l, sends(1, 0, 0, 1, false)); a.Duplicate {
		t.Error("a forgotten producer's batch is new")
	}
	s.SetProducerIDExpiration(5000) // while it runs
	if err := l.ApplyRetention(5999); err != nil || len(l.ActiveProducers()) != 2 {
		t.Error("the new time does not count:", err, l.ActiveProducers())
	}
	if err := l.ApplyRetention(6000); err != nil || len(l.ActiveProducers()) != 1 {
		t.Error("the new time does not count:", err, l.ActiveProducers())
	}
}

func TestSnapshotRoundTripAndDamage(t *testing.T) {
	state, txns := newProducerState(0), newTransactions()
	state.apply(at(5, sends(7, 3, 9, 4, true)), marker{}, txns)
	for i := range int32(7) {
		state.apply(at(10+int64(i)*2, sends(8, 0, i*2, 2, false)), marker{}, txns)
	}
	b := state.encodeSnapshot()
	got, gotTxns, err := parseSnapshot(b, 24)
	if err != nil || fmt.Sprint(got.list()) != fmt.Sprint(state.list()) {
		t.Fatal(err, got)
	}
	if n := len(got.producers[8].batches); n != retainedBatches || !slices.Equal(got.producers[8].batches, state.producers[8].batches) {
		t.Errorf("%d batches of the producer that had %d: %v", n, retainedBatches, got.producers[8].batches)
	}
	if first, ok := gotTxns.openOf(7); !ok || first != 5 {
		t.Error("the open transaction is lost")
	}
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		if _, _, err := parseSnapshot(b, 9); err == nil {
			t.Errorf("bit %d was flipped unnoticed", i)
		}
		b[i/8] ^= 1 << (i % 8)
		if _, _, err := parseSnapshot(b[:i/8], 9); err == nil {
			t.Errorf("cut to %d bytes unnoticed", i/8)
		}
	}
}

// TestBatchesOnTheirWayAreKnownAfterAStart: a producer that heard nothing of its last five batches sends them again,
// whether the broker was closed, or killed right after it sealed segments; Kafka's own snapshot would know one.
func TestBatchesOnTheirWayAreKnownAfterAStart(t *testing.T) {
	tp := TopicPartition{"t", 0}
	for _, kill := range []bool{false, true} {
		mem := vfs.NewMem(nil)
		s := open(t, mem, "data")
		c := DefaultLogConfig()
		c.SegmentBytes = 200
		l, err := s.Create(tp, [16]byte{1}, c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range int32(7) {
			add(t, l, sends(7, 0, 2*i, 2, false))
		}
		after := mem
		if kill {
			if err := cmp.Or(l.Flush(), s.checkpoints.write(s.each())); err != nil {
				t.Fatal(err)
			}
			after = mem.KillClone()
		}
		closeStore(t, s)
		again := open(t, after, "data")
		l = again.Get(tp)
		for i := range int32(7) {
			a, err := l.Append(sends(7, 0, 2*i, 2, false), AppendOptions{})
			if known := i >= 2; known != (err == nil && a.Duplicate && a.FirstOffset == int64(2*i)) {
				t.Errorf("killed %t: batch %d sent again: %+v, %v", kill, i, a, err)
			}
		}
		closeStore(t, again)
	}
}

func TestLeaderEpochs(t *testing.T) {
	var e leaderEpochs
	for _, a := range []epochEntry{{2, 10}, {2, 15}, {5, 20}, {7, 30}} {
		e.assign(a.epoch, a.start)
	}
	for _, test := range []struct {
		epoch, want int32
		end         int64
	}{{7, 7, 40}, {8, -1, -1}, {-1, -1, -1}, {6, 5, 30}, {5, 5, 30}, {3, 2, 20}, {2, 2, 20}, {1, 1, 10}, {0, 0, 10}} {
		if epoch, end := e.endOffsetFor(test.epoch, 40); epoch != test.want || end != test.end {
			t.Errorf("end of epoch %d: %d, %d, want %d, %d", test.epoch, epoch, end, test.want, test.end)
		}
	}
	if got, err := parseLeaderEpochs(e.encode()); err != nil || fmt.Sprint(got.entries) != "[{2 10} {5 20} {7 30}]" {
		t.Error(got.entries, err)
	}
	e.truncateFromEnd(30)
	e.truncateFromStart(12)
	if fmt.Sprint(e.entries) != "[{2 12} {5 20}]" {
		t.Error(e.entries)
	}
	e.assign(4, 18)
	if fmt.Sprint(e.entries) != "[{2 12} {4 18}]" {
		t.Error("the newest append is the truth:", e.entries)
	}
}

func TestCheckpointsThatAreNotWhole(t *testing.T) {
	for _, text := range []string{"1\n0\n", "0\n2\na 0 1\n", "0\n1\na 0 1", "0\nx\n", "0\n", "0\n1\na 0 -1\n", "0\n1\na 0\n", "0\n1\n../a 0 1\n", "\x00\x00"} {
		if _, err := parseOffsets([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
