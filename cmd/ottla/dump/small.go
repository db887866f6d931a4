package dump

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ottla/ottla/logstore"
)

func (d *dumper) txnIndex(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	txns, err := logstore.ParseTxnIndex(b)
	for _, t := range txns {
		d.line(1, "aborted", field{"producerId", t.ProducerID}, field{"firstOffset", t.FirstOffset},
			field{"lastOffset", t.LastOffset}, field{"lastStableOffset", t.LastStableOffset})
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the last entry is cut off")
	}
	if err != nil {
		err = fmt.Errorf("entry %d: %w", len(txns), err)
	}
	return err
}

func (d *dumper) producerSnapshot(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	producers, err := logstore.ParseProducerSnapshot(b)
	// A file has them in no order.
	slices.SortFunc(producers, func(a, b logstore.SnapshotProducer) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	for _, p := range producers {
		fields := []field{{"producerId", p.ProducerID}, {"producerEpoch", p.Epoch}, {"lastSequence", p.LastSequence},
			{"lastOffset", p.LastOffset}, {"offsetDelta", p.OffsetDelta}, {"lastTimestamp", millis(p.LastTimestamp)},
			{"coordinatorEpoch", p.CoordinatorEpoch}}
		if p.TxnFirstOffset >= 0 || d.json {
			fields = append(fields, field{"currentTxnFirstOffset", p.TxnFirstOffset})
		}
		if len(p.Earlier) > 0 {
			fields = append(fields, field{"earlierLastOffsets", p.Earlier})
		}
		d.line(1, "producer", fields...)
	}
	return err
}

func (d *dumper) leaderEpochs(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	epochs, err := logstore.ParseLeaderEpochs(b)
	for _, e := range epochs {
		d.line(1, "epoch", field{"leaderEpoch", e.Epoch}, field{"startOffset", e.StartOffset})
	}
	return err
}

func (d *dumper) offsetCheckpoint(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	offsets, err := logstore.ParseOffsetCheckpoint(b)
	for _, tp := range slices.SortedFunc(maps.Keys(offsets), func(a, b logstore.TopicPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	}) {
		d.line(1, "offset", field{"topic", tp.Topic}, field{"partition", tp.Partition}, field{"offset", offsets[tp]})
	}
	return err
}

func (d *dumper) partitionMetadata(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	id, err := logstore.ParsePartitionMetadata(b)
	if err == nil {
		d.line(1, "topic", field{"topicId", id})
	}
	return err
}

func (d *dumper) syncFailed(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil || len(b) == 0 {
		return err
	}
	synced, err := logstore.ParseSyncFailed(b)
	if err == nil {
		d.line(1, "synced", field{"offset", synced})
	}
	return err
}

func (d *dumper) metaProperties(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	m, err := logstore.ParseMetaProperties(b)
	if err == nil {
		d.line(1, "directory", field{"clusterId", m.ClusterID}, field{"nodeId", m.NodeID}, field{"directoryId", m.DirectoryID})
	}
	return err
}

func (d *dumper) retentionClock(name string, _ int64) error {
	b, err := d.read(name)
	if err != nil {
		return err
	}
	known, err := logstore.ParseRetentionClock(b)
	if err == nil {
		d.line(1, "content", field{"known", known.UTC().Format(time.RFC3339Nano)})
	}
	return err
}

func (d *dumper) cleanShutdown(name string, _ int64) error {
	b, err := d.read(name)
	if err == nil {
		d.line(1, "content", field{"text", string(b)})
	}
	return err
}
