package logstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ottla/ottla/protocol"
)

// ErrMoved is the answer of a log whose records lie in another data directory now: ask Dirs again. Nobody but who is in
// the midst of something meets it.
var ErrMoved error = protocol.Errorf(protocol.NotLeaderForPartition, "the partition has moved to another data directory")

// moves are the partitions on their way to another data directory (AlterReplicaLogDirs). Workers, which exist only while
// there are moves, take one at a time.
type moves struct {
	// assign is told where a partition will be before it is there, so that the metadata never names a directory that the
	// partition has left: see Dirs.place. Set before the first move.
	assign  func(ctx context.Context, tp TopicPartition, topicID, dir [16]byte) error
	pace    pace
	workers sync.WaitGroup

	mu      sync.Mutex // guards the fields below; the last lock taken
	max     int
	running int
	closed  bool
	queue   []*move
	all     map[TopicPartition]*move // that have not ended
}

func (m *moves) init(workers int) { m.max, m.all = max(workers, 1), map[TopicPartition]*move{} }

// start queues a move.
func (m *moves) start(v *move) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.all[v.tp] != nil {
		v.cancel()
		return
	}
	m.all[v.tp] = v
	m.queue = append(m.queue, v)
	if m.running < m.max {
		m.running++
		m.workers.Go(m.work)
	}
}

// work moves partitions until none waits. Started by start, awaited by close.
func (m *moves) work() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) > 0 {
		v := m.queue[0]
		m.queue = m.queue[1:]
		m.mu.Unlock()
		v.run()
		m.mu.Lock()
		delete(m.all, v.tp)
		close(v.done)
	}
	m.running--
}

// abort ends a partition's move and waits until nothing is left of it, or the partition has moved.
func (m *moves) abort(tp TopicPartition) {
	m.mu.Lock()
	v := m.all[tp]
	m.mu.Unlock()
	if v != nil {
		v.cancel()
		<-v.done
	}
}

// close ends all moves; what they have copied is left for the next start to find.
func (m *moves) close() {
	m.mu.Lock()
	m.closed = true
	for _, v := range m.all {
		v.keep.Store(true)
		v.cancel()
	}
	m.mu.Unlock()
	m.workers.Wait()
}

// of is the partition's move, nil if it has none.
func (m *moves) of(tp TopicPartition) *move {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[tp]
}

// OnAssign sets who is told, and may refuse, that a partition is about to lie in another directory. It is set before the
// first move.
func (d *Dirs) OnAssign(f func(ctx context.Context, tp TopicPartition, topicID, dir [16]byte) error) {
	d.moves.assign = f
}

// PaceMoves bounds the bytes that moves copy in a second, all together.
func (d *Dirs) PaceMoves(bytesPerSecond int64) { d.moves.pace.set(max(bytesPerSecond, 1)) }

// MoveThreads sets how many moves are made at a time, 0 for as many as there are directories.
func (d *Dirs) MoveThreads(n int) {
	d.moves.mu.Lock()
	defer d.moves.mu.Unlock()
	if d.moves.max = n; n <= 0 {
		d.moves.max = len(d.dirs)
	}
}

// StopMoves ends all moves. They begin again after the next start; none can be begun before it.
func (d *Dirs) StopMoves() { d.moves.close() }

// wishesMax bounds how many partitions that are not here it is remembered of where they are to go.
const wishesMax = 10_000

