package dump

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/coordinator/quorum"
	internal "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

const dir = "/data"

var started = time.UnixMilli(1_700_000_000_123)

func now() time.Time { return started }

// golden compares with testdata/name. Ids that are made at random are masked, and raft's times, which are its own clock's.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, id := range []string{`directoryId["=:]+[A-Za-z0-9_-]{22}`, `"id":"[A-Za-z0-9_-]{22}"`, `"topicId":"[A-Za-z0-9_-]{22}"`} {
		got = regexp.MustCompile(id).ReplaceAllStringFunc(got, func(s string) string {
			return regexp.MustCompile(`[A-Za-z0-9_-]{22}`).ReplaceAllString(s, "RANDOM")
		})
	}
	got = regexp.MustCompile(`20[0-9]{2}-[0-9T:.-]+Z`).ReplaceAllStringFunc(got, func(s string) string {
		if strings.HasPrefix(s, "2023-11-14T22:13:20") {
			return s
		}
		return "TIME"
	})
	// A snapshot has its producers in no order.
	got = regexp.MustCompile(`(snapshot: checksum is )[0-9a-f]{8}(, the header says )[0-9a-f]{8}`).ReplaceAllString(got, "${1}SUM${2}SUM")
	file := path.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", file, got)
	}
}

// printed is what a dump says.
func printed(t *testing.T, fs vfs.FS, o Options, paths ...string) (text string, wrong int) {
	t.Helper()
	var b bytes.Buffer
	o.FS = fs
	wrong, err := Paths(&b, paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), wrong
}

