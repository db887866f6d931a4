package quorum

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ottla/ottla/coordinator/cluster"
	metadata "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/logstore/vfs/errorfs"
	"github.com/ottla/ottla/protocol/record"
)

// kafkaLog writes a metadata log as Kafka's raft does.
type kafkaLog struct {
	bytes []byte
	next  int64
}

func (k *kafkaLog) batch(records ...cluster.Record) *kafkaLog {
	o := record.NewOptions()
	o.BaseOffset, o.LeaderEpoch = k.next, 3
	b := record.NewBuilder(o)
	for _, r := range records {
		b.Add(testNow().UnixMilli(), nil, metadata.AppendMetadata(nil, r))
	}
	return k.add(b.Batch())
}

func (k *kafkaLog) leader() *kafkaLog {
	return k.add(record.LeaderChange{Leader: 1, Voters: []int32{1}, Granting: []int32{1}}.Batch(testNow().UnixMilli(), k.next, 3))
}

func (k *kafkaLog) voters(ids ...int32) *kafkaLog {
	v := metadata.NewVotersRecord()
	for _, id := range ids {
		voter := metadata.NewVotersVoter()
		voter.VoterID = id
		v.Voters = append(v.Voters, voter)
	}
	o := record.NewOptions()
	o.BaseOffset, o.LeaderEpoch, o.Control = k.next, 3, true
	b := record.NewBuilder(o)
	b.Add(testNow().UnixMilli(), []byte{0, 0, 0, byte(record.ControlKRaftVoters)}, v.Append(nil, 0))
	return k.add(b.Batch())
}

func (k *kafkaLog) add(b record.Batch) *kafkaLog {
	k.bytes = append(k.bytes, b...)
	k.next = b.NextOffset()
	return k
}

func topicOf(name string, id byte, replicas ...int32) []cluster.Record {
	t := &metadata.TopicRecord{Name: name, TopicID: [16]byte{id}}
	p := metadata.NewPartitionRecord()
	// After a controlled shutdown of the only replica, where eligible leaders are kept.
	p.TopicID, p.PartitionID, p.Leader, p.LeaderEpoch, p.PartitionEpoch = t.TopicID, 0, -1, 7, 4
	p.Replicas, p.ISR, p.EligibleLeaderReplicas = replicas, []int32{}, replicas
	return []cluster.Record{t, &p}
}

func feature(name string, level int16) cluster.Record {
	return &metadata.FeatureLevelRecord{Name: name, FeatureLevel: level}
}

const kafkaState = `{"leaderId":1,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}`