// Move begins to move a partition to a directory (AlterReplicaLogDirs): its records are copied while it serves, then the
// copy takes its place. A move to where it is ends one that is under way.
//
// Errors: LogDirNotFound; KafkaStorageError where the directory or the partition is offline; InvalidReplicaAssignment
// where the directory is cordoned; InvalidTopicException for a name that is too long; ReplicaNotAvailable where the
// partition is not here: should it be created, it will be in that directory (of wishesMax partitions it is remembered).
func (d *Dirs) Move(tp TopicPartition, path string) error {
	i := slices.IndexFunc(d.dirs, func(dir *Dir) bool { return dir.path == path })
	if i < 0 {
		return protocol.Errorf(protocol.LogDirNotFound, "%s is not a data directory of this broker", path)
	}
	to := d.dirs[i]
	l := d.Get(tp)
	switch {
	case len(setAside(TopicPartition{"", tp.Partition}, futureSuffix))+len(tp.Topic) > maxNameBytes:
		return protocol.Errorf(protocol.InvalidTopicException, "The topic name is too long.")
	case to.Err() != nil:
		return protocol.Errorf(protocol.KafkaStorageError, "%v", to.Err())
	case d.Cordoned(path):
		return protocol.Errorf(protocol.InvalidReplicaAssignment, "Log directory %s is cordoned.", path)
	case tp.valid() != nil || tp.String() == metadataLogName:
		return protocol.Errorf(protocol.UnknownTopicOrPartition, "%s is no topic's", tp)
	case l == nil:
		d.mu.Lock()
		if _, again := d.wishes[tp]; again || len(d.wishes) < wishesMax {
			d.wishes[tp] = to
		}
		d.mu.Unlock()
		return protocol.Errorf(protocol.ReplicaNotAvailable, "%s is not on this broker", tp)
	case l.Err() != nil && !errors.Is(l.Err(), ErrMoved):
		return l.storageError(l.Err())
	}
	if v := d.moves.of(tp); v != nil && v.to == to.store {
		return nil
	}
	d.moves.abort(tp)
	if l = d.Get(tp); l != nil && l.store != to.store {
		d.moves.start(newMove(d, l, to.store))
	}
	return nil
}

// Resume begins again the moves that the end of the last process interrupted. It is called once, when whoever uses the
// partitions has opened them.
func (d *Dirs) Resume() {
	for _, s := range d.online() {
		for _, f := range s.takeFutures() {
			l := d.Get(f.tp)
			switch {
			case l == nil: // in a directory that is offline, perhaps
				s.foreign(f.dir)
				continue
			case l.Err() == nil && l.store != s:
				d.moves.start(newMove(d, l, s))
			}
			s.timers.after(0, func() { s.removeDir(f.dir) })
		}
	}
}

// takeFutures are the copies that were found at the start and have somewhere to go.
func (s *Store) takeFutures() []future {
	s.naming.Lock()
	defer s.naming.Unlock()
	taken := s.futures
	s.futures = nil
	return taken
}

// Moving is a partition on its way.
type Moving struct {
	TopicPartition
	Dir   string // where to
	Bytes int64  // copied
	Lag   int64  // offsets not copied
}

// Moving are the partitions on their way, by topic and partition.
func (d *Dirs) Moving() (all []Moving) {
	d.moves.mu.Lock()
	for _, v := range d.moves.all {
		all = append(all, Moving{v.tp, v.to.dir, v.bytes.Load(), max(v.from.end.Load()-v.reached.Load(), 0)})
	}
	d.moves.mu.Unlock()
	slices.SortFunc(all, func(a, b Moving) int { return compareTopicPartitions(a.TopicPartition, b.TopicPartition) })
	return all
}

// pace hands out bytes a second.
type pace struct {
	mu             sync.Mutex // the last lock taken
	bytesPerSecond int64      // 0 for no bound
	due            time.Time  // when what was handed out is used up
}

func (p *pace) set(bytesPerSecond int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytesPerSecond, p.due = bytesPerSecond, time.Time{}
}

// wait returns when so many more bytes may be copied.
func (p *pace) wait(ctx context.Context, bytes int) error {
	p.mu.Lock()
	now, wait := time.Now(), time.Duration(0)
	if p.bytesPerSecond > 0 {
		wait = max(p.due.Sub(now), 0)
		p.due = now.Add(wait + time.Duration(float64(bytes)/float64(p.bytesPerSecond)*float64(time.Second)))
	}
	p.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// failed tells that a move is given up.
func (v *move) failed(err error) {
	if f := v.from.store.events.MoveFailed; f != nil {
		f(v.tp, v.to.dir, fmt.Errorf("moving %s to %s: %w", v.tp, v.to.dir, err))
	}
}
