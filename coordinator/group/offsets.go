package group

import (
	"github.com/ottla/ottla/coordinator"
	"github.com/ottla/ottla/coordinator/record"
)

// committed is one committed offset.
type committed struct {
	offset      int64
	leaderEpoch int32 // -1: unknown
	metadata    string
	commitMs    int64
	expireMs    int64    // -1: as the group's retention says
	topicID     [16]byte // zero: the commit did not know
	// recordOffset is where the commit stands in the log: of two, a transaction's end keeps the later.
	recordOffset int64
}

// spot is a partition whose offset is committed.
type spot struct {
	group, topic string
	partition    int32
}

// commits are offsets by group, topic and partition.
type commits map[string]map[string]map[int32]committed

func (c commits) get(at spot) (committed, bool) {
	o, ok := c[at.group][at.topic][at.partition]
	return o, ok
}

func (c commits) put(at spot, o committed) {
	topics := c[at.group]
	if topics == nil {
		topics = make(map[string]map[int32]committed)
		c[at.group] = topics
	}
	partitions := topics[at.topic]
	if partitions == nil {
		partitions = make(map[int32]committed)
		topics[at.topic] = partitions
	}
	partitions[at.partition] = o
}

func (c commits) remove(at spot) {
	topics := c[at.group]
	partitions := topics[at.topic]
	if _, ok := partitions[at.partition]; !ok {
		return
	}
	delete(partitions, at.partition)
	if len(partitions) == 0 {
		delete(topics, at.topic)
	}
	if len(topics) == 0 {
		delete(c, at.group)
	}
}

// each calls f for every offset.
func (c commits) each(f func(at spot, o committed)) {
	for group, topics := range c {
		eachOf(group, topics, f)
	}
}

func eachOf(group string, topics map[string]map[int32]committed, f func(at spot, o committed)) {
	for topic, partitions := range topics {
		for partition, o := range partitions {
			f(spot{group, topic, partition}, o)
		}
	}
}

// offsets are the offsets of all groups of the partition. They are durable: only Replay changes them.
type offsets struct {
	stable commits
	// open are the offsets of transactions that have not ended, by producer id. See O3.
	open map[int64]commits
	// openIn counts the open transactions of a group that have an offset at a spot.
	openIn map[string]map[spot]int
}

func (o *offsets) init() {
	o.stable = make(commits)
	o.open = make(map[int64]commits)
	o.openIn = make(map[string]map[spot]int)
}

// unstable reports whether an open transaction may still change the offset.
func (o *offsets) unstable(at spot) bool { return o.openIn[at.group][at] > 0 }

func (o *offsets) openAt(at spot, producerID int64, c committed) {
	pending := o.open[producerID]
	if pending == nil {
		pending = make(commits)
		o.open[producerID] = pending
	}
	if _, again := pending.get(at); !again {
		if o.openIn[at.group] == nil {
			o.openIn[at.group] = make(map[spot]int)
		}
		o.openIn[at.group][at]++
	}
	pending.put(at, c)
}

// closeAt takes an offset out of a producer's open transaction.
func (o *offsets) closeAt(at spot, producerID int64) {
	pending := o.open[producerID]
	if _, ok := pending.get(at); !ok {
		return
	}
	pending.remove(at)
	if len(pending) == 0 {
		delete(o.open, producerID)
	}
	spots := o.openIn[at.group]
	if spots[at]--; spots[at] == 0 {
		delete(spots, at)
	}
	if len(spots) == 0 {
		delete(o.openIn, at.group)
	}
}

// replayOffset applies a commit, or with a nil value the end of one.
func (m *Machine) replayOffset(at coordinator.Position, where spot, v *record.OffsetCommitValue) {
	if v == nil {
		m.offsets.stable.remove(where)
		if m.offsets.unstable(where) {
			for producerID := range m.offsets.open {
				m.offsets.closeAt(where, producerID)
			}
		}
		return
	}
	if m.groups[where.group] == nil {
		// Somebody commits without being in a group: a "simple" group, which has no record of its own.
		m.groups[where.group] = newGroup(where.group, v.CommitTimestamp)
	}
	c := committed{
		offset:       v.Offset,
		leaderEpoch:  v.LeaderEpoch,
		metadata:     v.Metadata,
		commitMs:     v.CommitTimestamp,
		expireMs:     v.ExpireTimestamp,
		topicID:      v.TopicID,
		recordOffset: at.Offset,
	}
	if at.ProducerID >= 0 {
		m.offsets.openAt(where, at.ProducerID, c)
		return
	}
	m.offsets.stable.put(where, c)
}

// ReplayMarker ends a producer's transaction: its offsets become the group's, or are forgotten. A commit outside of the
// transaction that came later stands. Source: OffsetMetadataManager.replayEndTransactionMarker.
func (m *Machine) ReplayMarker(producerID int64, commit bool) {
	type end struct {
		at spot
		o  committed
	}
	var ends []end
	m.offsets.open[producerID].each(func(at spot, o committed) { ends = append(ends, end{at, o}) })
	for _, e := range ends {
		m.offsets.closeAt(e.at, producerID)
		if now, ok := m.offsets.stable.get(e.at); commit && (!ok || now.recordOffset < e.o.recordOffset) {
			m.offsets.stable.put(e.at, e.o)
		}
	}
}
