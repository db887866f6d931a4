package logstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// TestProducersAndTransactionsModel does random things with producers, markers, truncation, deletion and restarts, and
// holds every answer against a twin that remembers the whole log and looks through it each time.
func TestProducersAndTransactionsModel(t *testing.T) {
	for seed := range uint64(150) {
		m := &producerModel{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 7)), fs: vfs.NewMem(nil)}
		m.open()
		for range 120 {
			m.step()
			if t.Failed() {
				t.Fatalf("seed %d:\n%s", seed, m.story)
			}
		}
		closeStore(t, m.store)
	}
}

// remembered is a batch as the twin keeps it.
type remembered struct {
	pid         int64
	epoch       int16
	sequence    int32 // of the first record
	base, last  int64
	ms          int64
	txn         bool
	control     bool
	commit      bool
	coordinator int32
}

type producerModel struct {
	t     *testing.T
	seed  uint64
	r     *rand.Rand
	fs    *vfs.Mem
	store *Store
	log   *Log
	story string

	batches []remembered
	end, hw int64
	// forgot: the log started again, or was cut: of a producer's batches it may know the last one only.
	forgot bool
}

func (m *producerModel) open() {
	m.store = open(m.t, m.fs, "data")
	c := DefaultLogConfig()
	c.SegmentBytes, c.IndexIntervalBytes = 500, 100
	c.RetentionMs = -1
	m.log = create(m.t, m.store, c)
}

func (m *producerModel) step() {
	switch n := m.r.IntN(40); {
	case n < 20:
		m.produce()
	case n < 30:
		m.mark()
	case n < 33:
		m.replicate()
	case n < 35:
		m.hw += m.r.Int64N(m.end - m.hw + 1)
		m.log.SetHighWatermark(m.hw)
	case n < 36:
		m.truncate()
	case n < 37:
		m.deleteRecords()
	case n < 39:
		m.restart(m.r.IntN(2) == 0)
	default:
		m.append(remembered{pid: -1, sequence: -1, base: m.end, last: m.end}, AppendOptions{}, batchOf(remembered{pid: -1, epoch: -1, sequence: -1}, 1))
	}
	m.compare()
}

// twin is what the whole log says of a producer.
type twin struct {
	known       bool
	epoch       int16
	coordinator int32
	open        int64
	ms          int64
	recent      []remembered // data of the epoch
}

func (m *producerModel) twin(pid int64) twin {
	p := twin{epoch: -1, coordinator: -1, open: -1, ms: -1}
	for _, b := range m.batches {
		if b.pid != pid {
			continue
		}
		p.known, p.ms = true, b.ms
		if b.epoch != p.epoch {
			p.epoch, p.recent = b.epoch, nil
		}
		if b.control {
			p.coordinator, p.open = b.coordinator, -1
			continue
		}
		p.recent = append(p.recent, b)
		if b.txn && p.open < 0 {
			p.open = b.base
		}
	}
	return p
}

func (p *twin) lastSequence() int32 {
	if len(p.recent) == 0 {
		return -1
	}
	b := p.recent[len(p.recent)-1]
	return b.sequence + int32(b.last-b.base)
}

// produce sends a batch that is mostly right.
func (m *producerModel) produce() {
	pid := 1 + m.r.Int64N(4)
	p := m.twin(pid)
	n := 1 + m.r.IntN(3)
	b := remembered{pid: pid, epoch: max(p.epoch, 0), sequence: p.lastSequence() + 1, txn: p.open >= 0 || m.r.IntN(2) == 0}
	switch m.r.IntN(12) {
	case 0:
		b.epoch, b.sequence = b.epoch+1, 0
	case 1:
		b.epoch = max(b.epoch-1, 0)
	case 2:
		b.sequence += int32(m.r.IntN(3))
	case 3:
		b.txn = !b.txn
	case 4, 5:
		if len(p.recent) > 0 { // a repetition
			old := p.recent[max(0, len(p.recent)-1-m.r.IntN(6))]
			b, n = old, int(old.last-old.base)+1
		}
	}
	b.base, b.last, b.ms = m.end, m.end+int64(n)-1, 1000+m.end
	m.append(b, AppendOptions{Origin: Client}, batchOf(b, n))
}

