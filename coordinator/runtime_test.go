package coordinator

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	schema "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// counter is a machine that counts what was added under each name, and parks who waits for a sum.
type counter struct {
	sums  map[string]int64
	waits []waiter
	alarm time.Time
	soft  int // what no record tells
}

type waiter struct {
	call *Call[int64]
	name string
	sum  int64
}

func newCounter(int32) *counter { return &counter{sums: make(map[string]int64)} }

func (c *counter) Decode(key, value []byte) (Record, error) {
	k, err := schema.ReadGroupKey(key)
	if err != nil {
		return Record{}, err
	}
	v, err := schema.ReadValue(k, value)
	return Record{Key: k, Value: v}, err
}

func (c *counter) Replay(_ Position, r Record) {
	name := r.Key.(*schema.OffsetCommitKey).Group
	if v, ok := r.Value.(*schema.OffsetCommitValue); ok {
		c.sums[name] = v.Offset
		return
	}
	delete(c.sums, name)
}

func (c *counter) ReplayMarker(producerID int64, commit bool) {
	c.sums[fmt.Sprint(producerID, commit)]++
}
func (c *counter) Loaded(time.Time) Step { return Step{} }

func (c *counter) Wake(now time.Time) Step {
	if c.alarm.IsZero() || c.alarm.After(now) {
		return Step{Wake: c.alarm}
	}
	c.alarm = time.Time{}
	return c.add(nil, "alarms", 1)
}

func (c *counter) Abandon() []Answer {
	var all []Answer
	for _, w := range c.waits {
		all = append(all, w.call.Refuse(protocol.NotCoordinator))
	}
	return all
}

// add adds n to a name and answers with the sum that will be.
func (c *counter) add(call *Call[int64], name string, n int64) Step {
	var s Step
	sum := c.sums[name] + n
	v := schema.NewOffsetCommitValue()
	v.Offset = sum
	s.Records = []Record{{Key: &schema.OffsetCommitKey{Group: name}, Value: &v, Version: 4}}
	if call != nil {
		call.Answer(&s, sum)
	}
	c.waits = slices.DeleteFunc(c.waits, func(w waiter) bool {
		if w.name != name || sum < w.sum {
			return false
		}
		w.call.Answer(&s, sum)
		return true
	})
	s.Wake = c.alarm
	return s
}

func (c *counter) read(call *Call[int64], name string) Step {
	s := Step{Wake: c.alarm}
	call.Answer(&s, c.sums[name])
	return s
}

func (c *counter) park(call *Call[int64], name string, sum int64) Step {
	c.waits = append(c.waits, waiter{call, name, sum})
	return Step{Wake: c.alarm}
}

// bench is a runtime with one partition, and what its calls heard.
type bench struct {
	t       *testing.T
	rt      *Runtime[*counter]
	log     *memLog
	mu      sync.Mutex
	heard   []string
	failure []string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, log: newMemLog()}
	b.rt = NewRuntime(Options[*counter]{
		New: newCounter, Now: time.Now, CommitTimeout: 5 * time.Second,
		Events: Events{
			LoadFailed:   func(p int32, err error) { b.note(&b.failure, fmt.Sprintf("load %d: %v", p, err)) },
			AppendFailed: func(p int32, err error) { b.note(&b.failure, fmt.Sprintf("append %d: %v", p, err)) },
		},
	})
	t.Cleanup(b.rt.Close)
	return b
}

func (b *bench) note(list *[]string, s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*list = append(*list, s)
}

func (b *bench) call(label string) *Call[int64] {
	return &Call[int64]{
		Reply: func(n int64) { b.note(&b.heard, fmt.Sprintf("%s=%d", label, n)) },
		Fail:  func(code protocol.Code) { b.note(&b.heard, fmt.Sprintf("%s %v", label, code)) },
	}
}

func (b *bench) do(label string, step func(c *counter, call *Call[int64]) Step) {
	call := b.call(label)
	b.rt.Do(0, call.Fail, func(c *counter, _ time.Time) Step { return step(c, call) })
}

func (b *bench) add(label, name string, n int64) {
	b.do(label, func(c *counter, call *Call[int64]) Step { return c.add(call, name, n) })
}

func (b *bench) read(label, name string) {
	b.do(label, func(c *counter, call *Call[int64]) Step { return c.read(call, name) })
}

// hears takes what was answered since, and compares it.
func (b *bench) hears(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := strings.Join(b.heard, ", "); got != strings.Join(want, ", ") {
		b.t.Fatalf("heard %s, want %s", got, strings.Join(want, ", "))
	}
	b.heard = nil
}

