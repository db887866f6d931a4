package cluster

import (
	"iter"
	"maps"
	"slices"
)

// TopicID is the id of one incarnation of a topic: a topic that is deleted and created again gets another one.
type TopicID = [16]byte

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// Image is the cluster's metadata after some entry of the metadata log. It is immutable: a change makes a new Image that
// shares what did not change. The zero value, and nil, are not usable; Empty is the Image before the first entry.
type Image struct {
	topics  tree[*Topic]  // by name
	ids     tree[*Topic]  // by id
	unified tree[string]  // names that have '.' or '_', by unifiedKey
	configs tree[Configs] // by Resource.key
	quotas  tree[*Quota]  // by Entity.key
	scrams  tree[*Scram]  // by scramKey
	acls    tree[*ACL]    // by id
	brokers map[int32]*Broker

	features       map[string]int16
	nextProducerID int64
	partitions     int
	offset         int64
	epoch          int32
}

// Empty is the Image before the first entry of the metadata log.
func Empty() *Image {
	return &Image{offset: -1}
}

// Topic is a topic and its partitions, by index.
type Topic struct {
	Name       string
	ID         TopicID
	Partitions []*Partition
}

// Partition is what the cluster has agreed on about one partition. Its slices are never nil.
type Partition struct {
	// Leader is a node id or NoLeader. LeaderEpoch rises with each new leader and each new start of one.
	Leader      int32
	LeaderEpoch int32
	// PartitionEpoch rises with every change of the partition: an ISR change names the one that it stands on.
	PartitionEpoch int32
	// Recovering is set between an unclean election and the leader's word that it has recovered (KIP-704).
	Recovering bool
	// Replicas are the node ids that hold the partition, the preferred leader first.
	Replicas []int32
	ISR      []int32
	// Adding and Removing are the replicas that a reassignment in progress brings and takes (KIP-455).
	Adding, Removing []int32
	// ELR and LastKnownELR are the eligible leader replicas (KIP-966), empty until that feature is served.
	ELR, LastKnownELR []int32
	// Directories are the log directories of Replicas, in their order; zero where not assigned.
	Directories [][16]byte
}

// Broker is a registered node.
type Broker struct {
	ID int32
	// Epoch is the offset of the registration's entry in the metadata log: a later start has a higher one (KIP-903).
	Epoch       int64
	Incarnation [16]byte
	Endpoints   []Endpoint
	Features    map[string]VersionRange
	Rack        *string
	// Fenced brokers are registered but not alive: they lead nothing and clients do not hear of them.
	Fenced               bool
	InControlledShutdown bool
	LogDirs              [][16]byte
}

// Endpoint is where a broker listens.
type Endpoint struct {
	Name             string
	Host             string
	Port             uint16
	SecurityProtocol int16
}

// VersionRange are the levels of a feature that a broker supports, both ends included.
type VersionRange struct{ Min, Max int16 }

// ResourceType is the kind of thing that has configs. Source: org.apache.kafka.common.config.ConfigResource.Type.
type ResourceType int8

// The resource types, with Kafka's codes.
const (
	TopicResource         ResourceType = 2
	BrokerResource        ResourceType = 4
	BrokerLoggerResource  ResourceType = 8
	ClientMetricsResource ResourceType = 16
	GroupResource         ResourceType = 32
)

// Resource names a thing that has configs. The broker resource with an empty name is every broker's default.
type Resource struct {
	Type ResourceType
	Name string
}

// Configs are the configs set on one resource. Never written to.
type Configs map[string]string

// Offset is the offset of the last entry of the metadata log that is in the Image, -1 for none.
func (i *Image) Offset() int64 { return i.offset }

// Epoch is the leader epoch (raft's term) of that entry.
func (i *Image) Epoch() int32 { return i.epoch }

// Topic is the topic of that name, nil if there is none.
func (i *Image) Topic(name string) *Topic {
	t, _ := i.topics.get(name)
	return t
}

// TopicByID is the topic with that id, nil if there is none.
func (i *Image) TopicByID(id TopicID) *Topic {
	t, _ := i.ids.get(string(id[:]))
	return t
}

// Topics walks all topics in the order of their names.
func (i *Image) Topics() iter.Seq[*Topic] { return i.TopicsFrom("") }

// TopicsFrom walks the topics whose names are not less than name, in order.
func (i *Image) TopicsFrom(name string) iter.Seq[*Topic] { return i.topics.from(name) }

// TopicCount is the number of topics.
func (i *Image) TopicCount() int { return i.topics.len() }

// PartitionCount is the number of partitions of all topics.
func (i *Image) PartitionCount() int { return i.partitions }

// Partition is a partition by topic name and index, nil if there is none.
func (i *Image) Partition(topic string, index int32) *Partition {
	return i.Topic(topic).Partition(index)
}

// Partition is a topic's partition by index, nil if there is none or t is nil.
func (t *Topic) Partition(index int32) *Partition {
	if t == nil || index < 0 || int(index) >= len(t.Partitions) {
		return nil
	}
	return t.Partitions[index]
}

// Broker is a registered broker, fenced or not; nil if there is none.
func (i *Image) Broker(id int32) *Broker { return i.brokers[id] }

// Brokers are the registered brokers, fenced ones too, by id.
func (i *Image) Brokers() []*Broker {
	return slices.SortedFunc(maps.Values(i.brokers), func(a, b *Broker) int { return int(a.ID) - int(b.ID) })
}

// Alive reports whether a broker is registered and not fenced.
func (i *Image) Alive(id int32) bool {
	b := i.brokers[id]
	return b != nil && !b.Fenced
}

// Configs are the configs set on a resource, empty for none. The caller must not write to it.
func (i *Image) Configs(t ResourceType, name string) Configs {
	c, _ := i.configs.get(Resource{t, name}.key())
	return c
}

// ConfigResources walks the resources of one type that have configs set, in the order of their names.
func (i *Image) ConfigResources(t ResourceType) iter.Seq2[string, Configs] {
	return func(yield func(string, Configs) bool) {
		prefix := Resource{Type: t}.key()
		for key, c := range i.configs.prefixed(prefix) {
			if !yield(key[len(prefix):], c) {
				return
			}
		}
	}
}

func (r Resource) key() string { return string([]byte{byte(r.Type)}) + r.Name }

func resourceOf(key string) Resource { return Resource{ResourceType(key[0]), key[1:]} }

// Features are the finalized features and their levels. The caller must not write to it.
func (i *Image) Features() map[string]int16 { return i.features }

// NextProducerID is the first producer id that no block handed out holds.
func (i *Image) NextProducerID() int64 { return i.nextProducerID }
