package cluster

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
