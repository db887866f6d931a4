package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// big is an image of 10,000 partitions in so many topics.
func big(b testing.TB, topics int) *Image {
	image, _, err := Empty().Apply(0, 0, Bootstrap())
	if err == nil {
		var records []Record
		records, err = image.StartBroker(Registration{ID: 1, LogDirs: [][16]byte{{1}}})
		image, _, _ = image.Apply(1, 1, records)
	}
	var all []NewTopic
	for n := range topics {
		all = append(all, NewTopic{Name: fmt.Sprintf("topic-%05d", n), Partitions: int32(10_000 / topics), ReplicationFactor: 1})
	}
	records, _ := image.CreateTopics(all, Creation{Rand: rand.New(rand.NewPCG(1, 1))})
	image, _, err2 := image.Apply(2, 1, records)
	if err != nil || err2 != nil || image.PartitionCount() != 10_000 {
		b.Fatal(err, err2)
	}
	return image
}

// BenchmarkChange is one ISR change, one topic more, and a broker's start, on 10,000 partitions.
func BenchmarkChange(b *testing.B) {
	for _, topics := range []int{1, 100, 10_000} {
		image := big(b, topics)
		for name, decide := range map[string]func() []Record{
			"isr": func() []Record {
				change := newChange(image.Topic("topic-00000").ID, 0)
				change.ISR = []int32{1}
				return []Record{change}
			},
			"create": func() []Record {
				records, _ := image.CreateTopics([]NewTopic{{Name: "one-more", Partitions: 1, ReplicationFactor: 1}},
					Creation{Rand: rand.New(rand.NewPCG(1, 1))})
				return records
			},
			"start": func() []Record {
				records, _ := image.StartBroker(Registration{ID: 1, LogDirs: [][16]byte{{1}}})
				return records
			},
		} {
			b.Run(fmt.Sprintf("%s/topics=%d", name, topics), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := image.Apply(3, 1, decide()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
