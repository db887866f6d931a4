package protocol

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// memoryFile is a segment file in memory.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Fd() (uintptr, bool) { return 0, false }

// joined is what a client receives.
func joined(t *testing.T, parts []Part) (all []byte) {
	t.Helper()
	for _, p := range parts {
		if p.File == nil {
			all = append(all, p.Bytes...)
			continue
		}
		b := make([]byte, p.Len)
		if _, err := p.File.ReadAt(b, p.Off); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// FetchParts writes what kmsg writes, at all versions, whatever the records' parts are.
func TestFetchPartsEqualsKmsg(t *testing.T) {
	rng := newRand(t)
	for version := int16(4); version <= 18; version++ {
		for range 300 {
			resp := randomFetchResponse(rng, version)
			parts, size := FetchParts(7, resp, func(topic, partition int) ([]Part, int32) {
				records := resp.Topics[topic].Partitions[partition].RecordBatches
				return randomParts(rng, records), int32(len(records))
			})
			got, want := joined(t, parts), AppendResponse(nil, 7, resp)
			if !bytes.Equal(got, want) {
				t.Fatalf("version %d: FetchParts wrote\n%x, kmsg\n%x", version, got, want)
			}
			if size != len(want) {
				t.Fatalf("version %d: size %d of %d bytes", version, size, len(want))
			}
		}
	}
}

func randomFetchResponse(rng *rand.Rand, version int16) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = version
	resp.ThrottleMillis = rng.Int32()
	if version >= 7 {
		resp.ErrorCode, resp.SessionID = int16(rng.Int32()), rng.Int32()
	}
	for range rng.IntN(4) {
		t := kmsg.NewFetchResponseTopic()
		t.Topic = string(bytes.Repeat([]byte{'t'}, rng.IntN(200)))
		t.TopicID[3] = byte(rng.IntN(256))
		for range rng.IntN(4) {
			t.Partitions = append(t.Partitions, randomFetchPartition(rng))
		}
		resp.Topics = append(resp.Topics, t)
	}
	if version >= 16 {
		for range rng.IntN(3) {
			b := kmsg.NewFetchResponseBroker()
			b.NodeID, b.Host, b.Port = rng.Int32(), "host", rng.Int32()
			if rng.IntN(2) == 0 {
				b.Rack = kmsg.StringPtr(string(bytes.Repeat([]byte{'r'}, rng.IntN(200))))
			}
			resp.Brokers = append(resp.Brokers, b)
		}
	}
	return resp
}

func randomFetchPartition(rng *rand.Rand) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode = rng.Int32(), int16(rng.Int32())
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = rng.Int64(), rng.Int64(), rng.Int64()
	p.PreferredReadReplica = rng.Int32()
	p.RecordBatches = bytes.Repeat([]byte{byte(rng.IntN(256))}, []int{0, 1, 126, 127, 128, 20_000}[rng.IntN(6)])
	if rng.IntN(2) == 0 {
		p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		for range rng.IntN(3) {
			p.AbortedTransactions = append(p.AbortedTransactions, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: rng.Int64(), FirstOffset: rng.Int64()})
		}
	}
	if rng.IntN(2) == 0 {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = rng.Int32(), rng.Int64()
	}
	if rng.IntN(2) == 0 {
		p.CurrentLeader.LeaderID = rng.Int32N(3) - 1
	}
	if rng.IntN(2) == 0 {
		p.SnapshotID.Epoch = rng.Int32()
	}
	return p
}

// randomParts cuts records into parts in memory and in a file.
func randomParts(rng *rand.Rand, records []byte) (parts []Part) {
	file := memoryFile{bytes.NewReader(append([]byte("head"), records...))}
	for at := 0; at < len(records); {
		n := 1 + rng.IntN(len(records)-at)
		if rng.IntN(2) == 0 {
			parts = append(parts, Part{Bytes: records[at : at+n]})
		} else {
			parts = append(parts, Part{File: file, Off: int64(4 + at), Len: int64(n)})
		}
		at += n
	}
	return parts
}

// A response to an older client does not get what its version lacks.
func TestFetchPartsLeavesOutWhatVersionsLack(t *testing.T) {
	resp := randomFetchResponse(rand.New(rand.NewPCG(1, 1)), 18)
	resp.Brokers = []kmsg.FetchResponseBroker{{NodeID: 1, Host: "h"}}
	none := func(int, int) ([]Part, int32) { return nil, 0 }
	for version := int16(4); version <= 18; version++ {
		resp.Version = version
		parts, _ := FetchParts(7, resp, none)
		got := kmsg.NewPtrFetchResponse()
		got.Version = version
		body := joined(t, parts)[8:]
		if version >= 12 {
			body = body[1:]
		}
		if err := got.ReadFrom(body); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if (len(got.Brokers) > 0) != (version >= 16) {
			t.Errorf("version %d: brokers %v", version, got.Brokers)
		}
	}
}

func BenchmarkFetchParts(b *testing.B) {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 16
	resp.Topics = []kmsg.FetchResponseTopic{kmsg.NewFetchResponseTopic()}
	resp.Topics[0].Partitions = make([]kmsg.FetchResponseTopicPartition, 3)
	for i := range resp.Topics[0].Partitions {
		p := kmsg.NewFetchResponseTopicPartition()
		p.RecordBatches = make([]byte, 1<<20)
		resp.Topics[0].Partitions[i] = p
	}
	b.Run("parts", func(b *testing.B) {
		b.ReportAllocs()
		parts := []Part{{Bytes: resp.Topics[0].Partitions[0].RecordBatches}}
		for b.Loop() {
			FetchParts(1, resp, func(int, int) ([]Part, int32) { return parts, 1 << 20 })
		}
	})
	b.Run("kmsg", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = AppendResponse(buf[:0], 1, resp)
		}
	})
}
