package cluster

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ottla/ottla/coordinator/record"
)

// Apply is the Image after one more entry of the metadata log, whose offset and leader epoch are given, and what the
// entry changed. It fails, and says at which record, when a record does not follow from the Image: such a log is damaged,
// or of a kind that this build does not know.
func (i *Image) Apply(offset int64, epoch int32, records []Record) (*Image, *Delta, error) {
	e := newEditor(i)
	for n, r := range records {
		if err := e.apply(r); err != nil {
			return nil, nil, fmt.Errorf("record %d (%T): %w", n, r, err)
		}
	}
	return e.done(offset, epoch)
}

// editor is an Image in the making.
type editor struct {
	base *Image
	next Image

	topics  *edit[*Topic]
	ids     *edit[*Topic]
	configs *edit[Configs]
	quotas  *edit[*Quota]
	scrams  *edit[*Scram]
	acls    *edit[*ACL]
	unified *edit[string]

	// touched are the topics created, deleted or changed, in the order of their first record.
	touched     map[TopicID]*topicEdit
	touchOrder  []*topicEdit
	configOrder []Resource
	// owned are the configs and brokers that this editor has copied and may write to.
	owned       map[Resource]Configs
	ownBrokers  bool
	brokerOrder []int32
	ownFeatures bool
	delta       Delta
}

// topicEdit is a topic before and after.
type topicEdit struct {
	before, after *Topic // nil: not there
	// changed are the indexes of partitions that have a new Partition, in the order of their first record.
	changed []int32
}

func newEditor(base *Image) *editor {
	return &editor{
		base: base, next: *base,
		topics: base.topics.edit(), ids: base.ids.edit(), configs: base.configs.edit(),
		quotas: base.quotas.edit(), scrams: base.scrams.edit(), acls: base.acls.edit(),
		unified: base.unified.edit(),
		touched: map[TopicID]*topicEdit{}, owned: map[Resource]Configs{},
	}
}

// apply applies one record.
func (e *editor) apply(r Record) error {
	switch r := r.(type) {
	case *record.TopicRecord:
		return e.topic(r)
	case *record.RemoveTopicRecord:
		return e.removeTopic(r)
	case *record.PartitionRecord:
		return e.partition(r)
	case *record.PartitionChangeRecord:
		return e.partitionChange(r)
	case *record.ConfigRecord:
		e.config(Resource{ResourceType(r.ResourceType), r.ResourceName}, r.Name, r.Value)
	case *record.RegisterBrokerRecord:
		e.registerBroker(r)
	case *record.BrokerRegistrationChangeRecord:
		return e.changeBroker(r)
	case *record.UnregisterBrokerRecord:
		return e.unregisterBroker(r)
	case *record.FeatureLevelRecord:
		e.feature(r)
	case *record.ProducerIdsRecord:
		e.next.nextProducerID = r.NextProducerID
	case *record.ClientQuotaRecord:
		return e.quota(r)
	case *record.UserScramCredentialRecord:
		m := ScramMechanism(r.Mechanism)
		e.scrams.set(scramKey(r.Name, m), &Scram{User: r.Name, Mechanism: m,
			Salt: r.Salt, StoredKey: r.StoredKey, ServerKey: r.ServerKey, Iterations: r.Iterations})
		e.delta.Scrams = true
	case *record.RemoveUserScramCredentialRecord:
		e.scrams.remove(scramKey(r.Name, ScramMechanism(r.Mechanism)))
		e.delta.Scrams = true
	case *record.AccessControlEntryRecord:
		e.acls.set(string(r.ID[:]), &ACL{ID: r.ID, ResourceType: r.ResourceType, ResourceName: r.ResourceName,
			PatternType: r.PatternType, Principal: r.Principal, Host: r.Host,
			Operation: r.Operation, PermissionType: r.PermissionType})
		e.delta.ACLs = true
	case *record.RemoveAccessControlEntryRecord:
		e.acls.remove(string(r.ID[:]))
		e.delta.ACLs = true
	case *record.NoOpRecord:
	default:
		return fmt.Errorf("a kind of record that this build does not know")
	}
	return nil
}

