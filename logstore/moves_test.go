package logstore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// mover is two directories, a log that moves between them, and what is known of it.
type mover struct {
	t      testing.TB
	rand   *rand.Rand
	mem    *vfs.Mem
	fs     *errorfs.FS
	dirs   *Dirs
	config LogConfig

	mu     sync.Mutex // guards what the crash hook reads
	sent   [][]byte   // batches as they lie in the log
	ends   []int64
	log    *Log
	acked  int64
	start  int64 // log start, at least
	starts int64 // ... and at most
	step   string
	moves  int
}

var movingTopic = TopicPartition{"t", 0}

func newMover(t testing.TB, seed uint64, change ...func(*LogConfig)) *mover {
	m := &mover{t: t, rand: rand.New(rand.NewPCG(seed, 1)), mem: vfs.NewMem(time.Now), config: DefaultLogConfig()}
	m.config.SegmentBytes = []int64{300, 1000, 1 << 20}[m.rand.IntN(3)]
	m.config.IndexIntervalBytes = 100
	m.config.FileDeleteDelayMs = []int64{0, 700}[m.rand.IntN(2)]
	m.config.RetentionMs = -1
	for _, c := range change {
		c(&m.config)
	}
	m.use(m.mem)
	return m
}

func (m *mover) use(mem *vfs.Mem) {
	m.mem, m.fs = mem, errorfs.New(mem)
	o := dirsOptions(m.fs)
	o.Events.MoveFailed = func(_ TopicPartition, _ string, err error) { m.t.Errorf("%s: %v", m.step, err) }
	d, err := OpenDirs([]string{"/a", "/b"}, "", o)
	if err != nil {
		m.t.Fatal(err)
	}
	m.dirs = d
	m.take(m.create())
}

func (m *mover) create() *Log {
	l, err := m.dirs.Create(movingTopic, [16]byte{7}, m.config, Assignment{})
	if err != nil {
		m.t.Fatal(err)
	}
	l.OnMoved(m.take)
	return l
}

func (m *mover) take(to *Log) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = to
	to.OnMoved(m.take)
}

func (m *mover) current() *Log {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log
}

// do asks the log, and its successor if that is what it takes.
func (m *mover) do(f func(l *Log) error) {
	for {
		l := m.current()
		err := f(l)
		if err == nil {
			return
		}
		if m.current() == l {
			m.t.Fatalf("%s: %v", m.step, err)
		}
	}
}

func (m *mover) append(n int) {
	b := batch(int64(1000+n), 1+m.rand.IntN(3), 10+m.rand.IntN(60))
	if producer := m.rand.IntN(4); producer > 0 {
		next := 0
		for _, s := range m.sent {
			if old := record.Batch(s); old.ProducerID() == int64(producer) {
				next = int(old.LastSequence()) + 1
			}
		}
		b = produced(int64(producer), int32(next), b)
	}
	m.do(func(l *Log) error {
		m.mu.Lock()
		m.sent, m.ends = append(m.sent, nil), append(m.ends, 0) // it may be there from now on
		m.mu.Unlock()
		_, err := l.Append(b, AppendOptions{LeaderEpoch: int32(n / 10)})
		m.mu.Lock()
		defer m.mu.Unlock()
		at := len(m.sent) - 1
		if err != nil {
			m.sent, m.ends = m.sent[:at], m.ends[:at]
			return err
		}
		m.sent[at], m.ends[at] = slices.Clone(b), b.NextOffset()
		return nil
	})
}

// produced is the batch as an idempotent producer's.
func produced(id int64, sequence int32, b record.Batch) record.Batch {
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence = id, 0, sequence
	builder := record.NewBuilder(o)
	for i := range b.Count() {
		builder.Add(b.BaseTimestamp()+int64(i), nil, bytes.Repeat([]byte{byte(id)}, 20))
	}
	return builder.Batch()
}

func (m *mover) flush() {
	m.do((*Log).Flush)
	end := m.current().Flushed()
	m.mu.Lock()
	m.acked = max(m.acked, end)
	m.mu.Unlock()
}

func (m *mover) deleteRecords() {
	m.flush()
	to := m.ends[m.rand.IntN(len(m.ends))]
	m.do(func(l *Log) error {
		l.SetHighWatermark(m.acked)
		m.mu.Lock()
		m.starts = max(m.starts, to)
		m.mu.Unlock()
		return l.AdvanceLogStart(to)
	})
	m.mu.Lock()
	m.start = max(m.start, to)
	m.mu.Unlock()
	m.do(func(l *Log) error { return l.ApplyRetention(time.Now().UnixMilli()) })
}

// elsewhere is the directory that the log is not in.
func (m *mover) elsewhere() string {
	if m.current().DataDir() == "/a" {
		return "/b"
	}
	return "/a"
}

