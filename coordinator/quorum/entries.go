package quorum

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol/record"
)

// entries is raft's LogStore over a log of package logstore. An entry is a record batch of one record: base offset = index,
// leader epoch = term, timestamp = when the leader appended it,
//
//	key: version u8 = 1 · raft's type of entry u8      value: the entry's data      header "extensions": raft's, if any
//
// It is contiguous: raft is told so (IsMonotonic). Raft counts from 1; at offset 0 stands a record that is no entry, with
// raft's type replaced by 255 and, as its value, the id of the cluster.
type entries struct {
	log *logstore.Log
	dir string
	now func() time.Time
	// state must be well for an entry to be stored: see stateFile.failed.
	state *stateFile

	mu struct { // guards the fields below
		sync.Mutex
		// failed: after a write or sync that failed nobody knows what the disk holds, and raft would step down, elect itself
		// and try again. So every StoreLogs is answered with that error until a restart.
		failed error
		// replay are the entries found at the start, for raft to read one by one; nil once it has.
		replay []raft.Log
	}
}

const (
	entryKeyVersion  = 1
	extensionsHeader = "extensions"
	notAnEntry       = 255
)

// metadataTopicID is the topic id that Kafka gives its metadata log.
var metadataTopicID = [16]byte{15: 1}

// logConfig keeps segments small, so that what a snapshot replaces can go.
func logConfig() logstore.LogConfig {
	c := logstore.DefaultLogConfig()
	c.Internal = true
	c.SegmentBytes = 16 << 20
	c.SegmentMs = math.MaxInt64
	c.RetentionMs, c.RetentionBytes = -1, -1
	return c
}

// openEntries opens the log, or makes it, and reads it through: raft panics on an entry that it cannot read.
func openEntries(store *logstore.Store, now func() time.Time) (*entries, error) {
	tp := logstore.TopicPartition{Topic: cluster.MetadataTopic}
	l, err := store.Create(tp, metadataTopicID, logConfig())
	if err != nil {
		return nil, err
	}
	e := &entries{log: l, dir: store.Dir() + "/" + cluster.MetadataTopic + "-0", now: now}
	if err := l.Err(); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", e.dir, err)
	}
	if l.End() == 0 {
		first, err := encodeLog(&raft.Log{Type: notAnEntry, Data: []byte(store.ClusterID()), AppendedAt: now()})
		if err != nil {
			return nil, err
		}
		// It is synced with the first entry.
		if _, err := l.Append(first, logstore.AppendOptions{Origin: logstore.Replication}); err != nil {
			return nil, err
		}
	}
	return e, e.read()
}

// read reads all entries into mu.replay.
func (e *entries) read() error {
	next := e.first()
	for batch, err := range e.log.Batches(next, e.log.End()) {
		if err != nil {
			return fmt.Errorf("%s is damaged at offset %d: %w", e.dir, next, err)
		}
		var l raft.Log
		if err := decodeLog(batch, &l); err != nil {
			return fmt.Errorf("%s is damaged at offset %d: %w", e.dir, next, err)
		}
		if l.Index != uint64(next) {
			return fmt.Errorf("%s is damaged: after offset %d comes %d", e.dir, next-1, l.Index)
		}
		e.mu.replay = append(e.mu.replay, l)
		next++
	}
	if next != e.log.End() {
		return fmt.Errorf("%s is damaged: it ends at offset %d, not at %d", e.dir, next, e.log.End())
	}
	return nil
}

// startsAfter checks that no entry is missing between the snapshot and the log.
func (e *entries) startsAfter(s *snapshots) error {
	first, snapshot := e.first(), int64(s.index())
	if first > snapshot+1 {
		return fmt.Errorf("%s begins at offset %d, but the newest snapshot ends at offset %d: what is between is missing",
			e.dir, first, snapshot)
	}
	return nil
}

// rehearse applies the snapshot and the entries to see whether that can be done, before raft does it and writes entries of
// its own: a log that this build cannot serve is left as it was. What came of it is kept, so that it is done once.
func (e *entries) rehearse(s *snapshots) (*rehearsal, error) {
	r := &rehearsal{snapshot: cluster.Empty(), steps: map[uint64]step{}}
	if metas, _ := s.List(); len(metas) > 0 {
		_, body, err := s.Open(metas[0].ID)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		if r.snapshot, r.snapshotBytes, err = readImage(body); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", e.dir, metas[0].ID, err)
		}
	}
	image := r.snapshot
	for n := range e.mu.replay {
		l := &e.mu.replay[n]
		if l.Type != raft.LogCommand || l.Index <= s.index() {
			continue
		}
		after, delta, err := applyEntry(image, l)
		if errors.Is(err, errStale) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the entry at offset %d: %w", e.dir, l.Index, err)
		}
		r.steps[l.Index] = step{l.Term, image, after, delta}
		image = after
	}
	if err := image.CheckFeatures(); err != nil {
		return nil, fmt.Errorf("%s: %w", e.dir, err)
	}
	return r, nil
}

// replayed lets go of the entries kept for the start.
func (e *entries) replayed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mu.replay = nil
}

func (e *entries) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mu.failed
}

// fail notes the first failure and returns it.
func (e *entries) fail(err error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil && e.mu.failed == nil {
		e.mu.failed = fmt.Errorf("%s: %w", e.dir, err)
	}
	return e.mu.failed
}

