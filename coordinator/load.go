package coordinator

import (
	"errors"
	"fmt"
	"time"

	schema "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// watch follows the high watermark.
func (s *shard[M]) watch() {
	s.unwatch = s.log.OnCommitted(s.parked.raise)
	s.parked.raise(s.log.Committed())
}

// beginLoad fills a new machine from the log: at once where there is nothing to read, or else in the background.
func (s *shard[M]) beginLoad() {
	if s.log.LogStart() == s.log.End() {
		s.load()
		return
	}
	r := s.runtime
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return
	}
	r.loads.Add(1)
	go func() { // ends when the partition is loaded or led elsewhere; Close waits for it
		defer r.loads.Done()
		r.loaders <- struct{}{}
		defer func() { <-r.loaders }()
		s.load()
	}()
}

// load replays the log into a new machine and makes the shard active.
func (s *shard[M]) load() {
	r := s.runtime
	began := r.options.Now()
	m := r.options.New(s.partition)
	end := s.log.End()
	records, err := s.replay(m, end)
	if errors.Is(err, errGone) {
		return
	}
	if err != nil {
		s.mu.Lock()
		if s.mu.life == loading {
			s.mu.life = failed
		}
		s.mu.Unlock()
		r.options.Events.loadFailed(s.partition, err)
		return
	}
	var out outbox
	now := r.options.Now()
	s.mu.Lock()
	if s.mu.life != loading {
		s.mu.Unlock()
		return
	}
	s.mu.life, s.mu.machine, s.mu.end = active, m, end
	s.apply(now, m.Loaded(now), &out)
	s.runTimers(now, &out)
	s.leave(&out)
	r.options.Events.loaded(s.partition, records, now.Sub(began))
}

// errGone ends the loading of a partition that is not led here any more.
var errGone = errors.New("led elsewhere")

// replay brings the records of [log start, end) to a machine that nobody else has.
func (s *shard[M]) replay(m M, end int64) (records int, err error) {
	for batch, err := range s.log.Batches(s.log.LogStart(), end) {
		if err != nil {
			return records, err
		}
		if !s.isLoading() {
			return records, errGone
		}
		n, err := replayBatch(m, batch)
		if err != nil {
			return records, fmt.Errorf("batch at offset %d: %w", batch.BaseOffset(), err)
		}
		records += n
	}
	return records, nil
}

func (s *shard[M]) isLoading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.life == loading
}

// replayControl applies a transaction marker; of other control records machines need not know.
func replayControl[M Machine](m M, batch record.Batch) error {
	marker, ok, err := batch.EndTxn()
	if err != nil || !ok {
		return err
	}
	m.ReplayMarker(batch.ProducerID(), marker.Commit)
	return nil
}

func replayBatch[M Machine](m M, batch record.Batch) (records int, err error) {
	if batch.IsControl() {
		return 0, replayControl(m, batch)
	}
	producerID := record.NoProducerID
	if batch.IsTransactional() {
		producerID = batch.ProducerID()
	}
	for r, err := range batch.Records(0) {
		if err != nil {
			return records, err
		}
		decoded, err := m.Decode(r.Key, r.Value)
		if errors.Is(err, schema.ErrUnknown) {
			continue
		}
		if err != nil {
			return records, fmt.Errorf("record at offset %d: %w", r.Offset, err)
		}
		m.Replay(Position{Offset: r.Offset, ProducerID: producerID}, decoded)
		records++
	}
	return records, nil
}

// reload drops a machine that has moved on by more than the log tells; leave fills a new one. Called with mu held.
func (s *shard[M]) reload(out *outbox) {
	out.add(s.mu.machine.Abandon())
	out.reload = true
	var none M
	s.mu.life, s.mu.machine, s.mu.wake = loading, none, time.Time{}
}

// unload ends the shard. What waits for the high watermark may yet be committed; its clients are sent to look for the
// coordinator, and will see.
func (s *shard[M]) unload() {
	var out outbox
	s.unwatch()
	s.mu.Lock()
	if s.mu.life == active {
		out.add(s.mu.machine.Abandon())
	}
	var none M
	s.mu.life, s.mu.machine, s.mu.wake = gone, none, time.Time{}
	s.leave(&out)
	s.parked.failAll(protocol.NotCoordinator)
}

// tick runs what is due, and reports when there is more to do.
func (s *shard[M]) tick(now time.Time) time.Time {
	var out outbox
	s.mu.Lock()
	s.runTimers(now, &out)
	next := s.mu.wake
	s.leave(&out)
	return earlier(next, s.parked.expire(now))
}
