package cluster

import (
	"maps"
	"reflect"
	"slices"
)

// Delta is what one step of the metadata log changed. A subscriber acts on it instead of comparing images; its parts are
// independent of each other but for the order given here, which is the order to act in: what is deleted before what is
// created, since a topic may be deleted and created again under its name.
type Delta struct {
	Before, After *Image

	// Deleted are topics that are gone, as they were.
	Deleted []*Topic
	// Created are topics that are new, as they are. A topic created and deleted within one step is in neither.
	Created []*Topic
	// Changed are the partitions of topics that were there before and still are.
	Changed []PartitionChange
	// Configs are the resources whose configs changed. A created topic's are not listed, a deleted topic's neither.
	Configs []Resource
	// Brokers are the ids of brokers that registered, changed or are gone.
	Brokers []int32
	// Features is set when a finalized feature changed; Quotas, Scrams and ACLs likewise.
	Features, Quotas, Scrams, ACLs bool
}

// PartitionChange is a partition of a topic that was there before.
type PartitionChange struct {
	Topic *Topic
	Index int32
	// Before is nil for a partition that was added.
	Before, After *Partition
}

// Difference is what changed between two images that are not an entry apart: from nothing at a start, or from what was
// here to a snapshot of another node.
func Difference(before, after *Image) *Delta {
	d := &Delta{Before: before, After: after}
	for t := range before.Topics() {
		if !sameTopic(t, after.Topic(t.Name)) {
			d.Deleted = append(d.Deleted, t)
		}
	}
	for t := range after.Topics() {
		old := before.Topic(t.Name)
		if !sameTopic(old, t) {
			d.Created = append(d.Created, t)
			continue
		}
		for index, p := range t.Partitions {
			if was := old.Partition(int32(index)); was == nil || !was.equal(p) {
				d.Changed = append(d.Changed, PartitionChange{Topic: t, Index: int32(index), Before: was, After: p})
			}
		}
	}
	d.Configs = differentConfigs(before, after)
	for _, b := range after.Brokers() {
		if !reflect.DeepEqual(before.Broker(b.ID), b) {
			d.Brokers = append(d.Brokers, b.ID)
		}
	}
	for _, b := range before.Brokers() {
		if after.Broker(b.ID) == nil {
			d.Brokers = append(d.Brokers, b.ID)
		}
	}
	slices.Sort(d.Brokers)
	d.Features = !maps.Equal(before.features, after.features)
	// Whether these differ is not worth finding out: who hears of it reads them all anyway.
	d.Quotas = before.quotas.len()+after.quotas.len() > 0
	d.Scrams = before.scrams.len()+after.scrams.len() > 0
	d.ACLs = before.acls.len()+after.acls.len() > 0
	return d
}

func differentConfigs(before, after *Image) []Resource {
	var resources []Resource
	told := func(r Resource) bool {
		return r.Type == TopicResource && !sameTopic(before.Topic(r.Name), after.Topic(r.Name))
	}
	for key, c := range after.configs.prefixed("") {
		r := resourceOf(key)
		if !told(r) && !maps.Equal(before.Configs(r.Type, r.Name), c) {
			resources = append(resources, r)
		}
	}
	for key := range before.configs.prefixed("") {
		r := resourceOf(key)
		if _, still := after.configs.get(key); !still && !told(r) {
			resources = append(resources, r)
		}
	}
	return resources
}

func (p *Partition) equal(o *Partition) bool {
	return p == o || reflect.DeepEqual(p, o)
}