// IsMonotonic tells raft that entries must be contiguous.
func (e *entries) IsMonotonic() bool { return true }

// first is the offset of the first entry, if there is one.
func (e *entries) first() int64 { return max(1, e.log.LogStart()) }

// FirstIndex is the first entry's index, 0 for no entries.
func (e *entries) FirstIndex() (uint64, error) {
	if first := e.first(); first < e.log.End() {
		return uint64(first), nil
	}
	return 0, nil
}

// LastIndex is the last entry's index, 0 for no entries.
func (e *entries) LastIndex() (uint64, error) {
	if end := e.log.End(); e.first() < end {
		return uint64(end - 1), nil
	}
	return 0, nil
}

// GetLog reads an entry.
func (e *entries) GetLog(index uint64, l *raft.Log) error {
	if index < uint64(e.first()) || index >= uint64(e.log.End()) {
		return raft.ErrLogNotFound
	}
	if e.replayOf(index, l) {
		return nil
	}
	for batch, err := range e.log.Batches(int64(index), int64(index)+1) {
		if err != nil {
			return err
		}
		return decodeLog(batch, l)
	}
	return raft.ErrLogNotFound
}

func (e *entries) replayOf(index uint64, l *raft.Log) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	replay := e.mu.replay
	if len(replay) == 0 || index < replay[0].Index || index > replay[len(replay)-1].Index {
		return false
	}
	*l = replay[index-replay[0].Index]
	return true
}

// StoreLog stores an entry.
func (e *entries) StoreLog(l *raft.Log) error { return e.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores entries and returns when they are on disk. Where the disk is full, none of them is stored, and it may be
// tried again; after any other failure nothing is stored any more.
func (e *entries) StoreLogs(logs []*raft.Log) error {
	if err := errors.Join(e.failure(), e.state.failure()); err != nil {
		return err
	}
	end := e.log.End()
	for _, l := range logs {
		if int64(l.Index) != e.log.End() {
			return e.fail(fmt.Errorf("entry %d was to follow entry %d", l.Index, e.log.End()-1))
		}
		batch, err := encodeLog(l)
		if err != nil {
			return e.fail(err)
		}
		if _, err := e.log.Append(batch, logstore.AppendOptions{Origin: logstore.Replication}); err != nil {
			if e.log.Err() != nil {
				return e.fail(err)
			}
			return errors.Join(err, e.fail(e.log.TruncateTo(end)))
		}
	}
	return e.fail(e.log.Flush())
}

// DeleteRange removes entries, first and last included: a prefix that a snapshot replaces, or a suffix that another
// leader's entries do.
func (e *entries) DeleteRange(first, last uint64) error {
	if err := e.failure(); err != nil {
		return err
	}
	start, end := uint64(e.first()), uint64(e.log.End())
	e.dropReplay()
	switch {
	case first <= start && last+1 >= end:
		return e.fail(e.log.TruncateFullyAndStartAt(int64(last) + 1))
	case first <= start:
		e.log.SetHighWatermark(int64(last) + 1)
		if err := e.log.AdvanceLogStart(int64(last) + 1); err != nil {
			if e.log.Err() == nil {
				return err // the disk is full: the entries stay until the next snapshot
			}
			return e.fail(err)
		}
		return e.fail(e.log.ApplyRetention(e.now().UnixMilli()))
	case last+1 >= end:
		return e.fail(e.log.TruncateTo(int64(first)))
	}
	return fmt.Errorf("%s: entries %d to %d are neither the first ones nor the last", e.dir, first, last)
}

// dropReplay forgets what was read at the start, which is about to change.
func (e *entries) dropReplay() { e.replayed() }

func encodeLog(l *raft.Log) (record.Batch, error) {
	if l.Index > math.MaxInt64 || l.Term > math.MaxInt32 {
		return nil, fmt.Errorf("entry %d of term %d is past what a log can number", l.Index, l.Term)
	}
	o := record.NewOptions()
	o.BaseOffset, o.LeaderEpoch = int64(l.Index), int32(l.Term)
	b := record.NewBuilder(o)
	var headers []record.Header
	if len(l.Extensions) > 0 {
		headers = []record.Header{{Key: extensionsHeader, Value: l.Extensions}}
	}
	b.Add(l.AppendedAt.UnixMilli(), []byte{entryKeyVersion, byte(l.Type)}, l.Data, headers...)
	return b.Batch(), nil
}

func decodeLog(batch record.Batch, l *raft.Log) error {
	if batch.Count() != 1 {
		return fmt.Errorf("a batch of %d records where an entry is one", batch.Count())
	}
	for r, err := range batch.Records(len(batch)) {
		if err != nil {
			return err
		}
		if len(r.Key) != 2 || r.Key[0] != entryKeyVersion {
			return fmt.Errorf("an entry of a format that this build does not know (key %x)", r.Key)
		}
		headers, err := r.Headers()
		if err != nil {
			return err
		}
		*l = raft.Log{Index: uint64(r.Offset), Term: uint64(batch.LeaderEpoch()), Type: raft.LogType(r.Key[1]),
			Data: append([]byte(nil), r.Value...), AppendedAt: time.UnixMilli(r.Timestamp)}
		for _, h := range headers {
			if h.Key == extensionsHeader {
				l.Extensions = append([]byte(nil), h.Value...)
			}
		}
		return nil
	}
	return fmt.Errorf("a batch without records")
}
