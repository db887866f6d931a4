package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ottla/ottla/coordinator/record"
	"pgregory.net/rapid"
)

// TestReplay makes random changes and then checks C1 and C5: the image is the same whether the log is applied entry by
// entry, all at once, or from a snapshot; and no image changed after it was made.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		image := Empty()
		var entries [][]Record
		var images []*Image
		var texts []string
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			records := randomChange(t, image)
			after, _, err := image.Apply(int64(len(entries)), 1, records)
			if err != nil {
				t.Fatalf("a decider's records do not apply: %v", err)
			}
			entries = append(entries, records)
			images, texts = append(images, after), append(texts, full(after))
			image = after
		}
		want := full(image)

		again := Empty()
		for n, records := range entries {
			again, _, _ = again.Apply(int64(n), 1, records)
		}
		if got := full(again); got != want {
			t.Errorf("entry by entry:\n%s\nwant\n%s", got, want)
		}
		atOnce, _, err := Empty().Apply(image.Offset(), 1, slices.Concat(entries...))
		if err != nil {
			t.Fatalf("at once: %v", err)
		}
		if full(atOnce) != want {
			t.Errorf("at once:\n%s\nwant\n%s", full(atOnce), want)
		}
		snapshot, _, err := Empty().Apply(image.Offset(), 1, slices.Collect(image.Records()))
		if err != nil {
			t.Fatalf("from a snapshot: %v", err)
		}
		if full(snapshot) != want {
			t.Errorf("from a snapshot:\n%s\nwant\n%s", full(snapshot), want)
		}
		for n, i := range images {
			if full(i) != texts[n] {
				t.Errorf("image %d changed after it was made", n)
			}
		}
	})
}

// randomChange is the records of a decider on a random request; none where it refuses.
func randomChange(t *rapid.T, i *Image) []Record {
	// The offset keeps two changes from drawing the same topic id.
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), uint64(i.Offset())))
	broker := int32(1 + r.IntN(3))
	topic := string(rune('a' + r.IntN(4)))
	key := []string{"x", "y", "z"}[r.IntN(3)]
	value := fmt.Sprint(r.IntN(3))
	free := ConfigRules{Validate: func(Resource, map[string]string) error { return nil }}
	var records []Record
	switch rapid.IntRange(0, 11).Draw(t, "change") {
	case 0, 1:
		records, _ = i.StartBroker(Registration{ID: broker, Incarnation: NewUUID(r), LogDirs: [][16]byte{{byte(broker)}},
			Endpoints: []Endpoint{{"PLAINTEXT", "h", 9, 0}}})
	case 2, 3:
		records, _ = i.CreateTopics([]NewTopic{{Name: topic, Partitions: int32(1 + r.IntN(3)), ReplicationFactor: int16(1 + r.IntN(3)),
			Configs: []ConfigValue{{key, &value}}}}, Creation{Rand: r})
	case 4:
		records, _ = i.CreatePartitions([]MorePartitions{{Topic: topic, Count: int32(1 + r.IntN(6))}}, r)
	case 5:
		if t := i.Topic(topic); t != nil {
			records, _ = i.DeleteTopics([]TopicID{t.ID})
		}
	case 6:
		if b := i.Broker(broker); b != nil {
			records = append(i.leave(broker), &record.BrokerRegistrationChangeRecord{BrokerID: broker, BrokerEpoch: b.Epoch, Fenced: 1})
		}
	case 7:
		records, _ = i.UnregisterBroker(broker)
	case 8:
		records, _ = i.ElectLeaders(Election(r.IntN(2)), []TopicPartition{{topic, int32(r.IntN(3))}})
	case 9:
		resource := []Resource{{BrokerResource, ""}, {TopicResource, topic}, {GroupResource, "g"}}[r.IntN(3)]
		records, _ = i.AlterConfigs(resource, []ConfigValue{{key, &value}}[:r.IntN(2)], free)
	case 10:
		if b := i.Broker(broker); b != nil {
			records, _, _ = i.AllocateProducerIDs(broker, b.Epoch)
		}
	case 11:
		name := &key
		if r.IntN(3) == 0 {
			name = nil
		}
		records = []Record{
			&record.ClientQuotaRecord{Entity: []record.ClientQuotaEntityData{{EntityType: UserEntity, EntityName: name}}, Key: "rate", Value: 1, Remove: r.IntN(3) == 0},
			&record.UserScramCredentialRecord{Name: key, Mechanism: int8(1 + r.IntN(2)), Salt: []byte(value), Iterations: 4096},
			&record.RemoveUserScramCredentialRecord{Name: "x", Mechanism: 1},
			&record.AccessControlEntryRecord{ID: [16]byte{byte(r.IntN(4))}, Principal: "User:" + key},
			&record.RemoveAccessControlEntryRecord{ID: [16]byte{2}},
			&record.NoOpRecord{},
		}
	}
	return records
}