func (e *editor) topic(r *record.TopicRecord) error {
	if r.TopicID == (TopicID{}) {
		return fmt.Errorf("topic %q has no id", r.Name)
	}
	if other, ok := e.topics.get(r.Name); ok {
		return fmt.Errorf("topic %q is there, with id %x", r.Name, other.ID)
	}
	if other, ok := e.ids.get(string(r.TopicID[:])); ok {
		return fmt.Errorf("topic id %x is that of %q", r.TopicID, other.Name)
	}
	if e.touched[r.TopicID] != nil {
		return fmt.Errorf("topic id %x is used again", r.TopicID)
	}
	e.touch(&topicEdit{after: &Topic{Name: r.Name, ID: r.TopicID}})
	return nil
}

func (e *editor) removeTopic(r *record.RemoveTopicRecord) error {
	t, err := e.edited(r.TopicID)
	if err != nil {
		return err
	}
	e.next.partitions -= len(t.after.Partitions)
	e.topics.remove(t.after.Name)
	e.ids.remove(string(r.TopicID[:]))
	e.unified.remove(unifiedKey(t.after.Name))
	resource := Resource{TopicResource, t.after.Name}
	e.configs.remove(resource.key())
	delete(e.owned, resource)
	t.after = nil
	return nil
}

func (e *editor) touch(t *topicEdit) {
	id := t.after.ID
	e.touched[id] = t
	e.touchOrder = append(e.touchOrder, t)
	e.topics.set(t.after.Name, t.after)
	e.ids.set(string(id[:]), t.after)
	if t.before == nil && hasCollisionChars(t.after.Name) {
		e.unified.set(unifiedKey(t.after.Name), t.after.Name)
	}
}

// edited is the topic to write to: a copy, made at the first write.
func (e *editor) edited(id TopicID) (*topicEdit, error) {
	if t := e.touched[id]; t != nil {
		if t.after == nil {
			return nil, fmt.Errorf("topic id %x is deleted", id)
		}
		return t, nil
	}
	before, ok := e.ids.get(string(id[:]))
	if !ok {
		return nil, fmt.Errorf("there is no topic with id %x", id)
	}
	t := &topicEdit{before: before,
		after: &Topic{Name: before.Name, ID: id, Partitions: slices.Clone(before.Partitions)}}
	e.touch(t)
	return t, nil
}

func (e *editor) partition(r *record.PartitionRecord) error {
	t, err := e.edited(r.TopicID)
	if err != nil {
		return err
	}
	// A record may name any index, so holes are filled by the records that follow; done refuses what stays open.
	// The bound keeps a damaged record from taking all memory.
	if r.PartitionID < 0 || int(r.PartitionID) > len(t.after.Partitions)+PartitionsPerRequestMax {
		return fmt.Errorf("topic %q has no place for a partition %d", t.after.Name, r.PartitionID)
	}
	for int(r.PartitionID) >= len(t.after.Partitions) {
		t.after.Partitions = append(t.after.Partitions, nil)
		e.next.partitions++
	}
	if t.after.Partitions[r.PartitionID] != nil {
		return fmt.Errorf("%s-%d is there", t.after.Name, r.PartitionID)
	}
	return e.put(t, r.PartitionID, &Partition{
		Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch,
		Recovering: r.LeaderRecoveryState == recovering,
		Replicas:   some(r.Replicas), ISR: some(r.ISR),
		Adding: some(r.AddingReplicas), Removing: some(r.RemovingReplicas),
		ELR: some(r.EligibleLeaderReplicas), LastKnownELR: some(r.LastKnownELR),
		Directories: directories(r.Directories, len(r.Replicas)),
	})
}