func (b *bench) fails(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if fmt.Sprint(b.failure) != fmt.Sprint(want) {
		b.t.Fatalf("failures %q, want %q", b.failure, want)
	}
	b.failure = nil
}

// TestAnswersWaitForCommit: an answer goes out when all that its step could see is committed, a read's too (R2).
func TestAnswersWaitForCommit(t *testing.T) {
	b := newBench(t)
	b.read("early", "x")
	b.hears("early NOT_COORDINATOR")
	b.rt.Lead(0, 0, b.log)
	b.read("zero", "x")
	b.hears("zero=0")
	b.add("a", "x", 1)
	b.add("b", "x", 2)
	b.read("c", "x")
	b.hears()
	b.log.commit(1)
	b.hears("a=1")
	b.log.commit(2)
	b.hears("b=3", "c=3")
	b.read("d", "x")
	b.hears("d=3")
	if b.log.appends != 2 {
		t.Fatalf("%d appends", b.log.appends)
	}
}

// TestInlineCommit: a log that commits within Append, under the shard's lock, is answered all the same.
func TestInlineCommit(t *testing.T) {
	b := newBench(t)
	b.log.inline = true
	b.rt.Lead(0, 0, b.log)
	b.do("p", func(c *counter, call *Call[int64]) Step { return c.park(call, "x", 3) })
	b.add("a", "x", 1)
	b.hears("a=1")
	b.log.inline = false
	b.add("b", "x", 1)
	b.log.inline = true
	b.add("c", "x", 1) // commits b's record too, while the lock is held
	b.hears("b=2", "c=3", "p=3")

	// Nobody is answered while the lock is held: who hears may ask at once.
	b.log.inline = false
	b.do("asks", func(c *counter, call *Call[int64]) Step {
		return c.add(&Call[int64]{Reply: func(int64) { b.read("asked", "x") }, Fail: call.Fail}, "x", 1)
	})
	b.log.inline = true
	b.add("d", "x", 1)
	b.hears("asked=5", "d=5")
}

// TestLoad: what was appended is there again on another runtime, and is answered when it is committed.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.rt.Lead(0, 0, b.log)
		b.add("a", "x", 5)
		b.add("b", "y", 6)
		marker := record.EndTxn{Commit: true}.Batch(0, 77, 0)
		b.log.Append(marker, 0)
		unknown := record.NewBuilder(record.NewOptions())
		unknown.Add(0, []byte{0x7f, 0xff, 1}, []byte{1})
		b.log.Append(unknown.Batch(), 0)
		b.log.commit(1)
		b.hears("a=5")

		b.rt.Resign(0, 1)
		b.hears("b NOT_COORDINATOR")
		b.log.epoch, b.log.gate = 1, make(chan struct{})
		b.rt.Lead(0, 1, b.log)
		b.read("loading", "x")
		b.hears("loading COORDINATOR_LOAD_IN_PROGRESS")
		close(b.log.gate)
		synctest.Wait()
		b.read("x", "x")
		b.read("txn", "77 true")
		b.hears()
		b.log.commitAll()
		b.hears("x=5", "txn=1")
		b.fails()
	})
}

// TestLoadOfABrokenLog: the partition is not served, until it is led anew.
func TestLoadOfABrokenLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.rt.Lead(0, 0, b.log)
		b.add("a", "x", 1)
		b.log.commitAll()
		b.log.epoch, b.log.broken = 1, record.ErrCorrupt
		b.rt.Lead(0, 1, b.log)
		synctest.Wait()
		b.read("x", "x")
		b.hears("a=1", "x NOT_COORDINATOR")
		b.fails("load 0: corrupt record batch")
		b.log.epoch, b.log.broken = 2, nil
		b.rt.Lead(0, 2, b.log)
		synctest.Wait()
		b.read("x", "x")
		b.hears("x=1")
	})
}

