package cluster

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ottla/ottla/protocol"
)

// oneBroker is a cluster of broker 1, with two log directories and a topic t of two partitions.
func oneBroker(t *testing.T) *Image {
	t.Helper()
	image := Empty()
	apply := func(records []Record, err error) {
		t.Helper()
		if err == nil {
			image, _, err = image.Apply(image.Offset()+1, 0, records)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	apply(image.StartBroker(Registration{ID: 1, LogDirs: [][16]byte{{1}, {2}}}))
	records, results := image.CreateTopics([]NewTopic{{Name: "t", Partitions: 2, ReplicationFactor: 1}}, Creation{Rand: rand.New(rand.NewPCG(1, 1))})
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	apply(records, nil)
	return image
}

func TestDirectoriesAreAssigned(t *testing.T) {
	image := oneBroker(t)
	id := image.Topic("t").ID
	where := func() (dirs [][16]byte) {
		for _, p := range image.Topic("t").Partitions {
			dirs = append(dirs, p.Directories[0])
		}
		return dirs
	}
	if got := where(); !slices.Equal(got, [][16]byte{{}, {}}) {
		t.Fatal(got)
	}
	records := image.AssignDirectories(1, []Placement{{id, 1, [16]byte{2}}, {id, 7, [16]byte{2}}, {TopicID{9}, 0, [16]byte{2}}})
	if len(records) != 1 || len(image.AssignDirectories(2, []Placement{{id, 1, [16]byte{2}}})) != 0 {
		t.Fatalf("%+v", records)
	}
	before := image.Topic("t").Partitions[1]
	image, _, err := image.Apply(image.Offset()+1, 0, records)
	if err != nil {
		t.Fatal(err)
	}
	if got := where(); !slices.Equal(got, [][16]byte{{}, {2}}) {
		t.Error(got)
	}
	after := image.Topic("t").Partitions[1]
	if after.LeaderEpoch != before.LeaderEpoch || after.PartitionEpoch != before.PartitionEpoch+1 {
		t.Errorf("%+v, was %+v", after, before)
	}
	if again := image.AssignDirectories(1, []Placement{{id, 1, [16]byte{2}}}); len(again) != 0 {
		t.Errorf("%+v", again)
	}
}

func TestReassignmentsOfOneBroker(t *testing.T) {
	image := oneBroker(t)
	for _, c := range []struct {
		r    Reassignment
		want protocol.Code
	}{
		{Reassignment{Topic: "t", Replicas: []int32{1}}, 0},
		{Reassignment{Topic: "t", Index: 1, Replicas: []int32{1}, KeepFactor: true}, 0},
		{Reassignment{Topic: "none", Replicas: []int32{1}}, protocol.UnknownTopicOrPartition},
		{Reassignment{Topic: "t", Index: 2, Replicas: []int32{1}}, protocol.UnknownTopicOrPartition},
		{Reassignment{Topic: "t"}, protocol.NoReassignmentInProgress},
		{Reassignment{Topic: "t", Replicas: []int32{}}, protocol.InvalidReplicaAssignment},
		{Reassignment{Topic: "t", Replicas: []int32{2}}, protocol.InvalidReplicaAssignment},
		{Reassignment{Topic: "t", Replicas: []int32{1, 1}}, protocol.InvalidReplicaAssignment},
		{Reassignment{Topic: "t", Replicas: []int32{-1}}, protocol.InvalidReplicaAssignment},
	} {
		if err := image.CheckReassignment(c.r); protocol.CodeOf(err) != c.want {
			t.Errorf("%+v: %v", c.r, err)
		}
	}
}
