package broker

import (
	"context"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/broker/api"
	"github.com/ottla/ottla/broker/security"
	"github.com/ottla/ottla/protocol"
)

// question is what a handler asks the authorizer.
type question struct {
	op security.Operation
	on security.ResourceType
}

// questions are what the handler of each API must ask before it tells or does anything, each row's all of them.
// Source: Kafka's table of operations and resources.
var questions = map[protocol.Key][]question{
	protocol.ProduceKey:                      {{security.Write, security.Topic}},
	protocol.FetchKey:                        {{security.Read, security.Topic}},
	protocol.ListOffsetsKey:                  {{security.Describe, security.Topic}},
	protocol.MetadataKey:                     {{security.Describe, security.Topic}},
	protocol.OffsetCommitKey:                 {{security.Read, security.Group}},
	protocol.OffsetFetchKey:                  {{security.Describe, security.Group}},
	protocol.FindCoordinatorKey:              {{security.Describe, security.Group}},
	protocol.JoinGroupKey:                    {{security.Read, security.Group}},
	protocol.HeartbeatKey:                    {{security.Read, security.Group}},
	protocol.LeaveGroupKey:                   {{security.Read, security.Group}},
	protocol.SyncGroupKey:                    {{security.Read, security.Group}},
	protocol.DescribeGroupsKey:               {{security.Describe, security.Group}},
	protocol.ListGroupsKey:                   {{security.Describe, security.Cluster}},
	protocol.ApiVersionsKey:                  nil, // what we speak is told to anybody
	protocol.CreateTopicsKey:                 {{security.Create, security.Cluster}, {security.Create, security.Topic}},
	protocol.DeleteTopicsKey:                 {{security.Delete, security.Topic}},
	protocol.DeleteRecordsKey:                {{security.Delete, security.Topic}},
	protocol.InitProducerIDKey:               {{security.IdempotentWrite, security.Cluster}},
	protocol.OffsetForLeaderEpochKey:         {{security.Describe, security.Topic}},
	protocol.DescribeConfigsKey:              {{security.DescribeConfigs, security.Topic}},
	protocol.AlterConfigsKey:                 {{security.AlterConfigs, security.Topic}},
	protocol.AlterReplicaLogDirsKey:          {{security.Alter, security.Cluster}},
	protocol.AlterPartitionAssignmentsKey:    {{security.Alter, security.Cluster}},
	protocol.DescribeLogDirsKey:              {{security.Describe, security.Cluster}},
	protocol.CreatePartitionsKey:             {{security.Alter, security.Topic}},
	protocol.DeleteGroupsKey:                 {{security.Delete, security.Group}},
	protocol.ElectLeadersKey:                 {{security.Alter, security.Cluster}},
	protocol.IncrementalAlterConfigsKey:      {{security.AlterConfigs, security.Topic}},
	protocol.ListPartitionReassignmentsKey:   {{security.Describe, security.Cluster}},
	protocol.OffsetDeleteKey:                 {{security.Delete, security.Group}},
	protocol.DescribeClientQuotasKey:         {{security.DescribeConfigs, security.Cluster}},
	protocol.DescribeUserSCRAMCredentialsKey: {{security.Describe, security.Cluster}},
	protocol.DescribeQuorumKey:               {{security.Describe, security.Cluster}},
	protocol.UpdateFeaturesKey:               {{security.Alter, security.Cluster}},
	protocol.DescribeClusterKey:              {{security.Describe, security.Cluster}},
	protocol.UnregisterBrokerKey:             {{security.Alter, security.Cluster}},
	protocol.ListConfigResourcesKey:          {{security.DescribeConfigs, security.Cluster}},
	protocol.DescribeTopicPartitionsKey:      {{security.Describe, security.Topic}},
}

// denier refuses everything and remembers what it was asked.
type denier struct{ asked []question }

func (d *denier) Allowed(_ security.Subject, op security.Operation, on security.ResourceType, _ string) bool {
	d.asked = append(d.asked, question{op, on})
	return false
}

func (d *denier) AllowedAny(_ security.Subject, op security.Operation, on security.ResourceType) bool {
	d.asked = append(d.asked, question{op, on})
	return false
}

// answer keeps a request's answer.
type answer struct {
	resp   kmsg.Response
	parts  int
	closed bool
}

func (a *answer) Reply(resp kmsg.Response)                      { a.resp = resp }
func (a *answer) ReplyParts(p []protocol.Part, _ int, _ func()) { a.parts = len(p) }
func (a *answer) NoReply()                                      {}
func (a *answer) Close(error)                                   { a.closed = true }

