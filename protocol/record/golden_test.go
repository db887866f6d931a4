package record

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// goldenBatches are what Apache Kafka 4.3.1 makes; testdata/Golden.java wrote them. A batch too long to be kept whole
// is cut: the line tells its length.
func goldenBatches(t testing.TB) map[string]golden {
	t.Helper()
	file, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]golden{}
	for line := range strings.Lines(string(file)) {
		words := strings.Fields(line)
		b, err := hex.DecodeString(words[2])
		if err != nil {
			t.Fatal(err)
		}
		size, _ := strconv.Atoi(words[1])
		all[words[0]] = golden{b, size}
	}
	return all
}

type golden struct {
	bytes []byte
	size  int
}

const goldenTime = 1700000000000

func addGoldenRecords(b *Builder) *Builder {
	b.Add(goldenTime, []byte("key"), []byte("value"), Header{"h", []byte("v")}, Header{"null", nil})
	b.Add(goldenTime-5000, nil, []byte("later"))
	b.Add(goldenTime+100000, []byte{}, nil)
	b.Add(goldenTime, []byte("long"), bytes.Repeat([]byte("0123456789abcdef"), 8192))
	return b
}

func TestBuilderEqualsKafka(t *testing.T) {
	all := goldenBatches(t)
	for _, name := range []string{"plain", "idempotent", "transactional"} {
		o := NewOptions()
		o.BaseOffset = 5
		if name != "plain" {
			o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.LeaderEpoch = 4000, 3, 17, 9
			o.Transactional = name == "transactional"
		}
		got, want := addGoldenRecords(NewBuilder(o)).Batch(), all[name]
		if len(got) != want.size || !bytes.Equal(got[:len(want.bytes)], want.bytes) {
			t.Errorf("%s\ngot  %d %x\nwant %d %x", name, len(got), got[:len(want.bytes)], want.size, want.bytes)
		}
	}
}

func TestKafkasCompressionIsRead(t *testing.T) {
	all := goldenBatches(t)
	want := describe(t, addGoldenRecords(NewBuilder(NewOptions())).Batch())
	for _, name := range []string{"gzip", "snappy", "lz4", "zstd", "gzip-9", "lz4-17", "zstd-22"} {
		batch, rest, err := Next(all[name].bytes)
		if err != nil || len(rest) != 0 {
			t.Fatalf("%s: %v", name, err)
		}
		if err := batch.CheckCRC(); err != nil {
			t.Error(name, err)
		}
		if got := describe(t, batch); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		rules := testRules()
		rules.NowMs = goldenTime
		if _, err := Validate(batch, rules); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// describe is the records of a batch as text, long values as their size.
func describe(t testing.TB, b Batch) string {
	t.Helper()
	var out strings.Builder
	for r, err := range b.Records(0) {
		if err != nil {
			t.Fatal(err)
		}
		headers, err := r.Headers()
		if err != nil {
			t.Fatal(err)
		}
		value := strconv.Quote(string(r.Value))
		if len(r.Value) > 100 {
			value = fmt.Sprint(len(r.Value), " bytes")
		}
		fmt.Fprintf(&out, "[%d %d %q(%t) %s(%t) %q]", r.Offset, r.Timestamp, r.Key, r.Key == nil, value, r.Value == nil, headers)
	}
	return out.String()
}

func TestControlBatchesEqualKafkas(t *testing.T) {
	all := goldenBatches(t)
	for name, marker := range map[string]EndTxn{"commit": {true, 12}, "abort": {false, 12}} {
		got := marker.Batch(goldenTime, 4000, 3)
		got.SetBaseOffset(77)
		got.SetLeaderEpoch(9)
		if !bytes.Equal(got, all[name].bytes) {
			t.Errorf("%s\ngot  %x\nwant %x", name, got, all[name].bytes)
		}
		again, ok, err := Batch(all[name].bytes).EndTxn()
		if again != marker || !ok || err != nil {
			t.Errorf("%s reads %+v, %t, %v", name, again, ok, err)
		}
	}
	change := LeaderChange{Leader: 1, Voters: []int32{1, 2}, Granting: []int32{1}}
	if got := change.Batch(goldenTime, 0, 2); !bytes.Equal(got, all["leader-change"].bytes) {
		t.Errorf("leader change\ngot  %x\nwant %x", got, all["leader-change"].bytes)
	}
	again, ok, err := Batch(all["leader-change"].bytes).LeaderChange()
	if fmt.Sprint(again) != fmt.Sprint(change) || !ok || err != nil {
		t.Errorf("leader change reads %+v, %t, %v", again, ok, err)
	}
	if _, ok, err := Batch(all["commit"].bytes).LeaderChange(); ok || err != nil {
		t.Errorf("a marker read as a leader change: %t, %v", ok, err)
	}
	if _, ok, err := Batch(all["leader-change"].bytes).EndTxn(); ok || err != nil {
		t.Errorf("a leader change read as a marker: %t, %v", ok, err)
	}
	if _, _, err := Batch(all["plain"].bytes).Control(); err == nil {
		t.Error("a batch of data read as a control batch")
	}
}

// Control records that were cut or altered are an error, never a panic.
func TestControlBatchesThatLie(t *testing.T) {
	all := goldenBatches(t)
	for _, name := range []string{"commit", "leader-change"} {
		whole := all[name].bytes
		for at := HeaderBytes; at < len(whole); at++ {
			for _, v := range []byte{0, 1, 0x7f, 0xff} {
				b := Batch(bytes.Clone(whole))
				b[at] = v
				b.EndTxn()
				b.LeaderChange()
				b[:at].Control()
			}
		}
	}
}