// promise is what must be found after a crash.
type movePromise struct {
	what                 string
	fs                   *vfs.Mem
	sent                 [][]byte
	acked, start, starts int64
}

// check opens what a crash left and compares.
func (p movePromise) check(t testing.TB, seed uint64) {
	fail := func(format string, args ...any) {
		t.Errorf("seed %d, crash at %s: %s", seed, p.what, fmt.Sprintf(format, args...))
	}
	var events observed
	o := dirsOptions(p.fs)
	o.Events = events.events()
	d, err := OpenDirs([]string{"/a", "/b"}, "", o)
	if err != nil {
		fail("%v", err)
		return
	}
	defer d.Close()
	for round := range 2 { // as it is, and after what was interrupted has been done
		l := d.Get(movingTopic)
		switch {
		case p.acked == 0: // of a log that was never synced anything may be missing
			return
		case l == nil:
			fail("the partition is gone")
			return
		case l.Err() != nil:
			fail("%v", l.Err())
			return
		}
		if start := l.LogStart(); start < p.start || start > p.starts {
			fail("the log starts at %d, not within %d and %d", start, p.start, p.starts)
		}
		if end := l.End(); end < p.acked {
			fail("the log ends at %d, and %d was acknowledged", end, p.acked)
		}
		next := 0
		for next < len(p.sent) && p.sent[next] != nil && record.Batch(p.sent[next]).NextOffset() <= l.LogStart() {
			next++
		}
		for b, err := range l.Batches(l.LogStart(), l.End()) {
			switch {
			case err != nil:
				fail("%v", err)
				return
			case next >= len(p.sent):
				fail("a batch at %d that was never sent", b.BaseOffset())
				return
			case p.sent[next] != nil && !bytes.Equal(b, p.sent[next]):
				fail("batch %d at %d is another", next, b.BaseOffset())
				return
			}
			next++
		}
		unknown := slices.ContainsFunc(p.sent, func(s []byte) bool { return s == nil }) // being appended
		if got, want := fmt.Sprint(producersOf(l)), fmt.Sprint(producersIn(p.sent, l.End())); got != want && l.LogStart() == 0 && !unknown {
			fail("producers %s, want %s", got, want)
		}
		if round == 0 {
			d.Resume()
			synctest.Wait()
			for _, v := range d.Moving() {
				fail("%v is not done", v)
			}
		}
	}
	time.Sleep(2 * time.Second)
	for _, dir := range []string{"/a", "/b"} {
		entries, err := p.fs.ReadDir(dir)
		if err != nil {
			fail("%v", err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), futureSuffix) {
				fail("%s/%s is left", dir, e.Name())
			}
		}
	}
	if events.String() != (&observed{}).String() {
		fail("%s", &events)
	}
}

// producersOf are the producers' last sequences.
func producersOf(l *Log) map[int64]int32 {
	found := map[int64]int32{}
	for _, p := range l.ActiveProducers() {
		found[p.ProducerID] = p.LastSequence
	}
	return found
}

func producersIn(sent [][]byte, end int64) map[int64]int32 {
	found := map[int64]int32{}
	for _, s := range sent {
		if b := record.Batch(s); s != nil && b.NextOffset() <= end && b.HasProducerID() {
			found[b.ProducerID()] = b.LastSequence()
		}
	}
	return found
}

// TestCrashDuringMoves moves a log between two directories while it is written to, and takes the power away before every
// operation of the file system.
func TestCrashDuringMoves(t *testing.T) {
	runs := 4
	if n, err := strconv.Atoi(os.Getenv("CRASHTEST_RUNS")); err == nil {
		runs = n
	}
	points := 0
	for seed := range uint64(runs) {
		synctest.Test(t, func(t *testing.T) { points += crashMoves(t, seed) })
		if t.Failed() {
			break
		}
	}
	t.Logf("%d crash points", points)
}

