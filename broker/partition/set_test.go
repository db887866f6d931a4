package partition

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ottla/ottla/coordinator/cluster"
	metadata "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
)

func TestSetFollowsTheMetadata(t *testing.T) {
	w := newWorld(t)
	w.register(self, 2)
	id := w.create("t", []int32{self}, []int32{2}, []int32{self})
	if fmt.Sprint(w.led) != "[t-0@0 t-2@0]" {
		t.Errorf("led %v", w.led)
	}
	for _, c := range []struct {
		topic string
		index int32
		want  error
	}{
		{"t", 0, nil}, {"t", 1, protocol.NotLeaderForPartition}, {"t", 2, nil}, {"t", 3, protocol.UnknownTopicOrPartition},
		{"t", -1, protocol.UnknownTopicOrPartition}, {"u", 0, protocol.UnknownTopicOrPartition},
	} {
		if _, err := w.Find(c.topic, c.index); err != c.want {
			t.Errorf("%s-%d: %v, want %v", c.topic, c.index, err, c.want)
		}
	}
	if p, err := w.FindByID(id, 2); err != nil || p != w.find("t", 2) {
		t.Errorf("by id: %v", err)
	}
	if _, err := w.FindByID(cluster.TopicID{1}, 0); err != protocol.UnknownTopicID {
		t.Errorf("unknown id: %v", err)
	}
	old := w.find("t", 0)
	w.produce(old, "a")
	w.change(func(i *cluster.Image) ([]cluster.Record, error) { // one entry deletes the topic and creates it again
		records, _ := i.DeleteTopics([]cluster.TopicID{id})
		gone, _, err := i.Apply(i.Offset()+1, 0, records)
		if err != nil {
			return nil, err
		}
		again, _ := gone.CreateTopics([]cluster.NewTopic{{Name: "t", Partitions: 1, ReplicationFactor: 1}}, cluster.Creation{Rand: w.rand})
		return append(records, again...), nil
	})
	if _, err := old.Produce(batch("b"), true); err != protocol.UnknownTopicOrPartition {
		t.Errorf("the old incarnation takes batches: %v", err)
	}
	if _, err := w.FindByID(id, 0); err != protocol.UnknownTopicID {
		t.Errorf("the old id: %v", err)
	}
	if p, err := w.Find("t", 0); err == nil && p.End() != 0 {
		t.Errorf("the new incarnation has %d records", p.End())
	}
	if _, err := w.Find("t", 2); err != protocol.UnknownTopicOrPartition {
		t.Errorf("a partition that is no more: %v", err)
	}
	w.create("more", []int32{self})
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		records, errs := i.CreatePartitions([]cluster.MorePartitions{{Topic: "more", Count: 3,
			Assignments: [][]int32{{self}, {2}}}}, w.rand)
		return records, errs[0]
	})
	w.produce(w.find("more", 1), "x")
	if _, err := w.Find("more", 2); err != protocol.NotLeaderForPartition {
		t.Errorf("the added partition of another broker: %v", err)
	}
	var names []string
	for p := range w.All() {
		names = append(names, fmt.Sprintf("%s-%d", p.Topic().Name, p.Index()))
	}
	if !slices.Contains(names, "more-1") || !slices.IsSorted(names) {
		t.Errorf("all: %v", names)
	}
	if len(w.failed)+len(w.strays) > 0 {
		t.Errorf("failed %v, strays %v", w.failed, w.strays)
	}
}

