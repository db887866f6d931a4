package cluster

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

// PartitionsPerRequestMax bounds how many partitions one request may add, and so the size of one entry of the metadata log.
const PartitionsPerRequestMax = 10_000

// NewTopic is a topic to create.
type NewTopic struct {
	Name string
	// Partitions and ReplicationFactor are -1 for the default, and must be where Assignments are given.
	Partitions        int32
	ReplicationFactor int16
	Assignments       []Assignment
	Configs           []ConfigValue
}

// Assignment gives one partition's replicas, the preferred leader first.
type Assignment struct {
	Partition int32
	Replicas  []int32
}

// ConfigValue is one config as a request gives it. A nil Value is not a value.
type ConfigValue struct {
	Name  string
	Value *string
}

// Creation is what topics are created with.
type Creation struct {
	Partitions        int32 // num.partitions
	ReplicationFactor int16 // default.replication.factor
	// Validate refuses configs that a topic cannot have; nil accepts all.
	Validate func(configs map[string]string) error
	// Rand chooses topic ids and replicas.
	Rand *rand.Rand
}

// CreatedTopic is the answer for one NewTopic: Err, or what it came to be.
type CreatedTopic struct {
	Name              string
	ID                TopicID
	Partitions        int32
	ReplicationFactor int16
	Configs           map[string]string
	Err               error
}

// CreateTopics decides on the creation of topics, each by itself: one that is refused does not hold up the others. The
// answers are in the order of the topics. A name that comes twice is the caller's to refuse, as InvalidRequest.
func (i *Image) CreateTopics(topics []NewTopic, c Creation) ([]Record, []CreatedTopic) {
	d := topicCreation{Image: i, Creation: c, unified: map[string]string{}, left: PartitionsPerRequestMax}
	answers := make([]CreatedTopic, len(topics))
	for n, t := range topics {
		answers[n] = CreatedTopic{Name: t.Name}
		answers[n].Err = d.create(t, &answers[n])
	}
	return d.records, answers
}

// topicCreation is one CreateTopics being decided.
type topicCreation struct {
	*Image
	Creation
	records []Record
	// unified are the topics of this request that others of it could collide with.
	unified map[string]string
	// left is how many more partitions this request may create.
	left int
}

func (d *topicCreation) create(t NewTopic, answer *CreatedTopic) error {
	if err := d.checkName(t.Name); err != nil {
		return err
	}
	configs, err := d.checkConfigs(t.Configs)
	if err != nil {
		return err
	}
	partitions, err := d.assign(t)
	if err != nil {
		return err
	}
	d.left -= len(partitions)
	d.unified[unify(t.Name)] = t.Name

	id := d.newTopicID()
	d.records = append(d.records, &record.TopicRecord{Name: t.Name, TopicID: id})
	d.records = append(d.records, setConfigs(Resource{TopicResource, t.Name}, configs)...)
	for _, p := range partitions {
		p.TopicID = id
		d.records = append(d.records, p)
	}
	answer.ID, answer.Configs = id, configs
	answer.Partitions, answer.ReplicationFactor = int32(len(partitions)), int16(len(partitions[0].Replicas))
	return nil
}