// mark sends a marker that mostly ends a transaction.
func (m *producerModel) mark() {
	pid := 1 + m.r.Int64N(4)
	p := m.twin(pid)
	o := AppendOptions{Origin: Coordinator, TransactionVersion: int16(m.r.IntN(3))}
	b := remembered{pid: pid, epoch: max(p.epoch, 0), sequence: -1, base: m.end, last: m.end, ms: 1000 + m.end,
		control: true, txn: true, commit: m.r.IntN(2) == 0, coordinator: max(p.coordinator, 0)}
	if o.TransactionVersion >= 2 && m.r.IntN(4) > 0 {
		b.epoch++
	}
	switch m.r.IntN(10) {
	case 0:
		b.coordinator++
	case 1:
		b.coordinator = max(b.coordinator-1, 0)
	case 2:
		b.epoch = max(b.epoch-1, 0)
	}
	m.append(b, o, record.EndTxn{Commit: b.commit, CoordinatorEpoch: b.coordinator}.Batch(b.ms, b.pid, b.epoch))
}

// replicate appends as a follower does: anything goes, and offsets may be left out.
func (m *producerModel) replicate() {
	p := m.twin(1)
	b := remembered{pid: 1, epoch: max(p.epoch, 0), sequence: p.lastSequence() + 1 + int32(m.r.IntN(3)), txn: p.open >= 0, ms: 1000 + m.end}
	if m.r.IntN(2) == 0 {
		b.epoch, b.sequence = b.epoch+1, int32(m.r.IntN(50))
	}
	b.base = m.end + m.r.Int64N(3)
	b.last = b.base
	batch := batchOf(b, 1)
	batch.SetBaseOffset(b.base)
	batch.SetLeaderEpoch(0)
	m.append(b, AppendOptions{Origin: Replication}, batch)
}

func batchOf(b remembered, n int) record.Batch {
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = b.pid, b.epoch, b.sequence, b.txn
	out := record.NewBuilder(o)
	for range n {
		out.Add(b.ms, nil, []byte("0123456789"))
	}
	return out.Batch()
}

// append sends a batch and compares the answer with the twin's.
func (m *producerModel) append(b remembered, o AppendOptions, batch record.Batch) {
	want := m.answer(b, o)
	a, err := m.log.Append(batch, o)
	got := "appended"
	switch {
	case err == nil && !a.Duplicate && a.FirstOffset != b.base:
		m.t.Errorf("appended at %d, not at %d", a.FirstOffset, b.base)
	case err != nil:
		got = protocol.CodeOf(err).String()
	case a.Duplicate:
		got = fmt.Sprintf("again at %d-%d", a.FirstOffset, a.LastOffset)
	}
	m.tell("%+v by %v: %s", b, o, got)
	if !slices.Contains(want, got) {
		m.t.Errorf("seed %d: %+v by %v: %s, want %v (%v)", m.seed, b, o, got, want, err)
	}
	if got == "appended" {
		m.batches = append(m.batches, b)
		m.end = b.last + 1
	}
}

// answer is what Kafka's rules say to a batch, as an order of questions. More than one answer is right where the log may
// have forgotten older batches.
func (m *producerModel) answer(b remembered, o AppendOptions) []string {
	p := m.twin(b.pid)
	if b.pid < 0 || o.Origin == Replication || !p.known {
		return []string{"appended"}
	}
	if o.Origin == Client {
		for i, old := range p.recent[max(0, len(p.recent)-5):] {
			if old.epoch == b.epoch && old.sequence == b.sequence && old.last-old.base == b.last-b.base {
				again := fmt.Sprintf("again at %d-%d", old.base, old.last)
				if m.forgot && i < min(5, len(p.recent))-1 {
					return []string{again, p.rules(b, o)}
				}
				return []string{again}
			}
		}
	}
	return []string{p.rules(b, o)}
}

// rules are those for a batch that is new.
func (p *twin) rules(b remembered, o AppendOptions) string {
	switch {
	case b.epoch < p.epoch:
		return "INVALID_PRODUCER_EPOCH"
	case b.control && o.TransactionVersion >= 2 && b.epoch == p.epoch && p.open >= 0:
		return "INVALID_PRODUCER_EPOCH"
	case b.control && b.coordinator < p.coordinator:
		return "TRANSACTION_COORDINATOR_FENCED"
	case b.control:
		return "appended"
	case o.Origin == Client && b.epoch > p.epoch && b.sequence != 0:
		return "OUT_OF_ORDER_SEQUENCE_NUMBER"
	case o.Origin == Client && b.epoch == p.epoch && b.sequence != p.lastSequence()+1:
		return "OUT_OF_ORDER_SEQUENCE_NUMBER"
	case p.open >= 0 && !b.txn:
		return "INVALID_TXN_STATE"
	}
	return "appended"
}