func TestEveryHandlerAsksTheAuthorizer(t *testing.T) {
	b := open(t, t.TempDir(), nil)
	adm := kadm.NewClient(client(t, b))
	if _, err := adm.CreateTopic(context.Background(), 1, 1, nil, "x"); err != nil {
		t.Fatal(err)
	}
	image := b.quorum.Image()
	for key, row := range b.front.table {
		want, known := questions[key]
		if !known {
			t.Errorf("%s: nobody has said what its handler must ask", key)
			continue
		}
		for version := row.min; version <= row.max(); version++ {
			d := &denier{}
			s := *b.server
			s.Authorizer = d
			req := kmsg.RequestForKey(int16(key))
			req.SetVersion(version)
			fill(reflect.ValueOf(req).Elem(), image.Topic("x").ID)
			adjust(req)
			a := &answer{}
			done := make(chan struct{})
			c := &api.Conn{Listener: "PLAINTEXT", Local: b.sockets[0].Addr(), Remote: b.sockets[0].Addr(), Principal: security.Anonymous, Done: done}
			header := protocol.RequestHeader{Key: key, Version: version}
			row.handler(&s, api.NewRequest(header, req, 0, time.Now(), c, a))
			close(done)
			for _, q := range want {
				if !slices.Contains(d.asked, q) {
					t.Errorf("%s version %d asked %v, and not operation %d on resource type %d", key, version, d.asked, q.op, q.on)
				}
			}
			if len(want) > 0 && a.resp == nil && a.parts == 0 && !a.closed {
				t.Errorf("%s version %d: a refused request was not answered at once", key, version)
			}
		}
	}
	if after := b.quorum.Image(); after.Offset() != image.Offset() {
		t.Error("something that was refused changed the metadata")
	}
}

// fill gives every field of a request a value that names something: strings are the topic x, arrays have one element.
func fill(v reflect.Value, topicID [16]byte) {
	for i := range v.NumField() {
		f := v.Field(i)
		if !f.CanSet() || v.Type().Field(i).Name == "Version" || v.Type().Field(i).Name == "UnknownTags" {
			continue
		}
		fillField(f, topicID)
	}
}

func fillField(f reflect.Value, topicID [16]byte) {
	switch f.Kind() {
	case reflect.String:
		f.SetString("x")
	case reflect.Pointer:
		if f.Type().Elem().Kind() == reflect.String {
			name := "x"
			f.Set(reflect.ValueOf(&name))
		}
	case reflect.Slice:
		if f.Type().Elem().Kind() != reflect.Uint8 {
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
			fillField(f.Index(0), topicID)
		}
	case reflect.Struct:
		fill(f, topicID)
	case reflect.Array:
		f.Set(reflect.ValueOf(topicID))
	}
}

// adjust undoes what fill made meaningless.
func adjust(req kmsg.Request) {
	switch r := req.(type) {
	case *kmsg.ProduceRequest:
		r.TransactionID, r.Acks = nil, 1
	case *kmsg.FetchRequest:
		r.ReplicaID, r.ReplicaState.ID, r.SessionEpoch, r.Topics[0].Partitions[0].CurrentLeaderEpoch = -1, -1, -1, -1
		r.ForgottenTopics = nil
	case *kmsg.InitProducerIDRequest:
		r.TransactionalID = nil
		r.ProducerID, r.ProducerEpoch = -1, -1
	case *kmsg.DescribeConfigsRequest:
		r.Resources[0].ResourceType = kmsg.ConfigResourceTypeTopic
	case *kmsg.AlterConfigsRequest:
		r.Resources[0].ResourceType = kmsg.ConfigResourceTypeTopic
	case *kmsg.IncrementalAlterConfigsRequest:
		r.Resources[0].ResourceType = kmsg.ConfigResourceTypeTopic
	case *kmsg.DeleteTopicsRequest:
		r.Topics[0].TopicID = [16]byte{}
		if r.Version < 6 {
			r.Topics = nil
		}
	case *kmsg.MetadataRequest:
		for i := range r.Topics {
			r.Topics[i].TopicID = [16]byte{}
		}
	case *kmsg.DescribeQuorumRequest:
		r.Topics[0].Topic = "__cluster_metadata"
	case *kmsg.DescribeClusterRequest:
		r.EndpointType, r.IncludeClusterAuthorizedOperations = 1, true
	case *kmsg.DescribeTopicPartitionsRequest:
		r.Cursor = nil
	}
}