// TestLeadershipMovesWhileLoading: only the last word counts.
func TestLeadershipMovesWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.rt.Lead(0, 0, b.log)
		b.add("a", "x", 1)
		b.log.commitAll()
		gate := make(chan struct{})
		b.log.epoch, b.log.gate = 1, gate
		b.rt.Lead(0, 1, b.log)
		synctest.Wait()
		b.rt.Resign(0, 2)
		b.rt.Resign(0, 0) // older news
		b.rt.Lead(0, 1, b.log)
		b.rt.Lead(0, 3, b.log)
		b.rt.Lead(0, 3, b.log)
		b.log.epoch = 3
		close(gate)
		synctest.Wait()
		b.add("b", "x", 1)
		b.log.commitAll()
		b.hears("a=1", "b=2")
		b.fails()

		// What is led in this epoch already goes on.
		b.do("p", func(c *counter, call *Call[int64]) Step { return c.park(call, "x", 3) })
		b.rt.Lead(0, 3, b.log)
		b.rt.Resign(0, 2)
		b.add("c", "x", 1)
		b.log.commitAll()
		b.hears("c=3", "p=3")

		// Replayed whole, and too late.
		gate = make(chan struct{})
		b.log.gateEnd = gate
		b.rt.Lead(0, 4, b.log)
		synctest.Wait()
		b.rt.Resign(0, 5)
		close(gate)
		synctest.Wait()
		b.read("d", "x")
		b.hears("d NOT_COORDINATOR")
	})
}

// TestAppendFails: the step is refused, with the code that a client understands; a machine that moved on is loaded again.
func TestAppendFails(t *testing.T) {
	for err, want := range map[protocol.Code]protocol.Code{
		protocol.NotEnoughReplicas:     protocol.CoordinatorNotAvailable,
		protocol.NotLeaderForPartition: protocol.NotCoordinator,
		protocol.KafkaStorageError:     protocol.NotCoordinator,
		protocol.MessageTooLarge:       protocol.UnknownServerError,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.log.inline = true
			b.rt.Lead(0, 0, b.log)
			b.add("a", "x", 1)
			b.log.refuse = fmt.Errorf("wrapped: %w", err)
			b.add("b", "x", 1)
			b.hears("a=1", "b "+want.String())
			b.fails(fmt.Sprintf("append 0: wrapped: %v", err))

			b.do("parked", func(c *counter, call *Call[int64]) Step { return c.park(call, "y", 9) })
			b.do("soft", func(c *counter, call *Call[int64]) Step {
				s := c.add(call, "x", 1)
				c.soft, s.Reload = 1, true
				return s
			})
			b.hears("soft "+want.String(), "parked NOT_COORDINATOR")
			b.log.refuse = nil
			synctest.Wait()
			b.do("", func(c *counter, call *Call[int64]) Step {
				if c.soft != 0 {
					t.Error("the machine was not loaded again (R4)")
				}
				return c.read(b.call("x"), "x")
			})
			b.hears("x=1")
		})
	}
}

// TestParkedSurvivesAReload: what was appended before the failure may still be committed, and is answered then.
func TestParkedSurvivesAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.rt.Lead(0, 0, b.log)
		b.add("a", "x", 1)
		b.log.refuse = protocol.NotEnoughReplicas
		b.do("b", func(c *counter, call *Call[int64]) Step {
			s := c.add(call, "x", 1)
			s.Reload = true
			return s
		})
		b.log.refuse = nil
		synctest.Wait()
		b.read("c", "x")
		b.hears("b COORDINATOR_NOT_AVAILABLE")
		b.log.commitAll()
		b.hears("a=1", "c=1")
	})
}

// TestAPanicIsUndone: the machine is loaded again, and others are served (R5).
func TestAPanicIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.log.inline = true
		b.rt.Lead(0, 0, b.log)
		b.add("a", "x", 1)
		b.do("parked", func(c *counter, call *Call[int64]) Step { return c.park(call, "y", 9) })
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach who asked")
				}
			}()
			b.do("bad", func(c *counter, call *Call[int64]) Step {
				c.sums["x"] = 77
				panic("broken invariant")
			})
		}()
		synctest.Wait()
		b.add("b", "x", 1)
		b.hears("a=1", "parked NOT_COORDINATOR", "b=2")
	})
}

// TestBatches: the records of a step are one batch, or several where the step allows.
func TestBatches(t *testing.T) {
	many := func(c *counter, call *Call[int64], split bool) Step {
		s := Step{Split: split}
		for i := range 20 {
			v := schema.NewOffsetCommitValue()
			v.Offset = int64(i)
			s.Records = append(s.Records, Record{Key: &schema.OffsetCommitKey{Group: fmt.Sprint(i)}, Value: &v, Version: 4})
		}
		s.Records = append(s.Records, Record{Key: &schema.OffsetCommitKey{Group: "0"}})
		call.Answer(&s, 1)
		return s
	}
	b := newBench(t)
	b.log.inline = true
	b.rt.Lead(0, 0, b.log)
	b.do("one", func(c *counter, call *Call[int64]) Step { return many(c, call, false) })
	if b.log.appends != 1 {
		t.Fatalf("%d batches", b.log.appends)
	}
	b.log.maxBytes = 400
	b.do("too large", func(c *counter, call *Call[int64]) Step { return many(c, call, false) })
	b.do("split", func(c *counter, call *Call[int64]) Step { return many(c, call, true) })
	if b.log.appends < 4 {
		t.Fatalf("%d batches", b.log.appends)
	}
	b.read("19", "19")
	b.do("gone", func(c *counter, call *Call[int64]) Step {
		if _, ok := c.sums["0"]; ok {
			t.Error("the tombstone was not replayed")
		}
		return c.read(call, "0")
	})
	b.hears("one=1", "too large UNKNOWN_SERVER_ERROR", "split=1", "19=19", "gone=0")
}