// The values of LeaderRecoveryState, and of Leader where a change leaves it. Source: PartitionChangeRecord.json.
const (
	recovered        int8  = 0
	recovering       int8  = 1
	recoveryAsBefore int8  = -1
	leaderAsBefore   int32 = -2
)

func (e *editor) partitionChange(r *record.PartitionChangeRecord) error {
	t, err := e.edited(r.TopicID)
	if err != nil {
		return err
	}
	before := t.after.Partition(r.PartitionID)
	if before == nil {
		return fmt.Errorf("%s has no partition %d", t.after.Name, r.PartitionID)
	}
	p := *before
	p.PartitionEpoch++
	// A leader that is named, be it the same one, begins a new epoch.
	if r.Leader != leaderAsBefore {
		p.Leader = r.Leader
		p.LeaderEpoch++
	}
	if r.LeaderRecoveryState != recoveryAsBefore {
		p.Recovering = r.LeaderRecoveryState == recovering
	}
	for _, set := range []struct {
		to   *[]int32
		from []int32
	}{
		{&p.Replicas, r.Replicas}, {&p.ISR, r.ISR}, {&p.Adding, r.AddingReplicas}, {&p.Removing, r.RemovingReplicas},
		{&p.ELR, r.EligibleLeaderReplicas}, {&p.LastKnownELR, r.LastKnownELR},
	} {
		if set.from != nil {
			*set.to = set.from
		}
	}
	if r.Directories != nil {
		p.Directories = r.Directories
	}
	p.Directories = directories(p.Directories, len(p.Replicas))
	return e.put(t, r.PartitionID, &p)
}

// put sets a partition of a topic being edited, after a look at C3 and C4.
func (e *editor) put(t *topicEdit, index int32, p *Partition) error {
	if why := p.broken(); why != "" {
		return fmt.Errorf("%s-%d: %s", t.after.Name, index, why)
	}
	if t.before != nil && t.after.Partitions[index] == t.before.Partition(index) {
		t.changed = append(t.changed, index) // for the first time in this edit
	}
	t.after.Partitions[index] = p
	return nil
}

// broken says which invariant the partition breaks, "" for none.
func (p *Partition) broken() string {
	switch {
	case len(p.Replicas) == 0:
		return "has no replicas"
	case hasDuplicates(p.Replicas):
		return fmt.Sprintf("replicas %v name a broker twice", p.Replicas)
	case len(p.ISR) == 0 && len(p.ELR) == 0:
		return "has neither in-sync nor eligible replicas"
	case !subset(p.ISR, p.Replicas):
		return fmt.Sprintf("in-sync replicas %v are not among the replicas %v", p.ISR, p.Replicas)
	case p.Leader != NoLeader && !slices.Contains(p.ISR, p.Leader):
		return fmt.Sprintf("leader %d is not among the in-sync replicas %v", p.Leader, p.ISR)
	case p.LeaderEpoch < 0 || p.PartitionEpoch < 0:
		return "has a negative epoch"
	}
	return ""
}

// some is the list itself, or an empty one instead of nil.
func some(list []int32) []int32 {
	if list == nil {
		return []int32{}
	}
	return list
}

// directories is dirs where it fits the number of replicas, else as many unassigned ones.
func directories(dirs [][16]byte, replicas int) [][16]byte {
	if len(dirs) == replicas {
		return dirs
	}
	return make([][16]byte, replicas)
}

// config sets or, for a nil value, removes one config of a resource.
func (e *editor) config(resource Resource, name string, value *string) {
	own, ok := e.owned[resource]
	if !ok {
		before, _ := e.configs.get(resource.key())
		own = maps.Clone(before)
		if own == nil {
			own = Configs{}
		}
		e.owned[resource] = own
		e.configOrder = append(e.configOrder, resource)
		e.configs.set(resource.key(), own)
	}
	if value == nil {
		delete(own, name)
	} else {
		own[name] = *value
	}
	if len(own) == 0 {
		e.configs.remove(resource.key())
		delete(e.owned, resource)
	}
}