// truncate cuts the log at the beginning of a batch.
func (m *producerModel) truncate() {
	if len(m.batches) == 0 {
		return
	}
	i := m.r.IntN(len(m.batches))
	to := m.batches[i].base
	if to < m.log.LogStart() {
		return
	}
	m.tell("truncate to %d", to)
	if err := m.log.TruncateTo(to); err != nil {
		m.t.Error(err)
	}
	m.batches, m.end, m.forgot = m.batches[:i], m.log.End(), true
	if m.end > to {
		m.t.Errorf("the log ends at %d", m.end)
	}
	if m.end == m.log.LogStart() {
		m.batches = nil // of a log that is empty again nothing is known, here as in Kafka
	}
	m.settled()
}

// deleteRecords gives up the beginning. What is known of producers stays.
func (m *producerModel) deleteRecords() {
	to := m.log.LogStart() + m.r.Int64N(m.hw-m.log.LogStart()+1)
	m.tell("delete below %d", to)
	if err := m.log.AdvanceLogStart(to); err != nil {
		m.t.Error(err)
	}
	if err := m.log.ApplyRetention(0); err != nil {
		m.t.Error(err)
	}
}

func (m *producerModel) restart(clean bool) {
	m.tell("restart, clean %v", clean)
	if clean {
		closeStore(m.t, m.store)
	} else {
		if err := m.log.Flush(); err != nil {
			m.t.Error(err)
		}
		m.fs = m.fs.KillClone() // the old store goes on in a world of its own
	}
	m.open()
	m.forgot = true
	last := m.log.LogStart()
	if n := len(m.batches); n > 0 {
		last = m.batches[n-1].last + 1
	}
	if m.end = m.log.End(); m.end < last {
		m.t.Errorf("the log ends at %d, and had records up to %d (%v)", m.end, last, m.log.Err())
	}
	m.settled()
}

// settled: what a marker above the high watermark ended is not in snapshots, here as in Kafka.
func (m *producerModel) settled() {
	m.hw = m.end
	m.log.SetHighWatermark(m.hw)
}

// compare holds what the log says of producers and transactions against the twin.
func (m *producerModel) compare() {
	var producers []Producer
	for pid := range int64(5) {
		if p := m.twin(pid); p.known {
			producers = append(producers, Producer{pid, p.epoch, p.lastSequence(), p.ms, p.coordinator, p.open})
		}
	}
	if got := m.log.ActiveProducers(); !slices.Equal(got, producers) {
		m.t.Errorf("producers %v, want %v", got, producers)
	}
	stable := m.hw
	var aborted []AbortedTxn
	open := map[int64]int64{}
	for _, b := range m.batches {
		first, isOpen := open[b.pid]
		switch {
		case b.pid < 0:
		case !b.control && b.txn && !isOpen:
			open[b.pid] = b.base
		case b.control && isOpen:
			delete(open, b.pid)
			if b.base >= m.hw {
				stable = min(stable, first)
			}
			if !b.commit {
				aborted = append(aborted, AbortedTxn{ProducerID: b.pid, FirstOffset: first, LastOffset: b.base})
			}
		}
	}
	for _, first := range open {
		stable = min(stable, first)
	}
	stable = max(stable, m.log.LogStart())
	if got := m.log.LastStableOffset(); got != stable {
		m.t.Errorf("last stable offset %d, want %d", got, stable)
	}
	if start := m.log.LogStart(); m.end > start {
		from := start + m.r.Int64N(m.end-start)
		m.compareAborted(aborted, from, from+1+m.r.Int64N(m.end-from))
	}
}

func (m *producerModel) compareAborted(all []AbortedTxn, from, upTo int64) {
	want := slices.DeleteFunc(slices.Clone(all), func(a AbortedTxn) bool { return a.LastOffset < from || a.FirstOffset >= upTo })
	slices.SortFunc(want, func(a, b AbortedTxn) int { return compareOffsets(a.FirstOffset, b.FirstOffset) })
	got, err := m.log.AbortedTransactions(from, upTo)
	for i := range got {
		got[i].LastStableOffset = 0
	}
	if err != nil || !slices.Equal(got, want) {
		m.t.Errorf("aborted in [%d, %d): %v, want %v (%v)", from, upTo, got, want, err)
	}
}

func (m *producerModel) tell(format string, args ...any) {
	m.story += fmt.Sprintf(format, args...) + "\n"
}