func crashMoves(t *testing.T, seed uint64) int {
	m := newMover(t, seed)
	crashes := rand.New(rand.NewPCG(seed, 2))
	var promises []movePromise
	n := 0
	m.fs.OnOp(func(op errorfs.Op) {
		if !op.Changes() {
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		n++
		p := movePromise{what: fmt.Sprintf("%s, operation %d, %s", m.step, n, op), sent: slices.Clone(m.sent), acked: m.acked, start: m.start, starts: m.starts}
		if crashes.IntN(6) == 0 {
			p.fs = m.mem.KillClone()
		} else {
			p.fs = m.mem.CrashClone(crashes, []int{0, 0, 30, 60, 100}[crashes.IntN(5)])
		}
		promises = append(promises, p)
	})
	for i := range 60 {
		if i == 3 { // before that nobody can tell a new topic from one that is gone
			m.flush()
		}
		step := m.rand.IntN(10)
		m.mu.Lock()
		m.step = fmt.Sprintf("step %d (%d)", i, step)
		m.mu.Unlock()
		switch {
		case step < 5 || i < 3:
			m.append(i)
		case step < 7:
			m.flush()
		case step == 7:
			m.deleteRecords()
		case step == 8:
			to := m.elsewhere()
			if err := m.dirs.Move(movingTopic, to); err != nil {
				t.Fatal(err)
			}
			m.moves++
		default:
			time.Sleep(time.Second)
		}
		if m.rand.IntN(2) == 0 {
			synctest.Wait()
		}
	}
	m.flush()
	synctest.Wait()
	m.fs.OnOp(nil)
	if m.moves == 0 {
		t.Log("nothing moved")
	}
	closeDirs(t, m.dirs)
	promises = append(promises, movePromise{"the end", m.mem.CrashClone(crashes, 0), m.sent, m.acked, m.start, m.starts})
	for _, p := range promises {
		p.check(t, seed)
		if t.Failed() {
			break
		}
	}
	return len(promises)
}

func TestMoveKeepsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMover(t, 3)
		for i := range 50 {
			m.append(i)
		}
		m.flush()
		m.deleteRecords()
		before := m.current()
		want, epochs, start, producers := recordsOf(t, before), before.epochs.encode(), before.LogStart(), fmt.Sprint(before.ActiveProducers())
		bases := len(before.segments)
		slice, err := before.Read(start, 1<<20, before.End(), true)
		if err != nil {
			t.Fatal(err)
		}
		for round, dir := range []string{m.elsewhere(), before.DataDir(), m.elsewhere()} {
			if err := m.dirs.Move(movingTopic, dir); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			l := m.current()
			if l.DataDir() != dir || m.dirs.Get(movingTopic) != l || len(m.dirs.All()) != 1 || len(m.dirs.Moving()) != 0 {
				t.Fatalf("round %d: in %s, not %s", round, l.DataDir(), dir)
			}
			if got := recordsOf(t, l); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if !bytes.Equal(l.epochs.encode(), epochs) || l.LogStart() != start || fmt.Sprint(l.ActiveProducers()) != producers || len(l.segments) != bases ||
				l.HighWatermark() != before.HighWatermark() || l.TopicID() != before.TopicID() || l.configuration() != before.configuration() {
				t.Errorf("round %d: something has not moved along", round)
			}
			if _, err := before.Append(batch(1, 1, 1), AppendOptions{}); protocol.CodeOf(err) != protocol.NotLeaderForPartition {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		b := make([]byte, slice.Bytes) // what was read before stays readable, though its directory is gone
		if _, err := slice.Parts[0].File.ReadAt(b, slice.Parts[0].Off); err != nil {
			t.Error(err)
		}
		slice.Release()
		for _, dir := range []string{"/a", "/b"} {
			entries, _ := m.mem.ReadDir(dir)
			for _, e := range entries {
				if e.IsDir() && e.Name() != "t-0" {
					t.Errorf("%s/%s is left", dir, e.Name())
				}
			}
		}
		closeDirs(t, m.dirs)
		m.use(m.mem.CrashClone(m.rand, 0))
		if got := recordsOf(t, m.current()); got != want {
			t.Errorf("after a restart %s, want %s", got, want)
		}
		closeDirs(t, m.dirs)
	})
}

// A client that has not heard of its last batches sends them again, also after a move and a crash.
func TestMoveKnowsRepeatedBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMover(t, 1, func(c *LogConfig) { c.SegmentBytes = 1 << 20 })
		var sent []record.Batch
		repeat := func(when string) {
			t.Helper()
			for i, b := range sent {
				a, err := m.current().Append(slices.Clone(b), AppendOptions{})
				if err != nil || !a.Duplicate || a.FirstOffset != int64(i) {
					t.Errorf("%s: batch %d: %+v, %v", when, i, a, err)
				}
			}
		}
		for i := range int32(5) {
			b := produced(9, i, batch(1, 1, 10))
			sent = append(sent, b)
			add(t, m.current(), slices.Clone(b))
		}
		for _, dir := range []string{m.elsewhere(), m.current().DataDir()} {
			if err := m.dirs.Move(movingTopic, dir); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			repeat("in " + dir)
		}
		killed := m.mem.KillClone()
		closeDirs(t, m.dirs)
		m.use(killed)
		repeat("after a kill")
		closeDirs(t, m.dirs)
	})
}

// recordsOf is a log's batches as a text.
func recordsOf(t testing.TB, l *Log) string {
	var all []string
	for b, err := range l.Batches(l.LogStart(), l.End()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d:%x", b.BaseOffset(), b.CRC()))
	}
	return strings.Join(all, " ")
}

func TestMoveRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMover(t, 1, func(c *LogConfig) { c.SegmentBytes = 300 })
		for i := range 30 {
			m.append(i)
		}
		m.flush()
		here, there := m.current().DataDir(), m.elsewhere()
		for _, c := range []struct {
			tp   TopicPartition
			dir  string
			want protocol.Code
		}{
			{movingTopic, "/c", protocol.LogDirNotFound},
			{movingTopic, here + "/", protocol.LogDirNotFound},
			{TopicPartition{"other", 3}, there, protocol.ReplicaNotAvailable},
			{TopicPartition{strings.Repeat("x", 240), 0}, there, protocol.InvalidTopicException},
			{movingTopic, here, 0},
		} {
			if err := m.dirs.Move(c.tp, c.dir); protocol.CodeOf(err) != c.want || (err == nil) != (c.want == 0) {
				t.Errorf("%v to %s: %v", c.tp, c.dir, err)
			}
		}
		m.dirs.Cordon([]string{there})
		if err := m.dirs.Move(movingTopic, there); protocol.CodeOf(err) != protocol.InvalidReplicaAssignment {
			t.Error(err)
		}
		m.dirs.Cordon(nil)
		if l, err := m.dirs.Create(TopicPartition{"other", 3}, [16]byte{2}, m.config, Assignment{New: true}); err != nil || l.DataDir() != there {
			t.Errorf("a wish is forgotten: %v", err)
		}

		// A slow move is seen, and ends when it is told to stay.
		m.dirs.PaceMoves(10)
		if err := m.dirs.Move(movingTopic, there); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if v := m.dirs.Moving(); len(v) != 1 || v[0].TopicPartition != movingTopic || v[0].Dir != there || v[0].Lag <= 0 {
			t.Fatalf("%+v", v)
		}
		if err := m.dirs.Move(movingTopic, here); err != nil {
			t.Fatal(err)
		}
		if v := m.dirs.Moving(); len(v) != 0 || m.current().DataDir() != here {
			t.Errorf("%+v", v)
		}

		// A deleted partition stays nowhere.
		if err := m.dirs.Move(movingTopic, there); err != nil {
			t.Fatal(err)
		}
		if err := m.dirs.Delete(movingTopic); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for _, dir := range []string{here, there} {
			entries, _ := m.mem.ReadDir(dir)
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), "t-0") {
					t.Errorf("%s/%s is left", dir, e.Name())
				}
			}
		}
		closeDirs(t, m.dirs)
	})
}

// Trouble in either directory leaves the partition where it was, or takes it offline where it is: never without records.
func TestMoveMeetsTrouble(t *testing.T) {
	for at := 1; ; at++ {
		fired := false
		for _, rule := range []string{"EIO", "ENOSPC"} {
			for _, dir := range []string{"/a", "/b"} {
				synctest.Test(t, func(t *testing.T) {
					m := newMover(t, 1)
					var failed []string
					for _, dir := range m.dirs.dirs {
						dir.store.events.MoveFailed = func(_ TopicPartition, _ string, err error) { failed = append(failed, err.Error()) }
					}
					for i := range 10 {
						m.append(i)
					}
					m.flush()
					want := recordsOf(t, m.current())
					m.fs.Add(fmt.Sprintf("any of %s/* #%d -> %s", dir, at, rule), fmt.Sprintf("any of %s/*/* #%d -> %s", dir, at, rule))
					if err := m.dirs.Move(movingTopic, m.elsewhere()); err != nil {
						t.Log(err)
					}
					synctest.Wait()
					time.Sleep(3 * time.Second)
					synctest.Wait()
					fired = fired || len(m.fs.Fired()) > 0
					m.fs.Clear()
					l := m.dirs.Get(movingTopic)
					if l != m.current() {
						t.Fatalf("%s in %s at %d: two logs are in use", rule, dir, at)
					}
					if l.Err() == nil {
						if got := recordsOf(t, l); got != want {
							t.Errorf("%s in %s at %d: %s, want %s", rule, dir, at, got, want)
						}
						m.append(20)
						m.flush()
						want = recordsOf(t, l)
					}
					if err := m.dirs.Close(); err != nil && l.Err() == nil && len(failed) == 0 {
						t.Log(err)
					}
					m.use(m.mem.CrashClone(m.rand, 0))
					if got := recordsOf(t, m.current()); got != want {
						t.Errorf("%s in %s at %d, after a power cut: %s, want %s", rule, dir, at, got, want)
					}
					closeDirs(t, m.dirs)
				})
			}
		}
		if !fired || t.Failed() {
			t.Logf("%d operations", at-1)
			break
		}
	}
}
