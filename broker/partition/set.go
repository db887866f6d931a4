package partition

import (
	"cmp"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/protocol"
)

// Options are what a Set stands on.
type Options struct {
	Dirs   *logstore.Dirs
	NodeID int32
	// Config is the broker's configuration as it is now: topics inherit from it.
	Config func() *config.Broker
	Now    func() time.Time // time.Now where nil
	Events Events
	// Placed is told in which data directory a partition is, where the metadata does not say so. Nil for nobody.
	Placed func(cluster.Placement)
}

// Events are told what happens to partitions. Every field may be nil.
type Events struct {
	// Led: this broker began to lead a partition in an epoch.
	Led func(p *Partition, epoch int32)
	// Failed: a partition could not be opened, or its directory not be moved away. It answers KAFKA_STORAGE_ERROR.
	Failed func(tp logstore.TopicPartition, err error)
	// Stray: a log that the metadata does not know was put aside, not deleted.
	Stray func(tp logstore.TopicPartition)
}

// Set is the partitions that this broker holds. It follows the metadata log: Apply is the only way that it changes.
type Set struct {
	options Options

	applying sync.Mutex // one change at a time; taken before mu

	mu struct { // guards the fields below
		sync.RWMutex
		byName map[string]*hosted
		byID   map[cluster.TopicID]*hosted
	}
	// started is set after the first change: what that one names may have been here before. Guarded by applying.
	started bool
}

// hosted is a topic of the cluster as this broker knows it. Changed under Set.mu.
type hosted struct {
	*Topic
	// partitions are those of the topic by number. Nil where this broker holds none, or could not open it.
	partitions []*Partition
	// failed are the partitions that could not be opened.
	failed map[int32]bool
}

// NewSet is an empty Set over the logs of data directories.
func NewSet(o Options) *Set {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Set{options: o}
	s.mu.byName = make(map[string]*hosted)
	s.mu.byID = make(map[cluster.TopicID]*hosted)
	return s
}

// Apply follows one change of the metadata: subscribe it to the quorum. When it returns, what was created can be written,
// what was deleted answers nobody, and configs hold. The first call carries everything that there is; logs that it does
// not name are put aside.
func (s *Set) Apply(image *cluster.Image, d *cluster.Delta) {
	s.applying.Lock()
	defer s.applying.Unlock()
	for _, t := range d.Deleted {
		s.deleteTopic(t)
	}
	if !s.started {
		s.putAside(image)
		defer func() { s.started = true }()
	}
	for _, t := range d.Created {
		s.createTopic(image, t)
	}
	for _, c := range d.Changed {
		s.changePartition(c)
	}
	for _, r := range d.Configs {
		if r.Type == cluster.TopicResource {
			s.configure(image, s.topic(r.Name))
		}
	}
}

// Reconfigure makes the topics inherit the broker's configuration anew, after that changed.
func (s *Set) Reconfigure(image *cluster.Image) {
	s.applying.Lock()
	defer s.applying.Unlock()
	for _, h := range s.topics() {
		s.configure(image, h)
	}
}

// putAside takes logs out of service that the metadata does not know: their topic was deleted while this broker was down,
// or the metadata is not the one that they were written under. Only a person can tell, so they are kept.
func (s *Set) putAside(image *cluster.Image) {
	for _, log := range s.options.Dirs.All() {
		tp := log.TopicPartition()
		t := image.Topic(tp.Topic)
		known := t != nil && t.ID == log.TopicID() && s.holds(t.Partition(tp.Partition))
		if known || tp.Topic == cluster.MetadataTopic { // the metadata log is the quorum's
			continue
		}
		if err := s.options.Dirs.Stray(tp); err != nil {
			s.failed(tp, err)
			continue
		}
		if s.options.Events.Stray != nil {
			s.options.Events.Stray(tp)
		}
	}
}