func read(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	d := dumper{Options: Options{FS: fs}}
	b, err := d.read(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err == nil {
		_, err = f.WriteAt(b, 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// batches are what the test's log holds: every codec, a transaction that is aborted and one that is open, a producer,
// headers, bytes that are no text, a tombstone.
func batches() (all []record.Batch) {
	add := func(change func(o *record.Options), fill func(b *record.Builder)) {
		o := record.NewOptions()
		change(&o)
		b := record.NewBuilder(o)
		fill(b)
		all = append(all, b.Batch())
	}
	ms := started.UnixMilli()
	for codec := record.None; codec.Valid(); codec++ {
		add(func(o *record.Options) { o.Codec = codec }, func(b *record.Builder) {
			b.Add(ms+int64(codec), []byte("key"), []byte(strings.Repeat(codec.String()+" ", 20)), record.Header{Key: "h", Value: []byte{0xff}})
			b.Add(ms, nil, []byte{0, 1, 2})
			b.Add(ms, []byte("gone"), nil)
		})
	}
	txn := func(producer int64, sequence int32) {
		add(func(o *record.Options) {
			o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = producer, 3, sequence, true
		}, func(b *record.Builder) { b.Add(ms, nil, []byte("in a transaction")) })
	}
	txn(7, 0)
	txn(8, 0)
	all = append(all, record.EndTxn{CoordinatorEpoch: 2}.Batch(ms, 7, 3))
	return all
}

// directory is a data directory with one log of two segments.
func directory(t *testing.T) *vfs.Mem {
	t.Helper()
	fs := vfs.NewMem(now)
	s, err := logstore.Open(dir, logstore.Options{FS: fs, Now: now, NodeID: 1, ClusterID: "cluster"})
	if err != nil {
		t.Fatal(err)
	}
	c := logstore.DefaultLogConfig()
	c.IndexIntervalBytes, c.SegmentBytes = 1, 600
	l, err := s.Create(logstore.TopicPartition{Topic: "topic"}, [16]byte{1}, c)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range batches() {
		if _, err := l.Append(b, logstore.AppendOptions{LeaderEpoch: int32(i / 4), Origin: logstore.Coordinator}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

func TestEveryFileOfADirectory(t *testing.T) {
	fs := directory(t)
	summary, wrong := printed(t, fs, Options{}, dir, dir+"/topic-0")
	text, wrong2 := printed(t, fs, Options{Deep: true, Records: true}, dir)
	lines, wrong3 := printed(t, fs, Options{Deep: true, Records: true, JSON: true}, dir)
	if wrong+wrong2+wrong3 != 0 {
		t.Errorf("%d, %d and %d things are said to be wrong", wrong, wrong2, wrong3)
	}
	golden(t, "directory.txt", summary+"\n"+text)
	golden(t, "directory.json", lines)
	for line := range strings.Lines(lines) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

// TestDamage: what is wrong is told with its place, and what follows is printed.
func TestDamage(t *testing.T) {
	const segment = dir + "/topic-0/00000000000000000000.log"
	var out strings.Builder
	for _, c := range []struct {
		name, file string
		change     func(b []byte) []byte
	}{
		{"a record's byte", segment, func(b []byte) []byte { b[70] ^= 1; return b }},
		{"a length", segment, func(b []byte) []byte { b[11] += 9; return b }},
		{"a magic", segment, func(b []byte) []byte { b[16] = 9; return b }},
		{"an offset", segment, func(b []byte) []byte { b[0] = 0xff; return b }},
		{"the end cut off", segment, func(b []byte) []byte { return b[:len(b)-1] }},
		{"zeros behind the end", segment, func(b []byte) []byte { return append(b, make([]byte, 5000)...) }},
		{"everything", segment, func(b []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(b)) }},
		{"an index entry", strings.TrimSuffix(segment, ".log") + ".index", func(b []byte) []byte { b[7]++; return b }},
		{"a preallocated index", strings.TrimSuffix(segment, ".log") + ".index", func(b []byte) []byte { return append(b, make([]byte, 80)...) }},
		{"an index of room only", strings.TrimSuffix(segment, ".log") + ".timeindex", func([]byte) []byte { return make([]byte, 96) }},
		{"a time index entry", strings.TrimSuffix(segment, ".log") + ".timeindex", func(b []byte) []byte { b[7]++; return b }},
		{"an index cut off", strings.TrimSuffix(segment, ".log") + ".index", func(b []byte) []byte { return append(b, 1, 2, 3) }},
		{"a snapshot", dir + "/topic-0/00000000000000000018.snapshot", func(b []byte) []byte { b[12]++; return b }},
		{"epochs", dir + "/topic-0/leader-epoch-checkpoint", func(b []byte) []byte { return bytes.Replace(b, []byte("\n1 "), []byte("\n0 "), 1) }},
		{"a checkpoint", dir + "/recovery-point-offset-checkpoint", func(b []byte) []byte { return b[:len(b)-1] }},
		{"a topic id", dir + "/topic-0/partition.metadata", func(b []byte) []byte { return b[:20] }},
		{"properties", dir + "/meta.properties", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("version=1"), []byte("version=2")) }},
	} {
		fs := directory(t)
		b := read(t, fs, c.file)
		write(t, fs, c.file, c.change(b))
		text, wrong := printed(t, fs, Options{}, c.file)
		fmt.Fprintf(&out, "--- %s: %d wrong\n%s", c.name, wrong, text)
		if allowed := c.name == "a preallocated index" || c.name == "an index of room only"; wrong == 0 != allowed {
			t.Errorf("%s: %d things wrong", c.name, wrong)
		}
	}
	golden(t, "damage.txt", out.String())
}

// TestInternalTopics: records of the coordinators' topics are decoded, and printed as bytes where they cannot be.
func TestInternalTopics(t *testing.T) {
	fs := vfs.NewMem(now)
	s, err := logstore.Open(dir, logstore.Options{FS: fs, Now: now, NodeID: 1, ClusterID: "cluster"})
	if err != nil {
		t.Fatal(err)
	}
	commit := internal.NewOffsetCommitValue()
	commit.Offset, commit.CommitTimestamp = 42, started.UnixMilli()
	txn := internal.NewTransactionLogValue()
	txn.ProducerID, txn.TransactionPartitions = 7, []internal.TransactionLogPartitionsSchema{{Topic: "t", PartitionIDs: []int32{0, 1}}}
	for topic, records := range map[string][][2][]byte{
		groupsTopic: {
			{internal.AppendKey(nil, &internal.OffsetCommitKey{Group: "g", Topic: "t", Partition: 3}), internal.AppendValue(nil, &commit, 3)},
			{internal.AppendKey(nil, &internal.OffsetCommitKey{Group: "g", Topic: "t", Partition: 3}), nil},
			{[]byte{0, 99, 1}, []byte("of a newer Kafka")},
			{[]byte{0}, []byte("short")},
		},
		transactionsTopic: {{internal.AppendKey(nil, &internal.TransactionLogKey{TransactionalID: "id"}), internal.AppendValue(nil, &txn, 1)}},
	} {
		l, err := s.Create(logstore.TopicPartition{Topic: topic}, [16]byte{2}, logstore.DefaultLogConfig())
		if err != nil {
			t.Fatal(err)
		}
		b := record.NewBuilder(record.NewOptions())
		for _, r := range records {
			b.Add(started.UnixMilli(), r[0], r[1])
		}
		if _, err := l.Append(b.Batch(), logstore.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	groups, wrong := printed(t, fs, Options{Records: true}, dir+"/__consumer_offsets-0/00000000000000000000.log")
	txns, wrong2 := printed(t, fs, Options{Records: true, JSON: true}, dir+"/__transaction_state-0/00000000000000000000.log")
	raw, wrong3 := printed(t, fs, Options{Records: true, Raw: true}, dir+"/__transaction_state-0/00000000000000000000.log")
	if wrong != 2 || wrong2+wrong3 != 0 {
		t.Errorf("%d, %d and %d things wrong", wrong, wrong2, wrong3)
	}
	golden(t, "internal.txt", groups+txns+raw)
}

// TestMetadataLog: the metadata log's entries, its state file and its snapshot.
func TestMetadataLog(t *testing.T) {
	fs := vfs.NewMem(now)
	s, err := logstore.Open(dir, logstore.Options{FS: fs, Now: now, NodeID: 1, ClusterID: "cluster"})
	if err != nil {
		t.Fatal(err)
	}
	q, err := quorum.Open(context.Background(), quorum.Options{Store: s, FS: fs, NodeID: 1, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	propose := func(value string) {
		_, err := q.Propose(context.Background(), func(*cluster.Image, time.Time) ([]cluster.Record, error) {
			c := internal.NewConfigRecord()
			c.ResourceType, c.ResourceName, c.Name, c.Value = 4, "1", "log.retention.ms", &value
			return []cluster.Record{&c}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	propose("1")
	log, wrong := printed(t, fs, Options{Records: true}, dir+"/__cluster_metadata-0/00000000000000000000.log")
	state, wrong2 := printed(t, fs, Options{}, dir+"/__cluster_metadata-0/quorum-state")
	name := ""
	for i := 0; i < 20_000 && name == ""; i++ { // a snapshot is due after 2000 changes, and comes while they go on
		propose(fmt.Sprint(i))
		name = snapshotIn(t, fs, dir+"/__cluster_metadata-0")
	}
	if err := errors.Join(q.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	image, wrong3 := printed(t, fs, Options{}, name)
	if wrong+wrong2+wrong3 != 0 || !strings.Contains(image, "type=ConfigRecord") {
		t.Errorf("%d, %d and %d things wrong:\n%s", wrong, wrong2, wrong3, image)
	}
	b := read(t, fs, name)
	b[len(b)-1]++
	write(t, fs, name, b)
	if _, wrong := printed(t, fs, Options{}, name); wrong != 1 {
		t.Errorf("a snapshot with a wrong checksum: %d things wrong", wrong)
	}
	golden(t, "metadata.txt", withoutBarriers(log)+state)
}

// withoutBarriers are the entries of a metadata log but for raft's barriers, of which there are as many as time allows.
func withoutBarriers(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "    record") && !strings.Contains(line, "type=LogBarrier") {
			b.WriteString(regexp.MustCompile(`offset=[0-9]+`).ReplaceAllString(line, "offset=N"))
		}
	}
	return b.String()
}

func snapshotIn(t *testing.T, fs vfs.FS, dir string) string {
	t.Helper()
	entries, err := fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if quorum.IsSnapshot(e.Name()) {
			return path.Join(dir, e.Name())
		}
	}
	return ""
}

// TestOldMessages: formats v0 and v1, as an old Kafka left them.
func TestOldMessages(t *testing.T) {
	fs := vfs.NewMem(now)
	fs.MkdirAll(dir+"/old-0", 0o755)
	const name = dir + "/old-0/00000000000000000000.log"
	var b []byte
	for offset, magic := range []int8{0, 1, 1} {
		b = append(b, legacyMessage(int64(offset), magic, []byte("key"), []byte("value"))...)
	}
	inner := append(legacyMessage(0, 1, nil, []byte("first inside")), legacyMessage(1, 1, nil, []byte("second inside"))...)
	packed := record.Compress(nil, record.Gzip, record.DefaultLevel, inner)
	b = append(b, packedMessage(4, byte(record.Gzip), packed)...)
	write(t, fs, name, b)
	text, wrong := printed(t, fs, Options{Records: true}, name)
	if wrong != 0 {
		t.Errorf("%d things wrong", wrong)
	}
	b[60]++
	write(t, fs, name, b)
	damaged, wrong := printed(t, fs, Options{Records: true}, name)
	if wrong != 1 {
		t.Errorf("%d things wrong", wrong)
	}
	golden(t, "old.txt", text+damaged)
}
