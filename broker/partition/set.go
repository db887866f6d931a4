package partition

import (
	"iter"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
)

// Options are what a Set stands on.
type Options struct {
	Store  *logstore.Store
	NodeID int32
	// Config is the broker's configuration as it is now: topics inherit from it.
	Config func() *config.Broker
	Events Events
}

// Events are told what happens to partitions. Every field may be nil.
type Events struct {
	// Led: this broker began to lead a partition.
	Led func(p *Partition, epoch int32)
	// Failed: a partition could not be opened, or its directory not be moved away. It answers KAFKA_STORAGE_ERROR.
	Failed func(tp logstore.TopicPartition, err error)
	// Stray: a log that the metadata does not know was put aside, not deleted.
	Stray func(tp logstore.TopicPartition)
}

// Set is the partitions that this broker holds. It follows the metadata log: Apply is the only way that it changes.
type Set struct {
	options Options
}

// NewSet is an empty Set over the logs of a store.
func NewSet(o Options) *Set { return &Set{options: o} }

// Apply follows one change of the metadata: subscribe it to the quorum. When it returns, what was created can be written,
// what was deleted answers nobody, and configs hold. The first call carries everything that there is; logs that it does
// not name are put aside.
func (s *Set) Apply(image *cluster.Image, d *cluster.Delta) { panic("soon") }

// Reconfigure makes the topics inherit the broker's configuration anew, after that changed.
func (s *Set) Reconfigure() { panic("soon") }

// Find is a partition by name. Errors: UnknownTopicOrPartition; NotLeaderForPartition where other brokers hold it.
func (s *Set) Find(topic string, index int32) (*Partition, error) { panic("soon") }

// FindByID is a partition by topic id. Errors: UnknownTopicID; UnknownTopicOrPartition where the topic has no such
// partition; NotLeaderForPartition where other brokers hold it.
func (s *Set) FindByID(id cluster.TopicID, index int32) (*Partition, error) { panic("soon") }

// Topic is a topic that this broker holds partitions of, nil if there is none.
func (s *Set) Topic(name string) *Topic { panic("soon") }

// All walks the partitions that this broker holds, by topic name and number.
func (s *Set) All() iter.Seq[*Partition] { panic("soon") }