// kafkaDirectory is a data directory with these files in its metadata log.
func kafkaDirectory(t testing.TB, files map[string]string) *vfs.Mem {
	t.Helper()
	m := newMem()
	dir := testDir + "/__cluster_metadata-0/"
	m.MkdirAll(dir, 0o755)
	all := map[string]string{
		testDir + "/meta.properties": "cluster.id=kafka\nversion=1\nnode.id=1\ndirectory.id=RqV6yQJIhWtYua9T4pJEdg\n",
		dir + "partition.metadata":   "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ",
		dir + StateName:              kafkaState,
	}
	for name, content := range files {
		all[dir+name] = content
	}
	for name, content := range all {
		f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err == nil {
			_, err = f.WriteAt([]byte(content), 0)
		}
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for _, d := range []string{"/", testDir, dir} {
		m.SyncDir(d)
	}
	return m
}

// kafkaFiles are a snapshot and a log behind it, with transactions of the controller.
func kafkaFiles() map[string]string {
	value := "60000"
	config := &metadata.ConfigRecord{ResourceType: int8(cluster.TopicResource), ResourceName: "old", Name: "retention.ms", Value: &value}
	register := &metadata.RegisterBrokerRecord{BrokerID: 1, BrokerEpoch: 2, LogDirs: [][16]byte{{9}}}
	var snapshot, log kafkaLog
	snapshot.voters(1).batch(feature(cluster.MetadataVersion, 25), feature("transaction.version", 2), register).
		batch(append(topicOf("old", 1, 1), config)...)
	log.next = 40 // in the snapshot
	log.batch(topicOf("in-the-snapshot", 9, 1)...)
	log.next = 50
	log.leader().batch(topicOf("new", 2, 1)...).
		batch(&metadata.BeginTransactionRecord{}).batch(topicOf("half", 3, 1)...).batch(&metadata.AbortTransactionRecord{}).
		batch(append(append([]cluster.Record{&metadata.BeginTransactionRecord{}}, topicOf("whole", 4, 1)...), &metadata.EndTransactionRecord{})...).
		batch(&metadata.NoOpRecord{}).batch(&metadata.ProducerIdsRecord{BrokerID: 1, NextProducerID: 3000})
	return map[string]string{
		"00000000000000000010-0000000001.checkpoint": "older and not read",
		"00000000000000000050-0000000003.checkpoint": string(snapshot.bytes),
		"00000000000000000040.log":                   string(log.bytes),
	}
}

// wantKafka is what kafkaFiles say.
func wantKafka(t *testing.T, what string, image *cluster.Image) {
	t.Helper()
	got := fmt.Sprint(topics(image), image.Configs(cluster.TopicResource, "old"), image.NextProducerID(), image.Features())
	if want := "[new old whole] map[retention.ms:60000] 3000 map[metadata.version:30]"; got != want {
		t.Fatalf("%s:\ngot  %s\nwant %s", what, got, want)
	}
	for topic := range image.Topics() {
		if p := topic.Partitions[0]; fmt.Sprint(p.Replicas, p.ISR, p.ELR) != "[1] [1] []" || p.LeaderEpoch < 7 {
			t.Fatalf("%s: %s-0 is %+v", what, topic.Name, p)
		}
	}
}

// TestKafkasMetadataIsTakenOver, whole and once, and Kafka's own log is kept.
func TestKafkasMetadataIsTakenOver(t *testing.T) {
	m := kafkaDirectory(t, kafkaFiles())
	before := read(t, m, testDir+"/__cluster_metadata-0/00000000000000000040.log")
	n := mustOpen(t, m)
	wantKafka(t, "at first", n.Image())
	if _, err := n.start(); err != nil {
		t.Fatal(err)
	}
	if p := n.Image().Topic("old").Partitions[0]; p.Leader != 1 || p.LeaderEpoch != 8 {
		t.Errorf("after the broker's start old-0 is %+v", p)
	}
	if err := n.create("ours", 1); err != nil {
		t.Fatal(err)
	}
	if err := n.end(); err != nil {
		t.Fatal(err)
	}
	if after := read(t, m, testDir+"/"+KafkaMetadataName+"/00000000000000000040.log"); string(after) != string(before) {
		t.Error("Kafka's log was changed")
	}
	n = mustOpen(t, m)
	defer n.end()
	if got := fmt.Sprint(topics(n.Image())); got != "[new old ours whole]" {
		t.Errorf("after a restart: %s", got)
	}
}

func read(t *testing.T, fsys vfs.FS, name string) []byte {
	t.Helper()
	b, err := readFile(fsys, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPowerCutWhileTakingOver cuts the power before every operation: the next start has all of it.
func TestPowerCutWhileTakingOver(t *testing.T) {
	mem := kafkaDirectory(t, kafkaFiles())
	// A start that ended early has left checkpoints that name Kafka's log.
	if store, err := logstore.Open(testDir, logstore.Options{FS: mem, NodeID: 1}); err != nil || store.Close() != nil {
		t.Fatal(err)
	}
	fsys := errorfs.New(mem)
	var mu sync.Mutex
	var left []*vfs.Mem
	fsys.OnOp(func(op errorfs.Op) {
		if !op.Changes() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, percent := range []int{0, 50, 100} {
			left = append(left, mem.CrashClone(rand.New(rand.NewPCG(uint64(len(left)), 0)), percent))
		}
	})
	n := mustOpen(t, fsys)
	fsys.OnOp(nil)
	n.end()
	if len(left) < 30 {
		t.Fatalf("only %d crashes", len(left))
	}
	for i, m := range left {
		n, err := openNode(m)
		if err != nil {
			t.Fatalf("crash %d: does not start: %v", i, err)
		}
		wantKafka(t, fmt.Sprintf("crash %d", i), n.Image())
		n.end()
	}
}

// TestKafkasMetadataThatIsRefused: with what is wrong, and nothing changed.
func TestKafkasMetadataThatIsRefused(t *testing.T) {
	log := func(k *kafkaLog) map[string]string {
		return map[string]string{"00000000000000000000.log": string(k.bytes)}
	}
	hole := new(kafkaLog).leader()
	hole.next = 9
	with := func(files map[string]string, name, content string) map[string]string {
		files[name] = content
		return files
	}
	for what, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"two brokers":        {log(new(kafkaLog).batch(&metadata.RegisterBrokerRecord{BrokerID: 1}, &metadata.RegisterBrokerRecord{BrokerID: 2})), "broker 2 belongs to the cluster"},
		"replicas elsewhere": {log(new(kafkaLog).batch(topicOf("t", 1, 1, 2)...)), "t-0 has replicas on the nodes [1 2]"},
		"other controllers":  {log(new(kafkaLog).voters(1, 2, 3).batch(topicOf("t", 1, 1)...)), "its controllers are the nodes [1 2 3]"},
		"a newer Kafka":      {log(new(kafkaLog).batch(feature(cluster.MetadataVersion, 99))), "metadata.version is 99; this build serves 30"},
		"a newer state":      {with(log(new(kafkaLog).leader()), StateName, `{"data_version":2}`), "version 2; this build knows 0 and 1"},
		"a hole":             {log(hole.batch(topicOf("t", 1, 1)...)), "offsets 1 to 8 are missing"},
		"an unknown record":  {log(new(kafkaLog).add(unknownRecord())), "unknown to this build"},
		"a damaged snapshot": {with(log(new(kafkaLog).leader()), "00000000000000000050-0000000003.checkpoint", strings.Repeat("x", 100)), ".checkpoint at byte 0"},
	} {
		m := kafkaDirectory(t, c.files)
		n, err := openNode(m)
		if err == nil {
			n.end()
			t.Errorf("%s: taken over", what)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s: %v", what, err)
		}
		for name, content := range c.files {
			if got := read(t, m, testDir+"/__cluster_metadata-0/"+name); string(got) != content {
				t.Errorf("%s: %s was changed", what, name)
			}
		}
	}
}

// TestKafkasMetadataThatIsNotAccepted: whoever opens it may say no, with nothing changed, and yes the next time.
func TestKafkasMetadataThatIsNotAccepted(t *testing.T) {
	acl := &metadata.AccessControlEntryRecord{ID: [16]byte{7}, ResourceType: 2, ResourceName: "t", PatternType: 3, Principal: "User:a", Host: "*", Operation: 3, PermissionType: 3}
	m := kafkaDirectory(t, map[string]string{"00000000000000000000.log": string(new(kafkaLog).leader().batch(topicOf("t", 1, 1)...).batch(acl).bytes)})
	asked := 0
	n, err := openNode(m, func(o *Options) {
		o.Accept = func(image *cluster.Image) error {
			for range image.ACLs() {
				asked++
			}
			return errors.New("not that")
		}
	})
	if err == nil {
		n.end()
	}
	if err == nil || !strings.Contains(err.Error(), "not that; nothing was changed") || asked != 1 {
		t.Fatalf("asked %d times: %v", asked, err)
	}
	if state := read(t, m, testDir+"/__cluster_metadata-0/"+StateName); string(state) != kafkaState {
		t.Error("changed")
	}
	if n, err = openNode(m); err != nil {
		t.Fatal(err)
	}
	defer n.end()
	for a := range n.Image().ACLs() {
		asked += int(a.ID[0])
	}
	if asked != 8 {
		t.Error("the ACL is not there")
	}
}

func unknownRecord() record.Batch {
	b := record.NewBuilder(record.NewOptions())
	b.Add(0, nil, []byte{1, 99, 0, 0})
	return b.Batch()
}
