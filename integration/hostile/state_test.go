package hostile

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/ottla/ottla/protocol"
	"github.com/ottla/ottla/protocol/record"
)

// Requests that each leave something behind, or could: names of topics, groups, producers, sessions. What stays is bounded,
// or ends by itself. A long run asks for more of each.
func TestStateFloods(t *testing.T) {
	b := attack(t, map[string]string{
		"auto.create.topics.enable": "false", "group.min.session.timeout.ms": "1", "max.incremental.fetch.session.cache.slots": "1000",
	})
	b.create("t", 1, nil)
	b.works("before the attack")
	p := b.dial(t)
	coordinatorOf(t, p, "g")
	whole := b.watchMemory()
	for _, flood := range []struct {
		name string
		n    int
		send func(t *testing.T, p *peer, n int)
	}{
		{"names of topics in Metadata", scale(10_000, 1000, 100_000), askForTopics},
		{"group ids in DescribeGroups, Heartbeat and OffsetFetch", scale(50_000, 2000, 1_000_000), askForGroups},
		{"groups of one member each, joined and left alone", scale(5000, 500, 100_000), joinGroups},
		{"producer ids, each used once", scale(20_000, 1000, 1_000_000), useProducers},
		{"fetch sessions, in 1000 slots", scale(5000, 1500, 1_000_000), openSessions},
	} {
		began := time.Now()
		g := b.watchMemory()
		flood.send(t, p, flood.n)
		g.below(t, 256<<20, fmt.Sprintf("%d %s (%v)", flood.n, flood.name, time.Since(began).Round(time.Millisecond)))
	}
	whole.below(t, 512<<20, "all of them")
	eventually(t, "groups whose members are gone are still there", func() bool {
		r := kmsg.NewPtrListGroupsRequest()
		r.SetVersion(4)
		r.StatesFilter = []string{"Stable", "PreparingRebalance", "CompletingRebalance"}
		return len(mustAsk[*kmsg.ListGroupsResponse](t, p, r).Groups) == 0
	})
}

func askForTopics(t *testing.T, p *peer, n int) {
	for i := 0; i < n; i += 1000 {
		var names []string
		for j := range 1000 {
			names = append(names, fmt.Sprintf("no-such-topic-%d", i+j))
		}
		r := metadataOf(names...)
		r.AllowAutoTopicCreation = true
		for _, topic := range mustAsk[*kmsg.MetadataResponse](t, p, r).Topics {
			if topic.ErrorCode != int16(protocol.UnknownTopicOrPartition) {
				t.Fatalf("%s: %s", *topic.Topic, protocol.Code(topic.ErrorCode))
			}
		}
	}
}

func askForGroups(t *testing.T, p *peer, n int) {
	const several = 100
	for i := 0; i < n; i += several {
		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.SetVersion(5)
		var batch []kmsg.Request
		for j := range several {
			id := fmt.Sprintf("no-such-group-%d", i+j)
			describe.Groups = append(describe.Groups, id)
			heartbeat := kmsg.NewPtrHeartbeatRequest()
			heartbeat.SetVersion(4)
			heartbeat.Group, heartbeat.MemberID = id, "m"
			fetch := kmsg.NewPtrOffsetFetchRequest()
			fetch.SetVersion(7)
			fetch.Group = id
			batch = append(batch, heartbeat, fetch)
		}
		for _, resp := range pipelined(t, p, append(batch, describe)) {
			if r, ok := resp.(*kmsg.HeartbeatResponse); ok && r.ErrorCode != int16(protocol.UnknownMemberID) {
				t.Fatalf("heartbeat: %s", protocol.Code(r.ErrorCode))
			}
		}
	}
}

func joinGroups(t *testing.T, p *peer, n int) {
	const several = 100
	for i := 0; i < n; i += several {
		var batch []kmsg.Request
		for j := range several {
			join := kmsg.NewPtrJoinGroupRequest()
			join.SetVersion(3)
			join.Group, join.ProtocolType = fmt.Sprintf("group-%d", i+j), "consumer"
			join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 100, 10
			join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: make([]byte, 100)}}
			batch = append(batch, join)
		}
		for _, resp := range pipelined(t, p, batch) {
			if r := resp.(*kmsg.JoinGroupResponse); r.ErrorCode != 0 {
				t.Fatalf("join: %s", protocol.Code(r.ErrorCode))
			}
		}
	}
}

func useProducers(t *testing.T, p *peer, n int) {
	const several = 100
	for range n / several {
		var batch []kmsg.Request
		for range several {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.SetVersion(4)
			r.ProducerID, r.ProducerEpoch = -1, -1
			batch = append(batch, r)
		}
		var writes []kmsg.Request
		for _, resp := range pipelined(t, p, batch) {
			r := resp.(*kmsg.InitProducerIDResponse)
			if r.ErrorCode != 0 {
				t.Fatalf("init: %s", protocol.Code(r.ErrorCode))
			}
			o := record.NewOptions()
			o.ProducerID, o.ProducerEpoch, o.BaseSequence = r.ProducerID, r.ProducerEpoch, 0
			batch := record.NewBuilder(o)
			batch.Add(time.Now().UnixMilli(), nil, []byte("v"))
			writes = append(writes, produceTo("t", batch.Batch()))
		}
		for _, resp := range pipelined(t, p, writes) {
			if code := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
				t.Fatalf("produce: %s", protocol.Code(code))
			}
		}
	}
}

func openSessions(t *testing.T, p *peer, n int) {
	const several = 100
	ids := map[int32]bool{}
	for range n / several {
		var batch []kmsg.Request
		for range several {
			r := fetchFrom("t", 0, 0, 1000)
			r.SessionEpoch = 0
			batch = append(batch, r)
		}
		for _, resp := range pipelined(t, p, batch) {
			if id := resp.(*kmsg.FetchResponse).SessionID; id != 0 {
				ids[id] = true
			}
		}
	}
	if len(ids) == 0 || len(ids) > 1000 {
		t.Errorf("%d sessions were opened in 1000 slots", len(ids))
	}
}

// pipelined sends requests at once and returns their answers.
func pipelined(t *testing.T, p *peer, requests []kmsg.Request) (answers []kmsg.Response) {
	t.Helper()
	var out []byte
	for _, r := range requests {
		p.sent++
		out = append(out, formatter.AppendRequest(nil, r, p.sent)...)
	}
	sent := make(chan error, 1)
	go func() { sent <- p.write(out) }()
	for _, r := range requests {
		_, body, err := p.receive()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := decode(r, body)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, resp)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return answers
}
