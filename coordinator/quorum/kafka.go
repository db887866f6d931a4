package quorum

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ottla/ottla/coordinator/cluster"
	metadata "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// A data directory that Apache Kafka wrote brings its metadata along, in a log of Kafka's own raft. It is taken over once:
//
//	found      __cluster_metadata-0 is Kafka's. It is read through, refused if it cannot be served, and set aside under
//	           KafkaMetadataName, whole and for good.
//	set aside  the metadata log has no command yet: what Kafka's says is proposed, as its first one.
//	done       the metadata log has commands.
//
// A crash at any point leaves one of the three. Only a cluster of this one node can be taken over: with more nodes what is
// committed is not told by one of them.

// KafkaMetadataName is the directory that keeps the metadata log of an Apache Kafka whose data directory was taken over.
const KafkaMetadataName = cluster.MetadataTopic + "-0.kafka"

// isKafkas tells whether a directory is that of Kafka's metadata log: its state file is JSON.
func isKafkas(fsys vfs.FS, dir string) (bool, error) {
	data, err := readFile(fsys, dir+"/"+StateName, stateBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && len(data) > 0 && data[0] == '{', err
}

// setKafkaAside makes room for a metadata log of ours where there is one of Kafka's.
func setKafkaAside(o Options) error {
	dir := o.Store.Dir() + "/" + cluster.MetadataTopic + "-0"
	if is, err := isKafkas(o.FS, dir); !is || err != nil {
		return err
	}
	k, err := readKafka(o.FS, dir, o.NodeID)
	if err == nil && o.Accept != nil {
		err = o.Accept(k.image)
	}
	if err != nil {
		return fmt.Errorf("%s/%s says that Apache Kafka wrote the log, and it cannot be taken over: %w; nothing was changed", dir, StateName, err)
	}
	if _, err := o.FS.Stat(o.Store.Dir() + "/" + KafkaMetadataName); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s is there already: Apache Kafka ran again on a directory that was taken over; remove the one of the two that is not to count", KafkaMetadataName))
	}
	return o.Store.SetAside(logstore.TopicPartition{Topic: cluster.MetadataTopic}, KafkaMetadataName)
}

// adoptKafka proposes what the metadata log says that was set aside, unless that has happened, or there is none.
func (q *Quorum) adoptKafka(ctx context.Context, o Options) error {
	if q.Image().Offset() >= 0 {
		return nil
	}
	dir := o.Store.Dir() + "/" + KafkaMetadataName
	if _, err := o.FS.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	k, err := readKafka(o.FS, dir, o.NodeID)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	image, err := q.Propose(ctx, func(image *cluster.Image, _ time.Time) ([]cluster.Record, error) {
		if image.Offset() >= 0 {
			return nil, nil
		}
		return k.records, nil
	})
	if err != nil {
		return err
	}
	if o.Log != nil {
		o.Log.Info("took over the metadata of Apache Kafka", "topics", image.TopicCount(), "partitions", image.PartitionCount(),
			"kept", dir, "leftOut", strings.Join(k.leftOut, " "))
	}
	return nil
}

// kafkaMetadata is what Kafka's metadata log says.
type kafkaMetadata struct {
	image   *cluster.Image
	records []cluster.Record // that make its image
	leftOut []string         // kinds of records that this build has no use for
}

// kafkaReader reads Kafka's metadata log.
type kafkaReader struct {
	fs      vfs.FS
	next    int64 // offset of the next record
	records []cluster.Record
	// pending are records of a transaction of the controller, which count when it ends.
	begun   bool
	pending []cluster.Record
	leftOut []string
	voters  []int32 // as the last control record that names them says, nil if none does
}

// readKafka reads the newest snapshot, and the log behind it. Damage is refused: the store has cut off by now what a crash
// had torn.
func readKafka(fsys vfs.FS, dir string, node int32) (m kafkaMetadata, err error) {
	r := &kafkaReader{fs: fsys}
	if err := r.readVoters(dir); err != nil {
		return m, err
	}
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return m, err
	}
	snapshot := ""
	var segments []string
	for _, e := range entries {
		kind, _, mark := logstore.KindOf(e.Name())
		switch {
		case strings.HasSuffix(e.Name(), ".checkpoint"):
			snapshot = e.Name() // the names ascend
		case kind == logstore.KindSegment && mark == "":
			segments = append(segments, e.Name())
		}
	}
	if snapshot != "" {
		if err := r.readFile(dir+"/"+snapshot, false); err != nil {
			return m, err
		}
		var epoch int32
		if _, err := fmt.Sscanf(snapshot, "%020d-%010d.checkpoint", &r.next, &epoch); err != nil {
			return m, fmt.Errorf("%s: is not a snapshot's name", snapshot)
		}
	}
	for _, name := range segments {
		if err := r.readFile(dir+"/"+name, true); err != nil {
			return m, err
		}
	}
	m.leftOut = r.leftOut
	m.image, m.records, err = r.alone(node)
	return m, err
}

// readVoters reads the voters from the state file, where an older Kafka names them.
func (r *kafkaReader) readVoters(dir string) error {
	data, err := readFile(r.fs, dir+"/"+StateName, stateBytesMax)
	if err != nil {
		return err
	}
	var state struct {
		Version int `json:"data_version"`
		Voters  []struct {
			ID int32 `json:"voterId"`
		} `json:"currentVoters"`
	}
	if err := json.Unmarshal(data, &state); err != nil {
		return fmt.Errorf("%s: %w", StateName, err)
	}
	if state.Version > 1 {
		return fmt.Errorf("%s has version %d; this build knows 0 and 1: it was written by a newer Kafka", StateName, state.Version)
	}
	for _, v := range state.Voters {
		r.voters = append(r.voters, v.ID)
	}
	return nil
}

