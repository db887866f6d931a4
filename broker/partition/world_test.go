package partition

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// world is a broker's partitions over a disk in memory, following an image that the test changes.
type world struct {
	*Set
	t      testing.TB
	mem    *vfs.Mem
	fs     *errorfs.FS
	store  *logstore.Store
	config *config.Broker
	image  *cluster.Image
	rand   *rand.Rand
	strays []string
	failed []string
	led    []string
}

const self = 1

func newWorld(t testing.TB, settings ...string) *world {
	return openWorld(t, vfs.NewMem(time.Now), cluster.Empty(), settings...)
}

func openWorld(t testing.TB, mem *vfs.Mem, image *cluster.Image, settings ...string) *world {
	t.Helper()
	w := &world{t: t, mem: mem, fs: errorfs.New(mem), image: image, rand: rand.New(rand.NewPCG(3, 4))}
	w.set(settings...)
	var err error
	if w.store, err = logstore.Open("data", logstore.Options{FS: w.fs, NodeID: self}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() }) // a test may have broken it
	w.Set = NewSet(Options{Dirs: logstore.DirsOf(w.store), NodeID: self, Config: func() *config.Broker { return w.config }, Events: Events{
		Led: func(p *Partition, epoch int32) {
			w.led = append(w.led, fmt.Sprintf("%s-%d@%d", p.Topic().Name, p.Index(), epoch))
		},
		Failed: func(tp logstore.TopicPartition, err error) { w.failed = append(w.failed, tp.String()) },
		Stray:  func(tp logstore.TopicPartition) { w.strays = append(w.strays, tp.String()) },
	}})
	all := &cluster.Delta{After: image}
	for topic := range image.Topics() {
		all.Created = append(all.Created, topic)
	}
	w.Apply(image, all)
	return w
}

func (w *world) set(settings ...string) {
	static := map[config.Key]string{}
	for i := 0; i < len(settings); i += 2 {
		static[config.Key(settings[i])] = settings[i+1]
	}
	c, err := config.New(static)
	if err != nil {
		w.t.Fatal(err)
	}
	w.config = c
}

// change applies one entry of the metadata log.
func (w *world) change(decide func(*cluster.Image) ([]cluster.Record, error)) {
	w.t.Helper()
	records, err := decide(w.image)
	if err != nil {
		w.t.Fatal(err)
	}
	next, delta, err := w.image.Apply(w.image.Offset()+1, 0, records)
	if err != nil {
		w.t.Fatal(err)
	}
	w.image = next
	w.Apply(next, delta)
}

func (w *world) register(ids ...int32) {
	w.t.Helper()
	for _, id := range ids {
		w.change(func(i *cluster.Image) ([]cluster.Record, error) {
			return i.StartBroker(cluster.Registration{ID: id, LogDirs: [][16]byte{{byte(id)}}})
		})
	}
}

// create makes a topic with one list of replicas a partition.
func (w *world) create(name string, replicas ...[]int32) cluster.TopicID {
	w.t.Helper()
	topic := cluster.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
	for i, r := range replicas {
		topic.Assignments = append(topic.Assignments, cluster.Assignment{Partition: int32(i), Replicas: r})
	}
	var id cluster.TopicID
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		records, made := i.CreateTopics([]cluster.NewTopic{topic}, cluster.Creation{Rand: w.rand})
		id = made[0].ID
		return records, made[0].Err
	})
	return id
}

func (w *world) delete(id cluster.TopicID) {
	w.t.Helper()
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		records, errs := i.DeleteTopics([]cluster.TopicID{id})
		return records, errs[0]
	})
}

func (w *world) configTopic(name, key, value string) {
	w.t.Helper()
	w.change(func(i *cluster.Image) ([]cluster.Record, error) {
		return i.IncrementalAlterConfigs(cluster.Resource{Type: cluster.TopicResource, Name: name},
			[]cluster.ConfigChange{{Name: key, Value: &value}}, cluster.ConfigRules{
				Validate: func(cluster.Resource, map[string]string) error { return nil }})
	})
}

func (w *world) find(topic string, index int32) *Partition {
	w.t.Helper()
	p, err := w.Find(topic, index)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func batch(values ...string) record.Batch {
	b := record.NewBuilder(record.NewOptions())
	for _, v := range values {
		b.Add(1000, nil, []byte(v))
	}
	return b.Batch()
}

func (w *world) produce(p *Partition, values ...string) Appended {
	w.t.Helper()
	a, err := p.Produce(batch(values...), true)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}
