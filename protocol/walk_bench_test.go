package protocol

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The walk's cost beside what it protects.
func BenchmarkWalk(b *testing.B) {
	for _, r := range []kmsg.Request{produceRequest(9, 1, 1), produceRequest(9, 10, 10), fetchRequest(11, 1), fetchRequest(13, 10), metadataRequest(12)} {
		key, version := Key(r.Key()), r.GetVersion()
		body := r.AppendTo(nil)
		name := fmt.Sprintf("%s-%d/%dB", key, version, len(body))
		b.Run(name+"/walk", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Walk(key, version, body); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/kmsg", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := kmsg.RequestForKey(int16(key))
				r.SetVersion(version)
				if err := r.ReadFrom(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func produceRequest(version int16, topics, partitions int) kmsg.Request {
	r := kmsg.NewPtrProduceRequest()
	r.SetVersion(version)
	for range topics {
		t := kmsg.NewProduceRequestTopic()
		t.Topic = "some-topic"
		for range partitions {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Records = make([]byte, 1000)
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
	return r
}

func fetchRequest(version int16, partitions int) kmsg.Request {
	r := kmsg.NewPtrFetchRequest()
	r.SetVersion(version)
	t := kmsg.NewFetchRequestTopic()
	t.Topic = "some-topic"
	for range partitions {
		t.Partitions = append(t.Partitions, kmsg.NewFetchRequestTopicPartition())
	}
	r.Topics = append(r.Topics, t)
	return r
}

func metadataRequest(version int16) kmsg.Request {
	r := kmsg.NewPtrMetadataRequest()
	r.SetVersion(version)
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr("some-topic")
	r.Topics = append(r.Topics, t)
	return r
}