func (s *Set) createTopic(image *cluster.Image, t *cluster.Topic) {
	h := &hosted{Topic: &Topic{Name: t.Name, ID: t.ID}, failed: map[int32]bool{}}
	h.inherit(s.options.Config(), image.Configs(cluster.TopicResource, t.Name))
	h.partitions = make([]*Partition, len(t.Partitions))
	for i, p := range t.Partitions {
		s.open(h, int32(i), p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.byName[t.Name] = h
	s.mu.byID[t.ID] = h
}

// open takes a partition into service, if this broker holds it. h is not yet known to anybody, or mu is not needed
// because only partitions that nobody asks for are touched.
func (s *Set) open(h *hosted, index int32, p *cluster.Partition) {
	if !s.holds(p) {
		return
	}
	log, err := s.options.Dirs.Create(logstore.TopicPartition{Topic: h.Name, Partition: index}, h.ID, h.logConfig(),
		logstore.Assignment{Dir: s.assigned(p), New: s.started})
	if err != nil {
		h.failed[index] = true
		s.failed(logstore.TopicPartition{Topic: h.Name, Partition: index}, err)
		return
	}
	opened := open(h.Topic, index, log, s.options.NodeID, s.options.Now)
	opened.configure()
	s.assign(opened, p)
	h.partitions[index] = opened
	if dir := log.DirectoryID(); s.options.Placed != nil && s.assigned(p) != dir {
		s.options.Placed(cluster.Placement{Topic: h.ID, Index: index, Dir: dir})
	}
}

func (s *Set) assign(p *Partition, to *cluster.Partition) {
	led := p.assign(assignment{
		leader: to.Leader, epoch: to.LeaderEpoch, partitionEpoch: to.PartitionEpoch, replicas: to.Replicas, isr: to.ISR,
	})
	if led && s.options.Events.Led != nil {
		s.options.Events.Led(p, to.LeaderEpoch)
	}
}

func (s *Set) changePartition(c cluster.PartitionChange) {
	h := s.topic(c.Topic.Name)
	s.mu.Lock()
	for int(c.Index) >= len(h.partitions) {
		h.partitions = append(h.partitions, nil)
	}
	p := h.partitions[c.Index]
	s.mu.Unlock()
	switch {
	case p != nil && s.holds(c.After):
		s.assign(p, c.After)
	case p != nil:
		s.mu.Lock()
		h.partitions[c.Index] = nil
		s.mu.Unlock()
		s.remove(p)
	default:
		fresh := &hosted{Topic: h.Topic, partitions: make([]*Partition, c.Index+1), failed: map[int32]bool{}}
		s.open(fresh, c.Index, c.After)
		s.mu.Lock()
		h.partitions[c.Index] = fresh.partitions[c.Index]
		h.failed[c.Index] = fresh.failed[c.Index]
		s.mu.Unlock()
	}
}

func (s *Set) deleteTopic(t *cluster.Topic) {
	s.mu.Lock()
	h := s.mu.byID[t.ID]
	delete(s.mu.byID, t.ID)
	if s.mu.byName[t.Name] == h {
		delete(s.mu.byName, t.Name)
	}
	s.mu.Unlock()
	if h == nil {
		return
	}
	for _, p := range h.partitions {
		if p != nil {
			s.remove(p)
		}
	}
}

// remove ends a partition and gives up its log.
func (s *Set) remove(p *Partition) {
	p.finish(protocol.UnknownTopicOrPartition).tell()
	tp := p.log.Load().TopicPartition()
	if err := s.options.Dirs.Delete(tp); err != nil {
		s.failed(tp, err)
	}
}

func (s *Set) configure(image *cluster.Image, h *hosted) {
	if h == nil {
		return
	}
	h.inherit(s.options.Config(), image.Configs(cluster.TopicResource, h.Name))
	for _, p := range h.partitions {
		if p != nil {
			p.configure()
		}
	}
}

// inherit computes the topic's configuration from the broker's and its own.
func (t *Topic) inherit(b *config.Broker, overrides cluster.Configs) {
	c, _ := config.NewTopic(b, overrides) // what cannot be read was accepted by an older build: the broker's value holds
	t.config.Store(&c)
}

func (s *Set) holds(p *cluster.Partition) bool {
	return p != nil && slices.Contains(p.Replicas, s.options.NodeID)
}

// assigned is the data directory of this broker that the metadata says the partition is in, zero where it does not.
func (s *Set) assigned(p *cluster.Partition) (dir [16]byte) {
	if i := slices.Index(p.Replicas, s.options.NodeID); i < len(p.Directories) {
		dir = p.Directories[i]
	}
	return dir
}

func (s *Set) failed(tp logstore.TopicPartition, err error) {
	if s.options.Events.Failed != nil {
		s.options.Events.Failed(tp, err)
	}
}

func (s *Set) topic(name string) *hosted {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.byName[name]
}

func (s *Set) topics() []*hosted {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*hosted, 0, len(s.mu.byName))
	for _, h := range s.mu.byName {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *hosted) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Find is a partition by name. Errors: UnknownTopicOrPartition; NotLeaderForPartition where only other brokers hold it;
// KafkaStorageError where it could not be opened.
func (s *Set) Find(topic string, index int32) (*Partition, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.mu.byName[topic]
	if h == nil {
		return nil, protocol.UnknownTopicOrPartition
	}
	return h.find(index)
}

// FindByID is a partition by topic id. Errors: UnknownTopicID, and those of Find.
func (s *Set) FindByID(id cluster.TopicID, index int32) (*Partition, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.mu.byID[id]
	if h == nil {
		return nil, protocol.UnknownTopicID
	}
	return h.find(index)
}

func (h *hosted) find(index int32) (*Partition, error) {
	switch {
	case index < 0 || int(index) >= len(h.partitions):
		return nil, protocol.UnknownTopicOrPartition
	case h.failed[index]:
		return nil, protocol.KafkaStorageError
	case h.partitions[index] == nil:
		return nil, protocol.NotLeaderForPartition
	}
	return h.partitions[index], nil
}

// Topic is a topic by name, nil if the cluster has none.
func (s *Set) Topic(name string) *Topic {
	if h := s.topic(name); h != nil {
		return h.Topic
	}
	return nil
}

// TopicByID is a topic by id, nil if the cluster has none.
func (s *Set) TopicByID(id cluster.TopicID) *Topic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h := s.mu.byID[id]; h != nil {
		return h.Topic
	}
	return nil
}

// All walks the partitions that this broker holds, by topic name and number.
func (s *Set) All() iter.Seq[*Partition] {
	return func(yield func(*Partition) bool) {
		for _, h := range s.topics() {
			s.mu.RLock()
			partitions := slices.Clone(h.partitions)
			s.mu.RUnlock()
			for _, p := range partitions {
				if p != nil && !yield(p) {
					return
				}
			}
		}
	}
}
