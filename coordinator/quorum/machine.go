package quorum

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/coordinator/cluster"
)

// machine is the replicated state machine: what raft has committed, applied to an image.
type machine struct {
	image atomic.Pointer[cluster.Image]

	mu struct { // guards the fields below; held while subscribers are called, so that they hear of changes in order
		sync.Mutex
		subscribers []func(*cluster.Image, *cluster.Delta)
		failed      error
	}
	// rehearsal is what the start has applied already, nil after it. Guarded by mu.
	rehearsal *rehearsal

	// What was applied since the last snapshot. Only raft's FSM goroutine touches it.
	entries, bytes int64
	snapshotBytes  atomic.Int64
	// due is told when a snapshot is worth taking.
	due chan<- struct{}
}

// rehearsal is what came of the snapshot and the entries that a node has found at its start.
type rehearsal struct {
	snapshot      *cluster.Image
	snapshotBytes int64
	steps         map[uint64]step // by index
}

// step is an entry applied. Another node's entry of the same index has another term.
type step struct {
	term          uint64
	before, after *cluster.Image
	delta         *cluster.Delta
}

// Apply applies a committed entry. An entry that cannot be applied stops the machine: the entries after it stand on it.
func (m *machine) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.failed != nil {
		return m.mu.failed
	}
	image, delta, err := m.step(l)
	if errors.Is(err, errStale) {
		return err
	}
	if err != nil {
		m.mu.failed = fmt.Errorf("the entry at offset %d: %w", l.Index, err)
		return m.mu.failed
	}
	m.tell(image, delta)
	m.grow(int64(len(l.Data)))
	return nil
}

// step is the image after an entry. mu is held.
func (m *machine) step(l *raft.Log) (*cluster.Image, *cluster.Delta, error) {
	before := m.image.Load()
	if m.rehearsal != nil {
		if s, ok := m.rehearsal.steps[l.Index]; ok && s.term == l.Term && s.before == before {
			return s.after, s.delta, nil
		}
	}
	return applyEntry(before, l)
}

func (m *machine) forgetRehearsal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rehearsal = nil
}

func applyEntry(before *cluster.Image, l *raft.Log) (*cluster.Image, *cluster.Delta, error) {
	e, err := decodeEntry(l.Data)
	if err != nil {
		return nil, nil, err
	}
	if e.after != before.Offset() {
		return nil, nil, errStale
	}
	return before.Apply(int64(l.Index), int32(l.Term), e.records)
}

// tell publishes an image and tells the subscribers. mu is held.
func (m *machine) tell(image *cluster.Image, delta *cluster.Delta) {
	m.image.Store(image)
	for _, f := range m.mu.subscribers {
		f(image, delta)
	}
}

func (m *machine) subscribe(f func(*cluster.Image, *cluster.Delta)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.subscribers = append(m.mu.subscribers, f)
	image := m.image.Load()
	f(image, cluster.Difference(cluster.Empty(), image))
}

// failure is why the machine stopped, nil if it did not.
func (m *machine) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.failed
}

// A snapshot is worth taking when replaying the log would take longer than reading a snapshot: when so many entries, or
// as many bytes as a snapshot has, were applied since the last one. The floor keeps a small log from being written over
// and over. Starting after it takes milliseconds.
const (
	snapshotEntries  = 2000
	snapshotBytesMin = 256 << 10
	// trailingEntries are kept behind a snapshot, for a follower that is a little behind.
	trailingEntries = 256
)

func (m *machine) grow(bytes int64) {
	m.entries++
	m.bytes += bytes
	if m.entries < snapshotEntries && m.bytes < max(snapshotBytesMin, m.snapshotBytes.Load()) {
		return
	}
	m.entries, m.bytes = 0, 0
	select {
	case m.due <- struct{}{}:
	default: // one is due already
	}
}

// Snapshot takes the image as it is; it is immutable.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	return &imageSnapshot{image: m.image.Load(), size: &m.snapshotBytes}, nil
}

// Restore replaces the image by a snapshot's.
func (m *machine) Restore(r io.ReadCloser) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	image, size, err := m.restored(r)
	if err != nil {
		m.mu.failed = err
		return err
	}
	m.entries, m.bytes = 0, 0
	m.snapshotBytes.Store(size)
	m.tell(image, cluster.Difference(m.image.Load(), image))
	return nil
}

// restored is the image of a snapshot. The first one that raft restores is the one that was rehearsed. mu is held.
func (m *machine) restored(r io.Reader) (*cluster.Image, int64, error) {
	if m.rehearsal != nil && m.rehearsal.snapshot.Offset() != -1 && m.image.Load().Offset() == -1 {
		return m.rehearsal.snapshot, m.rehearsal.snapshotBytes, nil
	}
	return readImage(r)
}

// imageSnapshot is an image on its way into a file.
type imageSnapshot struct {
	image *cluster.Image
	size  *atomic.Int64
}

func (s *imageSnapshot) Persist(sink raft.SnapshotSink) error {
	size, err := writeImage(sink, s.image)
	if err != nil {
		return errors.Join(err, sink.Cancel())
	}
	s.size.Store(size)
	return sink.Close()
}

func (s *imageSnapshot) Release() {}

// takeSnapshots takes a snapshot whenever one is due. Started by open, ends with Close. A snapshot that fails costs
// nothing but time at the next start; the next one is tried when the log has grown again.
func (q *Quorum) takeSnapshots() {
	for range q.snapshotDue {
		if q.closed.Load() {
			return
		}
		_ = q.raft.Snapshot().Error()
	}
}
