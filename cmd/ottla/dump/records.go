package dump

import (
	"encoding/binary"
	"fmt"
	"path"

	"github.com/ottla/ottla/coordinator/quorum"
	internal "github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// Topics whose records are decoded.
const (
	groupsTopic       = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
	sharesTopic       = "__share_group_state"
	metadataTopic     = "__cluster_metadata"
)

// records prints what is in a batch, or in a message of format v0 or v1.
func (d *dumper) records(file vfs.File, name string, b logstore.SegmentBatch) {
	bytes := make([]byte, b.Size) // no more than the file has
	if _, err := file.ReadAt(bytes, b.Position); err != nil {
		d.problem(b.Position, err)
		return
	}
	if b.Header == nil {
		d.message(b, bytes)
		return
	}
	batch := record.Batch(bytes)
	topic := topicOf(name)
	if batch.IsControl() {
		d.control(b, batch)
		return
	}
	for r, err := range batch.Records(0) {
		if err == nil {
			err = d.record(topic, batch, r)
		}
		if err != nil {
			d.problem(b.Position, err)
		}
	}
}

// topicOf is the topic whose partition's directory a file is in. What Kafka's metadata is kept in has a name of its own.
func topicOf(name string) string {
	if path.Base(name) == "bootstrap.checkpoint" || path.Base(path.Dir(name)) == quorum.KafkaMetadataName {
		return metadataTopic
	}
	tp, _, _ := logstore.ParseDirName(path.Base(path.Dir(name)))
	return tp.Topic
}

func (d *dumper) record(topic string, batch record.Batch, r record.Record) error {
	headers, err := r.Headers()
	if err != nil {
		return err
	}
	fields := []field{{"offset", r.Offset}, {"timestamp", millis(r.Timestamp)}}
	decoded, err := d.decode(topic, batch, r)
	if err != nil {
		err = fmt.Errorf("the record at offset %d: %w", r.Offset, err)
	}
	if decoded != nil {
		fields = append(fields, decoded...)
	} else {
		fields = append(fields, field{"key", r.Key}, field{"value", r.Value})
	}
	if len(headers) > 0 {
		fields = append(fields, field{"headers", headersJSON(headers)})
	}
	d.line(2, "record", fields...)
	return err
}

func headersJSON(headers []record.Header) object {
	b := []byte{'['}
	for i, h := range headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"key":`...), quoteJSON(h.Key)...)
		b = append(b, ',')
		b = append(appendBytes(b, "value", h.Value), '}')
	}
	return append(b, ']')
}

// decode is what a record of an internal topic says, nil where its bytes are to be shown.
func (d *dumper) decode(topic string, batch record.Batch, r record.Record) ([]field, error) {
	if d.Raw {
		return nil, nil
	}
	var key internal.Key
	var err error
	switch topic {
	case metadataTopic:
		return decodeMetadata(batch, r)
	case groupsTopic:
		key, err = internal.ReadGroupKey(r.Key)
	case transactionsTopic:
		key, err = internal.ReadTransactionKey(r.Key)
	case sharesTopic:
		key, err = internal.ReadShareKey(r.Key)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value, err := internal.ReadValue(key, r.Value)
	if err != nil {
		return nil, err
	}
	fields := []field{{"type", nameOf(key)}, {"key", describe(key)}}
	if value == nil {
		return append(fields, field{"value", object("null")}), nil
	}
	return append(fields, field{"value", describe(value)}), nil
}

// decodeMetadata: an entry of ours is known by its key; Apache Kafka's records have none.
func decodeMetadata(batch record.Batch, r record.Record) ([]field, error) {
	if r.Key == nil {
		m, err := internal.ReadMetadata(r.Value)
		if err != nil {
			return nil, err
		}
		return []field{{"type", nameOf(m)}, {"value", describe(m)}}, nil
	}
	e, err := quorum.ParseEntry(batch)
	if err != nil {
		return nil, err
	}
	fields := []field{{"type", e.Type}}
	switch {
	case e.Type == "LogCommand":
		records := []byte{'['}
		for i, m := range e.Records {
			if i > 0 {
				records = append(records, ',')
			}
			records = appendNamed(records, m)
		}
		fields = append(fields, field{"after", e.After}, field{"records", object(append(records, ']'))})
	case e.Text != "":
		fields = append(fields, field{"text", e.Text})
	default:
		fields = append(fields, field{"data", e.Data})
	}
	if len(e.Extensions) > 0 {
		fields = append(fields, field{"extensions", e.Extensions})
	}
	return fields, nil
}

// controlNames are Kafka's names of control records, by type.
var controlNames = []string{"ABORT", "COMMIT", "LEADER_CHANGE", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"}

// control prints control records: one in partitions of topics, several where Apache Kafka begins a metadata log.
func (d *dumper) control(b logstore.SegmentBatch, batch record.Batch) {
	for r, err := range batch.Records(0) {
		if err != nil {
			d.problem(b.Position, err)
			return
		}
		kind := -1
		if len(r.Key) >= 4 {
			kind = int(binary.BigEndian.Uint16(r.Key[2:]))
		}
		if kind < 0 || kind >= len(controlNames) {
			d.line(2, "control", field{"offset", r.Offset}, field{"key", r.Key}, field{"value", r.Value})
			continue
		}
		fields := []field{{"offset", r.Offset}, {"timestamp", millis(r.Timestamp)}, {"type", controlNames[kind]}}
		what, err := controlValue(record.ControlType(kind), r.Value)
		if err != nil {
			d.problem(b.Position, fmt.Errorf("the control record at offset %d: %w", r.Offset, err))
		}
		d.line(2, "control", append(fields, what)...)
	}
}

func controlValue(kind record.ControlType, value []byte) (field, error) {
	raw := field{"value", value}
	if len(value) < 2 {
		return raw, fmt.Errorf("a value of %d bytes", len(value))
	}
	version := int16(binary.BigEndian.Uint16(value))
	if kind == record.ControlAbort || kind == record.ControlCommit {
		if len(value) < 6 {
			return raw, fmt.Errorf("a value of %d bytes", len(value))
		}
		return field{"coordinatorEpoch", int32(binary.BigEndian.Uint32(value[2:]))}, nil
	}
	// Unlike other values these carry their version as their own first field.
	m := map[record.ControlType]internal.Message{
		record.ControlLeaderChange: new(internal.LeaderChangeMessage), record.ControlSnapshotHeader: new(internal.SnapshotHeaderRecord),
		record.ControlSnapshotFooter: new(internal.SnapshotFooterRecord), record.ControlKRaftVersion: new(internal.KRaftVersionRecord),
		record.ControlKRaftVoters: new(internal.VotersRecord),
	}[kind]
	if err := m.Decode(value, min(version, m.MaxVersion())); err != nil {
		return raw, err
	}
	return field{"value", describe(m)}, nil
}