func (e *editor) feature(r *record.FeatureLevelRecord) {
	if !e.ownFeatures {
		e.ownFeatures = true
		e.next.features = maps.Clone(e.base.features)
		if e.next.features == nil {
			e.next.features = map[string]int16{}
		}
	}
	if r.FeatureLevel == 0 {
		delete(e.next.features, r.Name)
	} else {
		e.next.features[r.Name] = r.FeatureLevel
	}
	e.delta.Features = true
}

func (e *editor) quota(r *record.ClientQuotaRecord) error {
	entity := Entity{}
	for _, part := range r.Entity {
		switch part.EntityType {
		case UserEntity, ClientIDEntity, IPEntity:
			entity[part.EntityType] = part.EntityName
		default:
			return fmt.Errorf("quota for an unknown entity type %q", part.EntityType)
		}
	}
	before, _ := e.quotas.get(entity.key())
	after := &Quota{Entity: entity, Values: map[string]float64{}}
	if before != nil {
		maps.Copy(after.Values, before.Values)
	}
	if r.Remove {
		delete(after.Values, r.Key)
	} else {
		after.Values[r.Key] = r.Value
	}
	if len(after.Values) == 0 {
		e.quotas.remove(entity.key())
	} else {
		e.quotas.set(entity.key(), after)
	}
	e.delta.Quotas = true
	return nil
}

// done closes the edit.
func (e *editor) done(offset int64, epoch int32) (*Image, *Delta, error) {
	for _, t := range e.touchOrder {
		if t.after == nil {
			continue
		}
		if len(t.after.Partitions) == 0 {
			return nil, nil, fmt.Errorf("topic %q has no partitions", t.after.Name)
		}
		if hole := slices.Index(t.after.Partitions, nil); hole >= 0 {
			return nil, nil, fmt.Errorf("topic %q has no partition %d but higher ones", t.after.Name, hole)
		}
	}
	e.next.topics, e.next.ids, e.next.configs = e.topics.done(), e.ids.done(), e.configs.done()
	e.next.quotas, e.next.scrams, e.next.acls = e.quotas.done(), e.scrams.done(), e.acls.done()
	e.next.unified = e.unified.done()
	e.next.offset, e.next.epoch = offset, epoch
	image := e.next
	return &image, e.changes(&image), nil
}

// changes is the Delta of a closed edit.
func (e *editor) changes(image *Image) *Delta {
	d := e.delta
	d.Before, d.After = e.base, image
	for _, t := range e.touchOrder {
		switch {
		case t.before == nil && t.after == nil: // came and went
		case t.after == nil:
			d.Deleted = append(d.Deleted, t.before)
		case t.before == nil:
			d.Created = append(d.Created, t.after)
		default:
			for _, index := range t.changed {
				d.Changed = append(d.Changed, PartitionChange{Topic: t.after, Index: index,
					Before: t.before.Partition(index), After: t.after.Partitions[index]})
			}
		}
	}
	for _, r := range e.configOrder {
		if r.Type == TopicResource && !sameTopic(e.base.Topic(r.Name), image.Topic(r.Name)) {
			continue // Deleted and Created tell it
		}
		d.Configs = append(d.Configs, r)
	}
	slices.Sort(e.brokerOrder)
	d.Brokers = slices.Compact(e.brokerOrder)
	return &d
}

func sameTopic(a, b *Topic) bool { return a != nil && b != nil && a.ID == b.ID }

func subset(part, whole []int32) bool {
	for _, id := range part {
		if !slices.Contains(whole, id) {
			return false
		}
	}
	return true
}

func hasDuplicates(list []int32) bool {
	if len(list) < 2 {
		return false
	}
	sorted := slices.Sorted(slices.Values(list))
	return len(slices.Compact(sorted)) < len(list)
}
