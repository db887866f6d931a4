package record

import (
	"encoding/binary"
	"fmt"
)

// ControlType is what a control record says.
type ControlType int16

// The control records. Only the first two stand in partitions of topics.
const (
	ControlAbort          ControlType = 0
	ControlCommit         ControlType = 1
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
)

// EndTxn ends a producer's transaction in a partition. Its record: key {version int16, type int16},
// value {version int16, coordinatorEpoch int32}.
type EndTxn struct {
	Commit           bool
	CoordinatorEpoch int32
}

// LeaderChange opens a leader's epoch in a log that elects its leader by Raft. Its record's value: version int16,
// leader int32, compact array of voters, compact array of those who voted for the leader, tags; a voter is its id
// int32 and tags, since version 1 with its directory uuid between the two.
type LeaderChange struct {
	Leader   int32
	Voters   []int32
	Granting []int32
}

const controlVersion = 0 // of keys, markers and leader changes, as they are written

// Batch is the marker as a batch at offset 0, to be appended by the partition's leader.
func (e EndTxn) Batch(timestampMs, producerID int64, producerEpoch int16) Batch {
	kind := ControlAbort
	if e.Commit {
		kind = ControlCommit
	}
	o := NewOptions()
	o.ProducerID, o.ProducerEpoch = producerID, producerEpoch
	o.Transactional, o.Control = true, true
	value := binary.BigEndian.AppendUint16(nil, controlVersion)
	value = binary.BigEndian.AppendUint32(value, uint32(e.CoordinatorEpoch))
	return controlBatch(o, timestampMs, kind, value)
}

// Batch is the leader change as a batch.
func (l LeaderChange) Batch(timestampMs, offset int64, leaderEpoch int32) Batch {
	o := NewOptions()
	o.BaseOffset, o.LeaderEpoch, o.Control = offset, leaderEpoch, true
	value := binary.BigEndian.AppendUint16(nil, controlVersion)
	value = binary.BigEndian.AppendUint32(value, uint32(l.Leader))
	value = appendVoters(value, l.Voters)
	value = appendVoters(value, l.Granting)
	value = append(value, 0) // tags
	return controlBatch(o, timestampMs, ControlLeaderChange, value)
}

func controlBatch(o Options, timestampMs int64, kind ControlType, value []byte) Batch {
	b := NewBuilder(o)
	key := binary.BigEndian.AppendUint16(nil, controlVersion)
	b.Add(timestampMs, binary.BigEndian.AppendUint16(key, uint16(kind)), value)
	return b.Batch()
}

// Control reads a control batch's one record: what it says, and the value that says more. A key of a newer version
// begins as this one does.
func (b Batch) Control() (ControlType, []byte, error) {
	if !b.IsControl() {
		return 0, nil, fmt.Errorf("the batch at offset %d is no control batch", b.BaseOffset())
	}
	for r, err := range b.Records(0) {
		if err != nil {
			return 0, nil, err
		}
		if len(r.Key) < 4 || int16(binary.BigEndian.Uint16(r.Key)) < 0 {
			return 0, nil, fmt.Errorf("%w: key %x of the control record at offset %d", ErrCorrupt, r.Key, r.Offset)
		}
		return ControlType(binary.BigEndian.Uint16(r.Key[2:])), r.Value, nil
	}
	return 0, nil, fmt.Errorf("%w: the control batch at offset %d is empty", ErrCorrupt, b.BaseOffset())
}

// EndTxn reads a transaction marker; ok is false for another control batch.
func (b Batch) EndTxn() (marker EndTxn, ok bool, err error) {
	kind, value, err := b.Control()
	if err != nil || kind != ControlAbort && kind != ControlCommit {
		return EndTxn{}, false, err
	}
	if len(value) < 6 || int16(binary.BigEndian.Uint16(value)) < 0 {
		return EndTxn{}, false, fmt.Errorf("%w: value %x of the marker at offset %d", ErrCorrupt, value, b.BaseOffset())
	}
	return EndTxn{kind == ControlCommit, int32(binary.BigEndian.Uint32(value[2:]))}, true, nil
}

// LeaderChange reads a leader change; ok is false for another control batch.
func (b Batch) LeaderChange() (change LeaderChange, ok bool, err error) {
	kind, value, err := b.Control()
	if err != nil || kind != ControlLeaderChange {
		return LeaderChange{}, false, err
	}
	bad := fmt.Errorf("%w: value %x of the leader change at offset %d", ErrCorrupt, value, b.BaseOffset())
	if len(value) < 6 {
		return LeaderChange{}, false, bad
	}
	voterBytes := 4 + 1
	switch version := binary.BigEndian.Uint16(value); version {
	case 0:
	case 1:
		voterBytes += 16
	default:
		return LeaderChange{}, false, fmt.Errorf("leader change at offset %d is of version %d, newer than 1", b.BaseOffset(), version)
	}
	change.Leader = int32(binary.BigEndian.Uint32(value[2:]))
	rest, ok1 := cutVoters(value[6:], voterBytes, &change.Voters)
	rest, ok2 := cutVoters(rest, voterBytes, &change.Granting)
	if !ok1 || !ok2 || len(rest) == 0 {
		return LeaderChange{}, false, bad
	}
	return change, true, nil
}

func appendVoters(b []byte, voters []int32) []byte {
	b = binary.AppendUvarint(b, uint64(len(voters)+1))
	for _, id := range voters {
		b = binary.BigEndian.AppendUint32(b, uint32(id))
		b = append(b, 0) // tags
	}
	return b
}

// cutVoters reads a compact array of voters of a fixed size, which they have as long as they have no tags.
func cutVoters(b []byte, voterBytes int, voters *[]int32) (rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n == 0 || n-1 > uint64(len(b)-size)/uint64(voterBytes) {
		return b, false
	}
	b = b[size:]
	for range n - 1 {
		if b[voterBytes-1] != 0 {
			return b, false
		}
		*voters = append(*voters, int32(binary.BigEndian.Uint32(b)))
		b = b[voterBytes:]
	}
	return b, true
}