// full shows everything in an image.
func full(i *Image) string {
	var out strings.Builder
	fmt.Fprintln(&out, i.offset, i.epoch, i.partitions, i.nextProducerID, i.features)
	for _, b := range i.Brokers() {
		fmt.Fprintf(&out, "%+v\n", *b)
	}
	for t := range i.Topics() {
		fmt.Fprintf(&out, "%s %x %v\n", t.Name, t.ID, i.TopicByID(t.ID) == t)
		for _, p := range t.Partitions {
			fmt.Fprintf(&out, "  %#v\n", *p)
		}
	}
	fmt.Fprintln(&out, i.ids.len(), i.topics.len(), slices.Sorted(maps.Keys(maps.Collect(i.unified.prefixed("")))))
	for key, c := range i.configs.prefixed("") {
		fmt.Fprintf(&out, "%q %v\n", key, c)
	}
	for q := range i.Quotas() {
		fmt.Fprintf(&out, "%q %v\n", q.Entity.key(), q.Values)
	}
	for s := range i.Scrams() {
		fmt.Fprintf(&out, "%+v\n", *s)
	}
	for a := range i.ACLs() {
		fmt.Fprintf(&out, "%+v\n", *a)
	}
	return out.String()
}

// TestBadRecords: a record that does not follow from the image is refused, with a reason, and changes nothing.
func TestBadRecords(t *testing.T) {
	id, other := TopicID{1}, TopicID{2}
	partition := func(edit func(*record.PartitionRecord)) *record.PartitionRecord {
		p := &record.PartitionRecord{TopicID: id, PartitionID: 1, Replicas: []int32{1, 2}, ISR: []int32{1}, Leader: 1}
		edit(p)
		return p
	}
	change := func(edit func(*record.PartitionChangeRecord)) *record.PartitionChangeRecord {
		c := newChange(id, 0)
		edit(c)
		return c
	}
	image, _, err := Empty().Apply(0, 0, []Record{
		&record.RegisterBrokerRecord{BrokerID: 1, BrokerEpoch: 5},
		&record.TopicRecord{Name: "t", TopicID: id}, partition(func(p *record.PartitionRecord) { p.PartitionID = 0 }),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, records := range map[string][]Record{
		"no id":             {&record.TopicRecord{Name: "u"}},
		"name taken":        {&record.TopicRecord{Name: "t", TopicID: other}},
		"id taken":          {&record.TopicRecord{Name: "u", TopicID: id}},
		"id again":          {&record.RemoveTopicRecord{TopicID: id}, &record.TopicRecord{Name: "u", TopicID: id}},
		"no partitions":     {&record.TopicRecord{Name: "u", TopicID: other}},
		"a hole":            {partition(func(p *record.PartitionRecord) { p.PartitionID = 2 })},
		"far away":          {partition(func(p *record.PartitionRecord) { p.PartitionID = 1 << 30 })},
		"negative":          {partition(func(p *record.PartitionRecord) { p.PartitionID = -1 })},
		"there":             {partition(func(p *record.PartitionRecord) { p.PartitionID = 0 })},
		"of no topic":       {partition(func(p *record.PartitionRecord) { p.TopicID = other })},
		"no replicas":       {partition(func(p *record.PartitionRecord) { p.Replicas = nil })},
		"replica twice":     {partition(func(p *record.PartitionRecord) { p.Replicas = []int32{1, 1} })},
		"isr empty":         {partition(func(p *record.PartitionRecord) { p.ISR = nil })},
		"isr elsewhere":     {partition(func(p *record.PartitionRecord) { p.ISR = []int32{3} })},
		"leader not in isr": {partition(func(p *record.PartitionRecord) { p.Leader = 2 })},
		"negative epoch":    {partition(func(p *record.PartitionRecord) { p.LeaderEpoch = -1 })},
		"change of none":    {change(func(c *record.PartitionChangeRecord) { c.PartitionID = 7 })},
		"change to bad":     {change(func(c *record.PartitionChangeRecord) { c.Leader = 2 })},
		"remove none":       {&record.RemoveTopicRecord{TopicID: other}},
		"remove twice":      {&record.RemoveTopicRecord{TopicID: id}, &record.RemoveTopicRecord{TopicID: id}},
		"no such broker":    {&record.BrokerRegistrationChangeRecord{BrokerID: 2, BrokerEpoch: 5}},
		"other epoch":       {&record.UnregisterBrokerRecord{BrokerID: 1, BrokerEpoch: 6}},
		"quota entity":      {&record.ClientQuotaRecord{Entity: []record.ClientQuotaEntityData{{EntityType: "wat"}}}},
		"unknown":           {&record.BeginTransactionRecord{}},
	} {
		before := full(image)
		after, delta, err := image.Apply(1, 0, records)
		if err == nil || after != nil || delta != nil {
			t.Errorf("%s: applied", name)
		}
		if full(image) != before {
			t.Errorf("%s: changed the image", name)
		}
	}
}

// TestDifference: between any two images it tells what a walk over their deltas tells.
func TestDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		image := Empty()
		for n := range rapid.IntRange(0, 8).Draw(t, "before") {
			image, _, _ = image.Apply(int64(n), 1, randomChange(t, image))
		}
		d := Difference(Empty(), image)
		if len(d.Created) != image.TopicCount() || len(d.Deleted)+len(d.Changed) != 0 || len(d.Brokers) != len(image.Brokers()) {
			t.Errorf("from nothing: %+v", d)
		}
		if d = Difference(image, Empty()); len(d.Deleted) != image.TopicCount() || len(d.Created)+len(d.Changed) != 0 {
			t.Errorf("to nothing: %+v", d)
		}
		// An image read from a snapshot shares nothing with the one that was written, and yet is no different.
		same, _, _ := Empty().Apply(image.Offset(), 1, slices.Collect(image.Records()))
		if d = Difference(image, same); len(d.Deleted)+len(d.Created)+len(d.Changed)+len(d.Configs)+len(d.Brokers) != 0 || d.Features {
			t.Errorf("to the same: %+v", d)
		}
	})
}