// readFile reads a segment or a snapshot. In a snapshot, whose offsets are its own, every record counts.
func (r *kafkaReader) readFile(name string, isLog bool) error {
	f, err := r.fs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	in := logstore.ReadSegment(f, 0, info.Size())
	defer in.Close()
	for {
		b, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = b.Checksum
		}
		if err == nil && (!isLog || b.Last >= r.next) {
			if isLog && b.Base > r.next {
				err = fmt.Errorf("offsets %d to %d are missing", r.next, b.Base-1)
			} else {
				err = r.batch(f, b, isLog)
			}
		}
		if err != nil {
			return fmt.Errorf("%s at byte %d: %w", name, in.Position(), err)
		}
	}
}

func (r *kafkaReader) batch(f vfs.File, b logstore.SegmentBatch, isLog bool) error {
	bytes := make([]byte, b.Size) // no more than the file has
	if _, err := f.ReadAt(bytes, b.Position); err != nil {
		return err
	}
	batch, _, err := record.Next(bytes)
	if err != nil {
		return err
	}
	for one, err := range batch.Records(0) {
		switch {
		case err != nil:
			return err
		case isLog && one.Offset < r.next:
			continue
		case batch.IsControl():
			err = r.control(one)
		default:
			err = r.record(one)
		}
		if err != nil {
			return fmt.Errorf("the record at offset %d: %w", one.Offset, err)
		}
	}
	if isLog {
		r.next = batch.NextOffset()
	}
	return nil
}

// control looks for the voters, which are there since Kafka 3.9.
func (r *kafkaReader) control(one record.Record) error {
	if len(one.Key) < 4 || record.ControlType(one.Key[3]) != record.ControlKRaftVoters {
		return nil
	}
	v := new(metadata.VotersRecord)
	if err := v.Decode(one.Value, 0); err != nil {
		return err
	}
	r.voters = nil
	for _, voter := range v.Voters {
		r.voters = append(r.voters, voter.VoterID)
	}
	return nil
}

func (r *kafkaReader) record(one record.Record) error {
	m, err := metadata.ReadMetadata(one.Value)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *metadata.BeginTransactionRecord:
		r.begun, r.pending = true, nil
		return nil
	case *metadata.AbortTransactionRecord:
		r.begun, r.pending = false, nil
		return nil
	case *metadata.EndTransactionRecord:
		r.begun, r.records, r.pending = false, append(r.records, r.pending...), nil
	case *metadata.FeatureLevelRecord:
		if m.Name != cluster.MetadataVersion {
			r.leave(m.Name)
			return nil
		}
		if m.FeatureLevel > cluster.MetadataVersionLevel {
			return fmt.Errorf("%s is %d; this build serves %d: it was written by a newer Kafka", m.Name, m.FeatureLevel, cluster.MetadataVersionLevel)
		}
		m.FeatureLevel = cluster.MetadataVersionLevel // what is written from now on
		r.keep(m)
	case *metadata.RegisterControllerRecord, *metadata.NoOpRecord, *metadata.FenceBrokerRecord, *metadata.UnfenceBrokerRecord,
		*metadata.ClearElrRecord, *metadata.ZkMigrationStateRecord: // nothing that lasts, or that alone keeps
	case *metadata.DelegationTokenRecord, *metadata.RemoveDelegationTokenRecord:
		r.leave(reflect.TypeOf(m).Elem().Name())
	default:
		r.keep(m)
	}
	return nil
}

func (r *kafkaReader) keep(m cluster.Record) {
	if r.begun {
		r.pending = append(r.pending, m)
	} else {
		r.records = append(r.records, m)
	}
}

func (r *kafkaReader) leave(what string) {
	if !slices.Contains(r.leftOut, what) {
		r.leftOut = append(r.leftOut, what)
	}
}

// alone is the metadata of a cluster that is this node and no other. It is the in-sync replica of all its partitions; its
// own registration is left to it.
func (r *kafkaReader) alone(node int32) (image *cluster.Image, records []cluster.Record, err error) {
	if len(r.voters) > 0 && !slices.Equal(r.voters, []int32{node}) {
		return nil, nil, fmt.Errorf("its controllers are the nodes %v; only a cluster of this node, %d, alone can be taken over", r.voters, node)
	}
	image, _, err = cluster.Empty().Apply(r.next, 0, r.records)
	if err != nil {
		return nil, nil, err
	}
	for _, b := range image.Brokers() {
		if b.ID != node {
			return nil, nil, fmt.Errorf("broker %d belongs to the cluster; only one of this node, %d, alone can be taken over", b.ID, node)
		}
	}
	for m := range image.Records() {
		switch m := m.(type) {
		case *metadata.RegisterBrokerRecord:
			continue
		case *metadata.PartitionRecord:
			if !slices.Equal(m.Replicas, []int32{node}) {
				t := image.TopicByID(m.TopicID)
				return nil, nil, fmt.Errorf("%s-%d has replicas on the nodes %v; only a cluster of this node, %d, alone can be taken over", t.Name, m.PartitionID, m.Replicas, node)
			}
			m.ISR, m.EligibleLeaderReplicas, m.LastKnownELR = []int32{node}, nil, nil
			m.AddingReplicas, m.RemovingReplicas = nil, nil
		}
		records = append(records, m)
	}
	return image, records, nil
}