func (d *topicCreation) checkName(name string) error {
	if err := ValidateTopicName(name); err != nil {
		return err
	}
	if name == MetadataTopic {
		return protocol.Errorf(protocol.InvalidRequest, "%s is the brokers' own metadata log and cannot be created.", name)
	}
	if d.Topic(name) != nil {
		return protocol.Errorf(protocol.TopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	other := d.collision(name)
	if other == "" && hasCollisionChars(name) {
		other = d.unified[unify(name)]
	}
	if other != "" {
		return protocol.Errorf(protocol.InvalidTopicException,
			"The name '%s' differs from that of the topic '%s' only in '.' and '_', which metric names cannot tell apart.", name, other)
	}
	return nil
}

func (d *topicCreation) checkConfigs(given []ConfigValue) (map[string]string, error) {
	configs := make(map[string]string, len(given))
	var null []string
	for _, c := range given {
		if c.Value == nil {
			null = append(null, c.Name)
			continue
		}
		configs[c.Name] = *c.Value
	}
	if len(null) > 0 {
		return nil, protocol.Errorf(protocol.InvalidConfig, "A config of a new topic needs a value: %s.", strings.Join(null, ", "))
	}
	if d.Validate != nil && len(configs) > 0 {
		if err := d.Validate(configs); err != nil {
			return nil, invalidConfig(err)
		}
	}
	return configs, nil
}

// invalidConfig gives a validator's error the code that answers it.
func invalidConfig(err error) error {
	if errors.As(err, new(protocol.Code)) {
		return err
	}
	return protocol.Errorf(protocol.InvalidConfig, "%s", err.Error())
}

// assign is the partitions that a new topic gets, without its id.
func (d *topicCreation) assign(t NewTopic) ([]*record.PartitionRecord, error) {
	if len(t.Assignments) > 0 {
		return d.assignByHand(t)
	}
	partitions, factor := t.Partitions, t.ReplicationFactor
	switch {
	case factor < -1 || factor == 0:
		return nil, protocol.Errorf(protocol.InvalidReplicationFactor,
			"The replication factor must be larger than 0, or -1 to take the default.")
	case partitions < -1 || partitions == 0:
		return nil, protocol.Errorf(protocol.InvalidPartitions,
			"The number of partitions must be larger than 0, or -1 to take the default.")
	}
	if partitions == -1 {
		partitions = d.Partitions
	}
	if factor == -1 {
		factor = d.ReplicationFactor
	}
	if int(partitions) > d.left {
		return nil, tooManyPartitions()
	}
	return d.placePartitions(0, int(partitions), int(factor), d.Rand)
}

func tooManyPartitions() error {
	return protocol.Errorf(protocol.PolicyViolation,
		"One request may add at most %d partitions. Add them in several requests.", PartitionsPerRequestMax)
}

func (d *topicCreation) assignByHand(t NewTopic) ([]*record.PartitionRecord, error) {
	const both = "With the replicas of each partition given, %s must be -1."
	switch {
	case t.ReplicationFactor != -1:
		return nil, protocol.Errorf(protocol.InvalidRequest, both, "the replication factor")
	case t.Partitions != -1:
		return nil, protocol.Errorf(protocol.InvalidRequest, both, "the number of partitions")
	case len(t.Assignments) > d.left:
		return nil, tooManyPartitions()
	}
	partitions := make([]*record.PartitionRecord, len(t.Assignments))
	factor := 0
	for _, a := range t.Assignments {
		if a.Partition < 0 || int(a.Partition) >= len(partitions) {
			return nil, protocol.Errorf(protocol.InvalidReplicaAssignment,
				"The partitions given must be 0 to %d without a gap; %d is not one of them.", len(partitions)-1, a.Partition)
		}
		if partitions[a.Partition] != nil {
			return nil, protocol.Errorf(protocol.InvalidReplicaAssignment, "Partition %d is assigned twice.", a.Partition)
		}
		p, err := d.partitionOn(a.Partition, a.Replicas, factor)
		if err != nil {
			return nil, err
		}
		factor = len(a.Replicas)
		partitions[a.Partition] = p
	}
	return partitions, nil
}

// partitionOn is a new partition on the replicas that a request names; factor is how many there must be, 0 for any number.
func (i *Image) partitionOn(index int32, replicas []int32, factor int) (*record.PartitionRecord, error) {
	refuse := func(format string, args ...any) error {
		return protocol.Errorf(protocol.InvalidReplicaAssignment, format, args...)
	}
	if len(replicas) == 0 {
		return nil, refuse("Partition %d is assigned no replicas.", index)
	}
	for n, id := range replicas {
		if i.brokers[id] == nil {
			return nil, refuse("Partition %d is assigned to broker %d, which is not registered.", index, id)
		}
		// Every id before it is a broker's and was seen once, so n is at most their number.
		if slices.Contains(replicas[:n], id) {
			return nil, refuse("Partition %d is assigned to broker %d twice.", index, id)
		}
	}
	if factor != 0 && len(replicas) != factor {
		return nil, refuse("Partition %d is assigned %d replica(s), others have %d: all partitions of a topic need as many.",
			index, len(replicas), factor)
	}
	p := i.newPartition(index, slices.Clone(replicas))
	if p == nil {
		return nil, refuse("None of the brokers %v of partition %d is alive.", replicas, index)
	}
	return p, nil
}

// placePartitions is count new partitions, the first of them with index first, on brokers of our choice.
func (i *Image) placePartitions(first int32, count, factor int, r *rand.Rand) ([]*record.PartitionRecord, error) {
	placer := newPlacer(i.Brokers(), r)
	if err := placer.check(factor); err != nil {
		return nil, err
	}
	partitions := make([]*record.PartitionRecord, count)
	for n := range partitions {
		partitions[n] = i.newPartition(first+int32(n), placer.place(factor))
		if partitions[n] == nil {
			return nil, protocol.Errorf(protocol.InvalidReplicationFactor, "All brokers are shutting down; try again when one is up.")
		}
	}
	return partitions, nil
}

// newPartition is a partition whose in-sync replicas are those of replicas that are active; nil if none is.
func (i *Image) newPartition(index int32, replicas []int32) *record.PartitionRecord {
	isr := make([]int32, 0, len(replicas))
	dirs := make([][16]byte, len(replicas))
	for n, id := range replicas {
		b := i.brokers[id]
		if !b.Fenced && !b.InControlledShutdown {
			isr = append(isr, id)
		}
		if len(b.LogDirs) == 1 {
			dirs[n] = b.LogDirs[0]
		}
	}
	if len(isr) == 0 {
		return nil
	}
	return &record.PartitionRecord{PartitionID: index, Replicas: replicas, ISR: isr, Directories: dirs, Leader: isr[0],
		RemovingReplicas: []int32{}, AddingReplicas: []int32{}}
}

// newTopicID is a random (version 4) UUID that no topic has. Tools print ids in URL-safe base64; one that begins with
// '-' looks like an option on a command line, so there are none.
func (d *topicCreation) newTopicID() TopicID {
	for {
		id := NewUUID(d.Rand)
		if id[0]>>2 != 62 && d.TopicByID(id) == nil {
			return id
		}
	}
}

// NewUUID is a random (version 4) UUID.
func NewUUID(r *rand.Rand) (id [16]byte) {
	for n := range 2 {
		v := r.Uint64()
		for b := range 8 {
			id[8*n+b] = byte(v >> (8 * b))
		}
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
