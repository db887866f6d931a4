package broker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ottla/ottla/config"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
)

// where says in which data directory each partition of a topic is, future replicas marked.
func where(t *testing.T, adm *kadm.Client, topic string) map[string]string {
	t.Helper()
	dirs, err := adm.DescribeBrokerLogDirs(context.Background(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	dirs.Each(func(d kadm.DescribedLogDir) {
		if d.Err != nil {
			found[d.Dir] = d.Err.Error()
		}
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			key := fmt.Sprint(p.Partition)
			if p.IsFuture {
				key = "future " + key
			}
			if p.Topic == topic {
				found[key] = filepath.Base(d.Dir)
			}
		})
	})
	return found
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never came: " + what)
		}
	}
}

// Partitions are spread over the directories, moved between them while a producer and a consumer go on, and are where
// they were after a restart.
func TestSeveralDataDirs(t *testing.T) {
	dir := t.TempDir()
	set := map[config.Key]string{config.LogDirs: dir + "/a," + dir + "/b"}
	b := open(t, "", set)
	cl := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	adm := kadm.NewClient(cl)
	ctx := context.Background()
	if r, err := adm.CreateTopics(ctx, 4, 1, nil, "t"); err != nil || r["t"].Err != nil {
		t.Fatal(err, r)
	}
	counts := map[string]int{}
	for _, d := range where(t, adm, "t") {
		counts[d]++
	}
	if counts["a"]+counts["b"] != 4 || counts["a"] == 0 || counts["b"] == 0 {
		t.Fatal(counts)
	}
	until(t, "the metadata's word of it", func() bool {
		for _, p := range b.quorum.Image().Topic("t").Partitions {
			if p.Directories[0] == [16]byte{} {
				return false
			}
		}
		return true
	})
	sent := 0
	send := func(n int) {
		produce(t, cl, sent, sent+n)
		sent += n
	}
	send(100)
	for round := range 4 {
		var req kadm.AlterReplicaLogDirsReq
		to := []string{dir + "/a", dir + "/b"}[round%2]
		for p := range int32(4) {
			req.Add(to, kadm.TopicsSet{"t": {p: {}}})
		}
		all, err := adm.AlterBrokerReplicaLogDirs(ctx, 1, req)
		if err != nil {
			t.Fatal(err)
		}
		all.Each(func(r kadm.AlterReplicaLogDirsResponse) {
			if r.Err != nil {
				t.Error(r.Topic, r.Partition, r.Err)
			}
		})
		until(t, "the move", func() bool {
			send(10)
			found := where(t, adm, "t")
			for p := range 4 {
				if found[fmt.Sprint(p)] != filepath.Base(to) || found[fmt.Sprint("future ", p)] != "" {
					return false
				}
			}
			return true
		})
	}
	seen := map[string]bool{}
	for _, v := range consume(t, cl, sent) {
		if seen[v] {
			t.Errorf("%s came twice", v)
		}
		seen[v] = true
	}
	for i := range sent {
		if !seen[fmt.Sprint("value ", i)] {
			t.Errorf("value %d is lost", i)
		}
	}
	for p, part := range b.quorum.Image().Topic("t").Partitions {
		if part.Directories[0] != b.dirs.DirectoryIDs()[1] {
			t.Errorf("the metadata does not know where partition %d is", p)
		}
	}
	var req kadm.AlterReplicaLogDirsReq
	req.Add(dir+"/c", kadm.TopicsSet{"t": {0: {}}})
	req.Add(dir+"/a", kadm.TopicsSet{"none": {0: {}}})
	all, err := adm.AlterBrokerReplicaLogDirs(ctx, 1, req)
	if err != nil {
		t.Fatal(err)
	}
	all.Each(func(r kadm.AlterReplicaLogDirsResponse) {
		want := map[string]error{"t": kerr.LogDirNotFound, "none": kerr.UnknownTopicOrPartition}[r.Topic]
		if !errors.Is(r.Err, want) {
			t.Errorf("%s: %v, want %v", r.Topic, r.Err, want)
		}
	})

	// No new partition comes to a directory that is cordoned.
	name := config.CordonedLogDirs
	value := dir + "/a"
	if _, err := adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Name: string(name), Value: &value}}, 1); err != nil {
		t.Fatal(err)
	}
	if r, err := adm.CreateTopics(ctx, 3, 1, nil, "u"); err != nil || r["u"].Err != nil {
		t.Fatal(err, r)
	}
	for p, d := range where(t, adm, "u") {
		if d != "b" {
			t.Errorf("u-%s is in %s", p, d)
		}
	}
}

// A directory that fails takes its partitions offline; when the metadata log's does, or all do, the broker says so.
func TestADataDirFails(t *testing.T) {
	dir := t.TempDir()
	fs := errorfs.New(vfs.OS())
	b, err := Open(Options{Config: configOf(t, "", map[config.Key]string{config.LogDirs: dir + "/a," + dir + "/b"}), Log: logTo(t), FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	cl := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(0))
	adm := kadm.NewClient(cl)
	ctx := context.Background()
	if r, err := adm.CreateTopics(ctx, 2, 1, nil, "t"); err != nil || r["t"].Err != nil {
		t.Fatal(err, r)
	}
	at := map[string]int32{} // partition by directory
	for p, d := range where(t, adm, "t") {
		var n int32
		fmt.Sscan(p, &n)
		at[d] = n
	}
	send := func(dir string) error {
		return cl.ProduceSync(ctx, &kgo.Record{Partition: at[dir], Value: []byte("x")}).FirstErr()
	}
	for _, d := range []string{"a", "b"} {
		if err := send(d); err != nil {
			t.Fatal(err)
		}
	}
	fs.Add("any of "+dir+"/b/* -> EIO", "any of "+dir+"/b/*/* -> EIO")
	if err := send("b"); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("%v", err)
	}
	until(t, "the directory's end", func() bool { return where(t, adm, "t")[dir+"/b"] == kerr.KafkaStorageError.Error() })
	if err := send("a"); err != nil {
		t.Errorf("the other directory's: %v", err)
	}
	select {
	case err := <-b.Failed():
		t.Errorf("given up: %v", err)
	default:
	}
	fs.Add("any of "+dir+"/a/* -> EIO", "any of "+dir+"/a/*/* -> EIO")
	_ = send("a")
	select {
	case err := <-b.Failed():
		if !strings.Contains(err.Error(), dir+"/a") {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("not given up")
	}
	short, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := b.Close(short); err != nil {
		t.Log(err)
	}
}