// TestSetStartsAgain: a start over the same disk finds what was there, whatever came between the metadata and the disk.
func TestSetStartsAgain(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("kept", []int32{self})
	deleted := w.create("deleted", []int32{self})
	w.produce(w.find("kept", 0), "a", "b")
	w.produce(w.find("deleted", 0), "c")
	if _, err := w.store.Create(logstore.TopicPartition{Topic: cluster.MetadataTopic}, cluster.TopicID{1}, logstore.DefaultLogConfig()); err != nil {
		t.Fatal(err) // the quorum's own log lies in the same directory, and is no stray
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	before := w.image
	w.image, _, _ = before.Apply(before.Offset()+1, 0, func() []cluster.Record { r, _ := before.DeleteTopics([]cluster.TopicID{deleted}); return r }())
	w = openWorld(t, w.mem, w.image)
	if p := w.find("kept", 0); p.End() != 2 || p.Committed() != 2 || !p.Leads() {
		t.Errorf("kept: end %d, committed %d", p.End(), p.Committed())
	}
	if fmt.Sprint(w.strays) != "[deleted-0]" || len(w.failed) != 0 {
		t.Errorf("strays %v, failed %v", w.strays, w.failed)
	}
	w.create("deleted", []int32{self}) // the name is free for another topic
	if p := w.find("deleted", 0); p.End() != 0 {
		t.Errorf("the new topic has %d records", p.End())
	}
}

// TestSetWithoutADisk: a partition that cannot be opened answers for itself alone.
func TestSetWithoutADisk(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.fs.Add("any of data/bad-0 -> EIO", "any of data/bad-0/* -> EIO")
	w.create("bad", []int32{self}, []int32{self})
	if _, err := w.Find("bad", 0); err != protocol.KafkaStorageError {
		t.Errorf("%v", err)
	}
	w.produce(w.find("bad", 1), "a")
	if fmt.Sprint(w.failed) != "[bad-0]" {
		t.Errorf("failed %v", w.failed)
	}
}

func TestConfigsHoldAtOnce(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	w.create("t", []int32{self})
	p := w.find("t", 0)
	w.configTopic("t", "max.message.bytes", "1234")
	if p.MaxBatchBytes() != 1234 {
		t.Errorf("max.message.bytes %d", p.MaxBatchBytes())
	}
	w.set("message.max.bytes", "999", "log.cleanup.policy", "compact")
	w.Reconfigure(w.image)
	if p.MaxBatchBytes() != 1234 || !p.Topic().Config().Compact {
		t.Errorf("%+v", p.Topic().Config())
	}
	w.configTopic("t", "segment.bytes", "1048576")
	if _, err := p.Produce(batch(string(make([]byte, 1048576))), true); protocol.CodeOf(err) != protocol.RecordListTooLarge {
		t.Errorf("%v", err)
	}
}

// TestReplicaMoves: a partition that is reassigned away from this broker is no longer here, and one that comes is.
func TestReplicaMoves(t *testing.T) {
	w := newWorld(t)
	w.register(self, 2)
	id := w.create("t", []int32{self}, []int32{2})
	old := w.find("t", 0)
	w.produce(old, "a")
	move := func(index int32, to ...int32) {
		w.change(func(*cluster.Image) ([]cluster.Record, error) {
			r := metadata.NewPartitionChangeRecord()
			r.TopicID, r.PartitionID, r.Replicas, r.ISR, r.Leader = id, index, to, to, to[0]
			return []cluster.Record{&r}, nil
		})
	}
	move(0, 2)
	if _, err := w.Find("t", 0); err != protocol.NotLeaderForPartition {
		t.Errorf("%v", err)
	}
	if _, err := old.Produce(batch("b"), true); err == nil {
		t.Error("the old replica takes batches")
	}
	move(1, self)
	w.produce(w.find("t", 1), "c")
	if len(w.store.All()) != 1 || len(w.failed)+len(w.strays) > 0 {
		t.Errorf("%d logs, failed %v, strays %v", len(w.store.All()), w.failed, w.strays)
	}
}

// TestDirectoriesThatWillNotGo: what cannot be moved away is told of, and the rest goes on.
func TestDirectoriesThatWillNotGo(t *testing.T) {
	w := newWorld(t)
	w.register(self)
	id := w.create("t", []int32{self})
	w.fs.Add("rename of *-delete -> EACCES")
	w.delete(id)
	if fmt.Sprint(w.failed) != "[t-0]" {
		t.Errorf("failed %v", w.failed)
	}
	if _, err := w.Find("t", 0); err != protocol.UnknownTopicOrPartition {
		t.Errorf("%v", err)
	}
	w.fs.Clear()
	w.create("other", []int32{self})
	w.produce(w.find("other", 0), "a")
	before := w.image
	mem := w.mem.KillClone()
	w = openWorld(t, mem, before) // the next start finds it, and puts it aside
	if fmt.Sprint(w.strays) != "[t-0]" {
		t.Errorf("strays %v", w.strays)
	}
}