// TestTimers: the machine is woken when it asked to be, and an answer that nobody commits fails after the time-out.
func TestTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.rt.Lead(0, 0, b.log)
		start := time.Now()
		b.do("set", func(c *counter, call *Call[int64]) Step {
			c.alarm = start.Add(10 * time.Second)
			return c.read(call, "x")
		})
		b.hears("set=0")
		time.Sleep(9 * time.Second)
		b.add("never committed", "x", 1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if b.log.End() != 2 {
			t.Fatalf("the alarm wrote up to %d", b.log.End())
		}
		time.Sleep(2999 * time.Millisecond)
		synctest.Wait()
		b.hears()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		b.hears("never committed COORDINATOR_NOT_AVAILABLE")
		b.log.commitAll()
		b.hears()

		// An alarm that is due already does not wait for the timer.
		b.do("now", func(c *counter, call *Call[int64]) Step {
			c.alarm = time.Now()
			return c.read(call, "alarms")
		})
		if b.log.End() != 3 {
			t.Fatalf("the log ends at %d", b.log.End())
		}
	})
}

// TestClose: whoever waits hears of it, and whoever comes later too.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.rt.Lead(0, 0, b.log)
		b.add("a", "x", 1)
		b.do("p", func(c *counter, call *Call[int64]) Step { return c.park(call, "x", 3) })
		b.do("t", func(c *counter, call *Call[int64]) Step {
			c.alarm = time.Now().Add(time.Hour)
			return c.read(call, "x")
		})
		b.rt.Close()
		b.hears("p NOT_COORDINATOR", "a NOT_COORDINATOR", "t NOT_COORDINATOR")
		b.read("late", "x")
		b.hears("late COORDINATOR_NOT_AVAILABLE")
		b.rt.Lead(0, 1, b.log)
		if len(b.rt.Partitions()) != 0 {
			t.Fatal("led after Close")
		}
	})
}

// TestConcurrentSteps: many goroutines add, a flusher commits, partitions come and go; every call hears once, nobody hears
// a sum that is not in the log, and the log adds up.
func TestConcurrentSteps(t *testing.T) {
	b := newBench(t)
	b.rt.Lead(0, 0, b.log)
	b.log.dirty = make(chan struct{}, 1)
	flusher := make(chan struct{})
	go func() { // one commit for all that came since the last; ends with dirty, awaited below
		defer close(flusher)
		for range b.log.dirty {
			b.log.commitAll()
		}
	}()
	const goroutines, each = 8, 500
	var heard sync.Map
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				done := make(chan struct{})
				call := &Call[int64]{
					Reply: func(n int64) {
						if _, twice := heard.LoadOrStore(n, true); twice || b.log.Committed() < n {
							t.Errorf("sum %d, twice %t, committed %d", n, twice, b.log.Committed())
						}
						close(done)
					},
					Fail: func(c protocol.Code) { t.Errorf("%d/%d: %v", g, i, c); close(done) },
				}
				b.rt.Do(0, call.Fail, func(c *counter, _ time.Time) Step { return c.add(call, "x", 1) })
				<-done
			}
		})
	}
	wg.Wait()
	close(b.log.dirty)
	<-flusher
	b.read("sum", "x")
	b.hears(fmt.Sprintf("sum=%d", goroutines*each))
}

func TestPartitionFor(t *testing.T) {
	for name, want := range map[string]int32{ // java: Math.abs(name.hashCode()) % 50
		"":                    0,
		"a":                   47,
		"my-group":            12,
		"console-consumer-12": 44,
		"polygenelubricants":  0, // its hash is Integer.MIN_VALUE
		"gruppe-äöü":          40,
		"smile-😀":             8,
	} {
		if got := PartitionFor(name, 50); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}
