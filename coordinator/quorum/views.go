package quorum

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/ottla/ottla/coordinator/cluster"
	"github.com/ottla/ottla/logstore/vfs"
	"github.com/ottla/ottla/protocol/record"
)

// This file is what tools may see of the bytes at rest (FORMAT.md). Everything here asks the parser that the quorum itself
// uses; nothing is changed.

// StateName is the name of the state file, which stands beside the log.
const StateName = "quorum-state"

// IsSnapshot tells a snapshot by its name.
func IsSnapshot(name string) bool { return snapshotName.MatchString(name) }

// EntryView is an entry of the metadata log.
type EntryView struct {
	Type string // raft's word, or "ClusterID" for the record at offset 0
	// After is the offset of the command that this one was decided on; of a LogCommand only.
	After      int64
	Records    []cluster.Record // of a LogCommand
	Text       string           // of a LogConfiguration the voters, of a ClusterID the id
	Data       []byte           // of any other
	Extensions []byte
}

// ParseEntry reads an entry from a record of the log.
func ParseEntry(batch record.Batch) (v EntryView, err error) {
	var l raft.Log
	if err := decodeLog(batch, &l); err != nil {
		return v, err
	}
	v = EntryView{Type: l.Type.String(), After: -1, Extensions: l.Extensions}
	switch l.Type {
	case notAnEntry:
		v.Type, v.Text = "ClusterID", string(l.Data)
	case raft.LogCommand:
		e, err := decodeEntry(l.Data)
		v.After, v.Records = e.after, e.records
		return v, err
	case raft.LogConfiguration:
		c, err := decodeConfiguration(l.Data)
		v.Text = voters(c)
		return v, err
	default:
		v.Data = l.Data
	}
	return v, nil
}

func voters(c raft.Configuration) string {
	var b strings.Builder
	for i, s := range c.Servers {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", s.ID, s.Suffrage)
	}
	return b.String()
}

// StateView is the state file.
type StateView struct {
	ClusterID string
	NodeID    int32
	Values    []StateValue // by key
}

// StateValue is one of raft's: a number where it has eight bytes, else text.
type StateValue struct{ Key, Value string }

// ParseState reads the state file.
func ParseState(data []byte) (v StateView, err error) {
	who, values, err := parseState(data)
	v = StateView{ClusterID: who.ClusterID, NodeID: who.NodeID}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		text := string(values[key])
		if len(values[key]) == 8 {
			text = fmt.Sprint(binary.BigEndian.Uint64(values[key]))
		}
		v.Values = append(v.Values, StateValue{key, text})
	}
	return v, err
}

// SnapshotView is a snapshot: who wrote it, where it stands, and the records that make its image.
type SnapshotView struct {
	ClusterID                       string
	Index, Term, ConfigurationIndex uint64
	Voters                          string
	Offset                          int64
	Epoch                           int32
	Records                         []cluster.Record
}

// ReadSnapshot reads a snapshot of a directory. What could be read comes with the error.
func ReadSnapshot(fsys vfs.FS, dir, name string) (v SnapshotView, err error) {
	h, err := readHead(fsys, dir, name)
	if err != nil {
		return v, err
	}
	v = SnapshotView{ClusterID: h.clusterID, Index: h.meta.Index, Term: h.meta.Term,
		ConfigurationIndex: h.meta.ConfigurationIndex, Voters: voters(h.meta.Configuration)}
	if err := checkSum(fsys, dir+"/"+name, h.bytes+h.meta.Size); err != nil {
		return v, err
	}
	f, err := fsys.Open(dir + "/" + name)
	if err != nil {
		return v, err
	}
	defer f.Close()
	body, err := readImageBody(io.NewSectionReader(f, h.bytes, h.meta.Size))
	v.Offset, v.Epoch, v.Records = body.offset, body.epoch, body.records
	return v, err
}
